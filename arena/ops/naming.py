"""Whether the environment names a setting, in either of the two ways that the settings read."""

from collections.abc import Mapping


def is_named(environment: Mapping[str, str], name: str) -> bool:
    """Whether NAME holds a value, or NAME_FILE the file with it. An empty one counts as not named."""
    return bool(environment.get(name) or environment.get(f"{name}_FILE"))

"""Which programs and variables a system may use: named in the worker's environment, never in the database.

Whoever may edit systems must not thereby run programs on the workers. So the worker says, once and for all:

    COMMAND_BACKENDS=espeak=/opt/speech/espeak_backend,music=/opt/music/run --small
    COMMAND_ENVIRONMENT=CUDA_VISIBLE_DEVICES,HF_HOME

and a system's options choose among these names.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping

from workers.backends.errors import BackendMisconfigured

COMMANDS_VARIABLE = "COMMAND_BACKENDS"
ENVIRONMENT_VARIABLE = "COMMAND_ENVIRONMENT"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def resolve_command(name: str, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The program and its arguments. Raises BackendMisconfigured, which shows no path."""
    commands = dict(_entry(entry) for entry in _listed(environment, COMMANDS_VARIABLE))
    if name not in commands:
        known = ", ".join(sorted(commands)) or "none"
        raise BackendMisconfigured(
            f"This worker knows no command {name!r}. In its {COMMANDS_VARIABLE} are: {known}."
        )
    argv = commands[name]
    if not (os.path.isfile(argv[0]) and os.access(argv[0], os.X_OK)):
        raise BackendMisconfigured(f"The program of the command {name!r} is no executable file here.")
    return argv


def resolve_environment(names: str, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables of a comma-separated list of names, with their values."""
    allowed = _listed(environment, ENVIRONMENT_VARIABLE)
    chosen = _split(names)
    for name in chosen:
        if name not in allowed:
            raise BackendMisconfigured(f"This worker's {ENVIRONMENT_VARIABLE} does not hold {name!r}.")
        if name not in environment:
            raise BackendMisconfigured(f"The environment variable {name} is not set on this worker.")
    return {name: environment[name] for name in chosen}


def _entry(entry: str) -> tuple[str, tuple[str, ...]]:
    name, _, line = entry.partition("=")
    try:
        argv = tuple(shlex.split(line))
    except ValueError:
        argv = ()
    if not _NAME.fullmatch(name.strip()) or not argv or not os.path.isabs(argv[0]):
        raise BackendMisconfigured(
            f"{COMMANDS_VARIABLE} of this worker must be name=/absolute/path [arguments], comma-separated."
        )
    return name.strip(), argv


def _listed(environment: Mapping[str, str], variable: str) -> list[str]:
    return _split(environment.get(variable, ""))


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]

"""The key that signs cookies in the demo: made once, readable by its owner alone."""

import os
import secrets
from pathlib import Path


def secret_key(*, path: Path) -> str:
    """The key in `path`, made at the first call."""
    if not path.exists():
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(60))
        unfinished.rename(path)
    return path.read_text().strip()

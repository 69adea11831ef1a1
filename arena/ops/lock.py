"""One running instance per data folder, held by a file lock that ends with the process that holds it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arena.ops.errors import StartError


@contextmanager
def instance_lock(folder: Path, *, what: str) -> Iterator[None]:
    """Hold `folder` for ourselves; the lock lies beside it, as `folder` may not exist yet."""
    path = folder.with_name(folder.name + ".lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(
                f"{what} already runs on {folder}: stop that instance first, or give this one another folder."
            ) from None
        yield
    finally:
        os.close(descriptor)

"""Throw-away Postgres and Valkey for tests and one-off commands: fast, not durable, gone afterwards."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from arena.ops.account import service_account
from arena.ops.folders import LONGEST_RUN_DIR
from arena.ops.naming import is_named
from arena.ops.postgres import Postgres
from arena.ops.valkey import Valkey

PREFIX = "arena-private-"
LEFT_BEHIND_AFTER_S = 60  # younger folders may be between their creation and their lock


@contextmanager
def private_services(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Start what `environment` does not name yet; yields the variables to add to it."""
    added: dict[str, str] = {}
    with ExitStack() as stack:
        if not is_named(environment, "DATABASE_URL"):
            folder = stack.enter_context(temporary_folder())
            postgres = Postgres(
                data_dir=folder / "data", socket_dir=folder / "pg", log_dir=folder, is_durable=False
            )
            added["DATABASE_URL"] = stack.enter_context(postgres).url
        if not is_named(environment, "BROKER_URL"):
            folder = stack.enter_context(temporary_folder())
            valkey = Valkey(
                data_dir=folder / "data", socket_path=folder / "valkey.sock", log_dir=folder, is_durable=False
            )
            added["BROKER_URL"] = stack.enter_context(valkey).url
        yield added


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A short-named folder that the server's account can pass through; killed runs' ones are swept away."""
    base = _base()
    _sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    folder.chmod(0o711)
    descriptor = os.open(folder / "in-use", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)


def _base() -> Path:
    usual = Path(tempfile.gettempdir()).resolve()
    account = service_account()
    is_short = len(os.fsencode(usual)) + len(PREFIX) + 10 <= LONGEST_RUN_DIR
    is_reachable = account is None or account.can_traverse(usual)
    return usual if is_short and is_reachable else Path("/tmp")  # noqa: S108 - mkdtemp makes a folder of our own


def _sweep(base: Path) -> None:
    for folder in base.glob(f"{PREFIX}*"):
        try:
            status = folder.stat()
            if status.st_uid != os.geteuid() or time.time() - status.st_mtime < LEFT_BEHIND_AFTER_S:
                continue
            descriptor = os.open(folder / "in-use", os.O_RDWR)
        except OSError:  # somebody else's, or being made or removed just now
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)

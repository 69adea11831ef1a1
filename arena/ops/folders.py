"""Where the files of one installation lie, and where they go when their usual place cannot be used."""

import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

from arena.ops.account import Account
from arena.ops.errors import StartError

PROJECT = Path(__file__).resolve().parents[2]

# sun_path holds 108 bytes; the longest name we put below the folder of sockets is "pg/.s.PGSQL.5432.lock".
LONGEST_RUN_DIR = 75

SHELTERS = Path("/var/lib")


class Folders(NamedTuple):
    var: Path
    log: Path
    run: Path
    models: Path
    postgres: Path


def folders_make(*, var: Path, account: Account | None) -> Folders:
    """Create the folders of the installation whose files lie in `var`.

    An account that may not pass through the folders above `var` gets its files in a shelter of root's,
    always the same one for this `var`; the folders above are the user's and are left as they are.
    """
    for folder in (var, var / "log", var / "models"):
        folder.mkdir(parents=True, exist_ok=True)
    var = var.resolve()
    home = var
    if account is not None and not account.can_traverse(var):
        home = shelter(for_path=var)
        _point_to(var / "postgres", home / "postgres")
    run = home / "run"
    if len(os.fsencode(run)) > LONGEST_RUN_DIR:
        run = Path("/tmp") / f"arena-{os.geteuid()}-{_digest(var)}"  # noqa: S108 - its owner is checked
    _make_own(run)
    return Folders(
        var=var,
        log=var / "log",
        run=run,
        models=var / "models",
        postgres=home / "postgres",
    )


def shelter(*, for_path: Path) -> Path:
    """A folder of root's that other accounts may pass through, always the same one for `for_path`.

    It holds a database, so it is not in a place that is emptied from time to time.
    """
    folder = SHELTERS / f"arena-{_digest(for_path.resolve())}"
    _make_own(folder)
    (folder / "origin").write_text(f"Belongs to {for_path.resolve()}\n")
    return folder


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _make_own(folder: Path) -> None:
    """Create a folder that others may pass through but not list; refuse one that somebody else laid there."""
    try:
        folder.mkdir(exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise StartError(f"The folder {folder} cannot be made ({error.strerror}).") from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise StartError(f"{folder} is needed, but it belongs to somebody else: move it away.")
    folder.chmod(0o711)


def _point_to(link: Path, target: Path) -> None:
    """Leave a link, so that whoever looks into var/ finds the database."""
    if not link.is_symlink() and not link.exists():
        link.symlink_to(target)

"""The unprivileged account that PostgreSQL runs under when we are root; it refuses to run as root itself."""

import os
import pwd
import stat
from pathlib import Path
from typing import NamedTuple

from arena.ops.errors import StartError

USUAL_NAMES = ("postgres", "nobody", "daemon")


class Account(NamedTuple):
    name: str
    uid: int
    gid: int

    def can_traverse(self, folder: Path) -> bool:
        """Whether this account may pass through `folder` and every folder above it."""
        folder = folder.resolve()
        return all(self._may_enter(step.stat()) for step in (folder, *folder.parents))

    def _may_enter(self, status: os.stat_result) -> bool:
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def service_account(*, data_dir: Path | None = None) -> Account | None:
    """The account to drop to, or None when we are not root. An existing data folder keeps its owner."""
    if os.geteuid() != 0:
        return None
    if data_dir is not None and data_dir.exists() and (owner := data_dir.stat().st_uid) != 0:
        return _account_of(owner)
    for name in USUAL_NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise StartError(
        "PostgreSQL does not run as root and this machine has no account named "
        f"{', '.join(USUAL_NAMES)}: add one, or start as an ordinary user."
    )


def _account_of(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(str(uid), uid, uid)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)

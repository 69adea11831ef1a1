"""Imports heavy or optional packages late, with an error that says what to install."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from workers.backends.errors import BackendMisconfigured


def require_packages(*names: str) -> None:
    """Cheap: looks for the packages without importing them."""
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise BackendMisconfigured(
            f"This worker lacks the packages {' and '.join(missing)}: pip install {' '.join(missing)}"
        )


def import_engine(name: str) -> Any:
    """Any on purpose: type checks must not depend on what is installed."""
    require_packages(name.partition(".")[0])
    return import_module(name)

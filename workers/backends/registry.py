"""The kinds of backend by name. Imports no engine: a kind is a dotted path until somebody creates it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, cast

from workers.backends.errors import BackendMisconfigured
from workers.backends.options import OptionField
from workers.backends.types import Backend

# Each module has OPTIONS (a tuple of OptionField), TITLE, and create(options) -> Backend,
# and imports its engine only inside of create or at the first request.
KINDS: dict[str, str] = {
    "openai": "workers.backends.openai_http",
    "transformers": "workers.backends.transformers_text",
    "command": "workers.backends.command",
    "fake": "workers.backends.fake",
}


def create(kind: str, options: Mapping[str, Any]) -> Backend:
    """Raises BackendMisconfigured for an unknown kind, a wrong option or a missing package."""
    return cast(Backend, _module(kind).create(options))


def describe() -> dict[str, tuple[OptionField, ...]]:
    """The option fields of every kind."""
    return {kind: _module(kind).OPTIONS for kind in KINDS}


def titles() -> dict[str, str]:
    """The kinds in words, for a form's list."""
    return {kind: _module(kind).TITLE for kind in KINDS}


def _module(kind: str) -> ModuleType:
    if kind not in KINDS:
        raise BackendMisconfigured(f"There is no backend of kind {kind!r}. Known are: {', '.join(KINDS)}.")
    return import_module(KINDS[kind])

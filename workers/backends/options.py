"""The options of a backend: described for a form, read from JSON or from a form's texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from workers.backends.errors import BackendMisconfigured


@dataclass(frozen=True, kw_only=True)
class OptionField:
    """One option: enough to build a form field from. `default` None means that it may be left out."""

    name: str
    help: str
    required: bool = False
    type: Literal["text", "number", "whole"] = "text"
    choices: tuple[str, ...] = ()
    default: str | float | int | None = None


def read_options(option_fields: Sequence[OptionField], options: Mapping[str, Any]) -> dict[str, Any]:
    """Every option with its value or default. Raises BackendMisconfigured, which names the offending one."""
    known = [option.name for option in option_fields]
    unknown = sorted(str(name) for name in options if name not in known)
    if unknown:
        raise BackendMisconfigured(f"Unknown options: {', '.join(unknown)}. Known are: {', '.join(known)}.")
    return {option.name: _read(option, options.get(option.name)) for option in option_fields}


def _read(option: OptionField, value: object) -> str | float | int | None:
    if value is None or value == "":
        if option.required:
            raise BackendMisconfigured(f"The option {option.name} is missing: {option.help}")
        return option.default
    if option.type == "text":
        if not isinstance(value, str):
            raise BackendMisconfigured(f"The option {option.name} must be a text.")
        if option.choices and value not in option.choices:
            choices = ", ".join(option.choices)
            raise BackendMisconfigured(f"The option {option.name} must be one of {choices}.")
        return value
    kind = int if option.type == "whole" else float
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BackendMisconfigured(f"The option {option.name} must be a number.")
    try:
        number = kind(value)
    except ValueError:
        raise BackendMisconfigured(f"The option {option.name} must be a number.") from None
    if not 0 <= number < float("inf"):
        raise BackendMisconfigured(f"The option {option.name} must be a number that is not negative.")
    return number

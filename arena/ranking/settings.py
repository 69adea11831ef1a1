"""Checks of the settings that most models share."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from arena.ranking.errors import InvalidSetting

_LARGEST = 1e15

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def check_shared(model: DataclassInstance, *, both_bad: tuple[str, ...] = ("tie", "drop")) -> None:
    """Check `prior`, `anchor_mean`, `both_bad` (one of those given) and `provisional_below`, as far as the
    model has them.

    Raises InvalidSetting.
    """
    found: dict[str, Any] = {field.name: getattr(model, field.name) for field in fields(model)}
    for name in ("prior", "anchor_mean", "provisional_below"):
        value = found.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > _LARGEST:
            raise InvalidSetting(f"{name} must be a number, not {value!r}")
    if "both_bad" in found and found["both_bad"] not in both_bad:
        known = " or ".join(repr(name) for name in both_bad)
        raise InvalidSetting(f"both_bad must be {known}, not {found['both_bad']!r}")
    for name, check in (("prior", _is_weight), ("anchor_mean", math.isfinite)):
        if name in found and not check(found[name]):
            wanted = "finite" if name == "anchor_mean" else "finite and not negative"
            raise InvalidSetting(f"{name} must be {wanted}, not {found[name]}")
    if "provisional_below" in found and not found["provisional_below"] >= 0:
        raise InvalidSetting(f"provisional_below must not be negative, not {found['provisional_below']}")


def _is_weight(value: float) -> bool:
    return math.isfinite(value) and value >= 0

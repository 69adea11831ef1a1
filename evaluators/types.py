"""What goes into an evaluator and what comes out: plain frozen values. The web process imports this."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


class EvaluatorError(Exception):
    """An evaluator cannot be made or cannot answer. The text is for an admin."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One response to one prompt, without the name of the system that made it."""

    prompt: str
    response: str


@dataclass(frozen=True, kw_only=True)
class Score:
    """`value`: finite, higher is better, in the scorer's own unit. `detail`: JSON, where it came from."""

    value: float
    detail: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise EvaluatorError(f"A score must be a finite number, not {self.value}.")


class Scorer(Protocol):
    """Gives each response a number by itself. The same sample always gets the same score."""

    @property
    def name(self) -> str:
        """The name in the registry."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever a score may change. Scores of two versions are never mixed."""
        ...

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One score per sample, in the same order. Raises EvaluatorError."""
        ...

"""A deterministic stand-in for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from evaluators.types import EvaluatorError, Sample, Score

_PREFERENCES = ("hash", "longer", "equal")


class FakeScorer:
    """prefer: "hash" gives each response an arbitrary value in [0, 1), "longer" its length in characters,
    "equal" gives every response 0.5.
    """

    name = "fake"

    def __init__(self, *, prefer: str = "hash") -> None:
        if prefer not in _PREFERENCES:
            raise EvaluatorError(f"prefer must be one of {', '.join(_PREFERENCES)}.")
        self._prefer = prefer
        self.version = f"1-{prefer}"

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        return [Score(value=self._value(sample), detail={"prefer": self._prefer}) for sample in samples]

    def _value(self, sample: Sample) -> float:
        if self._prefer == "longer":
            return float(len(sample.response))
        if self._prefer == "equal":
            return 0.5
        digest = hashlib.sha256(f"{sample.prompt}\0{sample.response}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48

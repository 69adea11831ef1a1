"""Sort by asking a judge about pairs: a stepper that says which pair to judge next. It calls no judge."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import NamedTuple

from arena.ranking.errors import DuplicateItem, InvalidSetting, RankingError


class Question(NamedTuple):
    """Is `first` better than `second`? The answer is a probability."""

    first: str
    second: str


class _Merge(NamedTuple):
    """A partly merged list, how many it took from the left, and the log chance of the answers it followed."""

    merged: tuple[str, ...]
    taken: int
    log_chance: float


class PairSort:
    """Merge sort whose comparisons are a judge's probabilities (PairS, "Aligning with Human Judgement: The
    Role of Pairwise Preference in Large Language Model Evaluators").

    items       in any order, unique; the result of a tie follows it
    beam        merges kept alive: 1 = plain merge sort; more = where the judge is unsure both ways are
                followed, and of the complete merges the one that all answers together make likeliest wins
    gap         an answer p with |p - 1/2| below this is unsure (the authors' default 0.1)

    Use: while `question` is not None: `tell(P(first better))`. No pair is asked twice: `answers` is the cache
    and `inferences` its size, the cost in judge calls: with a beam of 1 at most n ceil(log2 n), with any beam
    at most all pairs.
    """

    def __init__(self, items: Sequence[str], *, beam: int = 1, gap: float = 0.1) -> None:
        if len(set(items)) != len(items):
            raise DuplicateItem("an item stands twice in the list to sort")
        if beam < 1:
            raise InvalidSetting(f"beam must be at least 1, not {beam}")
        if not 0.0 <= gap <= 0.5:
            raise InvalidSetting(f"gap must lie between 0 and 0.5, not {gap}")
        self.items, self.beam, self.gap = tuple(items), beam, gap
        self.answers: dict[Question, float] = {}
        self.question: Question | None = None
        self._ranking: tuple[str, ...] | None = None
        self._steps = self._sort()
        self._advance(None)

    @property
    def inferences(self) -> int:
        """Questions answered so far."""
        return len(self.answers)

    @property
    def ranking(self) -> tuple[str, ...]:
        """Best first. Raises SortUnfinished while a question is open."""
        if self._ranking is None:
            raise SortUnfinished(f"still to be judged: {self.question}")
        return self._ranking

    def tell(self, probability: float) -> None:
        """Answer `question`: the probability, 0…1, that `first` is better.

        Raises InvalidSetting for another number, SortUnfinished if nothing was asked.
        """
        if self.question is None:
            raise SortUnfinished("nothing was asked: the sort is done")
        if not (math.isfinite(probability) and 0.0 <= probability <= 1.0):
            raise InvalidSetting(f"a probability lies between 0 and 1, not {probability}")
        self.answers[self.question] = probability
        self._advance(probability)

    def _advance(self, answer: float | None) -> None:
        try:
            self.question = next(self._steps) if answer is None else self._steps.send(answer)
        except StopIteration as end:
            self.question, self._ranking = None, end.value

    def _sort(self) -> Generator[Question, float, tuple[str, ...]]:
        runs: list[tuple[str, ...]] = [(item,) for item in self.items]
        while len(runs) > 1:
            merged = []
            for left, right in zip(runs[0::2], runs[1::2], strict=False):
                merged.append((yield from self._merge(left, right)))
            runs = merged + runs[len(merged) * 2 :]
        return runs[0] if runs else ()

    def _merge(
        self, left: tuple[str, ...], right: tuple[str, ...]
    ) -> Generator[Question, float, tuple[str, ...]]:
        paths = [_Merge((), 0, 0.0)]
        for length in range(len(left) + len(right)):
            grown: list[_Merge] = []
            for path in paths:
                i, j = path.taken, length - path.taken
                if i == len(left) or j == len(right):
                    p = 1.0 if j == len(right) else 0.0
                else:
                    p = yield from self._ask(left[i], right[j])
                unsure = self.beam > 1 and abs(p - 0.5) < self.gap
                if unsure or p >= 0.5:
                    grown.append(_Merge((*path.merged, left[i]), i + 1, path.log_chance + math.log(p)))
                if unsure or p < 0.5:
                    grown.append(_Merge((*path.merged, right[j]), i, path.log_chance + math.log1p(-p)))
            paths = sorted(grown, key=lambda path: -path.log_chance)[: self.beam]
        # A path that empties one list early followed fewer answers: only all answers make paths comparable.
        return max(paths, key=lambda path: self._agreement(path.merged)).merged

    def _agreement(self, order: tuple[str, ...]) -> float:
        place = {item: position for position, item in enumerate(order)}
        return sum(
            _log(p if place[pair.first] < place[pair.second] else 1.0 - p)
            for pair, p in self.answers.items()
            if pair.first in place and pair.second in place
        )

    def _ask(self, a: str, b: str) -> Generator[Question, float, float]:
        known = self.answers.get(Question(a, b))
        if known is not None:
            return known
        known = self.answers.get(Question(b, a))
        if known is not None:
            return 1.0 - known
        return (yield Question(a, b))


def _log(p: float) -> float:
    return math.log(p) if p > 0.0 else -math.inf


class SortUnfinished(RankingError):
    """A sort was asked for its result too early, or told something that it did not ask."""

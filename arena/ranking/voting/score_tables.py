"""A table of scores, tasks by items, read as ballots or by its numbers. It never invents a score unasked."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from arena.ranking.arrays import Bools, Floats, Ints
from arena.ranking.ballots import NOT_COMPARED, Ballots
from arena.ranking.errors import (
    EmptyBallot,
    InvalidItem,
    InvalidScore,
    InvalidSetting,
    InvalidWeight,
    LengthMismatch,
    MissingScore,
)
from arena.ranking.intervals import Interval
from arena.ranking.result import Ranking
from arena.ranking.scored import Shown, rank_by_weights
from arena.ranking.settings import check_shared

Missing = Literal["median", "skip", "refuse"]
Average = Literal["mean", "geometric_mean", "optimality_gap"]
UNITS: dict[Average, str] = {
    "mean": "mean score",
    "geometric_mean": "geometric mean of scores",
    "optimality_gap": "minus the mean shortfall from the target score",
}


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Scores of n items on T tasks (or by T voters, judges, criteria), higher is better.

    items       names, unique
    scores      float64[T, n], finite; NaN = no score
    weight      float64[T], of the tasks, finite and >= 0
    voter, prompt   int64[T] codes or None, -1 = unknown; clusters for a bootstrap

    Raises InvalidItem, InvalidScore, InvalidWeight, LengthMismatch, EmptyBallot (a table without items).
    """

    items: tuple[str, ...]
    scores: Floats
    weight: Floats
    voter: Ints | None = None
    prompt: Ints | None = None

    def __post_init__(self) -> None:
        for name in ("scores", "weight"):
            view = np.asarray(getattr(self, name), dtype=np.float64).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        if len(set(self.items)) != len(self.items):
            raise InvalidItem("an item is listed twice")
        if not self.items:
            raise EmptyBallot("a table of scores needs an item")
        if self.scores.ndim != 2 or self.scores.shape[1] != len(self.items):
            raise LengthMismatch(f"scores have shape {self.scores.shape} for {len(self.items)} items")
        if np.isinf(self.scores).any():
            raise InvalidScore("scores must be finite, or NaN where there is none")
        tasks = (self.scores.shape[0],)
        for name in ("weight", "voter", "prompt"):
            column = getattr(self, name)
            if column is not None and column.shape != tasks:
                raise LengthMismatch(f"{name} has shape {column.shape} for {tasks[0]} tasks")
        if not np.isfinite(self.weight).all() or (self.weight < 0).any():
            raise InvalidWeight("weights must be finite and not negative")

    @classmethod
    def of(
        cls,
        items: Sequence[str],
        scores: ArrayLike,
        *,
        weight: ArrayLike | None = None,
        voter: ArrayLike | None = None,
        prompt: ArrayLike | None = None,
    ) -> ScoreTable:
        """From T rows of n scores; weights default to 1. Raises the errors of `ScoreTable`."""
        table = np.asarray(scores, dtype=np.float64)
        return cls(
            items=tuple(items),
            scores=table,
            weight=np.ones(table.shape[0]) if weight is None else np.asarray(weight, dtype=np.float64),
            voter=None if voter is None else np.asarray(voter, dtype=np.int64),
            prompt=None if prompt is None else np.asarray(prompt, dtype=np.int64),
        )

    @classmethod
    def from_records(
        cls, records: Iterable[tuple[Hashable, str, float]], *, items: Sequence[str] = ()
    ) -> ScoreTable:
        """From `(task, item, score)` records, each task and item once at most; tasks in the order they come,
        items as listed, then sorted.

        Raises InvalidScore for a second score of the same item on the same task.
        """
        found = list(records)
        names = tuple(items) + tuple(sorted({item for _, item, _ in found} - set(items)))
        column = {name: position for position, name in enumerate(names)}
        row: dict[Hashable, int] = {}
        for task, _, _ in found:
            row.setdefault(task, len(row))
        scores = np.full((len(row), len(names)), np.nan)
        for task, item, score in found:
            if not math.isnan(scores[row[task], column[item]]):
                raise InvalidScore(f"{item} has two scores on {task!r}")
            scores[row[task], column[item]] = score
        return cls.of(names, scores)

    @property
    def is_complete(self) -> bool:
        """True if every item has a score on every task."""
        return not np.isnan(self.scores).any()

    @property
    def is_compared(self) -> Bools:
        """bool[T], the task scores two items at least and has a weight; other tasks compare nothing."""
        compared: Bools = (np.isfinite(self.scores).sum(axis=1) > 1) & (self.weight > 0.0)
        return compared

    def ballots(self, *, tolerance: float = 0.0) -> Ballots:
        """One ballot of n slots for each task, in order: the best score first, items without one not
        compared.

        tolerance   in units of the score; a level opens at the best score not yet placed and takes in all
                    scores that fall short of it by no more, so that no level is wider

        Raises InvalidSetting for a negative tolerance.
        """
        if not (math.isfinite(tolerance) and tolerance >= 0.0):
            raise InvalidSetting(f"tolerance must be finite and not negative, not {tolerance}")
        tasks, n = self.scores.shape
        order = np.argsort(-self.scores, axis=1, kind="stable")  # NaN comes last
        falling = np.take_along_axis(self.scores, order, axis=1)
        rank = np.full((tasks, n), NOT_COMPARED, dtype=np.int64)
        level, best = np.zeros(tasks, dtype=np.int64), np.full(tasks, np.inf)
        for place in range(n):
            opens = best - falling[:, place] > tolerance
            level, best = level + opens, np.where(opens, falling[:, place], best)
            scored = np.isfinite(falling[:, place])
            rank[scored, order[scored, place]] = level[scored]
        return Ballots.from_columns(
            items=self.items,
            offsets=np.arange(tasks + 1) * n,
            slot_item=np.tile(np.arange(n), tasks),
            slot_rank=rank.reshape(-1),
            weight=self.weight,
            voter=self.voter,
            prompt=self.prompt,
        )


def mean_score(table: ScoreTable, *, missing: Missing = "median") -> Floats:
    """float64[n], weighted mean over the tasks that compare anything; NaN for an item without a score there.

    missing     what a missing score counts as: "median", the median of the task's scores, as in Vote'n'Rank
                (arXiv:2210.05769); "skip", nothing: the mean is over the item's own tasks, which may be
                easier ones; "refuse" raises MissingScore
    """
    return _averaged(*_filled(table, missing), np.asarray(table.weight))


def geometric_mean_score(table: ScoreTable, *, missing: Missing = "median") -> Floats:
    """float64[n], weighted geometric mean, 0 if a score is; `missing` and NaN as in `mean_score`.

    Raises InvalidScore for a negative score.
    """
    filled, known = _filled(table, missing)
    return _geometric(filled, known, np.asarray(table.weight))


def optimality_gap(table: ScoreTable, *, gamma: float, missing: Missing = "median") -> Floats:
    """float64[n], minus the weighted mean of max(gamma - score, 0): 0 is best (Agarwal et al. 2021,
    arXiv:2108.13264, with the sign of Vote'n'Rank).

    gamma       the score that is good enough; what lies above earns nothing

    `missing` and NaN as in `mean_score`; Vote'n'Rank counts a missing score as no shortfall at all.
    """
    filled, known = _filled(table, missing)
    return _averaged(np.minimum(filled - gamma, 0.0), known, np.asarray(table.weight))


@dataclass(frozen=True)
class TableAverage:
    """A board from the numbers of a table of scores.

    average     "mean", "geometric_mean", "optimality_gap": see the functions of like names
    gamma       of "optimality_gap"
    missing     see `mean_score`
    provisional_below   items with fewer tasks are marked provisional

    Scores must be on one scale over all tasks, or the task of the widest scale decides alone: then use a rule
    of `SocialChoice` on `ScoreTable.ballots`. Tasks that score fewer than two items are left out.
    """

    average: Average = "mean"
    gamma: float = 1.0
    missing: Missing = "median"
    provisional_below: int = 0

    def __post_init__(self) -> None:
        if self.average not in UNITS:
            raise InvalidSetting(f"average must be one of {', '.join(UNITS)}, not {self.average!r}")
        if self.missing not in ("median", "skip", "refuse"):
            raise InvalidSetting(f"missing must be 'median', 'skip' or 'refuse', not {self.missing!r}")
        if not math.isfinite(self.gamma):
            raise InvalidSetting(f"gamma must be finite, not {self.gamma}")
        check_shared(self)

    def fit(
        self, table: ScoreTable, interval: Interval | None = None, rng: np.random.Generator | None = None
    ) -> Ranking:
        """Average. The interval is a `Bootstrap` that draws tasks (its "ballots") or their voters or prompts;
        wins, ties and losses are those of the table's ballots.

        Diagnostics: `missing_scores`, how many on the tasks used.
        Raises InvalidScore, MissingScore, InvalidSetting for a Sandwich, MissingRandomness, TooFewClusters,
        MissingClusters.
        """
        values, known = _filled(table, self.missing)
        if self.average == "optimality_gap":
            values = np.minimum(values - self.gamma, 0.0)
        averaged = _geometric if self.average == "geometric_mean" else _averaged
        return rank_by_weights(
            table.ballots(),
            lambda weight: averaged(values, known, weight),
            Shown(
                settings={"model": "table-average", **asdict(self)},
                unit=UNITS[self.average],
                provisional_below=self.provisional_below,
                bounds=self._bounds(),
                diagnostics={"missing_scores": int(np.isnan(table.scores[table.is_compared]).sum())},
            ),
            interval=interval,
            rng=rng,
        )

    def _bounds(self) -> tuple[float, float]:
        if self.average == "mean":
            return -np.inf, np.inf
        return (0.0, np.inf) if self.average == "geometric_mean" else (-np.inf, 0.0)


def _filled(table: ScoreTable, missing: Missing) -> tuple[Floats, Bools]:
    """Scores with what stands for missing ones, and which of them count; both [T, n]."""
    scores, used = np.asarray(table.scores), table.is_compared
    known = np.isfinite(scores) & used[:, None]
    if missing == "refuse" and not known[used].all():
        task, item = (int(position[0]) for position in np.nonzero(np.isnan(scores) & used[:, None]))
        raise MissingScore(f"{table.items[item]} has no score on task {task}")
    values = np.where(known, scores, 0.0)
    if missing == "median":
        middle = np.zeros(used.size)
        middle[used] = np.nanmedian(scores[used], axis=1) if used.any() else 0.0
        values = np.where(known, scores, middle[:, None])
        # An item without any score gets none: a row of medians would rate it by the others.
        known = np.outer(used, known.any(axis=0))
    return values, known


def _averaged(values: Floats, known: Bools, weight: Floats) -> Floats:
    total = weight @ known
    summed = weight @ np.where(known, values, 0.0)
    return np.where(total > 0.0, summed / np.where(total > 0.0, total, 1.0), np.nan)


def _geometric(values: Floats, known: Bools, weight: Floats) -> Floats:
    if (values[known] < 0.0).any():
        raise InvalidScore("a geometric mean needs scores of 0 or more")
    zero = weight @ (known & (values == 0.0)) > 0.0
    log = np.log(np.where(known & (values > 0.0), values, 1.0))
    return np.where(zero, 0.0, 1.0) * np.exp(_averaged(log, known, weight))

"""What a fit returns: frozen ratings, best first, with the settings and diagnostics that produced them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from arena.ranking.arrays import Floats, Ints
from arena.ranking.errors import NotComparable
from arena.ranking.freedom import Margin

SCALE = 400.0 / math.log(10.0)
"""Elo points per natural-log unit of strength."""


@dataclass(frozen=True)
class Rating:
    """One system's row. Scores and bounds are in Elo points (counting: shares or places, the setting "unit"
    says so); they compare only inside one `component`.

    score               None without a usable ballot
    low, high           bounds; -inf or inf where the votes set no bound; None if no interval was asked for
    rank_low, rank_high first and last rank the bounds leave open inside the component, 1 = best
    n                   usable ballots on which the system was compared
    wins, ties, losses  compared pairs, whatever their weight
    component           0 = the largest; None without a usable ballot
    separated           no finite maximum-likelihood score exists; the one given rests on phantoms or on a
                        prior
    provisional         too few ballots for the setting of the model
    """

    item: str
    score: float | None
    low: float | None
    high: float | None
    rank_low: int | None
    rank_high: int | None
    n: int
    wins: int
    ties: int
    losses: int
    component: int | None
    separated: bool
    provisional: bool


class Difference(NamedTuple):
    """Score of one system minus another's, in Elo points, with its own interval (covariance included)."""

    elo: float
    low: float
    high: float

    @property
    def is_separated(self) -> bool:
        """True if the interval leaves out 0: the votes say which system is better."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, eq=False)
class Covariance:
    """Joint uncertainty of the scores.

    items       names in the order of the matrix
    matrix      float64[n, n], Elo points squared, scores centred per component; 0 between components
    freedom     float64[n], degrees of freedom of each variance, inf where the normal law holds
    strong      int64[n], strong component, unique over the board
    quantile    normal quantile of the interval's level; bounds take the Student quantile as rare as it
                (`arena.ranking.freedom`)
    """

    items: tuple[str, ...]
    matrix: Floats
    freedom: Floats
    strong: Ints
    quantile: float

    @cached_property
    def position(self) -> dict[str, int]:
        return {item: index for index, item in enumerate(self.items)}


@dataclass(frozen=True)
class Ranking:
    """A fitted board: the largest component first, inside a component best first, unrated systems last.

    `settings` and `diagnostics` hold only values that JSON can.
    """

    ratings: tuple[Rating, ...]
    diagnostics: Mapping[str, Any]
    settings: Mapping[str, Any]
    covariance: Covariance | None = field(default=None, repr=False, compare=False)

    def __getitem__(self, item: str) -> Rating:
        """The rating of a system. Raises KeyError if the board does not list it."""
        return self._by_item[item]

    @cached_property
    def _by_item(self) -> dict[str, Rating]:
        return {rating.item: rating for rating in self.ratings}

    def difference(self, a: str, b: str) -> Difference:
        """Score of `a` minus score of `b` at the level of the interval, with the smaller of the two systems'
        degrees of freedom.

        Raises NotComparable if there is no interval, or if the two share no scale. KeyError for an unknown
        system.
        """
        left, right = self[a], self[b]
        if self.covariance is None:
            raise NotComparable("the ranking was fitted without an interval")
        if left.score is None or right.score is None or left.component != right.component:
            raise NotComparable(f"{a} and {b} were never compared, not even through others")
        i, j = self.covariance.position[a], self.covariance.position[b]
        matrix = self.covariance.matrix
        elo = left.score - right.score
        variance = max(float(matrix[i, i] + matrix[j, j] - 2.0 * matrix[i, j]), 0.0)
        freedom = float(min(self.covariance.freedom[i], self.covariance.freedom[j]))
        width = Margin(variance, freedom).width(self.covariance.quantile)
        if a == b:
            return Difference(0.0, 0.0, 0.0)
        # Inside one strong component a shared infinite bound cancels; otherwise it is the difference's own.
        same = self.covariance.strong[i] == self.covariance.strong[j]
        unknown = _is_unbounded(left) or _is_unbounded(right)
        no_top = unknown or (not same and (left.high == math.inf or right.low == -math.inf))
        no_bottom = unknown or (not same and (left.low == -math.inf or right.high == math.inf))
        return Difference(elo, -math.inf if no_bottom else elo - width, math.inf if no_top else elo + width)

    def as_dict(self) -> dict[str, Any]:
        """Ratings, diagnostics and settings as JSON values; an infinite bound becomes None."""
        return {
            "ratings": [
                {key: _finite(value) for key, value in asdict(rating).items()} for rating in self.ratings
            ],
            "diagnostics": dict(self.diagnostics),
            "settings": dict(self.settings),
        }


def expected_win_rate(score_a: float, score_b: float) -> float:
    """Chance that a beats b, ties counting half: 1 / (1 + 10 ** ((score_b - score_a) / 400)). Scores in Elo
    points.
    """
    return 0.5 + 0.5 * math.tanh(0.5 * (score_a - score_b) / SCALE)


def _is_unbounded(rating: Rating) -> bool:
    return rating.low == -math.inf and rating.high == math.inf


def _finite(value: object) -> object:
    return None if isinstance(value, float) and math.isinf(value) else value

"""What a board says of several systems at once: ranks, groups and chances that hold together, from the
covariance of its scores. It fits nothing.

A 95 % interval for each of 20 systems leaves all 20 right in about a third of boards only; a claim about who
is first, or about groups, needs the simultaneous ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.special import ndtr

from arena.ranking.arrays import Bools, Floats, Ints
from arena.ranking.errors import InvalidSetting, NotComparable
from arena.ranking.freedom import student, student_chance
from arena.ranking.intervals import normal_quantile
from arena.ranking.result import Ranking


class RankDraws(NamedTuple):
    """Ranks over draws of all scores from their joint normal law, inside each component; 1 is best.

    items       n rated systems, in the board's order
    low, high   int64[n], the quantiles of a system's rank at the level
    mean        float64[n]
    first       float64[n], share of the draws in which the system is first
    """

    items: tuple[str, ...]
    low: Ints
    high: Ints
    mean: Floats
    first: Floats


class Simultaneous(NamedTuple):
    """Statements that hold all at once with the board's level.

    items           n rated systems, in the board's order
    low, high       float64[n], bounds of all scores together (max-t)
    quantile        how many standard errors these bounds lie away, of the largest component, were all
                    variances known; Student's quantile as rare is what they use
    pair_quantile   the same for all differences of two systems
    is_better       bool[n, n], the row is better than the column: no difference is claimed wrongly
    rank_low, rank_high     int64[n], 1 + systems that are better, n - systems that are worse: a simultaneous
                            confidence set for all ranks (Mogstad, Romano, Shaikh & Wilhelm 2024, Review of
                            Economic Studies 91:476-518)
    groups          longest runs of the board's order in which no system is better than another: "not
                    separated"; a system can stand in several
    """

    items: tuple[str, ...]
    low: Floats
    high: Floats
    quantile: float
    pair_quantile: float
    is_better: Bools
    rank_low: Ints
    rank_high: Ints
    groups: tuple[tuple[str, ...], ...]


def rank_draws(ranking: Ranking, rng: np.random.Generator, *, draws: int = 1000) -> RankDraws:
    """Rank every system in `draws` draws. Open bounds leave the ranks beyond them open. A system's draws are
    as wide as its own interval is: by Student's quantile at the board's level over the normal one.

    Raises NotComparable (no interval), InvalidSetting (draws).
    """
    level = _level(ranking, draws)
    quantile = normal_quantile(level)
    rated = [row for row in ranking.ratings if row.score is not None]
    n = len(rated)
    low, high = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    mean, first = np.zeros(n), np.zeros(n)
    for part in _parts(ranking):
        wide = student(quantile, part.freedom) / quantile
        order = np.argsort(-(part.score + part.noise(rng, draws) * wide), axis=1)
        rank = np.empty(order.shape, dtype=np.int16)
        np.put_along_axis(rank, order, np.arange(1, part.size + 1, dtype=np.int16)[None], axis=1)
        ends = np.quantile(rank, [(1 - level) / 2, (1 + level) / 2], axis=0, method="inverted_cdf")
        low[part.place] = np.where(part.no_top, 1, ends[0])
        high[part.place] = np.where(part.no_bottom, part.size, ends[1])
        mean[part.place], first[part.place] = rank.mean(axis=0), (rank == 1).mean(axis=0)
    return RankDraws(tuple(row.item for row in rated), low, high, mean, first)


def simultaneous(ranking: Ranking, rng: np.random.Generator, *, draws: int = 2000) -> Simultaneous:
    """Widen the bounds until they all hold together: the quantile of the largest |error| / standard error
    over `draws` draws from the scores' joint normal law (Hothorn, Bretz & Westfall 2008, Biometrical Journal
    50:346-363), then for each system, or pair, the Student quantile as rare as that one.

    Raises NotComparable (no interval), InvalidSetting (draws).
    """
    level = _level(ranking, draws)
    rated = [row for row in ranking.ratings if row.score is not None]
    items = tuple(row.item for row in rated)
    n = len(rated)
    low, high = np.full(n, -np.inf), np.full(n, np.inf)
    better = np.zeros((n, n), dtype=np.bool_)
    rank_low, rank_high = np.ones(n, dtype=np.int64), np.ones(n, dtype=np.int64)
    quantiles, pair_quantiles = [], []
    for part in _parts(ranking):
        noise = part.noise(rng, draws)
        known = np.flatnonzero(~(part.no_top & part.no_bottom) & (part.error > 0))
        ratio = np.abs(noise[:, known]) / part.error[known]
        normal = ranking.covariance.quantile if ranking.covariance else math.nan
        single = float(np.quantile(ratio.max(axis=1), level)) if known.size else normal
        paired = _pair_quantile(part, noise, known, level)
        quantiles.append(single)
        pair_quantiles.append(paired)
        width = student(single, part.freedom) * part.error
        low[part.place] = np.where(part.no_bottom, -np.inf, part.score - width)
        high[part.place] = np.where(part.no_top, np.inf, part.score + width)
        ahead = part.better(paired)
        better[np.ix_(part.place, part.place)] = ahead
        rank_low[part.place] = 1 + ahead.sum(axis=0)
        rank_high[part.place] = part.size - ahead.sum(axis=1)
    return Simultaneous(
        items,
        low,
        high,
        quantiles[0] if quantiles else math.nan,
        pair_quantiles[0] if pair_quantiles else math.nan,
        better,
        rank_low,
        rank_high,
        _groups(ranking, items, better),
    )


def chance_better(ranking: Ranking) -> Floats:
    """float64[n, n] over the rated systems in the board's order: chance, given the votes, that the row's
    strength is above the column's: Student's distribution at difference / its standard error, with the
    smaller of the two degrees of freedom. NaN where two systems share no scale or one has no bounds.

    Raises NotComparable (no interval).
    """
    _level(ranking, 1)
    n = sum(row.score is not None for row in ranking.ratings)
    chance = np.full((n, n), np.nan)
    for part in _parts(ranking):
        error = part.pair_error()
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = (part.score[:, None] - part.score) / error
        ratio[(error == 0) & (part.score[:, None] == part.score)] = 0.0
        known = ~(part.no_top & part.no_bottom)
        freedom = np.minimum(part.freedom[:, None], part.freedom)
        block = np.where(known[:, None] & known, student_chance(ratio, freedom), np.nan)
        np.fill_diagonal(block, 0.5)
        chance[np.ix_(part.place, part.place)] = block
    return chance


class _Part(NamedTuple):
    """One component: where its systems stand in the board's order, their scores and errors, open bounds."""

    place: Ints
    score: Floats
    covariance: Floats
    error: Floats
    no_top: Bools
    no_bottom: Bools
    strong: Ints
    freedom: Floats

    @property
    def size(self) -> int:
        return self.place.size

    def noise(self, rng: np.random.Generator, draws: int) -> Floats:
        """float64[draws, n] with the covariance. That of strengths is singular along the shift: its factor is
        taken of one that is not, and the shift taken out again.
        """
        n = self.size
        matrix = np.where(np.isfinite(self.covariance), self.covariance, 0.0)
        spread = float(np.trace(matrix)) / n
        if spread == 0.0:
            return np.zeros((draws, n))
        is_centred = float(np.abs(matrix.sum(axis=1)).max()) <= 1e-6 * spread
        shifted = matrix + spread / n if is_centred else matrix.copy()
        shifted[np.diag_indices(n)] += 1e-12 * spread
        try:
            factor = linalg.cholesky(shifted, lower=True, check_finite=False)
        except linalg.LinAlgError:
            value, vector = linalg.eigh(matrix)
            factor = vector * np.sqrt(np.maximum(value, 0.0))
        found: Floats = rng.standard_normal((draws, n)) @ factor.T
        if is_centred:
            found -= found.mean(axis=1, keepdims=True)
        return found

    def pair_error(self) -> Floats:
        """float64[n, n], standard errors of differences."""
        variance = np.diag(self.covariance)
        both = variance[:, None] + variance - 2.0 * self.covariance
        error: Floats = np.sqrt(np.maximum(np.where(np.isnan(both), np.inf, both), 0.0))
        return error

    def better(self, quantile: float) -> Bools:
        """bool[n, n], the row leads the column by more standard errors than Student's quantile as rare as the
        normal `quantile`, with the smaller of the two degrees of freedom.
        """
        if math.isnan(quantile):
            return np.zeros((self.size, self.size), dtype=np.bool_)
        lead = self.score[:, None] - self.score
        unknown = self.no_top & self.no_bottom
        apart = self.strong[:, None] != self.strong
        is_open = unknown[:, None] | unknown | (apart & (self.no_bottom[:, None] | self.no_top))
        far = student(quantile, self.freedom)
        found: Bools = (lead > np.maximum(far[:, None], far) * self.pair_error()) & ~is_open
        return found


def _level(ranking: Ranking, draws: int) -> float:
    if draws < 1:
        raise InvalidSetting(f"draws must be 1 or more, not {draws}")
    if ranking.covariance is None:
        raise NotComparable("the ranking was fitted without an interval")
    return float(2.0 * ndtr(ranking.covariance.quantile) - 1.0)


def _parts(ranking: Ranking) -> Iterator[_Part]:
    assert ranking.covariance is not None  # noqa: S101 - the callers looked
    joint = ranking.covariance
    rated = [row for row in ranking.ratings if row.score is not None]
    component = np.array([row.component for row in rated])
    for label in dict.fromkeys(component.tolist()):
        place = np.flatnonzero(component == label)
        rows = [rated[k] for k in place.tolist()]
        at = np.array([joint.position[row.item] for row in rows])
        matrix = joint.matrix[np.ix_(at, at)]
        sign = -1.0 if ranking.settings.get("least_is_best") else 1.0
        low = np.array([row.low for row in rows], dtype=np.float64)
        high = np.array([row.high for row in rows], dtype=np.float64)
        if sign < 0:
            low, high = -high, -low
        yield _Part(
            place,
            sign * np.array([row.score for row in rows], dtype=np.float64),
            matrix,
            np.sqrt(np.maximum(np.diag(matrix), 0.0)),
            high == np.inf,
            low == -np.inf,
            joint.strong[at],
            joint.freedom[at],
        )


def _pair_quantile(part: _Part, noise: Floats, known: Ints, level: float) -> float:
    error = part.pair_error()[np.ix_(known, known)]
    usable = (error > 0) & np.isfinite(error)
    if not np.triu(usable, 1).any():
        return math.nan
    inverse = np.where(usable, 1.0 / np.where(usable, error, 1.0), 0.0)
    rows = np.ascontiguousarray(noise[:, known].T)
    largest = np.zeros(noise.shape[0])
    for k in range(known.size - 1):
        ratio = rows[k + 1 :] - rows[k]
        np.abs(ratio, out=ratio)
        ratio *= inverse[k, k + 1 :, None]
        np.maximum(largest, ratio.max(axis=0), out=largest)
    return float(np.quantile(largest, level))


def _groups(ranking: Ranking, items: tuple[str, ...], better: Bools) -> tuple[tuple[str, ...], ...]:
    rated = [row for row in ranking.ratings if row.score is not None]
    component = np.array([row.component for row in rated])
    apart = better | better.T | (component[:, None] != component)
    ends: list[int] = []
    for start in range(len(items)):
        end = ends[-1] if ends else 0
        while end < len(items) and not apart[start : end + 1, end].any():
            end += 1
        ends.append(end)
    runs = [(start, end) for start, end in enumerate(ends) if start == 0 or end > ends[start - 1]]
    return tuple(items[start:end] for start, end in runs)

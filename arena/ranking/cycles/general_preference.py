"""Bradley-Terry with a cyclic term: a score for every item, and beside it what goes in circles. The cyclic
term never enters the score.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import optimize
from scipy.sparse import linalg as sparse_linalg
from scipy.special import expit, log_expit

from arena.ranking.arrays import Bools, Floats, Ints, sum_by
from arena.ranking.ballots import Ballots
from arena.ranking.counts import (
    FIRST_WON,
    SECOND_WON,
    BothBad,
    Cluster,
    cell_of,
    cluster_codes,
    compare,
    tally,
)
from arena.ranking.errors import InvalidSetting, MissingRandomness, NotConverged, TooFewClusters
from arena.ranking.graph import components
from arena.ranking.intervals import Interval
from arena.ranking.newton import newton
from arena.ranking.result import SCALE, Ranking
from arena.ranking.scored import Shown, Table, rank_by_tables, tables_of
from arena.ranking.settings import check_shared
from arena.ranking.table_problem import Base, base_of, problem_of

TOLERANCE = 1e-7
"""Largest gradient of a score or a factor, as a share of the item's total weight."""

_POLISHED = 1e-10
_ROUGH = 1e-5
_MAX_STEPS = 500
_POLISH_STEPS = 20
_FIRST_LOGIT = 4.0  # largest log-odds that the start of a new cyclic pair may add
_CERTIFIED = 1.0 + 1e-5


@dataclass(frozen=True, eq=False)
class CyclicFit:
    """One component: logit P(i beats j) = theta_i - theta_j + S_ij, S = A B^T - B A^T.

    items       int64[n], positions on the board
    theta       float64[n], natural-log units, mean 0; the mean of item i's logits against all n, itself among
                them
    a, b        float64[n, k], columns with mean 0, so that S 1 = 0 and no score hides in S; 0 columns beyond
                the rank that the votes called for
    residual_norm   largest singular value of the matrix of residual wins; at most the ridge where no further
                cyclic pair would help: then the fit is the best of every rank
    """

    items: Ints
    theta: Floats
    a: Floats
    b: Floats
    ridge: float
    iterations: int
    gradient_norm: float
    residual_norm: float
    log_likelihood: float
    phantom_pairs: int

    @property
    def cyclic(self) -> Floats:
        """float64[n, n], S: skew-symmetric, log-odds."""
        half = self.a @ self.b.T
        skew: Floats = half - half.T
        return skew

    @property
    def logit(self) -> Floats:
        """float64[n, n], log-odds that the row beats the column."""
        total: Floats = self.theta[:, None] - self.theta[None, :] + self.cyclic
        return total

    @property
    def probability(self) -> Floats:
        """float64[n, n], P(row beats column), ties half; 1/2 on the diagonal."""
        share: Floats = expit(self.logit)
        return share

    @property
    def rank(self) -> int:
        """Cyclic pairs in use, at most as many as asked for."""
        return int(np.count_nonzero(self.a.any(axis=0)))

    @property
    def is_best_of_all_ranks(self) -> bool:
        return self.residual_norm <= self.ridge * _CERTIFIED


def fit_table(table: Table, met: Bools, *, rank: int, ridge: float) -> CyclicFit:
    """Fit a component's table, or a resample of it; `met` bool[n_items, n_items] as in `problem_of`.

    Maximises sum over pairs of won ln P + lost ln (1 - P) less ridge / 2 (|A|^2 + |B|^2). That penalty is
    ridge times the sum of S's singular values, counted once a pair (Srebro, Rennie & Jaakkola 2004), so with
    enough rank the problem is convex in S. Pairs of columns are added one by one, from the largest singular
    pair of the residual wins, while its value exceeds the ridge; all parameters are then fitted together
    (Steihaug's trust region, then Newton steps). With rank 0 nothing but Bradley-Terry's Newton runs.

    Raises NotConverged.
    """
    posed = problem_of(table, met)
    problem, n = posed.problem, table.items.size
    start = newton(problem)
    won, total = np.zeros((n, n)), np.zeros((n, n))
    won[problem.first, problem.second] = problem.won
    won[problem.second, problem.first] = problem.total - problem.won
    total = won + won.T
    goal = _Goal(won, total, ridge)
    theta, a, b = start.theta, np.zeros((n, 0)), np.zeros((n, 0))
    iterations, norm = start.iterations, start.gradient_norm
    size, u, v = _leading(goal.residual(theta, a, b))
    while a.shape[1] < min(rank, (n - 1) // 2) and size > ridge * _CERTIFIED:
        grown = goal.first_length(theta, a, b, u, v, size)
        a, b = np.column_stack([a, math.sqrt(grown) * u]), np.column_stack([b, math.sqrt(grown) * v])
        found = goal.climb(theta, a, b)
        theta, a, b = found.theta, found.a, found.b
        iterations, norm = iterations + found.iterations, found.gradient_norm
        size, u, v = _leading(goal.residual(theta, a, b))
    logit = _logit(theta, a, b)
    bare = won - 0.5 * _matrix(n, problem.first, problem.second, posed.phantom)
    padding = np.zeros((n, max(rank - a.shape[1], 0)))
    return CyclicFit(
        items=table.items,
        theta=theta,
        a=np.hstack([a, padding]),
        b=np.hstack([b, padding]),
        ridge=ridge,
        iterations=iterations,
        gradient_norm=norm,
        residual_norm=size,
        log_likelihood=float((bare * log_expit(logit)).sum()),
        phantom_pairs=int(np.count_nonzero(posed.phantom)),
    )


class Triple(NamedTuple):
    """Three systems that the cyclic term sends in a circle.

    items           (a, b, c), a over b, b over c, c over a
    curl            sum of the cyclic log-odds along them, above 0; the scores cancel in it
    probabilities   fitted P(a beats b), P(b beats c), P(c beats a)
    votes           weight of votes on each of the three pairs; 0: the fit alone says so
    is_cycle        all three probabilities are above a half
    """

    items: tuple[str, str, str]
    curl: float
    probabilities: tuple[float, float, float]
    votes: tuple[float, float, float]
    is_cycle: bool


class HeldOut(NamedTuple):
    """Votes that the fit did not see, for ranks 0, 1, … .

    loss            mean -ln P of a vote; ln 2 is a coin
    standard_error  of each rank's loss less the best one's, over clusters
    chosen          the least rank within one such standard error of the best
    cyclic_share    (loss of rank 0 - loss of `chosen`) / (ln 2 - loss of `chosen`): the cyclic part's share
                    of the deviance that the model explains; None where it explains none
    """

    loss: tuple[float, ...]
    standard_error: tuple[float, ...]
    chosen: int
    cyclic_share: float | None


@dataclass(frozen=True, eq=False)
class Probabilities:
    """float64[n, n] of P(row beats column), ties half, in the order of `items`; 1/2 on the diagonal, NaN
    between systems of different components and for those without a ballot: nothing is known of them.
    """

    items: tuple[str, ...]
    matrix: Floats
    held_out: HeldOut | None

    def of(self, a: str, b: str) -> float:
        """P(a beats b). Raises ValueError for an unknown system."""
        return float(self.matrix[self.items.index(a), self.items.index(b)])


@dataclass(frozen=True)
class GeneralPreference:
    """logit P(i beats j) = theta_i - theta_j + sum over k of (a_ik b_jk - b_ik a_jk), score = 400 / ln 10 *
    theta + anchor: General Preference Modeling (Zhang et al. 2024, arXiv:2410.02197) with free factors per
    system beside a score.

    rank            number of cyclic pairs; 0 is Bradley-Terry. "held-out": the least rank whose loss on votes
                    left out is within one standard error of the best, up to `max_rank`
    ridge           weight of 1/2 (|A|^2 + |B|^2), above 0; in votes: a cyclic pair is fitted only if the
                    largest singular value of the residual wins exceeds it
    max_rank, folds, held_out_by
                    highest rank tried, number of parts the ballots are cut into, and what stays together in
                    one part: "prompt" or "voter" if theirs are many, or their tastes pass for cycles
    triples         how many of the strongest are listed
    anchor_mean, both_bad, provisional_below
                    as in `BradleyTerry`; ties count half, phantoms follow its rule

    A score is the mean log-odds against all systems of the component, so it needs no opponent to be fixed and
    is Bradley-Terry's wherever the cyclic part is 0. Each component is fitted on its own.
    """

    rank: int | Literal["held-out"] = "held-out"
    ridge: float = 1.0
    max_rank: int = 2
    folds: int = 5
    held_out_by: Cluster = "ballot"
    triples: int = 10
    anchor_mean: float = 1000.0
    both_bad: BothBad = "tie"
    provisional_below: int = 50

    def __post_init__(self) -> None:
        if self.rank != "held-out" and (not isinstance(self.rank, int) or self.rank < 0):
            raise InvalidSetting(f"rank must be 'held-out' or an integer of 0 or more, not {self.rank!r}")
        if not (math.isfinite(self.ridge) and self.ridge > 0):
            raise InvalidSetting(f"ridge must be finite and above 0, not {self.ridge}")
        if self.max_rank < 0 or self.folds < 2 or self.triples < 0:
            raise InvalidSetting("max_rank and triples must not be negative, folds must be 2 or more")
        check_shared(self)

    def fit(
        self, ballots: Ballots, interval: Interval | None = None, rng: np.random.Generator | None = None
    ) -> Ranking:
        """Rate every item. `rng` cuts the folds of rank="held-out" and draws the `Bootstrap`, whose resamples
        keep the rank of the fit.

        Diagnostics: `rank` (used), `held_out` (a `HeldOut`; None with a given rank and no `rng`), `triples`
        (strongest first), `cyclic_rank`, `is_best_of_all_ranks`, `cyclic_spread` (root mean square of S, Elo
        points) of the largest component; `log_likelihood`, `iterations`, `gradient_norm`, `phantom_pairs`.

        Raises InvalidSetting for a Sandwich, MissingRandomness, TooFewClusters, MissingClusters,
        NotConverged.
        """
        base = base_of(ballots, both_bad=self.both_bad)
        rank, held_out = self._rank(ballots, base, rng)
        fits = self._fits(base, rank)

        def score(table: Table) -> Floats:
            return SCALE * fit_table(table, base.met, rank=rank, ridge=self.ridge).theta + self.anchor_mean

        shown = Shown(
            settings={"model": "general-preference", **asdict(self), "scale": SCALE, "tolerance": TOLERANCE},
            unit="Elo points",
            provisional_below=self.provisional_below,
            diagnostics=self._facts(ballots.items, base, fits, rank, held_out),
        )
        return rank_by_tables(ballots, score, shown, both_bad=self.both_bad, interval=interval, rng=rng)

    def probabilities(self, ballots: Ballots, rng: np.random.Generator | None = None) -> Probabilities:
        """Fitted chances of every pair; `rng` as in `fit`. Raises what `fit` raises."""
        base = base_of(ballots, both_bad=self.both_bad)
        rank, held_out = self._rank(ballots, base, rng)
        n = len(ballots.items)
        matrix = np.full((n, n), np.nan)
        for fit in self._fits(base, rank):
            matrix[np.ix_(fit.items, fit.items)] = fit.probability
        matrix[np.arange(n), np.arange(n)] = 0.5
        return Probabilities(ballots.items, matrix, held_out)

    def _fits(self, base: Base, rank: int) -> list[CyclicFit]:
        return [fit_table(table, base.met, rank=rank, ridge=self.ridge) for table in base.tables]

    def _rank(
        self, ballots: Ballots, base: Base, rng: np.random.Generator | None
    ) -> tuple[int, HeldOut | None]:
        if self.rank == "held-out" and rng is None:
            raise MissingRandomness("the folds of rank='held-out' need rng=numpy.random.default_rng(seed)")
        if rng is None or not base.tables:
            return (0 if self.rank == "held-out" else int(self.rank)), None
        ranks = self.max_rank if self.rank == "held-out" else int(self.rank)
        loss = _held_out_loss(self, ballots, base, ranks, rng)
        held_out = _judge(loss, None if self.rank == "held-out" else int(self.rank))
        return held_out.chosen, held_out

    def _facts(
        self,
        items: tuple[str, ...],
        base: Base,
        fits: list[CyclicFit],
        rank: int,
        held_out: HeldOut | None,
    ) -> dict[str, Any]:
        triples = [
            triple
            for table, fit in zip(base.tables, fits, strict=True)
            for triple in strongest_triples(items, table, fit, self.triples)
        ]
        triples.sort(key=lambda triple: -triple.curl)
        first = fits[0] if fits else None
        return {
            "rank": rank,
            "held_out": None if held_out is None else held_out._asdict(),
            "triples": [triple._asdict() for triple in triples[: self.triples]],
            "cyclic_rank": 0 if first is None else first.rank,
            "cyclic_spread": 0.0 if first is None else SCALE * float(np.sqrt((first.cyclic**2).mean())),
            "is_best_of_all_ranks": first is None or first.is_best_of_all_ranks,
            "iterations": max((fit.iterations for fit in fits), default=0),
            "gradient_norm": max((fit.gradient_norm for fit in fits), default=0.0),
            "log_likelihood": sum(fit.log_likelihood for fit in fits),
            "phantom_pairs": sum(fit.phantom_pairs for fit in fits),
        }


def strongest_triples(items: tuple[str, ...], table: Table, fit: CyclicFit, wanted: int) -> list[Triple]:
    """The triples of a component with the largest cyclic sums; none where the cyclic part is 0."""
    cyclic, probability, n = fit.cyclic, fit.probability, fit.items.size
    if not (wanted and fit.rank):
        return []
    best: list[tuple[float, int, int, int]] = []
    for i in range(n - 2):
        rest = np.arange(i + 1, n)
        curl = cyclic[i, rest][:, None] + cyclic[np.ix_(rest, rest)] - cyclic[i, rest][None, :]
        row, column = np.triu_indices(rest.size, 1)
        value = curl[row, column]
        top = np.argsort(-np.abs(value), kind="stable")[:wanted]
        best += zip(
            value[top].tolist(),
            [i] * top.size,
            rest[row[top]].tolist(),
            rest[column[top]].tolist(),
            strict=True,
        )
        best = sorted(best, key=lambda found: (-abs(found[0]), *found[1:]))[:wanted]
    rows = []
    for total, *corners in best:
        i, j, k = corners
        a, b, c = (i, j, k) if total > 0 else (i, k, j)
        sides = ((a, b), (b, c), (c, a))
        chance = [float(probability[side]) for side in sides]
        votes = [float(table.total[side]) for side in sides]
        names = [items[int(fit.items[item])] for item in (a, b, c)]
        rows.append(
            Triple(
                (names[0], names[1], names[2]),
                abs(total),
                (chance[0], chance[1], chance[2]),
                (votes[0], votes[1], votes[2]),
                min(chance) > 0.5,
            )
        )
    return rows


class _Found(NamedTuple):
    theta: Floats
    a: Floats
    b: Floats
    iterations: int
    gradient_norm: float


@dataclass(frozen=True, eq=False)
class _Goal:
    """The penalised likelihood of a component; `won`, `total` float64[n, n] with phantoms."""

    won: Floats
    total: Floats
    ridge: float

    @property
    def n(self) -> int:
        return int(self.won.shape[0])

    @property
    def item_weight(self) -> Floats:
        weight: Floats = self.total.sum(axis=1)
        return weight

    def residual(self, theta: Floats, a: Floats, b: Floats) -> Floats:
        """float64[n, n], wins less those expected: skew-symmetric."""
        rest: Floats = self.won - self.total * expit(_logit(theta, a, b))
        return rest

    def first_length(self, theta: Floats, a: Floats, b: Floats, u: Floats, v: Floats, size: float) -> float:
        """How far a Newton step goes along the new direction u v^T - v u^T."""
        direction = np.outer(u, v) - np.outer(v, u)
        share = expit(_logit(theta, a, b))
        bend = 0.5 * float((self.total * share * (1.0 - share) * direction**2).sum())
        longest = _FIRST_LOGIT / float(np.abs(direction).max())
        return min((size - self.ridge) / bend, longest) if bend > 0 else longest

    def climb(self, theta: Floats, a: Floats, b: Floats) -> _Found:
        """Maximise over all parameters from a start. Raises NotConverged."""
        k, scale = a.shape[1], 1.0 / float(self.item_weight.mean())

        def value(x: Floats) -> float:
            theta, a, b = self._unpacked(x, k)
            fitted = float((self.won * log_expit(_logit(theta, a, b))).sum())
            return scale * (0.5 * self.ridge * float((a**2).sum() + (b**2).sum()) - fitted)

        def slope(x: Floats) -> Floats:
            return scale * self._slope(x, k)

        def bend(x: Floats, step: Floats) -> Floats:
            return scale * self._bend(x, step, k)

        solved = optimize.minimize(
            value,
            np.concatenate([theta, a.reshape(-1), b.reshape(-1)]),
            method="trust-ncg",
            jac=slope,
            hessp=bend,
            options={"gtol": _ROUGH * 1e-2, "maxiter": _MAX_STEPS},
        )
        x, norm = self._polished(np.asarray(solved.x, dtype=np.float64), k)
        if not norm <= TOLERANCE:
            raise NotConverged(f"gradient per weight {norm:.3g} of the cyclic fit, wanted {TOLERANCE:.3g}")
        theta, a, b = self._unpacked(x, k)
        # The optimum is centred; what the tolerance left uncentred belongs to the scores.
        level_a, level_b = a.mean(axis=0), b.mean(axis=0)
        theta = theta + a @ level_b - b @ level_a
        return _Found(theta - theta.mean(), a - level_a, b - level_b, int(solved.nit), norm)

    def _polished(self, x: Floats, k: int) -> tuple[Floats, float]:
        """Newton steps while they shrink the gradient: near the optimum the value itself is all rounding."""
        slope = self._slope(x, k)
        norm = self._norm(slope, k)
        for _ in range(_POLISH_STEPS):
            if norm <= _POLISHED:
                break
            here = x
            operator = sparse_linalg.LinearOperator(
                (x.size, x.size),
                matvec=lambda step, here=here: self._bend(here, np.asarray(step).reshape(-1), k),
            )
            # Factors may be turned within their plane without any change, so the matrix is singular there.
            step, _ = sparse_linalg.minres(operator, -slope, rtol=1e-8, maxiter=4 * x.size)
            trial = x + step
            trial_slope = self._slope(trial, k)
            trial_norm = self._norm(trial_slope, k)
            if not trial_norm < norm:
                break
            x, slope, norm = trial, trial_slope, trial_norm
        return x, norm

    def _norm(self, slope: Floats, k: int) -> float:
        theta, a, b = self._unpacked(slope, k)
        return float((np.abs(np.column_stack([theta, a, b])) / self.item_weight[:, None]).max())

    def _unpacked(self, x: Floats, k: int) -> tuple[Floats, Floats, Floats]:
        n = self.n
        return x[:n], x[n : n + n * k].reshape(n, k), x[n + n * k :].reshape(n, k)

    def _slope(self, x: Floats, k: int) -> Floats:
        """Gradient of the loss (not scaled)."""
        theta, a, b = self._unpacked(x, k)
        rest = self.residual(theta, a, b)
        rows = (-rest.sum(axis=1), self.ridge * a - rest @ b, self.ridge * b + rest @ a)
        return np.concatenate([row.reshape(-1) for row in rows])

    def _bend(self, x: Floats, step: Floats, k: int) -> Floats:
        """The loss's Hessian times a step."""
        theta, a, b = self._unpacked(x, k)
        d_theta, d_a, d_b = self._unpacked(step, k)
        share = expit(_logit(theta, a, b))
        rest = self.won - self.total * share
        half = d_a @ b.T + a @ d_b.T
        moved = d_theta[:, None] - d_theta[None, :] + half - half.T
        change = -self.total * share * (1.0 - share) * moved
        rows = (
            -change.sum(axis=1),
            self.ridge * d_a - change @ b - rest @ d_b,
            self.ridge * d_b + change @ a + rest @ d_a,
        )
        return np.concatenate([row.reshape(-1) for row in rows])


def _logit(theta: Floats, a: Floats, b: Floats) -> Floats:
    half = a @ b.T
    total: Floats = theta[:, None] - theta[None, :] + half - half.T
    return total


def _leading(skew: Floats) -> tuple[float, Floats, Floats]:
    """The largest singular value of a skew matrix and its pair: skew = size (u v^T - v u^T) + the rest."""
    left, size, right = np.linalg.svd(skew)
    u, v = left[:, 0], right[0]
    # The sign of a singular pair is the library's whim; the largest entry of u is made positive.
    sign = 1.0 if u[int(np.argmax(np.abs(u)))] >= 0 else -1.0
    return float(size[0]), sign * u, sign * v


def _matrix(n: int, first: Ints, second: Ints, value: Floats) -> Floats:
    matrix = np.zeros((n, n))
    matrix[first, second] = matrix[second, first] = value
    return matrix


class _Losses(NamedTuple):
    """float64[G, ranks]: sum of -ln P over each cluster's held-out votes; and their weight, float64[G]."""

    loss: Floats
    weight: Floats


def _held_out_loss(
    model: GeneralPreference, ballots: Ballots, base: Base, ranks: int, rng: np.random.Generator
) -> _Losses:
    comparisons = compare(ballots, both_bad=model.both_bad)
    total = tally(comparisons)
    groups = components(total.n_items, total.first, total.second)
    code = cluster_codes(ballots, model.held_out_by)
    owner = np.arange(comparisons.key.size) if comparisons.ballot is None else comparisons.ballot
    names, row = np.unique(owner if code is None else code[owner], return_inverse=True)
    if names.size < model.folds:
        raise TooFewClusters(
            f"{names.size} cluster(s) of {model.held_out_by} cannot be cut into {model.folds} folds"
        )
    fold = (rng.permutation(names.size) % model.folds)[row]
    weight = np.ones(row.size) if comparisons.weight is None else comparisons.weight
    cell = cell_of(comparisons, total)
    outcome, _ = np.divmod(cell, total.first.size)
    gain = np.where(outcome == FIRST_WON, 1.0, np.where(outcome == SECOND_WON, 0.0, 0.5))
    pair = cell % total.first.size
    loss = np.zeros((names.size, ranks + 1))
    for out in range(model.folds):
        kept, held = fold != out, fold == out
        cells = sum_by(cell[kept], weight[kept], total.weight.size).reshape(total.weight.shape)
        for rank in range(ranks + 1):
            logit = np.zeros((total.n_items, total.n_items))
            for table in tables_of(total, cells, groups):
                fit = fit_table(table, base.met, rank=rank, ridge=model.ridge)
                logit[np.ix_(table.items, table.items)] = fit.logit
            at = logit[total.first, total.second][pair[held]]
            each = -(gain[held] * log_expit(at) + (1.0 - gain[held]) * log_expit(-at))
            loss[:, rank] += sum_by(row[held], weight[held] * each, names.size)
    return _Losses(loss, sum_by(row, weight, names.size))


def _judge(losses: _Losses, given: int | None) -> HeldOut:
    weight = float(losses.weight.sum())
    mean = losses.loss.sum(axis=0) / weight
    best = int(mean.argmin())
    above = losses.loss - losses.loss[:, [best]]
    centred = above - losses.weight[:, None] * (mean - mean[best])
    clusters = losses.weight.size
    error = np.sqrt((centred**2).sum(axis=0) * clusters / max(clusters - 1, 1)) / weight
    chosen = int(np.flatnonzero(mean - mean[best] <= error)[0]) if given is None else given
    explained = math.log(2.0) - float(mean[chosen])
    share = float(mean[0] - mean[chosen]) / explained if explained > 0 else None
    return HeldOut(tuple(mean.tolist()), tuple(error.tolist()), chosen, share)

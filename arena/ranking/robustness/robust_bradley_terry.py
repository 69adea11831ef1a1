"""Bradley-Terry that a few corrupted pairs cannot pull away, with the list of the pairs it does not believe.
It accuses nobody: a pair may also stand out because the model is wrong about it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy import optimize
from scipy.special import betainc, gammaln, log_expit, ndtri, xlog1py, xlogy

from arena.ranking.arrays import Bools, Floats, Ints
from arena.ranking.ballots import Ballots
from arena.ranking.counts import BothBad
from arena.ranking.cycles.holm import holm
from arena.ranking.errors import InvalidSetting, NotConverged
from arena.ranking.intervals import Interval
from arena.ranking.newton import PairProblem, ground, laplacian, newton
from arena.ranking.result import SCALE, Ranking
from arena.ranking.scored import Shown, Table, rank_by_tables
from arena.ranking.settings import check_shared
from arena.ranking.table_problem import base_of, problem_of

TOLERANCE = 1e-9
"""Largest gradient allowed, as a share of the item's total weight."""

_MAX_STEPS = 200
_MAX_HALVINGS = 50
_CLIPPED_BEND = 1e-3  # curvature left to a clipped pair, so that the matrix of a step is never singular
_ONE_VOTE = 1.0  # a residual up to this is never clipped: one upset is no corruption
_EXACT_UP_TO = 200  # votes; a pair with more is normal enough
_GRID = ndtri((np.arange(400) + 0.5) / 400)


@dataclass(frozen=True, eq=False)
class RobustFit:
    """One component: logit P(first beats second) = theta_first - theta_second + shift.

    theta       float64[n], natural-log units, mean 0
    problem     its P pairs, phantoms included
    limit       float64[P], lambda: the largest residual that pulls with its full weight, in votes
    residual    float64[P], votes won less those expected without a shift
    shift       float64[P], the sparse term as penalised: exactly 0 where |residual| <= limit
    dispersion  variance of a residual as a multiple of the binomial one, at least 1
    """

    theta: Floats
    problem: PairProblem
    phantom: Floats
    limit: Floats
    residual: Floats
    shift: Floats
    dispersion: float
    iterations: int
    gradient_norm: float

    @property
    def z(self) -> Floats:
        """float64[P], residual / its standard deviation, before the fit took its share of the noise."""
        share = self.problem.probability(self.theta)
        scaled: Floats = self.residual / np.sqrt(self.dispersion * self.problem.information(share))
        return scaled

    def p_values(self) -> Floats:
        """float64[P], two-sided, of the binomial tail with votes divided by the dispersion; no phantoms."""
        share, size = self.problem.probability(self.theta), self.problem.total - self.phantom
        won = (self.problem.won - 0.5 * self.phantom) / self.dispersion
        size = size / self.dispersion
        return np.minimum(
            2.0 * np.minimum(_tail(won, size, share), _tail(size - won, size, 1.0 - share)), 1.0
        )


def fit_table(
    table: Table, met: Bools, *, threshold: float, dispersion: float | None, start: Floats | None = None
) -> RobustFit:
    """Fit a component's table or a resample of it; `met` as in `problem_of`, `dispersion` None: estimated.

    First with limits threshold * sqrt(dispersion * n / 4), from the largest variance n votes can have; then
    once more with sqrt(dispersion * n p (1 - p)) at that fit. Each of the two is a convex problem, judged by
    its own gradient. A limit is at least one vote. Raises NotConverged.
    """
    posed = problem_of(table, met)
    problem = posed.problem
    first = newton(problem).theta if start is None else start
    noise = 1.0 if dispersion is None else dispersion
    widest = threshold * np.sqrt(0.25 * noise * problem.total)
    pilot = _climb(problem, np.maximum(widest, _ONE_VOTE), first)
    if dispersion is None:
        noise = _dispersion(problem, posed.phantom, pilot.theta)
    spread = noise * problem.information(problem.probability(pilot.theta))
    limit = np.maximum(threshold * np.sqrt(spread), _ONE_VOTE)
    found = _climb(problem, limit, pilot.theta)
    residual = problem.won - problem.total * problem.probability(found.theta)
    shift = _shift(problem, limit, found.theta)
    return RobustFit(
        found.theta - found.theta.mean(),
        problem,
        posed.phantom,
        limit,
        residual,
        shift,
        noise,
        pilot.iterations + found.iterations,
        found.gradient_norm,
    )


class Suspicion(NamedTuple):
    """A pair whose votes do not fit the rest.

    winner, loser   `winner` won more against `loser` than both their other votes say
    votes           weight of votes of the pair
    share, expected share that the winner won, and what the scores of both say
    shift           by how much the pair's own odds differ, Elo points, above 0
    z               standardised residual, above 0
    p_value         of this pair alone, two-sided
    p_adjusted      after Holm over all pairs of the board
    """

    winner: str
    loser: str
    votes: float
    share: float
    expected: float
    shift: float
    z: float
    p_value: float
    p_adjusted: float


@dataclass(frozen=True)
class RobustBradleyTerry:
    """Bradley-Terry in which every pair may have a shift of its own at a price: logit P(i beats j) = theta_i
    - theta_j + gamma_ij, maximise ln L - sum of lambda_ij |gamma_ij|.

    threshold       lambda_ij = threshold standard deviations of the pair's count: a residual beyond it pulls
                    on the scores no harder than this. 1.345 costs 5 % of the precision on clean votes (Huber
                    1964); a large one is Bradley-Terry
    dispersion      variance of a pair's count as a multiple of the binomial; "estimated": from the bulk of
                    the pairs, at least 1. Voters and prompts that differ make it exceed 1 on honest boards
    level           pairs with a shift are listed as suspicious if Holm's p-value over all pairs is below
    anchor_mean, both_bad, provisional_below
                    as in `BradleyTerry`; ties count half, phantoms follow its rule

    The matrix of log-odds is low rank plus sparse, as in CURATRON (Nguyen et al. 2024, arXiv:2403.02745): the
    scores' part, theta 1^T - 1 theta^T, has rank 2 and is kept in that form rather than searched for, and the
    price on gamma is the L1 norm of the sparse part, in units of each pair's sampling noise. Solved for gamma
    the problem is an M-estimator of theta alone: the likelihood with each pair's score clipped at lambda
    (She & Owen 2011, JASA 106:626-639, for least squares). It is convex, one vote more or less changes it
    little, and up to a share of the pairs of each system the order stays while Bradley-Terry's does not.

    A weighted ballot counts as so many votes. A residual of up to one vote is neither clipped nor listed.
    A system whose pairs are mostly corrupted is believed: nothing in the votes tells which half is honest.
    """

    threshold: float = 1.345
    dispersion: float | Literal["estimated"] = "estimated"
    level: float = 0.05
    anchor_mean: float = 1000.0
    both_bad: BothBad = "tie"
    provisional_below: int = 50

    def __post_init__(self) -> None:
        if not (math.isfinite(self.threshold) and self.threshold > 0):
            raise InvalidSetting(f"threshold must be finite and above 0, not {self.threshold}")
        if self.dispersion != "estimated" and not (
            not isinstance(self.dispersion, str) and math.isfinite(self.dispersion) and self.dispersion > 0
        ):
            raise InvalidSetting(f"dispersion must be 'estimated' or above 0, not {self.dispersion!r}")
        if not 0.0 < self.level < 1.0:
            raise InvalidSetting(f"level must lie between 0 and 1, not {self.level}")
        check_shared(self)

    def fit(
        self, ballots: Ballots, interval: Interval | None = None, rng: np.random.Generator | None = None
    ) -> Ranking:
        """Rate every item; the interval is a `Bootstrap` (which needs `rng`; resamples keep the dispersion of
        the fit) or None.

        Diagnostics: `suspicious` (a `Suspicion` each, least p-value first), `pairs_tested`, `pairs_clipped`,
        `dispersion` (by component, largest first), `iterations`, `gradient_norm`, `phantom_pairs`.

        Raises InvalidSetting for a Sandwich, MissingRandomness, TooFewClusters, MissingClusters,
        NotConverged.
        """
        base = base_of(ballots, both_bad=self.both_bad)
        given = None if isinstance(self.dispersion, str) else self.dispersion
        fits = {
            int(table.items[0]): fit_table(table, base.met, threshold=self.threshold, dispersion=given)
            for table in base.tables
        }

        def score(table: Table) -> Floats:
            whole = fits[int(table.items[0])]
            found = fit_table(
                table, base.met, threshold=self.threshold, dispersion=whole.dispersion, start=whole.theta
            )
            return SCALE * found.theta + self.anchor_mean

        every = list(fits.values())
        shown = Shown(
            settings={
                "model": "robust-bradley-terry",
                **asdict(self),
                "scale": SCALE,
                "tolerance": TOLERANCE,
            },
            unit="Elo points",
            provisional_below=self.provisional_below,
            diagnostics={
                "suspicious": [
                    found._asdict() for found in self._suspicious(ballots.items, base.tables, every)
                ],
                "pairs_tested": sum(fit.residual.size for fit in every),
                "pairs_clipped": sum(int(np.count_nonzero(fit.shift)) for fit in every),
                "dispersion": [fit.dispersion for fit in every],
                "iterations": max((fit.iterations for fit in every), default=0),
                "gradient_norm": max((fit.gradient_norm for fit in every), default=0.0),
                "phantom_pairs": sum(int(np.count_nonzero(fit.phantom)) for fit in every),
            },
        )
        return rank_by_tables(ballots, score, shown, both_bad=self.both_bad, interval=interval, rng=rng)

    def _suspicious(
        self, items: tuple[str, ...], tables: list[Table], fits: list[RobustFit]
    ) -> list[Suspicion]:
        if not fits:
            return []
        p_value = np.concatenate([fit.p_values() for fit in fits])
        adjusted = holm(p_value)
        found: list[Suspicion] = []
        start = 0
        for table, fit in zip(tables, fits, strict=True):
            names = [items[item] for item in table.items.tolist()]
            own = slice(start, start + fit.residual.size)
            start = own.stop
            for pair in np.flatnonzero((adjusted[own] < self.level) & (fit.shift != 0.0)).tolist():
                row = _suspicion(names, fit, pair)
                found.append(
                    row._replace(p_value=float(p_value[own][pair]), p_adjusted=float(adjusted[own][pair]))
                )
        return sorted(found, key=lambda row: (row.p_value, -row.z, row.winner, row.loser))


def _suspicion(names: list[str], fit: RobustFit, pair: int) -> Suspicion:
    problem = fit.problem
    first, second = names[int(problem.first[pair])], names[int(problem.second[pair])]
    votes = float(problem.total[pair] - fit.phantom[pair])
    won = float(problem.won[pair] - 0.5 * fit.phantom[pair])
    expected = float(problem.probability(fit.theta)[pair])
    sign = 1.0 if fit.residual[pair] > 0 else -1.0
    odds = math.log((won + 0.5) / (votes - won + 0.5)) - math.log(expected / (1.0 - expected))
    share = won / votes
    return Suspicion(
        winner=first if sign > 0 else second,
        loser=second if sign > 0 else first,
        votes=votes,
        share=share if sign > 0 else 1.0 - share,
        expected=expected if sign > 0 else 1.0 - expected,
        shift=SCALE * sign * odds,
        z=sign * float(fit.z[pair]),
        p_value=math.nan,
        p_adjusted=math.nan,
    )


class _Climbed(NamedTuple):
    theta: Floats
    iterations: int
    gradient_norm: float


def _climb(problem: PairProblem, limit: Floats, start: Floats) -> _Climbed:
    """Maximise the clipped likelihood by Newton steps, halved until it grows.

    A maximum exists wherever Bradley-Terry's does: a clipped pair still pulls. It may be a stretch instead of
    a point if an item's pairs are all clipped and balance; then the point reached from the start counts.
    """
    theta, scale = start, problem.item_weight()
    value = _value(problem, limit, theta)
    for iteration in range(_MAX_STEPS + 1):
        share = problem.probability(theta)
        residual = problem.won - problem.total * share
        gradient = problem.to_items(np.clip(residual, -limit, limit))
        norm = float(np.max(np.abs(gradient) / scale))
        if norm <= TOLERANCE:
            return _Climbed(theta, iteration, norm)
        bend = problem.information(share) * np.where(np.abs(residual) > limit, _CLIPPED_BEND, 1.0)
        step = ground(laplacian(problem.n, problem.first, problem.second, bend)).solve(gradient)
        slope = float(gradient @ step)
        for _ in range(_MAX_HALVINGS):
            trial = theta + step
            reached = _value(problem, limit, trial)
            if reached >= value + 1e-4 * slope - 1e-14 * abs(value):
                break
            step, slope = 0.5 * step, 0.5 * slope
        theta, value = trial, reached
    raise NotConverged(f"gradient per weight {norm:.3g} after {_MAX_STEPS} steps, wanted {TOLERANCE:.3g}")


def _shift(problem: PairProblem, limit: Floats, theta: Floats) -> Floats:
    """float64[P], the best shift of each pair: what brings its residual down to the limit."""
    gap = theta[problem.first] - theta[problem.second]
    residual = problem.won - problem.total * problem.probability(theta)
    beyond = np.flatnonzero(np.abs(residual) > limit)
    wanted = (problem.won - np.sign(residual) * limit)[beyond]
    shift = np.zeros(residual.size)
    shift[beyond] = np.log(wanted) - np.log(problem.total[beyond] - wanted) - gap[beyond]
    return shift


def _value(problem: PairProblem, limit: Floats, theta: Floats) -> float:
    """ln L - sum of limit |shift| at the best shifts."""
    shift = _shift(problem, limit, theta)
    logit = theta[problem.first] - theta[problem.second] + shift
    fitted = problem.won @ log_expit(logit) + (problem.total - problem.won) @ log_expit(-logit)
    return float(fitted - np.where(shift == 0.0, 0.0, limit) @ np.abs(shift))


def _dispersion(problem: PairProblem, phantom: Floats, theta: Floats) -> float:
    """Huber's (1964) proposal 2 for the scale of the pairs' residuals, with the exact binomial expectation.

    Solves mean min(z^2 / f, c^2) = (1 - (n - 1) / P) * mean E min(z^2, c^2) for f, c = 1.345: residuals are
    smaller than errors by the parameters fitted. Below 1 is read as 1. Fewer pairs than parameters tell
    nothing: 1.
    """
    used = problem.total > phantom
    free = 1.0 - (problem.n - 1) / max(int(used.sum()), 1)
    if free <= 0.0:
        return 1.0
    share = problem.probability(theta)[used]
    size = (problem.total - phantom)[used]
    variance = size * share * (1.0 - share)
    square = (problem.won[used] - 0.5 * phantom[used] - size * share) ** 2 / variance
    cut = 1.345**2
    wanted = free * float(np.mean([_expected(n, p, cut) for n, p in zip(size, share, strict=True)]))

    def excess(log_f: float) -> float:
        return float(np.minimum(square / math.exp(log_f), cut).mean()) - wanted

    if excess(0.0) <= 0.0:
        return 1.0
    most = math.log(max(float(square.max()), 1.0)) + 10.0
    return math.exp(float(optimize.brentq(excess, 0.0, most, xtol=1e-10)))


def _expected(size: float, share: float, cut: float) -> float:
    """E min(z^2, cut) of a binomial count, standardised."""
    if size > _EXACT_UP_TO:
        return float(np.minimum(_GRID**2, cut).mean())
    n = max(round(size), 1)
    won = np.arange(n + 1)
    square = (won - n * share) ** 2 / (n * share * (1.0 - share))
    return float(_binomial(won, n, share) @ np.minimum(square, cut))


def _tail(won: Floats, size: Floats, share: Floats) -> Floats:
    """P(count >= won) of a binomial, for counts that need not be whole: an incomplete beta function."""
    positive = won > 0.0
    tail = betainc(np.where(positive, won, 1.0), np.maximum(size - won, 0.0) + 1.0, share)
    return np.where(positive, tail, 1.0)


def _binomial(won: Ints, n: int, share: float) -> Floats:
    """Chance of each number of wins out of n. scipy.stats has it too, but takes half a second to import."""
    ways = gammaln(n + 1.0) - gammaln(won + 1.0) - gammaln(n - won + 1.0)
    chance: Floats = np.exp(ways + xlogy(won, share) + xlog1py(n - won, -share))
    return chance

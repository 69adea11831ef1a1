"""The maximal lottery: which mixture of systems no other mixture beats on average, and how each system fares
against it. It assumes no scale, so its shares are no Elo points.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from scipy import optimize
from scipy.special import logsumexp

from arena.ranking.arrays import Bools, Floats
from arena.ranking.ballots import Ballots
from arena.ranking.counts import BothBad
from arena.ranking.cycles.general_preference import fit_table
from arena.ranking.errors import InvalidPlan, InvalidSetting, NotConverged
from arena.ranking.intervals import Interval
from arena.ranking.result import Ranking
from arena.ranking.scored import Shown, Table, rank_by_tables
from arena.ranking.settings import check_shared
from arena.ranking.table_problem import Base, base_of

Payoff = Literal["share", "margin", "fitted"]
"""What a system wins against another: see `NashLottery`."""

Solver = Literal["extragradient", "exact"]

TOLERANCE = 1e-9
"""How far a regularised mixture may be from its own best answer: sum of the differences of the weights."""

EXACT_TOLERANCE = 1e-7
"""What a system may still win against an exact equilibrium, as a share of the largest payoff: the accuracy of
the linear program.
"""

_MAX_STEPS = 200_000
_CHECK_EVERY = 20
_KEPT = 1e-7  # smallest weight of a system of the support that strict complementarity can tell from 0
_ENTROPY_STEPS = 5_000


class Equilibrium(NamedTuple):
    """A mixture over n systems that plays a symmetric zero-sum game.

    mixture         float64[n], 0 or more, sum 1
    payoff          float64[n], what each system wins against the mixture; 0 is a draw
    exploitability  largest payoff, at least 0; 0 at an exact equilibrium
    support         bool[n], the systems that some exact equilibrium plays; regularised: all of them
    iterations      steps of the solver
    """

    mixture: Floats
    payoff: Floats
    exploitability: float
    support: Bools
    iterations: int


def exact_equilibrium(payoff: Floats) -> Equilibrium:
    """The equilibrium of largest entropy of the game `payoff` float64[n, n], skew-symmetric (row wins).

    One linear program finds a strictly complementary mixture (Tucker 1956: it exists for a skew-symmetric
    matrix): every system has either weight or a loss against it. So it tells the systems that some
    equilibrium plays. If the equilibrium is the only one, that is it. Otherwise, among all mixtures on that
    support that nobody beats, the one of largest entropy is found through its dual, min over y >= 0 of
    ln sum exp(M y). It does not depend on how systems are numbered, and it is the limit of
    `regularised_equilibrium` as the temperature falls to 0: at temperature t the saddle condition bounds the
    entropy of every equilibrium by that of the regularised mixture.

    Raises InvalidPlan if the matrix is not skew-symmetric, NotConverged.
    """
    matrix = _checked(payoff)
    n = matrix.shape[0]
    if n == 1:
        return Equilibrium(np.ones(1), np.zeros(1), 0.0, np.ones(1, dtype=np.bool_), 0)
    # Maximise e subject to M q <= 0, q - M q >= e, sum q = 1, q >= 0.
    solved = optimize.linprog(
        np.concatenate([np.zeros(n), [-1.0]]),
        A_ub=np.vstack(
            [np.hstack([matrix, np.zeros((n, 1))]), np.hstack([matrix - np.eye(n), np.ones((n, 1))])]
        ),
        b_ub=np.zeros(2 * n),
        A_eq=np.concatenate([np.ones(n), [0.0]])[None],
        b_eq=[1.0],
        bounds=[(0.0, None)] * n + [(None, None)],
        method="highs",
    )
    if solved.status != 0:
        raise NotConverged(f"the linear program of the game was not solved: {solved.message}")
    mixture = np.maximum(solved.x[:n], 0.0)
    mixture /= mixture.sum()
    support = (mixture > -(matrix @ mixture)) & (mixture > _KEPT)
    iterations = int(solved.nit)
    core = matrix[np.ix_(support, support)]
    if int(np.linalg.matrix_rank(np.vstack([core, np.ones(core.shape[0])]), tol=1e-9)) == core.shape[0]:
        mixture = _only_one(core, support)
    else:
        mixture, steps = _most_even(matrix, support)
        iterations += steps
    won = matrix @ mixture
    worst = max(float(won.max()), 0.0)
    if worst > EXACT_TOLERANCE * max(1.0, float(np.abs(matrix).max())):
        raise NotConverged(f"a system still wins {worst:.3g} against the equilibrium")
    return Equilibrium(mixture, won, worst, support, iterations)


def regularised_equilibrium(
    payoff: Floats, *, temperature: float, tolerance: float = TOLERANCE
) -> Equilibrium:
    """The mixture q with q_i proportional to exp((M q)_i / temperature): each player pays temperature * KL(q
    | uniform).

    Extragradient in multiplicative form (Zhou, Fazel & Du 2025, EGPO, arXiv:2503.08942; Cen, Wei & Chi 2021,
    arXiv:2105.15186), step s = 1 / (2 max |M| + temperature):
    half  ln q'  = (1 - s t) ln q + s M q,   full  ln q+ = (1 - s t) ln q + s M q', each normalised.
    The last iterate itself converges linearly, so none is averaged. A system's payoff is temperature * ln
    weight plus a constant: weight and payoff have one order. Exploitability is at most temperature * ln n.

    Raises InvalidPlan, InvalidSetting, NotConverged.
    """
    matrix = _checked(payoff)
    if not (math.isfinite(temperature) and temperature > 0):
        raise InvalidSetting(f"temperature must be finite and above 0, not {temperature}")
    n = matrix.shape[0]
    log_mixture = np.full(n, -math.log(n))
    step = 1.0 / (2.0 * float(np.abs(matrix).max(initial=0.0)) + temperature)
    keep = 1.0 - step * temperature
    for iteration in range(_MAX_STEPS):
        won = matrix @ np.exp(log_mixture)
        if iteration % _CHECK_EVERY == 0:
            mixture = np.exp(_normalised(won / temperature))
            gap = float(np.abs(mixture - np.exp(log_mixture)).sum())
            if gap <= tolerance:
                # The answer, not the iterate, whose least weights come in last: so the orders agree.
                worst = max(float(won.max()), 0.0)
                return Equilibrium(mixture, won, worst, np.ones(n, dtype=np.bool_), iteration)
        half = _normalised(keep * log_mixture + step * won)
        log_mixture = _normalised(keep * log_mixture + step * (matrix @ np.exp(half)))
    raise NotConverged(f"weights still {gap:.3g} off after {_MAX_STEPS} extragradient steps")


@dataclass(frozen=True)
class NashLottery:
    """Rank systems by how they fare against the maximal lottery (Kreweras 1965; Fishburn 1984; Nash learning:
    Munos et al. 2023, arXiv:2312.00886).

    score           expected share of wins against the lottery of the component, 1/2 at most for "exact": a
                    system of the support draws with it, all others lose to it. So every system has a place,
                    although most have no weight; the weights are in the diagnostics
    payoff          "share": 2 * share won - 1 of each pair, 0 where two never met, be the votes few or many
                    "margin": (votes won - votes lost) / most votes of any pair: pairs with many votes decide
                    "fitted": 2 P - 1 of `GeneralPreference` with `rank` and `ridge`, for boards on which many
                    pairs have few votes or none; rank 0 would give all weight to the highest rating
    solver          "extragradient": the mixture regularised at `temperature`, which orders the support by
                    weight; "exact": the equilibrium of largest entropy, on which the support ties
    temperature     in units of payoff, where a sure win is 1
    rank, ridge     of "fitted"
    both_bad        "tie": all compared pairs of a ballot called all bad tie; "drop": it is left out
    provisional_below   systems with fewer usable ballots are marked provisional

    Ties count half. A system that beats every other by votes has all the weight of the exact lottery (the
    Condorcet winner). Noise in a single pair moves the lottery, more than it moves any rating: read it with
    its bootstrap.
    """

    payoff: Payoff = "share"
    solver: Solver = "extragradient"
    temperature: float = 0.02
    rank: int = 1
    ridge: float = 1.0
    both_bad: BothBad = "tie"
    provisional_below: int = 50

    def __post_init__(self) -> None:
        if self.payoff not in get_args(Payoff):
            raise InvalidSetting(f"payoff must be one of {', '.join(get_args(Payoff))}, not {self.payoff!r}")
        if self.solver not in get_args(Solver):
            raise InvalidSetting(f"solver must be one of {', '.join(get_args(Solver))}, not {self.solver!r}")
        if not (math.isfinite(self.temperature) and 0.001 <= self.temperature <= 10):
            raise InvalidSetting(f"temperature must lie between 0.001 and 10, not {self.temperature}")
        if self.rank < 0:
            raise InvalidSetting(f"rank must not be negative, not {self.rank}")
        if not (math.isfinite(self.ridge) and self.ridge > 0):
            raise InvalidSetting(f"ridge must be finite and above 0, not {self.ridge}")
        check_shared(self)

    def fit(
        self, ballots: Ballots, interval: Interval | None = None, rng: np.random.Generator | None = None
    ) -> Ranking:
        """Rank every item; the interval is a `Bootstrap` (which needs `rng`) or None.

        Each component of the diagnostics has `weights` (of the solver's mixture, by system),
        `exploitability` (of that mixture, in shares of wins), `exact_weights` and `support` (of the exact
        lottery), `has_cycle` (the exact lottery plays more than one system) and `unmet_pairs`: if many, the
        support of "share" and "margin" may be made of systems that never met and so count as drawn.
        `support`, `weights` and `exploitability` of the largest component stand beside them.

        Raises InvalidSetting for a Sandwich, MissingRandomness, TooFewClusters, MissingClusters,
        NotConverged.
        """
        base = base_of(ballots, both_bad=self.both_bad)
        facts = [self._component(ballots.items, table, base) for table in base.tables]

        def score(table: Table) -> Floats:
            return 0.5 + 0.5 * self._solved(self.matrix(table, base)).payoff

        nothing: dict[str, Any] = {"weights": {}, "exploitability": 0.0, "support": []}
        first = facts[0] if facts else nothing
        shown = Shown(
            settings={"model": "nash-lottery", **asdict(self), "tolerance": TOLERANCE},
            unit="expected share of wins against the lottery",
            provisional_below=self.provisional_below,
            bounds=(0.0, 1.0),
            diagnostics={"components": facts, **{name: first[name] for name in nothing}},
        )
        return rank_by_tables(ballots, score, shown, both_bad=self.both_bad, interval=interval, rng=rng)

    def matrix(self, table: Table, base: Base) -> Floats:
        """float64[n, n], skew-symmetric: what the row wins against the column, between -1 and 1."""
        if self.payoff == "fitted":
            fit = fit_table(table, base.met, rank=self.rank, ridge=self.ridge)
            won: Floats = np.tanh(0.5 * fit.logit)
            return won
        margin = table.won - table.won.T
        if self.payoff == "margin":
            return margin / max(float(table.total.max(initial=0.0)), np.finfo(float).tiny)
        return np.divide(margin, table.total, out=np.zeros_like(margin), where=table.total > 0)

    def _solved(self, matrix: Floats) -> Equilibrium:
        if self.solver == "extragradient":
            return regularised_equilibrium(matrix, temperature=self.temperature)
        found = exact_equilibrium(matrix)
        # A system of the support draws with the mixture: what rounding leaves must not order it.
        return found._replace(payoff=np.where(found.support, 0.0, np.minimum(found.payoff, 0.0)))

    def _component(self, items: tuple[str, ...], table: Table, base: Base) -> dict[str, Any]:
        matrix = self.matrix(table, base)
        exact, used = exact_equilibrium(matrix), self._solved(matrix)
        names = [items[item] for item in table.items.tolist()]
        return {
            "items": names,
            "weights": dict(zip(names, used.mixture.tolist(), strict=True)),
            "exploitability": 0.5 * used.exploitability,
            "exact_weights": dict(zip(names, exact.mixture.tolist(), strict=True)),
            "support": [name for name, plays in zip(names, exact.support.tolist(), strict=True) if plays],
            "has_cycle": int(exact.support.sum()) > 1,
            "unmet_pairs": int((table.total == 0.0).sum() - len(names)) // 2,
        }


def _only_one(core: Floats, support: Bools) -> Floats:
    """The one mixture on the support against which all of it draws, to the last digit."""
    rows = np.vstack([core, np.ones(core.shape[0])])
    found = np.linalg.lstsq(rows, np.concatenate([np.zeros(core.shape[0]), [1.0]]), rcond=None)[0]
    mixture = np.zeros(support.size)
    mixture[support] = np.maximum(found, 0.0) / np.maximum(found, 0.0).sum()
    return mixture


def _most_even(matrix: Floats, support: Bools) -> tuple[Floats, int]:
    """The mixture of largest entropy on the support that nobody beats, and the steps of its dual."""
    rows = matrix[:, support]

    def dual(y: Floats) -> tuple[float, Floats]:
        level = -(rows.T @ y)
        mixture = np.exp(_normalised(level))
        return float(logsumexp(level)), -(rows @ mixture)

    # Whoever is in the support draws with the mixture: an equation, whose multiplier has no sign.
    bounds = [(None if plays else 0.0, None) for plays in support.tolist()]
    solved = optimize.minimize(
        dual,
        np.zeros(matrix.shape[0]),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={
            "ftol": 0.0,
            "gtol": 0.01 * EXACT_TOLERANCE,
            "maxiter": _ENTROPY_STEPS,
            "maxfun": 4 * _ENTROPY_STEPS,
        },
    )
    mixture = np.zeros(matrix.shape[0])
    mixture[support] = np.exp(_normalised(-(rows.T @ solved.x)))
    return mixture, int(solved.nit)


def _normalised(level: Floats) -> Floats:
    """Log weights of the mixture proportional to exp(level); scipy's takes longer than a step."""
    level = level - level.max()
    log_weight: Floats = level - math.log(float(np.exp(level).sum()))
    return log_weight


def _checked(payoff: Floats) -> Floats:
    matrix = np.asarray(payoff, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise InvalidPlan(f"a payoff matrix is square and not empty, not {matrix.shape}")
    if not np.isfinite(matrix).all() or float(np.abs(matrix + matrix.T).max()) > 1e-9:
        raise InvalidPlan("a payoff matrix is finite and skew-symmetric: what one wins the other loses")
    return 0.5 * (matrix - matrix.T)

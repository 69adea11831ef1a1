"""How far the votes are from one scale: the cyclic part of the flow of wins, beside what chance alone would
show. It rates nobody.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from scipy import sparse
from scipy.special import chdtrc, ndtr, xlogy

from arena.ranking.arrays import Floats
from arena.ranking.ballots import Ballots
from arena.ranking.counts import (
    FIRST_WON,
    SECOND_WON,
    TIED,
    BothBad,
    Cluster,
    Comparisons,
    Tally,
    cell_of,
    cluster_codes,
    compare,
    tally,
)
from arena.ranking.cycles.fibre import Fibre, cycles_of
from arena.ranking.cycles.hodge import Energy, Potential, Triangles, decompose, triangles
from arena.ranking.cycles.holm import holm
from arena.ranking.errors import InvalidSetting, TooFewClusters
from arena.ranking.graph import components
from arena.ranking.island import Island, settle

Flow = Literal["log-odds", "share"]
"""What flows from loser to winner: see `cyclicity`."""

_BLOCK = 1 << 13


class Triad(NamedTuple):
    """Three systems and the sum of the log-odds around them.

    items           (a, b, c) in the direction in which the sum is positive: a over b, b over c, c over a
    curl            ln odds(a over b) + ln odds(b over c) + ln odds(c over a), above 0; 0 under Bradley-Terry
    standard_error  of `curl`
    z               curl / standard_error
    p_value         two-sided, of this triad alone
    p_adjusted      after Holm (1979) over all triads of the board
    shares          share that a won against b, b against c, c against a
    votes           weight of votes on each of the three pairs
    is_cycle        all three shares are above a half: a rock-paper-scissors. Without it a curl only says that
                    the odds do not multiply: the order is clear, its distances are not those of one scale
    """

    items: tuple[str, str, str]
    curl: float
    standard_error: float
    z: float
    p_value: float
    p_adjusted: float
    shares: tuple[float, float, float]
    votes: tuple[float, float, float]
    is_cycle: bool


class Deviance(NamedTuple):
    """G^2 = 2 ln(saturated pair model / Bradley-Terry).

    df              pairs - items + components: the independent cycles
    p_value         against the "conditional" null; None under that of signs, which draws no outcomes
    p_value_chi2    against chi-square with `df`: only for some ten votes and more on every pair
    """

    g2: float
    df: int
    p_value: float | None
    p_value_chi2: float


@dataclass(frozen=True, eq=False)
class Cyclicity:
    """What `cyclicity` found.

    share           of the energy that the votes show beyond noise, what no score explains, 0 to 1: excess /
                    (excess + energy of Bradley-Terry's flow less its noise), each at least 0; on few votes
                    it is rough: read it with the p-value
    p_value         of the cyclic energy under Bradley-Terry; 1 where there is no cycle to test
                    (`deviance.df` = 0)
    z               cyclic energy less its null mean, in null standard deviations (0 if nothing is tested)
    raw_share       cyclic share with the noise left in; never publish it alone
    null_share      mean raw share under Bradley-Terry with the same votes
    energy          of the observed flow
    excess          cyclic energy less its mean under Bradley-Terry; below 0 by chance
    deviance        the same question put to the likelihood
    triads          strongest first, at most as many as asked for
    triads_tested   triangles of observed pairs
    potential       score of each system that the flow has, natural-log units; None without a ballot
    settings        JSON values; "null" says how the null was drawn
    """

    share: float
    p_value: float
    z: float
    raw_share: float
    null_share: float
    energy: Energy
    excess: float
    deviance: Deviance
    triads: tuple[Triad, ...]
    triads_tested: int
    potential: dict[str, float | None]
    settings: dict[str, Any]

    @property
    def is_cyclic(self) -> bool:
        """True if the test finds more cycles than Bradley-Terry would show, at the level of the settings."""
        return self.p_value < float(self.settings["level"])

    @property
    def found(self) -> tuple[Triad, ...]:
        """The listed triads that hold after the correction for many tests."""
        return tuple(triad for triad in self.triads if triad.p_adjusted < self.settings["level"])

    @property
    def cycles(self) -> tuple[Triad, ...]:
        """Those of `found` that are rock-paper-scissors."""
        return tuple(triad for triad in self.found if triad.is_cycle)

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        plain = {name: getattr(self, name) for name in ("share", "p_value", "z", "raw_share", "null_share")}
        return plain | {
            "energy": self.energy._asdict(),
            "excess": self.excess,
            "deviance": self.deviance._asdict(),
            "triads": [triad._asdict() for triad in self.triads],
            "triads_tested": self.triads_tested,
            "potential": dict(self.potential),
            "settings": dict(self.settings),
            "is_cyclic": self.is_cyclic,
        }


def cyclicity(
    ballots: Ballots,
    rng: np.random.Generator,
    *,
    flow: Flow = "log-odds",
    ties: Literal["ignore", "half"] = "ignore",
    both_bad: BothBad = "tie",
    cluster: Cluster = "ballot",
    replicates: int = 999,
    level: float = 0.05,
    triads: int = 10,
) -> Cyclicity:
    """Measure cycles against what a Bradley-Terry fit of the same votes would show by chance.

    flow        "log-odds": ln (won + 1/2) / (lost + 1/2), weight n p (1 - p) with p of Bradley-Terry, so that
                a unit of energy is one variance; with the null of signs the log-odds to first order, ln p /
                (1 - p) + (won - n p) / (n p (1 - p)), whose cyclic energy is Pearson's X^2;
                "share": 2 won / n - 1, weight n, which has cycles under Bradley-Terry too (the null knows)
    ties        "ignore": only votes that decide, which follow Bradley-Terry under Davidson's model of ties;
                "half": half a win to each side, as on a board with that setting: ties that crowd near equals
                bend the link and can pass for curl without any cycle
    both_bad    "tie" or "drop"
    cluster     what was drawn independently. "voter" or "prompt" where a person or a prompt has many votes:
                their tastes are noise of the board, and single votes are not independent
    replicates  draws of the null, at least 19
    level       of the test and of the triads
    triads      how many to list at most

    The null: with one compared pair a ballot, weights of 1, ties ignored and ballots as clusters, other
    outcomes of the same battles are drawn in which every system wins as often as it did ("conditional";
    `arena.ranking.cycles.fibre`): the test has its level on Bradley-Terry data however few votes a pair has.
    Otherwise each cluster's residuals from the Bradley-Terry fit get a random common sign ("signs";
    Rademacher weights, Wu 1986; Cameron, Gelbach & Miller 2008), which keeps any dependence inside the
    cluster; its level is approximate, and the deviance has no p-value of its own then.

    Standard errors of triads add 1 / (won + 1/2) + 1 / (lost + 1/2) over the pairs (Haldane 1955; Anscombe
    1956); with the null of signs the clusters' covariance joins them, and a pair's variance is never below
    this one.

    Raises InvalidSetting, TooFewClusters, MissingClusters, NotConverged.
    """
    _check(flow, ties, both_bad, replicates, level, triads)
    comparisons = compare(ballots, both_bad=both_bad, ignore_ties=ties == "ignore")
    total = tally(comparisons)
    groups = components(total.n_items, total.first, total.second)
    is_exact = (
        ties == "ignore"
        and cluster in ("ballot", "vote")
        and comparisons.weight is None
        and not comparisons.kwise_as_pairs
    )
    islands = [settle(total, group, prior=0.0) for group in groups]
    board = _Board.of(total, islands, flow, is_linear=not is_exact)
    residual = None if is_exact else _residuals(ballots, comparisons, total, board.share, cluster)
    df = int(total.first.size - sum(group.size for group in groups) + len(groups))
    parts = board.parts(board.won)
    split = decompose(total.n_items, total.first, total.second, board.flow_of(board.won), board.weight)
    null = _null(board, residual, replicates if df else 0, rng)
    excess = parts.cyclic - null.cyclic_mean if df else 0.0
    kept = max(excess, 0.0)
    signal = kept + max(board.expected_gradient - null.gradient_noise, 0.0)
    settings = {
        "flow": flow,
        "ties": ties,
        "both_bad": both_bad,
        "cluster": cluster,
        "replicates": replicates,
        "level": level,
        "null": "conditional" if is_exact else "signs",
    }
    g2 = board.deviance(board.won, board.share)
    listed, tested = _triads(ballots.items, board, residual, triads)
    rated = np.zeros(total.n_items, dtype=np.bool_)
    rated[[*total.first, *total.second]] = True
    return Cyclicity(
        share=kept / signal if signal > 0 else 0.0,
        p_value=null.p_value_energy(parts.cyclic),
        z=null.standardised(parts.cyclic),
        raw_share=_share(parts),
        null_share=null.share_mean,
        energy=split.energy,
        excess=excess,
        deviance=Deviance(g2, df, null.p_value_g2(g2), float(chdtrc(df, g2)) if df else 1.0),
        triads=listed,
        triads_tested=tested,
        potential={
            item: float(split.potential[k]) if rated[k] else None for k, item in enumerate(ballots.items)
        },
        settings=settings,
    )


class _Parts(NamedTuple):
    gradient: float
    cyclic: float


def _share(parts: _Parts) -> float:
    total = parts.gradient + parts.cyclic
    return parts.cyclic / total if total > 0 else 0.0


@dataclass(frozen=True, eq=False)
class _Board:
    """A Bradley-Terry fit of all components, and the flow's fixed weights.

    share       float64[P], P(first wins) of Bradley-Terry
    won, met    float64[P], weight won by first, weight of all votes
    """

    total: Tally
    flow: Flow
    is_linear: bool
    share: Floats
    won: Floats
    met: Floats
    weight: Floats
    solver: Potential

    @classmethod
    def of(cls, total: Tally, islands: list[Island], flow: Flow, *, is_linear: bool) -> _Board:
        won = total.weight[FIRST_WON] + 0.5 * total.weight[TIED]
        met = won + total.weight[SECOND_WON] + 0.5 * total.weight[TIED]
        share = np.zeros(met.size)
        for island in islands:
            share[island.pairs] = island.problem.probability(island.solution.theta)
        weight = met * share * (1.0 - share) if flow == "log-odds" else met
        solver = Potential(total.n_items, total.first, total.second, weight)
        return cls(total, flow, is_linear, share, won, met, weight, solver)

    def flow_of(self, won: Floats) -> Floats:
        if self.flow == "share":
            return 2.0 * won / self.met - 1.0
        if self.is_linear:
            return self._expected + (won - self.met * self.share) / self.weight
        return _log_odds(won, self.met)

    @property
    def _expected(self) -> Floats:
        """Bradley-Terry's own log-odds."""
        odds: Floats = np.log(self.share) - np.log1p(-self.share)
        return odds

    @property
    def gradient_noise(self) -> float:
        """Mean energy that binomial noise alone gives the gradient part: items - components for log-odds."""
        variance = self.met * self.share * (1.0 - self.share)
        meat = variance if self.flow == "log-odds" else 4.0 * variance
        return self.solver.trace(meat)

    @property
    def expected_gradient(self) -> float:
        """Energy of the gradient part of Bradley-Terry's own flow, without any noise."""
        flow = self._expected if self.flow == "log-odds" else 2.0 * self.share - 1.0
        return self._parts(flow).gradient

    def parts(self, won: Floats) -> _Parts:
        return self._parts(self.flow_of(won))

    def _parts(self, flow: Floats) -> _Parts:
        gradient = self.solver.gradient_of(flow)
        return _Parts(float(self.weight @ gradient**2), float(self.weight @ (flow - gradient) ** 2))

    def deviance(self, won: Floats, share: Floats) -> float:
        lost = self.met - won
        return float(
            2.0
            * (xlogy(won, won / (self.met * share)) + xlogy(lost, lost / (self.met * (1.0 - share)))).sum()
        )


@dataclass(frozen=True, eq=False)
class _Null:
    """float64[R] each, over draws of the null; empty if there is no cycle to test. No G^2 under signs.

    gradient_noise  mean energy of the gradient part that is noise
    """

    gradient: Floats
    cyclic: Floats
    g2: Floats | None
    gradient_noise: float

    @property
    def cyclic_mean(self) -> float:
        return float(self.cyclic.mean())

    @property
    def share_mean(self) -> float:
        if not self.cyclic.size:
            return 0.0
        return float((self.cyclic / np.maximum(self.cyclic + self.gradient, np.finfo(float).tiny)).mean())

    def standardised(self, observed: float) -> float:
        if not self.cyclic.size:
            return 0.0
        spread = float(self.cyclic.std(ddof=1))
        return (observed - self.cyclic_mean) / spread if spread > 0 else 0.0

    def p_value_energy(self, observed: float) -> float:
        return _p_value(self.cyclic, observed)

    def p_value_g2(self, observed: float) -> float | None:
        return None if self.g2 is None else _p_value(self.g2, observed)


def _p_value(drawn: Floats, observed: float) -> float:
    """(1 + how many draws reach the observed) / (1 + draws); what differs by rounding alone is a tie."""
    reach = drawn >= observed * (1.0 - 1e-9)
    return float((1 + np.count_nonzero(reach)) / (1 + drawn.size))


def _null(
    board: _Board, residual: sparse.csr_array | None, replicates: int, rng: np.random.Generator
) -> _Null:
    parts = np.empty((replicates, 2))
    expected = board.met * board.share
    if residual is not None:
        for replicate in range(replicates):
            sign = rng.integers(2, size=residual.shape[0]) * 2.0 - 1.0
            parts[replicate] = board.parts(expected + residual.T @ sign)
        noise = float(parts[:, 0].mean()) - board.expected_gradient if replicates else 0.0
        return _Null(parts[:, 0], parts[:, 1], None, noise)
    total, variance = board.total, expected * (1.0 - board.share)
    found = triangles(total.n_items, total.first, total.second)
    cycles = cycles_of(total.n_items, total.first, total.second, found.pair, found.sign)
    fibre = Fibre(np.rint(board.met).astype(np.int64), variance, cycles)
    g2 = np.empty(replicates)
    for k, won in enumerate(fibre.draw(np.rint(board.won).astype(np.int64), replicates, rng)):
        # Bradley-Terry's fit depends on the totals alone, so it is the same for every draw.
        parts[k] = board.parts(won.astype(np.float64))
        g2[k] = board.deviance(won.astype(np.float64), board.share)
    return _Null(parts[:, 0], parts[:, 1], g2, board.gradient_noise)


def _residuals(
    ballots: Ballots, comparisons: Comparisons, total: Tally, share: Floats, cluster: Cluster
) -> sparse.csr_array:
    """Sparse float64[G, P], wins of first less those expected, by cluster and pair."""
    code = cluster_codes(ballots, cluster)
    owner = np.arange(comparisons.key.size) if comparisons.ballot is None else comparisons.ballot
    names, row = np.unique(owner if code is None else code[owner], return_inverse=True)
    if total.first.size and names.size < 2:
        raise TooFewClusters(f"{names.size} cluster(s) of {cluster}; the null of signs needs at least 2")
    outcome, pair = np.divmod(cell_of(comparisons, total), max(total.first.size, 1))
    gain = np.where(outcome == FIRST_WON, 1.0, np.where(outcome == SECOND_WON, 0.0, 0.5))
    weight = np.ones(pair.size) if comparisons.weight is None else comparisons.weight
    value = weight * (gain - share[pair])
    shape = (names.size, total.first.size)
    return sparse.csr_array(sparse.coo_array((value, (row, pair)), shape=shape))


def _triads(
    items: tuple[str, ...], board: _Board, residual: sparse.csr_array | None, wanted: int
) -> tuple[tuple[Triad, ...], int]:
    total, won, met = board.total, board.won, board.met
    found = triangles(total.n_items, total.first, total.second)
    if not found.item.size:
        return (), 0
    log_odds = _log_odds(won, met)
    curl = found.around(log_odds)
    error = np.sqrt(_curl_variance(found, won, met, residual))
    p_value = 2.0 * ndtr(-np.abs(curl) / error)
    adjusted = holm(p_value)
    rows = []
    for t in np.lexsort((np.arange(curl.size), -np.abs(curl) / error))[:wanted].tolist():
        # The three pairs along i, j, k; walked the other way round where the sum is negative.
        share = np.where(found.sign[t] > 0, won[found.pair[t]], met[found.pair[t]] - won[found.pair[t]])
        share = share / met[found.pair[t]]
        i, j, k = (items[item] for item in found.item[t].tolist())
        names, order = (i, j, k), [0, 1, 2]
        if curl[t] < 0:
            names, order, share = (i, k, j), [2, 1, 0], 1.0 - share
        shares = tuple(share[order].tolist())
        rows.append(
            Triad(
                items=names,
                curl=float(abs(curl[t])),
                standard_error=float(error[t]),
                z=float(abs(curl[t]) / error[t]),
                p_value=float(p_value[t]),
                p_adjusted=float(adjusted[t]),
                shares=(shares[0], shares[1], shares[2]),
                votes=tuple(met[found.pair[t]][order].tolist()),
                is_cycle=min(shares) > 0.5,
            )
        )
    return tuple(rows), int(curl.size)


def _curl_variance(found: Triangles, won: Floats, met: Floats, residual: sparse.csr_array | None) -> Floats:
    haldane = 1.0 / (won + 0.5) + 1.0 / (met - won + 0.5)
    if residual is None:
        total: Floats = haldane[found.pair].sum(axis=1)
        return total
    share = (won + 0.5) / (met + 1.0)
    slope = 1.0 / (met * share * (1.0 - share))
    scaled = sparse.csr_array(sparse.diags_array(slope) @ residual.T)
    own = np.asarray(scaled.multiply(scaled).sum(axis=1)).reshape(-1)
    variance: Floats = np.maximum(own, haldane)[found.pair].sum(axis=1)
    # In blocks: all pairs against all pairs would not fit in memory on a board of 200 systems.
    for start in range(0, variance.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        for a, b in itertools.combinations(range(3), 2):
            product = scaled[found.pair[block, a]].multiply(scaled[found.pair[block, b]])
            cross = np.asarray(product.sum(axis=1)).reshape(-1)
            variance[block] += 2.0 * found.sign[block, a] * found.sign[block, b] * cross
    return variance


def _log_odds(won: Floats, met: Floats) -> Floats:
    odds: Floats = np.log((won + 0.5) / (met - won + 0.5))
    return odds


def _check(flow: str, ties: str, both_bad: str, replicates: int, level: float, triads: int) -> None:
    if flow not in get_args(Flow):
        raise InvalidSetting(f"flow must be 'log-odds' or 'share', not {flow!r}")
    if ties not in ("ignore", "half"):
        raise InvalidSetting(f"ties must be 'ignore' or 'half', not {ties!r}")
    if both_bad not in ("tie", "drop"):
        raise InvalidSetting(f"both_bad must be 'tie' or 'drop', not {both_bad!r}")
    if replicates < 19:
        raise InvalidSetting(f"a test needs at least 19 draws of its null, not {replicates}")
    if not 0.0 < level < 1.0:
        raise InvalidSetting(f"level must lie between 0 and 1, not {level}")
    if triads < 0:
        raise InvalidSetting(f"triads must not be negative, not {triads}")

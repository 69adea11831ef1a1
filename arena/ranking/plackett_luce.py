"""Plackett-Luce for full and partial rankings, ties by Davidson-Luce. A ballot is never exploded into pairs
for the fit; pairs give the graph, the records and the start.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy import linalg, sparse

from arena.ranking.arrays import Bools, Floats, Ints, sum_by
from arena.ranking.ballots import NOT_COMPARED, Ballots
from arena.ranking.board import Board
from arena.ranking.bradley_terry import described
from arena.ranking.choices import (
    Rankings,
    Stages,
    Terms,
    Untied,
    stage_log_likelihood,
    stage_scores,
    stage_terms,
    stages_of,
)
from arena.ranking.counts import (
    TWO_WAY,
    BothBad,
    Cells,
    Comparisons,
    Tally,
    cluster_codes,
    compare,
    tally,
    usable_ballots,
)
from arena.ranking.errors import (
    BallotTooWide,
    MissingRandomness,
    NotConverged,
    PairsOnly,
    TooFewClusters,
)
from arena.ranking.freedom import Margin, freedom_of
from arena.ranking.graph import Separation, components, separation, strong_components
from arena.ranking.intervals import (
    Bootstrap,
    Interval,
    Sandwich,
    Spread,
    both_ways,
    centred,
    normal_quantile,
    small_sample,
)
from arena.ranking.island import PHANTOM, half_tie_problem
from arena.ranking.newton import TOLERANCE, PairProblem, Solution, laplacian, newton
from arena.ranking.result import SCALE, Ranking
from arena.ranking.scores import Squares, squared_rows
from arena.ranking.settings import check_shared

WIDEST = 500
"""Compared items that a ballot may have at all: the information is summed over all their pairs."""

WIDEST_TIED = 9
"""Compared items a ballot may have where ties are in the model: 511 sets can be chosen out of 9."""

_MAX_STEPS = 60
_LAST_STEP = 0.01
_MAX_HALVINGS = 40
_REUSED = 0.05  # keep a factor while a step shrinks the gradient to this share or less
_REPLICATE_TOLERANCE = 1e-7


@dataclass(frozen=True)
class PlackettLuce:
    """The best set S, of size t, is chosen out of the compared items A with chance proportional to
    delta_t (prod of pi_i over S)^(1/t), delta_1 = 1, over all sets up to the largest tie; then the next out
    of the rest (Plackett 1975; ties: Davidson-Luce, Turner, van Etten, Firth & Kosmidis 2020, Computational
    Statistics 35:1027-1057). pi = exp(theta), score = 400 / ln 10 * theta + anchor. Pairs give Davidson's
    model with nu = delta_2.

    prior           weight of a phantom battle, half a win to each side, added to every observed pair
    anchor_mean     mean score of the rated systems of each component, Elo points
    both_bad        "tie": a ballot called all bad ties all its compared items; "drop": it is left out
    provisional_below   systems with fewer usable ballots are marked provisional

    A slot that is not compared is no part of its ballot. delta_t is fitted for each size of tie that occurs;
    a size that never occurs has chance 0. Components, separated systems and phantoms follow the rules of
    `BradleyTerry`; where the tie parameters have no finite estimate, every observed pair gets the phantom,
    and each size of tie half a ballot that chooses a single item.
    """

    prior: float = 0.0
    anchor_mean: float = 1000.0
    both_bad: BothBad = "tie"
    provisional_below: int = 50

    def __post_init__(self) -> None:
        check_shared(self)

    def fit(
        self, ballots: Ballots, interval: Interval | None = None, rng: np.random.Generator | None = None
    ) -> Ranking:
        """Rate every item of `ballots`. `rng` is needed by a Bootstrap and by nothing else.

        Diagnostics as of `BradleyTerry`, and `tie_parameters` of the largest component: for each size of tie
        `delta` with its bounds.

        Raises PairsOnly (graded ballots), BallotTooWide (ties with more than 9 compared items), NotConverged,
        TooFewClusters, MissingClusters, MissingRandomness.
        """
        if ballots.share is not None:
            raise PairsOnly("graded ballots need a model of pairs: a ranking has no one opposite")
        comparisons = compare(ballots, both_bad=self.both_bad)
        total = tally(comparisons)
        groups = components(total.n_items, total.first, total.second)
        rankings = _rankings(ballots, both_bad=self.both_bad)
        weight = None if ballots.is_unweighted else np.asarray(ballots.weight)
        islands = [_settle(total, group, rankings, weight, len(ballots), self.prior) for group in groups]
        n_clusters, spreads = _spread(ballots, comparisons, total, islands, interval, rng)
        board = Board(ballots.items, self, comparisons, total, islands, spreads, interval)
        diagnostics = board.diagnostics(n_clusters)
        diagnostics["kwise_as_pairs"] = 0
        quantile = 0.0 if interval is None else normal_quantile(interval.level)
        facts = [
            _tie_parameters(island, None if spreads is None else spreads[k], quantile)
            for k, island in enumerate(islands)
        ]
        for component, found in zip(diagnostics["components"], facts, strict=True):
            component["tie_parameters"] = found
        diagnostics["tie_parameters"] = facts[0] if facts else []
        settings: dict[str, Any] = {"model": "plackett-luce", **asdict(self)}
        settings |= {"scale": SCALE, "phantom": PHANTOM, "tolerance": TOLERANCE}
        return Ranking(
            ratings=board.ratings(),
            diagnostics=diagnostics,
            settings=settings | {"interval": described(interval)},
            covariance=board.covariance(),
        )


@dataclass(frozen=True, eq=False)
class _Likelihood:
    """The log-likelihood of one component with its phantoms, in theta float64[n] and ln delta float64[d].

    untied      the fast form, if no ballot has a tie; `stages` the general one otherwise
    weight      float64 by ballot, or None if all are 1
    phantoms    half-tie pairs with the phantom battles
    bounding    stages of phantom ballots that choose a single item, and the weight of each
    """

    n: int
    orders: tuple[int, ...]
    rankings: list[Rankings]
    stages: list[Stages]
    weight: Floats | None
    n_ballots: int
    phantoms: PairProblem
    bounding: list[Stages]

    @property
    def size(self) -> int:
        return self.n + len(self.orders)

    @property
    def choices(self) -> list[Stages]:
        return self.stages or stages_of(self.rankings)

    @property
    def weights(self) -> Floats:
        return np.ones(self.n_ballots) if self.weight is None else self.weight

    def terms(self, x: Floats, *, curved: bool) -> Terms:
        n = self.n
        if self.orders:
            found = stage_terms(n, self.stages, self.orders, x, self.weights, curved=curved)
        else:
            found = Untied(n, self.rankings).terms(x, self.weight, curved=curved)
        gradient, information = found
        probability = self.phantoms.probability(x[:n])
        gradient[:n] += self.phantoms.gradient(probability)
        if information is not None:
            information[:n, :n] += laplacian(
                n, self.phantoms.first, self.phantoms.second, self.phantoms.information(probability)
            )
        for stage in self.bounding:
            share = np.full(self.n_ballots, PHANTOM / stage.item.shape[0])
            more = stage_terms(n, [stage], self.orders, x, share, curved=curved)
            gradient += more.gradient
            if information is not None and more.information is not None:
                information += more.information
        return Terms(gradient, information)

    def log_likelihood(self, x: Floats) -> float:
        """Without phantoms."""
        if self.orders:
            return stage_log_likelihood(self.n, self.stages, self.orders, x, self.weights)
        return Untied(self.n, self.rankings).log_likelihood(x, self.weight)

    def scale(self) -> Floats:
        """float64[n + d], the weight that each gradient is judged against."""
        found, total = self.phantoms.item_weight(), 0.0
        for group in self.rankings:
            share = self.weights[group.ballot]
            for row in group.item:
                found += sum_by(row, share, self.n)
            total += float(share.sum())
        return np.append(found, np.full(len(self.orders), total))

    def factor(self, information: Floats) -> tuple[Floats, bool]:
        n = self.n
        information[:n, :n] += np.trace(information[:n, :n]) / n**2
        try:
            factor: tuple[Floats, bool] = linalg.cho_factor(
                information, lower=True, overwrite_a=True, check_finite=False
            )
        except linalg.LinAlgError as problem:
            raise NotConverged(f"the information matrix is singular: {problem}") from problem
        return factor


@dataclass(frozen=True, eq=False)
class _Island:
    """A connected component with its fit; see `arena.ranking.island.Island`."""

    items: Ints
    pairs: Ints
    first: Ints
    second: Ints
    cells: Floats
    separation: Separation
    crossing: Bools
    likelihood: _Likelihood
    x: Floats
    prior: float
    iterations: int
    gradient_norm: float

    @property
    def solution(self) -> Solution:
        return Solution(self.x[: self.items.size], self.iterations, self.gradient_norm)

    @property
    def is_strongly_connected(self) -> bool:
        return not bool(self.crossing.any())

    @property
    def phantom_pairs(self) -> int:
        return 0 if self.prior > 0 else int(self.likelihood.phantoms.first.size)

    @property
    def log_likelihood(self) -> float:
        return self.likelihood.log_likelihood(self.x)


def _rankings(ballots: Ballots, *, both_bad: BothBad) -> list[Rankings]:
    """The compared items of every usable ballot, best first, one group for each number of them."""
    usable, _ = usable_ballots(ballots, both_bad=both_bad)
    by_size: dict[int, list[Rankings]] = {}
    shared = ballots.size_shared
    for size in np.unique(ballots.sizes).tolist() if shared is None else [shared]:
        if ballots.size_shared == size and usable is None:
            number = np.arange(len(ballots))
            rank = ballots.slot_rank.reshape(-1, size).astype(np.int64)
            item = ballots.slot_item.reshape(-1, size)
        else:
            alike = ballots.sizes == size
            number = np.flatnonzero(alike if usable is None else alike & usable)
            slot = ballots.offsets[number][:, None] + np.arange(size)
            rank, item = ballots.slot_rank[slot].astype(np.int64), ballots.slot_item[slot]
        missing = rank == NOT_COMPARED
        bad = ballots.all_bad[number]
        if bad.any():
            rank[bad] = 1
        if missing.any():
            rank[missing] = np.iinfo(np.int16).max + 1
        key = (rank << 32) | item
        key.sort(axis=1)
        any_missing = bool(missing.any())
        compared = size - missing.sum(axis=1) if any_missing else np.full(1, size)
        for count in np.unique(compared).tolist():
            if count < 2:
                continue
            rows = compared == count if any_missing else slice(None)
            chosen = key[rows, :count].T
            level = chosen >> 32
            starts = np.ones(chosen.shape, dtype=np.bool_)
            starts[1:] = level[1:] != level[:-1]
            found = Rankings(np.ascontiguousarray(chosen & 0xFFFFFFFF), starts, number[rows])
            by_size.setdefault(count, []).append(found)
    return [_joined(groups) for _, groups in sorted(by_size.items())]


def _joined(groups: list[Rankings]) -> Rankings:
    if len(groups) == 1:
        return groups[0]
    return Rankings(
        np.hstack([g.item for g in groups]),
        np.hstack([g.starts for g in groups]),
        np.concatenate([g.ballot for g in groups]),
    )


def _settle(
    total: Tally,
    items: Ints,
    rankings: list[Rankings],
    weight: Floats | None,
    n_ballots: int,
    prior: float,
) -> _Island:
    n = items.size
    position = np.full(total.n_items, -1, dtype=np.int64)
    position[items] = np.arange(n)
    pairs = np.flatnonzero(position[total.first] >= 0)
    first, second = position[total.first[pairs]], position[total.second[pairs]]
    cells = total.weight[:, pairs]
    state = separation(n, first, second, cells)
    crossing = state.strong[first] != state.strong[second]
    own = rankings if n == total.n_items else _within(rankings, position)
    if max((group.item.shape[0] for group in own), default=0) > WIDEST:
        raise BallotTooWide(f"rankings may compare at most {WIDEST} items")
    orders = _orders(own)
    if orders and max(group.item.shape[0] for group in own) > WIDEST_TIED:
        raise BallotTooWide(f"rankings with ties may compare at most {WIDEST_TIED} items")
    phantom = np.full(pairs.size, prior) if prior > 0 else np.where(crossing, PHANTOM, 0.0)
    likelihood = _Likelihood(
        n,
        orders,
        own,
        stages_of(own) if orders else [],
        weight,
        n_ballots,
        _phantoms(n, first, second, phantom),
        [],
    )
    start = newton(half_tie_problem(n, first, second, cells, phantom)).theta
    x = np.append(start, np.zeros(len(orders)))
    try:
        x, steps, norm = _climb(likelihood, x)
    except NotConverged:
        if not orders:
            raise
        likelihood = replace(
            likelihood,
            phantoms=_phantoms(n, first, second, np.maximum(phantom, PHANTOM)),
            bounding=_bounding(likelihood),
        )
        x, steps, norm = _climb(likelihood, x)
    return _Island(items, pairs, first, second, cells, state, crossing, likelihood, x, prior, steps, norm)


def _phantoms(n: int, first: Ints, second: Ints, phantom: Floats) -> PairProblem:
    some = phantom > 0
    return PairProblem(n, first[some], second[some], 0.5 * phantom[some], phantom[some])


def _bounding(likelihood: _Likelihood) -> list[Stages]:
    """For each size of tie one choice in which it was seen, once for each single item chosen instead."""
    found = []
    for order in likelihood.orders:
        stage = next(stage for stage in likelihood.stages if stage.chosen == order)
        items = stage.item[:, 0]
        rows = np.stack([np.roll(items, -shift) for shift in range(items.size)], axis=1)
        found.append(Stages(rows, 1, np.zeros(items.size, dtype=np.int64)))
    return found


def _within(rankings: list[Rankings], position: Ints) -> list[Rankings]:
    found = []
    for group in rankings:
        item = position[group.item]
        own = item[0] >= 0
        if own.any():
            found.append(Rankings(item[:, own], group.starts[:, own], group.ballot[own]))
    return found


def _orders(rankings: list[Rankings]) -> tuple[int, ...]:
    found: set[int] = set()
    for group in rankings:
        if group.is_untied:
            continue
        length = np.ones(group.ballot.size, dtype=np.int64)
        for row in group.starts[1:]:
            found.update(np.unique(length[row]).tolist())
            length = np.where(row, 1, length + 1)
        found.update(np.unique(length).tolist())
    return tuple(sorted(found - {1}))


def _climb(
    likelihood: _Likelihood,
    start: Floats,
    factor: tuple[Floats, bool] | None = None,
    *,
    tolerance: float = TOLERANCE,
) -> tuple[Floats, int, float]:
    """Newton on a concave function; a factor is kept while it contracts fast, and a step is halved while it
    overshoots the maximum along its line by more than half the first slope. Raises NotConverged.
    """
    x, scale = start, likelihood.scale()
    found = likelihood.terms(x, curved=factor is None)
    norm, moved = float(np.max(np.abs(found.gradient) / scale)), 0.0
    for steps in range(_MAX_STEPS + 1):
        if norm <= tolerance and moved <= _LAST_STEP:
            theta = x[: likelihood.n]
            return np.append(theta - theta.mean(), x[likelihood.n :]), steps, norm
        if factor is None:
            information = found.information
            if information is None:
                information = likelihood.terms(x, curved=True).information
            assert information is not None  # noqa: S101 - asked for with curved=True
            factor = likelihood.factor(information)
        gradient = found.gradient
        step = linalg.cho_solve(factor, gradient, check_finite=False)
        slope = float(gradient @ step)
        for _ in range(_MAX_HALVINGS):
            found = likelihood.terms(x + step, curved=False)
            if float(found.gradient @ step) >= -0.5 * slope:
                break
            step, slope = 0.5 * step, 0.5 * slope
        x, moved = x + step, float(np.max(np.abs(step)))
        reached = float(np.max(np.abs(found.gradient) / scale))
        if not np.isfinite(reached):
            break
        if reached > _REUSED * norm:
            factor = None
        norm = reached
    raise NotConverged(f"gradient per weight {norm:.3g} after {steps} Newton steps, wanted {tolerance:.3g}")


def _spread(
    ballots: Ballots,
    comparisons: Comparisons,
    total: Tally,
    islands: list[_Island],
    interval: Interval | None,
    rng: np.random.Generator | None,
) -> tuple[int | None, list[Spread] | None]:
    if interval is None:
        return None, None
    if isinstance(interval, Bootstrap) and rng is None:
        raise MissingRandomness("a bootstrap needs rng=numpy.random.default_rng(seed)")
    if interval.cluster == TWO_WAY:
        return both_ways(
            interval, lambda one_way: _spread(ballots, comparisons, total, islands, one_way, rng)
        )
    code = cluster_codes(ballots, interval.cluster)
    code = np.arange(len(ballots)) if code is None else code
    used = np.zeros(len(ballots), dtype=np.bool_)
    for island in islands:
        for group in island.likelihood.rankings:
            used[group.ballot] = True
    names, short = np.unique(code[used], return_inverse=True)
    if names.size < 2:
        raise TooFewClusters(f"{names.size} cluster(s) of {interval.cluster}; an interval needs at least 2")
    cluster = np.zeros(len(ballots), dtype=np.int64)
    cluster[used] = short
    if isinstance(interval, Sandwich):
        return names.size, [_sandwich(island, cluster, names.size) for island in islands]
    assert rng is not None  # noqa: S101 - checked above
    draws = _Replicates(ballots, comparisons, total, islands, cluster, names.size)
    return names.size, draws.spreads(interval.replicates, rng)


@dataclass(frozen=True, eq=False)
class _Clusters:
    """How many clusters touch a component, which items two or more of them met, and their squared scores."""

    count: int
    known: Bools
    squares: Squares


def _sandwich(island: _Island, cluster: Ints, n_clusters: int) -> Spread:
    likelihood, x = island.likelihood, island.x
    n = likelihood.n
    clusters = _clusters(island, cluster, n_clusters)
    meat = clusters.squares.scores + _lone_information(island)
    phantoms = likelihood.phantoms
    share = phantoms.information(phantoms.probability(x[:n]))
    meat[:n, :n] += laplacian(n, phantoms.first, phantoms.second, share)
    factor = _factor_at(likelihood, x)
    half = linalg.cho_solve(factor, meat, check_finite=False)
    covariance = linalg.cho_solve(factor, half.T, check_finite=False)
    return _spread_of(covariance, n, clusters, 0)


def _spread_of(covariance: Floats, n: int, clusters: _Clusters, separated: int) -> Spread:
    freedom = freedom_of(clusters.squares.shares)
    of_orders = zip(np.diag(covariance)[n:].tolist(), freedom[n:].tolist(), strict=True)
    return Spread(
        centred(covariance[:n, :n]),
        freedom[:n],
        clusters.known,
        clusters.count,
        separated,
        orders=tuple(Margin(*margin) for margin in of_orders),
    )


def _clusters(island: _Island, cluster: Ints, n_clusters: int) -> _Clusters:
    """The clusters' scores; 0 of choices across strong components, whose outcomes are all alike."""
    likelihood, x = island.likelihood, island.x
    size, n = likelihood.size, likelihood.n
    if not likelihood.orders and island.is_strongly_connected:
        entries = list(Untied(n, likelihood.rankings).scores(x, likelihood.weight))
    else:
        inside, across = _parted(likelihood.choices, island.separation.strong)
        orders, weight = likelihood.orders, likelihood.weights
        entries = list(stage_scores(n, inside, orders, x, weight))
        # Keep every (cluster, item) that met, for the count of clusters, at no score.
        entries += list(stage_scores(n, across, orders, x, np.zeros_like(weight)))
    row = np.concatenate([cluster[entry.ballot] for entry in entries])
    column = np.concatenate([entry.column for entry in entries])
    value = np.empty(row.size, dtype=np.complex128)
    value.real = np.concatenate([entry.value for entry in entries])
    value.imag = np.concatenate([entry.information for entry in entries])
    scores = sparse.csr_array(sparse.coo_array((value, (row, column)), shape=(n_clusters, size)))
    met = np.bincount(scores.indices, minlength=n)[:n]
    return _Clusters(int((np.diff(scores.indptr) > 0).sum()), met > 1, squared_rows(scores))


def _lone_information(island: _Island) -> Floats:
    """float64[size, size], the model's own information on choices across strong components."""
    likelihood = island.likelihood
    if island.is_strongly_connected:
        return np.zeros((likelihood.size, likelihood.size))
    _, across = _parted(likelihood.choices, island.separation.strong)
    terms = stage_terms(likelihood.n, across, likelihood.orders, island.x, likelihood.weights, curved=True)
    assert terms.information is not None  # noqa: S101 - asked for with curved=True
    return terms.information


def _factor_at(likelihood: _Likelihood, x: Floats) -> tuple[Floats, bool]:
    information = likelihood.terms(x, curved=True).information
    assert information is not None  # noqa: S101 - asked for with curved=True
    return likelihood.factor(information)


def _parted(stages: list[Stages], strong: Ints) -> tuple[list[Stages], list[Stages]]:
    """Choices inside one strong component, and those across, whose outcomes are all alike."""
    inside: list[Stages] = []
    across: list[Stages] = []
    for stage in stages:
        label = strong[stage.item]
        same = (label == label[0]).all(axis=0)
        for rows, place in ((same, inside), (~same, across)):
            if rows.any():
                place.append(Stages(stage.item[:, rows], stage.chosen, stage.ballot[rows]))
    return inside, across


@dataclass(frozen=True, eq=False)
class _Replicates:
    """Refits after drawing clusters with replacement; all components share the draws."""

    ballots: Ballots
    comparisons: Comparisons
    total: Tally
    islands: list[_Island]
    cluster: Ints
    n_clusters: int

    def spreads(self, replicates: int, rng: np.random.Generator) -> list[Spread]:
        factors = [_factor_at(island.likelihood, island.x) for island in self.islands]
        draws = [np.empty((replicates, island.x.size)) for island in self.islands]
        separated = [0] * len(self.islands)
        tallied = Cells.of(self.comparisons, self.total)
        for replicate in range(replicates):
            drawn = rng.integers(self.n_clusters, size=self.n_clusters)
            times = np.bincount(drawn, minlength=self.n_clusters)
            weight = times[self.cluster] * self.ballots.weight
            cells = tallied.weigh(weight)
            for k, island in enumerate(self.islands):
                likelihood, lone = _replicate(island, weight, cells[:, island.pairs])
                separated[k] += lone
                try:
                    found = _climb(likelihood, island.x, factors[k], tolerance=_REPLICATE_TOLERANCE)
                except NotConverged:
                    if not likelihood.orders:
                        raise
                    bounded = _bounded(island, likelihood)
                    found = _climb(bounded, island.x, tolerance=_REPLICATE_TOLERANCE)
                draws[k][replicate] = found[0]
        spreads = []
        for k, island in enumerate(self.islands):
            clusters = _clusters(island, self.cluster, self.n_clusters)
            covariance = np.atleast_2d(np.cov(draws[k], rowvar=False)) * small_sample(clusters.count)
            # What resampling cannot show.
            half = linalg.cho_solve(factors[k], _lone_information(island), check_finite=False)
            covariance += linalg.cho_solve(factors[k], half.T, check_finite=False)
            spreads.append(_spread_of(covariance, island.items.size, clusters, separated[k]))
        return spreads


def _replicate(island: _Island, weight: Floats, cells: Floats) -> tuple[_Likelihood, bool]:
    likelihood, separated = replace(island.likelihood, weight=weight), False
    if island.prior == 0 and bool(((cells > 0) != (island.cells > 0)).any()):
        strong = strong_components(island.items.size, island.first, island.second, cells)
        crossing = strong[island.first] != strong[island.second]
        separated = bool((crossing & ~island.crossing).any())
        phantom = np.where(crossing, PHANTOM, 0.0)
        pairs = _phantoms(island.items.size, island.first, island.second, phantom)
        if not island.likelihood.bounding:
            likelihood = replace(likelihood, phantoms=pairs)
    return likelihood, separated


def _bounded(island: _Island, likelihood: _Likelihood) -> _Likelihood:
    every = np.full(island.first.size, max(island.prior, PHANTOM))
    return replace(
        likelihood,
        phantoms=_phantoms(island.items.size, island.first, island.second, every),
        bounding=_bounding(likelihood),
    )


def _tie_parameters(island: _Island, spread: Spread | None, quantile: float) -> list[dict[str, Any]]:
    n, rows = island.items.size, []
    for place, order in enumerate(island.likelihood.orders):
        value = float(island.x[n + place])
        row: dict[str, Any] = {"size": order, "delta": math.exp(value), "low": None, "high": None}
        if spread is not None:
            width = spread.orders[place].width(quantile)
            row |= {"low": math.exp(value - width), "high": math.exp(value + width)}
        rows.append(row)
    return rows

"""The Bradley-Terry model on pair counts, ties as half a win to each side."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from arena.ranking.arrays import Bools, Floats, Ints, sum_by
from arena.ranking.ballots import Ballots
from arena.ranking.counts import (
    FIRST_WON,
    SECOND_WON,
    TIED,
    BothBad,
    Comparisons,
    Tally,
    compare,
    split,
    tally,
)
from arena.ranking.errors import InvalidSetting, MissingRandomness, TooFewClusters
from arena.ranking.graph import components
from arena.ranking.intervals import (
    Bootstrap,
    Interval,
    Sandwich,
    Spread,
    bootstrap,
    normal_quantile,
    rank_interval,
    sandwich,
)
from arena.ranking.island import PHANTOM, Island, settle
from arena.ranking.newton import TOLERANCE
from arena.ranking.result import SCALE, Covariance, Ranking, Rating


@dataclass(frozen=True)
class BradleyTerry:
    """P(i beats j) = 1 / (1 + exp(theta_j - theta_i)) (Bradley & Terry 1952), score = 400 / ln 10 * theta +
    anchor.

    ties            "half": a tie is half a win to each side
    prior           weight of a drawn phantom battle added to every observed pair; 0 = plain maximum
                    likelihood
    anchor_mean     mean score of the rated systems of each component, Elo points
    both_bad        "tie": all compared pairs of a ballot called all bad are ties; "drop": the ballot is left
                    out
    provisional_below   systems with fewer usable ballots are marked provisional

    Each connected component is fitted on its own and never compared with another. Where no finite estimate
    exists, and only there, half a drawn battle is added to every observed pair between two strong components
    (`Rating.separated`). A ballot with more than two compared slots is read as its compared pairs, which one
    ballot's cluster keeps together; the diagnostics count such ballots (`kwise_as_pairs`).
    """

    ties: Literal["half"] = "half"
    prior: float = 0.0
    anchor_mean: float = 1000.0
    both_bad: BothBad = "tie"
    provisional_below: int = 50

    def __post_init__(self) -> None:
        if self.ties != "half":
            raise InvalidSetting(f"ties must be 'half', not {self.ties!r}")
        if self.both_bad not in ("tie", "drop"):
            raise InvalidSetting(f"both_bad must be 'tie' or 'drop', not {self.both_bad!r}")
        if not (math.isfinite(self.prior) and self.prior >= 0):
            raise InvalidSetting(f"prior must be finite and not negative, not {self.prior}")
        if not math.isfinite(self.anchor_mean):
            raise InvalidSetting(f"anchor_mean must be finite, not {self.anchor_mean}")
        if self.provisional_below < 0:
            raise InvalidSetting(f"provisional_below must not be negative, not {self.provisional_below}")

    def fit(
        self, ballots: Ballots, interval: Interval | None = None, rng: np.random.Generator | None = None
    ) -> Ranking:
        """Rate every item of `ballots`. `rng` is needed by a Bootstrap and by nothing else.

        Diagnostics: `converged` (always true: failure raises), `iterations` (most of any component),
        `gradient_norm` (largest gradient per item weight), `log_likelihood` (natural logarithm, without
        phantoms), `n_ballots` (usable), `n_comparisons` (compared pairs), `n_pairs` (different pairs of
        systems), `n_all_bad`, `kwise_as_pairs`, `dropped` (unused ballots by reason), `components` (largest
        first), `strongly_connected`, `phantom_pairs`, `clusters` (independent clusters of the interval, or
        None), `unbounded` (systems met by only one cluster, whose bounds are infinite),
        `separated_replicates` (bootstrap only).

        Raises NotConverged, TooFewClusters, MissingClusters, MissingRandomness.
        """
        comparisons = compare(ballots, both_bad=self.both_bad)
        total = tally(comparisons)
        groups = components(total.n_items, total.first, total.second)
        islands = [settle(total, group, prior=self.prior) for group in groups]
        n_clusters, spreads = _spread(ballots, comparisons, total, islands, interval, rng)
        board = _Board(ballots.items, self, comparisons, total, islands, spreads, interval)
        return Ranking(
            ratings=board.ratings(),
            diagnostics=board.diagnostics(n_clusters),
            settings=self._settings(interval),
            covariance=board.covariance(),
        )

    def _settings(self, interval: Interval | None) -> dict[str, Any]:
        settings: dict[str, Any] = {"model": "bradley-terry", **asdict(self)}
        settings |= {"scale": SCALE, "phantom": PHANTOM, "tolerance": TOLERANCE, "interval": None}
        if interval is not None:
            settings["interval"] = {"kind": type(interval).__name__.lower(), **asdict(interval)}
        return settings


def _spread(
    ballots: Ballots,
    comparisons: Comparisons,
    total: Tally,
    islands: list[Island],
    interval: Interval | None,
    rng: np.random.Generator | None,
) -> tuple[int | None, list[Spread] | None]:
    if interval is None:
        return None, None
    if isinstance(interval, Bootstrap) and rng is None:
        raise MissingRandomness("a bootstrap needs rng=numpy.random.default_rng(seed)")
    sums = split(ballots, comparisons, total, cluster=interval.cluster)
    if sums.n_clusters < 2:
        raise TooFewClusters(
            f"{sums.n_clusters} cluster(s) of {interval.cluster}; an interval needs at least 2"
        )
    if isinstance(interval, Sandwich):
        return sums.n_clusters, [sandwich(island, sums) for island in islands]
    assert rng is not None  # noqa: S101 - checked above
    return sums.n_clusters, bootstrap(islands, sums, replicates=interval.replicates, rng=rng)


@dataclass(frozen=True, eq=False)
class _Board:
    """Puts the islands' estimates together into rows."""

    items: tuple[str, ...]
    model: BradleyTerry
    comparisons: Comparisons
    total: Tally
    islands: list[Island]
    spreads: list[Spread] | None
    interval: Interval | None

    def ratings(self) -> tuple[Rating, ...]:
        records = self._records()
        rows: list[Rating] = []
        for component in range(len(self.islands)):
            rows += sorted(self._component(component, records), key=lambda r: (-(r.score or 0.0), r.item))
        rated = {row.item for row in rows}
        unrated = [i for i, item in enumerate(self.items) if item not in rated]
        rows += [self._row(i, records, None) for i in sorted(unrated, key=lambda i: self.items[i])]
        return tuple(rows)

    def _component(self, component: int, records: Ints) -> list[Rating]:
        island = self.islands[component]
        score = SCALE * island.solution.theta + self.model.anchor_mean
        bounds = self._bounds(component, score)
        ranks = None if bounds is None else rank_interval(*bounds)
        rows = []
        for position, item in enumerate(island.items.tolist()):
            rows.append(
                self._row(
                    item,
                    records,
                    component,
                    score=float(score[position]),
                    low=None if bounds is None else float(bounds[0][position]),
                    high=None if bounds is None else float(bounds[1][position]),
                    rank_low=None if ranks is None else int(ranks.low[position]),
                    rank_high=None if ranks is None else int(ranks.high[position]),
                    separated=bool(island.separation.is_separated[position]),
                )
            )
        return rows

    def _row(
        self,
        item: int,
        records: Ints,
        component: int | None,
        *,
        score: float | None = None,
        low: float | None = None,
        high: float | None = None,
        rank_low: int | None = None,
        rank_high: int | None = None,
        separated: bool = False,
    ) -> Rating:
        n = int(self.total.ballots_of[item])
        wins, ties, losses = (int(value) for value in records[:, item])
        return Rating(
            item=self.items[item],
            score=score,
            low=low,
            high=high,
            rank_low=rank_low,
            rank_high=rank_high,
            n=n,
            wins=wins,
            ties=ties,
            losses=losses,
            component=component,
            separated=separated,
            provisional=n < self.model.provisional_below,
        )

    def _records(self) -> Ints:
        """int64[3, n]: wins, ties and losses of every item, in compared pairs."""
        first, second, events, n = self.total.first, self.total.second, self.total.events, self.total.n_items

        def per_item(at_first: int, at_second: int) -> Floats:
            return sum_by(first, events[at_first], n) + sum_by(second, events[at_second], n)

        rows = [per_item(FIRST_WON, SECOND_WON), per_item(TIED, TIED), per_item(SECOND_WON, FIRST_WON)]
        return np.rint(np.stack(rows)).astype(np.int64)

    def _bounds(self, component: int, score: Floats) -> tuple[Floats, Floats] | None:
        if self.spreads is None or self.interval is None:
            return None
        spread, state = self.spreads[component], self.islands[component].separation
        width = (
            normal_quantile(self.interval.level)
            * SCALE
            * np.sqrt(np.maximum(np.diag(spread.covariance), 0.0))
        )
        has_prior = self.model.prior > 0
        open_below: Bools = ~spread.is_known | (state.no_floor & (not has_prior))
        open_above: Bools = ~spread.is_known | (state.no_ceiling & (not has_prior))
        return np.where(open_below, -np.inf, score - width), np.where(open_above, np.inf, score + width)

    def covariance(self) -> Covariance | None:
        if self.spreads is None or self.interval is None:
            return None
        n = len(self.items)
        matrix, strong, seen = np.zeros((n, n)), np.full(n, -1, dtype=np.int64), 0
        for island, spread in zip(self.islands, self.spreads, strict=True):
            matrix[np.ix_(island.items, island.items)] = SCALE**2 * spread.covariance
            strong[island.items] = seen + island.separation.strong
            seen += int(island.separation.strong.max()) + 1
        return Covariance(self.items, matrix, strong, normal_quantile(self.interval.level))

    def diagnostics(self, n_clusters: int | None) -> dict[str, Any]:
        islands, comparisons, spreads = self.islands, self.comparisons, self.spreads
        values: dict[str, Any] = {
            "converged": True,
            "iterations": max((island.solution.iterations for island in islands), default=0),
            "gradient_norm": max((island.solution.gradient_norm for island in islands), default=0.0),
            "log_likelihood": sum(_log_likelihood(island) for island in islands),
            "n_ballots": comparisons.n_ballots,
            "n_comparisons": int(comparisons.key.size),
            "n_pairs": int(self.total.first.size),
            "n_all_bad": comparisons.n_all_bad,
            "kwise_as_pairs": comparisons.kwise_as_pairs,
            "dropped": dict(comparisons.dropped),
            "components": [self._component_facts(component) for component in range(len(islands))],
            "strongly_connected": all(island.is_strongly_connected for island in islands),
            "phantom_pairs": sum(island.phantom_pairs for island in islands),
            "clusters": n_clusters,
        }
        if spreads is not None:
            values["unbounded"] = sorted(
                self.items[item]
                for island, spread in zip(islands, spreads, strict=True)
                for item in island.items[~spread.is_known].tolist()
            )
        if spreads is not None and isinstance(self.interval, Bootstrap):
            values["separated_replicates"] = max(
                (spread.separated_replicates for spread in spreads), default=0
            )
        return values

    def _component_facts(self, component: int) -> dict[str, Any]:
        island = self.islands[component]
        return {
            "items": [self.items[item] for item in island.items.tolist()],
            "strongly_connected": island.is_strongly_connected,
            "phantom_pairs": island.phantom_pairs,
            "clusters": None if self.spreads is None else self.spreads[component].n_clusters,
        }


def _log_likelihood(island: Island) -> float:
    problem = island.problem
    if not island.phantom.any():
        return problem.log_likelihood(island.solution.theta)
    bare = type(problem)(
        problem.n,
        problem.first,
        problem.second,
        problem.won - 0.5 * island.phantom,
        problem.total - island.phantom,
    )
    return bare.log_likelihood(island.solution.theta)

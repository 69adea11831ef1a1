"""The Bradley-Terry model on pair counts, with every reading of ties and of "both bad"."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from arena.ranking.ballots import Ballots
from arena.ranking.board import Board
from arena.ranking.counts import TWO_WAY, BothBad, Breaking
from arena.ranking.errors import (
    FlipRateTooHigh,
    IncompatibleTies,
    InvalidSetting,
    MissingRandomness,
    NotConverged,
    TooFewClusters,
)
from arena.ranking.fixed_point import newman, zermelo
from arena.ranking.graph import components
from arena.ranking.intervals import (
    Bootstrap,
    Interval,
    Sandwich,
    Spread,
    both_ways,
    normal_quantile,
    sandwich,
)
from arena.ranking.island import PHANTOM, Island, Solve, TieSetting, settle
from arena.ranking.newton import TOLERANCE, newton
from arena.ranking.resampling import bootstrap
from arena.ranking.result import SCALE, Ranking
from arena.ranking.settings import check_shared
from arena.ranking.sufficient import Reading, Statistics
from arena.ranking.tie_models import Davidson, GroundedRaoKupper, RaoKupper, TieModel, Tobt

Ties = Literal["half", "davidson", "rao-kupper", "tobt", "ignore"]
"""How a tie is read: see `BradleyTerry`."""

Solver = Literal["newton", "newman", "zermelo"]

_SOLVERS: dict[str, Solve] = {"newton": newton, "newman": newman, "zermelo": zermelo}
_TIE_MODELS: dict[str, TieModel] = {"davidson": Davidson(), "rao-kupper": RaoKupper(), "tobt": Tobt()}


@dataclass(frozen=True)
class BradleyTerry:
    """P(i beats j) = 1 / (1 + exp(theta_j - theta_i)) among the votes that decide (Bradley & Terry 1952),
    score = 400 / ln 10 * theta + anchor.

    ties            "half": a tie is half a win to each side; simple, but it draws the scores together
                    "davidson": pi_i : pi_j : nu sqrt(pi_i pi_j) for win, loss, tie (Davidson 1970)
                    "rao-kupper": P(i beats j) = pi_i / (pi_i + phi pi_j) (Rao & Kupper 1967)
                    "tobt": Rao-Kupper's with phi = exp(alpha), alpha as in TODO (Guo et al. 2024)
                    "ignore": ties are left out
    prior           weight of a phantom battle, half a win to each side, added to every observed pair; 0 =
                    plain maximum likelihood
    anchor_mean     mean score of the rated systems of each component, Elo points
    both_bad        "tie": all compared pairs of a ballot called all bad are ties; "drop": the ballot is left
                    out; "grounded": an outcome of its own, which sets an absolute line of usefulness (with
                    "rao-kupper" only; `arena.ranking.tie_models.GroundedRaoKupper`)
    provisional_below   systems with fewer usable ballots are marked provisional
    tie_threshold   alpha of "tobt", if it is not to be fitted (0.5 in the paper)
    flip_rate       e, the chance below 1/2 that a decided vote was given the wrong way round: each counts
                    (1 - e) / (1 - 2 e) for its winner and -e / (1 - 2 e) for its loser, which in the mean
                    over flips is what was meant (rDPO, Chowdhury et al. 2024, arXiv:2403.00409)
    breaking        which pairs a ranking of three or more is read as: "full", all; "adjacent", neighbours in
                    the order and ties only; "halving", all, a pair d levels apart with the weight 2^(1 - d).
                    A local and a list-wise composite likelihood after RankList; "adjacent" is not consistent
                    under Plackett-Luce (Azari Soufiani, Parkes & Xia 2014), use it where neighbours were
                    compared
    solver          "newton"; "newman" and "zermelo" reach the same maximum by fixed points
                    (`arena.ranking.fixed_point`)

    A flip rate and the fixed points go with ties "half" or "ignore" only.

    Each connected component is fitted on its own and never compared with another. Where no finite estimate
    exists, and only there, half a phantom battle is added to every observed pair between two strong
    components (`Rating.separated`); if only the tie parameter has none, to every observed pair. A ballot with
    more than two compared slots is read as its compared pairs, which one ballot's cluster keeps together; the
    diagnostics count such ballots (`kwise_as_pairs`).
    """

    ties: Ties = "half"
    prior: float = 0.0
    anchor_mean: float = 1000.0
    both_bad: BothBad = "tie"
    provisional_below: int = 50
    tie_threshold: float | None = None
    flip_rate: float = 0.0
    solver: Solver = "newton"
    breaking: Breaking = "full"

    def __post_init__(self) -> None:
        if self.ties not in get_args(Ties):
            raise InvalidSetting(f"ties must be one of {', '.join(get_args(Ties))}, not {self.ties!r}")
        check_shared(self, both_bad=get_args(BothBad))
        if self.both_bad == "grounded" and self.ties != "rao-kupper":
            raise IncompatibleTies(f"both_bad='grounded' needs ties='rao-kupper', not {self.ties!r}")
        if self.tie_threshold is not None and self.ties != "tobt":
            raise IncompatibleTies(f"tie_threshold belongs to ties='tobt', not {self.ties!r}")
        if self.tie_threshold is not None and not (
            math.isfinite(self.tie_threshold) and self.tie_threshold > 0
        ):
            raise InvalidSetting(f"tie_threshold must be finite and above 0, not {self.tie_threshold}")
        if not 0.0 <= self.flip_rate < 0.5:
            raise InvalidSetting(f"flip_rate must lie between 0 and below 1/2, not {self.flip_rate}")
        if self.solver not in _SOLVERS:
            raise InvalidSetting(f"solver must be one of {', '.join(_SOLVERS)}, not {self.solver!r}")
        if self.breaking not in get_args(Breaking):
            raise InvalidSetting(
                f"breaking must be one of {', '.join(get_args(Breaking))}, not {self.breaking!r}"
            )
        if self.ties not in ("half", "ignore") and (self.flip_rate or self.solver != "newton"):
            raise IncompatibleTies(
                f"flip_rate and solvers but Newton's need ties='half' or 'ignore', not {self.ties!r}"
            )

    def fit(
        self, ballots: Ballots, interval: Interval | None = None, rng: np.random.Generator | None = None
    ) -> Ranking:
        """Rate every item of `ballots`. `rng` is needed by a Bootstrap and by nothing else.

        Diagnostics: `converged` (always true: failure raises), `iterations` (most of any component),
        `gradient_norm` (largest gradient per item weight), `log_likelihood` (natural logarithm, without
        phantoms), `n_ballots` (usable), `n_comparisons` (compared pairs), `n_pairs` (different pairs of
        systems), `n_all_bad`, `kwise_as_pairs`, `dropped` (unused ballots by reason), `components` (largest
        first), `strongly_connected`, `phantom_pairs`, `clusters` (independent clusters of the interval, or
        None), `freedom` (the least degrees of freedom of a system's bounds; 1 more is its effective number of
        clusters), `unbounded` (systems met by only one cluster, whose bounds are infinite),
        `separated_replicates` (bootstrap only). With a model of ties, `tie_parameter` of the largest
        component (name, estimate, low, high, and the chance of a tie between equals) and, grounded, `ground`
        (the score of the line of usefulness, low, high); each component carries its own.

        Raises NotConverged, FlipRateTooHigh, TooFewClusters, MissingClusters, MissingRandomness.
        """
        clusters = () if interval is None else (interval.cluster,)
        return self.fit_statistics(self.statistics(ballots, clusters=clusters), interval=interval, rng=rng)

    def statistics(self, ballots: Ballots, *, clusters: Iterable[str] = ()) -> Statistics:
        """What `fit` needs of the ballots. It can be kept, and new ballots' statistics added to it
        (`arena.ranking.sufficient.Statistics.plus`): a fit then costs as much as the table of pairs is large,
        however many votes it holds.

        Raises MissingClusters, InvalidSetting.
        """
        reading = Reading(self.both_bad, self.ties == "ignore", self.flip_rate, self.breaking)
        return Statistics.of(ballots, reading, clusters=clusters)

    def fit_statistics(
        self,
        statistics: Statistics,
        interval: Interval | None = None,
        rng: np.random.Generator | None = None,
    ) -> Ranking:
        """The same as `fit`, from kept statistics.

        Raises what `fit` raises, and MissingClusters if they were not kept by the interval's clusters.
        """
        total = statistics.total
        groups = components(total.n_items, total.first, total.second)
        setting, solve = self._tie_setting(), _SOLVERS[self.solver]
        try:
            islands = [
                settle(total, group, prior=self.prior, setting=setting, solve=solve) for group in groups
            ]
            n_clusters, spreads = _spread(statistics, islands, interval, rng)
        except NotConverged as problem:
            if not self.flip_rate:
                raise
            raise FlipRateTooHigh(
                f"at a flip rate of {self.flip_rate} no finite scores exist: some system won or lost more "
                f"often than flips alone allow ({problem})"
            ) from problem
        board = Board(statistics.items, self, statistics.facts, total, islands, spreads, interval)
        diagnostics = board.diagnostics(n_clusters)
        if setting is not None:
            facts = [
                _tie_facts(island, None if spreads is None else spreads[k], interval, self.anchor_mean)
                for k, island in enumerate(islands)
            ]
            for component, found in zip(diagnostics["components"], facts, strict=True):
                component.update(found)
            nothing = {"tie_parameter": None, "ground": None}
            diagnostics.update(facts[0] if facts else nothing)
        return Ranking(
            ratings=board.ratings(),
            diagnostics=diagnostics,
            settings=self._settings(interval),
            covariance=board.covariance(),
        )

    def _tie_setting(self) -> TieSetting | None:
        if self.both_bad == "grounded":
            return TieSetting(GroundedRaoKupper())
        model = _TIE_MODELS.get(self.ties)
        if model is None:
            return None
        return TieSetting(model, None if self.tie_threshold is None else model.internal(self.tie_threshold))

    def _settings(self, interval: Interval | None) -> dict[str, Any]:
        settings: dict[str, Any] = {"model": "bradley-terry", **asdict(self)}
        settings |= {"scale": SCALE, "phantom": PHANTOM, "tolerance": TOLERANCE}
        return settings | {"interval": described(interval)}


def described(interval: Interval | None) -> dict[str, Any] | None:
    """An interval's settings as JSON values."""
    if interval is None:
        return None
    return {"kind": type(interval).__name__.lower(), **asdict(interval)}


def _spread(
    statistics: Statistics,
    islands: list[Island],
    interval: Interval | None,
    rng: np.random.Generator | None,
) -> tuple[int | None, list[Spread] | None]:
    if interval is None:
        return None, None
    if isinstance(interval, Bootstrap) and rng is None:
        raise MissingRandomness("a bootstrap needs rng=numpy.random.default_rng(seed)")
    if interval.cluster == TWO_WAY:
        return both_ways(interval, lambda one_way: _spread(statistics, islands, one_way, rng))
    sums = statistics.by(interval.cluster)
    if sums.n_clusters < 2:
        raise TooFewClusters(
            f"{sums.n_clusters} cluster(s) of {interval.cluster}; an interval needs at least 2"
        )
    if isinstance(interval, Sandwich):
        return sums.n_clusters, [sandwich(island, sums) for island in islands]
    assert rng is not None  # noqa: S101 - checked above
    return sums.n_clusters, bootstrap(islands, sums, replicates=interval.replicates, rng=rng)


def _tie_facts(
    island: Island, spread: Spread | None, interval: Interval | None, anchor_mean: float
) -> dict[str, Any]:
    assert island.tied is not None  # noqa: S101 - only called with a model of ties
    problem, solution = island.tied.problem, island.tied.solution
    quantile = 0.0 if interval is None else normal_quantile(interval.level)
    return {
        "tie_parameter": _tie_parameter(problem.model, solution.beta, spread, quantile),
        "ground": None if problem.is_shift_free else _ground(solution.theta, anchor_mean, spread, quantile),
    }


def _tie_parameter(model: TieModel, beta: float, spread: Spread | None, quantile: float) -> dict[str, Any]:
    low: float | None = None
    high: float | None = None
    if spread is not None and spread.tie is not None:
        width = spread.tie.width(quantile)
        low, high = model.published(beta - width), model.published(beta + width)
    return {
        "name": model.parameter,
        "estimate": model.published(beta),
        "low": low,
        "high": high,
        "tie_share_between_equals": model.tie_share(beta),
    }


def _ground(
    theta: np.ndarray[Any, np.dtype[np.float64]], anchor_mean: float, spread: Spread | None, quantile: float
) -> dict[str, Any]:
    score = anchor_mean - SCALE * float(theta.mean())
    if spread is None or spread.ground is None:
        return {"score": score, "low": None, "high": None}
    width = SCALE * spread.ground.width(quantile)
    return {"score": score, "low": score - width, "high": score + width}

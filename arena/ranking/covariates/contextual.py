"""Bradley-Terry with covariates of each comparison ("style control"): the board as if all answers were equal
in style and position.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from arena.ranking.arrays import Floats, Ints
from arena.ranking.ballots import Ballots
from arena.ranking.board import Board
from arena.ranking.bradley_terry import described
from arena.ranking.counts import TWO_WAY, Tally, compare, tally
from arena.ranking.covariates.contrasts import Contrast, Contrasts, Covariate, contrasts_of, named_covariates
from arena.ranking.covariates.fit import climb
from arena.ranking.covariates.problem import CovariateProblem, Point, pose
from arena.ranking.covariates.rows import design_of
from arena.ranking.covariates.spread import (
    CovariateFit,
    clusters_of_comparisons,
    covariate_bootstrap,
    covariate_sandwich,
)
from arena.ranking.errors import InvalidSetting, MissingRandomness, TooFewClusters
from arena.ranking.freedom import student
from arena.ranking.graph import Separation, components
from arena.ranking.intervals import Bootstrap, Interval, Spread, both_ways, normal_quantile
from arena.ranking.island import PHANTOM, Island, TieSetting, settle
from arena.ranking.newton import TOLERANCE, Solution
from arena.ranking.result import SCALE, Ranking
from arena.ranking.settings import check_shared
from arena.ranking.tie_models import Davidson, RaoKupper, TieModel, Tobt

Ties = Literal["half", "ignore", "davidson", "rao-kupper", "tobt"]
"""How a tie is read: see `ContextualBradleyTerry`."""

_TIE_MODELS: dict[str, TieModel] = {"davidson": Davidson(), "rao-kupper": RaoKupper(), "tobt": Tobt()}


@dataclass(frozen=True)
class ContextualBradleyTerry:
    """P(left beats right) = 1 / (1 + exp(-eta)) among the votes that decide, eta = theta_left - theta_right +
    x . gamma; left is the earlier slot, x the contrasts of the two answers (Li, Angelopoulos & Chiang 2024,
    "Does style matter?"). score = 400 / ln 10 * theta + anchor: what a system would have were both answers
    always equal in the covariates.

    covariates      names of features of the ballots, each with its own contrast if spelled so
                    ("same_organisation:difference")
    contrast        of the others: "relative" (f_l - f_r) / (f_l + f_r + 1) or "difference" f_l - f_r
    position        a covariate that is 1 everywhere: the earlier slot's advantage
    ties            "half": a tie is half a win to each side; "ignore": ties are left out; "davidson",
                    "rao-kupper", "tobt": as in `BradleyTerry`, with eta for the difference of strengths
    prior, anchor_mean, both_bad ("tie" or "drop"), provisional_below   as in `BradleyTerry`

    Contrasts are divided by their standard deviation, not centred (`arena.ranking.covariates.contrasts`).
    gamma carries no penalty: a ridge against the mean loss, as in arena-rank 0.1.1, cuts coefficients several
    times over however many the votes.

    Components never share a scale of scores; they do share gamma and the tie parameter. A phantom battle, of
    a prior or where a system is separated (`Rating.separated`), is drawn at equal covariates. A comparison of
    which a covariate is not known is left out.
    """

    covariates: Sequence[str] = ()
    contrast: Contrast = "relative"
    position: bool = False
    ties: Ties = "half"
    prior: float = 0.0
    anchor_mean: float = 1000.0
    both_bad: Literal["tie", "drop"] = "tie"
    provisional_below: int = 50

    def __post_init__(self) -> None:
        if isinstance(self.covariates, str):
            raise InvalidSetting(f"covariates is a list of names, not the text {self.covariates!r}")
        object.__setattr__(self, "covariates", tuple(self.covariates))
        named_covariates(self.covariates, self.contrast)
        if not isinstance(self.position, bool):
            raise InvalidSetting(f"position must be true or false, not {self.position!r}")
        if not self.covariates and not self.position:
            raise InvalidSetting("a contextual model needs covariates, or position=True")
        if self.ties not in get_args(Ties):
            raise InvalidSetting(f"ties must be one of {', '.join(get_args(Ties))}, not {self.ties!r}")
        check_shared(self)

    def fit(
        self, ballots: Ballots, interval: Interval | None = None, rng: np.random.Generator | None = None
    ) -> Ranking:
        """Rate every item of `ballots`. `rng` is needed by a Bootstrap and by nothing else.

        Diagnostics: those of `BradleyTerry` (one `tie_parameter` for all components), and
        `covariates`      for each: name, contrast, sd (of the raw contrast; 1 for the position), coefficient
                          (natural log per standard deviation), elo_per_sd with its bounds low and high,
                          elo_per_unit of the raw contrast, variance_inflation (by how much the systems and
                          the other covariates, with which it overlaps, inflate its variance at gamma = 0).
                          The position's elo_per_sd is the advantage of the earlier slot
        `style_shift`     by item: score without covariates less the score, Elo points: what style was worth
        `n_without_features`    comparisons left out since a covariate is not known; ballots that so lost all
                          their comparisons are in `dropped` as "no_features"

        Without a single comparison no covariate has an estimate: its values are None.

        Raises InvalidFeature (unknown, constant or, under "relative", negative covariate),
        CollinearCovariates, SeparatedCovariates, NotConverged, TooFewClusters, MissingClusters,
        MissingRandomness.
        """
        if isinstance(interval, Bootstrap) and rng is None:
            raise MissingRandomness("a bootstrap needs rng=numpy.random.default_rng(seed)")
        contrasts = contrasts_of(
            ballots,
            compare(ballots, both_bad=self.both_bad, ignore_ties=self.ties == "ignore"),
            named_covariates(self.covariates, self.contrast),
            position=self.position,
        )
        model, total = _TIE_MODELS.get(self.ties), tally(contrasts.comparisons)
        quantile = 0.0 if interval is None else normal_quantile(interval.level)
        n_clusters: int | None = None
        strengths: list[Spread] | None = None
        parts: list[_Component] = []
        facts: dict[str, Any] = {"covariates": _nothing(contrasts.covariates), "style_shift": {}}
        if model is not None:
            facts["tie_parameter"] = None
        if total.first.size:
            estimate = _Estimate.of(contrasts, total, model, self.prior)
            parts, coefficients = estimate.components, None
            if interval is not None:
                n_clusters, (*strengths, coefficients) = estimate.spread(ballots, interval, rng)
            facts["covariates"] = estimate.coefficients(coefficients, quantile)
            facts["style_shift"] = estimate.style_shift(ballots.items)
            if model is not None:
                facts["tie_parameter"] = estimate.tie_parameter(model, strengths, quantile)
        elif interval is not None:
            raise TooFewClusters("no comparison; an interval needs at least 2 clusters")
        board = Board(ballots.items, self, contrasts.comparisons, total, parts, strengths, interval)
        facts["n_without_features"] = contrasts.n_unknown
        return Ranking(
            ratings=board.ratings(),
            diagnostics={**board.diagnostics(n_clusters), **facts},
            settings=self._settings(interval),
            covariance=board.covariance(),
        )

    def _settings(self, interval: Interval | None) -> dict[str, Any]:
        settings: dict[str, Any] = {"model": "contextual-bradley-terry", **asdict(self)}
        settings["covariates"] = list(self.covariates)
        settings |= {"scale": SCALE, "phantom": PHANTOM, "tolerance": TOLERANCE}
        return settings | {"interval": described(interval)}


@dataclass(frozen=True, eq=False)
class _Component:
    """One connected component with its estimate; `plain` is its fit without covariates."""

    plain: Island
    solution: Solution
    log_likelihood: float
    phantom_pairs: int

    @property
    def items(self) -> Ints:
        return self.plain.items

    @property
    def separation(self) -> Separation:
        return self.plain.separation

    @property
    def is_strongly_connected(self) -> bool:
        return self.plain.is_strongly_connected


@dataclass(frozen=True, eq=False)
class _Estimate:
    """The joint fit of a board and what its tables say of the covariates."""

    fit: CovariateFit
    contrasts: Contrasts
    components: list[_Component]
    inflation: Floats

    @classmethod
    def of(cls, contrasts: Contrasts, total: Tally, model: TieModel | None, prior: float) -> _Estimate:
        groups = components(total.n_items, total.first, total.second)
        setting = None if model is None else TieSetting(model)
        plain = [settle(total, group, prior=prior, setting=setting) for group in groups]
        design = design_of(contrasts, groups)
        names = tuple(covariate.name for covariate in contrasts.covariates)
        weight = design.votes.weights()
        problem = pose(design, plain, weight, total.weight, model=model, prior=prior, names=names).problem
        start = _start(problem, plain)
        bare = problem.row_information(start)
        inflation = problem.variance_inflation(bare)
        factor = problem.factor_of(problem.with_phantoms(bare, start))
        solution = climb(problem, start, factor=factor)
        fit = CovariateFit(contrasts.comparisons, total, design, plain, problem, solution, model, prior)
        likelihoods = problem.log_likelihood(solution.point).tolist()
        phantom_of = problem.phantoms.first if prior == 0 else np.zeros(0, dtype=np.int64)
        parts = []
        for island, block, value in zip(plain, design.rows.blocks, likelihoods, strict=True):
            own = Solution(solution.point.theta[block], solution.iterations, solution.gradient_norm)
            phantoms = int(((phantom_of >= block.start) & (phantom_of < block.stop)).sum())
            parts.append(_Component(island, own, value, phantoms))
        return cls(fit, contrasts, parts, inflation)

    def spread(
        self, ballots: Ballots, interval: Interval, rng: np.random.Generator | None
    ) -> tuple[int, list[Spread]]:
        """The spread of each component, and last that of the coefficients."""
        if interval.cluster == TWO_WAY:
            return both_ways(interval, lambda one_way: self.spread(ballots, one_way, rng))
        clusters = clusters_of_comparisons(ballots, self.fit.comparisons, interval.cluster)
        if clusters.n < 2:
            raise TooFewClusters(
                f"{clusters.n} cluster(s) of {interval.cluster}; an interval needs at least 2"
            )
        if isinstance(interval, Bootstrap):
            assert rng is not None  # noqa: S101 - checked before the fit
            found = covariate_bootstrap(self.fit, clusters, replicates=interval.replicates, rng=rng)
        else:
            found = covariate_sandwich(self.fit, clusters)
        return clusters.n, [*found.components, found.coefficients]

    def coefficients(self, spread: Spread | None, quantile: float) -> list[dict[str, Any]]:
        sd, gamma = self.contrasts.sd.tolist(), self.fit.solution.point.gamma.tolist()
        width: list[float] | None = None
        if spread is not None:
            error = SCALE * np.sqrt(np.maximum(np.diag(spread.covariance), 0.0))
            width = (student(quantile, spread.freedom) * error).tolist()
        rows = []
        for k, (name, contrast) in enumerate(self.contrasts.covariates):
            elo = SCALE * gamma[k]
            rows.append(
                {
                    "name": name,
                    "contrast": contrast,
                    "sd": sd[k],
                    "coefficient": gamma[k],
                    "elo_per_sd": elo,
                    "low": None if width is None else elo - width[k],
                    "high": None if width is None else elo + width[k],
                    "elo_per_unit": elo / sd[k],
                    "variance_inflation": float(self.inflation[k]),
                }
            )
        return rows

    def style_shift(self, items: tuple[str, ...]) -> dict[str, float]:
        return {
            items[item]: SCALE * shift
            for part in self.components
            for item, shift in zip(
                part.items.tolist(),
                (part.plain.solution.theta - part.solution.theta).tolist(),
                strict=True,
            )
        }

    def tie_parameter(self, model: TieModel, spreads: list[Spread] | None, quantile: float) -> dict[str, Any]:
        beta = self.fit.solution.point.beta
        margin = None if spreads is None else spreads[0].tie
        width = None if margin is None else margin.width(quantile)
        return {
            "name": model.parameter,
            "estimate": model.published(beta),
            "low": None if width is None else model.published(beta - width),
            "high": None if width is None else model.published(beta + width),
            "tie_share_between_equals": model.tie_share(beta),
        }


def _start(problem: CovariateProblem, plain: Sequence[Island]) -> Point:
    """The fit without covariates."""
    theta = np.concatenate([island.solution.theta for island in plain])
    beta = -math.inf
    if problem.is_tie_free:
        tied = [island.tied.solution.beta for island in plain if island.tied is not None]
        beta = next(value for value in tied if math.isfinite(value))
    return Point(theta, np.zeros(problem.rows.n_covariates), beta)


def _nothing(covariates: Sequence[Covariate]) -> list[dict[str, Any]]:
    """The table of covariates of a board without a comparison."""
    empty = ("sd", "coefficient", "elo_per_sd", "low", "high", "elo_per_unit", "variance_inflation")
    return [{"name": name, "contrast": kind, **dict.fromkeys(empty)} for name, kind in covariates]

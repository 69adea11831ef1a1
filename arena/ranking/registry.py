"""A fit described by plain JSON settings, so that a stored question can be asked again."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from arena.ranking.ballots import UNKNOWN, Ballots
from arena.ranking.bradley_terry import BradleyTerry
from arena.ranking.counting import Counting
from arena.ranking.counts import TWO_WAY
from arena.ranking.covariates.contextual import ContextualBradleyTerry
from arena.ranking.covariates.contrasts import named_covariates
from arena.ranking.cycles.general_preference import GeneralPreference
from arena.ranking.cycles.nash import NashLottery
from arena.ranking.errors import InvalidSetting, RankingError, TooFewClusters
from arena.ranking.intervals import Bootstrap, Interval, Sandwich
from arena.ranking.online.elo import Elo
from arena.ranking.online.gaussian_skill import GaussianSkill
from arena.ranking.plackett_luce import PlackettLuce
from arena.ranking.result import Ranking
from arena.ranking.robustness.robust_bradley_terry import RobustBradleyTerry
from arena.ranking.voters.ideal_points import IdealPoints
from arena.ranking.voters.mixtures import VoterMixture
from arena.ranking.voting.joint_rank import PairAggregation
from arena.ranking.voting.social_choice import SocialChoice
from arena.ranking.weights import SCHEMES

_LARGEST = 1_000_000
INTERVALS = ("sandwich", "bootstrap", "none")
INTERVAL_SETTINGS = ("interval", "cluster", "level", "replicates", "seed", "min_clusters")
OUTSIDE = ("model", "weights", *INTERVAL_SETTINGS)
"""Settings that belong to no model."""


class Model(Protocol):
    """Settings in the constructor, ballots in `fit`."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __init__(self, **settings: Any) -> None: ...

    def fit(
        self, ballots: Ballots, interval: Interval | None = None, rng: np.random.Generator | None = None
    ) -> Ranking: ...


class Registered(NamedTuple):
    """A model that a stored question can name.

    title           its name for readers
    own_interval    the one kind of interval it has; it stands in for what was asked for. None: any
    """

    make: type[Model]
    title: str
    own_interval: str | None = None


MODELS: dict[str, Registered] = {
    "bradley-terry": Registered(BradleyTerry, "Bradley-Terry"),
    "contextual-bradley-terry": Registered(ContextualBradleyTerry, "Bradley-Terry with covariates"),
    "plackett-luce": Registered(PlackettLuce, "Plackett-Luce"),
    "robust-bradley-terry": Registered(RobustBradleyTerry, "Robust Bradley-Terry", "bootstrap"),
    "voter-mixture": Registered(VoterMixture, "Groups of voters", "bootstrap"),
    "ideal-points": Registered(IdealPoints, "Ideal points of voters", "bootstrap"),
    "general-preference": Registered(GeneralPreference, "General preference", "bootstrap"),
    "nash-lottery": Registered(NashLottery, "Nash lottery", "bootstrap"),
    "social-choice": Registered(SocialChoice, "Social choice", "bootstrap"),
    "pair-aggregation": Registered(PairAggregation, "Pair aggregation", "bootstrap"),
    "counting": Registered(Counting, "Win rate", "sandwich"),
    "elo": Registered(Elo, "Elo", "bootstrap"),
    "gaussian-skill": Registered(GaussianSkill, "Gaussian skill", "bootstrap"),
}

# With fewer clusters single ballots are the unit, and the diagnostics say so. That forgets that votes of one
# person are alike: with 10 voters it held the truth in 33 to 61 % of cases for a nominal 95, while scores
# clustered by voter cover 94.6 to 95.9 % with 5 voters and with 10 (benchmarks/coverage). With fewer than 5 a
# variance has 3 degrees of freedom at most: its interval is too wide to say anything.
MIN_CLUSTERS = 5


def fit_from_settings(settings: Mapping[str, Any], ballots: Ballots) -> Ranking:
    """Fit the model that `settings` describe.

    settings    "model": a name of MODELS; "interval": "sandwich", "bootstrap" or "none"; "cluster", "level",
                "replicates", "seed" of the interval; "min_clusters": below this number of clusters ballots
                are the unit; "weights": a scheme of `arena.ranking.weights.SCHEMES`, none unless told; every
                other key is a setting of the model. A setting of another model is left out, so that "model"
                alone changes the model of a stored question.

    The diagnostics gain `cluster` (the unit used, None without an interval), `cluster_asked`,
    `interval_used`, `settings_unused`, `weights`, `unit` (what a score is; "" for Elo points) and
    `least_is_best`.

    Raises InvalidSetting for anything unknown, and what the fit raises.
    """
    name = settings.get("model", "bradley-terry")
    if not isinstance(name, str) or name not in MODELS:
        raise InvalidSetting(f"model must be one of {', '.join(MODELS)}, not {name!r}")
    of_model = {key: value for key, value in settings.items() if key not in OUTSIDE}
    scheme = settings.get("weights", "none")
    if scheme not in ("none", *SCHEMES):
        raise InvalidSetting(f"weights must be one of none, {', '.join(SCHEMES)}, not {scheme!r}")
    ballots = ballots if scheme == "none" else SCHEMES[scheme](ballots)
    chosen = MODELS[name]
    known = {field.name for field in dataclasses.fields(chosen.make)}
    anywhere = {field.name for model in MODELS.values() for field in dataclasses.fields(model.make)}
    unknown = sorted(set(of_model) - anywhere)
    if unknown:
        raise InvalidSetting(
            f"unknown settings: {', '.join(unknown)}; known are {', '.join(sorted(anywhere))}"
        )
    try:
        model = chosen.make(**{key: value for key, value in of_model.items() if key in known})
    except RankingError:
        raise
    except (TypeError, ValueError, OverflowError, AttributeError) as problem:
        raise InvalidSetting(f"a setting of {name} has the wrong type: {problem}") from problem
    asked = settings.get("cluster", "ballot")
    cluster = _cluster_used(ballots, asked, _whole(settings, "min_clusters", MIN_CLUSTERS))
    kind = settings.get("interval", "sandwich")
    if kind not in INTERVALS:
        raise InvalidSetting(f"interval must be one of {', '.join(INTERVALS)}, not {kind!r}")
    kind = kind if kind == "none" else chosen.own_interval or kind
    interval = _interval(settings, kind, cluster)
    rng = np.random.default_rng(_whole(settings, "seed", 0))
    try:
        ranking = model.fit(ballots, interval=interval, rng=rng)
    except TooFewClusters:
        interval = None
        ranking = model.fit(ballots, rng=rng)
    extra = {
        "cluster": cluster if interval else None,
        "cluster_asked": asked,
        "interval_used": kind if interval else "none",
        "settings_unused": sorted(set(of_model) - known),
        "weights": scheme,
        "unit": ranking.settings.get("unit", ""),
        "least_is_best": ranking.settings.get("least_is_best", False),
    }
    return dataclasses.replace(ranking, diagnostics={**ranking.diagnostics, **extra})


def features_asked(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The features of answers that the model reads; ballots must carry them.

    Raises InvalidSetting for what is no list of covariates.
    """
    if settings.get("model") != "contextual-bradley-terry":
        return ()
    listed = settings.get("covariates", ())
    if not isinstance(listed, (list, tuple)):
        raise InvalidSetting(f"covariates is a list of names, not {listed!r}")
    return tuple(covariate.name for covariate in named_covariates(listed, "relative"))


def _interval(settings: Mapping[str, Any], kind: str, cluster: Any) -> Interval | None:
    level = settings.get("level", 0.95)
    if isinstance(level, bool) or not isinstance(level, (int, float)):
        raise InvalidSetting(f"level must be a number, not {level!r}")
    if kind == "none":
        return None
    if kind == "bootstrap":
        return Bootstrap(level=level, cluster=cluster, replicates=_whole(settings, "replicates", 200))
    return Sandwich(level=level, cluster=cluster)


def _whole(settings: Mapping[str, Any], name: str, default: int) -> int:
    value = settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise InvalidSetting(f"{name} must be an integer from 0 to {_LARGEST}, not {value!r}")
    return value


def _cluster_used(ballots: Ballots, asked: str, min_clusters: int) -> str:
    if asked == TWO_WAY:
        used = {_cluster_used(ballots, way, min_clusters) for way in ("voter", "prompt")} - {"ballot"}
        return asked if len(used) == 2 else (used or {"ballot"}).pop()
    if asked not in ("voter", "prompt"):
        return asked
    codes = {"voter": ballots.voter, "prompt": ballots.prompt}[asked]
    if codes is None:
        return "ballot"
    known = codes[codes != UNKNOWN]
    clusters = np.unique(known).size + (codes.size - known.size)
    return asked if clusters >= min_clusters else "ballot"

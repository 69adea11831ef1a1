"""Leaderboards from comparisons, with numpy and scipy alone: no web framework, no clock, no global random
state.

Constructor = settings, `fit` = data, result = frozen. The same input gives the same output.
"""

from arena.ranking.ballots import NOT_COMPARED, PAIR_OUTCOMES, UNKNOWN, Ballots
from arena.ranking.bradley_terry import BradleyTerry
from arena.ranking.counting import Counting
from arena.ranking.errors import (
    BallotTooWide,
    DuplicateItem,
    EmptyBallot,
    FlipRateTooHigh,
    IncompatibleTies,
    InvalidCode,
    InvalidFeature,
    InvalidItem,
    InvalidPlan,
    InvalidRank,
    InvalidSetting,
    InvalidWeight,
    LengthMismatch,
    MissingClusters,
    MissingRandomness,
    NotComparable,
    NotConverged,
    PairsOnly,
    RankingError,
    SelfBattle,
    TooFewClusters,
    TooFewSystems,
    UnknownOutcome,
)
from arena.ranking.intervals import Bootstrap, Interval, Sandwich
from arena.ranking.online.elo import Elo
from arena.ranking.pairing import Drawn, draw_battle, draw_from_plan, meeting_counts
from arena.ranking.plackett_luce import PlackettLuce
from arena.ranking.result import Covariance, Difference, Ranking, Rating, expected_win_rate

__all__ = [
    "NOT_COMPARED",
    "PAIR_OUTCOMES",
    "UNKNOWN",
    "BallotTooWide",
    "Ballots",
    "Bootstrap",
    "BradleyTerry",
    "Counting",
    "Covariance",
    "Difference",
    "Drawn",
    "DuplicateItem",
    "Elo",
    "EmptyBallot",
    "FlipRateTooHigh",
    "IncompatibleTies",
    "Interval",
    "InvalidCode",
    "InvalidFeature",
    "InvalidItem",
    "InvalidPlan",
    "InvalidRank",
    "InvalidSetting",
    "InvalidWeight",
    "LengthMismatch",
    "MissingClusters",
    "MissingRandomness",
    "NotComparable",
    "NotConverged",
    "PairsOnly",
    "PlackettLuce",
    "Ranking",
    "RankingError",
    "Rating",
    "Sandwich",
    "SelfBattle",
    "TooFewClusters",
    "TooFewSystems",
    "UnknownOutcome",
    "draw_battle",
    "draw_from_plan",
    "expected_win_rate",
    "meeting_counts",
]

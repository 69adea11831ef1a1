"""Leaderboards from comparisons, with numpy and scipy alone: no web framework, no clock, no global random
state.

Constructor = settings, `fit` = data, result = frozen. The same input gives the same output.
"""

from arena.ranking.ballots import (
    NOT_COMPARED,
    PAIR_OUTCOMES,
    UNKNOWN,
    Ballots,
)
from arena.ranking.bradley_terry import (
    BradleyTerry,
)
from arena.ranking.counting import (
    Counting,
)
from arena.ranking.covariates.contextual import (
    ContextualBradleyTerry,
)
from arena.ranking.covariates.style import (
    measured_table,
    text_style,
    text_table,
)
from arena.ranking.cycles.cyclicity import (
    Cyclicity,
    cyclicity,
)
from arena.ranking.cycles.general_preference import (
    GeneralPreference,
)
from arena.ranking.cycles.nash import (
    NashLottery,
)
from arena.ranking.errors import (
    BallotTooWide,
    CollinearCovariates,
    DuplicateItem,
    EmptyBallot,
    FlipRateTooHigh,
    IncompatibleTies,
    IncompleteState,
    InvalidCode,
    InvalidFeature,
    InvalidItem,
    InvalidPlan,
    InvalidRank,
    InvalidScore,
    InvalidSetting,
    InvalidWeight,
    LengthMismatch,
    MissingClusters,
    MissingRandomness,
    MissingScore,
    NotComparable,
    NotConverged,
    PairsOnly,
    RankingError,
    SelfBattle,
    SeparatedCovariates,
    TooFewClusters,
    TooFewSystems,
    UnknownOutcome,
)
from arena.ranking.intervals import (
    Bootstrap,
    Interval,
    Sandwich,
)
from arena.ranking.joint import (
    RankDraws,
    Simultaneous,
    chance_better,
    rank_draws,
    simultaneous,
)
from arena.ranking.online.elo import (
    Elo,
)
from arena.ranking.online.elo_sweep import (
    k_factor_sweep,
)
from arena.ranking.online.gaussian_skill import (
    GaussianSkill,
    SkillState,
)
from arena.ranking.pairing import (
    Drawn,
    draw_battle,
    draw_from_plan,
    meeting_counts,
)
from arena.ranking.plackett_luce import (
    PlackettLuce,
)
from arena.ranking.registry import (
    fit_from_settings,
)
from arena.ranking.result import (
    Covariance,
    Difference,
    Ranking,
    Rating,
    expected_win_rate,
)
from arena.ranking.robustness.drop_k import (
    Fragility,
    drop_k,
)
from arena.ranking.robustness.perturbation import (
    Shift,
    perturbation,
)
from arena.ranking.robustness.robust_bradley_terry import (
    RobustBradleyTerry,
)
from arena.ranking.sequential import (
    ActiveRanker,
)
from arena.ranking.sufficient import (
    Statistics,
)
from arena.ranking.voters.ideal_points import (
    IdealPoints,
)
from arena.ranking.voters.mixtures import (
    VoterMixture,
)
from arena.ranking.voters.simulated_voters import (
    SimulatedVoters,
)
from arena.ranking.voting.consensus import (
    Consensus,
)
from arena.ranking.voting.joint_rank import (
    PairAggregation,
)
from arena.ranking.voting.score_tables import (
    ScoreTable,
    TableAverage,
)
from arena.ranking.voting.social_choice import (
    SocialChoice,
)
from arena.ranking.weights import (
    by_source,
    inverse_draw_probability,
    inverse_pair_frequency,
)

__all__ = [
    "NOT_COMPARED",
    "PAIR_OUTCOMES",
    "UNKNOWN",
    "ActiveRanker",
    "BallotTooWide",
    "Ballots",
    "Bootstrap",
    "BradleyTerry",
    "CollinearCovariates",
    "Consensus",
    "ContextualBradleyTerry",
    "Counting",
    "Covariance",
    "Cyclicity",
    "Difference",
    "Drawn",
    "DuplicateItem",
    "Elo",
    "EmptyBallot",
    "FlipRateTooHigh",
    "Fragility",
    "GaussianSkill",
    "GeneralPreference",
    "IdealPoints",
    "IncompatibleTies",
    "IncompleteState",
    "Interval",
    "InvalidCode",
    "InvalidFeature",
    "InvalidItem",
    "InvalidPlan",
    "InvalidRank",
    "InvalidScore",
    "InvalidSetting",
    "InvalidWeight",
    "LengthMismatch",
    "MissingClusters",
    "MissingRandomness",
    "MissingScore",
    "NashLottery",
    "NotComparable",
    "NotConverged",
    "PairAggregation",
    "PairsOnly",
    "PlackettLuce",
    "RankDraws",
    "Ranking",
    "RankingError",
    "Rating",
    "RobustBradleyTerry",
    "Sandwich",
    "ScoreTable",
    "SelfBattle",
    "SeparatedCovariates",
    "Shift",
    "SimulatedVoters",
    "Simultaneous",
    "SkillState",
    "SocialChoice",
    "Statistics",
    "TableAverage",
    "TooFewClusters",
    "TooFewSystems",
    "UnknownOutcome",
    "VoterMixture",
    "by_source",
    "chance_better",
    "cyclicity",
    "draw_battle",
    "draw_from_plan",
    "drop_k",
    "expected_win_rate",
    "fit_from_settings",
    "inverse_draw_probability",
    "inverse_pair_frequency",
    "k_factor_sweep",
    "measured_table",
    "meeting_counts",
    "perturbation",
    "rank_draws",
    "simultaneous",
    "text_style",
    "text_table",
]

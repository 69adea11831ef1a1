"""Everything the library refuses, one exception per rule. All are `ValueError`s."""

from __future__ import annotations


class RankingError(ValueError):
    """Base of every error that `arena.ranking` raises on purpose."""


class UnknownOutcome(RankingError):
    """An outcome is not one of those a pairwise ballot can have; it is never guessed."""

    def __init__(self, outcome: object, position: int, allowed: tuple[str, ...]) -> None:
        super().__init__(f"ballot {position}: outcome {outcome!r} is not one of {', '.join(allowed)}")
        self.outcome = outcome
        self.position = position


class LengthMismatch(RankingError):
    """Two columns that must be equally long are not."""


class InvalidWeight(RankingError):
    """A ballot's weight is negative, infinite or not a number."""


class InvalidRank(RankingError):
    """A rank is neither 1 or more nor the mark for "not compared"."""


class InvalidItem(RankingError):
    """A slot points at no item, or an item is listed twice."""


class InvalidCode(RankingError):
    """A voter or prompt code is not an integer of -1 (unknown) or more."""


class InvalidFeature(RankingError):
    """A property of an answer is infinite, misnamed or missing altogether."""


class PairsOnly(RankingError):
    """The ballots carry something that only a model of pairs can read."""


class FlipRateTooHigh(RankingError):
    """At the flip rate asked for no finite score exists: a system won or lost more than flips would allow."""


class EmptyBallot(RankingError):
    """A ballot has no slot at all."""


class DuplicateItem(RankingError):
    """An item stands twice in one ballot."""


class SelfBattle(DuplicateItem):
    """A pairwise ballot sets a system against itself."""


class InvalidSetting(RankingError):
    """A setting of a model, an interval or a draw has a value that means nothing."""


class IncompatibleTies(InvalidSetting):
    """A setting belongs to one model of ties and was given with another."""


class BallotTooWide(RankingError):
    """A ranking compares more items than the model can sum over: all pairs, or with ties all sets."""


class NotConverged(RankingError):
    """The solver stopped before the gradient was small; no number is returned."""


class TooFewClusters(RankingError):
    """An interval needs at least two independent clusters."""


class MissingClusters(RankingError):
    """The interval is to be clustered by a column that the ballots do not have."""


class MissingRandomness(RankingError):
    """The interval draws at random and no generator was passed in."""


class NotComparable(RankingError):
    """Two systems share no scale: one is unrated, or they lie in different components."""


class TooFewSystems(RankingError):
    """Fewer systems can be drawn than a battle needs."""


class InvalidPlan(RankingError):
    """Counts, weights or a pairing plan have the wrong shape or impossible values."""


class IncompleteState(RankingError):
    """A pairing rule reads something that the state of the arena does not have."""


class CollinearCovariates(InvalidFeature):
    """Covariates say the same as each other, or as the systems: no data could tell their coefficients."""


class SeparatedCovariates(RankingError):
    """The covariates predict some votes without a single exception, so no finite coefficient is best."""


class InvalidScore(RankingError):
    """A score is infinite, given twice, or outside what the average asked for can take."""


class MissingScore(RankingError):
    """An item has no score on a task, and missing scores are refused."""

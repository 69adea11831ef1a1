"""Groups of voters with tastes of their own, a board for each, and the boards that weigh the groups. A group
is a pattern in votes: it never says who the voters are, and a voter belongs to it with a probability only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from arena.ranking.arrays import Floats, Ints
from arena.ranking.ballots import UNKNOWN, Ballots
from arena.ranking.counts import BothBad
from arena.ranking.errors import InvalidItem, InvalidSetting, MissingRandomness, TooFewClusters
from arena.ranking.intervals import Interval
from arena.ranking.result import SCALE, Ranking
from arena.ranking.scored import Shown, rank_by_weights
from arena.ranking.settings import check_shared
from arena.ranking.voters.held_out import HELD_OUT, Foretelling, HeldOut, hold_out
from arena.ranking.voters.mixture_fit import EmFit, Mixture, MixtureProblem, best_of, climb, one_group, starts
from arena.ranking.voters.voter_table import Refits, VoterTable, VoterVotes

_REFIT_TOLERANCE = 1e-5


class Placed(NamedTuple):
    """Where voters belong: int64[V] codes (-1 = unknown, one row a ballot), float64[V, G] memberships."""

    voter: Ints
    membership: Floats


@dataclass(frozen=True, eq=False)
class VoterGroup:
    """One group of voters.

    share           of the voters, between 0 and 1
    voters          how many of the known voters belong here more than elsewhere
    score           float64[n_items], Elo points, mean `anchor_mean` in every component; NaN for an unrated
                    item
    comparisons     float64[n_items], weight of the compared pairs of each item, times the membership of who
                    cast them: where it is near 0 the group's score rests on phantom battles
    board           the scores as a ranking; its counts of ballots, wins, ties and losses are all voters'
    """

    share: float
    voters: int
    score: Floats
    comparisons: Floats
    board: Ranking


@dataclass(frozen=True, eq=False)
class MixtureRanking:
    """Groups, largest first, and what to make of them.

    voter           int64[U], voter codes of the ballots, ascending; then -1 for every usable ballot of an
                    unknown voter
    membership      float64[U, G], probability that a voter belongs to each group; rows sum to 1
    utilitarian     mean of the groups' scores weighted by their shares
    egalitarian     every system's lowest score over the groups; `lowest_group` in the diagnostics names it
    held_out        None if the number of groups was given
    gain_per_vote   log-likelihood over the one-group fit's, per compared pair: never judge by it how many
                    groups there are, it grows with every group
    """

    items: tuple[str, ...]
    groups: tuple[VoterGroup, ...]
    voter: Ints
    membership: Floats
    utilitarian: Ranking
    egalitarian: Ranking
    held_out: HeldOut | None
    gain_per_vote: float
    settings: VoterMixture
    mixture: Mixture = field(repr=False)

    def membership_of(self, voter: int) -> Floats:
        """float64[G] for a voter's code. Raises KeyError if no usable ballot is theirs."""
        row = int(np.searchsorted(self.voter[self.voter != UNKNOWN], voter))
        if voter == UNKNOWN or row >= self.voter.size or self.voter[row] != voter:
            raise KeyError(voter)
        found: Floats = self.membership[row]
        return found

    def place(self, ballots: Ballots) -> Placed:
        """Where the voters of other ballots belong, the groups as they are: a newcomer after a few votes
        (stage two of MiCRo, Shen et al. 2025). A vote on an unrated item counts the item as average.

        Raises InvalidItem if the items are others, MissingClusters without a voter column.
        """
        if ballots.items != self.items:
            raise InvalidItem("the ballots are over other items than the mixture")
        votes = VoterVotes.of(ballots, self.settings.both_bad)
        table = votes.table()
        found = table.place(table.log_chances(self.mixture.theta), self.mixture.log_share)
        return Placed(votes.voter, found.membership)


@dataclass(frozen=True)
class VoterMixture:
    """A mixture of Bradley-Terry models over voters: voter u belongs to group g with probability share_g, and
    P_g(i beats j) = 1 / (1 + exp(theta_gj - theta_gi)) for all votes of that voter. The reward mixture of
    MaxMin-RLHF (Chakraborty et al. 2024, arXiv:2402.08925), fitted to votes; one Bradley-Terry board
    cannot show what such groups want.

    groups          how many, or "held-out": the fewest that foretell held-out votes as well as the best
                    number up to `max_groups` does, within one standard error
                    (`arena.ranking.voters.held_out`)
    max_groups      the most that "held-out" tries
    folds           parts that each voter's ballots are dealt to; each is held out once, and the voter's other
                    votes say where the voter belongs
    board           what `fit` returns. "egalitarian": a system's score is its lowest over the groups, so that
                    the best system is the one that the group it pleases least likes most; "utilitarian": the
                    mean over groups weighted by their shares
    prior           weight of a phantom battle, half a win to each side, on every observed pair in every
                    group; above 0, so that groups in which a system always won stay finite
    restarts        starts from which EM takes a few rounds; the best goes on
    anchor_mean     mean score of each group in each component, Elo points
    both_bad        "tie": all compared pairs of a ballot called all bad are ties; "drop": it is left out
    provisional_below   systems with fewer usable ballots are marked provisional

    Ties count half a win to each side, so with ties the likelihood is a quasi-likelihood. Strengths are known
    up to a shift only, so every group's scores are centred before groups are compared: a low score says that
    a group likes a system less than it likes the average system, not that it is worse off than another group.
    The spread of a group's scores is kept. A group that votes at random has flat scores, and so it sets the
    lowest score of every system that the others like: look at the groups before the egalitarian board.

    A ballot of an unknown voter is a voter of its own. A single pairwise vote cannot tell groups apart:
    without voters who voted several times there is nothing to find. A ballot with more than two compared
    slots is read as its compared pairs, as if each were a vote of its own: memberships are then too sure.
    Connected components share the groups, but their scores do not compare.
    """

    groups: int | Literal["held-out"] = HELD_OUT
    max_groups: int = 4
    folds: int = 5
    board: Literal["egalitarian", "utilitarian"] = "egalitarian"
    prior: float = 0.1
    restarts: int = 8
    anchor_mean: float = 1000.0
    both_bad: BothBad = "tie"
    provisional_below: int = 50

    def __post_init__(self) -> None:
        if self.groups != HELD_OUT and not (isinstance(self.groups, int) and self.groups >= 1):
            raise InvalidSetting(f"groups must be a number from 1 or 'held-out', not {self.groups!r}")
        for name, least in (("max_groups", 1), ("folds", 2), ("restarts", 1), ("provisional_below", 0)):
            if getattr(self, name) < least:
                raise InvalidSetting(f"{name} must be at least {least}, not {getattr(self, name)}")
        if self.board not in ("egalitarian", "utilitarian"):
            raise InvalidSetting(f"board must be 'egalitarian' or 'utilitarian', not {self.board!r}")
        if not (math.isfinite(self.prior) and self.prior > 0):
            raise InvalidSetting(f"prior must be finite and above 0, not {self.prior}")
        check_shared(self)

    def fit(
        self, ballots: Ballots, interval: Interval | None = None, rng: np.random.Generator | None = None
    ) -> Ranking:
        """The board that the setting names; see `estimate`."""
        found = self.estimate(ballots, interval=interval, rng=rng)
        return found.egalitarian if self.board == "egalitarian" else found.utilitarian

    def estimate(
        self, ballots: Ballots, interval: Interval | None = None, rng: np.random.Generator | None = None
    ) -> MixtureRanking:
        """Find the groups. `rng` deals the folds, makes the starts and resamples; one group without an
        interval needs none.

        The interval is a `Bootstrap` or None. By voter it draws voters whole; by another cluster it draws
        votes and keeps the voters. Each resample is fitted from the full fit on, so that groups keep their
        names, and with the same number of groups: the bounds know nothing of the doubt about that number.
        Where two groups are about equally low, the lowest score is below the truth on average and its bounds
        are rough.

        Diagnostics of every board: `groups` (share, voters), `log_likelihood` (natural logarithm, without
        phantoms), `gain_per_vote`, `held_out` (the columns of `HeldOut`, or None), `iterations` (rounds of
        EM), `gradient_norm` (see `mixture_fit.View`); of the egalitarian one `lowest_group`, the number from
        1 of the group that likes each rated system least.

        Raises MissingClusters without a voter column, MissingRandomness, NotConverged, TooFewClusters (also
        for fewer voters than groups), InvalidSetting for a Sandwich.
        """
        if rng is None and (self.groups != 1 or interval is not None):
            raise MissingRandomness("starts and resamples need rng=numpy.random.default_rng(seed)")
        votes = VoterVotes.of(ballots, self.both_bad)
        n_voters = votes.voter.size
        if isinstance(self.groups, int) and 0 < n_voters < self.groups:
            raise TooFewClusters(f"{n_voters} voters cannot be {self.groups} groups")
        held_out = None
        groups = self.groups
        if groups == HELD_OUT:
            assert rng is not None  # noqa: S101 - checked above
            held_out = self._judged(votes, rng)
            groups = held_out.chosen
        problem = MixtureProblem.of(votes.table(), self.prior)
        common = one_group(problem)
        fit = self._fitted(problem, common, groups, rng)
        return self._result(ballots, votes, problem, common, fit, held_out, interval, rng)

    def _judged(self, votes: VoterVotes, rng: np.random.Generator) -> HeldOut:
        def fit(seen: VoterTable, groups: int) -> Foretelling:
            problem = MixtureProblem.of(seen, self.prior)
            found = self._fitted(problem, one_group(problem), groups, rng)
            return Foretelling(found.place.membership, found.mixture.theta)

        most = max(min(self.max_groups, votes.voter.size), 1)
        return hold_out(votes, fit, most=most, folds=self.folds, rng=rng)

    def _fitted(
        self, problem: MixtureProblem, common: EmFit, groups: int, rng: np.random.Generator | None
    ) -> EmFit:
        if groups == 1 or rng is None:
            return common
        return best_of(problem, starts(problem, common.mixture, groups, self.restarts, rng)).ordered()

    def _result(
        self,
        ballots: Ballots,
        votes: VoterVotes,
        problem: MixtureProblem,
        common: EmFit,
        fit: EmFit,
        held_out: HeldOut | None,
        interval: Interval | None,
        rng: np.random.Generator | None,
    ) -> MixtureRanking:
        mixture, membership = fit.mixture, fit.place.membership
        likelihood = float(problem.times @ fit.place.log_likelihood)
        gain = likelihood - float(problem.times @ common.place.log_likelihood)
        gain_per_vote = gain / max(float(votes.weight.sum()), 1.0)
        share = np.exp(mixture.log_share)
        known = votes.voter != UNKNOWN
        members = np.bincount(membership[known].argmax(axis=1), minlength=mixture.groups)
        facts: dict[str, Any] = {
            "groups": [{"share": float(share[g]), "voters": int(members[g])} for g in range(share.size)],
            "log_likelihood": likelihood,
            "gain_per_vote": gain_per_vote,
            "held_out": None if held_out is None else held_out.as_json(),
            "iterations": len(fit.objective),
            "gradient_norm": fit.gradient_norm,
        }
        middle = _scores_of(mixture, problem.table, problem.times, self.anchor_mean)

        def refit(table: VoterTable, times: Floats) -> _Scores:
            resampled = MixtureProblem(table, times, self.prior)
            near = climb(resampled, mixture, tolerance=_REFIT_TOLERANCE).mixture
            return _scores_of(near, table, times, self.anchor_mean)

        refits = Refits(votes, np.asarray(ballots.weight), interval, full=middle, refit=refit)
        seed = None if rng is None or interval is None else int(rng.integers(2**63))

        def board(name: str, pick: Callable[[_Scores], Floats], **more: Any) -> Ranking:
            settings = {"model": "voter-mixture", **asdict(self), "board": name, "scale": SCALE}
            return rank_by_weights(
                ballots,
                lambda weight: pick(refits(weight)),
                Shown(settings, "Elo points", self.provisional_below, diagnostics={**facts, **more}),
                both_bad=self.both_bad,
                interval=interval,
                rng=None if seed is None else np.random.default_rng(seed),
            )

        rated = np.flatnonzero(~np.isnan(middle.by_group[0]))
        lowest = {ballots.items[i]: int(middle.by_group[:, i].argmin()) + 1 for i in rated.tolist()}
        heard = problem.table.comparisons(membership)
        groups = tuple(
            VoterGroup(
                share=float(share[g]),
                voters=int(members[g]),
                score=middle.by_group[g],
                comparisons=heard[g],
                board=board(f"group {g + 1}", lambda found, g=g: found.by_group[g]),  # type: ignore[misc]
            )
            for g in range(mixture.groups)
        )
        return MixtureRanking(
            items=ballots.items,
            groups=groups,
            voter=votes.voter,
            membership=membership,
            utilitarian=board("utilitarian", lambda found: found.share @ found.by_group),
            egalitarian=board("egalitarian", lambda found: found.by_group.min(axis=0), lowest_group=lowest),
            held_out=held_out,
            gain_per_vote=gain_per_vote,
            settings=self,
            mixture=mixture,
        )


class _Scores(NamedTuple):
    """float64[G, n_items] in Elo points, NaN where nobody compared the item; float64[G] shares."""

    by_group: Floats
    share: Floats


def _scores_of(mixture: Mixture, table: VoterTable, times: Floats, anchor_mean: float) -> _Scores:
    heard = table.comparisons(times[:, None])[0]
    score = np.where(heard > 0, SCALE * mixture.theta + anchor_mean, np.nan)
    return _Scores(score, np.exp(mixture.log_share))

"""Voters between a few prototypes: every voter's taste is a mix of shared prototype boards, and a newcomer is
placed after a handful of votes. It places voters by their votes alone and knows nothing else of them.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from arena.ranking.arrays import Floats, Ints
from arena.ranking.ballots import Ballots
from arena.ranking.counts import BothBad
from arena.ranking.errors import InvalidItem, InvalidSetting, MissingRandomness, TooFewClusters
from arena.ranking.intervals import Interval
from arena.ranking.result import SCALE, Ranking
from arena.ranking.scored import Shown, rank_by_weights
from arena.ranking.settings import check_shared
from arena.ranking.voters.held_out import HELD_OUT, Foretelling, HeldOut, hold_out
from arena.ranking.voters.ideal_point_fit import (
    TOLERANCE,
    Boards,
    FreeBoards,
    Mixes,
    PointBoards,
    PointFit,
    PointProblem,
    climb,
    some_steps,
)
from arena.ranking.voters.mixture_fit import MixtureProblem, one_group, starts
from arena.ranking.voters.voter_table import Refits, VoterTable, VoterVotes, once_each

MAX_MIXES = 1000
_SHORT_STEPS = 15
_REFIT_TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class PlacedVoters:
    """What their votes say of V voters.

    voter       int64[V], codes; -1 = a ballot of an unknown voter
    posterior   float64[V, S], probability of each mix; rows sum to 1
    mix         float64[S, K], the mixes
    """

    voter: Ints
    posterior: Floats
    mix: Floats
    theta: Floats = field(repr=False)

    @property
    def weight(self) -> Floats:
        """float64[V, K], posterior mean of the voter's weight on each prototype."""
        mean: Floats = self.posterior @ self.mix
        return mean

    @property
    def deviation(self) -> Floats:
        """float64[V, K], posterior standard deviation of the weights."""
        variance = self.posterior @ self.mix**2 - self.weight**2
        return np.sqrt(np.maximum(variance, 0.0))

    def probability(self, row: ArrayLike, first: ArrayLike, second: ArrayLike) -> Floats:
        """float64[q], chance that the voters in rows `row` prefer item `first` to item `second`, averaged
        over the posterior; positions int64[q] each.
        """
        gap = self.theta[:, np.asarray(first)] - self.theta[:, np.asarray(second)]
        chance: Floats = (self.posterior[np.asarray(row)] * expit(self.mix @ gap).T).sum(axis=1)
        return chance


@dataclass(frozen=True, eq=False)
class IdealPointRanking:
    """Prototypes, the one most like the voters first.

    score       float64[K, n_items], each prototype's scores: Elo points, mean `anchor_mean` in every
                component; NaN for an unrated item
    boards      the same as rankings; their counts of ballots, wins, ties and losses are all voters'
    mean        the mean voter's: the prototypes' scores weighted by their shares
    share       float64[K], mean weight of the voters on each prototype
    placed      where the ballots' voters stand
    position    float64[K, d], the prototypes in the space of the features; None without features
    scale       s, by which squared distances count; None without features. Where it is near 0 the prototypes
                lie far outside of the systems and are directions rather than points
    held_out    None if the number of prototypes was given
    """

    items: tuple[str, ...]
    score: Floats
    boards: tuple[Ranking, ...]
    mean: Ranking
    share: Floats
    placed: PlacedVoters
    position: Floats | None
    scale: float | None
    held_out: HeldOut | None
    settings: IdealPoints
    mixes: Mixes = field(repr=False)

    def place(self, ballots: Ballots) -> PlacedVoters:
        """Where the voters of other ballots stand, the prototypes as they are: a newcomer after a few votes.

        Raises InvalidItem if the items are others, MissingClusters without a voter column.
        """
        if ballots.items != self.items:
            raise InvalidItem("the ballots are over other items than the prototypes")
        votes = VoterVotes.of(ballots, self.settings.both_bad)
        table, theta, mixes = votes.table(), self.placed.theta, self.mixes
        found = table.place(table.log_chances(mixes.weight @ theta), mixes.log_prior)
        return PlacedVoters(votes.voter, found.membership, mixes.weight, theta)


@dataclass(frozen=True)
class IdealPoints:
    """PAL for a leaderboard (Chen et al. 2024, arXiv:2406.08469): P(u prefers a to b) = 1 / (1 + exp(s
    |f(a) - z_u|^2 - s |f(b) - z_u|^2)), where the ideal point z_u = sum_k w_uk z_k lies between K shared
    prototypes.

    PAL learns f; here f is given with the systems, or there is none. The preference is linear in w_u:
    theta_u(a) = sum_k w_uk theta_k(a) with a board theta_k(a) = 2 s z_k f(a) - s |f(a)|^2 per prototype.
    Without features the boards themselves are free. Weights of voters are not estimated one by one but summed
    over a lattice with a prior, so that many voters with few votes each do no harm (they are no parameters).

    prototypes      K, or "held-out": the fewest that foretell held-out votes as well as the best number up to
                    `max_prototypes` does, within one standard error (`arena.ranking.voters.held_out`)
    max_prototypes  the most that "held-out" tries; the time grows with the number of mixes
    folds           parts that each voter's ballots are dealt to, each held out once
    concentration   of the prior of a voter's weights; below 1 voters stand near prototypes, above 1 between
    steps           weights come in steps of 1 / steps
    prior           weight of a phantom battle, half a win to each side, on every observed pair on every
                    prototype's board; above 0, so that boards stay finite
    restarts        starts that take a few steps; the best goes on
    anchor_mean     mean score of each prototype in each component, Elo points
    both_bad        "tie": all compared pairs of a ballot called all bad are ties; "drop": it is left out
    provisional_below   systems with fewer usable ballots are marked provisional

    Ties count half a win to each side, and a ballot with more than two compared slots is read as its compared
    pairs, as if each were a vote of its own: posteriors are then too sure. A prototype is a corner of the
    voters' tastes, which few or no voters hold in full: its board is more extreme than any voter's, and how
    extreme depends on `concentration`.
    """

    prototypes: int | Literal["held-out"] = HELD_OUT
    max_prototypes: int = 3
    folds: int = 5
    concentration: float = 0.5
    steps: int = 10
    prior: float = 0.1
    restarts: int = 8
    anchor_mean: float = 1000.0
    both_bad: BothBad = "tie"
    provisional_below: int = 50

    def __post_init__(self) -> None:
        if self.prototypes != HELD_OUT and not (isinstance(self.prototypes, int) and self.prototypes >= 1):
            raise InvalidSetting(f"prototypes must be a number from 1 or 'held-out', not {self.prototypes!r}")
        least_of = {"max_prototypes": 1, "folds": 2, "steps": 1, "restarts": 1, "provisional_below": 0}
        for name, least in least_of.items():
            if getattr(self, name) < least:
                raise InvalidSetting(f"{name} must be at least {least}, not {getattr(self, name)}")
        most = self.prototypes if isinstance(self.prototypes, int) else self.max_prototypes
        mixes = math.comb(self.steps + most - 1, most - 1)
        if mixes > MAX_MIXES:
            raise InvalidSetting(f"{mixes} mixes are more than {MAX_MIXES}: fewer steps or prototypes")
        for name in ("concentration", "prior"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InvalidSetting(f"{name} must be finite and above 0, not {value}")
        check_shared(self)

    def fit(
        self, ballots: Ballots, interval: Interval | None = None, rng: np.random.Generator | None = None
    ) -> Ranking:
        """The mean voter's board, without features; see `estimate`."""
        return self.estimate(ballots, interval=interval, rng=rng).mean

    def estimate(
        self,
        ballots: Ballots,
        interval: Interval | None = None,
        rng: np.random.Generator | None = None,
        *,
        features: ArrayLike | None = None,
    ) -> IdealPointRanking:
        """Find the prototypes; `features` float64[n_items, d] are what is known of the items.

        The interval is a `Bootstrap` or None: by voter it draws voters whole, by another cluster votes. Each
        resample is fitted from the full fit on. `rng` is needed for the starts.

        Diagnostics: `share` (of each prototype), `log_likelihood` (natural logarithm, without phantoms),
        `gain_per_vote` (over one board for all, per compared pair; it grows with the number of prototypes),
        `gradient_norm` (see `ideal_point_fit.TOLERANCE`), `scale`, `held_out` (its columns, or None).

        Raises MissingClusters without a voter column, MissingRandomness, LengthMismatch or InvalidSetting for
        features of another shape or that are not finite, NotConverged, TooFewClusters (also for fewer voters
        than prototypes), InvalidSetting for a Sandwich.
        """
        if rng is None:
            raise MissingRandomness("starts need rng=numpy.random.default_rng(seed)")
        point = None if features is None else PointBoards.of(1, len(ballots.items), features)
        votes = VoterVotes.of(ballots, self.both_bad)
        n_voters = votes.voter.size
        if isinstance(self.prototypes, int) and 0 < n_voters < self.prototypes:
            raise TooFewClusters(f"{n_voters} voters cannot show {self.prototypes} prototypes")
        prototypes, held_out = self.prototypes, None
        if prototypes == HELD_OUT:
            held_out = self._judged(votes, point, rng)
            prototypes = held_out.chosen
        problem = self._problem(votes.table(), point, prototypes)
        fit = self._fitted(problem, rng)
        order = np.argsort(-problem.share(fit), kind="stable")
        fit = problem.at(problem.boards.reordered(fit.parameter, order))
        return self._result(ballots, votes, problem, fit, held_out, interval, rng)

    def _judged(self, votes: VoterVotes, point: PointBoards | None, rng: np.random.Generator) -> HeldOut:
        def fit(seen: VoterTable, prototypes: int) -> Foretelling:
            problem = self._problem(seen, point, prototypes)
            found = self._fitted(problem, rng)
            theta = problem.boards.theta(found.parameter)
            return Foretelling(found.place.membership, problem.mixes.weight @ theta)

        most = max(min(self.max_prototypes, votes.voter.size), 1)
        return hold_out(votes, fit, most=most, folds=self.folds, rng=rng)

    def _problem(self, table: VoterTable, point: PointBoards | None, prototypes: int) -> PointProblem:
        boards: Boards = FreeBoards(prototypes, table.n_items)
        if point is not None:
            boards = replace(point, prototypes=prototypes)
        mixes = Mixes.of(prototypes, self.steps, self.concentration)
        return PointProblem(table, once_each(table), mixes, boards, self.prior)

    def _fitted(self, problem: PointProblem, rng: np.random.Generator) -> PointFit:
        hard = MixtureProblem(problem.table, problem.times, self.prior)
        prototypes = problem.mixes.weight.shape[1]
        common = one_group(hard).mixture
        found = [common] if prototypes == 1 else starts(hard, common, prototypes, self.restarts, rng)
        near = [problem.boards.near(start.theta) for start in found]
        short = [some_steps(problem, start, TOLERANCE, _SHORT_STEPS) for start in near]
        return climb(problem, max(short, key=lambda fit: fit.objective).parameter)

    def _result(
        self,
        ballots: Ballots,
        votes: VoterVotes,
        problem: PointProblem,
        fit: PointFit,
        held_out: HeldOut | None,
        interval: Interval | None,
        rng: np.random.Generator,
    ) -> IdealPointRanking:
        boards, mixes, share = problem.boards, problem.mixes, problem.share(fit)
        common = one_group(MixtureProblem(problem.table, problem.times, self.prior))
        likelihood = float(problem.times @ fit.place.log_likelihood)
        gain = likelihood - float(problem.times @ common.place.log_likelihood)
        facts: dict[str, Any] = {
            "share": share.tolist(),
            "log_likelihood": likelihood,
            "gain_per_vote": gain / max(float(votes.weight.sum()), 1.0),
            "gradient_norm": fit.gradient_norm,
            "scale": boards.scale(fit.parameter),
            "held_out": None if held_out is None else held_out.as_json(),
        }

        def scores(resampled: PointProblem, found: PointFit) -> Floats:
            theta = boards.theta(found.parameter)
            score = self._scores(theta, resampled.table, resampled.times)
            return np.vstack([score, resampled.share(found) @ score])

        def refit(table: VoterTable, times: Floats) -> Floats:
            resampled = PointProblem(table, times, mixes, boards, self.prior)
            return scores(resampled, climb(resampled, fit.parameter, tolerance=_REFIT_TOLERANCE))

        full = scores(problem, fit)
        refits = Refits(votes, np.asarray(ballots.weight), interval, full=full, refit=refit)
        seed = int(rng.integers(2**63))

        def board(row: int, name: str) -> Ranking:
            settings = {"model": "ideal-points", **asdict(self), "board": name, "scale": SCALE}
            return rank_by_weights(
                ballots,
                lambda weight: refits(weight)[row],
                Shown(settings, "Elo points", self.provisional_below, diagnostics=facts),
                both_bad=self.both_bad,
                interval=interval,
                rng=np.random.default_rng(seed),
            )

        numbers = range(share.size)
        return IdealPointRanking(
            items=ballots.items,
            score=full[:-1],
            boards=tuple(board(number, f"prototype {number + 1}") for number in numbers),
            mean=board(share.size, "mean voter"),
            share=share,
            placed=PlacedVoters(votes.voter, fit.place.membership, mixes.weight, boards.theta(fit.parameter)),
            position=boards.position(fit.parameter),
            scale=boards.scale(fit.parameter),
            held_out=held_out,
            settings=self,
            mixes=mixes,
        )

    def _scores(self, theta: Floats, table: VoterTable, times: Floats) -> Floats:
        """float64[K, n] in Elo points; NaN for what nobody compared."""
        score = np.full(theta.shape, np.nan)
        for items in table.components:
            centred = theta[:, items] - theta[:, items].mean(axis=1, keepdims=True)
            score[:, items] = SCALE * centred + self.anchor_mean
        heard = table.comparisons(times[:, None])[0]
        return np.where(heard > 0, score, np.nan)

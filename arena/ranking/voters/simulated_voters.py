"""Voters with known tastes, so that what a model says of people can be checked against the truth. Its votes
are for tests and benchmarks and never stand for anybody's opinion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from arena.ranking.arrays import Floats
from arena.ranking.ballots import PAIR_OUTCOMES, Ballots
from arena.ranking.errors import InvalidSetting, LengthMismatch, TooFewSystems

_A_WON, _B_WON, _TIED = (PAIR_OUTCOMES.index(outcome) for outcome in ("a", "b", "tie"))


@dataclass(frozen=True, eq=False)
class SimulatedVotes:
    """Votes and the truth behind them.

    ballots     pairwise; voters are numbered as the rows of `taste`, prompts as the criteria's
    taste       float64[n_voters, R], what each criterion counts for a voter; rows sum to 1
    strength    float64[n_voters, n_items], the voter's utility over the temperature, mean over prompts,
                centred: the natural-log strengths that a Bradley-Terry fit of this voter's votes would find,
                if there is one prompt and no tie
    """

    ballots: Ballots
    taste: Floats
    strength: Floats


@dataclass(frozen=True)
class SimulatedVoters:
    """Voter u weighs the z-scored criteria of an answer, U_u(i) = sum_r w_ur z_r(i), and votes by logistic
    choice, P(a beats b) = 1 / (1 + exp(-(U_u(a) - U_u(b) - c) / T)), a tie otherwise: with c = 0 that is
    Bradley-Terry per voter, with c > 0 Rao-Kupper with phi = exp(c / T). After PersonalLLM (Zollo et al.
    2024, arXiv:2409.20296), whose criteria are reward models and whose weights are Dirichlet.

    concentration   of the symmetric Dirichlet the weights are drawn from; far below 1 a voter cares about one
                    criterion, far above 1 all voters weigh all alike
    temperature     T, in standard deviations of a criterion; the larger, the noisier the votes
    tie_threshold   c, on the same scale
    """

    concentration: float = 1.0
    temperature: float = 1.0
    tie_threshold: float = 0.0

    def __post_init__(self) -> None:
        for name in ("concentration", "temperature"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InvalidSetting(f"{name} must be finite and above 0, not {value}")
        if not (math.isfinite(self.tie_threshold) and self.tie_threshold >= 0):
            raise InvalidSetting(f"tie_threshold must be finite and not negative, not {self.tie_threshold}")

    def vote(
        self,
        criteria: ArrayLike,
        *,
        n_voters: int,
        votes_per_voter: int,
        rng: np.random.Generator,
        taste: ArrayLike | None = None,
    ) -> SimulatedVotes:
        """Votes on pairs (and prompts) drawn uniformly, the side of an item by chance.

        criteria    float64[n_items, R], or float64[n_prompts, n_items, R]: the answers' scores by criterion,
                    such as a reward model's; the ballots have a prompt column in the second case only
        taste       float64[n_voters, R], not negative, to plant groups; drawn if left out; rows are
                    normalised

        Raises LengthMismatch for other shapes, InvalidSetting for a criterion that is not finite or the same
        everywhere, for a taste that is no direction or for fewer than one voter or vote, TooFewSystems.
        """
        table = np.asarray(criteria, dtype=np.float64)
        if table.ndim not in (2, 3) or not table.size:
            raise LengthMismatch(f"criteria must be [items, R] or [prompts, items, R], not {table.shape}")
        if n_voters < 1 or votes_per_voter < 1:
            raise InvalidSetting(f"{n_voters} voters with {votes_per_voter} votes each cast no vote")
        n_items = table.shape[-2]
        if n_items < 2:
            raise TooFewSystems("a vote needs two items")
        by_prompt = _standardised(table if table.ndim == 3 else table[None])
        weights = self._tastes(taste, (n_voters, table.shape[-1]), rng)
        votes = n_voters * votes_per_voter
        voter = np.repeat(np.arange(n_voters), votes_per_voter)
        prompt = rng.integers(by_prompt.shape[0], size=votes)
        first = rng.integers(n_items, size=votes)
        second = (first + rng.integers(1, n_items, size=votes)) % n_items
        lead = ((by_prompt[prompt, first] - by_prompt[prompt, second]) * weights[voter]).sum(axis=1)
        a_wins = expit((lead - self.tie_threshold) / self.temperature)
        b_wins = expit((-lead - self.tie_threshold) / self.temperature)
        chance = rng.random(votes)
        outcome = np.where(chance < a_wins, _A_WON, np.where(chance < a_wins + b_wins, _B_WON, _TIED))
        strength = weights @ by_prompt.mean(axis=0).T / self.temperature
        return SimulatedVotes(
            Ballots.from_pair_columns(
                items=[f"item-{number}" for number in range(n_items)],
                first=first,
                second=second,
                outcome=outcome,
                voter=voter,
                prompt=prompt if table.ndim == 3 else None,
            ),
            weights,
            strength - strength.mean(axis=1, keepdims=True),
        )

    def _tastes(self, taste: ArrayLike | None, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
        if taste is None:
            # For a tiny concentration every gamma draw can be 0; the Dirichlet's own sampler bears that.
            drawn: Floats = rng.dirichlet(np.full(shape[1], self.concentration), size=shape[0])
            return drawn
        given = np.asarray(taste, dtype=np.float64)
        if given.shape != shape:
            raise LengthMismatch(f"taste has shape {given.shape} for {shape[0]} voters, {shape[1]} criteria")
        total = given.sum(axis=1, keepdims=True)
        if not np.isfinite(given).all() or bool((given < 0).any()) or bool((total == 0).any()):
            raise InvalidSetting("a taste must be finite, not negative and not 0 for every criterion")
        normalised: Floats = given / total
        return normalised


def _standardised(table: Floats) -> Floats:
    """z-scores of every criterion over all prompts and items."""
    if not np.isfinite(table).all():
        raise InvalidSetting("criteria must be finite")
    sd = table.std(axis=(0, 1))
    if bool((np.ptp(table, axis=(0, 1)) == 0).any()):
        raise InvalidSetting(f"criterion {int(np.ptp(table, axis=(0, 1)).argmin())} is the same everywhere")
    scored: Floats = (table - table.mean(axis=(0, 1))) / sd
    return scored

"""Maximise the likelihood of a mixture of Bradley-Terry models over voters, by EM and L-BFGS, to a small
gradient or not at all. It reads sums by voter and never a ballot's meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import optimize, sparse
from scipy.special import logsumexp

from arena.ranking.arrays import Floats, Ints
from arena.ranking.errors import NotConverged
from arena.ranking.newton import PairProblem, newton
from arena.ranking.voters.voter_table import Place, VoterTable, once_each

PHANTOM_VOTERS = 1.0
"""Voters of no opinion that every group starts with, so that no share of the voters runs to 0."""

TOLERANCE = 1e-6
"""Largest gradient allowed; see `View.gradient_norm`."""

MAX_STEPS = 2000
_EM_ROUNDS = 20
_SHORT_ROUNDS = 8  # what a start gets before the best of the starts goes on (Biernacki et al. 2003)
_STEP_TOLERANCE = 1e-9
_SPREAD = 1.0  # natural-log units between a start's groups, root mean square


@dataclass(frozen=True, eq=False)
class Mixture:
    """theta float64[G, n], natural-log strengths with mean 0 in every component (0 for items outside them);
    log_share float64[G].
    """

    theta: Floats
    log_share: Floats

    @property
    def groups(self) -> int:
        return int(self.log_share.size)


class View(NamedTuple):
    """The objective at a mixture and its gradient.

    cells           float64[2 P, G], weights by group, phantoms included
    by_theta        float64[G, n], derivative of the objective
    by_logit        float64[G], derivative by the shares' logits
    gradient_norm   largest derivative by a strength per weight of the item in the group, or by a logit per
                    voter
    """

    mixture: Mixture
    place: Place
    cells: Floats
    objective: float
    by_theta: Floats
    by_logit: Floats
    gradient_norm: float


class EmFit(NamedTuple):
    """A maximum that was found.

    objective   penalised log-likelihood on the way there, never falling
    """

    mixture: Mixture
    place: Place
    objective: list[float]
    gradient_norm: float

    def ordered(self) -> EmFit:
        """The same with the largest group first."""
        order = np.argsort(-self.mixture.log_share, kind="stable")
        mixture = Mixture(self.mixture.theta[order], self.mixture.log_share[order])
        place = Place(self.place.membership[:, order], self.place.log_likelihood)
        return self._replace(mixture=mixture, place=place)


@dataclass(frozen=True, eq=False)
class MixtureProblem:
    """What is maximised: sum over voters of times * ln sum over groups of share * product of P(vote), plus
    `prior` drawn battles on every observed pair of every group, plus PHANTOM_VOTERS * sum of ln share.

    times   float64[U], how often each voter counts (a resample's multiplicities)
    """

    table: VoterTable
    times: Floats
    prior: float

    @classmethod
    def of(cls, table: VoterTable, prior: float) -> MixtureProblem:
        """Every voter who voted counts once."""
        return cls(table, once_each(table), prior)

    def view(self, mixture: Mixture) -> View:
        """The E-step, with the objective and its gradient.

        By Fisher's identity the gradient of the observed likelihood is that of the weighted tables.
        """
        table, pairs, half = self.table, self.table.first.size, 0.5 * self.prior
        chances = table.log_chances(mixture.theta)
        found = table.place(chances, mixture.log_share)
        cells = table.won.T @ (found.membership * self.times[:, None]) + half
        objective = (
            float(self.times @ found.log_likelihood)
            + half * float(chances.sum())
            + PHANTOM_VOTERS * float(mixture.log_share.sum())
        )
        both = cells[:pairs] + cells[pairs:]
        surplus = cells[:pairs] - both * np.exp(chances[:pairs])
        by_theta = (table.incidence @ surplus).T
        weight = (table.meets @ both).T
        voters = self.times @ found.membership + PHANTOM_VOTERS
        by_logit = voters - voters.sum() * np.exp(mixture.log_share)
        rated = weight > 0
        norm = float(np.max(np.abs(by_theta[rated]) / weight[rated], initial=0.0))
        norm = max(norm, float(np.max(np.abs(by_logit))) / float(voters.sum()))
        return View(mixture, found, cells, objective, by_theta, by_logit, norm)

    def improve(self, view: View) -> Mixture:
        """The M-step: a Bradley-Terry fit of every group's weighted table, and the mean membership."""
        theta = view.mixture.theta.copy()
        for group in range(view.mixture.groups):
            for problem, items in self._problems(view.cells[:, group]):
                start = theta[group, items]
                theta[group, items] = newton(problem, start, tolerance=_STEP_TOLERANCE).theta
        voters = self.times @ view.place.membership + PHANTOM_VOTERS
        return Mixture(theta, np.log(voters / voters.sum()))

    def _problems(self, cells: Floats) -> list[tuple[PairProblem, Ints]]:
        table, pairs = self.table, self.table.first.size
        to_first, both = cells[:pairs], cells[:pairs] + cells[pairs:]
        problems = []
        for items in table.components:
            position = np.full(table.n_items, -1, dtype=np.int64)
            position[items] = np.arange(items.size)
            own = np.flatnonzero(position[table.first] >= 0)
            first, second = position[table.first[own]], position[table.second[own]]
            problems.append((PairProblem(items.size, first, second, to_first[own], both[own]), items))
        return problems


def one_group(problem: MixtureProblem) -> EmFit:
    """The common board: a Newton fit, no EM."""
    flat = Mixture(np.zeros((1, problem.table.n_items)), np.zeros(1))
    view = problem.view(problem.improve(problem.view(flat)))
    return EmFit(view.mixture, view.place, [view.objective], view.gradient_norm)


def starts(
    problem: MixtureProblem, common: Mixture, groups: int, count: int, rng: np.random.Generator
) -> list[Mixture]:
    """`count` mixtures around the common board, the groups apart in directions in which voters differ.

    A direction is a random mix of the voters' own gradients at the common board, where EM with equal groups
    would stand still: what tells groups apart shows there in many voters' gradients, while noise spreads over
    all directions.
    """
    table, pairs = problem.table, problem.table.first.size
    chance = np.exp(table.log_chances(common.theta)[:, 0])
    # A vote for the first pulls its items apart by P(second), one for the second together by P(first).
    pull = np.concatenate([chance[pairs:], -chance[:pairs]])
    by_item = sparse.vstack([table.incidence.T, table.incidence.T]).multiply(pull[:, None])
    gradient = table.won @ by_item.tocsr()
    spread = (gradient.T @ gradient.multiply(problem.times[:, None]).tocsr()).toarray()
    value, vector = np.linalg.eigh(spread)
    root = vector * np.sqrt(np.maximum(value, 0.0))
    found = []
    for _ in range(count):
        apart = rng.standard_normal((groups, table.n_items)) @ root.T
        apart -= apart.mean(axis=0)
        size = float(np.sqrt((apart**2).mean()))
        theta = common.theta + (_SPREAD / size if size > 0 else 0.0) * apart
        found.append(Mixture(theta, np.full(groups, -np.log(groups))))
    return found


def climb(
    problem: MixtureProblem, start: Mixture, *, tolerance: float = TOLERANCE, max_steps: int = MAX_STEPS
) -> EmFit:
    """EM (Dempster, Laird & Rubin 1977) from `start`, then L-BFGS on the same objective: where groups overlap
    EM crawls long before its gradient is small (Jamshidian & Jennrich 1997).

    Raises NotConverged if the gradient is not small after `max_steps` steps of L-BFGS.
    """
    view, trace = rounds_of_em(problem, start, _EM_ROUNDS, tolerance)
    if view.gradient_norm > tolerance:
        view = _polished(problem, view.mixture, tolerance, max_steps)
        trace.append(view.objective)
    if not view.gradient_norm <= tolerance:
        raise NotConverged(
            f"gradient per weight {view.gradient_norm:.3g} with {start.groups} groups after "
            f"{len(trace)} rounds of EM and L-BFGS, wanted {tolerance:.3g}"
        )
    return EmFit(view.mixture, view.place, trace, view.gradient_norm)


def best_of(problem: MixtureProblem, candidates: list[Mixture]) -> EmFit:
    """A few rounds from every candidate, then the best of them to the end. Raises NotConverged."""
    short = [rounds_of_em(problem, candidate, _SHORT_ROUNDS, TOLERANCE).view for candidate in candidates]
    return climb(problem, max(short, key=lambda view: view.objective).mixture)


class Rounds(NamedTuple):
    """Where EM stands, and the objective at every mixture on the way: it never falls."""

    view: View
    objective: list[float]


def rounds_of_em(problem: MixtureProblem, start: Mixture, rounds: int, tolerance: float) -> Rounds:
    """At most `rounds` rounds; fewer if the gradient is small before."""
    view = problem.view(start)
    trace = [view.objective]
    while view.gradient_norm > tolerance and len(trace) <= rounds:
        view = problem.view(problem.improve(view))
        trace.append(view.objective)
    return Rounds(view, trace)


def _polished(problem: MixtureProblem, start: Mixture, tolerance: float, max_steps: int) -> View:
    """L-BFGS in (theta, logits of the shares) until the gradient per weight is small."""
    shape = start.theta.shape
    best = problem.view(start)

    def mixture_at(x: Floats) -> Mixture:
        logit = x[start.theta.size :]
        return Mixture(x[: start.theta.size].reshape(shape), logit - logsumexp(logit))

    def falling(x: Floats) -> tuple[float, Floats]:
        nonlocal best
        view = problem.view(mixture_at(x))
        if view.objective >= best.objective:
            best = view
        return -view.objective, -np.concatenate([view.by_theta.ravel(), view.by_logit])

    def is_enough(_: Floats) -> None:
        if best.gradient_norm <= tolerance:
            raise StopIteration

    optimize.minimize(
        falling,
        np.concatenate([start.theta.ravel(), start.log_share]),
        jac=True,
        method="L-BFGS-B",
        callback=is_enough,
        options={"maxiter": max_steps, "maxfun": 2 * max_steps, "maxcor": 30, "ftol": 0.0, "gtol": 0.0},
    )
    # Near the maximum the objective is flat to the last digit and line searches fail; EM rounds still gain.
    return rounds_of_em(problem, best.mixture, _EM_ROUNDS, tolerance).view

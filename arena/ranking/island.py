"""One connected component of a board, with its fit: the unit in which everything is estimated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from arena.ranking.arrays import Bools, Floats, Ints, sum_by
from arena.ranking.counts import BAD, FIRST_WON, SECOND_WON, TIED, Tally
from arena.ranking.graph import Separation, separation, strong_components
from arena.ranking.newton import Grounded, PairProblem, Solution, ground, laplacian, newton
from arena.ranking.tie_fit import TieProblem, TieSolution, climb, tie_is_finite
from arena.ranking.tie_models import RaoKupper, Slopes, TieModel, mean_squares

PHANTOM = 0.5
"""Weight of the drawn battle added to a pair that crosses strong components."""


Solve = Callable[[PairProblem], Solution]


@dataclass(frozen=True)
class TieSetting:
    """Which model of ties is fitted, and its tie parameter (internal scale) if that is given."""

    model: TieModel
    fixed: float | None = None


@dataclass(frozen=True, eq=False)
class Tied:
    """The fit of a component under a model with a tie parameter."""

    problem: TieProblem
    solution: TieSolution

    def slopes(self, crossing: Bools, n_outcomes: int) -> Slopes:
        """Scores of one unit of weight, float64[n_outcomes, P]; 0 on crossing pairs."""
        theta, problem = self.solution.theta, self.problem
        found = problem.model.slopes(theta[problem.first], theta[problem.second], self.solution.beta)

        def filled(rows: Floats) -> Floats:
            rows = np.where(crossing, 0.0, rows)
            return np.vstack([rows, np.zeros((n_outcomes - rows.shape[0], rows.shape[1]))])

        return Slopes(*(filled(rows) for rows in found))

    def mean_squares(self, crossing: Bools) -> Slopes:
        """Their expected squares under the model, float64[P]; 0 on crossing pairs."""
        theta, problem = self.solution.theta, self.problem
        found = mean_squares(problem.model, theta[problem.first], theta[problem.second], self.solution.beta)
        return Slopes(*(np.where(crossing, 0.0, row) for row in found))


@dataclass(frozen=True, eq=False)
class Island:
    """A weakly connected component with n items and P observed pairs, fitted on its own.

    items           int64[n], positions on the board, ascending
    pairs           int64[P], columns of the board's tally
    first, second   int64[P], positions in `items`
    weight          float64[O, P], the tally's rows
    crossing        bool[P], the pair lies between two strong components: its outcomes are all alike
    phantom         float64[P], weight of drawn battles added to each pair
    tied            the fit with a tie parameter; None where ties count half or not at all
    """

    items: Ints
    pairs: Ints
    first: Ints
    second: Ints
    weight: Floats
    separation: Separation
    crossing: Bools
    phantom: Floats
    prior: float
    solution: Solution
    setting: TieSetting | None = None
    tied: Tied | None = None

    @property
    def n(self) -> int:
        return self.items.size

    @property
    def is_strongly_connected(self) -> bool:
        return not bool(self.crossing.any())

    @property
    def phantom_pairs(self) -> int:
        """How many pairs got a phantom because the estimate would not exist without it."""
        return 0 if self.prior > 0 else int(np.count_nonzero(self.phantom))

    @property
    def problem(self) -> PairProblem:
        return half_tie_problem(self.n, self.first, self.second, self.weight, self.phantom)

    @property
    def log_likelihood(self) -> float:
        """Natural logarithm, without phantoms."""
        if self.tied is not None:
            return self.tied.problem.log_likelihood(self.tied.solution.theta, self.tied.solution.beta)
        bare = half_tie_problem(self.n, self.first, self.second, self.weight, np.zeros(self.phantom.size))
        return bare.log_likelihood(self.solution.theta)

    def factor(self) -> Grounded:
        """The grounded information matrix at the estimate."""
        problem = self.problem
        information = problem.information(problem.probability(self.solution.theta))
        return ground(laplacian(self.n, self.first, self.second, information))


def half_tie_problem(n: int, first: Ints, second: Ints, weight: Floats, phantom: Floats) -> PairProblem:
    """Bradley-Terry counts with half a win to each side of a tie, drawn phantoms added."""
    tied = weight[TIED] + phantom
    won = weight[FIRST_WON] + 0.5 * tied
    return PairProblem(n, first, second, won, weight[FIRST_WON] + weight[SECOND_WON] + tied)


def settle(
    total: Tally,
    items: Ints,
    *,
    prior: float,
    setting: TieSetting | None = None,
    solve: Solve = newton,
) -> Island:
    """Fit the component that consists of `items` (ascending); `solve` is used where no tie parameter is.

    Without a prior and if, and only if, no finite estimate exists, half a drawn battle joins every observed
    pair between two strong components. Raises NotConverged.
    """
    position = np.full(total.n_items, -1, dtype=np.int64)
    position[items] = np.arange(items.size)
    pairs = np.flatnonzero(position[total.first] >= 0)
    first, second, weight = (
        position[total.first[pairs]],
        position[total.second[pairs]],
        total.weight[:, pairs],
    )
    if setting is None:
        state = separation(items.size, first, second, weight)
        crossing = state.strong[first] != state.strong[second]
        phantom = np.full(pairs.size, prior) if prior > 0 else np.where(crossing, PHANTOM, 0.0)
        solution = solve(half_tie_problem(items.size, first, second, weight, phantom))
        return Island(items, pairs, first, second, weight, state, crossing, phantom, prior, solution)
    posed = pose(items.size, first, second, weight, prior=prior, setting=setting)
    tied = Tied(posed.problem, climb(posed.problem))
    return Island(
        items,
        pairs,
        first,
        second,
        weight,
        posed.state,
        posed.crossing,
        posed.problem.phantom,
        prior,
        tied.solution.centred,
        setting,
        tied,
    )


class Posed(NamedTuple):
    """A problem with a tie parameter, and what was found on its graph."""

    problem: TieProblem
    state: Separation
    crossing: Bools


def pose(n: int, first: Ints, second: Ints, weight: Floats, *, prior: float, setting: TieSetting) -> Posed:
    """State the problem with its phantoms.

    The ground of a grounded model is one more node: whoever won or tied beat it, and it beat both of a pair
    called bad. Without a ballot called bad it is out of sight, and plain Rao-Kupper is left. Without a tie
    the tie parameter is at its bound and plain Bradley-Terry is left. Where the graph holds together but the
    tie parameter would run off (as when all is tied), every observed pair gets the phantom.
    """
    model: TieModel = setting.model
    is_grounded = model.is_grounded and bool(weight[BAD].any())
    if model.is_grounded and not is_grounded:
        model = RaoKupper()
    state = _grounded_separation(n, first, second, weight) if is_grounded else None
    ground_phantom = np.zeros(n)
    if state is not None:
        ground_phantom = np.where(state.strong[:n] != state.strong[n], PHANTOM, 0.0)
        state = Separation(state.strong[:n], state.is_separated[:n], state.no_ceiling[:n], state.no_floor[:n])
    else:
        state = separation(n, first, second, weight)
    crossing = state.strong[first] != state.strong[second]
    phantom = np.full(first.size, prior) if prior > 0 else np.where(crossing, PHANTOM, 0.0)
    fixed = setting.fixed
    if fixed is None and not weight[TIED].any():
        fixed = -np.inf
    if fixed is None:
        both_ways = weight[:BAD] + phantom * np.array([[1.0], [1.0], [0.0]])
        if not tie_is_finite(n, first, second, both_ways):
            phantom = np.full(first.size, PHANTOM)
    rows = weight if is_grounded else weight[:BAD]
    return Posed(TieProblem(model, n, first, second, rows, phantom, ground_phantom, fixed), state, crossing)


def _grounded_separation(n: int, first: Ints, second: Ints, weight: Floats) -> Separation:
    useful, useless = np.zeros(n), np.zeros(n)
    for end, won in ((first, FIRST_WON), (second, SECOND_WON)):
        useful += sum_by(end, weight[won] + weight[TIED], n)
        useless += sum_by(end, weight[BAD], n)
    nil = np.zeros(n)
    return separation(
        n + 1,
        np.concatenate([first, np.arange(n)]),
        np.concatenate([second, np.full(n, n)]),
        np.hstack([weight[:BAD], np.stack([useful, useless, nil])]),
    )


def replicate_problem(island: Island, weight: Floats) -> tuple[PairProblem, bool]:
    """The island's problem with resampled weights float64[3, P]; True if the resample needed phantoms of its
    own.

    The phantom rule is the island's, read on the resample's own graph, so that every resample has a finite
    estimate.
    """
    phantom, separated = island.phantom, False
    if island.prior == 0 and bool(((weight > 0) != (island.weight > 0)).any()):
        strong = strong_components(island.n, island.first, island.second, weight)
        crossing = strong[island.first] != strong[island.second]
        phantom = np.where(crossing, PHANTOM, 0.0)
        separated = bool((crossing & ~island.crossing).any())
    return half_tie_problem(island.n, island.first, island.second, weight, phantom), separated


def replicate_tie_problem(island: Island, weight: Floats) -> tuple[TieProblem, bool]:
    """Like `replicate_problem`, under the island's model of ties."""
    assert island.tied is not None  # noqa: S101 - only islands fitted with a tie parameter come here
    assert island.setting is not None  # noqa: S101
    problem = island.tied.problem
    if not bool(((weight > 0) != (island.weight > 0)).any()):
        return replace(problem, weight=weight[: problem.weight.shape[0]]), False
    posed = pose(island.n, island.first, island.second, weight, prior=island.prior, setting=island.setting)
    return posed.problem, bool((posed.crossing & ~island.crossing).any())

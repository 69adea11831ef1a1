"""One connected component of a board, with its fit: the unit in which everything is estimated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arena.ranking.arrays import Bools, Floats, Ints
from arena.ranking.counts import FIRST_WON, SECOND_WON, TIED, Tally
from arena.ranking.graph import Separation, separation, strong_components
from arena.ranking.newton import Grounded, PairProblem, Solution, ground, laplacian, newton

PHANTOM = 0.5
"""Weight of the drawn battle added to a pair that crosses strong components."""


@dataclass(frozen=True, eq=False)
class Island:
    """A weakly connected component with n items and P observed pairs, fitted on its own.

    items           int64[n], positions on the board, ascending
    pairs           int64[P], columns of the board's tally
    first, second   int64[P], positions in `items`
    weight          float64[3, P], the tally's rows
    crossing        bool[P], the pair lies between two strong components: its outcomes are all alike
    phantom         float64[P], weight of drawn battles added to each pair
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

    @property
    def n(self) -> int:
        return self.items.size

    @property
    def is_strongly_connected(self) -> bool:
        return not bool(self.crossing.any())

    @property
    def phantom_pairs(self) -> int:
        """How many pairs got a phantom because the estimate would not exist without it."""
        return 0 if self.prior > 0 else int(self.crossing.sum())

    @property
    def problem(self) -> PairProblem:
        return half_tie_problem(self.n, self.first, self.second, self.weight, self.phantom)

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


def settle(total: Tally, items: Ints, *, prior: float) -> Island:
    """Fit the component that consists of `items` (ascending).

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
    state = separation(items.size, first, second, weight)
    crossing = state.strong[first] != state.strong[second]
    phantom = np.full(pairs.size, prior) if prior > 0 else np.where(crossing, PHANTOM, 0.0)
    solution = newton(half_tie_problem(items.size, first, second, weight, phantom))
    return Island(items, pairs, first, second, weight, state, crossing, phantom, prior, solution)


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

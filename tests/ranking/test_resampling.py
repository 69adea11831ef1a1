import numpy as np
import pytest

from arena.ranking import Ballots, Bootstrap, BradleyTerry
from arena.ranking.counts import compare, split, tally
from arena.ranking.graph import components
from arena.ranking.island import replicate_problem, settle
from arena.ranking.newton import newton
from arena.ranking.poisson import LARGEST, PoissonCells
from arena.ranking.resampling import HalfTieRefits, Resampler
from tests.ranking.boards import sampled_board


def test_poisson_cells_have_mean_and_variance_of_their_counts(rng):
    mean = np.array([1, 2, 7, LARGEST, LARGEST + 1, 3 * LARGEST, 8 * LARGEST + 1])
    cells = PoissonCells.of(mean)
    drawn = np.stack([cells.draw(rng) for _ in range(20_000)])
    assert drawn.mean(axis=0) == pytest.approx(mean, rel=0.03)
    assert drawn.var(axis=0) == pytest.approx(mean, rel=0.06)


def test_poisson_values_have_the_law(rng):
    drawn = PoissonCells.of(np.full(200_000, 3)).draw(rng)
    share = np.bincount(drawn.astype(int), minlength=5)[:5] / drawn.size
    assert share == pytest.approx([0.0498, 0.1494, 0.2240, 0.2240, 0.1680], abs=0.004)


def test_an_empty_cell_stays_empty(rng):
    assert PoissonCells.of(np.array([0, 4, 0])).draw(rng)[[0, 2]].tolist() == [0.0, 0.0]


def test_the_same_generator_draws_the_same(rng):
    cells = PoissonCells.of(np.arange(700))
    draws = [cells.draw(np.random.default_rng(5)) for _ in range(2)]
    assert draws[0].tolist() == draws[1].tolist()


@pytest.mark.parametrize("votes", [60, 3000])
def test_refits_in_batches_are_those_of_newton(rng, votes):
    """Sparse boards fall apart in some resamples and take the slow way there."""
    ballots = sampled_board(rng, n=8, size=votes)
    comparisons = compare(ballots)
    total = tally(comparisons)
    island = settle(total, components(total.n_items, total.first, total.second)[0], prior=0.0)
    resampler = Resampler(split(ballots, comparisons, total, cluster="ballot"), total.first.size)
    cells = np.stack([resampler.draw(rng) for _ in range(20)])
    refits = HalfTieRefits(island)
    refits.add(cells)
    expected = np.stack([newton(replicate_problem(island, weight)[0]).theta for weight in cells])
    found = np.concatenate(refits._draws)
    assert np.sort(found, axis=0) == pytest.approx(np.sort(expected, axis=0), abs=1e-4)


def test_a_prior_holds_every_resample(rng):
    ballots = Ballots.from_pairs(["x", "y", "x"], ["y", "z", "z"], ["a", "a", "a"])
    ranking = BradleyTerry(prior=0.5).fit(ballots, interval=Bootstrap(replicates=50), rng=rng)
    assert all(np.isfinite([r.low, r.high]).all() for r in ranking.ratings)

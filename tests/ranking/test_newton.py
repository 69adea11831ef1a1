import numpy as np
import pytest

from arena.ranking import NotConverged
from arena.ranking.newton import PairProblem, chord, ground, laplacian, newton


@pytest.fixture
def problem(rng):
    first, second = (side.astype(np.int64) for side in np.triu_indices(6, 1))
    total = rng.integers(5, 60, first.size).astype(float)
    return PairProblem(6, first, second, np.clip(rng.binomial(total.astype(int), 0.7), 1, total - 1), total)


def factor_at(problem, theta):
    return ground(
        laplacian(6, problem.first, problem.second, problem.information(problem.probability(theta)))
    )


def test_the_gradient_is_the_slope_of_the_log_likelihood(problem, rng):
    theta, step = rng.normal(size=6), 1e-6
    gradient = problem.gradient(problem.probability(theta))
    for i, direction in enumerate(np.eye(6)):
        rise = problem.log_likelihood(theta + step * direction) - problem.log_likelihood(
            theta - step * direction
        )
        assert gradient[i] == pytest.approx(rise / (2 * step), abs=1e-4)


def test_any_start_leads_to_the_same_answer(problem, rng):
    answer = newton(problem).theta
    assert np.abs(answer.mean()) < 1e-12
    for scale in (0.1, 3.0, 12.0):
        assert newton(problem, rng.normal(0.0, scale, 6)).theta == pytest.approx(answer, abs=1e-8)


def test_a_borrowed_factor_leads_to_the_same_answer(problem):
    answer = newton(problem).theta
    nearby = chord(problem, answer + 0.05 * np.arange(6), factor_at(problem, answer), tolerance=1e-9)
    assert nearby.theta == pytest.approx(answer, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-4, 1e4, 1e-320])
def test_a_hopeless_factor_falls_back_to_newton(problem, scale):
    """Steps ten thousand times too long, too short, or infinite."""
    answer = newton(problem).theta
    wrong = factor_at(problem, answer).factor
    bad = type(factor_at(problem, answer))((wrong[0] * np.sqrt(scale), wrong[1]))
    with np.errstate(all="ignore"):
        found = chord(problem, np.zeros(6), bad, tolerance=1e-9)
    assert found.theta == pytest.approx(answer, abs=1e-6)


def test_a_singular_information_matrix_is_not_converged():
    with pytest.raises(NotConverged, match="singular"):
        ground(np.zeros((3, 3)))


def test_a_maximum_far_out_is_found():
    """One loss of tiny weight against a win: the gradient is small long before the answer is right."""
    lone = PairProblem(2, np.array([0]), np.array([1]), np.array([1.0]), np.array([1.0 + 1e-12]))
    gap = np.ptp(newton(lone).theta)
    assert gap == pytest.approx(np.log(1e12), rel=1e-3)


def test_a_likelihood_without_a_maximum_is_not_converged():
    """One side won everything, so that the score runs away."""
    lone = PairProblem(2, np.array([0]), np.array([1]), np.array([5.0]), np.array([5.0]))
    with pytest.raises(NotConverged):
        newton(lone)

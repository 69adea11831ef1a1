import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.ranking.cycles.hodge import decompose, triangles
from arena.ranking.errors import InvalidItem, InvalidWeight, LengthMismatch


def pairs_of(n, keep=None):
    pairs = [p for p in itertools.combinations(range(n), 2) if keep is None or p in keep]
    first, second = zip(*pairs, strict=True)
    return np.array(first), np.array(second)


def oracle(n, first, second, flow, weight):
    """The three projections with dense pseudo-inverses, from the definition."""
    grad = np.zeros((first.size, n))
    grad[np.arange(first.size), first], grad[np.arange(first.size), second] = 1.0, -1.0
    curl = []
    place = {(int(i), int(j)): p for p, (i, j) in enumerate(zip(first, second, strict=True))}
    for i, j, k in itertools.combinations(range(n), 3):
        if (i, j) in place and (j, k) in place and (i, k) in place:
            row = np.zeros(first.size)
            row[place[i, j]], row[place[j, k]], row[place[i, k]] = 1.0, 1.0, -1.0
            curl.append(row)
    root = np.sqrt(weight)

    def projected(matrix):
        q = root[:, None] * matrix
        return (q @ np.linalg.pinv(q) @ (root * flow)) / root

    gradient = projected(grad)
    local = projected((np.array(curl) / weight).T) if curl else np.zeros(first.size)
    return gradient, local, flow - gradient - local


@pytest.mark.parametrize(
    ("n", "keep"),
    [
        (6, None),
        (5, {(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)}),
        (6, {(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (2, 5)}),
        (5, {(0, 1), (0, 2), (3, 4)}),
    ],
)
def test_parts_match_dense_projections(n, keep, rng):
    first, second = pairs_of(n, keep)
    flow, weight = rng.normal(size=first.size), rng.uniform(0.2, 9.0, first.size)
    found = decompose(n, first, second, flow, weight)
    gradient, curl, harmonic = oracle(n, first, second, flow, weight)
    assert found.gradient == pytest.approx(gradient, abs=1e-8)
    assert found.curl == pytest.approx(curl, abs=1e-6)
    assert found.harmonic == pytest.approx(harmonic, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 8), st.integers(0, 2**32 - 1))
def test_energies_add_up_and_parts_are_orthogonal(n, seed):
    rng = np.random.default_rng(seed)
    first, second = pairs_of(n)
    kept = rng.random(first.size) < 0.7
    kept[0] = True
    first, second = first[kept], second[kept]
    flow, weight = rng.normal(size=first.size), rng.uniform(0.5, 2.0, first.size)
    found = decompose(n, first, second, flow, weight)
    total = float(weight @ flow**2)
    assert sum(found.energy) == pytest.approx(total)
    assert float(weight @ (found.gradient * found.curl)) == pytest.approx(0.0, abs=1e-6 * total)
    assert float(weight @ (found.curl * found.harmonic)) == pytest.approx(0.0, abs=1e-5 * total)
    assert triangles(n, first, second).around(found.harmonic) == pytest.approx(0.0, abs=1e-5)


def test_a_triangle_is_curl_and_a_square_is_harmonic():
    ones = np.ones(3)
    ring = decompose(3, np.array([0, 1, 2]), np.array([1, 2, 0]), ones, ones)
    assert ring.energy == pytest.approx((0.0, 3.0, 0.0), abs=1e-12)
    square = decompose(4, np.arange(4), np.array([1, 2, 3, 0]), np.ones(4), np.ones(4))
    assert square.energy == pytest.approx((0.0, 0.0, 4.0), abs=1e-12)


def test_pairs_that_make_no_flow_are_refused():
    one = np.ones(2)
    with pytest.raises(LengthMismatch):
        decompose(3, np.array([0, 1]), np.array([1, 2]), np.ones(3), one)
    with pytest.raises(InvalidItem):
        decompose(3, np.array([0, 1]), np.array([1, 0]), one, one)
    with pytest.raises(InvalidItem):
        decompose(3, np.array([0, 1]), np.array([0, 2]), one, one)
    with pytest.raises(InvalidWeight):
        decompose(3, np.array([0, 1]), np.array([1, 2]), one, np.array([1.0, 0.0]))

import numpy as np

from arena.ranking.graph import components, separation


def test_components_are_largest_first_and_leave_the_unmet_out():
    found = components(7, np.array([0, 2, 3]), np.array([1, 3, 5]))
    assert [group.tolist() for group in found] == [[2, 3, 5], [0, 1]]


def test_a_graph_without_edges_has_no_component():
    assert components(3, np.zeros(0, dtype=int), np.zeros(0, dtype=int)) == []
    assert components(0, np.zeros(0, dtype=int), np.zeros(0, dtype=int)) == []


def test_a_tie_connects_both_ways():
    state = separation(2, np.array([0]), np.array([1]), np.array([[3.0], [0.0], [1.0]]))
    assert not state.is_separated.any()


def test_two_equal_halves_are_both_separated():
    """0 and 1 tie, 2 and 3 tie, and 0 beat 2: no half is the body."""
    weight = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 1.0]])
    state = separation(4, np.array([0, 0, 2]), np.array([1, 2, 3]), weight)
    assert state.is_separated.tolist() == [True] * 4
    assert state.no_ceiling.tolist() == [True, True, False, False]
    assert state.no_floor.tolist() == [False, False, True, True]

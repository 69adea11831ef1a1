import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.ranking import Bootstrap, InvalidItem, InvalidSetting, InvalidWeight, LengthMismatch
from arena.ranking.errors import EmptyBallot, InvalidScore, MissingScore
from arena.ranking.voting.score_tables import (
    ScoreTable,
    TableAverage,
    geometric_mean_score,
    mean_score,
    optimality_gap,
)
from arena.ranking.voting.social_choice import SocialChoice
from tests.ranking.boards import scores_of

NAN = math.nan
ITEMS = ("a", "b", "c")
# Medians of the tasks: 4, 3, 5.
GAPPY = ScoreTable.of(ITEMS, [[8.0, 4.0, 2.0], [NAN, 2.0, 4.0], [5.0, 5.0, NAN]], weight=[1.0, 2.0, 1.0])
CELLS = st.none() | st.integers(0, 4)
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6)


def table_of(rows, **columns):
    return ScoreTable.of(ITEMS, [[NAN if cell is None else cell for cell in row] for row in rows], **columns)


def test_a_task_is_a_ballot_with_the_best_score_first():
    ballots = GAPPY.ballots()
    assert ballots.slot_rank.reshape(3, 3).tolist() == [[1, 2, 3], [-1, 2, 1], [1, 1, -1]]
    assert ballots.weight.tolist() == [1.0, 2.0, 1.0]


def test_a_tolerance_ties_scores_and_no_level_is_wider():
    table = ScoreTable.of(["a", "b", "c", "d"], [[10.0, 9.0, 8.0, 7.5]])
    assert table.ballots(tolerance=0.5).slot_rank.tolist() == [1, 2, 3, 3]
    assert table.ballots(tolerance=1.0).slot_rank.tolist() == [1, 1, 2, 2]
    assert table.ballots(tolerance=2.0).slot_rank.tolist() == [1, 1, 1, 2]


@settings(max_examples=50, deadline=None)
@given(ROWS)
def test_the_order_of_scores_is_the_order_of_ranks(rows):
    ballots = table_of(rows).ballots()
    for row, ranks in zip(rows, ballots.slot_rank.reshape(-1, 3).tolist(), strict=True):
        for one, rank_one in zip(row, ranks, strict=True):
            assert (one is None) == (rank_one == -1)
            for other, rank_other in zip(row, ranks, strict=True):
                if one is not None and other is not None:
                    assert (one > other) == (rank_one < rank_other)


def test_a_missing_score_counts_as_the_tasks_median():
    assert mean_score(GAPPY).tolist() == pytest.approx([(8 + 2 * 3 + 5) / 4, 13 / 4, (2 + 8 + 5) / 4])


def test_a_missing_score_may_be_skipped_or_refused():
    skipped = mean_score(GAPPY, missing="skip")
    assert skipped.tolist() == pytest.approx([13 / 2, 13 / 4, 10 / 3])
    with pytest.raises(MissingScore, match="a has no score on task 1"):
        mean_score(GAPPY, missing="refuse")


def test_geometric_means_weigh_logarithms_and_a_zero_is_zero():
    table = ScoreTable.of(["a", "b"], [[8.0, 0.0], [1.0, 5.0]], weight=[2.0, 1.0])
    assert geometric_mean_score(table).tolist() == pytest.approx([4.0, 0.0])
    with pytest.raises(InvalidScore):
        geometric_mean_score(ScoreTable.of(["a", "b"], [[-1.0, 2.0]]))


def test_the_optimality_gap_counts_what_falls_short_of_gamma():
    found = optimality_gap(GAPPY, gamma=5.0, missing="skip")
    assert found.tolist() == pytest.approx([0.0, -(1 + 2 * 3 + 0) / 4, -(3 + 2 * 1) / 3])


def test_an_item_without_a_score_gets_none_even_from_medians():
    table = ScoreTable.of(ITEMS, [[1.0, 2.0, NAN], [3.0, NAN, NAN]])
    assert np.isnan(mean_score(table)).tolist() == [False, False, True]
    ranking = TableAverage().fit(table)
    assert ranking["c"].score is None
    assert ranking["a"].score == 1.0  # the second task compares nothing


@pytest.mark.parametrize("average", ["mean", "geometric_mean", "optimality_gap"])
@pytest.mark.parametrize("missing", ["median", "skip"])
def test_a_board_of_averages_has_bounds_around_them(average, missing, rng):
    scores = rng.gamma(4.0, size=(60, 4)) + np.arange(4) / 2
    scores[rng.random(scores.shape) < 0.2] = NAN
    model = TableAverage(average=average, missing=missing, gamma=5.0)
    table = ScoreTable.of(["w", "x", "y", "z"], scores)
    ranking = model.fit(table, interval=Bootstrap(replicates=100), rng=rng)
    for rating in ranking.ratings:
        assert rating.low < rating.score < rating.high
    missing_by_task = np.isnan(scores).sum(axis=1)
    assert ranking.diagnostics["missing_scores"] == missing_by_task[missing_by_task < 3].sum()
    json.dumps(ranking.as_dict(), allow_nan=False)


def test_the_bootstrap_of_a_mean_has_its_standard_error(rng):
    scores = rng.normal(size=(200, 2)) + np.array([0.0, 0.3])
    ranking = TableAverage().fit(ScoreTable.of(["x", "y"], scores), Bootstrap(replicates=600), rng)
    for item, column in (("x", 0), ("y", 1)):
        width = 2 * 1.96 * scores[:, column].std() / np.sqrt(200)
        assert ranking[item].high - ranking[item].low == pytest.approx(width, rel=0.1)


@settings(max_examples=40, deadline=None)
@given(ROWS, st.sampled_from(["borda", "copeland", "threshold", "baldwin"]))
def test_rules_on_ballots_do_not_see_how_large_scores_are(rows, rule):
    """A rising function of each task's scores changes no ballot, whatever it does to their mean."""
    stretched = [tuple(cell if cell is None else 10.0**cell for cell in row) for row in rows]
    plain = SocialChoice(rule=rule).fit(table_of(rows).ballots())
    assert plain.ratings == SocialChoice(rule=rule).fit(table_of(stretched).ballots()).ratings


@settings(max_examples=40, deadline=None)
@given(ROWS, st.permutations(range(3)))
def test_names_do_not_matter(rows, order):
    plain = TableAverage().fit(table_of(rows))
    turned = ScoreTable.of([ITEMS[i] for i in order], table_of(rows).scores[:, order])
    assert scores_of(TableAverage().fit(turned)) == pytest.approx(scores_of(plain))


def test_records_make_the_table_and_a_second_score_is_refused():
    table = ScoreTable.from_records([("t1", "b", 1.0), ("t2", "a", 2.0), ("t1", "a", 3.0)], items=["z"])
    assert table.items == ("z", "a", "b")
    assert np.isnan(table.scores[:, 0]).all()
    assert table.scores[0, 1:].tolist() == [3.0, 1.0]
    assert not table.is_complete
    with pytest.raises(InvalidScore):
        ScoreTable.from_records([("t", "a", 1.0), ("t", "a", 1.0)])


@pytest.mark.parametrize(
    ("items", "scores", "columns", "error"),
    [
        (["a", "a"], [[1, 2]], {}, InvalidItem),
        ([], np.zeros((2, 0)), {}, EmptyBallot),
        (["a", "b"], [[1, 2, 3]], {}, LengthMismatch),
        (["a", "b"], [1, 2], {}, LengthMismatch),
        (["a", "b"], [[1, math.inf]], {}, InvalidScore),
        (["a", "b"], [[1, 2]], {"weight": [-1.0]}, InvalidWeight),
        (["a", "b"], [[1, 2]], {"weight": [1.0, 1.0]}, LengthMismatch),
        (["a", "b"], [[1, 2]], {"voter": [0, 1]}, LengthMismatch),
    ],
)
def test_an_impossible_table_is_refused(items, scores, columns, error):
    with pytest.raises(error):
        ScoreTable.of(items, scores, **columns)


@pytest.mark.parametrize(
    "values", [{"average": "x"}, {"missing": "x"}, {"gamma": math.nan}, {"provisional_below": -1}]
)
def test_an_impossible_setting_is_refused(values):
    with pytest.raises(InvalidSetting):
        TableAverage(**values)
    with pytest.raises(InvalidSetting):
        GAPPY.ballots(tolerance=-1.0)

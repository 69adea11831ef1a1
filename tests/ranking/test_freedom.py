import json
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, t

from arena.ranking import (
    Ballots,
    Bootstrap,
    BradleyTerry,
    ContextualBradleyTerry,
    Elo,
    PlackettLuce,
    Sandwich,
    scores,
)
from arena.ranking.freedom import Margin, by_comparisons, freedom_of, student, student_chance, two_ways
from arena.ranking.joint import chance_better, simultaneous
from arena.ranking.registry import MODELS, fit_from_settings
from arena.ranking.result import SCALE
from tests.ranking.boards import board_of, sampled_board
from tests.ranking.test_properties import BATTLES, ITEMS, board

CYCLE = [("x", "y", "a"), ("y", "z", "a"), ("z", "x", "a")]
BACK = [(b, a, "a") for a, b, _ in CYCLE]


def same_mix_clusters(count, copies):
    """`count` voters who compare each pair `copies` times: all hold the same share of all information."""
    rows = [(CYCLE if i % 3 else BACK) * copies for i in range(count)]
    voter = [i for i, own in enumerate(rows) for _ in own]
    return board_of(*[row for own in rows for row in own], voter=voter)


def test_student_is_as_rare_as_the_normal_quantile_and_becomes_it():
    found = student(1.959963984540054, np.array([1.0, 5.0, np.inf]))
    assert found == pytest.approx([t.ppf(0.975, 1), t.ppf(0.975, 5), 1.959963984540054])
    assert student_chance(np.array([1.0, -2.0]), np.array([3.0, np.inf])) == pytest.approx(
        [t.cdf(1, 3), norm.cdf(-2)]
    )
    assert Margin(4.0, 5.0).width(1.959963984540054) == pytest.approx(2 * t.ppf(0.975, 5))


def test_freedom_is_the_effective_number_of_clusters_less_one():
    assert freedom_of(np.array([1 / 7, 1.0, 0.9, 0.0])).tolist() == [pytest.approx(6), 1.0, 1.0, np.inf]


def test_comparisons_share_an_item_by_their_weight():
    """x: 2 and 1 of 3; y: 2 of 2; z: 1 of 1."""
    ends = np.array([0, 0]), np.array([1, 2])
    found = by_comparisons(np.array([4, 9]), ends, np.array([2.0, 1.0]), 3)
    assert found.tolist() == [pytest.approx(max(9 / 5 - 1, 1)), 1.0, 1.0]


def test_two_ways_add_their_noise_by_satterthwaite():
    one, other = (np.array([3.0]), np.array([9.0])), (np.array([2.0]), np.array([4.0]))
    assert two_ways(np.array([4.0]), one, other) == pytest.approx([16 / (9 / 9 + 4 / 4)])
    nothing = (np.array([0.0]), np.array([4.0]))
    assert two_ways(np.array([0.0]), nothing, nothing).tolist() == [math.inf]


@pytest.mark.parametrize("count", [5, 12])
@pytest.mark.parametrize(
    "model", [BradleyTerry(), BradleyTerry(ties="ignore"), PlackettLuce()], ids=["half", "ignore", "luce"]
)
def test_clusters_of_one_size_have_students_quantile_and_the_classical_factor(model, count):
    ballots = same_mix_clusters(count, 4)
    ranking = model.fit(ballots, interval=Sandwich(cluster="voter"))
    # Theta is 0 by symmetry, so p = 1/2; a voter of the cycle has the score 4 (1/2 - 1/2) = 0 of each system.
    assert ranking.covariance.freedom == pytest.approx(np.full(3, count - 1))
    assert ranking.diagnostics["freedom"] == pytest.approx(count - 1)


def test_the_variance_of_clusters_of_one_size_carries_c_over_c_less_1():
    """Two systems, 6 voters of 4 votes each; 3, 3, 2, 2, 2, 0 of them for x: 12 of 24, so that p = 1/2."""
    won = [3, 3, 2, 2, 2, 0]
    rows = [("x", "y", "a" if vote < wins else "b") for wins in won for vote in range(4)]
    ranking = BradleyTerry().fit(
        board_of(*rows, voter=[i // 4 for i in range(24)]), interval=Sandwich(cluster="voter")
    )
    # theta_x = -theta_y = gap / 2; information on the gap 24 / 4 = 6, scores won - 2: squares 1 + 1 + 4 = 6.
    error = math.sqrt(6 / 5 * 6) / 6 / 2
    assert ranking["x"].high - ranking["x"].score == pytest.approx(SCALE * t.ppf(0.975, 5) * error)
    gap = ranking.difference("x", "y")
    assert gap.high - gap.elo == pytest.approx(SCALE * t.ppf(0.975, 5) * 2 * error)


def test_uneven_clusters_worked_by_hand():
    """Voter 0 gives 6 of 12 votes, voters 1 and 2 three each; 4, 1 and 1 are for x, so that p = 1/2 and the
    shares of the information are 1/2, 1/4 and 1/4.
    """
    rows = [("x", "y", "a" if k < 4 else "b") for k in range(6)]
    rows += 2 * [("x", "y", "a"), ("x", "y", "b"), ("x", "y", "b")]
    ranking = BradleyTerry().fit(
        board_of(*rows, voter=[0] * 6 + [1] * 3 + [2] * 3), interval=Sandwich(cluster="voter")
    )
    # Scores 4 - 3 = 1 and twice 1 - 3/2 = -1/2; information on the gap 12 / 4 = 3.
    meat = 1**2 / (1 - 1 / 2) + 2 * 0.5**2 / (1 - 1 / 4)
    freedom = 1 / (1 / 4 + 2 / 16) - 1
    width = t.ppf(0.975, freedom) * math.sqrt(meat) / 3 / 2
    assert ranking.diagnostics["freedom"] == pytest.approx(5 / 3)
    assert ranking["x"].high - ranking["x"].score == pytest.approx(SCALE * width)


def board_with_newcomer(rng):
    """40 voters; the newcomer was met by three of them, many times each."""
    old = sampled_board(rng, n=5, size=4000, voters=40)
    first, second = old.slot_item[0::2].astype(int), old.slot_item[1::2].astype(int)
    outcome = (old.slot_rank[0::2] > old.slot_rank[1::2]).astype(int)
    many = 240
    return Ballots.from_pair_columns(
        items=[*old.items, "new"],
        first=np.append(first, np.full(many, 5)),
        second=np.append(second, rng.integers(5, size=many)),
        outcome=np.append(outcome, rng.integers(2, size=many)),
        voter=np.append(old.voter, np.arange(many) % 3),
    )


@pytest.mark.parametrize(
    "model",
    [
        BradleyTerry(),
        BradleyTerry(ties="ignore"),
        PlackettLuce(),
        ContextualBradleyTerry(position=True),
    ],
    ids=["half", "ignore", "luce", "contextual"],
)
@pytest.mark.parametrize("interval", [Sandwich(cluster="voter"), Bootstrap(cluster="voter", replicates=20)])
def test_a_newcomer_whom_few_voters_met_has_few_degrees_of_freedom(model, interval, rng):
    ranking = model.fit(board_with_newcomer(rng), interval=interval, rng=rng)
    freedom = dict(zip(ranking.covariance.items, ranking.covariance.freedom.tolist(), strict=True))
    assert freedom["new"] == pytest.approx(2, abs=0.1)  # three voters of nearly one size
    assert all(20 < freedom[name] < 40 for name in freedom if name != "new")
    assert ranking.diagnostics["freedom"] == freedom["new"]


def test_a_difference_has_the_smaller_of_two_degrees_of_freedom(rng):
    ranking = BradleyTerry().fit(board_with_newcomer(rng), interval=Sandwich(cluster="voter"))
    joint = ranking.covariance
    i, j = joint.position["new"], joint.position["s000"]
    variance = joint.matrix[i, i] + joint.matrix[j, j] - 2 * joint.matrix[i, j]
    found = ranking.difference("s000", "new")
    assert found.high - found.elo == pytest.approx(t.ppf(0.975, joint.freedom[i]) * math.sqrt(variance))
    at = [row.item for row in ranking.ratings]
    chance = chance_better(ranking)[at.index("s000"), at.index("new")]
    assert chance == pytest.approx(t.cdf(found.elo / math.sqrt(variance), joint.freedom[i]))


def test_simultaneous_bounds_take_each_systems_own_quantile(rng):
    ranking = BradleyTerry().fit(board_with_newcomer(rng), interval=Sandwich(cluster="voter"))
    found = simultaneous(ranking, rng)
    joint = ranking.covariance
    for item, high in zip(found.items, found.high, strict=True):
        k = joint.position[item]
        quantile = t.ppf(norm.cdf(found.quantile), joint.freedom[k])
        width = quantile * math.sqrt(joint.matrix[k, k])
        assert high - ranking[item].score == pytest.approx(width)


def test_a_two_way_board_combines_the_degrees_of_both_ways(rng):
    plain = sampled_board(rng, n=4, size=1500)
    columns = {
        "items": plain.items,
        "offsets": plain.offsets,
        "slot_item": plain.slot_item,
        "slot_rank": plain.slot_rank,
        "voter": rng.integers(12, size=1500),
        "prompt": rng.integers(30, size=1500),
    }
    ballots = Ballots.from_columns(**columns)
    found = BradleyTerry().fit(ballots, interval=Sandwich(cluster="voter,prompt")).covariance
    voter, prompt = (
        BradleyTerry().fit(ballots, interval=Sandwich(cluster=way)).covariance for way in ("voter", "prompt")
    )
    noise = sum(np.diag(way.matrix) ** 2 / way.freedom for way in (voter, prompt))
    assert found.freedom == pytest.approx(np.diag(found.matrix) ** 2 / noise)


@settings(max_examples=40, deadline=None)
@given(BATTLES, st.permutations(range(5)), st.randoms(use_true_random=False))
def test_neither_the_names_nor_the_order_of_votes_matter(battles, order, random):
    if len(battles) < 4:
        return
    voter = np.arange(len(battles)) % 3
    shuffled = list(range(len(battles)))
    random.shuffle(shuffled)

    def fitted(rows, names, codes):
        plain = board(rows, names=names)
        ballots = Ballots.from_columns(
            items=plain.items,
            offsets=plain.offsets,
            slot_item=plain.slot_item,
            slot_rank=plain.slot_rank,
            voter=codes,
        )
        return BradleyTerry().fit(ballots, interval=Sandwich(cluster="voter"))

    names = tuple(ITEMS[i] for i in order)
    one = fitted(battles, tuple(ITEMS), voter)
    other = fitted([battles[k] for k in shuffled], names, 7 - 2 * voter[shuffled])
    for i in range(5):
        ours, theirs = one[ITEMS[i]], other[ITEMS[order[i]]]
        assert (ours.low is None) == (theirs.low is None)
        if ours.low is not None:
            assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("ties", ["half", "ignore", "davidson"])
@pytest.mark.parametrize("cluster", ["ballot", "voter"])
def test_kept_statistics_give_the_bounds_of_a_full_count(ties, cluster, rng):
    model, interval = BradleyTerry(ties=ties), Sandwich(cluster=cluster)
    ballots = sampled_board(rng, n=6, size=900, voters=15)
    kept = model.statistics(ballots, clusters=(cluster,))
    full, again = model.fit(ballots, interval), model.fit_statistics(kept, interval)
    assert full.ratings == again.ratings
    assert full.diagnostics == again.diagnostics


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "model",
    [
        BradleyTerry(),
        BradleyTerry(ties="davidson"),
        BradleyTerry(ties="tobt"),
        PlackettLuce(),
        ContextualBradleyTerry(position=True),
        ContextualBradleyTerry(position=True, ties="davidson"),
    ],
    ids=["half", "davidson", "tobt", "luce", "contextual", "contextual-davidson"],
)
def test_voters_of_one_ballot_each_are_ballots(model, weighted, rng):
    """Single comparisons are summed in cells, voters one by one: the bounds are the same."""
    plain = sampled_board(rng, n=5, size=250)
    ballots = Ballots.from_columns(
        items=plain.items,
        offsets=plain.offsets,
        slot_item=plain.slot_item,
        slot_rank=plain.slot_rank,
        weight=rng.gamma(1.0, size=250) if weighted else np.ones(250),
        voter=rng.permutation(250),
    )
    one, other = (model.fit(ballots, interval=Sandwich(cluster=way)) for way in ("ballot", "voter"))
    np.testing.assert_allclose(one.covariance.matrix, other.covariance.matrix, rtol=1e-8, atol=1e-8)
    assert one.covariance.freedom == pytest.approx(other.covariance.freedom)
    for key in ("tie_parameter", "covariates", "tie_parameters"):
        ours, theirs = (json.dumps(ranking.diagnostics.get(key)) for ranking in (one, other))
        numbers = [[float(x) for x in re.findall(r"-?[0-9]+[.][0-9]+", text)] for text in (ours, theirs)]
        assert numbers[0] == pytest.approx(numbers[1], rel=1e-8)


@pytest.mark.parametrize("ties", ["half", "rao-kupper"])
def test_sparse_and_dense_sums_of_scores_agree(ties, rng, monkeypatch):
    ballots = sampled_board(rng, n=12, size=900, voters=40)
    found = []
    for cost in (0.0, math.inf):
        monkeypatch.setattr(scores, "_SPARSE_COST", cost)
        found.append(BradleyTerry(ties=ties).fit(ballots, interval=Sandwich(cluster="voter")).covariance)
    np.testing.assert_allclose(found[0].matrix, found[1].matrix, rtol=1e-9, atol=1e-9)
    assert found[0].freedom == pytest.approx(found[1].freedom, rel=1e-12)


@pytest.mark.parametrize("name", ["bradley-terry", "plackett-luce", "counting", "social-choice"])
def test_diagnostics_with_degrees_of_freedom_are_json(name, rng):
    assert name in MODELS
    board = sampled_board(rng, n=4, size=300, voters=8)
    ranking = fit_from_settings({"model": name, "cluster": "voter", "replicates": 20}, board)
    assert ranking.diagnostics["cluster"] == "voter"
    assert 4 < ranking.diagnostics["freedom"] <= 7
    json.dumps(ranking.as_dict(), allow_nan=False)


def test_models_without_a_likelihood_take_shares_of_comparisons(rng):
    board = same_mix_clusters(8, 3)
    ranking = Elo().fit(board, interval=Bootstrap(cluster="voter", replicates=20), rng=rng)
    assert ranking.diagnostics["freedom"] == pytest.approx(7)

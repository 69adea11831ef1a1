import itertools
import json

import numpy as np
import pytest
from scipy import stats

from arena.ranking import Ballots, BradleyTerry, InvalidSetting, MissingClusters, TooFewClusters
from arena.ranking.cycles.cyclicity import cyclicity
from arena.ranking.cycles.holm import holm
from arena.ranking.result import SCALE
from tests.ranking.boards import board_of, published_ballots, published_rows, sampled_board


def cyclic_board(rng, *, n, size, curl, ties=0.2, voters=None):
    """Bradley-Terry among n systems, the first three equal but for a rock-paper-scissors of `curl` a side."""
    theta = rng.normal(0.0, 1.0, n)
    theta[:3] = 0.0
    extra = np.zeros((n, n))
    extra[0, 1] = extra[1, 2] = extra[2, 0] = curl
    first = rng.integers(n, size=size)
    second = (first + rng.integers(1, n, size=size)) % n
    gap = theta[first] - theta[second] + (extra - extra.T)[first, second]
    wins = rng.random(size) < 1 / (1 + np.exp(-gap))
    return Ballots.from_pair_columns(
        items=[f"s{i:02d}" for i in range(n)],
        first=first,
        second=second,
        outcome=np.where(rng.random(size) < ties, 2, np.where(wins, 0, 1)),
        voter=None if voters is None else rng.integers(voters, size=size),
    )


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03, 0.5])) == pytest.approx([0.04, 0.09, 0.09, 0.5])


def test_deviance_matches_a_saturated_fit(rng):
    ballots = sampled_board(rng, n=5, size=800, ties=0.0)
    found = cyclicity(ballots, rng, replicates=19)
    theta = {r.item: r.score / SCALE for r in BradleyTerry().fit(ballots).ratings}
    item, rank = ballots.slot_item, ballots.slot_rank
    g2 = 0.0
    for i, j in itertools.combinations(range(5), 2):
        ahead = ((item[0::2] == i) & (item[1::2] == j) & (rank[0::2] < rank[1::2])).sum()
        ahead += ((item[0::2] == j) & (item[1::2] == i) & (rank[1::2] < rank[0::2])).sum()
        met = (((item[0::2] == i) & (item[1::2] == j)) | ((item[0::2] == j) & (item[1::2] == i))).sum()
        p = 1 / (1 + np.exp(theta[ballots.items[j]] - theta[ballots.items[i]]))
        g2 += 2 * (ahead * np.log(ahead / met / p) + (met - ahead) * np.log((1 - ahead / met) / (1 - p)))
    assert found.deviance.g2 == pytest.approx(g2)
    assert found.deviance.df == 10 - 5 + 1
    assert found.deviance.p_value_chi2 == pytest.approx(stats.chi2.sf(g2, 6))


@pytest.mark.parametrize(("n", "size"), [(5, 300), (9, 60)])
def test_bradley_terry_votes_raise_no_more_alarms_than_the_level(n, size, rng):
    """60 votes on 36 pairs are fewer than two each: the level has to hold there too."""
    p_values, deviances, found = [], [], 0
    for _ in range(60):
        result = cyclicity(sampled_board(rng, n=n, size=size, ties=0.1), rng, replicates=19)
        p_values.append(result.p_value)
        deviances.append(result.deviance.p_value)
        found += bool(result.found)
    # 0.05 of 60 is 3; 10 and more come with a chance of 0.001.
    assert np.sum(np.array(p_values) <= 0.05) < 10
    assert np.sum(np.array(deviances) <= 0.05) < 10
    assert found < 10
    # And it is a test, not a stamp: p-values spread over (0, 1).
    assert 0.35 < np.mean(p_values) < 0.65


def test_clustered_noise_raises_no_alarm_if_the_cluster_is_named(rng):
    """Each prompt has a taste of its own that circles at random: noise between prompts, no common cycle."""
    alarms = {"ballot": 0, "prompt": 0}
    for _ in range(25):
        prompts, votes, n = 25, 2000, 5
        taste = rng.normal(0.0, 1.2, (prompts, n, n))
        taste = taste - taste.transpose(0, 2, 1)
        prompt = rng.integers(prompts, size=votes)
        first = rng.integers(n, size=votes)
        second = (first + rng.integers(1, n, size=votes)) % n
        wins = rng.random(votes) < 1 / (1 + np.exp(-taste[prompt, first, second]))
        ballots = Ballots.from_pair_columns(
            items=list("abcde"), first=first, second=second, outcome=np.where(wins, 0, 1), prompt=prompt
        )
        for cluster in alarms:
            alarms[cluster] += cyclicity(ballots, rng, cluster=cluster, replicates=19).p_value <= 0.05
    assert alarms["prompt"] <= 5
    assert alarms["ballot"] > 12


def test_a_planted_rock_paper_scissors_is_found_and_named(rng):
    result = cyclicity(cyclic_board(rng, n=8, size=5000, curl=1.0), rng, replicates=99)
    assert result.is_cyclic
    assert result.deviance.p_value == pytest.approx(0.01)
    strongest = result.cycles[0]
    assert {*strongest.items} == {"s00", "s01", "s02"}
    start = strongest.items.index("s00")
    assert strongest.items[(start + 1) % 3] == "s01"
    assert strongest.curl == pytest.approx(3.0, abs=3 * strongest.standard_error)
    assert all(share > 0.6 for share in strongest.shares)
    assert 0.02 < result.share < result.raw_share < 0.5


def test_a_pure_cycle_is_all_cyclic(rng):
    rows = [("x", "y", "a", 90), ("y", "z", "a", 90), ("z", "x", "a", 90)]
    rows += [("y", "x", "a", 30), ("z", "y", "a", 30), ("x", "z", "a", 30)]
    result = cyclicity(board_of(*rows), rng, replicates=99)
    assert result.share == pytest.approx(1.0)
    assert result.potential == pytest.approx({"x": 0.0, "y": 0.0, "z": 0.0}, abs=1e-12)
    (triad,) = result.triads
    assert triad.items == ("x", "y", "z")
    assert triad.curl == pytest.approx(3 * np.log(90.5 / 30.5))
    assert triad.standard_error == pytest.approx(np.sqrt(3 * (1 / 90.5 + 1 / 30.5)))
    assert triad.shares == (0.75, 0.75, 0.75)
    assert triad.votes == (120.0, 120.0, 120.0)


def test_odds_that_do_not_multiply_are_no_cycle(rng):
    """x over y over z in every pair, but x is no further from z than from y."""
    rows = []
    for a, b in (("x", "y"), ("y", "z"), ("x", "z")):
        rows += [(a, b, "a", 300), (b, a, "a", 100)]
    result = cyclicity(board_of(*rows), rng, replicates=99)
    assert result.found
    assert not result.cycles


def test_ties_are_left_out_or_halved(rng):
    ballots = cyclic_board(rng, n=4, size=400, curl=0.0, ties=0.5)
    decided = cyclicity(ballots, rng, replicates=19)
    halved = cyclicity(ballots, rng, ties="half", replicates=19)
    assert decided.settings["null"] == "conditional"
    assert halved.settings["null"] == "signs"
    assert halved.deviance.p_value is None
    assert halved.deviance.g2 < decided.deviance.g2


def test_rankings_by_lot_raise_no_more_alarms_than_the_level(rng):
    """The six pairs of one ranking hang together, so ballots are what is drawn."""
    alarms = 0
    for _ in range(20):
        orders = [rng.permutation(4).tolist() for _ in range(60)]
        rankings = [[(f"s{item}", place + 1) for place, item in enumerate(order)] for order in orders]
        result = cyclicity(Ballots.from_rankings(rankings), rng, replicates=19)
        assert result.settings["null"] == "signs"
        alarms += result.p_value <= 0.05
    # 0.05 of 20 is 1; 6 and more come with a chance below 0.001.
    assert alarms < 6


def test_share_flow_is_calibrated_by_its_null(rng):
    """Win shares of one scale have curl of their own; the null takes it out."""
    zs = [
        cyclicity(sampled_board(rng, n=6, size=600, ties=0.0), rng, flow="share", replicates=39).z
        for _ in range(30)
    ]
    assert abs(np.mean(zs)) < 3 / np.sqrt(30)


def test_without_a_cycle_of_pairs_nothing_is_tested(rng):
    result = cyclicity(board_of(("x", "y", "a", 3), ("y", "z", "b", 2)), rng)
    assert (result.deviance.df, result.p_value, result.share, result.triads) == (0, 1.0, 0.0, ())
    empty = cyclicity(board_of(items=["x", "y"]), rng)
    assert empty.potential == {"x": None, "y": None}
    assert not empty.is_cyclic


def test_components_are_taken_together(rng):
    one = [("x", "y", "a", 30), ("y", "z", "a", 30), ("z", "x", "a", 30)]
    two = [("p", "q", "a", 20), ("q", "p", "a", 20)]
    result = cyclicity(board_of(*one, *two), rng, replicates=39)
    assert result.deviance.df == 1
    assert result.is_cyclic


def test_the_same_seed_gives_the_same_answer(rng):
    ballots = sampled_board(rng, n=6, size=300, voters=30)
    for cluster in ("ballot", "voter"):
        one, two = (
            cyclicity(ballots, np.random.default_rng(4), cluster=cluster, replicates=19).as_dict()
            for _ in range(2)
        )
        assert one == two
        json.dumps(one)


def test_what_it_cannot_do_is_refused(rng):
    ballots = board_of(("x", "y", "a", 3))
    for wrong in ({"flow": "odds"}, {"ties": "davidson"}, {"both_bad": "grounded"}, {"replicates": 5}):
        with pytest.raises(InvalidSetting):
            cyclicity(ballots, rng, **wrong)
    for wrong in ({"level": 0.0}, {"triads": -1}, {"cluster": "voter,prompt"}):
        with pytest.raises(InvalidSetting):
            cyclicity(ballots, rng, **wrong)
    with pytest.raises(MissingClusters):
        cyclicity(ballots, rng, cluster="voter")
    with pytest.raises(TooFewClusters):
        cyclicity(board_of(("x", "y", "a", 3), voter=["u"] * 3), rng, cluster="voter")


@pytest.mark.data
def test_mt_bench_shows_no_rock_paper_scissors(rng):
    ballots = published_ballots(published_rows("mtbench_votes.csv.gz"), "question_id")
    result = cyclicity(ballots, rng, cluster="prompt", replicates=199)
    assert result.share < 0.05
    assert not result.cycles

import itertools
import json
import math

import numpy as np
import pytest

from arena.ranking.errors import InvalidSetting, LengthMismatch, NotComparable
from arena.ranking.online.elo import Elo
from arena.ranking.online.elo_sweep import broken_chains, cyclic_triads, k_factor_sweep
from arena.ranking.voting.majority import Duels
from tests.ranking.boards import board_of, published_ballots, published_rows, sampled_board


def duels_of(beats):
    """Duels with one vote for each pair (a, b) in `beats`."""
    return Duels.of(
        board_of(*[(a, b, "a") for a, b in beats], items=sorted({i for pair in beats for i in pair}))
    )


def random_duels(seed, n=7):
    rng = np.random.default_rng(seed)
    won = rng.integers(0, 4, (n, n)).astype(float)
    np.fill_diagonal(won, 0.0)
    met = won + won.T
    return Duels(tuple("abcdefghij"[:n]), won, met)


def test_a_sweep_plays_the_elo_model_on_shared_orders(rng):
    ballots = sampled_board(rng, n=4, size=60)
    sweep = k_factor_sweep(ballots, (4.0, 16.0), permutations=7, rng=np.random.default_rng(3))
    for row in sweep.rows:
        wanted = Elo(k_factor=row.k_factor, permutations=7).fit(ballots, rng=np.random.default_rng(3))
        assert dict(zip(sweep.items, row.mean, strict=True)) == pytest.approx(
            {item: wanted[item].score for item in sweep.items}
        )
        assert row.order_sd.max() == pytest.approx(wanted.diagnostics["order_sd"])


def test_log_loss_foretells_each_ballot_by_the_ratings_before_it():
    """Two alike votes, K = 2 * 400 / ln 10: first p = 1/2, then x leads by K points, p = 1 / (1 + e^-2)."""
    k = 2 * 400 / math.log(10)
    sweep = k_factor_sweep(board_of(("x", "y", "a", 2)), (k,), permutations=2, rng=np.random.default_rng(0))
    assert sweep.rows[0].log_loss == pytest.approx((math.log(2) + math.log(1 + math.exp(-2))) / 2)
    assert sweep.rows[0].log_loss_sd == 0.0


def test_votes_at_random_are_foretold_best_by_the_smallest_step(rng):
    first = rng.integers(6, size=600)
    names = np.array(list("abcdef"))
    second = (first + rng.integers(1, 6, 600)) % 6
    coin = np.where(rng.random(600) < 0.5, "a", "b")
    ballots = board_of(*zip(names[first], names[second], coin, strict=True))
    sweep = k_factor_sweep(ballots, permutations=5, rng=rng)
    losses = [row.log_loss for row in sweep.rows]
    assert losses == sorted(losses)
    assert sweep.foretells_best.k_factor == 1.0
    assert losses[0] == pytest.approx(math.log(2), abs=0.01)


def test_a_larger_k_depends_more_on_the_order(rng):
    sweep = k_factor_sweep(sampled_board(rng, n=8, size=400), permutations=20, rng=rng)
    small, large = sweep.rows[0], sweep.rows[-1]
    assert (small.k_factor, large.k_factor) == (1.0, 32.0)
    assert small.order_sd.max() < large.order_sd.max()
    assert small.tau > large.tau >= large.least_tau
    assert small.top_changes <= large.top_changes


def test_the_share_of_pairs_of_orders_with_another_leader_is_counted(rng):
    sweep = k_factor_sweep(sampled_board(rng, n=4, size=40, spread=0.1), (32.0,), permutations=15, rng=rng)
    row = sweep.rows[0]
    assert sum(row.on_top.values()) == pytest.approx(1.0)
    times = [round(share * 15) for share in row.on_top.values()]
    differing = sum(a * b for a, b in itertools.combinations(times, 2))
    assert row.top_changes == pytest.approx(differing / (15 * 14 / 2))
    assert row.top_changes > 0


def test_only_the_largest_component_is_swept(rng):
    ballots = board_of(
        ("x", "y", "a"), ("y", "z", "a"), ("u", "v", "a"), items=["v", "x", "y", "z", "u", "w"]
    )
    sweep = k_factor_sweep(ballots, permutations=2, rng=rng)
    assert sweep.items == ("x", "y", "z")
    assert sweep.left_out == ("v", "u", "w")


def test_a_sweep_goes_to_json(rng):
    sweep = k_factor_sweep(
        board_of(("x", "y", "a"), ("y", "z", "a"), ("z", "x", "a")), permutations=2, rng=rng
    )
    read = json.loads(json.dumps(sweep.as_dict()))
    assert read["cycles"]["listed"] == [["x", "y", "z"]]
    assert set(read["rows"][0]["mean"]) == {"x", "y", "z"}


def test_a_circle_of_three_is_found():
    found = cyclic_triads(duels_of([("x", "y"), ("y", "z"), ("z", "x"), ("x", "w"), ("y", "w")]))
    assert (found.n_triads, found.n_cyclic, found.share) == (2, 1, 0.5)
    assert found.listed == (("x", "y", "z"),)


@pytest.mark.parametrize("seed", range(6))
def test_triads_and_chains_match_a_search_through_all(seed):
    duels = random_duels(seed)
    beats, n = duels.beats, len(duels.items)
    triads = [
        t
        for t in itertools.combinations(range(n), 3)
        if all(beats[a, b] or beats[b, a] for a, b in itertools.combinations(t, 2))
    ]
    circles = {
        frozenset(t)
        for t in triads
        if (beats[t[0], t[1]] and beats[t[1], t[2]] and beats[t[2], t[0]])
        or (beats[t[1], t[0]] and beats[t[2], t[1]] and beats[t[0], t[2]])
    }
    found = cyclic_triads(duels)
    assert (found.n_triads, found.n_cyclic) == (len(triads), len(circles))
    listed = [tuple(duels.items.index(item) for item in triad) for triad in found.listed]
    assert {frozenset(triad) for triad in listed} == circles
    assert all(beats[a, b] and beats[b, c] and beats[c, a] for a, b, c in listed)
    least = [min(duels.share[a, b], duels.share[b, c], duels.share[c, a]) for a, b, c in listed]
    assert least == sorted(least, reverse=True)

    rating = np.random.default_rng(seed).integers(0, 5, n).astype(float)
    chains = [(a, b, c) for a, b, c in itertools.permutations(range(n), 3) if beats[a, b] and beats[b, c]]
    broken = {chain for chain in chains if rating[chain[0]] <= rating[chain[2]]}
    report = broken_chains(duels, rating)
    assert (report.n_chains, report.n_broken) == (len(chains), len(broken))
    assert {tuple(duels.items.index(item) for item in chain) for chain in report.listed} == broken


@pytest.mark.parametrize("seed", range(4))
def test_no_rating_mends_a_circle(seed):
    duels = random_duels(seed)
    circles, rng = cyclic_triads(duels), np.random.default_rng(seed)
    report = broken_chains(duels, rng.normal(size=len(duels.items)))
    broken = [frozenset(chain) for chain in report.listed]
    assert all(frozenset(circle) in broken for circle in circles.listed)


def test_transitive_votes_have_no_circle_and_no_broken_chain():
    duels = duels_of(list(itertools.combinations("abcde", 2)))
    assert cyclic_triads(duels)[:3] == (10, 0, 0.0)
    assert broken_chains(duels, -np.arange(5.0))[:3] == (10, 0, 0.0)
    backwards = broken_chains(duels, np.arange(5.0))
    assert (backwards.n_broken, backwards.share) == (10, 1.0)
    assert backwards.listed[0][::2] == ("a", "e")


def test_ties_and_pairs_that_never_met_make_no_triad():
    board = board_of(("x", "y", "a"), ("y", "z", "tie"), ("z", "x", "a"))
    assert cyclic_triads(Duels.of(board)) == (0, 0, None, ())
    assert broken_chains(Duels.of(board_of(("x", "y", "a"))), np.zeros(2)) == (0, 0, None, ())


def test_what_a_sweep_cannot_do_is_refused(rng):
    ballots = board_of(("x", "y", "a"))
    for settings in ({"k_factors": ()}, {"k_factors": (0.0,)}, {"permutations": 1}, {"both_bad": "grounded"}):
        with pytest.raises(InvalidSetting):
            k_factor_sweep(ballots, rng=rng, **settings)
    with pytest.raises(NotComparable):
        k_factor_sweep(board_of(), rng=rng)
    with pytest.raises(LengthMismatch):
        broken_chains(Duels.of(ballots), np.zeros(3))


@pytest.mark.data
def test_mt_bench_is_transitive_and_foretold_better_than_by_guessing():
    """Zheng et al. 2023, arXiv:2306.05685: six systems of clearly different strength."""
    ballots = published_ballots(published_rows("mtbench_votes.csv.gz"), "question_id")
    sweep = k_factor_sweep(ballots, permutations=5, rng=np.random.default_rng(0))
    assert (sweep.cycles.n_triads, sweep.cycles.n_cyclic) == (20, 0)
    assert all(row.log_loss < math.log(2) for row in sweep.rows)
    assert all(row.chains.n_broken == 0 for row in sweep.rows)

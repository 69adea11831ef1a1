import itertools
import json
import math

import numpy as np
import pytest
from scipy import optimize

from arena.ranking import (
    Ballots,
    Bootstrap,
    BradleyTerry,
    InvalidSetting,
    MissingRandomness,
    Sandwich,
    TooFewClusters,
)
from arena.ranking.cycles.general_preference import GeneralPreference, fit_table
from arena.ranking.result import SCALE
from arena.ranking.table_problem import base_of
from tests.ranking.boards import board_of, published_ballots, published_rows, sampled_board, scores_of
from tests.ranking.cycles.test_cyclicity import cyclic_board

CYCLE = [("x", "y", "a", 100), ("y", "z", "a", 100), ("z", "x", "a", 100)]


def fitted(ballots, **setting):
    base = base_of(ballots, both_bad="tie")
    return fit_table(base.tables[0], base.met, **{"rank": 1, "ridge": 1.0, **setting})


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rank_zero_is_bradley_terry(seed):
    ballots = sampled_board(np.random.default_rng(seed), n=9, size=400)
    theirs = scores_of(BradleyTerry().fit(ballots))
    assert scores_of(GeneralPreference(rank=0).fit(ballots)) == pytest.approx(theirs, abs=1e-8, rel=0)


def test_a_ridge_above_the_residuals_is_bradley_terry(rng):
    ballots = sampled_board(rng, n=9, size=400)
    found = GeneralPreference(rank=3, ridge=1e4).fit(ballots)
    assert scores_of(found) == pytest.approx(scores_of(BradleyTerry().fit(ballots)), abs=1e-8, rel=0)
    assert found.diagnostics["cyclic_rank"] == 0
    assert found.diagnostics["is_best_of_all_ranks"]


def test_separated_systems_get_the_phantoms_of_bradley_terry():
    ballots = board_of(("x", "y", "a", 5), ("y", "x", "a", 2), ("x", "z", "a", 4), ("y", "z", "a", 4))
    found = GeneralPreference(rank=0).fit(ballots)
    assert scores_of(found) == pytest.approx(scores_of(BradleyTerry().fit(ballots)), abs=1e-8, rel=0)
    assert found.diagnostics["phantom_pairs"] == 2


def test_a_deterministic_cycle_is_a_coin_to_bradley_terry_and_sure_to_the_cyclic_fit():
    ballots = board_of(*CYCLE)
    assert GeneralPreference(rank=0).probabilities(ballots).of("x", "y") == pytest.approx(0.5)
    chances = [
        GeneralPreference(rank=1, ridge=ridge).probabilities(ballots).of("x", "y")
        for ridge in (10.0, 1.0, 0.1, 0.01)
    ]
    assert chances == sorted(chances)
    assert chances[1] > 0.99
    assert chances[3] > 0.9999
    found = GeneralPreference(rank=1).fit(ballots)
    assert scores_of(found) == pytest.approx({"x": 1000.0, "y": 1000.0, "z": 1000.0})
    (triple,) = found.diagnostics["triples"]
    assert triple["items"] == ("x", "y", "z")
    assert triple["is_cycle"]


def test_a_symmetric_cycle_solves_its_own_equation():
    """By symmetry S = s K for the 3-cycle K, whose singular value is sqrt 3: n (1 - P) = ridge / sqrt 3."""
    fit = fitted(board_of(*CYCLE), ridge=2.0)
    assert 100 * (1 - fit.probability[0, 1]) == pytest.approx(2.0 / math.sqrt(3.0), abs=1e-7)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_the_fit_is_the_best_of_many_starts(seed):
    """Oracle: BFGS on the same penalised likelihood, written out pair by pair, from random starts."""
    rng = np.random.default_rng(seed)
    ballots = cyclic_board(rng, n=5, size=500, curl=1.0)
    table = base_of(ballots, both_bad="tie").tables[0]
    fit = fitted(ballots, ridge=2.0)

    def loss(x):
        theta, a, b = x.reshape(3, 5)
        total = 1.0 * (a @ a + b @ b)
        for i, j in itertools.permutations(range(5), 2):
            logit = theta[i] - theta[j] + a[i] * b[j] - b[i] * a[j]
            total += table.won[i, j] * np.logaddexp(0.0, -logit)
        return total

    ours = loss(np.concatenate([fit.theta, fit.a[:, 0], fit.b[:, 0]]))
    theirs = min(optimize.minimize(loss, rng.normal(size=15), method="BFGS").fun for _ in range(4))
    assert ours <= theirs + 1e-6


def test_the_certificate_holds_against_a_higher_rank(rng):
    ballots = cyclic_board(rng, n=8, size=3000, curl=1.0)
    high, higher = (fitted(ballots, rank=rank, ridge=12.0) for rank in (2, 3))
    assert high.is_best_of_all_ranks
    assert high.rank < 3
    assert higher.logit == pytest.approx(high.logit, abs=1e-6)


def test_no_score_hides_in_the_cyclic_part(rng):
    fit = fitted(cyclic_board(rng, n=7, size=2000, curl=1.0))
    assert fit.cyclic.sum(axis=1) == pytest.approx(0.0, abs=1e-9)
    assert fit.cyclic == pytest.approx(-fit.cyclic.T)
    assert fit.theta == pytest.approx(fit.logit.mean(axis=1))


def test_names_and_sides_do_not_matter(rng):
    ballots = cyclic_board(rng, n=6, size=600, curl=1.0, ties=0.0)
    item, rank = ballots.slot_item.reshape(-1, 2), ballots.slot_rank.reshape(-1, 2)
    names = [f"t{(5 * i) % 6}" for i in range(6)]
    swapped = Ballots.from_pair_columns(
        items=names, first=item[:, 1], second=item[:, 0], outcome=(rank[:, 1] > rank[:, 0]).astype(int)
    )
    mine, other = (scores_of(GeneralPreference(rank=1).fit(b)) for b in (ballots, swapped))
    renamed = {names[ballots.items.index(item)]: score for item, score in mine.items()}
    assert other == pytest.approx(renamed, abs=1e-5)


def test_held_out_votes_call_for_no_cycle_on_one_scale(rng):
    """In 300 simulated boards 1 % had a cyclic rank; three of eight would come with a chance below 1e-4."""
    found = [
        GeneralPreference().fit(sampled_board(rng, n=8, size=1000), rng=rng).diagnostics for _ in range(8)
    ]
    kept = [facts for facts in found if facts["rank"] == 0]
    assert len(kept) > 5
    assert all(facts["held_out"]["cyclic_share"] == 0.0 for facts in kept)
    assert all(facts["triples"] == [] for facts in kept)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_held_out_votes_find_a_planted_cycle(seed):
    rng = np.random.default_rng(seed)
    found = GeneralPreference().fit(cyclic_board(rng, n=8, size=5000, curl=1.5), rng=rng).diagnostics
    assert found["rank"] >= 1
    assert found["held_out"]["cyclic_share"] > 0.02
    assert {*found["triples"][0]["items"]} == {"s00", "s01", "s02"}
    loss = found["held_out"]["loss"]
    assert loss[found["rank"]] < loss[0] < math.log(2.0)


def test_planted_scores_and_cycle_are_recovered(rng):
    n, votes = 6, 60_000
    theta = np.linspace(1.0, -1.0, n)
    factors = rng.uniform(-1.0, 1.0, (n, 2))
    factors -= factors.mean(axis=0)
    planted = np.outer(factors[:, 0], factors[:, 1])
    planted = planted - planted.T
    first = rng.integers(n, size=votes)
    second = (first + rng.integers(1, n, size=votes)) % n
    chance = 1 / (1 + np.exp(theta[second] - theta[first] - planted[first, second]))
    ballots = Ballots.from_pair_columns(
        items=list("abcdef"), first=first, second=second, outcome=(rng.random(votes) > chance).astype(int)
    )
    fit = fitted(ballots)
    # A pair has 4,000 votes: its log-odds have a standard error of some 0.04 and, far out, 0.1; a score, the
    # mean of five, half of that. Five standard errors.
    assert fit.theta == pytest.approx(theta, abs=0.25)
    assert fit.cyclic == pytest.approx(planted, abs=0.5)
    plain = SCALE * fit.theta
    board = GeneralPreference(rank=1).fit(ballots, interval=Bootstrap(replicates=8), rng=rng)
    assert board["a"].score - 1000.0 == pytest.approx(plain[0])
    assert all(r.low < r.score < r.high for r in board.ratings)


def test_components_know_nothing_of_each_other():
    ballots = board_of(
        *CYCLE, ("p", "q", "a", 3), ("q", "p", "a", 1), items=["x", "y", "z", "p", "q", "lone"]
    )
    found = GeneralPreference(rank=1).probabilities(ballots)
    assert found.of("p", "q") == pytest.approx(0.75)
    assert math.isnan(found.of("x", "p"))
    assert math.isnan(found.of("lone", "p"))
    assert found.of("lone", "lone") == 0.5
    assert GeneralPreference(rank=1).fit(ballots)["lone"].score is None


def test_a_board_without_ballots_has_no_scores(rng):
    found = GeneralPreference().fit(board_of(items=["x", "y"]), rng=rng)
    assert [r.score for r in found.ratings] == [None, None]
    assert found.diagnostics["triples"] == []


def test_diagnostics_are_json_and_repeat_with_the_seed(rng):
    ballots = sampled_board(rng, n=5, size=200)
    interval = Bootstrap(replicates=4)
    one, two = (
        GeneralPreference(max_rank=1).fit(ballots, interval=interval, rng=np.random.default_rng(7)).as_dict()
        for _ in range(2)
    )
    assert one == two
    json.dumps(one)


@pytest.mark.parametrize(
    "values",
    [
        {"rank": -1},
        {"rank": "best"},
        {"ridge": 0.0},
        {"folds": 1},
        {"max_rank": -1},
        {"triples": -1},
        {"anchor_mean": math.inf},
        {"both_bad": "grounded"},
        {"provisional_below": -1},
    ],
)
def test_an_impossible_setting_is_refused(values):
    with pytest.raises(InvalidSetting):
        GeneralPreference(**values)


def test_what_it_needs_is_asked_for(rng):
    ballots = board_of(*CYCLE, voter=["u", "v", "w"] * 100)
    with pytest.raises(MissingRandomness):
        GeneralPreference().fit(ballots)
    with pytest.raises(InvalidSetting):
        GeneralPreference(rank=1).fit(ballots, interval=Sandwich())
    with pytest.raises(TooFewClusters):
        GeneralPreference(held_out_by="voter").fit(ballots, rng=rng)


@pytest.mark.data
def test_mt_bench_calls_for_no_cycle(rng):
    ballots = published_ballots(published_rows("mtbench_votes.csv.gz"), "question_id")
    found = GeneralPreference(held_out_by="prompt").fit(ballots, rng=rng)
    assert found.diagnostics["rank"] == 0
    assert scores_of(found) == pytest.approx(scores_of(BradleyTerry().fit(ballots)), abs=1e-6)

import math
from itertools import combinations, permutations

import numpy as np
import pytest

from arena.ranking.ballots import Ballots
from arena.ranking.errors import (
    DuplicateItem,
    InvalidItem,
    InvalidRank,
    InvalidSetting,
    InvalidWeight,
    LengthMismatch,
    TooFewSystems,
)
from arena.ranking.sequential import ActiveRanker
from arena.ranking.sequential.noise import NoiseModel
from arena.ranking.sequential.orders import Orders


def ranker_of(n, seed=0, **settings):
    return ActiveRanker([f"s{i:02d}" for i in range(n)], np.random.default_rng(seed), **settings)


def discordance(order, ballot):
    place = {item: i for i, item in enumerate(order)}
    return sum(place[a] > place[b] for a, b in combinations(ballot, 2))


def table_of(model, size, pairs):
    kind = model.kind(size, pairs)
    return np.exp(model.table[kind, : pairs + 1])


@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_the_chances_of_all_rankings_sum_to_one(k):
    model = NoiseModel(random_prior=3.0, flip_prior=3.0)
    chance = table_of(model, k, k * (k - 1) // 2)
    total = sum(chance[discordance(range(k), ballot)] for ballot in permutations(range(k)))
    assert total == pytest.approx(1.0)


def test_a_wider_kind_leaves_the_others_as_they_were():
    model = NoiseModel(random_prior=3.0, flip_prior=3.0)
    narrow = table_of(model, 2, 1)
    model.kind(5, 10)
    assert np.exp(model.table[0, :2]) == pytest.approx(narrow)
    assert model.width == 11


@pytest.mark.parametrize(("share", "flip"), [(0.0, 0.001), (0.2, 0.001), (0.002, 0.3), (0.1, 0.1)])
def test_noise_is_found_from_the_discordance_that_it_makes(share, flip):
    model = NoiseModel(random_prior=1.0, flip_prior=1.0)
    kind = model.kind(4, 6)
    rankings = list(permutations(range(4)))
    distance = np.array([discordance(range(4), ballot) for ballot in rankings])
    clean = flip**distance
    chance = (1 - share) * clean / clean.sum() + share / 24
    seen = np.zeros((1, 7))
    np.add.at(seen[kind], distance, 2000 * chance)
    model.fit(seen)
    assert model.noise.random_share == pytest.approx(share, abs=0.02)
    assert model.noise.flip == pytest.approx(flip, abs=0.03)


def test_the_sample_is_the_exact_posterior_of_a_small_case():
    """Four systems, mixed ballots with a tie and a weight: 24 orders can be weighed one by one."""
    model = NoiseModel(random_prior=2.0, flip_prior=2.0)
    model._best = int(np.argmin(np.abs(model._share - 0.2) + np.abs(model._flip - 0.3)))
    orders = Orders(4, chains=64, model=model, rng=np.random.default_rng(1))
    ballots = [
        ([0, 1, 2], [1, 2, 3], 1.0),
        ([2, 3], [1, 2], 1.0),
        ([3, 1, 0], [1, 1, 2], 2.0),
        ([1, 2, 0, 3], [1, 2, 3, 4], 1.0),
        ([0, 1, 2], [1, 2, 3], 1.0),
    ]
    for members, ranks, weight in ballots:
        orders.add_ballot(members, ranks, weight)
    exact = {}
    for order in permutations(range(4)):
        place = {item: i for i, item in enumerate(order)}
        log = 0.0
        for members, ranks, weight in ballots:
            strict = [(a, b) for (a, x), (b, y) in permutations(zip(members, ranks, strict=True), 2) if x < y]
            wrong = sum(place[a] > place[b] for a, b in strict)
            log += weight * model.table[model.kind(len(members), len(strict)), wrong]
        exact[order] = math.exp(log)
    total = sum(exact.values())
    seen = dict.fromkeys(exact, 0)
    rounds = 400
    for step in range(rounds + 20):
        for item in range(4):
            orders.move(item)
        if step >= 20:
            for row in orders.position:
                seen[tuple(np.argsort(row).tolist())] += 1
    for order, weight in exact.items():
        assert seen[order] / (64 * rounds) == pytest.approx(weight / total, abs=0.012)


def test_the_kept_discordance_is_the_recounted_one():
    model = NoiseModel(random_prior=2.0, flip_prior=2.0)
    rng = np.random.default_rng(2)
    orders = Orders(9, chains=5, model=model, rng=rng)
    ballots = []
    for _ in range(60):
        size = int(rng.integers(2, 6))
        members = rng.choice(9, size, replace=False).tolist()
        ranks = rng.integers(1, 4, size).tolist()
        orders.add_ballot(members, ranks, 1.0)
        ballots.append((members, ranks))
        for item in rng.integers(9, size=3).tolist():
            orders.move(item)
    assert np.array_equal(np.sort(orders.position, axis=1), np.tile(np.arange(9), (5, 1)))
    keys = list(orders._ballots)
    for chain, place in enumerate(orders.position):
        for ballot, key in enumerate(keys):
            wrong = sum(
                (x < y and place[a] > place[b]) or (x > y and place[a] < place[b])
                for (a, x), (b, y) in combinations(key, 2)
            )
            assert orders._discordance[chain, ballot] == wrong


@pytest.mark.parametrize(("k", "most"), [(2, 110), (4, 45), (6, 40)])
def test_an_exact_voter_is_sorted_with_few_ballots(k, most):
    """20 systems are 61 bits: at least 62 pairs or 14 rankings of four."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        truth = [f"s{i:02d}" for i in rng.permutation(20)]
        ranker = ranker_of(20, seed)
        for _ in range(most):
            ranker.tell(sorted(ranker.choose(k), key=truth.index))
        assert list(ranker.order) == truth
        assert ranker.noise.random_share <= 0.02


def test_random_ballots_are_seen_through_and_their_share_is_found():
    rng = np.random.default_rng(5)
    truth = [f"s{i:02d}" for i in rng.permutation(20)]
    ranker = ranker_of(20, 5)
    for _ in range(200):
        shown = sorted(ranker.choose(4), key=truth.index)
        ranker.tell([shown[i] for i in rng.permutation(4)] if rng.random() < 0.15 else shown)
    assert list(ranker.order) == truth
    assert 0.04 <= ranker.noise.random_share <= 0.3
    assert ranker.noise.flip <= 0.05


def test_a_new_system_finds_its_place_in_a_few_ballots():
    truth = [f"s{i:02d}" for i in range(20)]
    ranker = ranker_of(20, 1)
    for _ in range(60):
        ranker.tell(sorted(ranker.choose(4), key=truth.index))
    assert list(ranker.order) == truth
    ranker.add("new")
    truth.insert(7, "new")
    for _ in range(8):
        shown = ranker.choose(4)
        ranker.tell(sorted(shown, key=truth.index))
    assert list(ranker.order) == truth
    with pytest.raises(DuplicateItem):
        ranker.add("new")


def test_the_newcomer_is_shown_first():
    truth = [f"s{i:02d}" for i in range(12)]
    ranker = ranker_of(12, 1)
    for _ in range(60):
        ranker.tell(sorted(ranker.choose(4), key=truth.index))
    ranker.add("new")
    assert "new" in ranker.choose(4)


def test_ties_say_nothing_and_uncompared_slots_are_left_out():
    ranker = ranker_of(4)
    ranker.tell(["s00", "s01", "s02"], [1, 1, -1])
    assert not ranker._orders.net.any()
    ranker.tell(["s00", "s01", "s02"], [2, 1, -1])
    assert ranker._orders.net[1, 0] == 1
    assert ranker.n_ballots == 2


def test_many_ballots_of_a_file_give_the_order_of_their_majority():
    rng = np.random.default_rng(0)
    theta = np.linspace(4, -4, 8)
    first, second = rng.integers(0, 8, (2, 1500))
    first, second = first[first != second], second[first != second]
    wins = rng.random(first.size) < 1 / (1 + np.exp(theta[second] - theta[first]))
    names = [f"s{i:02d}" for i in range(8)]
    ballots = Ballots.from_pair_columns(items=names, first=first, second=second, outcome=np.where(wins, 0, 1))
    ranker = ranker_of(8)
    ranker.tell_all(ballots)
    assert list(ranker.order) == names
    assert ranker.above()[0, 7] == 1.0


def test_doubt_falls_with_evidence():
    ranker = ranker_of(3, random_prior=5.0)
    assert ranker.doubt() == pytest.approx(np.full(2, 0.5), abs=0.3)
    for _ in range(20):
        ranker.tell(["s00", "s01", "s02"])
    assert ranker.doubt().max() < 0.01


def test_the_same_generator_gives_the_same_ranker():
    rankers = [ranker_of(10, 3) for _ in range(2)]
    shown = [[], []]
    for _ in range(15):
        for ranker, sets in zip(rankers, shown, strict=True):
            sets.append(ranker.choose(3))
            ranker.tell(sorted(sets[-1]))
    assert shown[0] == shown[1]
    assert rankers[0].order == rankers[1].order


def test_excluded_systems_are_never_chosen_and_a_plan_states_the_exact_chance():
    ranker = ranker_of(6)
    for _ in range(30):
        assert not {"s01", "s02"} & set(ranker.choose(3, exclude=["s01", "s02"]))
    plan = ranker.plan(3, explore=0.2, exclude=["s01"])
    rng = np.random.default_rng(0)
    drawn = [plan.draw(rng) for _ in range(50)]
    assert all("s01" not in battle.items for battle in drawn)
    chances = {battle.probability for battle in drawn}
    assert min(chances) == pytest.approx(0.2 / math.comb(5, 3))
    assert max(chances) == pytest.approx(0.8 + 0.2 / math.comb(5, 3))


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda r: r.tell(["s00", "gone"]), InvalidItem),
        (lambda r: r.tell(["s00", "s00"]), DuplicateItem),
        (lambda r: r.tell(["s00", "s01"], [1]), LengthMismatch),
        (lambda r: r.tell(["s00", "s01"], [1, 0]), InvalidRank),
        (lambda r: r.tell(["s00", "s01"], weight=-1.0), InvalidWeight),
        (lambda r: r.choose(1), InvalidSetting),
        (lambda r: r.choose(4, exclude=["s00"]), TooFewSystems),
        (lambda r: ranker_of(1), TooFewSystems),
        (lambda r: ActiveRanker(["a", "a"], np.random.default_rng(0)), DuplicateItem),
        (lambda r: ranker_of(3, chains=1), InvalidSetting),
        (lambda r: ranker_of(3, sweep=-1.0), InvalidSetting),
        (lambda r: ranker_of(3, random_prior=0.5), InvalidSetting),
        (lambda r: ranker_of(3, flip_prior=math.nan), InvalidSetting),
    ],
)
def test_impossible_input_is_refused(act, error):
    with pytest.raises(error):
        act(ranker_of(4))

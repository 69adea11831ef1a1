import itertools
import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.ranking import Ballots, InvalidItem, InvalidSetting, NotComparable
from arena.ranking.voting.consensus import METHODS, Consensus, kendall_distance
from arena.ranking.voting.kemeny import cost_of, kemeny
from arena.ranking.voting.majority import Duels, tiers
from tests.ranking.boards import board_of
from tests.ranking.voting.elections import CYCLE, ELECTIONS, NAMES, RANKS, TENNESSEE, drawn, election


def duels_of(won):
    won = np.asarray(won, dtype=np.float64)
    return Duels(tuple(f"{i:02d}" for i in range(won.shape[0])), won, won + won.T)


def all_costs(duels):
    return [cost_of(duels.won, np.array(p)) for p in itertools.permutations(range(len(duels.items)))]


# -- Kemeny's order


@settings(max_examples=100, deadline=None)
@given(ELECTIONS)
def test_kemenys_order_is_the_best_of_all_permutations(rows):
    duels = Duels.of(drawn(rows))
    costs, found = all_costs(duels), kemeny(duels)
    assert found.is_exact
    assert found.cost == found.bound == pytest.approx(min(costs))
    assert found.cost == pytest.approx(cost_of(duels.won, found.order))
    assert found.is_unique == (sum(cost == pytest.approx(min(costs)) for cost in costs) == 1)


@settings(max_examples=100, deadline=None)
@given(ELECTIONS)
def test_without_the_sets_the_order_is_no_worse_than_it_says(rows):
    duels = Duels.of(drawn(rows))
    costs, found = all_costs(duels), kemeny(duels, exact_up_to=0)
    assert found.bound <= min(costs) + 1e-9 <= found.cost + 2e-9
    assert not found.is_exact or found.cost == pytest.approx(min(costs))


@pytest.mark.parametrize("seed", range(5))
def test_moves_cannot_better_the_order_of_a_large_tier(seed):
    rng = np.random.default_rng(seed)
    won = rng.integers(0, 9, size=(25, 25)) * (1 - np.eye(25))
    found = kemeny(duels_of(won))
    assert not found.is_exact
    assert found.is_unique is None
    assert found.bound < found.cost == cost_of(won, found.order)
    for start, end in itertools.product(range(25), range(25)):
        moved = np.insert(np.delete(found.order, start), end, found.order[start])
        assert cost_of(won, moved) >= found.cost


def test_many_items_of_small_tiers_are_ordered_exactly(rng):
    """30 planted triples, cyclic inside, each beating all later ones: far too many for sets in one go."""
    n = 30
    won = np.triu(rng.integers(5, 9, size=(n, n)), 1) + np.tril(rng.integers(0, 4, size=(n, n)), -1)
    for i in range(0, n, 3):
        won[i : i + 3, i : i + 3] = [[0, 6, 4], [3, 0, 6], [5, 3, 0]]
    mixed = rng.permutation(n)
    duels = duels_of(won[np.ix_(mixed, mixed)])
    found = kemeny(duels)
    assert found.is_exact
    assert [tier.size for tier in tiers(duels)] == [3] * 10
    assert mixed[found.order].tolist() == list(range(n))


def test_a_fourteen_item_cycle_is_solved_by_sets(rng):
    n = 14
    won = rng.integers(0, 20, size=(n, n)) * (1.0 - np.eye(n))
    found = kemeny(duels_of(won))
    assert len(tiers(duels_of(won))) == 1
    assert found.is_exact
    for _ in range(200):
        assert cost_of(won, rng.permutation(n)) >= found.cost


def test_among_equal_orders_the_one_of_more_duels_won_comes_first():
    duels = Duels.of(election((1, "a>b>c"), (1, "b>a>c"), (1, "c=b=a")))
    found = kemeny(duels)
    assert [duels.items[i] for i in found.order] == ["a", "b", "c"]
    assert found.is_unique is False


# -- distances


def test_kendalls_distance_of_tied_orders_by_hand():
    """Of six pairs: a-b tied in one only, c-d turned, a-c and a-d agree, b-c agrees, b-d tied in one only."""
    assert kendall_distance([["a", "b"], ["c"], ["d"]], [["a"], ["b", "d"], ["c"]]) == 1 + 2 * 0.5
    assert kendall_distance([["a"], ["b"]], [["b"], ["a"]]) == 1.0
    assert kendall_distance([["a", "b"]], [["b"], ["a"]], penalty=1.0) == 1.0


def test_orders_of_other_items_have_no_distance():
    with pytest.raises(InvalidItem):
        kendall_distance([["a"]], [["b"]])
    with pytest.raises(InvalidItem):
        kendall_distance([["a"], ["a"]], [["a"]])
    with pytest.raises(InvalidSetting):
        kendall_distance([["a"]], [["a"]], penalty=2.0)


LEVELS = st.lists(st.integers(1, 5), min_size=5, max_size=5)


def buckets_of(ranks):
    return [[n for n, r in zip(NAMES, ranks, strict=True) if r == level] for level in sorted(set(ranks))]


@settings(max_examples=60, deadline=None)
@given(st.lists(LEVELS, min_size=1, max_size=6), st.sampled_from([0.0, 0.1, 0.3]), st.sampled_from(METHODS))
def test_the_distance_is_kendalls_mean_distance_from_the_ballots(rows, threshold, method):
    ballots = drawn([(ranks, 1) for ranks in rows])
    found = Consensus(method=method, threshold=threshold).fit(ballots).whole
    strict = [[name] for name in found.order]
    for order, distance in ((found.buckets, found.distance), (strict, found.order_distance)):
        mean = np.mean([kendall_distance(order, buckets_of(ranks)) / 10 for ranks in rows])
        assert distance == pytest.approx(mean)
    assert found.order_bound <= found.order_distance + 1e-12


# -- buckets


@settings(max_examples=80, deadline=None)
@given(st.lists(LEVELS, min_size=1, max_size=6), st.sampled_from([0.0, 0.1, 0.25, 0.4]))
def test_buckets_are_the_finest_whose_every_claim_exceeds_the_threshold(rows, threshold):
    ballots = drawn([(ranks, 1) for ranks in rows])
    found = Consensus(threshold=threshold).fit(ballots).whole
    duels = Duels.of(ballots)
    firm = {
        (NAMES[i], NAMES[j])
        for i, j in itertools.permutations(range(5), 2)
        if duels.share[i, j] > 0.5 + threshold + 1e-12
    }
    # Brute force: every split of the items whose upper part is firmly above all of the lower one.
    splits = [
        set(upper)
        for size in range(1, 5)
        for upper in itertools.combinations(NAMES, size)
        if all((one, other) in firm for one in upper for other in set(NAMES) - set(upper))
    ]
    assert [set(bucket) for bucket in found.buckets] == [
        below - above for above, below in itertools.pairwise([set(), *splits, set(NAMES)])
    ]


def test_a_higher_threshold_only_merges():
    ballots, before = election(*TENNESSEE), None
    for threshold in (0.0, 0.07, 0.09, 0.2, 0.33, 0.45):
        buckets = Consensus(threshold=threshold).fit(ballots).whole.buckets
        assert before is None or all(any(set(b) <= set(c) for c in buckets) for b in before)
        before = buckets
    assert len(before) == 1


def test_a_cycle_is_one_bucket_and_claims_nothing():
    found = Consensus().fit(election(*CYCLE)).whole
    assert found.order == ("a", "b", "c")
    assert found.buckets == (("a", "b", "c"),)
    assert found.breakdown is None
    assert {cut.to_merge for cut in found.cuts} == {None}


def test_tennessees_consensus_and_its_weakest_pair():
    """Memphis loses to all by 42 to 58: margin 0.08. 16 more ballots on 100 level it."""
    found = Consensus().fit(election(*TENNESSEE)).whole
    assert found.order == ("Nashville", "Chattanooga", "Knoxville", "Memphis")
    assert [len(bucket) for bucket in found.buckets] == [1, 1, 1, 1]
    assert found.is_exact
    assert found.is_unique
    assert found.cuts[2].margin == pytest.approx(0.08)
    assert found.breakdown == pytest.approx(16 / 116)
    # Turned pairs: N-C 32, N-K 32, C-K 17, and 42 for each pair with Memphis, of 600.
    assert found.order_distance == pytest.approx((32 + 32 + 17 + 3 * 42) / 600)
    json.dumps(asdict(Consensus().fit(election(*TENNESSEE))), allow_nan=False)


# -- breakdown points


def attacked(rows, ranks, weight, threshold):
    """Each item's bucket after one more ballot."""
    found = Consensus(threshold=threshold).fit(drawn([*rows, (ranks, weight)])).whole
    return {name: place for place, bucket in enumerate(found.buckets) for name in bucket}


@settings(max_examples=60, deadline=None)
@given(
    ELECTIONS,
    LEVELS,
    st.sampled_from([0.0, 0.1, 0.25]),
    st.lists(RANKS.filter(lambda ranks: ranks.count(None) < 4), min_size=3, max_size=3),
)
def test_bounds_of_breakdown_hold_against_attacks(rows, full, threshold, others):
    rows = [*rows, (full, 1)]
    found = Consensus(threshold=threshold).fit(drawn(rows)).whole
    total = sum(weight for ranks, weight in rows if ranks.count(None) < 4)
    place = {name: number for number, bucket in enumerate(found.buckets) for name in bucket}
    for cut in found.cuts:
        if not cut.is_kept:
            continue
        above, below = found.order[: cut.top], found.order[cut.top :]
        merge, low, high = (
            total * share / (1.0 - share) for share in (cut.to_merge, cut.to_reverse_low, cut.to_reverse_high)
        )
        # Enough to merge: an attack on one pair across. A little less: no attack loses a claim.
        duels = {
            pair: [{pair[0]: 2, pair[1]: 1}.get(name) for name in NAMES]
            for pair in itertools.product(above, below)
        }
        after = {pair: attacked(rows, ranks, merge * (1 + 1e-9), threshold) for pair, ranks in duels.items()}
        assert any(after[one, other][one] >= after[one, other][other] for one, other in after)
        for ranks in (*duels.values(), *others):
            after = attacked(rows, ranks, merge * (1 - 1e-9), threshold)
            assert all(after[one] < after[other] for one in above for other in below)
            after = attacked(rows, ranks, low * (1 - 1e-9), threshold)
            assert all(after[one] <= after[other] for one in above for other in below)
        # Enough to reverse: the consensus with the two buckets at the cut swapped.
        upper, lower = place[found.order[cut.top - 1]], place[found.order[cut.top]]
        swap = {upper: lower, lower: upper}
        ranks = [1 + swap.get(place[name], place[name]) for name in NAMES]
        after = attacked(rows, ranks, high * (1 + 1e-9), threshold)
        assert all(
            after[one] < after[other] for one in found.buckets[lower] for other in found.buckets[upper]
        )


@pytest.mark.parametrize(("wins", "losses"), [(9, 1), (6, 4), (10, 0)])
def test_for_two_items_the_breakdown_is_exact(wins, losses):
    found = Consensus().fit(board_of(("x", "y", "a", wins), ("x", "y", "b", losses))).whole
    (cut,) = found.cuts
    more = wins - losses
    assert cut.to_merge == cut.to_reverse_low == cut.to_reverse_high
    assert cut.to_merge == pytest.approx(more / (wins + losses + more))


def test_a_bucket_order_is_harder_to_reverse_than_a_strict_one():
    ballots = election(*TENNESSEE)
    strict = Consensus().fit(ballots).whole.cuts[0]
    firm = Consensus(threshold=0.07).fit(ballots).whole.cuts[0]
    assert firm.to_reverse_low > strict.to_reverse_low
    assert firm.to_merge < strict.to_merge


def test_a_pair_that_never_met_falls_to_one_ballot():
    ballots = election((5, "a>b"), (5, "b>c"))
    found = Consensus().fit(ballots).whole
    assert found.buckets == (("a",), ("b",), ("c",))
    assert found.unmet_pairs == 1
    assert found.breakdown == 0.0
    attack = election((5, "a>b"), (5, "b>c"), (0.001, "c>a"))
    assert Consensus().fit(attack).whole.buckets == (("a", "b", "c"),)


# -- methods and boards


def test_each_method_orders_tennessee_by_its_own_rule():
    ballots = election(*TENNESSEE)
    orders = {m: "".join(n[0] for n in Consensus(method=m).fit(ballots).whole.order) for m in METHODS}
    # Borda puts Memphis before Knoxville. Median places: N 2, C 2 (mean 2.27 after 2.06), K 3, M 4.
    assert orders == {"kemeny": "NCKM", "copeland": "NCKM", "borda": "NCMK", "median": "NCKM"}
    borda = Consensus(method="borda").fit(ballots).whole
    assert not borda.is_exact
    assert borda.order_distance > borda.order_bound
    assert borda.cuts[2].margin == pytest.approx(-0.08)
    assert borda.buckets[-1] == ("Memphis", "Knoxville")


def test_the_median_place_is_weighted_and_halves_a_split():
    """a: places 0, 0, 1 (weight 2): median 1/2 of 0 and 1; b: 1/2 throughout; c: 1, 1, 0 (2)."""
    found = Consensus(method="median").fit(election((1, "a>b>c"), (1, "a>b>c"), (2, "c>b>a"))).whole
    assert set(found.order) == {"a", "b", "c"}
    assert found.buckets == (("a", "b", "c"),)
    found = Consensus(method="median").fit(election((2, "a>b>c"), (1, "a>b>c"), (2, "c>b>a"))).whole
    assert found.order == ("a", "b", "c")


@settings(max_examples=60, deadline=None)
@given(ELECTIONS, st.sampled_from(METHODS))
def test_a_weight_is_as_many_ballots(rows, method):
    weighted = Consensus(method=method).fit(drawn(rows)).islands
    repeated = Consensus(method=method).fit(drawn(rows, weighted=False)).islands
    for one, other in zip(weighted, repeated, strict=True):
        assert (one.order, one.buckets) == (other.order, other.buckets)
        assert one.breakdown == pytest.approx(other.breakdown)


@settings(max_examples=60, deadline=None)
@given(ELECTIONS, st.sampled_from(METHODS), st.permutations(range(len(NAMES))))
def test_the_order_of_columns_does_not_matter(rows, method, order):
    turned = [([ranks[i] for i in order], weight) for ranks, weight in rows]
    plain = Consensus(method=method).fit(drawn(rows))
    mixed = Consensus(method=method).fit(drawn(turned, names=tuple(NAMES[i] for i in order)))
    assert {i.order for i in plain.islands} == {i.order for i in mixed.islands}
    assert plain.unranked == mixed.unranked


@settings(max_examples=60, deadline=None)
@given(ELECTIONS)
def test_upside_down_ballots_turn_the_buckets_around(rows):
    plain = Consensus(method="kemeny").fit(drawn([row for row in rows if None not in row[0]]))
    turned = [([r and 6 - r for r in ranks], weight) for ranks, weight in rows if None not in ranks]
    for one, other in zip(plain.islands, Consensus().fit(drawn(turned)).islands, strict=True):
        assert [set(b) for b in one.buckets] == [set(b) for b in reversed(other.buckets)]
        assert one.breakdown == pytest.approx(other.breakdown)


def test_islands_have_a_consensus_each():
    found = Consensus().fit(
        board_of(("x", "y", "a", 3), ("y", "z", "a", 3), ("p", "q", "a", 2), items=["new"])
    )
    assert [island.order for island in found.islands] == [("x", "y", "z"), ("p", "q")]
    assert found.unranked == ("new",)
    assert found.islands[1].breakdown == pytest.approx(0.5)
    with pytest.raises(NotComparable):
        _ = found.whole


def test_ballots_called_all_bad_tie_or_are_left_out():
    ballots = Ballots.from_rankings([[("a", 1), ("b", 2)]] * 2, all_bad=[False, True])
    assert Consensus().fit(ballots).whole.distance == pytest.approx(0.25)
    assert Consensus(both_bad="drop").fit(ballots).whole.distance == 0.0


@pytest.mark.parametrize(
    "values", [{"method": "x"}, {"threshold": 0.5}, {"both_bad": "grounded"}, {"exact_up_to": 17}]
)
def test_an_impossible_setting_is_refused(values):
    with pytest.raises(InvalidSetting):
        Consensus(**values)
    with pytest.raises(InvalidSetting):
        kemeny(duels_of([[0, 1], [0, 0]]), exact_up_to=-1)

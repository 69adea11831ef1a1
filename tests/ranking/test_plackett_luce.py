import itertools
import json
import math

import choix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from arena.ranking import (
    Ballots,
    BallotTooWide,
    Bootstrap,
    BradleyTerry,
    InvalidSetting,
    MissingRandomness,
    PlackettLuce,
    Sandwich,
    TooFewClusters,
)
from arena.ranking.registry import fit_from_settings
from arena.ranking.result import SCALE
from tests.ranking.boards import board_of, scores_of
from tests.ranking.oracles import clustered
from tests.ranking.test_ties import tied_board


def strengths_of(ranking, items):
    return np.array([(ranking[item].score - 1000) / SCALE for item in items])


def chance(kept, chosen, theta, delta):
    """P(the set `chosen` out of `kept`), summed over all sets straight from the printed formula."""

    def worth(members):
        t = len(members)
        factor = 1.0 if t == 1 else delta.get(t, 0.0)
        return factor * math.exp(sum(theta[i] for i in members) / t)

    sizes = [1, *delta]
    return worth(chosen) / sum(
        worth(s) for t in sizes if t <= len(kept) for s in itertools.combinations(kept, t)
    )


def levels_of(ranking):
    ranks = sorted({rank for _, rank in ranking if rank is not None})
    return [[item for item, rank in ranking if rank == level] for level in ranks]


def log_chance(ranking, theta, delta):
    levels, value = levels_of(ranking), 0.0
    for place, level in enumerate(levels):
        kept = [item for later in levels[place:] for item in later]
        if len(kept) > 1:
            value += math.log(chance(kept, level, theta, delta))
    return value


def drawn_rankings(rng, theta, delta, count, sizes):
    found = []
    for _ in range(count):
        kept = list(rng.permutation(len(theta))[: rng.choice(sizes)])
        ranking, rank = [], 1
        while kept:
            sets = [
                s
                for t in [1, *delta]
                if t <= len(kept)
                for s in itertools.combinations(kept, t)
                if len(kept) > 1 or t == 1
            ]
            p = np.array([chance(kept, s, theta, delta) for s in sets])
            pick = sets[rng.choice(len(sets), p=p / p.sum())]
            ranking += [(f"s{i}", rank) for i in pick]
            rank += len(pick)
            kept = [i for i in kept if i not in pick]
        order = rng.permutation(len(ranking))
        found.append([ranking[i] for i in order])
    return found


def untied_ballots(rng, n, count, k, spread=1.0, **columns):
    """Rankings by Gumbel noise, which is Plackett-Luce."""
    theta = rng.normal(0, spread, n)
    shown = np.argsort(rng.random((count, n)), axis=1)[:, :k]
    order = np.argsort(-(theta[shown] + rng.gumbel(size=(count, k))), axis=1)
    rank = np.argsort(order, axis=1) + 1
    ballots = Ballots.from_columns(
        items=[f"s{i}" for i in range(n)],
        offsets=np.arange(0, count * k + 1, k),
        slot_item=shown.reshape(-1),
        slot_rank=rank.reshape(-1),
        **columns,
    )
    return ballots, theta, np.take_along_axis(shown, order, axis=1)


def brute_force(rankings, n, orders):
    def loss(x):
        theta = {f"s{i}": x[i] for i in range(n)}
        delta = {t: math.exp(x[n + place]) for place, t in enumerate(orders)}
        return -sum(log_chance(r, theta, delta) for r in rankings) + x[:n].mean() ** 2

    found = minimize(loss, np.zeros(n + len(orders)), method="BFGS", options={"gtol": 1e-5})
    return found.x[:n] - found.x[:n].mean(), np.exp(found.x[n:]), -found.fun


@pytest.mark.parametrize("k", [2, 3, 4, 9])
def test_untied_rankings_match_choix(k, rng):
    ballots, _, ordered = untied_ballots(rng, 12, 1500, k)
    theirs = choix.ilsr_rankings(12, ordered.tolist(), alpha=0.0, max_iter=1000, tol=1e-12)
    ranking = PlackettLuce().fit(ballots)
    assert strengths_of(ranking, ballots.items) == pytest.approx(theirs - theirs.mean(), abs=1e-8)
    assert ranking.diagnostics["kwise_as_pairs"] == 0
    assert ranking.diagnostics["tie_parameters"] == []


def test_partial_rankings_match_choix(rng):
    """Slots that are not compared leave shorter rankings of the others."""
    ballots, _, _ = untied_ballots(rng, 8, 2000, 5)
    rank = ballots.slot_rank.reshape(-1, 5).copy()
    hidden = rng.random(rank.shape) < 0.3
    rank[hidden] = -1
    partial = Ballots.from_columns(
        items=ballots.items,
        offsets=ballots.offsets,
        slot_item=ballots.slot_item,
        slot_rank=rank.reshape(-1),
    )
    item = ballots.slot_item.reshape(-1, 5)
    rows = [
        [i for _, i in sorted((int(r), int(i)) for r, i in zip(ranks, names, strict=True) if r > 0)]
        for ranks, names in zip(rank, item, strict=True)
    ]
    theirs = choix.ilsr_rankings(8, [r for r in rows if len(r) > 1], alpha=0.0, max_iter=1000, tol=1e-12)
    ranking = PlackettLuce().fit(partial)
    assert strengths_of(ranking, ballots.items) == pytest.approx(theirs - theirs.mean(), abs=1e-8)
    assert ranking.diagnostics["dropped"]["nothing_compared"] == sum(len(r) < 2 for r in rows)


@pytest.mark.parametrize(
    ("sizes", "delta"), [([3], {2: 0.6}), ([4], {2: 0.7, 3: 0.5}), ([2, 3, 4], {2: 0.9})]
)
def test_ties_match_the_written_out_likelihood(sizes, delta, rng):
    theta = dict(enumerate(rng.normal(0, 0.7, 5)))
    rankings = drawn_rankings(rng, theta, delta, 150, sizes)
    ballots = Ballots.from_rankings(rankings, items=[f"s{i}" for i in range(5)])
    ranking = PlackettLuce().fit(ballots)
    orders = [row["size"] for row in ranking.diagnostics["tie_parameters"]]
    wanted, deltas, value = brute_force(rankings, 5, orders)
    assert strengths_of(ranking, ballots.items) == pytest.approx(wanted, abs=1e-4)
    assert [row["delta"] for row in ranking.diagnostics["tie_parameters"]] == pytest.approx(deltas, rel=1e-3)
    assert ranking.diagnostics["log_likelihood"] == pytest.approx(value, abs=1e-4)


def test_the_untied_log_likelihood_is_the_written_out_one(rng):
    ballots, _, _ = untied_ballots(rng, 5, 40, 4)
    ranking = PlackettLuce().fit(ballots)
    theta = dict(zip(ballots.items, strengths_of(ranking, ballots.items), strict=True))
    slots = list(zip([ballots.items[i] for i in ballots.slot_item], ballots.slot_rank.tolist(), strict=True))
    written = sum(log_chance(slots[start : start + 4], theta, {}) for start in range(0, len(slots), 4))
    assert ranking.diagnostics["log_likelihood"] == pytest.approx(written)


def test_planted_parameters_are_recovered(rng):
    theta = rng.normal(0, 0.8, 6)
    delta = {2: 0.5, 3: 0.4}
    rankings = drawn_rankings(rng, dict(enumerate(theta)), delta, 5000, [4])
    ballots = Ballots.from_rankings(rankings, items=[f"s{i}" for i in range(6)])
    ranking = PlackettLuce().fit(ballots, interval=Sandwich())
    assert strengths_of(ranking, ballots.items) == pytest.approx(theta - theta.mean(), abs=0.1)
    for row in ranking.diagnostics["tie_parameters"]:
        assert row["delta"] == pytest.approx(delta[row["size"]], rel=0.1)
        assert row["low"] < row["delta"] < row["high"]
        assert row["high"] / row["low"] < 1.3


@pytest.mark.parametrize("cluster", ["ballot", "voter", "prompt"])
@pytest.mark.parametrize("tied", [False, True])
def test_the_sandwich_is_that_of_the_written_out_likelihood(cluster, tied, rng):
    """Scores, information and Hessian by finite differences of the written-out likelihood."""
    n, delta = 4, {2: 0.6} if tied else {}
    rankings = drawn_rankings(rng, dict(enumerate(rng.normal(0, 0.6, n))), delta, 120, [3])
    voter, prompt = rng.integers(15, size=120), rng.integers(12, size=120)
    ballots = Ballots.from_rankings(
        rankings, items=[f"s{i}" for i in range(n)], voter=voter.tolist(), prompt=prompt.tolist()
    )
    ranking = PlackettLuce().fit(ballots, interval=Sandwich(cluster=cluster))
    x = np.append(
        strengths_of(ranking, ballots.items),
        [math.log(row["delta"]) for row in ranking.diagnostics["tie_parameters"]],
    )

    def logs(x):
        theta = {f"s{i}": x[i] for i in range(n)}
        known = {2: math.exp(x[n])} if tied else {}
        return np.array([log_chance(r, theta, known) for r in rankings])

    step = 1e-4
    units = np.eye(x.size) * step
    scores = np.stack([(logs(x + u) - logs(x - u)) / (2 * step) for u in units], axis=1)
    hessian = np.array(
        [
            [
                (logs(x + u + v) - logs(x + u - v) - logs(x - u + v) + logs(x - u - v)).sum() / (4 * step**2)
                for v in units
            ]
            for u in units
        ]
    )
    inverse = np.linalg.pinv(-hessian, rcond=1e-6)
    codes = {"ballot": np.arange(120), "voter": voter, "prompt": prompt}[cluster]
    # A chain of choices, each of a family of exponential kind: the information is the observed one.
    information = np.stack([-(logs(x + u) - 2 * logs(x) + logs(x - u)) / step**2 for u in units], axis=1)
    found = clustered(inverse, scores, information, codes)
    ours = np.array([ranking[i].high - ranking[i].low for i in ballots.items]) / 2
    assert ours == pytest.approx(SCALE * found.width()[:n], rel=2e-3)
    assert ranking.covariance.freedom == pytest.approx(found.freedom[:n], rel=1e-3)
    assert ranking.diagnostics["clusters"] == np.unique(codes).size
    if tied:
        row = ranking.diagnostics["tie_parameters"][0]
        assert math.log(row["high"] / row["low"]) == pytest.approx(2 * found.width()[n], rel=2e-3)


@pytest.mark.parametrize("tied", [False, True])
def test_bootstrap_and_sandwich_agree(tied, rng):
    rankings = drawn_rankings(rng, dict(enumerate(rng.normal(0, 0.6, 5))), {2: 0.6} if tied else {}, 600, [4])
    ballots = Ballots.from_rankings(rankings, voter=[i % 100 for i in range(600)])
    exact = PlackettLuce().fit(ballots, interval=Sandwich(cluster="voter"))
    drawn = PlackettLuce().fit(ballots, interval=Bootstrap(cluster="voter", replicates=200), rng=rng)
    for item in ballots.items:
        ratio = (drawn[item].high - drawn[item].low) / (exact[item].high - exact[item].low)
        assert 0.8 < ratio < 1.2


@pytest.mark.parametrize("interval", [Sandwich(), Bootstrap(replicates=60)])
def test_pairs_are_bradley_terry_with_davidsons_ties(interval, rng):
    ballots, _, _ = tied_board(rng, "davidson", size=1500)
    wise = PlackettLuce().fit(ballots, interval=interval, rng=np.random.default_rng(1))
    pairs = BradleyTerry(ties="davidson").fit(ballots, interval=interval, rng=np.random.default_rng(1))
    assert scores_of(wise) == pytest.approx(scores_of(pairs), abs=1e-5)
    delta, nu = wise.diagnostics["tie_parameters"][0], pairs.diagnostics["tie_parameter"]
    assert delta["delta"] == pytest.approx(nu["estimate"])
    if isinstance(interval, Sandwich):
        assert delta["high"] == pytest.approx(nu["high"])
        for item in ballots.items:
            assert wise[item].high == pytest.approx(pairs[item].high, abs=1e-5)
    assert wise.diagnostics["log_likelihood"] == pytest.approx(pairs.diagnostics["log_likelihood"])


def test_a_winner_of_all_is_finite_flagged_and_open_above():
    ring = [[("x", 1), ("y", 2), ("z", 3)], [("y", 1), ("z", 2), ("x", 3)], [("z", 1), ("x", 2), ("y", 3)]]
    rows = [*ring * 4, [("top", 1), ("x", 2), ("y", 3)], [("top", 1), ("z", 2), ("y", 3)]]
    ranking = PlackettLuce().fit(Ballots.from_rankings(rows), interval=Sandwich())
    top = ranking.ratings[0]
    assert (top.item, top.separated, top.high) == ("top", True, math.inf)
    assert 100 < top.score - top.low < 3000
    assert not any(ranking[i].separated for i in "xyz")
    assert ranking.diagnostics["phantom_pairs"] == 3
    bootstrapped = PlackettLuce().fit(
        Ballots.from_rankings(rows), interval=Bootstrap(replicates=30), rng=np.random.default_rng(3)
    )
    assert bootstrapped["top"].high == math.inf
    assert 100 < bootstrapped["top"].score - bootstrapped["top"].low < 3000


def test_separated_pairs_are_rated_as_by_bradley_terry():
    rows = [
        ("x", "y", "a", 6),
        ("y", "z", "a", 5),
        ("z", "x", "a", 2),
        ("y", "x", "a", 3),
        ("top", "x", "a", 4),
    ]
    wise = PlackettLuce().fit(board_of(*rows), interval=Sandwich())
    pairs = BradleyTerry().fit(board_of(*rows), interval=Sandwich())
    for item in ["x", "y", "z", "top"]:
        assert wise[item].score == pytest.approx(pairs[item].score, abs=1e-5)
        assert wise[item].low == pytest.approx(pairs[item].low, abs=1e-4)


@pytest.mark.parametrize(
    "rows",
    [
        [[("x", 1), ("y", 1), ("z", 1)]] * 5,
        [[("x", 1), ("y", 1)]] * 5,
        [[("x", 1), ("y", 1), ("z", 1)]] * 3 + [[("x", 1), ("y", 2)], [("y", 1), ("x", 2)]] * 3,
    ],
)
def test_where_ties_have_no_finite_estimate_phantoms_bound_them(rows):
    ranking = PlackettLuce().fit(Ballots.from_rankings(rows), interval=Sandwich())
    assert [r.score for r in ranking.ratings] == pytest.approx([1000.0] * len(ranking.ratings), abs=1e-4)
    assert ranking.diagnostics["phantom_pairs"] > 0
    assert all(math.isfinite(row["delta"]) for row in ranking.diagnostics["tie_parameters"])


def test_islands_are_fitted_apart(rng):
    ring = [[("x", 1), ("y", 2), ("z", 3)], [("y", 1), ("z", 2), ("x", 3)], [("z", 1), ("x", 2), ("y", 3)]]
    island = [[("p", 1), ("q", 2)]] * 3 + [[("q", 1), ("p", 2)]]
    both = PlackettLuce().fit(
        Ballots.from_rankings(ring * 3 + [ring[0]] + island, items=["new"]), interval=Sandwich()
    )
    alone = PlackettLuce().fit(Ballots.from_rankings(ring * 3 + [ring[0]]), interval=Sandwich())
    assert [both[i].score for i in "xyz"] == pytest.approx([alone[i].score for i in "xyz"], abs=1e-6)
    assert both["x"].high == pytest.approx(alone["x"].high, abs=1e-6)
    assert both["p"].score - both["q"].score == pytest.approx(400 * math.log10(3), abs=1e-6)
    assert both["p"].component == 1
    assert both["new"].score is None


def test_both_bad_ties_all_compared_or_is_left_out():
    ring = [[("x", 1), ("y", 2), ("z", 3)], [("y", 1), ("z", 2), ("x", 3)], [("z", 1), ("x", 2), ("y", 3)]]
    rows = [*ring, *ring, ring[0]]
    bad = Ballots.from_rankings([*rows, ring[0]], all_bad=[False] * 7 + [True])
    tied = Ballots.from_rankings([*rows, [("x", 1), ("y", 1), ("z", 1)]])
    assert scores_of(PlackettLuce().fit(bad)) == pytest.approx(scores_of(PlackettLuce().fit(tied)))
    left = PlackettLuce(both_bad="drop").fit(bad)
    assert scores_of(left) == pytest.approx(scores_of(PlackettLuce().fit(Ballots.from_rankings(rows))))


def test_too_wide_a_ballot_with_ties_is_refused_and_without_ties_is_not(rng):
    ballots, _, _ = untied_ballots(rng, 12, 300, 12)
    assert PlackettLuce().fit(ballots).diagnostics["converged"]
    wide = Ballots.from_rankings([[(f"s{i}", max(i, 1)) for i in range(10)]] * 2)
    with pytest.raises(BallotTooWide):
        PlackettLuce().fit(wide)


def test_nine_items_with_ties_are_fitted(rng):
    rows = []
    for _ in range(60):
        rank = rng.integers(1, 7, size=9)
        rows.append([(f"s{i}", int(r)) for i, r in enumerate(rank)])
    ranking = PlackettLuce().fit(Ballots.from_rankings(rows), interval=Sandwich())
    assert ranking.diagnostics["gradient_norm"] < 1e-10


@pytest.mark.parametrize(
    "settings",
    [{"both_bad": "grounded"}, {"prior": -1.0}, {"anchor_mean": math.nan}, {"provisional_below": -1}],
)
def test_an_impossible_setting_is_refused(settings):
    with pytest.raises(InvalidSetting):
        PlackettLuce(**settings)


def test_an_interval_needs_clusters_and_a_bootstrap_its_generator():
    ballots = Ballots.from_rankings([[("x", 1), ("y", 2)], [("y", 1), ("x", 2)]], voter=["u", "u"])
    with pytest.raises(TooFewClusters):
        PlackettLuce().fit(ballots, interval=Sandwich(cluster="voter"))
    with pytest.raises(MissingRandomness):
        PlackettLuce().fit(ballots, interval=Bootstrap())


def test_a_system_met_by_one_voter_has_no_bounds():
    ring = [[("x", 1), ("y", 2), ("z", 3)], [("y", 1), ("z", 2), ("x", 3)], [("z", 1), ("x", 2), ("y", 3)]]
    new = [[("new", 1), ("x", 2)], [("x", 1), ("new", 2)]]
    ballots = Ballots.from_rankings(ring * 4 + new * 5, voter=[i % 4 for i in range(12)] + [9] * 10)
    for interval in (Sandwich(cluster="voter"), Bootstrap(cluster="voter", replicates=20)):
        ranking = PlackettLuce().fit(ballots, interval=interval, rng=np.random.default_rng(0))
        assert (ranking["new"].low, ranking["new"].high) == (-math.inf, math.inf)


def test_a_board_reaches_it_by_plain_settings(rng):
    ballots, _, _ = untied_ballots(rng, 5, 100, 3, voter=rng.integers(30, size=100))
    found = fit_from_settings({"model": "plackett-luce", "cluster": "voter", "both_bad": "drop"}, ballots)
    wanted = PlackettLuce(both_bad="drop").fit(ballots, interval=Sandwich(cluster="voter"))
    assert found.ratings == wanted.ratings
    json.dumps(found.as_dict(), allow_nan=False)


def test_no_ballots_rate_nobody():
    ranking = PlackettLuce().fit(Ballots.from_rankings([], items=["x", "y"]))
    assert [r.score for r in ranking.ratings] == [None, None]


ITEMS = ("a", "b", "c", "d")
RANKS = st.lists(st.sampled_from([1, 2, 3, 4, None]), min_size=4, max_size=4)


@settings(max_examples=40, deadline=None)
@given(st.lists(RANKS, min_size=2, max_size=10), st.permutations(range(4)))
def test_names_do_not_matter_and_every_score_is_finite(rows, order):
    plain = PlackettLuce().fit(
        Ballots.from_rankings([list(zip(ITEMS, r, strict=True)) for r in rows], items=ITEMS)
    )
    names = [ITEMS[i] for i in order]
    renamed = PlackettLuce().fit(
        Ballots.from_rankings([list(zip(names, r, strict=True)) for r in rows], items=names)
    )
    for item, name in zip(ITEMS, names, strict=True):
        left, right = plain[item].score, renamed[name].score
        assert (left is None) == (right is None)
        assert left is None or left == pytest.approx(right, abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.lists(RANKS, min_size=1, max_size=6), st.floats(0.1, 0.9))
def test_a_split_ballot_weighs_what_the_whole_did(rows, share):
    ring = [[1, 2, 3, 4], [2, 3, 4, 1], [3, 4, 1, 2], [4, 1, 2, 3], [1, 1, 2, 3]]
    rankings = [list(zip(ITEMS, r, strict=True)) for r in ring + rows]
    whole = PlackettLuce().fit(Ballots.from_rankings(rankings))
    weights = [w for _ in rankings for w in (share, 1 - share)]
    split = PlackettLuce().fit(Ballots.from_rankings([r for r in rankings for _ in range(2)], weight=weights))
    assert scores_of(split) == pytest.approx(scores_of(whole), abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.lists(RANKS, min_size=1, max_size=6))
def test_a_better_place_on_a_ballot_never_hurts(rows):
    ring = [[1, 2, 3, 4], [2, 3, 4, 1], [3, 4, 1, 2], [4, 1, 2, 3]]

    def gap(last):
        rankings = [list(zip(ITEMS, r, strict=True)) for r in [*ring, *rows, last]]
        scores = scores_of(PlackettLuce().fit(Ballots.from_rankings(rankings)))
        return scores["a"] - scores["b"]

    assert gap([1, 2, 3, 4]) > gap([2, 1, 3, 4]) - 1e-6

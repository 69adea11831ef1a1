import itertools
import json
import math

import evalica
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import t

from arena.ranking import Ballots, Bootstrap, BradleyTerry, IncompatibleTies, InvalidSetting, Sandwich
from arena.ranking.counts import compare, tally
from arena.ranking.registry import fit_from_settings
from arena.ranking.result import SCALE
from arena.ranking.tie_fit import tie_is_finite
from arena.ranking.tie_models import Davidson, GroundedRaoKupper, RaoKupper, Tobt, mean_squares
from tests.ranking.boards import board_of, sampled_board, scores_of
from tests.ranking.oracles import Clustered, clustered
from tests.ranking.test_properties import BATTLES, ITEMS, RING, N, board

MODELS = ["davidson", "rao-kupper", "tobt", "grounded"]
LIKELIHOODS = {
    "davidson": Davidson(),
    "rao-kupper": RaoKupper(),
    "tobt": Tobt(),
    "grounded": GroundedRaoKupper(),
}


def model_of(name, **settings):
    if name == "grounded":
        return BradleyTerry(ties="rao-kupper", both_bad="grounded", **settings)
    return BradleyTerry(ties=name, **settings)


def chances(name, a, b, parameter):
    """P(a wins), P(b wins), P(tie), P(both bad) straight from the printed formulas."""
    x, y = np.exp(a), np.exp(b)
    if name == "davidson":
        tie = parameter * np.sqrt(x * y)
        return np.stack([x, y, tie, 0 * x]) / (x + y + tie)
    phi = np.exp(parameter) if name == "tobt" else parameter
    ground = 1.0 if name == "grounded" else 0.0
    won, lost = x / (x + phi * y + ground), y / (y + phi * x + ground)
    bad = ground / (1 + x + y)
    return np.stack([won, lost, 1 - won - lost - bad, bad])


def tied_board(rng, name, *, n=6, size=4000, parameter=None, voters=None, spread=0.8, prompts=None):
    """Ballots drawn from the model itself, and the strengths."""
    parameter = parameter or {"davidson": 0.8, "rao-kupper": 1.7, "tobt": 0.5, "grounded": 1.8}[name]
    theta = rng.normal(0.6 if name == "grounded" else 0.0, spread, n)
    first = rng.integers(n, size=size)
    second = (first + rng.integers(1, n, size=size)) % n
    edges = np.cumsum(chances(name, theta[first], theta[second], parameter), axis=0)
    outcome = (rng.random(size) > edges[:3]).sum(axis=0)
    ballots = Ballots.from_pair_columns(
        items=[f"s{i}" for i in range(n)],
        first=first,
        second=second,
        outcome=outcome,
        voter=None if voters is None else rng.integers(voters, size=size),
        prompt=None if prompts is None else rng.integers(prompts, size=size),
    )
    return ballots, theta, parameter


def brute_force(name, ballots):
    """Minimise the negative log-likelihood written out, with a general optimiser; no code is shared."""
    total = tally(compare(ballots, both_bad="grounded" if name == "grounded" else "tie"))
    n, weight = total.n_items, np.zeros((4, total.first.size))
    weight[: total.weight.shape[0]] = total.weight
    floor = {"davidson": 0.0, "rao-kupper": 1.0, "tobt": 0.0, "grounded": 1.0}[name]

    def loss(x):
        theta = x[:n] - (0.0 if name == "grounded" else x[:n].mean())
        p = chances(name, theta[total.first], theta[total.second], floor + math.exp(x[n]))
        return -np.sum(weight * np.log(np.maximum(p, 1e-300))) + (
            0.0 if name == "grounded" else x[:n].mean() ** 2
        )

    found = minimize(loss, np.zeros(n + 1), method="BFGS", options={"gtol": 1e-6, "maxiter": 2000})
    return found.x[:n], floor + math.exp(found.x[n])


@pytest.mark.parametrize("name", MODELS)
def test_the_estimate_is_that_of_a_general_optimiser(name, rng):
    ballots, _, _ = tied_board(rng, name, n=5, size=800)
    theta, parameter = brute_force(name, ballots)
    ranking = model_of(name).fit(ballots)
    ours = np.array([ranking[item].score for item in ballots.items])
    assert (ours - 1000) / SCALE == pytest.approx(theta - theta.mean(), abs=2e-5)
    assert ranking.diagnostics["tie_parameter"]["estimate"] == pytest.approx(parameter, rel=1e-4)
    if name == "grounded":
        ground = (ranking.diagnostics["ground"]["score"] - 1000) / SCALE
        assert ground == pytest.approx(-theta.mean(), abs=2e-5)


def test_davidson_is_evalicas_newman_with_nu_twice_its_v(rng):
    ballots, _, _ = tied_board(rng, "davidson", n=12, size=20_000)
    codes = [evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw]
    item, rank = ballots.slot_item, ballots.slot_rank
    outcome = np.where(rank[0::2] < rank[1::2], 0, np.where(rank[0::2] > rank[1::2], 1, 2))
    theirs = evalica.newman(
        item[0::2].tolist(),
        item[1::2].tolist(),
        [codes[o] for o in outcome],
        tolerance=1e-12,
        limit=100_000,
    )
    strength = np.log(theirs.scores.sort_index().to_numpy())
    ranking = BradleyTerry(ties="davidson").fit(ballots)
    ours = np.array([ranking[name].score for name in ballots.items])
    assert (ours - 1000) / SCALE == pytest.approx(strength - strength.mean(), abs=1e-7)
    assert ranking.diagnostics["tie_parameter"]["estimate"] == pytest.approx(2 * theirs.v, rel=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_planted_parameters_are_recovered(name, rng):
    ballots, theta, parameter = tied_board(rng, name, n=10, size=60_000)
    ranking = model_of(name).fit(ballots, interval=Sandwich())
    ours = np.array([ranking[item].score for item in ballots.items])
    assert np.abs((ours - 1000) / SCALE - (theta - theta.mean())).max() < 0.08
    tie = ranking.diagnostics["tie_parameter"]
    assert tie["estimate"] == pytest.approx(parameter, rel=0.05)
    assert tie["low"] < tie["estimate"] < tie["high"]
    if name == "grounded":
        assert ranking.diagnostics["ground"]["score"] == pytest.approx(1000 - SCALE * theta.mean(), abs=12)


@pytest.mark.parametrize("name", MODELS)
def test_derivatives_are_those_of_finite_differences(name, rng):
    model, step = LIKELIHOODS[name], 1e-5
    a, b, beta = rng.normal(0, 1.5, 7), rng.normal(0, 1.5, 7), 0.3
    weight = rng.gamma(1.0, size=(4 if name == "grounded" else 3, 7))

    def value(da=0.0, db=0.0, dt=0.0):
        return model.log_likelihood(a + da, b + db, beta + dt, weight)

    slopes, bend = model.slopes(a, b, beta), model.information(a, b, beta, weight)
    moves = [{"da": step}, {"db": step}, {"dt": step}]
    for move, rows in zip(moves, slopes, strict=True):
        back = {key: -x for key, x in move.items()}
        assert (value(**move) - value(**back)) / (2 * step) == pytest.approx((weight * rows).sum(), abs=1e-6)

    def slope(rows, da=0.0, db=0.0, dt=0.0):
        return (weight * model.slopes(a + da, b + db, beta + dt)[rows]).sum()

    for rows, move, entry in [
        (0, {"da": step}, bend.aa),
        (1, {"db": step}, bend.bb),
        (0, {"db": step}, bend.ab),
        (0, {"dt": step}, bend.at),
        (1, {"dt": step}, bend.bt),
        (2, {"dt": step}, bend.tt),
    ]:
        back = {key: -x for key, x in move.items()}
        slopes_differ = (slope(rows, **move) - slope(rows, **back)) / (2 * step)
        assert slopes_differ == pytest.approx(-entry.sum(), abs=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_chances_and_mean_squares_are_those_of_the_printed_formulas(name, rng):
    model = LIKELIHOODS[name]
    a, b, parameter = rng.normal(0, 2, 9), rng.normal(0, 2, 9), 1.4
    beta = model.internal(parameter)
    printed = chances(name, a, b, parameter)[: 4 if name == "grounded" else 3]
    assert model.chances(a, b, beta) == pytest.approx(printed, abs=1e-12)
    # A slope's mean is 0 and its mean square the mean of the negative Hessian.
    slopes, squares = model.slopes(a, b, beta), mean_squares(model, a, b, beta)
    bend = model.information(a, b, beta, printed)
    for rows, square, curvature in zip(slopes, squares, (bend.aa, bend.bb, bend.tt), strict=True):
        assert (printed * rows).sum(axis=0) == pytest.approx(np.zeros(9), abs=1e-12)
        assert square == pytest.approx(curvature, abs=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_internal_and_published_parameter_are_inverse(name):
    model = LIKELIHOODS[name]
    assert model.published(model.internal(1.4)) == pytest.approx(1.4)


@pytest.mark.parametrize("cluster", ["ballot", "voter", "prompt"])
@pytest.mark.parametrize("name", MODELS)
def test_the_sandwich_is_that_of_the_written_out_likelihood(name, cluster, rng):
    """Scores, information and Hessian by finite differences, one row a ballot."""
    ballots, _, _ = tied_board(rng, name, n=4, size=300, voters=30, prompts=20)
    ranking = model_of(name).fit(ballots, interval=Sandwich(cluster=cluster))
    theta, parameter = brute_force(name, ballots)
    n, x = 4, np.append(theta, parameter)
    item = ballots.slot_item
    rank = ballots.slot_rank
    outcome = np.where(rank[0::2] < rank[1::2], 0, np.where(rank[0::2] > rank[1::2], 1, 2))
    if name == "grounded":
        outcome[ballots.all_bad] = 3

    def all_logs(x):
        return np.log(chances(name, x[item[0::2]], x[item[1::2]], x[n])[: 4 if name == "grounded" else 3])

    def logs(x):
        return all_logs(x)[outcome, np.arange(outcome.size)]

    step = 1e-4
    units = np.eye(n + 1) * step
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
    codes = {"ballot": np.arange(300), "voter": ballots.voter, "prompt": ballots.prompt}[cluster]
    slopes = [(all_logs(x + u) - all_logs(x - u)) / (2 * step) for u in units]
    information = np.stack([(np.exp(all_logs(x)) * slope**2).sum(axis=0) for slope in slopes], axis=1)
    found = clustered(inverse, scores, information, codes)
    centre = np.zeros((n + 1, n + 1))
    centre[:n, :n], centre[n, n] = np.eye(n) - 1 / n, 1
    width = Clustered(centre @ found.covariance @ centre, found.freedom).width()
    ours = np.array([ranking[i].high - ranking[i].low for i in ballots.items]) / 2
    assert ours == pytest.approx(SCALE * width[:n], rel=2e-3)
    assert ranking.covariance.freedom == pytest.approx(found.freedom[:n], rel=1e-3)
    tie = ranking.diagnostics["tie_parameter"]
    assert tie["high"] - tie["low"] == pytest.approx(2 * width[n], rel=0.1)  # symmetric in the logarithm
    if name == "grounded":
        counts = np.unique(codes, return_counts=True)[1]
        shared = 1 / np.square(counts / counts.sum()).sum() - 1
        variance = found.covariance[:n, :n].mean()
        ground = ranking.diagnostics["ground"]
        expected = 2 * SCALE * t.ppf(0.975, shared) * math.sqrt(variance)
        assert ground["high"] - ground["low"] == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("name", MODELS)
def test_bootstrap_and_sandwich_agree(name, rng):
    ballots, _, _ = tied_board(rng, name, size=3000, voters=150)
    exact = model_of(name).fit(ballots, interval=Sandwich(cluster="voter"))
    drawn = model_of(name).fit(ballots, interval=Bootstrap(cluster="voter", replicates=250), rng=rng)
    for item in ballots.items:
        ratio = (drawn[item].high - drawn[item].low) / (exact[item].high - exact[item].low)
        assert 0.8 < ratio < 1.2
    for key in ["tie_parameter", "ground"] if name == "grounded" else ["tie_parameter"]:
        widths = [found.diagnostics[key]["high"] - found.diagnostics[key]["low"] for found in (drawn, exact)]
        assert 0.8 < widths[0] / widths[1] < 1.2


def test_half_ties_draw_scores_together_and_davidson_does_not(rng):
    ballots, theta, _ = tied_board(rng, "davidson", n=10, size=60_000, parameter=1.0, spread=1.0)
    centred = theta - theta.mean()

    def slope(ties):
        scores = scores_of(BradleyTerry(ties=ties).fit(ballots))
        ours = np.array([scores[i] - 1000 for i in ballots.items]) / SCALE
        return float(ours @ centred / (centred @ centred))

    assert slope("half") < 0.85
    assert slope("davidson") == pytest.approx(1.0, abs=0.03)
    assert slope("ignore") == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("name", ["davidson", "rao-kupper", "tobt", "half", "ignore"])
def test_without_ties_every_model_is_bradley_terry(name, rng):
    ballots = sampled_board(rng, n=6, size=500, ties=0.0)
    plain = BradleyTerry().fit(ballots, interval=Sandwich())
    found = model_of(name).fit(ballots, interval=Sandwich())
    for item in ballots.items:
        assert found[item].score == pytest.approx(plain[item].score, abs=1e-6)
        assert found[item].high == pytest.approx(plain[item].high, abs=1e-6)
    if name == "davidson":
        assert found.diagnostics["tie_parameter"]["estimate"] == 0.0


def test_ignored_ties_are_the_board_without_them(rng):
    rows = [("x", "y", "a", 6), ("y", "z", "a", 5), ("z", "x", "a", 2), ("y", "x", "a", 3)]
    found = BradleyTerry(ties="ignore").fit(
        board_of(*rows, ("z", "y", "tie", 9), ("x", "w", "tie", 2)), interval=Sandwich()
    )
    plain = BradleyTerry().fit(board_of(*rows, items=["x", "y", "z", "w"]), interval=Sandwich())
    assert found["w"].score is None
    assert scores_of(found) == pytest.approx(scores_of(plain), abs=1e-9)
    assert found["x"].high == pytest.approx(plain["x"].high)
    assert found.diagnostics["dropped"]["only_ties"] == 11
    assert found["y"].ties == 0


def test_a_kwise_ballot_keeps_its_decided_pairs_when_ties_are_ignored():
    kwise = Ballots.from_rankings([[("x", 1), ("y", 1), ("z", 2)], [("z", 1), ("x", 2), ("y", 3)]] * 3)
    found = BradleyTerry(ties="ignore").fit(kwise, interval=Sandwich())
    assert found.diagnostics["n_comparisons"] == 15
    assert found.diagnostics["n_ballots"] == 6
    assert (found["x"].n, found["x"].ties) == (6, 0)


@pytest.mark.parametrize("name", MODELS)
def test_all_ties_are_all_equal_and_finite(name):
    rows = [("x", "y", "tie", 5), ("y", "z", "tie", 5)]
    ranking = model_of(name).fit(board_of(*rows), interval=Sandwich())
    assert [r.score for r in ranking.ratings] == pytest.approx([1000.0] * 3, abs=1e-4)
    assert ranking.diagnostics["phantom_pairs"] == 2
    assert math.isfinite(ranking.diagnostics["tie_parameter"]["estimate"])
    json.dumps(ranking.as_dict(), allow_nan=False)


@pytest.mark.parametrize("name", MODELS)
def test_a_winner_of_all_is_finite_flagged_and_open_above(name, rng):
    rows = [
        ("x", "y", "a", 6),
        ("y", "z", "a", 5),
        ("z", "x", "a", 2),
        ("y", "x", "a", 3),
        ("z", "y", "tie", 2),
    ]
    bad = [("x", "y", "both_bad", 2), ("z", "y", "both_bad", 3)] if name == "grounded" else []
    ranking = model_of(name).fit(board_of(*rows, *bad, ("top", "x", "a", 4)), interval=Sandwich())
    top = ranking.ratings[0]
    assert (top.item, top.separated, top.high) == ("top", True, math.inf)
    assert math.isfinite(top.low)
    assert not any(ranking[i].separated for i in "xyz")


def test_a_system_that_was_only_bad_has_no_floor():
    rows = [("x", "y", "a", 6), ("y", "x", "a", 5), ("y", "x", "tie", 2), ("x", "y", "both_bad", 2)]
    ranking = model_of("grounded").fit(board_of(*rows, ("x", "poor", "both_bad", 9)), interval=Sandwich())
    assert (ranking["poor"].separated, ranking["poor"].low) == (True, -math.inf)
    assert ranking["poor"].score < min(ranking["x"].score, ranking["y"].score)
    assert ranking.diagnostics["ground"]["score"] is not None


def test_without_a_bad_ballot_the_ground_is_out_of_sight(rng):
    ballots, _, _ = tied_board(rng, "rao-kupper", size=600)
    grounded, plain = model_of("grounded").fit(ballots), model_of("rao-kupper").fit(ballots)
    assert grounded.diagnostics["ground"] is None
    assert scores_of(grounded) == pytest.approx(scores_of(plain), abs=1e-6)


def test_tobt_is_rao_kupper_with_its_own_parameter(rng):
    ballots, _, _ = tied_board(rng, "tobt", size=1000)
    tobt, other = model_of("tobt").fit(ballots), model_of("rao-kupper").fit(ballots)
    assert scores_of(tobt) == pytest.approx(scores_of(other), abs=1e-6)
    alpha = tobt.diagnostics["tie_parameter"]["estimate"]
    assert math.exp(alpha) == pytest.approx(other.diagnostics["tie_parameter"]["estimate"])


def test_tobt_with_a_given_threshold_keeps_it(rng):
    ballots, _, _ = tied_board(rng, "tobt", size=1000)
    fitted = model_of("tobt").fit(ballots)
    alpha = fitted.diagnostics["tie_parameter"]["estimate"]
    given_fit = model_of("tobt", tie_threshold=alpha).fit(ballots, interval=Sandwich())
    assert scores_of(given_fit) == pytest.approx(scores_of(fitted), abs=1e-4)
    other = model_of("tobt", tie_threshold=0.5).fit(ballots, interval=Sandwich())
    assert other.diagnostics["tie_parameter"]["estimate"] == pytest.approx(0.5)
    assert other.diagnostics["tie_parameter"]["low"] is None


@pytest.mark.parametrize("ties", ["half", "davidson", "tobt", "ignore"])
def test_grounded_with_another_model_of_ties_is_a_named_error(ties):
    with pytest.raises(IncompatibleTies):
        BradleyTerry(ties=ties, both_bad="grounded")


def test_a_threshold_of_another_model_or_sign_is_refused():
    with pytest.raises(IncompatibleTies):
        BradleyTerry(ties="davidson", tie_threshold=0.5)
    with pytest.raises(InvalidSetting):
        BradleyTerry(ties="tobt", tie_threshold=0.0)


@pytest.mark.parametrize("name", MODELS)
def test_a_board_reaches_it_by_plain_settings(name, rng):
    ballots, _, _ = tied_board(rng, name, size=500, voters=40)
    chosen = {"ties": "rao-kupper", "both_bad": "grounded"} if name == "grounded" else {"ties": name}
    asked = {"model": "bradley-terry", **chosen, "cluster": "voter"}
    found = fit_from_settings(asked, ballots)
    assert found.ratings == model_of(name).fit(ballots, interval=Sandwich(cluster="voter")).ratings
    json.dumps(found.as_dict(), allow_nan=False)


def test_islands_have_tie_parameters_of_their_own(rng):
    rows = [("x", "y", "a", 6), ("y", "x", "a", 5), ("x", "y", "tie", 2)]
    island = [("p", "q", "a", 6), ("q", "p", "a", 6), ("p", "q", "tie", 30)]
    both = BradleyTerry(ties="davidson").fit(board_of(*rows, *island), interval=Sandwich())
    alone = BradleyTerry(ties="davidson").fit(board_of(*rows), interval=Sandwich())
    found = {tuple(c["items"]): c["tie_parameter"]["estimate"] for c in both.diagnostics["components"]}
    assert found[("p", "q")] > 2 > found[("x", "y")]
    assert both["x"].score == pytest.approx(alone["x"].score, abs=1e-6)
    assert both["x"].high == pytest.approx(alone["x"].high, abs=1e-6)


def existence_by_enumeration(n, first, second, weight):
    """True if no strengths on a fine grid keep winners 1 ahead and ties within 1: small integers suffice."""
    for gaps in itertools.product(range(-n, n + 1), repeat=n - 1):
        theta = np.array([0, *gaps])
        gap = theta[first] - theta[second]
        fits = (
            (gap[weight[0] > 0] >= 1).all()
            and (gap[weight[1] > 0] <= -1).all()
            and (np.abs(gap[weight[2] > 0]) <= 1).all()
        )
        if fits:
            return False
    return True


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(0, 2)), min_size=1, max_size=8))
def test_the_tie_parameter_is_finite_exactly_where_a_chain_bounds_it(battles):
    ties = [(i, 1, 2) for i in range(4)]  # hangs together
    total = tally(
        compare(
            Ballots.from_pairs(
                [ITEMS[i] for i, _, _ in battles + ties],
                [ITEMS[(i + step) % 4] for i, step, _ in battles + ties],
                [("a", "b", "tie")[o] for _, _, o in battles + ties],
                items=ITEMS[:4],
            )
        )
    )
    wanted = existence_by_enumeration(4, total.first, total.second, total.weight)
    assert tie_is_finite(4, total.first, total.second, total.weight) == wanted


@pytest.mark.parametrize("ties", ["davidson", "rao-kupper"])
@settings(max_examples=30, deadline=None)
@given(BATTLES, st.permutations(range(N)))
def test_names_do_not_matter(ties, battles, order):
    plain = BradleyTerry(ties=ties).fit(board(battles))
    renamed = BradleyTerry(ties=ties).fit(board(battles, names=tuple(ITEMS[i] for i in order)))
    for i in range(N):
        left, right = plain[ITEMS[i]], renamed[ITEMS[order[i]]]
        assert left.score == pytest.approx(right.score, abs=1e-4)


@pytest.mark.parametrize("ties", ["davidson", "rao-kupper"])
@settings(max_examples=30, deadline=None)
@given(BATTLES)
def test_reversed_outcomes_mirror_the_board(ties, battles):
    plain = BradleyTerry(ties=ties).fit(board(battles))
    mirrored = BradleyTerry(ties=ties).fit(board([(i, step, (1, 0, 2)[o]) for i, step, o in battles]))
    for item in ITEMS:
        left, right = plain[item].score, mirrored[item].score
        assert left is None or left - 1000.0 == pytest.approx(1000.0 - right, abs=1e-4)


@pytest.mark.parametrize("ties", ["davidson", "rao-kupper"])
@settings(max_examples=30, deadline=None)
@given(BATTLES, st.integers(0, N - 1), st.integers(1, N - 1))
def test_one_more_win_never_lowers_the_winner_against_the_loser(ties, battles, winner, step):
    model = BradleyTerry(ties=ties)
    before = scores_of(model.fit(board(RING + battles)))
    after = scores_of(model.fit(board([*RING, *battles, (winner, step, 0)])))
    best, worst = ITEMS[winner], ITEMS[(winner + step) % N]
    assert after[best] - after[worst] > before[best] - before[worst] - 1e-6


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, N - 1), st.integers(1, N - 1), st.integers(0, 3)), min_size=2, max_size=25
    )
)
def test_any_board_gives_finite_scores_and_ordered_bounds(name, battles):
    ballots = Ballots.from_pairs(
        [ITEMS[i] for i, _, _ in battles],
        [ITEMS[(i + step) % N] for i, step, _ in battles],
        [("a", "b", "tie", "both_bad")[o] for _, _, o in battles],
        items=ITEMS,
    )
    for rating in model_of(name).fit(ballots, interval=Sandwich()).ratings:
        if rating.score is None:
            assert rating.n == 0
            continue
        assert np.isfinite(rating.score)
        assert rating.low <= rating.score <= rating.high

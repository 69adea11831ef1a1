import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from arena.ranking.ballots import Ballots
from arena.ranking.errors import (
    DuplicateItem,
    IncompatibleTies,
    InvalidItem,
    InvalidRank,
    InvalidSetting,
    InvalidWeight,
    LengthMismatch,
    MissingRandomness,
)
from arena.ranking.intervals import Bootstrap, Sandwich
from arena.ranking.online.gaussian_skill import GaussianSkill, SkillState, drawn, won
from tests.ranking.boards import board_of, scores_of

UPDATES = ("adjacent", "pairwise-sum", "weng-lin-bt", "weng-lin-tm", "weng-lin-pl")
STABLE = ("adjacent", "weng-lin-bt", "weng-lin-pl")
BALLOT = st.permutations(range(5)).flatmap(
    lambda order: st.tuples(
        st.just(order[:4]), st.lists(st.sampled_from([-1, 1, 2, 3, 7]), min_size=4, max_size=4)
    )
)
STATE = st.lists(st.tuples(st.floats(0.0, 50.0), st.floats(0.2, 10.0)), min_size=5, max_size=5)


def state_of(pairs):
    mu, sigma = zip(*pairs, strict=True)
    return SkillState(np.array(mu), np.array(sigma))


def kwise_board(rng, *, n, size, k, scale=1.0):
    """Rankings by Gumbel noise around evenly spaced strengths, the first item best."""
    strength = -scale * np.arange(n)
    items = np.argsort(rng.random((size, n)), axis=1)[:, :k]
    performance = strength[items] + rng.gumbel(size=(size, k))
    ranks = np.argsort(np.argsort(-performance, axis=1), axis=1) + 1
    return Ballots.from_columns(
        items=[f"s{i:02d}" for i in range(n)],
        offsets=np.arange(0, size * k + 1, k),
        slot_item=items.ravel(),
        slot_rank=ranks.ravel(),
    )


def posterior_moments(mu, sigma, beta, likelihood):
    """Mean and sd of the first skill by quadrature; `likelihood` of that skill minus the second's mean."""
    other = math.sqrt(2 * beta**2 + sigma[1] ** 2)

    def moment(power):
        def density(skill):
            return skill**power * norm.pdf(skill, mu[0], sigma[0]) * likelihood((skill - mu[1]), other)

        return quad(density, mu[0] - 12 * sigma[0], mu[0] + 12 * sigma[0], epsabs=1e-13, limit=200)[0]

    mean = moment(1) / moment(0)
    return mean, math.sqrt(moment(2) / moment(0) - mean**2)


@pytest.mark.parametrize("update", ["adjacent", "pairwise-sum"])
def test_a_first_win_moves_as_worked_out_by_hand(update):
    """Eq. 4-8 from the prior: c^2 = 2 (25/6)^2 + 2 (25/3)^2 = 173.61, V(0) = sqrt(2/pi), W(0) = 2/pi."""
    model = GaussianSkill(update=update)
    state = model.step(model.start(2), [0, 1], [1, 2])
    variance, c = (25 / 3) ** 2, math.sqrt(173.611111111111111)
    gain = variance / c * math.sqrt(2 / math.pi)
    assert state.mu == pytest.approx([25 + gain, 25 - gain])
    assert gain == pytest.approx(4.2052, abs=1e-4)
    assert state.sigma**2 == pytest.approx([variance * (1 - 0.4 * 2 / math.pi)] * 2)


@pytest.mark.parametrize("update", ["adjacent", "pairwise-sum"])
@pytest.mark.parametrize(
    ("mu", "sigma"), [((25.0, 25.0), (8.0, 3.0)), ((20.0, 31.0), (2.0, 7.0)), ((40.0, 12.0), (5.0, 1.0))]
)
def test_a_win_between_two_gives_the_exact_posterior_moments(update, mu, sigma):
    model = GaussianSkill(update=update)
    state = model.step(SkillState(np.array(mu), np.array(sigma)), [0, 1], [1, 2])
    mean, sd = posterior_moments(mu, sigma, model.beta, lambda gap, scale: norm.cdf(gap / scale))
    assert (state.mu[0], state.sigma[0]) == pytest.approx((mean, sd), rel=1e-7)
    flipped = posterior_moments(mu[::-1], sigma[::-1], model.beta, lambda gap, s: norm.cdf(-gap / s))
    assert (state.mu[1], state.sigma[1]) == pytest.approx(flipped, rel=1e-7)


@pytest.mark.parametrize(("mu", "sigma"), [((25.0, 25.0), (8.0, 3.0)), ((20.0, 31.0), (2.0, 7.0))])
@pytest.mark.parametrize("margin", [0.5, 4.0])
def test_a_draw_inside_a_margin_gives_the_exact_posterior_moments(mu, sigma, margin):
    model = GaussianSkill(draw_margin=margin)
    state = model.step(SkillState(np.array(mu), np.array(sigma)), [0, 1], [1, 1])

    def both(gap, scale):
        return norm.cdf((gap + margin) / scale) - norm.cdf((gap - margin) / scale)

    assert (state.mu[0], state.sigma[0]) == pytest.approx(
        posterior_moments(mu, sigma, model.beta, both), rel=1e-6
    )


@pytest.mark.parametrize("x", [-200.0, -45.0, -20.001, -19.999, -3.0, 0.0, 2.0, 30.0, 200.0])
def test_the_truncated_normal_is_stable_in_both_tails(x):
    v, w = won(x)
    # Mills' ratio lies between x / (1 + x^2) and 1 / x, so V does between -x and -x - 1 / x.
    assert -x <= v
    assert x >= 0 or v <= -x - 1 / x
    assert 0.0 <= w <= 1.0
    if abs(x) < 30:
        ratio = math.exp(norm.logpdf(x) - norm.logcdf(x))
        assert v == pytest.approx(ratio, rel=1e-9)
        assert w == pytest.approx(ratio * (ratio + x), abs=1e-9)


def test_a_draw_against_all_odds_pulls_the_two_together():
    push, bend = drawn(300.0, 0.01)
    assert push == pytest.approx(-300.0, rel=1e-3)
    assert 0.99 < bend <= 1.0
    assert drawn(0.0, 0.5).push == 0.0


# Steps from the default prior, ranks 1 to k, published with openskill.py (its own tests, gamma = sigma / c;
# its Thurstone-Mosteller has a draw margin of 0.0001).
PUBLISHED = [
    ("weng-lin-bt", [1, 2], [27.63523138347365, 22.36476861652635], [8.065506316323548] * 2),
    ("weng-lin-bt", [1, 2, 3], [30.2704627669473, 25.0, 19.7295372330527], [7.788474807872566] * 3),
    ("weng-lin-tm", [1, 2], [29.205246334857588, 20.794753665142412], [7.632833420130952] * 2),
    (
        "weng-lin-tm",
        [1, 2, 3, 4, 5],
        [41.82098533943035, 33.410492669715175, 25.0, 16.589507330284825, 8.17901466056965],
        [4.970638866839803] * 5,
    ),
    (
        "weng-lin-pl",
        [1, 2, 3],
        [27.868876552746237, 25.717219138186557, 21.413904309067206],
        [8.204837030780652, 8.057829747583874, 8.057829747583874],
    ),
    (
        "weng-lin-pl",
        [1, 2, 3, 4],
        [27.795084971874736, 26.552824984374855, 24.68943500312503, 20.96265504062538],
        [8.263160757613477, 8.179213704945203, 8.083731307186588, 8.083731307186588],
    ),
]


@pytest.mark.parametrize(("update", "ranks", "mu", "sigma"), PUBLISHED)
def test_weng_lin_steps_match_published_figures(update, ranks, mu, sigma):
    model = GaussianSkill(update=update, draw_margin=1e-4 if update == "weng-lin-tm" else 0.0)
    state = model.step(model.start(len(ranks)), list(range(len(ranks))), ranks)
    assert state.mu == pytest.approx(mu, abs=1e-7)
    assert state.sigma == pytest.approx(sigma, abs=1e-7)


def log_likelihood(update, mu, c, ranks):
    """Of one ballot at performances mu; ties as each model reads them, c held fixed."""
    size, total = len(ranks), 0.0
    for q in range(size):
        if update == "weng-lin-pl":
            stage = [mu[k] / c for k in range(size) if ranks[k] >= ranks[q]]
            total += (mu[q] / c - np.logaddexp.reduce(stage)) / ranks.count(ranks[q])
            continue
        for k in range(q + 1, size):
            win, lose = (
                -np.logaddexp(0, -(mu[q] - mu[k]) / c[q, k]),
                -np.logaddexp(0, (mu[q] - mu[k]) / c[q, k]),
            )
            share = 0.5 if ranks[q] == ranks[k] else float(ranks[q] < ranks[k])
            total += share * win + (1 - share) * lose
    return total


@pytest.mark.parametrize("update", ["weng-lin-bt", "weng-lin-pl"])
@pytest.mark.parametrize("ranks", [[1, 2, 3, 4], [2, 1, 2, 3], [1, 1, 1, 1]])
def test_weng_lin_steps_are_slopes_of_the_log_likelihood(update, ranks):
    """mu moves by sigma^2 times the first derivative; sigma^2 loses sigma^4 gamma times minus the second."""
    mu, variance = np.array([25.0, 31.0, 18.0, 26.5]), np.array([60.0, 9.0, 30.0, 2.0])
    model = GaussianSkill(update=update)
    state = model.step(SkillState(mu, np.sqrt(variance)), range(4), ranks)
    pairs = np.sqrt(variance[:, None] + variance + 2 * model.beta**2)
    c = math.sqrt(variance.sum() + 4 * model.beta**2) if update == "weng-lin-pl" else pairs
    for i in range(4):
        if update == "weng-lin-bt":
            # Each pair has a gamma of its own, so the pairs are held apart.
            parts = [([i, k], pairs[i, k]) for k in range(4) if k != i]
        else:
            parts = [(list(range(4)), c)]
        first, shrink, h = 0.0, 0.0, 1e-3
        for members, scale in parts:
            place = members.index(i)
            fixed = np.full((2, 2), scale) if update == "weng-lin-bt" else scale
            of = [ranks[k] for k in members]
            value = []
            for shift in (-h, 0.0, h):
                moved = mu[members].copy()
                moved[place] += shift
                value.append(log_likelihood(update, moved, fixed, of))
            first += (value[2] - value[0]) / (2 * h)
            second = (value[2] - 2 * value[1] + value[0]) / h**2
            shrink -= second * variance[i] * math.sqrt(variance[i]) / scale
        assert state.mu[i] - mu[i] == pytest.approx(variance[i] * first, abs=1e-5)
        assert 1 - state.sigma[i] ** 2 / variance[i] == pytest.approx(shrink, abs=1e-5)


@given(STATE, st.sampled_from([(1, 2), (2, 1), (1, 1)]))
def test_adjacent_and_pairwise_sum_agree_on_two(pairs, ranks):
    states = [GaussianSkill(update=u).step(state_of(pairs), [3, 1], ranks) for u in UPDATES[:2]]
    assert states[0].mu == pytest.approx(states[1].mu)
    assert states[0].sigma == pytest.approx(states[1].sigma)


def test_adjacent_uses_neighbours_only():
    """The middle of three equals wins once and loses once; the outer two have one neighbour each."""
    model = GaussianSkill()
    state = model.step(model.start(3), [0, 1, 2], [1, 2, 3])
    two = model.step(model.start(2), [0, 1], [1, 2])
    assert state.mu == pytest.approx([two.mu[0], 25.0, two.mu[1]])
    assert state.sigma[0] == pytest.approx(two.sigma[0])
    lost = 1 - (two.sigma[0] / model.sigma0) ** 2
    assert 1 - (state.sigma[1] / model.sigma0) ** 2 == pytest.approx(2 * lost)


def test_adjacent_ties_are_the_mean_over_the_orders_of_the_tied():
    start = SkillState(np.array([25.0, 30.0, 22.0, 27.0]), np.array([8.0, 5.0, 3.0, 6.0]))
    tied = GaussianSkill().step(start, [0, 1, 2, 3], [1, 2, 2, 3])
    # 0 meets 1 or 2 with equal chance, as does 3; 1 and 2 tie side by side in both orders.
    lift, shrink = np.zeros(4), np.zeros(4)
    for pair, ranks, share in [
        ((0, 1), (1, 2), 0.5),
        ((0, 2), (1, 2), 0.5),
        ((1, 2), (1, 1), 1.0),
        ((1, 3), (1, 2), 0.5),
        ((2, 3), (1, 2), 0.5),
    ]:
        alone = GaussianSkill().step(start, pair, ranks)
        lift += share * (alone.mu - start.mu)
        shrink += share * (1 - (alone.sigma / start.sigma) ** 2)
    assert tied.mu == pytest.approx(start.mu + lift)
    assert tied.sigma**2 == pytest.approx(start.sigma**2 * (1 - shrink))


@settings(max_examples=60, deadline=None)
@given(STATE, BALLOT, st.sampled_from(UPDATES), st.permutations(range(5)), st.permutations(range(4)))
def test_neither_names_nor_slots_matter(pairs, ballot, update, names, slots):
    model, (items, ranks) = GaussianSkill(update=update), ballot
    plain = model.step(state_of(pairs), items, ranks)
    back = [names.index(i) for i in range(5)]
    renamed = model.step(
        state_of([pairs[name] for name in names]), [back[items[s]] for s in slots], [ranks[s] for s in slots]
    )
    assert renamed.mu == pytest.approx(plain.mu[names], abs=1e-8)
    assert renamed.sigma == pytest.approx(plain.sigma[names], abs=1e-8)


@settings(max_examples=60, deadline=None)
@given(STATE, st.lists(BALLOT, max_size=8), st.sampled_from(UPDATES), st.floats(0.0, 2.0))
def test_sigma_never_grows_and_stays_above_the_floor(pairs, ballots, update, weight):
    model, state = GaussianSkill(update=update, variance_floor=0.01), state_of(pairs)
    for items, ranks in ballots:
        after = model.step(state, items, ranks, weight=weight)
        assert (after.sigma <= state.sigma).all()
        assert (after.sigma >= 0.1 * state.sigma * (1 - 1e-12)).all()
        assert np.isfinite(after.mu).all()
        state = after


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("margin", [0.0, 1.0])
def test_ties_are_symmetric_and_draw_the_two_together(update, margin):
    if margin and update not in ("adjacent", "pairwise-sum", "weng-lin-tm"):
        return
    model = GaussianSkill(update=update, draw_margin=margin)
    even = model.step(model.start(2), [0, 1], [1, 1])
    assert even.mu == pytest.approx([25.0, 25.0])
    assert even.sigma[0] == pytest.approx(even.sigma[1])
    apart = model.step(SkillState(np.array([30.0, 20.0]), np.array([4.0, 4.0])), [0, 1], [1, 1])
    assert apart.mu[0] < 30.0
    assert apart.mu[1] - 20.0 == pytest.approx(30.0 - apart.mu[0])


@pytest.mark.parametrize("update", ["adjacent", "pairwise-sum", "weng-lin-bt", "weng-lin-tm"])
def test_a_tie_is_half_a_win_and_half_a_loss(update):
    model, start = GaussianSkill(update=update), SkillState(np.array([30.0, 21.0]), np.array([6.0, 3.0]))
    win, loss, tie = (model.step(start, [0, 1], ranks) for ranks in ([1, 2], [2, 1], [1, 1]))
    assert tie.mu == pytest.approx((win.mu + loss.mu) / 2)
    assert tie.sigma**2 == pytest.approx((win.sigma**2 + loss.sigma**2) / 2)


def test_the_floor_is_counted_where_the_sum_would_turn_a_variance_negative():
    """0.4 W(0) = 0.2546 of the variance goes per opponent of equal standing: 1.273 with five of them."""
    model = GaussianSkill(update="pairwise-sum", variance_floor=0.01)
    state = model.step(model.start(6), range(6), [1, 2, 3, 4, 5, 6])
    assert state.floored == 6
    assert state.sigma == pytest.approx([model.sigma0 * 0.1] * 6)
    ballots = Ballots.from_rankings([[(name, k + 1) for k, name in enumerate("abcdef")]])
    assert GaussianSkill(update="pairwise-sum", permutations=0).fit(ballots).diagnostics["floored"] == 6
    four = model.step(model.start(4), range(4), [1, 2, 3, 4])
    assert four.floored == 0
    assert four.sigma**2 == pytest.approx([model.sigma0**2 * (1 - 3 * 0.4 * 2 / math.pi)] * 4)


@pytest.mark.parametrize("update", STABLE)
@pytest.mark.parametrize("k", [2, 4])
def test_planted_order_is_found(update, k):
    ballots = kwise_board(np.random.default_rng(7), n=6, size=1200, k=k)
    ranking = GaussianSkill(update=update, permutations=2).fit(ballots, rng=np.random.default_rng(1))
    assert [rating.item for rating in ranking.ratings] == list(ballots.items)


def test_a_board_is_the_replayed_ballots(rng):
    ballots = kwise_board(rng, n=5, size=40, k=3)
    model = GaussianSkill(permutations=0)
    state = model.start(5)
    for b in range(len(ballots)):
        slots = slice(3 * b, 3 * b + 3)
        state = model.step(state, ballots.slot_item[slots].tolist(), ballots.slot_rank[slots].tolist())
    ranking = model.fit(ballots)
    assert model.replay(ballots).mu == pytest.approx(state.mu)
    for i, item in enumerate(ballots.items):
        assert ranking[item].score == pytest.approx(model.score(state)[i])
        assert ranking[item].score == pytest.approx(state.mu[i] - 3 * state.sigma[i])
        assert ranking.diagnostics["posterior"][item] == pytest.approx(
            {"mu": state.mu[i], "sigma": state.sigma[i]}
        )
    assert ranking.settings["unit"] == "skill points (mu - 3 sigma)"
    assert ranking.diagnostics["order_sd"] is None


def test_more_orders_are_steadier_than_one(rng):
    ballots = kwise_board(rng, n=5, size=150, k=2)
    runs = [GaussianSkill(permutations=30).fit(ballots, rng=np.random.default_rng(s)) for s in range(2)]
    largest = max(abs(runs[0][i].score - runs[1][i].score) for i in ballots.items)
    assert 0 < largest < runs[0].diagnostics["order_sd"]
    again = GaussianSkill(permutations=30).fit(ballots, rng=np.random.default_rng(0))
    assert again.ratings == runs[0].ratings


def test_bounds_come_from_resampled_clusters_and_hold_differences(rng):
    ballots = kwise_board(rng, n=4, size=80, k=3)
    ranking = GaussianSkill(permutations=3).fit(ballots, interval=Bootstrap(replicates=30), rng=rng)
    assert all(r.low < r.score < r.high for r in ranking.ratings)
    assert ranking.diagnostics["clusters"] == 80
    assert ranking.difference("s00", "s03").is_separated


def test_a_ballot_called_all_bad_ties_or_is_dropped():
    ballots = board_of(("x", "y", "a"), ("x", "y", "both_bad"))
    tied = board_of(("x", "y", "a"), ("x", "y", "tie"))
    won_only = board_of(("x", "y", "a"))
    model = GaussianSkill(permutations=0)
    assert scores_of(model.fit(ballots)) == scores_of(model.fit(tied))
    assert scores_of(GaussianSkill(permutations=0, both_bad="drop").fit(ballots)) == scores_of(
        model.fit(won_only)
    )


def test_weights_scale_the_step():
    model = GaussianSkill(permutations=0)
    half = model.fit(board_of(("x", "y", "a"), weight=[0.5])).diagnostics["posterior"]["x"]
    full = model.fit(board_of(("x", "y", "a"))).diagnostics["posterior"]["x"]
    assert half["mu"] - 25.0 == pytest.approx((full["mu"] - 25.0) / 2)
    gone = board_of(("x", "y", "a"), ("x", "y", "b"), weight=[1.0, 0.0])
    assert scores_of(model.fit(gone)) == scores_of(model.fit(board_of(("x", "y", "a"))))


@pytest.mark.parametrize("update", UPDATES)
def test_the_rest_of_a_graded_ballot_steps_the_opposite_way(update):
    model, start = (
        GaussianSkill(update=update),
        SkillState(np.array([30.0, 21.0, 24.0]), np.array([6.0, 3.0, 4.0])),
    )
    there, back = (model.step(start, range(3), ranks) for ranks in ([1, 2, 3], [3, 2, 1]))
    graded = model.step(start, range(3), [1, 2, 3], share=0.75)
    assert graded.mu == pytest.approx(0.75 * there.mu + 0.25 * back.mu)
    assert graded.sigma**2 == pytest.approx(0.75 * there.sigma**2 + 0.25 * back.sigma**2)


def test_a_board_reads_the_share_of_a_graded_ballot():
    model = GaussianSkill(permutations=0)
    even = model.fit(board_of(("x", "y", "a"), share=[0.5]))
    assert scores_of(even) == pytest.approx(scores_of(model.fit(board_of(("x", "y", "tie")))))


def test_an_item_without_a_ballot_is_unrated():
    ranking = GaussianSkill(permutations=0).fit(board_of(("x", "y", "a"), items=["x", "y", "z"]))
    assert ranking["z"].score is None
    assert "z" not in ranking.diagnostics["posterior"]
    assert GaussianSkill(permutations=0).fit(board_of()).ratings == ()


def test_a_newcomer_joins_with_the_prior():
    model = GaussianSkill()
    state = model.joined(model.step(model.start(2), [0, 1], [1, 2]))
    assert state.mu.tolist()[2:] == [25.0]
    assert state.sigma[2] == model.sigma0 > state.sigma[0]


def test_a_state_is_frozen():
    model = GaussianSkill()
    state = model.start(2)
    model.step(state, [0, 1], [1, 2])
    assert state.mu.tolist() == [25.0, 25.0]
    with pytest.raises(ValueError):
        state.mu[0] = 1.0


@pytest.mark.parametrize(
    ("items", "ranks", "error"),
    [
        ([0], [1, 2], LengthMismatch),
        ([0, 3], [1, 2], InvalidItem),
        ([0, -1], [1, 2], InvalidItem),
        ([1, 1], [1, 2], DuplicateItem),
        ([0, 1], [0, 1], InvalidRank),
    ],
)
def test_an_impossible_ballot_is_refused(items, ranks, error):
    model = GaussianSkill()
    with pytest.raises(error):
        model.step(model.start(3), items, ranks)
    with pytest.raises(InvalidWeight):
        model.step(model.start(3), [0, 1], [1, 2], weight=math.nan)
    with pytest.raises(InvalidWeight):
        model.step(model.start(3), [0, 1], [1, 2], share=1.5)


@pytest.mark.parametrize(
    "values",
    [
        {"update": "elo"},
        {"mu0": math.nan},
        {"sigma0": 0.0},
        {"beta": math.inf},
        {"eta": -1.0},
        {"variance_floor": 0.0},
        {"variance_floor": 1.5},
        {"draw_margin": -1.0},
        {"permutations": -1},
        {"both_bad": "grounded"},
        {"provisional_below": -1},
    ],
)
def test_an_impossible_setting_is_refused(values):
    with pytest.raises(InvalidSetting):
        GaussianSkill(**values)


def test_what_it_needs_is_asked_for():
    ballots = board_of(("x", "y", "a", 3))
    with pytest.raises(IncompatibleTies):
        GaussianSkill(update="weng-lin-pl", draw_margin=0.5)
    with pytest.raises(MissingRandomness):
        GaussianSkill().fit(ballots)
    with pytest.raises(MissingRandomness):
        GaussianSkill(permutations=0).fit(ballots, interval=Bootstrap())
    with pytest.raises(InvalidSetting):
        GaussianSkill(permutations=0).fit(ballots, interval=Sandwich())

import itertools
import json
import math

import numpy as np
import pytest
from scipy import optimize, stats

from arena.ranking import (
    Ballots,
    Bootstrap,
    BradleyTerry,
    InvalidSetting,
    MissingRandomness,
    NotConverged,
    Sandwich,
)
from arena.ranking.result import SCALE
from arena.ranking.robustness.robust_bradley_terry import RobustBradleyTerry, fit_table
from arena.ranking.table_problem import base_of
from tests.ranking.boards import board_of, published_ballots, published_rows, sampled_board, scores_of


def planted(rng, *, n, votes, flips):
    """A round robin on an even scale, `flips` pairs with every vote turned round. Items are best first."""
    theta = np.linspace(1.2, -1.2, n)
    first, second = np.triu_indices(n, 1)
    won = rng.binomial(votes, 1 / (1 + np.exp(theta[second] - theta[first])))
    turned = rng.permutation(first.size)[:flips] if isinstance(flips, int) else np.array(flips)
    won[turned] = votes - won[turned]
    lost = np.concatenate([np.arange(votes) >= w for w in won])
    ballots = Ballots.from_pair_columns(
        items=[f"s{i:02d}" for i in range(n)],
        first=np.repeat(first, votes),
        second=np.repeat(second, votes),
        outcome=lost.astype(int),
    )
    names = {(f"s{first[p]:02d}", f"s{second[p]:02d}") for p in turned.tolist()}
    return ballots, SCALE * (theta - theta.mean()) + 1000.0, names


def errors(ranking, truth):
    return np.array([ranking[f"s{i:02d}"].score for i in range(truth.size)]) - truth


def listed(ranking):
    return {tuple(sorted((s["winner"], s["loser"]))) for s in ranking.diagnostics["suspicious"]}


def test_a_wide_threshold_is_bradley_terry(rng):
    ballots = sampled_board(rng, n=8, size=500)
    found = RobustBradleyTerry(threshold=1e3).fit(ballots)
    assert scores_of(found) == pytest.approx(scores_of(BradleyTerry().fit(ballots)), abs=1e-5)
    assert found.diagnostics["pairs_clipped"] == 0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_fit_solves_the_penalised_mean_shift_problem(seed):
    """Oracle: scores and a shift for every pair, each shift split in its two signs, by L-BFGS-B."""
    ballots, _, _ = planted(np.random.default_rng(seed), n=5, votes=30, flips=2)
    base = base_of(ballots, both_bad="tie")
    fit = fit_table(base.tables[0], base.met, threshold=1.345, dispersion=1.0)
    problem, pairs = fit.problem, fit.problem.first.size

    def loss(x):
        theta, up, down = x[:5], x[5 : 5 + pairs], x[5 + pairs :]
        logit = theta[problem.first] - theta[problem.second] + up - down
        lost = problem.total - problem.won
        value = (
            problem.won @ np.logaddexp(0, -logit) + lost @ np.logaddexp(0, logit) + fit.limit @ (up + down)
        )
        rest = problem.won - problem.total / (1 + np.exp(-logit))
        slope = np.concatenate([-problem.to_items(rest), fit.limit - rest, fit.limit + rest])
        return value, slope

    solved = optimize.minimize(
        loss,
        np.zeros(5 + 2 * pairs),
        jac=True,
        method="L-BFGS-B",
        bounds=[(None, None)] * 5 + [(0, None)] * (2 * pairs),
        options={"ftol": 0.0, "gtol": 1e-9, "maxiter": 20_000, "maxfun": 50_000},
    )
    theta = solved.x[:5] - solved.x[:5].mean()
    assert fit.theta == pytest.approx(theta, abs=1e-5)
    assert fit.shift == pytest.approx(solved.x[5 : 5 + pairs] - solved.x[5 + pairs :], abs=1e-4)
    assert np.count_nonzero(fit.shift) > 0


def test_shifted_pairs_keep_a_residual_of_the_limit():
    ballots, _, _ = planted(np.random.default_rng(5), n=6, votes=40, flips=3)
    base = base_of(ballots, both_bad="tie")
    fit = fit_table(base.tables[0], base.met, threshold=1.345, dispersion=None)
    problem = fit.problem
    logit = fit.theta[problem.first] - fit.theta[problem.second] + fit.shift
    rest = problem.won - problem.total / (1 + np.exp(-logit))
    clipped = fit.shift != 0
    assert np.abs(rest[clipped]) == pytest.approx(fit.limit[clipped])
    assert np.sign(rest[clipped]).tolist() == np.sign(fit.shift[clipped]).tolist()
    assert (np.abs(rest[~clipped]) <= fit.limit[~clipped]).all()


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_turned_pairs_break_bradley_terry_and_not_the_robust_order(seed):
    """Five of 66 pairs turned: first against last and the like, where it hurts."""
    pairs = list(itertools.combinations(range(12), 2))
    hurt = [pairs.index(pair) for pair in ((0, 11), (0, 10), (0, 9), (1, 11), (3, 10))]
    ballots, truth, names = planted(np.random.default_rng(seed), n=12, votes=60, flips=hurt)
    robust, plain = RobustBradleyTerry().fit(ballots), BradleyTerry().fit(ballots)
    assert np.abs(errors(plain, truth)).max() > 100
    assert np.abs(errors(robust, truth)).max() < 60
    assert stats.kendalltau(errors(robust, truth) + truth, truth).statistic > 0.93
    assert plain["s00"].score < plain["s02"].score
    assert robust["s00"].score > robust["s02"].score
    assert listed(robust) == names
    for row in robust.diagnostics["suspicious"]:
        assert row["winner"] > row["loser"]
        assert row["share"] > 0.6 > 0.4 > row["expected"]
        assert row["votes"] == 60
        assert row["shift"] > 0


def test_breakdown_comes_with_more_turned_pairs_than_bradley_terry_bears():
    """Mean error in Elo points while random pairs of 66 are turned: ours stays near the noise up to 10."""
    rng = np.random.default_rng(2)
    sizes = {}
    for flips in (0, 5, 10, 30):
        both = []
        for _ in range(4):
            ballots, truth, _ = planted(rng, n=12, votes=60, flips=flips)
            fits = (RobustBradleyTerry().fit(ballots), BradleyTerry().fit(ballots))
            both.append([np.sqrt((errors(fit, truth) ** 2).mean()) for fit in fits])
        sizes[flips] = np.mean(both, axis=0)
    assert sizes[0][0] < 1.2 * sizes[0][1]
    assert sizes[5][0] < 0.6 * sizes[5][1]
    assert sizes[10][0] < 0.7 * sizes[10][1]
    # Nearly half of all pairs turned: no estimator can tell which half lies.
    assert sizes[30][0] > 80


@pytest.mark.parametrize(("n", "votes"), [(8, 40), (10, 3)])
def test_clean_votes_list_no_pair(n, votes):
    rng = np.random.default_rng(11)
    alarms = 0
    for _ in range(40):
        ballots, _, _ = planted(rng, n=n, votes=votes, flips=0)
        alarms += bool(RobustBradleyTerry().fit(ballots).diagnostics["suspicious"])
    # 0.05 of 40 is 2; 8 and more come with a chance of 0.001.
    assert alarms < 8


def test_clean_scores_lie_within_the_noise_of_bradley_terry(rng):
    ballots, _, _ = planted(rng, n=8, votes=60, flips=0)
    robust = RobustBradleyTerry().fit(ballots)
    plain = BradleyTerry().fit(ballots, interval=Sandwich())
    for rating in plain.ratings:
        assert rating.low < robust[rating.item].score < rating.high


def test_one_upset_is_no_suspicion():
    """A favourite with 400 : 1 odds loses its only vote against the last: z is far out, one vote is not."""
    rows = [
        ("a", "b", "a", 40),
        ("b", "a", "a", 2),
        ("b", "c", "a", 40),
        ("c", "b", "a", 2),
        ("c", "a", "a", 1),
    ]
    assert RobustBradleyTerry(dispersion=1.0).fit(board_of(*rows)).diagnostics["suspicious"] == []


def test_differing_voters_raise_the_dispersion_and_no_alarm():
    """Every pair's chance is drawn anew around the scale: honest, and far from binomial."""
    rng = np.random.default_rng(3)
    n, votes = 10, 200
    theta = np.linspace(0.8, -0.8, n)
    first, second = np.triu_indices(n, 1)
    chance = 1 / (1 + np.exp(theta[second] - theta[first] + rng.normal(0, 0.35, first.size)))
    won = rng.binomial(votes, chance)
    rows = [
        (f"s{i}", f"s{j}", side, int(k))
        for i, j, w in zip(first, second, won, strict=True)
        for side, k in (("a", w), ("b", votes - w))
    ]
    ballots = board_of(*rows)
    estimated = RobustBradleyTerry().fit(ballots).diagnostics
    # 1 + votes p (1 - p) * 0.35^2 is near 6.
    assert 3.0 < estimated["dispersion"][0] < 12.0
    assert estimated["suspicious"] == []
    assert RobustBradleyTerry(dispersion=1.0).fit(ballots).diagnostics["suspicious"] != []


def test_p_values_are_the_binomial_tail():
    ballots, _, _ = planted(np.random.default_rng(0), n=4, votes=12, flips=1)
    base = base_of(ballots, both_bad="tie")
    fit = fit_table(base.tables[0], base.met, threshold=1.345, dispersion=1.0)
    share = fit.problem.probability(fit.theta)
    wanted = [
        min(1.0, 2 * min(stats.binom.sf(round(w) - 1, 12, p), stats.binom.cdf(round(w), 12, p)))
        for w, p in zip(fit.problem.won, share, strict=True)
    ]
    assert fit.p_values() == pytest.approx(wanted)


def test_bounds_and_components(rng):
    ballots = board_of(
        ("x", "y", "a", 9), ("y", "x", "a", 5), ("p", "q", "a", 3), items=["x", "y", "p", "q", "lone"]
    )
    found = RobustBradleyTerry().fit(ballots, interval=Bootstrap(replicates=20), rng=rng)
    assert found["lone"].score is None
    assert found["x"].low < found["x"].score < found["x"].high
    assert found["p"].score > found["q"].score
    assert found.diagnostics["phantom_pairs"] == 1
    json.dumps(found.as_dict())
    assert RobustBradleyTerry().fit(board_of(items=["x"])).diagnostics["suspicious"] == []


def test_bounds_cover_the_truth_on_clean_votes():
    rng = np.random.default_rng(8)
    inside = []
    for _ in range(8):
        ballots, truth, _ = planted(rng, n=6, votes=40, flips=0)
        found = RobustBradleyTerry().fit(ballots, interval=Bootstrap(replicates=40), rng=rng)
        inside += [found[f"s{i:02d}"].low < truth[i] < found[f"s{i:02d}"].high for i in range(6)]
    assert np.mean(inside) > 0.85


def test_too_few_steps_are_no_result(monkeypatch):
    monkeypatch.setattr("arena.ranking.robustness.robust_bradley_terry._MAX_STEPS", 0)
    ballots, _, _ = planted(np.random.default_rng(0), n=5, votes=20, flips=2)
    with pytest.raises(NotConverged):
        RobustBradleyTerry().fit(ballots)


@pytest.mark.parametrize(
    "values",
    [
        {"threshold": 0.0},
        {"threshold": math.inf},
        {"dispersion": 0.0},
        {"dispersion": "none"},
        {"level": 1.0},
        {"anchor_mean": math.nan},
        {"both_bad": "grounded"},
        {"provisional_below": -1},
    ],
)
def test_an_impossible_setting_is_refused(values):
    with pytest.raises(InvalidSetting):
        RobustBradleyTerry(**values)


def test_what_it_needs_is_asked_for():
    ballots = board_of(("x", "y", "a", 3))
    with pytest.raises(InvalidSetting):
        RobustBradleyTerry().fit(ballots, interval=Sandwich())
    with pytest.raises(MissingRandomness):
        RobustBradleyTerry().fit(ballots, interval=Bootstrap())


@pytest.mark.data
@pytest.mark.parametrize("name", ["llmfao_votes.csv.gz", "mtbench_votes.csv.gz"])
def test_published_votes_raise_no_suspicion(name):
    rows = published_rows(name)
    ballots = published_ballots(rows, "prompt_id" if "prompt_id" in rows[0] else "question_id")
    assert RobustBradleyTerry().fit(ballots).diagnostics["suspicious"] == []

import gzip
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from scipy.stats import t

from arena.ranking import (
    Ballots,
    Bootstrap,
    BradleyTerry,
    InvalidSetting,
    MissingClusters,
    MissingRandomness,
    Sandwich,
    TooFewClusters,
)
from arena.ranking.covariates import rows as rows_module
from arena.ranking.covariates.contextual import ContextualBradleyTerry
from arena.ranking.errors import CollinearCovariates, InvalidFeature, SeparatedCovariates
from arena.ranking.result import SCALE
from tests.ranking.boards import published_ballots, published_rows, sampled_board, scores_of
from tests.ranking.oracles import both_ways, clustered
from tests.ranking.test_ties import chances

GAMMA = np.array([0.4, -0.2])
TIE_PARAMETER = {"davidson": 0.8, "rao-kupper": 1.7, "tobt": 0.5}


def styled_board(
    rng,
    *,
    n=6,
    size=3000,
    gamma=GAMMA,
    position=0.0,
    ties=0.25,
    model=None,
    voters=None,
    prompts=None,
    groups=1,
    levels=None,
):
    """Battles inside `groups` groups of n systems each, with counts as features; returns also the truth.

    Without `model` a share `ties` is drawn whatever the strengths; with one, ties are its own.
    """
    theta = rng.normal(0.0, 0.8, n * groups)
    group = rng.integers(groups, size=size) * n
    first = rng.integers(n, size=size)
    second = (first + rng.integers(1, n, size=size)) % n + group
    first = first + group
    drawn = rng.lognormal(2.0, 1.0, (2 * size, gamma.size)).round()
    features = drawn if levels is None else np.minimum(drawn, levels)
    left, right = features[0::2], features[1::2]
    raw = (left - right) / (left + right + 1)
    eta = theta[first] - theta[second] + (raw / raw.std(axis=0)) @ gamma + position
    if model is None:
        outcome = np.where(rng.random(size) < ties, 2, np.where(rng.random(size) < expit(eta), 0, 1))
    else:
        edges = np.cumsum(chances(model, eta, np.zeros(size), TIE_PARAMETER[model]), axis=0)
        outcome = (rng.random(size) > edges[:2]).sum(axis=0)
    ballots = Ballots.from_pair_columns(
        items=[f"s{i}" for i in range(n * groups)],
        first=first,
        second=second,
        outcome=outcome,
        features=features,
        feature_names=[f"f{k}" for k in range(gamma.size)],
        voter=None if voters is None else rng.integers(voters, size=size),
        prompt=None if prompts is None else rng.integers(prompts, size=size),
    )
    return ballots, theta


def fields(ballots):
    """first, second, y (win 1, tie 1/2), scaled contrasts: read straight from the columns."""
    item, rank, features = ballots.slot_item, ballots.slot_rank, ballots.features
    won = 0.5 + 0.5 * np.sign(rank[1::2].astype(float) - rank[0::2])
    raw = (features[0::2] - features[1::2]) / (features[0::2] + features[1::2] + 1)
    return item[0::2], item[1::2], won, raw / raw.std(axis=0)


def design(ballots, *, position=False):
    """Dense float64[c, n + F], one row per vote."""
    first, second, won, x = fields(ballots)
    z = np.zeros((won.size, len(ballots.items)))
    z[np.arange(won.size), first] = 1.0
    z[np.arange(won.size), second] = -1.0
    columns = [z, x, np.ones((won.size, 1))] if position else [z, x]
    return np.hstack(columns), won


def logistic(z, y, weight=None, steps=60):
    """Unpenalised logistic regression by dense Newton with a pseudo-inverse; no code is shared."""
    weight = np.ones(y.size) if weight is None else weight
    beta = np.zeros(z.shape[1])
    for _ in range(steps):
        p = expit(z @ beta)
        hessian = (z * (weight * p * (1 - p))[:, None]).T @ z
        step = np.linalg.pinv(hessian, rcond=1e-10) @ (z.T @ (weight * (y - p)))
        beta = beta + step
        if np.abs(step).max() < 1e-13:
            break
    return beta


def estimates(ranking, items):
    """theta and gamma, natural-log units."""
    theta = np.array([ranking[item].score for item in items]) - ranking.settings["anchor_mean"]
    return theta / SCALE, np.array([row["coefficient"] for row in ranking.diagnostics["covariates"]])


def numbers(row):
    return {key: value for key, value in row.items() if not isinstance(value, str)}


BOTH = ContextualBradleyTerry(covariates=("f0", "f1"))
WITH_POSITION = ContextualBradleyTerry(covariates=("f0", "f1"), position=True)


@pytest.mark.parametrize("position", [False, True])
def test_the_estimate_is_that_of_logistic_regression_on_all_votes(position, rng):
    ballots, _ = styled_board(rng, size=1500, position=0.3)
    z, y = design(ballots, position=position)
    expected = logistic(z, y)
    ranking = (WITH_POSITION if position else BOTH).fit(ballots)
    theta, gamma = estimates(ranking, ballots.items)
    assert theta == pytest.approx(expected[:6] - expected[:6].mean(), abs=1e-8)
    assert gamma == pytest.approx(expected[6:], abs=1e-8)
    eta = z @ expected
    likelihood = y @ log_expit(eta) + (1 - y) @ log_expit(-eta)
    assert ranking.diagnostics["log_likelihood"] == pytest.approx(likelihood, rel=1e-10)


def test_the_estimate_is_that_of_scikit_learn_without_penalty(rng):
    linear_model = pytest.importorskip("sklearn.linear_model")
    ballots, _ = styled_board(rng, size=1500)
    z, y = design(ballots)
    twice = np.vstack([z, z]), np.repeat([1, 0], y.size)
    model = linear_model.LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000, fit_intercept=False)
    found = model.fit(*twice, sample_weight=np.concatenate([y, 1 - y])).coef_[0]
    theta, gamma = estimates(BOTH.fit(ballots), ballots.items)
    assert theta == pytest.approx(found[:6] - found[:6].mean(), abs=1e-6)
    assert gamma == pytest.approx(found[6:], abs=1e-6)


def test_weights_count_as_so_many_votes(rng):
    ballots, _ = styled_board(rng, size=800)
    weight = rng.integers(1, 4, size=800).astype(float)
    weighted = replace(ballots, weight=weight)
    z, y = design(ballots)
    expected = logistic(z, y, weight)
    theta, gamma = estimates(BOTH.fit(weighted), ballots.items)
    assert theta == pytest.approx(expected[:6] - expected[:6].mean(), abs=1e-8)
    assert gamma == pytest.approx(expected[6:], abs=1e-8)


def test_a_graded_vote_counts_as_its_share(rng):
    ballots, _ = styled_board(rng, size=800, ties=0.0)
    share = rng.choice([0.6, 0.75, 1.0], size=800)
    graded = replace(ballots, share=share)
    z, y = design(ballots)
    soft = y * share + (1 - y) * (1 - share)
    expected = logistic(z, soft)
    ranking = BOTH.fit(graded, interval=Sandwich())
    theta, gamma = estimates(ranking, ballots.items)
    assert theta == pytest.approx(expected[:6] - expected[:6].mean(), abs=1e-8)
    assert gamma == pytest.approx(expected[6:], abs=1e-8)
    _assert_bounds(ranking, ballots, dense_sandwich(z, soft, np.arange(800)))


def brute_force(name, ballots):
    """Minimise the negative log-likelihood of the printed formulas with a general optimiser."""
    first, second, won, x = fields(ballots)
    n, outcome = len(ballots.items), np.select([won == 1, won == 0], [0, 1], 2)
    floor = {"davidson": 0.0, "rao-kupper": 1.0, "tobt": 0.0}[name]

    def loss(v):
        theta, gamma = v[:n] - v[:n].mean(), v[n:-1]
        eta = theta[first] - theta[second] + x @ gamma
        p = chances(name, eta, np.zeros(eta.size), floor + np.exp(v[-1]))
        return -np.log(p[outcome, np.arange(eta.size)]).sum() + v[:n].mean() ** 2

    found = minimize(loss, np.zeros(n + 3), method="BFGS", options={"gtol": 1e-5, "maxiter": 2000}).x
    return found[:n] - found[:n].mean(), found[n:-1], floor + np.exp(found[-1])


@pytest.mark.parametrize("name", ["davidson", "rao-kupper", "tobt"])
def test_with_a_model_of_ties_the_estimate_is_that_of_a_general_optimiser(name, rng):
    ballots, _ = styled_board(rng, n=4, size=600, model=name)
    theta, gamma, parameter = brute_force(name, ballots)
    ranking = ContextualBradleyTerry(covariates=["f0", "f1"], ties=name).fit(ballots)
    found = estimates(ranking, ballots.items)
    assert found[0] == pytest.approx(theta, abs=2e-5)
    assert found[1] == pytest.approx(gamma, abs=2e-5)
    assert ranking.diagnostics["tie_parameter"]["estimate"] == pytest.approx(parameter, rel=1e-4)


def with_features(ballots, features):
    """The same votes with other features."""
    names = tuple(f"f{k}" for k in range(features.shape[1]))
    return replace(ballots, features=features, feature_names=names)


def mirrored(ballots):
    """Every vote twice, with an indicator on the left answer, then on the right one: gamma is 0 exactly."""
    m = ballots.slot_item.size
    flag = np.zeros(2 * m)
    flag[0:m:2] = 1.0
    flag[m + 1 :: 2] = 1.0
    return Ballots.from_columns(
        items=ballots.items,
        offsets=np.arange(0, 2 * m + 1, 2),
        slot_item=np.tile(ballots.slot_item, 2),
        slot_rank=np.tile(ballots.slot_rank, 2),
        voter=np.tile(ballots.voter, 2),
        features=flag[:, None],
        feature_names=("flag",),
    )


@pytest.mark.parametrize("ties", ["half", "ignore", "davidson", "rao-kupper", "tobt"])
@pytest.mark.parametrize("interval", [Sandwich(), Sandwich(cluster="voter")])
def test_a_covariate_without_effect_leaves_the_plain_board(ties, interval, rng):
    ballots = mirrored(sampled_board(rng, n=8, size=700, voters=40))
    plain = BradleyTerry(ties=ties).fit(ballots, interval=interval)
    styled = ContextualBradleyTerry(covariates=["flag:difference"], ties=ties).fit(ballots, interval=interval)
    row = styled.diagnostics["covariates"][0]
    assert row["coefficient"] == pytest.approx(0.0, abs=1e-9)
    assert scores_of(styled) == pytest.approx(scores_of(plain), abs=1e-7)
    assert list(styled.diagnostics["style_shift"].values()) == pytest.approx(np.zeros(8), abs=1e-7)
    for rating in plain.ratings:
        assert styled[rating.item].low == pytest.approx(rating.low, abs=1e-6)
        assert styled[rating.item].wins == rating.wins
    if ties not in ("half", "ignore"):
        ours, theirs = (r.diagnostics["tie_parameter"] for r in (styled, plain))
        assert numbers(ours) == pytest.approx(numbers(theirs), rel=1e-6)


def test_the_style_shift_is_the_score_without_covariates_less_the_score_with(rng):
    ballots, _ = styled_board(rng)
    plain, styled = scores_of(BradleyTerry().fit(ballots)), BOTH.fit(ballots)
    expected = {item: plain[item] - score for item, score in scores_of(styled).items()}
    assert styled.diagnostics["style_shift"] == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_planted_coefficients_lie_inside_their_bounds(seed):
    ballots, theta = styled_board(np.random.default_rng(seed), n=8, size=40_000, position=0.1, ties=0.0)
    ranking = WITH_POSITION.fit(ballots, interval=Sandwich(level=0.9999))
    for row, planted in zip(ranking.diagnostics["covariates"], [*GAMMA, 0.1], strict=True):
        assert row["low"] < SCALE * planted < row["high"]
        assert row["high"] - row["low"] < 40
    ours, _ = estimates(ranking, ballots.items)
    assert np.abs(ours - theta + theta.mean()).max() < 0.1


def test_bounds_of_coefficients_cover_the_truth_as_often_as_they_say():
    """200 boards with voters who have a taste for length: by voter 95 %, by ballot far too few."""
    covered = {"voter": 0, "ballot": 0}
    for seed in range(200):
        rng = np.random.default_rng(1000 + seed)
        size, voters = 900, 60
        theta = rng.normal(0.0, 0.5, 4)
        first = rng.integers(4, size=size)
        second = (first + rng.integers(1, 4, size=size)) % 4
        voter = rng.integers(voters, size=size)
        taste = rng.normal(0.0, 0.7, voters)
        x = rng.normal(size=size)
        p = expit(theta[first] - theta[second] + (0.0 + taste[voter]) * x)
        ballots = Ballots.from_pair_columns(
            items="abcd",
            first=first,
            second=second,
            outcome=(rng.random(size) > p).astype(int),
            features=np.stack([x, np.zeros(size)], axis=1).reshape(-1, 1),
            feature_names=("length",),
            voter=voter,
        )
        for cluster in covered:
            ranking = ContextualBradleyTerry(["length:difference"]).fit(
                ballots, interval=Sandwich(cluster=cluster)
            )
            row = ranking.diagnostics["covariates"][0]
            covered[cluster] += row["low"] < 0.0 < row["high"]
    assert 181 <= covered["voter"] <= 198  # 190 expected, standard deviation 3
    assert covered["ballot"] < 170


def dense_sandwich(z, y, code):
    """Of all parameters in the gauge with strengths of mean 0, from dense matrices."""
    beta = logistic(z, y)
    p = expit(z @ beta)
    bread = np.linalg.pinv((z * (p * (1 - p))[:, None]).T @ z, rcond=1e-10)
    return clustered(bread, z * (y - p)[:, None], z**2 * (p * (1 - p))[:, None], code)


def _assert_bounds(ranking, ballots, expected):
    n, covariance = len(ballots.items), expected.covariance
    width = SCALE * expected.width()
    ours = [ranking[item].high - ranking[item].score for item in ballots.items]
    ours += [row["high"] - row["elo_per_sd"] for row in ranking.diagnostics["covariates"]]
    assert ours == pytest.approx(width, rel=1e-6)
    np.testing.assert_allclose(ranking.covariance.matrix, SCALE**2 * covariance[:n, :n], atol=1e-6)


@pytest.mark.parametrize("cluster", ["ballot", "voter", "prompt"])
@pytest.mark.parametrize("position", [False, True])
def test_the_sandwich_is_that_of_dense_matrices(cluster, position, rng):
    ballots, _ = styled_board(rng, size=1200, voters=50, prompts=30)
    z, y = design(ballots, position=position)
    code = {"ballot": np.arange(1200), "voter": ballots.voter, "prompt": ballots.prompt}[cluster]
    ranking = (WITH_POSITION if position else BOTH).fit(ballots, interval=Sandwich(cluster=cluster))
    _assert_bounds(ranking, ballots, dense_sandwich(z, y, code))
    assert ranking.diagnostics["clusters"] == np.unique(code).size


def test_two_way_clusters_add_and_take_away(rng):
    ballots, _ = styled_board(rng, size=1200, voters=50, prompts=30)
    z, y = design(ballots)
    ways = (ballots.voter, ballots.prompt, ballots.voter * 30 + ballots.prompt)
    voter, prompt, both = (dense_sandwich(z, y, code) for code in ways)
    ranking = BOTH.fit(ballots, interval=Sandwich(cluster="voter,prompt"))
    _assert_bounds(ranking, ballots, both_ways(voter, prompt, both))


@pytest.mark.parametrize("ties", ["half", "davidson"])
@pytest.mark.parametrize("cluster", ["ballot", "voter"])
def test_the_bootstrap_agrees_with_the_sandwich(ties, cluster, rng):
    ballots, _ = styled_board(rng, size=2000, voters=80, model="davidson")
    model = ContextualBradleyTerry(covariates=["f0", "f1"], position=True, ties=ties)
    by_sandwich = model.fit(ballots, interval=Sandwich(cluster=cluster))
    by_draws = model.fit(
        ballots, interval=Bootstrap(cluster=cluster, replicates=200), rng=np.random.default_rng(7)
    )
    for ours, theirs in zip(
        by_draws.diagnostics["covariates"], by_sandwich.diagnostics["covariates"], strict=True
    ):
        assert ours["elo_per_sd"] == theirs["elo_per_sd"]
        assert ours["high"] - ours["low"] == pytest.approx(theirs["high"] - theirs["low"], rel=0.2)
    ratios = [
        (by_draws[item].high - by_draws[item].low) / (by_sandwich[item].high - by_sandwich[item].low)
        for item in ballots.items
    ]
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.12)
    if ties == "davidson":
        ours, theirs = (r.diagnostics["tie_parameter"] for r in (by_draws, by_sandwich))
        assert ours["high"] - ours["low"] == pytest.approx(theirs["high"] - theirs["low"], rel=0.2)


def test_differences_between_systems_carry_their_covariance(rng):
    ballots, _ = styled_board(rng, size=1200)
    z, y = design(ballots)
    covariance, freedom = dense_sandwich(z, y, np.arange(1200))
    found = BOTH.fit(ballots, interval=Sandwich()).difference("s0", "s1")
    contrast = np.eye(8)[0] - np.eye(8)[1]
    quantile = t.ppf(0.975, freedom[:2].min())
    assert found.high - found.elo == pytest.approx(
        quantile * SCALE * np.sqrt(contrast @ covariance @ contrast), rel=1e-6
    )


@pytest.mark.parametrize("ties", ["half", "davidson"])
@pytest.mark.parametrize("interval", [Sandwich(), Sandwich(cluster="voter")])
def test_merged_rows_give_the_fit_of_single_votes(ties, interval, rng, monkeypatch):
    ballots, _ = styled_board(rng, n=4, size=6000, gamma=GAMMA[:1], voters=90, levels=2)
    model = ContextualBradleyTerry(covariates=["f0"], position=True, ties=ties)
    merged = model.fit(ballots, interval=interval)
    monkeypatch.setattr(rows_module, "_FEW_LEVELS", 0)
    single = model.fit(ballots, interval=interval)
    for item in ballots.items:
        assert merged[item].score == pytest.approx(single[item].score, abs=1e-6)
        assert merged[item].high == pytest.approx(single[item].high, abs=1e-6)
    for ours, theirs in zip(merged.diagnostics["covariates"], single.diagnostics["covariates"], strict=True):
        assert numbers(ours) == pytest.approx(numbers(theirs), rel=1e-6)


def test_a_level_that_the_first_comparisons_lack_is_not_lost(rng):
    ballots, _ = styled_board(rng, n=3, size=9000, gamma=GAMMA[:1], levels=1)
    features = ballots.features.copy()
    features[-40:] = rng.integers(5, 9, size=(40, 1))
    late = with_features(ballots, features)
    z, y = design(late)
    _, gamma = estimates(ContextualBradleyTerry(["f0"]).fit(late), ballots.items)
    assert gamma == pytest.approx(logistic(z, y)[3:], abs=1e-8)


def test_components_share_the_coefficients_and_nothing_else(rng):
    ballots, _ = styled_board(rng, n=4, size=2000, groups=2, voters=50)
    z, y = design(ballots)
    expected, clusters = logistic(z, y), dense_sandwich(z, y, ballots.voter)
    ranking = BOTH.fit(ballots, interval=Sandwich(cluster="voter"))
    theta, gamma = estimates(ranking, ballots.items)
    for block in (slice(0, 4), slice(4, 8)):
        assert theta[block] == pytest.approx(expected[block] - expected[block].mean(), abs=1e-8)
    assert gamma == pytest.approx(expected[8:], abs=1e-8)
    parts = ranking.diagnostics["components"]
    assert [len(part["items"]) for part in parts] == [4, 4]
    assert {ranking[item].component for item in ballots.items} == {0, 1}
    assert not ranking.covariance.matrix[:4, 4:].any()
    width = SCALE * clusters.width()[8:]
    ours = [row["high"] - row["elo_per_sd"] for row in ranking.diagnostics["covariates"]]
    assert ours == pytest.approx(width, rel=1e-6)
    eta = z @ expected
    likelihood = y @ log_expit(eta) + (1 - y) @ log_expit(-eta)
    assert ranking.diagnostics["log_likelihood"] == pytest.approx(likelihood, rel=1e-10)


def test_two_components_that_only_together_know_the_coefficients_are_fitted():
    """In each component one covariate alone varies."""
    rng = np.random.default_rng(5)
    ballots, _ = styled_board(rng, n=4, size=1500, groups=2)
    features = ballots.features.copy()
    in_first = np.repeat(ballots.slot_item[0::2] < 4, 2)
    features[in_first, 1], features[~in_first, 0] = 3.0, 3.0
    apart = replace(ballots, features=features, feature_names=("f0", "f1"))
    z, y = design(apart)
    _, gamma = estimates(BOTH.fit(apart), ballots.items)
    assert gamma == pytest.approx(logistic(z, y)[8:], abs=1e-8)


def test_a_separated_system_is_bounded_by_phantoms_and_has_no_ceiling(rng):
    ballots, _ = styled_board(rng, n=5, size=900, ties=0.0)
    champion = 4
    rank = ballots.slot_rank.copy()
    for side, other in ((0, 1), (1, 0)):
        own = ballots.slot_item[side::2] == champion
        rank[side::2][own], rank[other::2][own] = 1, 2
    board = replace(ballots, slot_rank=rank)
    ranking = BOTH.fit(board, interval=Sandwich())
    assert ranking.ratings[0].item == "s4"
    assert ranking.ratings[0].separated
    assert ranking.ratings[0].high == np.inf
    assert ranking.diagnostics["phantom_pairs"] == BradleyTerry().fit(board).diagnostics["phantom_pairs"] == 4
    # The phantoms are half a drawn battle of each pair, at equal covariates.
    z, y = design(board)
    ghost = np.zeros((4, z.shape[1]))
    ghost[np.arange(4), np.arange(4)], ghost[:, 4] = 1.0, -1.0
    weight = np.concatenate([np.ones(y.size), np.full(4, 0.5)])
    expected = logistic(np.vstack([z, ghost]), np.concatenate([y, np.full(4, 0.5)]), weight)
    theta, gamma = estimates(ranking, board.items)
    assert theta == pytest.approx(expected[:5] - expected[:5].mean(), abs=1e-7)
    assert gamma == pytest.approx(expected[5:], abs=1e-7)


def test_a_prior_draws_battles_at_equal_covariates(rng):
    ballots, _ = styled_board(rng, n=3, size=400)
    z, y = design(ballots)
    ghost = np.zeros((3, z.shape[1]))
    for row, (i, j) in enumerate([(0, 1), (0, 2), (1, 2)]):
        ghost[row, i], ghost[row, j] = 1.0, -1.0
    weight = np.concatenate([np.ones(y.size), np.full(3, 7.0)])
    expected = logistic(np.vstack([z, ghost]), np.concatenate([y, np.full(3, 0.5)]), weight)
    theta, gamma = estimates(ContextualBradleyTerry(["f0", "f1"], prior=7.0).fit(ballots), ballots.items)
    assert theta == pytest.approx(expected[:3] - expected[:3].mean(), abs=1e-8)
    assert gamma == pytest.approx(expected[3:], abs=1e-8)


def test_votes_without_a_covariate_are_left_out(rng):
    ballots, _ = styled_board(rng, size=1000)
    features = ballots.features.copy()
    features[:200:2, 0] = np.nan
    holes = replace(ballots, features=features)
    rest = Ballots.from_columns(
        items=ballots.items,
        offsets=np.arange(0, 1801, 2),
        slot_item=ballots.slot_item[200:],
        slot_rank=ballots.slot_rank[200:],
        features=ballots.features[200:],
        feature_names=ballots.feature_names,
    )
    found, expected = BOTH.fit(holes, interval=Sandwich()), BOTH.fit(rest, interval=Sandwich())
    assert found.ratings == expected.ratings
    assert found.diagnostics["dropped"]["no_features"] == 100
    assert found.diagnostics["n_without_features"] == 100
    assert found.diagnostics["n_ballots"] == 900


def test_a_kwise_ballot_is_read_as_its_pairs(rng):
    theta = np.array([0.5, 0.0, -0.5, 0.2])
    size = 1500
    order = np.argsort(rng.random((size, 4)), axis=1)[:, :3]
    features = rng.lognormal(2.0, 1.0, (size, 3))
    noise = rng.gumbel(size=(size, 3))
    rank = np.argsort(np.argsort(-(theta[order] + 0.3 * np.log(features) + noise), axis=1), axis=1) + 1
    ballots = Ballots.from_columns(
        items="abcd",
        offsets=np.arange(0, 3 * size + 1, 3),
        slot_item=order.reshape(-1),
        slot_rank=rank.reshape(-1),
        features=features.reshape(-1, 1),
        feature_names=("f",),
    )
    places = [(0, 1), (0, 2), (1, 2)]
    exploded = Ballots.from_pair_columns(
        items="abcd",
        first=np.concatenate([order[:, i] for i, _ in places]),
        second=np.concatenate([order[:, j] for _, j in places]),
        outcome=np.concatenate([(rank[:, i] > rank[:, j]).astype(int) for i, j in places]),
        features=np.concatenate(
            [np.stack([features[:, i], features[:, j]], 1).reshape(-1, 1) for i, j in places]
        ),
        feature_names=("f",),
        voter=np.tile(np.arange(size), 3),
    )
    model = ContextualBradleyTerry(["f"], position=True)
    found = model.fit(ballots, interval=Sandwich())
    expected = model.fit(exploded, interval=Sandwich(cluster="voter"))
    assert found.diagnostics["kwise_as_pairs"] == size
    for item in "abcd":
        assert found[item].score == pytest.approx(expected[item].score, abs=1e-6)
        assert found[item].high == pytest.approx(expected[item].high, abs=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"covariates": "length"},
        {"covariates": ["a", "a"]},
        {"covariates": ["a"], "contrast": "ratio"},
        {"covariates": ["a"], "ties": "grounded"},
        {"covariates": ["a"], "both_bad": "grounded"},
        {"covariates": ["a"], "prior": -1.0},
        {"covariates": ["a"], "prior": np.inf},
        {"covariates": ["a"], "anchor_mean": np.nan},
        {"covariates": ["a"], "provisional_below": -1},
        {"position": "yes"},
    ],
)
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(InvalidSetting):
        ContextualBradleyTerry(**settings)


def test_an_unknown_feature_is_named(rng):
    ballots, _ = styled_board(rng)
    with pytest.raises(InvalidFeature, match="'bold'"):
        ContextualBradleyTerry(["f0", "bold"]).fit(ballots)


def test_collinear_covariates_are_named(rng):
    ballots, _ = styled_board(rng)
    f = ballots.features
    twice = with_features(ballots, np.stack([f[:, 0], f[:, 1], f[:, 0] - 2 * f[:, 1]], axis=1))
    with pytest.raises(CollinearCovariates, match="f0 and f1 and f2"):
        ContextualBradleyTerry(["f0", "f1", "f2"], contrast="difference").fit(twice)
    ContextualBradleyTerry(["f0", "f1"], contrast="difference").fit(twice)


def test_a_property_of_systems_cannot_be_told_from_their_strengths(rng):
    ballots, _ = styled_board(rng)
    fixed = with_features(
        ballots, np.stack([ballots.slot_item % 3, ballots.features[:, 0]], axis=1).astype(float)
    )
    with pytest.raises(CollinearCovariates, match=r"^f0: .*systems$"):
        ContextualBradleyTerry(["f0", "f1"], contrast="difference").fit(fixed)


def test_a_position_that_goes_with_the_system_cannot_be_told_from_its_strength():
    ballots = Ballots.from_pairs(["a"] * 4 + ["b"] * 4, ["b"] * 4 + ["c"] * 4, ["a", "b", "tie", "a"] * 2)
    with pytest.raises(CollinearCovariates, match="position"):
        ContextualBradleyTerry(position=True).fit(ballots)


def test_a_separated_system_does_not_hide_collinear_covariates(rng):
    """Phantoms would make the information regular; the votes still cannot tell."""
    first, second = [0, 0, 1, 1, 0, 2], [1, 1, 0, 0, 2, 1]
    flag = np.array([[i == 2, j == 2] for i, j in zip(first, second, strict=True)], dtype=float)
    ballots = Ballots.from_pair_columns(
        items="abc",
        first=first,
        second=second,
        outcome=[0, 1, 0, 1, 1, 0],
        features=flag.reshape(-1, 1),
        feature_names=("flag",),
    )
    assert BradleyTerry().fit(ballots).diagnostics["phantom_pairs"] > 0
    with pytest.raises(CollinearCovariates, match="flag"):
        ContextualBradleyTerry(["flag:difference"]).fit(ballots)


@pytest.mark.parametrize("ties", ["half", "davidson"])
def test_a_covariate_that_predicts_every_vote_is_named(ties, rng):
    ballots, _ = styled_board(rng, size=600, ties=0.2)
    lead = ballots.slot_rank[1::2].astype(float) - ballots.slot_rank[0::2]
    drawn = rng.random(600)
    features = np.zeros((1200, 2))
    features[0::2, 0] = lead * (1 + drawn)
    features[:, 1] = ballots.features[:, 1]
    with pytest.raises(SeparatedCovariates, match=r"^f0:"):
        ContextualBradleyTerry(["f0", "f1"], contrast="difference", ties=ties).fit(
            with_features(ballots, features)
        )


@pytest.mark.parametrize("count", [1, 3, 40])
def test_a_rare_indicator_that_always_wins_is_named(count, rng):
    ballots, _ = styled_board(rng, size=4000, ties=0.0)
    features = np.zeros((8000, 2))
    features[:, 1] = ballots.features[:, 1]
    winners = np.flatnonzero(ballots.slot_rank == 1)[:count]
    features[winners, 0] = 1.0
    with pytest.raises(SeparatedCovariates, match=r"^f0:"):
        ContextualBradleyTerry(["f0", "f1"], contrast="difference").fit(with_features(ballots, features))


def test_a_position_that_always_wins_is_named():
    ballots = Ballots.from_pairs(["a", "b", "c", "b", "c", "a"], ["b", "a", "b", "c", "a", "c"], ["a"] * 6)
    with pytest.raises(SeparatedCovariates, match="position"):
        ContextualBradleyTerry(position=True).fit(ballots)


def test_a_resample_without_finite_coefficients_is_told(rng):
    ballots, _ = styled_board(rng, size=400, ties=0.0)
    features = np.zeros((800, 1))
    features[np.flatnonzero(ballots.slot_rank == 1)[:2]] = 1.0
    features[np.flatnonzero(ballots.slot_rank == 2)[-1:]] = 1.0
    model = ContextualBradleyTerry(["f0:difference"])
    board = with_features(ballots, features)
    model.fit(board, interval=Sandwich())
    with pytest.raises(SeparatedCovariates, match="resample"):
        model.fit(board, interval=Bootstrap(replicates=50), rng=rng)


def test_all_ties_leave_a_finite_tie_parameter_by_phantoms(rng):
    ballots, _ = styled_board(rng, n=3, size=200, ties=1.1)
    ranking = ContextualBradleyTerry(["f0"], ties="davidson").fit(ballots)
    assert np.isfinite(ranking.diagnostics["tie_parameter"]["estimate"])
    assert ranking.diagnostics["phantom_pairs"] == 3


def test_without_a_tie_the_tie_parameter_is_at_its_bound(rng):
    ballots, _ = styled_board(rng, ties=0.0)
    ranking = ContextualBradleyTerry(["f0", "f1"], ties="davidson").fit(ballots, interval=Sandwich())
    assert ranking.diagnostics["tie_parameter"]["estimate"] == 0.0
    assert scores_of(ranking) == pytest.approx(scores_of(BOTH.fit(ballots)), abs=1e-9)


def test_a_board_without_votes_has_no_coefficients():
    ballots = Ballots.from_pairs([], [], [], items=["a", "b"])
    ranking = ContextualBradleyTerry(position=True).fit(ballots)
    assert [rating.score for rating in ranking.ratings] == [None, None]
    assert ranking.diagnostics["covariates"][0]["elo_per_sd"] is None
    with pytest.raises(TooFewClusters):
        ContextualBradleyTerry(position=True).fit(ballots, interval=Sandwich())


def test_intervals_ask_for_what_they_need(rng):
    ballots, _ = styled_board(rng, size=200)
    with pytest.raises(MissingRandomness):
        BOTH.fit(ballots, interval=Bootstrap())
    with pytest.raises(MissingClusters):
        BOTH.fit(ballots, interval=Sandwich(cluster="voter"))
    one = replace(ballots, voter=np.zeros(200, dtype=int))
    with pytest.raises(TooFewClusters):
        BOTH.fit(one, interval=Sandwich(cluster="voter"))


def test_the_result_is_json_and_the_same_each_time(rng):
    ballots, _ = styled_board(rng, size=500, voters=30)
    model = ContextualBradleyTerry(["f0", "f1:difference"], position=True, ties="davidson")
    first, second = (
        model.fit(ballots, interval=Bootstrap(cluster="voter", replicates=5), rng=np.random.default_rng(3))
        for _ in range(2)
    )
    assert json.loads(json.dumps(first.as_dict())) == first.as_dict() == second.as_dict()
    settings = {
        key: value
        for key, value in json.loads(json.dumps(first.settings)).items()
        if key in ContextualBradleyTerry.__dataclass_fields__
    }
    assert ContextualBradleyTerry(**settings) == model
    assert first.settings["model"] == "contextual-bradley-terry"


def test_systems_met_by_one_cluster_have_no_bounds(rng):
    ballots, _ = styled_board(rng, n=4, size=600, voters=20)
    voter = ballots.voter.copy()
    voter[(ballots.slot_item[0::2] == 3) | (ballots.slot_item[1::2] == 3)] = 20
    board = replace(ballots, voter=voter)
    interval = Sandwich(cluster="voter")
    found = BOTH.fit(board, interval=interval)
    assert found.diagnostics["unbounded"] == ["s3"]
    assert (
        found.diagnostics["unbounded"]
        == BradleyTerry().fit(board, interval=interval).diagnostics["unbounded"]
    )


def llmfao():
    """Human votes with the length of each response in characters."""
    rows = published_rows("llmfao_votes.csv.gz")
    path = Path(os.environ["ARENA_DATA"]) / "llmfao_prompts_models_responses.jsonl.gz"
    if not path.exists():
        pytest.skip(f"the published responses {path.name} are not at hand")
    length = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for entry in map(json.loads, lines):
            if entry["kind"] == "response":
                length[str(entry["model"]), str(entry["prompt"])] = float(len(entry["result"]))
    features = [[length[row[f"model_{side}_id"], row["prompt_id"]]] for row in rows for side in "ab"]
    return with_features(published_ballots(rows, "prompt_id"), np.array(features))


@pytest.mark.data
def test_the_length_coefficient_of_llmfao_is_the_published_one_under_its_z_score():
    """0.0685 was computed with (f_a - f_b) / (f_a + f_b + 1) centred and scaled, and without position."""
    ballots = llmfao()
    left, right = ballots.features[0::2, 0], ballots.features[1::2, 0]
    raw = (left - right) / (left + right + 1)
    z_score = np.stack([(raw - raw.mean()) / raw.std(), np.zeros(raw.size)], axis=1).reshape(-1, 1)
    ranking = ContextualBradleyTerry(["f0:difference"]).fit(with_features(ballots, z_score))
    assert ranking.diagnostics["covariates"][0]["coefficient"] == pytest.approx(0.0685, abs=0.00005)


@pytest.mark.data
def test_centring_matters_on_llmfao_only_while_the_position_is_left_out():
    ballots = llmfao()
    alone = ContextualBradleyTerry(["f0"]).fit(ballots).diagnostics["covariates"]
    assert alone[0]["coefficient"] == pytest.approx(0.0685, abs=0.003)
    left, right = ballots.features[0::2, 0], ballots.features[1::2, 0]
    raw = (left - right) / (left + right + 1)
    centred = np.stack([raw - raw.mean(), np.zeros(raw.size)], axis=1).reshape(-1, 1)
    ours = ContextualBradleyTerry(["f0"], position=True).fit(ballots)
    theirs = ContextualBradleyTerry(["f0:difference"], position=True).fit(with_features(ballots, centred))
    assert scores_of(ours) == pytest.approx(scores_of(theirs), abs=1e-6)
    coefficients = [r.diagnostics["covariates"][0]["coefficient"] for r in (ours, theirs)]
    assert coefficients[0] == pytest.approx(coefficients[1], abs=1e-9)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "prompt", "elo", "off"),
    [("llmfao_votes.csv.gz", "prompt_id", 16.0, 0.5), ("mtbench_votes.csv.gz", "question_id", 0.8, 0.05)],
)
def test_the_first_position_is_worth_as_much_as_published(name, prompt, elo, off):
    ballots = published_ballots(published_rows(name), prompt)
    ranking = ContextualBradleyTerry(position=True).fit(ballots)
    assert ranking.diagnostics["covariates"][0]["elo_per_sd"] == pytest.approx(elo, abs=off)

import numpy as np
import pytest

from arena.ranking import Ballots, InvalidSetting
from arena.ranking.counts import compare
from arena.ranking.covariates.contrasts import Covariate, contrasts_of, named_covariates
from arena.ranking.errors import InvalidFeature

NAN = np.nan


def pairs(features, names=("length",), **columns):
    """Two-slot ballots of items a and b, one feature row per slot."""
    count = len(features) // 2
    return Ballots.from_pair_columns(
        items=["a", "b"],
        first=[0] * count,
        second=[1] * count,
        outcome=columns.pop("outcome", [k % 2 for k in range(count)]),
        features=np.array(features, dtype=float).reshape(2 * count, len(names)),
        feature_names=names,
        **columns,
    )


def contrasts(ballots, *spelled, contrast="relative", position=False):
    return contrasts_of(ballots, compare(ballots), named_covariates(spelled, contrast), position=position)


def test_a_name_may_spell_its_own_contrast():
    found = named_covariates(["length", "bold:difference", "a:b", "c:d:relative"], "relative")
    assert found == (
        Covariate("length", "relative"),
        Covariate("bold", "difference"),
        Covariate("a:b", "relative"),
        Covariate("c:d", "relative"),
    )


@pytest.mark.parametrize(
    ("spelled", "contrast"),
    [(["a"], "ratio"), (["a", "a:relative"], "relative"), ([""], "relative"), ([3], "relative")],
)
def test_covariates_that_mean_nothing_are_refused(spelled, contrast):
    with pytest.raises(InvalidSetting):
        named_covariates(spelled, contrast)


def test_relative_and_difference_are_as_written_and_divided_by_their_spread():
    ballots = pairs([3, 1, 0, 4, 2, 2])
    raw = {"relative": np.array([2 / 5, -4 / 5, 0]), "difference": np.array([2.0, -4.0, 0.0])}
    for contrast, expected in raw.items():
        found = contrasts(ballots, "length", contrast=contrast)
        assert found.sd == pytest.approx(expected.std())
        np.testing.assert_allclose(found.value[0], expected / expected.std())


def test_the_position_is_one_on_every_comparison_and_comes_last():
    found = contrasts(pairs([3, 1, 0, 4]), "length", position=True)
    assert [covariate.name for covariate in found.covariates] == ["length", "position"]
    np.testing.assert_array_equal(found.value[1], [1.0, 1.0])
    assert found.sd[1] == 1.0


def test_comparisons_with_an_unknown_covariate_leave():
    ballots = pairs([3, 1, 0, NAN, 2, 5, 9, 1], outcome=[0, 1, 2, 0], weight=[1.0, 2.0, 3.0, 4.0])
    found = contrasts(ballots, "length")
    assert found.n_unknown == 1
    assert found.comparisons.dropped["no_features"] == 1
    assert found.comparisons.n_ballots == 3
    np.testing.assert_array_equal(found.comparisons.ballot, [0, 2, 3])
    np.testing.assert_array_equal(found.comparisons.weight, [1.0, 3.0, 4.0])
    raw = np.array([2 / 5, -3 / 8, 8 / 11])
    np.testing.assert_allclose(found.value[0], raw / raw.std())


def test_a_feature_that_is_not_asked_for_may_be_unknown():
    ballots = pairs([[3, NAN], [1, NAN], [0, NAN], [4, NAN]], names=("length", "other"))
    assert contrasts(ballots, "length").n_unknown == 0


def kwise():
    """Ballots of three, two and four slots; the features name their slot: 10 * ballot + place."""
    sizes = [3, 2, 4]
    items = [2, 0, 1, 1, 3, 3, 2, 1, 0]
    ranks = [1, 2, 3, 1, 2, 1, -1, 2, 2]
    feature = [0, 1, 2, 10, 11, 20, 21, 22, 23]
    return Ballots.from_columns(
        items=["a", "b", "c", "d"],
        offsets=np.concatenate([[0], np.cumsum(sizes)]),
        slot_item=items,
        slot_rank=ranks,
        features=np.array(feature, dtype=float)[:, None],
        feature_names=("place",),
    )


def test_a_kwise_ballot_sets_each_earlier_slot_against_each_later_one():
    ballots = kwise()
    found = contrasts(ballots, "place", contrast="difference")
    comparisons = found.comparisons
    left, right = np.divmod(comparisons.key // 4, 4)
    slot = {
        (b, int(i)): f
        for b, i, f in zip(
            np.repeat([0, 1, 2], ballots.sizes), ballots.slot_item, ballots.features[:, 0], strict=True
        )
    }
    expected = [slot[b, i] - slot[b, j] for b, i, j in zip(comparisons.ballot, left, right, strict=True)]
    np.testing.assert_allclose(found.value[0] * found.sd[0], expected)
    assert sorted(expected) == [-3, -2, -2, -1, -1, -1, -1]  # (ranked slots of ballot 2: 20, 22, 23)


def test_an_unknown_slot_of_a_kwise_ballot_costs_its_own_comparisons_only():
    ballots = kwise()
    features = ballots.features.copy()
    features[0] = NAN
    found = contrasts(
        Ballots.from_columns(
            items=ballots.items,
            offsets=ballots.offsets,
            slot_item=ballots.slot_item,
            slot_rank=ballots.slot_rank,
            features=features,
            feature_names=("place",),
        ),
        "place",
        contrast="difference",
    )
    assert found.n_unknown == 2
    assert found.comparisons.dropped["no_features"] == 0
    assert found.comparisons.n_ballots == 3
    np.testing.assert_array_equal(found.comparisons.ballots_of, [2, 3, 0, 2])


@pytest.mark.parametrize(
    ("features", "spelled", "words"),
    [
        ([3, 1, 0, 4], "size", "no feature 'size'"),
        ([3, -1, 0, 4], "length", "negative"),
        ([3, 1, 3, 1], "length", "same on every comparison"),
        ([NAN, 1, 3, NAN], "length", "known on no comparison"),
        ([1e308, -1e308, 3, 0], "length:difference", "too large"),
    ],
)
def test_a_feature_that_cannot_serve_is_named(features, spelled, words):
    with pytest.raises(InvalidFeature, match=words):
        contrasts(pairs(features), spelled)


def test_ballots_without_features_serve_the_position_alone():
    ballots = Ballots.from_pairs(["a", "b"], ["b", "a"], ["a", "tie"])
    assert contrasts(ballots, position=True).value.tolist() == [[1.0, 1.0]]
    with pytest.raises(InvalidFeature, match="they have: none"):
        contrasts(ballots, "length")

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.ranking import Ballots, Bootstrap, InvalidSetting, MissingRandomness, Sandwich, TooFewClusters
from arena.ranking.errors import PairsOnly
from arena.ranking.voting.majority import Duels, condorcet_winner, copeland, minimax, smith_set, tiers
from arena.ranking.voting.social_choice import UNITS, SocialChoice, complete_ballots
from tests.ranking.boards import board_of, sampled_board, scores_of
from tests.ranking.voting.elections import CYCLE, ELECTIONS, NAMES, RANKS, TENNESSEE, drawn, election

RULES = tuple(UNITS)


def scores(rule, ballots, **settings_):
    return scores_of(SocialChoice(rule=rule, **settings_).fit(ballots))


# Counted by hand from the 100 ballots; initials of the four cities.
@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("plurality", {"M": 0.42, "N": 0.26, "K": 0.17, "C": 0.15}),
        ("veto", {"N": 1.0, "C": 1.0, "K": 0.58, "M": 0.42}),
        ("borda", {"N": 194 / 300, "C": 173 / 300, "M": 126 / 300, "K": 107 / 300}),
        (
            "dowdall",
            {
                "N": 0.26 + 0.42 / 2 + 0.32 / 3,
                "M": 0.42 + 0.58 / 4,
                "C": 0.15 + 0.43 / 2 + 0.42 / 3,
                "K": 0.17 + 0.15 / 2 + 0.26 / 3 + 0.42 / 4,
            },
        ),
        # Last places: N and C none, K 42, M 58; then of N and C those third: 32 and 42.
        ("threshold", {"N": 1.0, "C": 2 / 3, "K": 1 / 3, "M": 0.0}),
        ("copeland", {"N": 1.0, "C": 2 / 3, "K": 1 / 3, "M": 0.0}),
        # Worst duels: N-M 58:42, M 42:58, C-N 32:68, K-C 17:83.
        ("minimax", {"N": 0.16, "M": -0.16, "C": -0.36, "K": -0.66}),
        ("condorcet", {"N": 1.0, "M": 0.0, "C": 0.0, "K": 0.0}),
        # K goes first; then N 126, C 90, M 84 of 200; then N 68, C 32.
        ("baldwin", {"N": 1.0, "C": 2 / 3, "M": 1 / 3, "K": 0.0}),
    ],
)
def test_the_capital_of_tennessee(rule, expected):
    found = {city[0]: score for city, score in scores(rule, election(*TENNESSEE)).items()}
    assert found == pytest.approx(expected)


def test_a_cycle_has_no_condorcet_winner_and_minimax_takes_the_least_defeat():
    ballots = election(*CYCLE)
    duels = Duels.of(ballots)
    assert condorcet_winner(duels) is None
    assert smith_set(duels) == ("a", "b", "c")
    assert set(scores("condorcet", ballots).values()) == {0.0}
    assert set(scores("copeland", ballots).values()) == {0.5}
    assert scores("minimax", ballots) == pytest.approx({"a": -1 / 11, "b": -5 / 11, "c": -5 / 11})
    assert scores("minimax", ballots, opposition="winning_votes") == pytest.approx(
        {"a": -6 / 11, "b": -8 / 11, "c": -8 / 11}
    )


def test_winning_votes_and_margins_part_ways_when_voters_tie():
    """b loses 4 to 3 with 3 ties: only b is defeated, by 4 of 10; the margin is 1 of 10 for both."""
    ballots = election((4, "a>b"), (3, "b>a"), (3, "a=b"))
    assert scores("minimax", ballots) == pytest.approx({"a": 0.1, "b": -0.1})
    assert scores("minimax", ballots, opposition="winning_votes") == pytest.approx({"a": 0.0, "b": -0.4})
    assert scores("minimax", ballots, opposition="opposition") == pytest.approx({"a": -0.3, "b": -0.4})


def test_alpha_is_what_a_tie_head_to_head_is_worth():
    ballots = election((1, "a>b"), (1, "b>a"), (1, "a>c"), (1, "b>c"))
    for alpha in (0.0, 0.5, 1.0):
        found = scores("copeland", ballots, alpha=alpha)
        assert found == pytest.approx({"a": (1 + alpha) / 2, "b": (1 + alpha) / 2, "c": 0.0})


def test_two_that_never_met_tie_under_copeland_and_do_not_count_under_minimax():
    duels = Duels.of(election((3, "a>b"), (2, "b>c"), (1, "c>b")))
    assert copeland(duels).tolist() == pytest.approx([0.75, 0.5, 0.25])
    assert minimax(duels).tolist() == pytest.approx([1.0, -1.0, -1 / 3])
    assert condorcet_winner(duels) is None
    assert SocialChoice("copeland").fit(election((3, "a>b"), (2, "b>c"))).diagnostics["unmet_pairs"] == 1


def test_tied_places_share_their_points():
    ballots = election((1, "a=b>c=d"))
    assert scores("plurality", ballots) == {"a": 0.5, "b": 0.5, "c": 0.0, "d": 0.0}
    assert scores("veto", ballots) == {"a": 1.0, "b": 1.0, "c": 0.5, "d": 0.5}
    assert scores("borda", ballots) == pytest.approx({"a": 5 / 6, "b": 5 / 6, "c": 1 / 6, "d": 1 / 6})
    assert scores("dowdall", ballots) == pytest.approx({"a": 0.75, "b": 0.75, "c": 7 / 24, "d": 7 / 24})


def test_ballots_of_any_size_count_alike_and_only_for_those_they_compare():
    rows = [[("a", 1), ("b", 2), ("c", None)], [("c", 1), ("b", 2), ("a", 3), ("d", 4)]]
    found = scores("borda", Ballots.from_rankings(rows))
    assert found == pytest.approx({"a": (1 + 1 / 3) / 2, "b": (0 + 2 / 3) / 2, "c": 1.0, "d": 0.0})


def test_threshold_looks_at_the_next_place_only_where_the_last_is_equal():
    """Last places: a 2, b 1, c 1. Last but one: b 2, c 1."""
    found = scores("threshold", election((1, "a>c>b"), (1, "a>b>c"), (1, "c>b>a"), (1, "c>b>a")))
    assert found == {"c": 1.0, "b": 0.5, "a": 0.0}


def test_baldwin_lets_equal_last_items_leave_together_and_stops_at_a_tie():
    found = scores("baldwin", election((2, "a>b>c=d"), (2, "b>a>c=d")))
    assert found == pytest.approx({"a": 5 / 6, "b": 5 / 6, "c": 1 / 6, "d": 1 / 6})


def test_completing_a_ballot_puts_the_unlisted_last():
    rows = [[("a", 2), ("b", 7)], [("c", 1), ("b", None)]]
    completed = complete_ballots(Ballots.from_rankings(rows, items=["a", "b", "c", "d"]))
    assert completed.slot_rank.reshape(2, 4).tolist() == [[1, 2, 3, 3], [2, 2, 1, 2]]
    with pytest.raises(PairsOnly):
        complete_ballots(Ballots.from_pairs(["a"], ["b"], ["a"], share=[0.75]))


def test_a_ballot_called_all_bad_ties_or_is_left_out():
    rows = [[("a", 1), ("b", 2)], [("a", 1), ("b", 2)]]
    ballots = Ballots.from_rankings(rows, all_bad=[False, True])
    assert scores("borda", ballots) == {"a": 0.75, "b": 0.25}
    assert scores("borda", ballots, both_bad="drop") == {"a": 1.0, "b": 0.0}


@pytest.mark.parametrize("rule", RULES)
def test_a_graded_ballot_is_two_ballots_of_its_parts(rule):
    graded = Ballots.from_pairs(["a", "b", "a"], ["b", "c", "c"], ["a", "b", "tie"], share=[0.75, 0.6, 1.0])
    split = election((0.75, "a>b"), (0.25, "b>a"), (0.6, "c>b"), (0.4, "b>c"), (1, "a=c"))
    assert scores(rule, graded) == pytest.approx(scores(rule, split))


def brute_force(rule, rows):
    """Scores of the rules by places, ballot by ballot in plain Python, over all ways to break each tie."""
    points, ballots = dict.fromkeys(NAMES, 0.0), dict.fromkeys(NAMES, 0)
    for ranks, weight in rows:
        seen = [(rank, name) for name, rank in zip(NAMES, ranks, strict=True) if rank is not None]
        m = len(seen)
        if m < 2:
            continue
        broken = [
            order
            for order in itertools.permutations(seen)
            if all(one[0] <= other[0] for one, other in itertools.pairwise(order))
        ]
        for order in broken:
            for place, (_, name) in enumerate(order, start=1):
                worth = {
                    "plurality": place == 1,
                    "veto": place < m,
                    "borda": (m - place) / (m - 1),
                    "dowdall": 1 / place,
                }[rule]
                points[name] += weight * worth / len(broken)
                ballots[name] += weight / len(broken)
    return {name: points[name] / ballots[name] if ballots[name] else None for name in NAMES}


@settings(max_examples=40, deadline=None)
@given(ELECTIONS, st.sampled_from(["plurality", "veto", "borda", "dowdall"]))
def test_rules_by_places_are_means_over_all_ways_to_break_ties(rows, rule):
    found = scores(rule, drawn(rows))
    for name, expected in brute_force(rule, rows).items():
        assert found[name] == (expected if expected is None else pytest.approx(expected))


@settings(max_examples=60, deadline=None)
@given(ELECTIONS, st.sampled_from(RULES))
def test_a_weight_is_as_many_ballots(rows, rule):
    weighted, repeated = scores(rule, drawn(rows)), scores(rule, drawn(rows, weighted=False))
    assert weighted == pytest.approx(repeated)


@settings(max_examples=60, deadline=None)
@given(ELECTIONS, st.sampled_from(RULES), st.permutations(range(len(NAMES))))
def test_names_do_not_matter(rows, rule, order):
    plain = scores(rule, drawn(rows))
    renamed = scores(rule, drawn(rows, names=tuple(NAMES[i] for i in order)))
    for i, name in enumerate(NAMES):
        assert plain[name] == pytest.approx(renamed[NAMES[order[i]]])


@settings(max_examples=60, deadline=None)
@given(ELECTIONS)
def test_upside_down_ballots_mirror_borda_and_copeland_and_swap_plurality_for_veto(rows):
    upside_down = [([r and 6 - r for r in ranks], weight) for ranks, weight in rows]
    for rule, mirrored in (("borda", "borda"), ("copeland", "copeland"), ("plurality", "veto")):
        plain, turned = scores(rule, drawn(rows)), scores(mirrored, drawn(upside_down))
        for name in NAMES:
            assert plain[name] is None or plain[name] == pytest.approx(1.0 - turned[name])


FULL = st.lists(st.tuples(st.permutations([1, 2, 3, 4, 5]), st.integers(1, 3)), min_size=1, max_size=7)


@settings(max_examples=80, deadline=None)
@given(FULL)
def test_every_condorcet_method_elects_the_condorcet_winner(rows):
    ballots = drawn(rows)
    winner = condorcet_winner(Duels.of(ballots))
    for rule in ("copeland", "minimax", "condorcet", "baldwin"):
        best = max(scores(rule, ballots).items(), key=lambda pair: pair[1])
        assert winner is None or best[0] == winner


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(RANKS, st.integers(1, 3)), min_size=1, max_size=7))
def test_the_smith_set_is_the_least_that_beats_all_outside(rows):
    duels = Duels.of(drawn(rows))
    beats = {(NAMES[i], NAMES[j]) for i, j in zip(*np.nonzero(duels.beats), strict=True)}
    dominant = [
        set(chosen)
        for size in range(1, 6)
        for chosen in itertools.combinations(NAMES, size)
        if all((one, other) in beats for one in chosen for other in set(NAMES) - set(chosen))
    ]
    assert set(smith_set(duels)) == dominant[0]
    for above, below in itertools.combinations([set(tier.tolist()) for tier in tiers(duels)], 2):
        assert all((NAMES[i], NAMES[j]) in beats for i in above for j in below)


@pytest.mark.parametrize("rule", RULES)
def test_bootstrap_bounds_hold_the_score_and_stay_in_its_range(rule, rng):
    ballots = sampled_board(rng, n=5, size=200, voters=40)
    ranking = SocialChoice(rule=rule).fit(
        ballots, interval=Bootstrap(cluster="voter", replicates=50), rng=rng
    )
    low, high = (-1.0, 1.0) if rule == "minimax" else (0.0, 1.0)
    for rating in ranking.ratings:
        assert low <= rating.low <= rating.score <= rating.high <= high
    assert [r.score for r in ranking.ratings] == sorted((r.score for r in ranking.ratings), reverse=True)
    assert ranking.settings["unit"] == UNITS[rule]
    json.dumps(ranking.as_dict(), allow_nan=False)


@pytest.mark.parametrize("rule", RULES)
def test_islands_are_ordered_apart_and_the_unmet_has_no_score(rule):
    ballots = board_of(("x", "y", "a", 3), ("p", "q", "a", 2), items=["new"])
    ranking = SocialChoice(rule=rule).fit(ballots)
    assert ranking["x"].component != ranking["p"].component
    assert ranking["new"].score is None
    assert ranking["x"].score == ranking["p"].score > ranking["y"].score == ranking["q"].score
    assert ranking.diagnostics["condorcet_winners"] == ["p", "x"]


def test_the_bootstrap_of_borda_has_the_spread_of_a_mean(rng):
    """With two systems Borda is the share won: its standard error is sqrt(p (1 - p) / n)."""
    ballots = board_of(("x", "y", "a", 260), ("x", "y", "b", 140))
    rating = SocialChoice("borda").fit(ballots, interval=Bootstrap(replicates=600), rng=rng)["x"]
    width = 2 * 1.96 * np.sqrt(0.65 * 0.35 / 400)
    assert rating.high - rating.low == pytest.approx(width, rel=0.1)


@pytest.mark.parametrize(
    "values",
    [{"rule": "x"}, {"alpha": 1.1}, {"opposition": "x"}, {"both_bad": "grounded"}, {"provisional_below": -1}],
)
def test_an_impossible_setting_is_refused(values):
    with pytest.raises(InvalidSetting):
        SocialChoice(**values)


def test_a_sandwich_no_generator_or_one_cluster_is_refused(rng):
    ballots = board_of(("x", "y", "a", 3), voter=["u"] * 3)
    with pytest.raises(InvalidSetting):
        SocialChoice().fit(ballots, interval=Sandwich())
    with pytest.raises(MissingRandomness):
        SocialChoice().fit(ballots, interval=Bootstrap())
    with pytest.raises(TooFewClusters):
        SocialChoice().fit(ballots, interval=Bootstrap(cluster="voter"), rng=rng)


@pytest.mark.parametrize("rule", RULES)
def test_no_ballots_rate_nobody(rule):
    ranking = SocialChoice(rule=rule).fit(Ballots.from_rankings([], items=["x", "y"]))
    assert [rating.score for rating in ranking.ratings] == [None, None]
    assert smith_set(Duels((), np.zeros((0, 0)), np.zeros((0, 0)))) == ()

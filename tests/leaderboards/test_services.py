import json
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.forms.models import model_to_dict
from django.urls import reverse
from django.utils import timezone
from numpy.random import default_rng

from arena.battles.models import Battle, PairingPlan
from arena.battles.services import battle_ask, battle_close
from arena.core.queue import Task
from arena.generation.models import Response
from arena.judging.models import Score
from arena.leaderboards.comparisons import comparisons, ranks_of
from arena.leaderboards.forms import BoardForm
from arena.leaderboards.models import Snapshot
from arena.leaderboards.selectors import board_view
from arena.leaderboards.services import (
    _ask_again,
    arena_refresh,
    boards_ensure,
    snapshot_build,
    snapshot_refresh,
    snapshots_thin,
)
from arena.ranking.registry import MODELS
from arena.votes.models import Vote, VoteExclusion
from arena.votes.services import ballot_of_pair, vote_cast, votes_exclude, votes_include
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def arena():
    return factories.arena(systems=3, prompts=6, answered=True)


@pytest.fixture
def board(arena):
    return factories.board(arena)


def vote(arena, outcome="a", seed=1, voter=None):
    voter = voter or factories.voter()
    battle = factories.battle(arena, voter, seed)
    return vote_cast(
        battle=battle,
        voter=voter,
        ballot=ballot_of_pair(outcome),
        given_by=Vote.Input.FORM,
        now=timezone.now(),
    )


def exclude(vote):
    votes_exclude(votes=Vote.objects.filter(pk=vote.pk), reason=VoteExclusion.Reason.ADMIN, detail="x")


def test_a_board_without_votes_has_no_snapshot(board):
    assert snapshot_build(board=board) is None


def test_a_snapshot_stores_its_question_and_every_rating(arena, board):
    for seed in range(12):
        vote(arena, ["a", "b", "tie"][seed % 3], seed)
    snapshot = snapshot_build(board=board)
    assert snapshot.question["ranking"]["model"] == "bradley-terry"
    assert snapshot.vote_count == snapshot.ballot_count == 12
    assert snapshot.ratings.count() == 3
    assert snapshot.cutoff_id == Vote.objects.latest("pk").pk
    assert sum(rating.score for rating in snapshot.ratings.all()) / 3 == pytest.approx(1000)


def test_skips_and_excluded_votes_are_not_fitted(arena, board):
    vote(arena, "a", 1)
    vote(arena, "skip", 2)
    excluded = vote(arena, "b", 3)
    exclude(excluded)
    snapshot = snapshot_build(board=board)
    assert (snapshot.vote_count, snapshot.excluded_count) == (1, 1)


def test_votes_of_another_arena_are_not_counted(arena, board):
    vote(factories.arena(systems=2, prompts=1, answered=True))
    assert snapshot_build(board=board) is None


def test_nothing_new_makes_no_snapshot(arena, board):
    vote(arena)
    assert snapshot_refresh(board=board)
    assert snapshot_refresh(board=board) is None
    assert snapshot_build(board=board, force=True)


@pytest.mark.parametrize("change", ["vote", "exclusion", "settings"])
def test_a_change_makes_a_snapshot(arena, board, change):
    vote(arena, seed=1)
    vote(arena, seed=2)
    snapshot_refresh(board=board)
    if change == "vote":
        vote(arena, seed=3)
    elif change == "exclusion":
        exclude(Vote.objects.first())
    else:
        board.ranking = {"cluster": "prompt"}
        board.save()
    assert snapshot_refresh(board=board)


def test_the_plan_sends_battles_where_few_were(arena, board):
    vote(arena)
    arena_refresh(arena=arena, now=timezone.now())
    ((_, _, weight),) = PairingPlan.objects.get().weights
    assert weight == 0.5


def test_refreshing_twice_within_the_debounce_time_asks_again_later(
    arena, board, sent, django_capture_on_commit_callbacks
):
    vote(arena, seed=1)
    assert arena_refresh(arena=arena, now=timezone.now())
    vote(arena, seed=2)
    sent.clear()
    with django_capture_on_commit_callbacks(execute=True):
        assert arena_refresh(arena=arena, now=timezone.now()) == []
    assert [message.task for message in sent] == [Task.SNAPSHOT]
    assert sent[0].countdown_s > 0
    assert arena_refresh(arena=arena, now=timezone.now() + timedelta(seconds=10))


def test_the_scores_of_one_prompt_are_one_ballot(arena):
    judge = factories.scorer()
    board = factories.board(arena, voters="judge", judge=judge)
    prompt = arena.prompt_sets.first().prompts.first()
    responses = prompt.responses.order_by("system_id")
    for response, value in zip(responses, [0.2, 0.9, 0.2], strict=True):
        Score.objects.create(judge=judge, response=response, value=value)
    found = comparisons(board)
    assert [row.ranks for row in found.rows] == [[2, 1, 2]]
    assert found.extent.vote_count == 3
    snapshot = snapshot_build(board=board)
    assert snapshot.ballot_count == 1


def test_test_answers_are_not_on_the_automatic_board(arena):
    judge = factories.scorer()
    board = factories.board(arena, voters="judge", judge=judge)
    prompt = arena.prompt_sets.first().prompts.first()
    for system in arena.systems.all():
        tested = factories.response(system=system, prompt=prompt, is_test=True)
        Score.objects.create(judge=judge, response=tested, value=1.0)
    assert comparisons(board).rows == []


def test_people_and_evaluators_never_mix(arena, board):
    judge = factories.scorer()
    automatic = factories.board(arena, voters="judge", judge=judge)
    vote(arena)
    for response in arena.prompt_sets.first().prompts.first().responses.all():
        Score.objects.create(judge=judge, response=response, value=response.pk)
    assert comparisons(board).extent.vote_count == 1
    assert comparisons(automatic).extent.vote_count == 3


def test_ranks_of_scores_are_dense_and_ties_are_equal():
    assert ranks_of([0.1, 0.3, 0.1, 0.2]) == [3, 1, 3, 2]
    assert ranks_of([0.1, 0.1 + 1e-12]) == [1, 1]


def test_old_snapshots_are_thinned_to_one_a_day_and_released_ones_stay(arena, board):
    vote(arena)
    for hours in (100, 99, 98, 1):
        snapshot = snapshot_build(board=board, force=True, released=hours == 100)
        long_ago = (timezone.now() - timedelta(hours=hours)).replace(minute=0)
        Snapshot.objects.filter(pk=snapshot.pk).update(created_at=long_ago)
    days = {s.created_at.date() for s in Snapshot.objects.filter(is_released=False)}
    snapshots_thin(now=timezone.now())
    assert Snapshot.objects.filter(is_released=True).count() == 1
    assert Snapshot.objects.filter(is_released=False).count() == len(days)


def test_a_forgotten_voter_does_not_join_others(arena, board):
    for seed in range(4):
        vote(arena, seed=seed)
    Vote.objects.update(voter=None)
    board.ranking = {"min_clusters": 4}
    assert snapshot_build(board=board).diagnostics["clusters"] == 4


def test_excluding_one_vote_and_bringing_another_back_is_noticed(arena, board):
    first, second = vote(arena, "a", 1), vote(arena, "b", 2)
    exclude(first)
    assert snapshot_refresh(board=board)
    votes_include(votes=Vote.objects.filter(pk=first.pk))
    exclude(second)
    assert snapshot_refresh(board=board)
    assert snapshot_refresh(board=board) is None


def test_an_uncounted_newest_vote_does_not_make_the_board_read_everything_again(arena, board):
    vote(arena, "a", 1)
    snapshot_refresh(board=board)
    exclude(vote(arena, "b", 2))
    assert snapshot_refresh(board=board).excluded_count == 1
    assert snapshot_refresh(board=board) is None


def test_many_requests_within_the_debounce_time_leave_one_pending(
    arena, board, sent, django_capture_on_commit_callbacks
):
    factories.board(arena)
    vote(arena, seed=1)
    now = timezone.now()
    arena_refresh(arena=arena, now=now)
    vote(arena, seed=2)
    sent.clear()
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(3):
            _ask_again(arena, now=timezone.now(), wait_s=2)
    assert len(sent) == 1


def test_a_board_that_cannot_be_fitted_holds_up_no_other(arena):
    factories.board(arena, ranking={"model": "nonsense"}, position=1)
    good = factories.board(arena, position=2)
    vote(arena)
    assert [snapshot.board for snapshot in arena_refresh(arena=arena, now=timezone.now())] == [good]


def test_a_live_battle_does_not_move_the_automatic_board_while_it_is_blind(arena):
    judge = factories.scorer()
    board = factories.board(arena, voters="judge", judge=judge)
    battle = battle_ask(
        arena=arena, voter=factories.voter(), text="Why?", now=timezone.now(), rng=default_rng(1)
    )
    for slot in battle.slots.all():
        answer = factories.response(system=slot.system, prompt=battle.prompt, is_stock=False)
        Score.objects.create(judge=judge, response=answer, value=slot.position)
    assert comparisons(board).rows == []
    battle_close(battle=battle, reason=Battle.CloseReason.VOTED, now=timezone.now())
    assert len(comparisons(board).rows) == 1


def test_a_new_arena_gets_a_board_of_people_and_others_are_left_alone(arena, board):
    bare = factories.arena()
    assert boards_ensure() == 1
    assert boards_ensure() == 0
    assert bare.boards.get().voters == "human"
    assert arena.boards.get() == board


MODEL_SETTINGS = [
    *({"model": name} for name in MODELS if name != "contextual-bradley-terry"),
    {"model": "contextual-bradley-terry", "covariates": ["words"], "position": True},
    {"model": "contextual-bradley-terry", "position": True, "ties": "davidson"},
    {"model": "counting", "score": "average_rank"},
    {"ties": "davidson", "weights": "inverse-draw-probability"},
    {"weights": "inverse-pair-frequency", "breaking": "adjacent"},
]


@pytest.mark.parametrize("settings", MODEL_SETTINGS, ids=str)
def test_a_board_changes_its_model_by_its_settings_alone(arena, board, client, settings):
    for number, response in enumerate(Response.objects.order_by("pk")):
        Response.objects.filter(pk=response.pk).update(text="word " * (1 + 7 * number % 11))
    for seed in range(24):
        vote(arena, ["a", "b", "tie", "a"][seed % 4], seed)
    board.ranking = {**settings, "replicates": 4, "permutations": 3}
    form = BoardForm({**model_to_dict(board), "ranking": json.dumps(board.ranking)}, instance=board)
    assert form.is_valid(), form.errors
    snapshot = snapshot_build(board=form.save())
    assert snapshot.diagnostics["n_ballots"] == 24
    assert all(rating.score is not None for rating in snapshot.ratings.all())
    page = client.get(reverse("leaderboards:board", args=[arena.slug, board.slug])).content.decode()
    assert MODELS[settings.get("model", "bradley-terry")].title in page
    if settings.get("score") == "average_rank":
        shown = [row.score for row in board_view(board=board).rows]
        assert shown == sorted(shown)


@pytest.mark.parametrize(
    "ranking",
    [
        {"model": "contextual-bradley-terry"},
        {"model": "contextual-bradley-terry", "covariates": ["charm"]},
        {"model": "contextual-bradley-terry", "covariates": "words"},
        {"model": "nobody"},
        {"weights": "heavier"},
    ],
)
def test_ranking_settings_that_mean_nothing_are_refused_in_the_form(board, ranking):
    form = BoardForm({**model_to_dict(board), "ranking": json.dumps(ranking)}, instance=board)
    assert not form.is_valid()
    assert "The ranking library refuses this" in str(form.errors["ranking"])


PAIR_RULES = ["uniform", "least-compared", "information", "ksort-ucb", "thompson", "small-margin", "targets"]


@pytest.mark.parametrize("rule", PAIR_RULES)
def test_an_arena_changes_its_pairing_by_one_setting(arena, board, rule):
    arena.pairing = {"rule": rule}
    arena.full_clean()
    arena.save()
    for seed in range(20):
        vote(arena, ["a", "b", "tie", "a"][seed % 4], seed)
    arena_refresh(arena=arena, now=timezone.now())
    plan = PairingPlan.objects.get()
    systems = set(arena.systems.values_list("pk", flat=True))
    assert plan.rule == rule
    assert {a for a, _, _ in plan.weights} | {b for _, b, _ in plan.weights} == systems
    if rule != "least-compared":
        assert sum(weight for _, _, weight in plan.weights) == pytest.approx(3)
    battle = factories.battle(arena, factories.voter())
    assert (battle.pairing_rule, 0 < battle.draw_probability <= 1) == (rule, True)


def test_a_board_without_strengths_leaves_the_pairing_to_who_met_least(arena, board, caplog):
    arena.pairing = {"rule": "information"}
    arena.save()
    board.ranking = {"model": "counting"}
    board.save()
    for seed in range(6):
        vote(arena, "a", seed)
    arena_refresh(arena=arena, now=timezone.now())
    assert PairingPlan.objects.get().rule == "least-compared"
    assert "pairing_rule_not_followed" in caplog.text


@pytest.mark.parametrize(
    "pairing",
    [
        {"rule": "nobody"},
        {"rule": "information", "charm": 1},
        {"rule": "dissimilar"},
        ["information"],
    ],
)
def test_a_pairing_that_no_plan_of_pairs_comes_of_is_refused(arena, pairing):
    arena.pairing = pairing
    with pytest.raises(ValidationError) as refused:
        arena.full_clean()
    assert list(refused.value.message_dict) == ["pairing"]

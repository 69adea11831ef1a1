import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from numpy.random import default_rng

from arena.battles.models import Battle
from arena.battles.services import battle_ask, battle_close
from arena.catalog.models import Prompt
from arena.core.queue import Task
from arena.generation.models import Response
from arena.generation.services import FinishedText, job_claim, job_finish
from arena.votes.models import Vote, VoteExclusion
from arena.votes.services import (
    AlreadyVoted,
    Ballot,
    BattleClosed,
    BattleNotReady,
    InvalidBallot,
    NotYourBattle,
    ballot_of_pair,
    vote_cast,
    voter_forget,
    votes_exclude,
    votes_include,
)
from tests import factories


@pytest.fixture
def arena(db):
    return factories.arena(systems=2, prompts=2, answered=True)


@pytest.fixture
def voter(db):
    return factories.voter()


@pytest.fixture
def battle(arena, voter):
    return factories.battle(arena, voter)


def cast(battle, voter, outcome="a", now=None):
    return vote_cast(
        battle=battle,
        voter=voter,
        ballot=ballot_of_pair(outcome),
        given_by=Vote.Input.FORM,
        now=now or timezone.now(),
    )


@pytest.mark.parametrize(
    ("outcome", "ranks", "all_bad", "word"),
    [
        ("a", [1, 2], False, "model_a"),
        ("b", [2, 1], False, "model_b"),
        ("tie", [1, 1], False, "tie"),
        ("both_bad", [1, 1], True, "both_bad"),
        ("skip", [None, None], False, "skip"),
    ],
)
def test_every_button_is_stored_as_a_ranking(battle, voter, outcome, ranks, all_bad, word):
    vote = cast(battle, voter, outcome)
    vote.refresh_from_db()
    assert (vote.ranks, vote.all_bad, vote.outcome) == (ranks, all_bad, word)
    assert vote.is_skip == (outcome == "skip")


def test_a_vote_ends_its_battle_and_knows_how_long_it_took(battle, voter):
    vote = cast(battle, voter, now=battle.created_at + timedelta(seconds=12))
    battle.refresh_from_db()
    assert battle.closed_reason == Battle.CloseReason.VOTED
    assert vote.latency_ms == 12_000


def test_a_second_vote_is_refused_and_the_first_stands(battle, voter):
    cast(battle, voter, "a")
    with pytest.raises(AlreadyVoted):
        cast(battle, voter, "b")
    assert [vote.outcome for vote in Vote.objects.all()] == ["model_a"]


def test_the_database_itself_refuses_a_second_vote(battle, voter):
    vote = cast(battle, voter)
    vote.pk = None
    with pytest.raises(IntegrityError, match="vote_one_per_voter_battle_criterion"), transaction.atomic():
        vote.save(force_insert=True)


def test_another_voter_cannot_vote_on_the_battle(battle):
    with pytest.raises(NotYourBattle):
        cast(battle, factories.voter())
    assert not Vote.objects.exists()


def test_a_battle_closed_for_failure_takes_no_vote(battle, voter):
    battle_close(battle=battle, reason=Battle.CloseReason.FAILED, now=timezone.now())
    with pytest.raises(BattleClosed):
        cast(battle, voter)


def test_an_unfinished_battle_takes_no_vote(arena, voter):
    battle = battle_ask(arena=arena, voter=voter, text="Hello?", now=timezone.now(), rng=default_rng(1))
    with pytest.raises(BattleNotReady):
        cast(battle, voter)


@pytest.mark.parametrize("word", ["", "A", "c", "model_a", "1", "a\x00", "tie "])
def test_an_unknown_outcome_is_refused(word):
    with pytest.raises(InvalidBallot):
        ballot_of_pair(word)


def test_a_ballot_of_wrong_length_is_refused(battle, voter):
    with pytest.raises(InvalidBallot):
        vote_cast(
            battle=battle, voter=voter, ballot=Ballot((1, 2, 3)), given_by=Vote.Input.FORM, now=timezone.now()
        )


def leaking_battle(voter, text, prompt_text="Say something."):
    arena = factories.arena(systems=0, prompts=0)
    prompt = factories.prompt(prompt_text, prompt_set=arena.prompt_sets.first())
    for name, answer in (("Alpha-7B", text), ("Beta-2B", "A plain answer.")):
        factories.response(system=factories.system(name, arena=arena), prompt=prompt, text=answer)
    return factories.battle(arena, voter)


def test_an_answer_that_names_its_maker_is_kept_and_not_counted(voter):
    battle = leaking_battle(voter, "I am ChatGPT, a language model trained by OpenAI.")
    vote = cast(battle, voter)
    exclusion = VoteExclusion.objects.get(vote=vote)
    assert exclusion.reason == VoteExclusion.Reason.IDENTITY_LEAK
    assert not Vote.objects.counted().exists()
    assert Vote.objects.ranked().count() == 1


def test_an_answer_that_names_the_system_itself_is_a_leak(voter):
    cast(leaking_battle(voter, "Hello, I'm Alpha-7B."), voter)
    assert VoteExclusion.objects.count() == 1


def test_a_plain_answer_is_no_leak(battle, voter):
    cast(battle, voter)
    assert Vote.objects.counted().count() == 1


def test_admins_exclude_and_bring_back_without_losing_the_vote(battle, voter):
    vote = cast(battle, voter)
    assert votes_exclude(votes=Vote.objects.all(), reason=VoteExclusion.Reason.ADMIN, detail="Test.") == 1
    assert not Vote.objects.counted().exists()
    assert votes_include(votes=Vote.objects.filter(pk=vote.pk)) == 1
    assert Vote.objects.counted().count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_ten_votes_at_once_exactly_one_is_stored():
    arena = factories.arena(systems=2, prompts=1, answered=True)
    voter = factories.voter()
    battle = factories.battle(arena, voter)
    results = []
    start = threading.Barrier(10)

    def vote(outcome):
        try:
            start.wait(timeout=10)
            cast(battle, voter, outcome)
            results.append("stored")
        except AlreadyVoted:
            results.append("already")
        finally:
            connection.close()

    threads = [threading.Thread(target=vote, args=("ab"[i % 2],)) for i in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["already"] * 9 + ["stored"]
    assert Vote.objects.count() == 1


def test_a_forgotten_voter_leaves_bare_votes_that_are_not_counted(arena, voter):
    cast(factories.battle(arena, voter), voter)
    asked = battle_ask(arena=arena, voter=voter, text="My secret?", now=timezone.now(), rng=default_rng(1))
    factories.response(system=asked.slots.first().system, prompt=asked.prompt, text="Your secret is …")
    other = factories.battle(arena, factories.voter())
    assert voter_forget(voter=voter) == 1
    vote = Vote.objects.get()
    assert vote.voter is None
    assert not Vote.objects.counted().exists()
    assert not Prompt.objects.filter(text__contains="secret").exists()
    assert not Response.objects.filter(text__contains="secret").exists()
    assert Prompt.objects.filter(pk=other.prompt_id, text__startswith="Question").exists()


def test_a_vote_asks_for_a_snapshot(battle, voter, sent, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        cast(battle, voter)
    assert (Task.SNAPSHOT, {"arena_id": battle.arena_id}) in [(message.task, message.ids) for message in sent]


def test_forgetting_stops_a_running_answer_from_being_stored(arena, voter):
    battle_ask(arena=arena, voter=voter, text="My secret?", now=timezone.now(), rng=default_rng(1))
    job = job_claim(worker="w", now=timezone.now())
    voter_forget(voter=voter)
    assert job_finish(job=job, result=FinishedText("Your secret."), now=timezone.now()) is None
    assert not Response.objects.filter(text__contains="secret").exists()

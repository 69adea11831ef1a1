from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from numpy.random import default_rng

from arena.battles.models import Battle
from arena.battles.selectors import battle_state
from arena.battles.services import battle_ask, battle_watched, battles_abandon
from arena.battles.views import stream_events
from arena.generation.models import Job
from arena.generation.services import FinishedText, job_claim, job_finish
from tests import factories

pytestmark = pytest.mark.django_db

NOW = timezone.now()
LATER = NOW + timedelta(seconds=61)


@pytest.fixture
def arena():
    return factories.arena(systems=3)


def ask(arena, now=NOW):
    return battle_ask(arena=arena, voter=factories.voter(), text="Hello?", now=now, rng=default_rng(1))


def statuses(battle):
    return sorted(battle.slots.values_list("job__status", flat=True))


def test_a_battle_that_nobody_watches_is_taken_out_of_the_queue(arena):
    battle = ask(arena)
    assert battles_abandon(now=NOW + timedelta(seconds=59)) == 0
    assert battles_abandon(now=LATER) == 1
    battle.refresh_from_db()
    assert battle.closed_reason == Battle.CloseReason.LEFT
    assert statuses(battle) == ["cancelled", "cancelled"]
    assert battles_abandon(now=LATER) == 0


def test_a_battle_that_is_watched_stays(arena):
    battle = ask(arena)
    battle_watched(battle=battle, now=LATER)
    assert battles_abandon(now=LATER) == 0
    assert statuses(battle) == ["queued", "queued"]


def test_what_a_worker_has_begun_is_finished(arena):
    battle = ask(arena)
    running = job_claim(worker="host:1", now=NOW)
    assert battles_abandon(now=LATER) == 1
    assert statuses(battle) == ["cancelled", "running"]
    assert job_finish(job=running, result=FinishedText("hello"), now=LATER)


def test_a_battle_whose_jobs_all_run_is_left_alone(arena):
    battle = ask(arena)
    for _ in range(2):
        job_claim(worker="host:1", now=NOW)
    assert battles_abandon(now=LATER) == 0
    battle.refresh_from_db()
    assert battle.closed_at is None


def test_the_place_in_the_queue_counts_older_prompts_of_voters_alone(arena):
    first, second = ask(arena), ask(arena)
    assert battle_state(battle=first).ahead == 0
    assert battle_state(battle=second).ahead == 2
    for _ in range(2):
        job_claim(worker="host:1", now=NOW)
    assert battle_state(battle=second).ahead == 0


def test_the_stream_tells_the_place_in_the_queue_when_it_changes(arena):
    ask(arena)
    battle = ask(arena)
    events = stream_events(battle, 0)
    assert next(events).endswith('event: queue\ndata: {"ahead": "2"}\n\n')
    battle.refresh_from_db()
    assert battle.watched_at > NOW


def test_the_page_says_how_many_are_ahead_and_what_became_of_a_battle_that_was_left(client, arena):
    ask(arena)
    client.post(reverse("battles:ask", args=[arena.slug]), {"text": "Hello?"})
    battle = Battle.objects.latest("created_at")
    page = reverse("battles:battle", args=[battle.pk])
    assert "2 prompts are ahead of yours." in client.get(page).content.decode()
    Battle.objects.filter(pk=battle.pk).update(watched_at=NOW - timedelta(minutes=2))
    assert battles_abandon(now=timezone.now()) == 1
    assert "You left before both had answered." in client.get(page).content.decode()
    assert Job.objects.filter(status="cancelled").count() == 2

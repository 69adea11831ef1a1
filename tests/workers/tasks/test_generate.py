import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from arena.battles.models import Battle
from arena.battles.services import battle_ask
from arena.catalog.models import System
from arena.core.models import Heartbeat
from arena.core.queue import Task
from arena.generation.fleet import fleet
from arena.generation.models import Job, Outage, Response, StreamedText
from arena.generation.services import FinishedText, job_claim, job_create, jobs_recover
from tests import factories
from workers.backends.errors import BackendUnavailable
from workers.loaded import LoadedBackends
from workers.tasks import generate as module
from workers.tasks.generate import generate
from workers.tasks.sweep import reconcile, sweep

pytestmark = pytest.mark.django_db(transaction=True)


def fake_system(arena=None, **options):
    return factories.system(arena=arena, provider="fake", provider_options=options, generation_settings={})


@pytest.fixture
def sentences(monkeypatch):
    monkeypatch.setattr(module, "loaded_backends", LoadedBackends(capacity=4))


def queue(system, purpose=Job.Purpose.STOCK):
    return job_create(system=system, prompt=factories.prompt(), purpose=purpose, seed=1)


def test_a_job_becomes_a_response_with_provenance(sentences, sent):
    job = queue(fake_system())
    generate()
    response = Response.objects.get(job=job)
    assert response.text
    assert response.provenance["seed"] == 1
    assert response.provenance["worker"]
    assert Task.SCORE in [message.task for message in sent]


def test_running_the_task_twice_makes_one_response(sentences):
    queue(fake_system())
    generate()
    generate()
    assert Response.objects.count() == 1


def test_a_worker_shows_that_it_is_alive(sentences):
    generate()
    assert Heartbeat.objects.filter(name="worker:generate").exists()


def test_a_live_job_leaves_its_text_for_the_page(sentences):
    queue(fake_system(), Job.Purpose.LIVE)
    generate()
    assert StreamedText.objects.count() == 1


def test_a_test_job_is_not_scored_and_never_enters_a_battle(sentences, sent):
    queue(fake_system(), Job.Purpose.TEST)
    sent.clear()
    generate()
    assert Response.objects.get().is_test
    assert Task.SCORE not in [message.task for message in sent]


def test_an_endpoint_that_is_down_is_tried_again_and_then_fails_in_plain_words(sentences):
    system = factories.system(provider_options={"base_url": "http://127.0.0.1:9/v1", "model": "m"})
    job = queue(system)
    for _ in range(3):
        generate()
        Job.objects.update(not_before=None)
    job.refresh_from_db()
    assert job.status == Job.Status.FAILED
    assert job.attempts == 3
    assert job.error_kind == BackendUnavailable.__name__
    assert job.error
    assert "Traceback" in job.traceback


def test_a_wrong_setting_fails_at_once_with_its_name(sentences):
    system = fake_system()
    system.generation_settings = {"temprature": 1}
    system.save()
    job = queue(system)
    generate()
    job.refresh_from_db()
    assert job.status == Job.Status.FAILED
    assert "temprature" in job.error


def test_an_unexpected_error_is_recorded_and_raised(sentences, monkeypatch):
    def broken(job):
        raise KeyError("surprise")

    monkeypatch.setattr(module, "answer", broken)
    job = queue(fake_system())
    with pytest.raises(KeyError):
        generate()
    job.refresh_from_db()
    assert job.status == Job.Status.FAILED
    assert "surprise" in job.error


def live_battle(arena):
    import numpy as np

    return battle_ask(
        arena=arena,
        voter=factories.voter(),
        text="Why?",
        now=timezone.now(),
        rng=np.random.default_rng(3),
    )


def test_a_failing_system_is_replaced_in_a_live_battle(sentences):
    arena = factories.arena()
    broken = factories.system(arena=arena, provider_options={"base_url": "nonsense", "model": "m"})
    good = [fake_system(arena), fake_system(arena)]
    battle = live_battle(arena)
    while broken.pk not in battle.slots.values_list("system_id", flat=True):
        battle = live_battle(arena)
    for _ in range(12):
        generate()
    systems = set(battle.slots.values_list("system_id", flat=True))
    assert systems == {system.pk for system in good}
    battle.refresh_from_db()
    assert battle.closed_at is None


def test_with_nobody_to_stand_in_the_battle_is_closed(sentences):
    arena = factories.arena()
    for _ in range(2):
        factories.system(arena=arena, provider_options={"base_url": "nonsense", "model": "m"})
    battle = live_battle(arena)
    generate()
    battle.refresh_from_db()
    assert battle.closed_reason == Battle.CloseReason.FAILED


def test_the_sweep_closes_a_battle_whose_workers_kept_dying(sentences):
    arena = factories.arena()
    for _ in range(2):
        fake_system(arena)
    battle = live_battle(arena)
    now = timezone.now()
    for _ in range(3):
        job_claim(worker="w", now=now)
        now += timedelta(minutes=10)
        jobs_recover(now=now)
        Job.objects.filter(status="queued").exclude(attempts__gt=0).update(not_before=now + timedelta(days=1))
    sweep()
    battle.refresh_from_db()
    assert battle.closed_reason == Battle.CloseReason.FAILED


def test_the_reconciler_queues_missing_stock_and_refreshes_boards(sent):
    arena = factories.arena(systems=2, prompts=2)
    factories.board(arena)
    reconcile()
    assert Job.objects.filter(purpose=Job.Purpose.STOCK).count() == 4
    assert Task.SNAPSHOT in [message.task for message in sent]


@pytest.mark.parametrize("changes", [{"prompt_tokens": -1}, {"provenance": {"model": "a\x00b"}}])
def test_an_answer_that_cannot_be_stored_fails_the_job_with_the_reason(sentences, monkeypatch, changes):
    monkeypatch.setattr(module, "answer", lambda _job: FinishedText("fine", **changes))
    job = queue(fake_system(), Job.Purpose.TEST)
    generate()
    job.refresh_from_db()
    assert job.status == Job.Status.FAILED
    assert "could not be stored" in job.error


def test_a_cut_connection_is_replaced_and_the_answer_stored(sentences, monkeypatch):
    def cut(job):
        with connection.cursor() as cursor, pytest.raises(OperationalError):
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return FinishedText("after the cut")

    monkeypatch.setattr(module, "answer", cut)
    queue(fake_system())
    generate()
    assert Response.objects.get().text == "after the cut"


def test_a_scripted_outage_is_survived_and_told(sentences, sent):
    """An endpoint goes down and comes back: nothing is lost, and the Fleet page knows all along."""
    system = factories.system(provider_options={"base_url": "http://127.0.0.1:9/v1", "model": "m"})
    jobs = [queue(system) for _ in range(3)]
    now = timezone.now()
    for _ in range(3):
        generate()
        Job.objects.update(not_before=None)
    line = fleet(now=now).systems[0]
    assert line.outage.kind == Outage.Kind.AUTOMATIC
    assert "cannot be reached" in line.outage.reason
    generate()
    assert Job.objects.filter(status=Job.Status.QUEUED).count() == 2

    System.objects.filter(pk=system.pk).update(provider="fake", provider_options={})
    Outage.objects.update(probe_at=now)
    sweep()
    generate()
    assert fleet(now=timezone.now()).systems[0].outage is None
    for _ in range(3):
        generate()
    assert Response.objects.filter(is_test=False).count() == 2
    jobs[0].refresh_from_db()
    assert (jobs[0].status, jobs[0].is_retryable) == (Job.Status.FAILED, True)


def test_a_worker_reports_itself_and_what_it_holds(sentences):
    system = fake_system()
    queue(system)
    generate()
    (line,) = fleet(now=timezone.now()).workers
    assert line.systems == [system.name]
    assert str(os.getpid()) in line.process.name


def test_a_program_on_the_worker_answers_a_job(sentences, monkeypatch):
    program = Path(__file__).parents[1] / "backends" / "word_program.py"
    monkeypatch.setenv("COMMAND_BACKENDS", f"words={sys.executable} {program}")
    system = factories.system(
        provider="command",
        provider_options={"command": "words"},
        generation_settings={"max_tokens": 5},
    )
    job = queue(system)
    generate()
    job.refresh_from_db()
    assert (job.status, job.error) == (Job.Status.DONE, "")
    assert len(Response.objects.get(job=job).text.split()) == 5

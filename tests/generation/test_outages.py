from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone
from numpy.random import default_rng

from arena.battles.models import Battle
from arena.battles.services import ArenaClosed, battle_ask
from arena.core.queue import Task
from arena.generation.models import Job, Outage, Response, SystemHealth
from arena.generation.outages import (
    AlreadyOut,
    NotOut,
    outage_begin,
    outage_end,
    outage_probe_now,
    outages_probe,
)
from arena.generation.services import FinishedText, job_claim, job_create, job_fail, job_finish, stock_ensure
from tests import factories

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def queue(system, purpose=Job.Purpose.STOCK, seed=1):
    return job_create(system=system, prompt=factories.prompt(), purpose=purpose, seed=seed)


def claim(now=NOW):
    return job_claim(worker="host:1", now=now)


def fail(job, *, of_system=True, retry=False, now=NOW):
    return job_fail(
        job=job,
        error="The endpoint refused the connection.",
        error_kind="BackendUnavailable",
        traceback="",
        is_retryable=retry,
        is_of_system=of_system,
        now=now,
    )


def fail_often(system, times=3, **how):
    for _ in range(times):
        queue(system)
        fail(claim(), **how)


def test_a_system_that_fails_again_and_again_is_taken_out():
    system = factories.system()
    fail_often(system, 2)
    assert not Outage.objects.exists()
    fail_often(system, 1)
    outage = Outage.objects.standing().get()
    assert (outage.system, outage.kind, outage.reason) == (
        system,
        Outage.Kind.AUTOMATIC,
        "The endpoint refused the connection.",
    )
    assert outage.probe_at == NOW + timedelta(seconds=30)


def test_failures_of_single_prompts_take_nobody_out():
    system = factories.system()
    fail_often(system, 5, of_system=False)
    assert not Outage.objects.exists()


def test_an_answer_between_failures_starts_the_count_again():
    system = factories.system()
    fail_often(system, 2)
    queue(system)
    job_finish(job=claim(), result=FinishedText("hello"), now=NOW)
    fail_often(system, 2)
    assert not Outage.objects.exists()
    assert SystemHealth.objects.get().failures_in_a_row == 2


def test_a_system_that_is_out_is_asked_nothing_and_loses_nothing():
    out, other = factories.system(), factories.system()
    waiting = queue(out)
    outage_begin(system=out, reason="maintenance", by="ada", now=NOW)
    mine = queue(other)
    assert claim() == mine
    assert claim() is None
    outage_end(system=out, by="ada", now=NOW)
    assert claim() == waiting


def test_an_admins_test_reaches_a_system_that_is_out():
    system = factories.system()
    outage_begin(system=system, reason="maintenance", by="ada", now=NOW)
    job = queue(system, Job.Purpose.TEST)
    assert claim() == job


def test_a_probe_is_made_when_it_is_due_and_then_ever_later():
    system = factories.system()
    fail_often(system)
    assert outages_probe(now=NOW) == 0
    due = NOW + timedelta(seconds=31)
    assert outages_probe(now=due) == 1
    assert outages_probe(now=due) == 0
    probe = claim(due)
    assert probe.purpose == Job.Purpose.PROBE
    fail(probe, now=due)
    outage = Outage.objects.standing().get()
    assert outage.probes == 1
    assert outage.probe_at == due + timedelta(seconds=60)


def test_a_probe_that_is_answered_brings_the_system_back_and_is_no_answer_of_a_battle(
    sent, django_capture_on_commit_callbacks
):
    system = factories.system()
    fail_often(system)
    outages_probe(now=NOW + timedelta(seconds=31))
    with django_capture_on_commit_callbacks(execute=True):
        job_finish(job=claim(), result=FinishedText("hello"), now=NOW)
    assert not Outage.objects.standing().exists()
    assert Outage.objects.get().ended_by == "it answered again"
    assert Response.objects.get().is_test
    system.refresh_from_db()
    assert system.answered_at is None
    assert Task.GENERATE in [message.task for message in sent]


def test_a_system_switched_off_by_hand_is_not_probed_and_no_answer_brings_it_back():
    system = factories.system()
    queue(system)
    running = claim()
    outage_begin(system=system, reason="too expensive", by="ada", now=NOW)
    assert outages_probe(now=NOW + timedelta(days=1)) == 0
    job_finish(job=running, result=FinishedText("hello"), now=NOW)
    assert Outage.objects.standing().get().kind == Outage.Kind.MANUAL


def test_by_hand_takes_over_from_automatic_and_only_once():
    system = factories.system()
    fail_often(system)
    outage_begin(system=system, reason="let it be", by="ada", now=NOW)
    assert Outage.objects.standing().get().begun_by == "ada"
    with pytest.raises(AlreadyOut):
        outage_begin(system=system, reason="again", by="ada", now=NOW)


def test_what_is_in_service_cannot_be_brought_back_or_probed():
    system = factories.system()
    with pytest.raises(NotOut):
        outage_end(system=system, by="ada", now=NOW)
    with pytest.raises(NotOut):
        outage_probe_now(system=system, now=NOW)


def test_an_admin_need_not_wait_for_the_next_probe():
    system = factories.system()
    fail_often(system)
    outage_probe_now(system=system, now=NOW)
    assert claim().purpose == Job.Purpose.PROBE


def test_two_standing_outages_of_one_system_are_impossible():
    system = factories.system()
    Outage.objects.create(system=system, kind="manual", reason="one")
    with pytest.raises(IntegrityError):
        Outage.objects.create(system=system, kind="manual", reason="two")


def test_nobody_waits_for_a_system_that_goes_out():
    """Live jobs of the system fail at once, so that the battle asks another one."""
    arena = factories.arena(systems=3)
    battle = battle_ask(arena=arena, voter=factories.voter(), text="Hello?", now=NOW, rng=default_rng(1))
    slot = battle.slots.first()
    outage_begin(system=slot.system, reason="maintenance", by="ada", now=NOW)
    slot.job.refresh_from_db()
    assert (slot.job.status, slot.job.error_kind) == (Job.Status.FAILED, "OutOfService")
    assert Battle.objects.get().closed_at is None


def test_a_system_that_is_out_is_not_drawn_for_live_prompts():
    arena = factories.arena(systems=3)
    out = arena.systems.first()
    outage_begin(system=out, reason="maintenance", by="ada", now=NOW)
    for _ in range(6):
        battle = battle_ask(arena=arena, voter=factories.voter(), text="Hello?", now=NOW, rng=default_rng(1))
        assert out not in [slot.system for slot in battle.slots.all()]
    outage_begin(system=arena.systems.last(), reason="maintenance", by="ada", now=NOW)
    with pytest.raises(ArenaClosed):
        battle_ask(arena=arena, voter=factories.voter(), text="Hello?", now=NOW, rng=default_rng(1))


def test_stock_of_a_system_that_is_out_is_queued_and_waits():
    arena = factories.arena(systems=2, prompts=1)
    outage_begin(system=arena.systems.first(), reason="maintenance", by="ada", now=NOW)
    assert stock_ensure(arena=arena) == 2
    assert claim() is not None
    assert claim() is None


def test_a_system_answers_no_more_jobs_at_once_than_it_may():
    limited, free = factories.system(max_concurrency=2), factories.system()
    jobs = [queue(limited, seed=seed) for seed in range(4)]
    other = queue(free)
    claimed = [claim() for _ in range(3)]
    assert claimed == [jobs[0], jobs[1], other]
    assert claim() is None
    job_finish(job=claimed[0], result=FinishedText("hello"), now=NOW)
    assert claim() == jobs[2]

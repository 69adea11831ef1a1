import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from arena.core.queue import Task
from arena.generation.models import Job, Response, StreamedText
from arena.generation.selectors import stock_progress
from arena.generation.services import (
    FinishedText,
    job_claim,
    job_create,
    job_fail,
    job_finish,
    job_heartbeat,
    job_stream,
    jobs_recover,
    jobs_requeue,
    jobs_resend,
    stock_ensure,
    stock_retry,
    streams_sweep,
)
from tests import factories

NOW = timezone.now()


def job(purpose=Job.Purpose.STOCK, system=None, seed=1):
    return job_create(
        system=system or factories.system(), prompt=factories.prompt(), purpose=purpose, seed=seed
    )


def claim(now=NOW, **kwargs):
    return job_claim(worker="w", now=now, **kwargs)


def fail(job, *, retry=True):
    return job_fail(job=job, error="Down.", error_kind="E", traceback="tb", is_retryable=retry, now=NOW)


@pytest.mark.django_db
class TestClaim:
    def test_a_waiting_voter_comes_before_a_test_before_stock(self):
        for purpose in (Job.Purpose.STOCK, Job.Purpose.TEST, Job.Purpose.LIVE):
            job(purpose)
        assert [claim().purpose for _ in range(3)] == ["live", "test", "stock"]

    def test_the_loaded_system_comes_first_among_equals(self):
        job()
        loaded = job()
        assert claim(prefer_systems=[loaded.system_id]) == loaded

    def test_a_retry_waits_for_its_time(self):
        first = job()
        fail(claim())
        assert claim() is None
        assert claim(now=NOW + timedelta(seconds=30)) == first

    def test_an_empty_queue_gives_nothing(self):
        assert claim() is None


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_claim_the_same_job():
    for _ in range(6):
        job()
    claimed, start = [], threading.Barrier(3)

    def work():
        try:
            start.wait(timeout=10)
            while (found := claim()) is not None:
                claimed.append(found.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(Job.objects.values_list("pk", flat=True))


@pytest.mark.django_db
class TestFinish:
    def test_the_response_carries_its_provenance(self):
        found = claim(now=job().created_at + timedelta(seconds=3))
        result = FinishedText("Hi.", finish_reason="stop", completion_tokens=2, provenance={"device": "cpu"})
        response = job_finish(job=found, result=result, now=NOW)
        assert response.checksum == Response.checksum_of("Hi.")
        assert response.provenance["settings_hash"] == found.system.settings_hash
        assert response.provenance["device"] == "cpu"
        assert response.queue_s == pytest.approx(3)

    def test_zero_bytes_of_a_model_do_not_stop_the_write(self):
        job()
        assert job_finish(job=claim(), result=FinishedText("a\x00b"), now=NOW).text == "ab"

    def test_a_worker_that_lost_its_lease_stores_nothing(self):
        job()
        slow = claim()
        jobs_recover(now=NOW + timedelta(minutes=5))
        quick = claim(now=NOW + timedelta(minutes=5))
        assert quick.pk == slow.pk
        assert job_finish(job=slow, result=FinishedText("late"), now=NOW) is None
        assert job_finish(job=quick, result=FinishedText("first"), now=NOW).text == "first"
        assert [response.text for response in Response.objects.all()] == ["first"]

    def test_finishing_twice_stores_one_response(self):
        job()
        found = claim()
        assert job_finish(job=found, result=FinishedText("one"), now=NOW)
        assert job_finish(job=found, result=FinishedText("two"), now=NOW) is None
        assert Response.objects.count() == 1


@pytest.mark.django_db
class TestFailure:
    def test_a_retryable_failure_is_queued_again_until_the_attempts_are_spent(self, settings):
        job()
        now = NOW
        for attempt in range(1, settings.JOB_MAX_ATTEMPTS + 1):
            found = fail(claim(now=now))
            assert found.attempts == attempt
            now += timedelta(minutes=1)
        assert found.status == Job.Status.FAILED
        assert found.error == "Down."

    def test_a_failure_that_is_not_retryable_ends_the_job(self):
        job()
        assert fail(claim(), retry=False).status == Job.Status.FAILED

    def test_a_failure_reported_without_the_lease_changes_nothing(self):
        job()
        slow = claim()
        jobs_recover(now=NOW + timedelta(minutes=5))
        claim(now=NOW + timedelta(minutes=5))
        assert fail(slow).status == Job.Status.RUNNING

    def test_failed_jobs_can_be_queued_again_but_not_those_of_voters_who_left(self):
        for purpose in (Job.Purpose.STOCK, Job.Purpose.LIVE):
            job(purpose)
            fail(claim(), retry=False)
        assert jobs_requeue(jobs=Job.objects.all()) == 1
        assert Job.objects.get(status=Job.Status.QUEUED).purpose == Job.Purpose.STOCK


@pytest.mark.django_db
class TestRecovery:
    def test_a_silent_workers_job_is_queued_again(self):
        job()
        claim()
        jobs_recover(now=NOW + timedelta(seconds=60))
        assert Job.objects.get().status == Job.Status.QUEUED

    def test_a_beating_worker_keeps_its_job(self):
        job()
        found = claim()
        assert job_heartbeat(job=found, now=NOW + timedelta(seconds=55))
        jobs_recover(now=NOW + timedelta(seconds=60))
        assert Job.objects.get().status == Job.Status.RUNNING

    def test_even_a_beating_worker_loses_its_job_when_the_lease_ends(self, settings):
        job()
        found = claim()
        end = NOW + timedelta(seconds=settings.JOB_LEASE_S + 1)
        job_heartbeat(job=found, now=end)
        jobs_recover(now=end)
        assert Job.objects.get().status == Job.Status.QUEUED

    def test_a_job_that_keeps_killing_workers_fails_with_a_sentence(self, settings):
        job()
        now = NOW
        for _ in range(settings.JOB_MAX_ATTEMPTS):
            claim(now=now)
            now += timedelta(minutes=5)
            given_up = jobs_recover(now=now)
        assert [found.pk for found in given_up] == [Job.objects.get().pk]
        assert Job.objects.get().error == "The worker stopped answering 3 times."

    def test_waiting_jobs_are_nudged_again(self, sent, django_capture_on_commit_callbacks):
        job()
        sent.clear()
        with django_capture_on_commit_callbacks(execute=True):
            assert jobs_resend(now=timezone.now() + timedelta(minutes=1)) == 1
        assert [message.task for message in sent] == [Task.GENERATE]


@pytest.mark.django_db
class TestStock:
    def test_every_system_is_asked_every_prompt_once(self):
        arena = factories.arena(systems=2, prompts=3)
        assert stock_ensure(arena=arena) == 6
        assert stock_ensure(arena=arena) == 0
        prompts = list(Job.objects.order_by("pk").values_list("prompt_id", flat=True))
        assert prompts == sorted(prompts)

    def test_the_first_prompts_of_a_new_arena_come_before_the_last_ones_of_an_old_one(self):
        old, new = factories.arena(systems=1, prompts=5), factories.arena(systems=1, prompts=2)
        stock_ensure(arena=old)
        claim(now=timezone.now())
        stock_ensure(arena=new)
        order = [claim(now=timezone.now()).system_id for _ in range(6)]
        system = new.systems.get().pk
        assert [place for place, found in enumerate(order) if found == system] == [0, 2]

    def test_systems_that_are_not_run_here_are_not_asked(self):
        arena = factories.arena(systems=1, prompts=2)
        factories.system(arena=arena, provider="")
        factories.system(arena=arena, status="private")
        assert stock_ensure(arena=arena) == 2

    def test_progress_counts_done_and_failed(self):
        arena = factories.arena(systems=1, prompts=3)
        stock_ensure(arena=arena)
        job_finish(job=claim(now=timezone.now()), result=FinishedText("x"), now=NOW)
        fail(claim(now=timezone.now()), retry=False)
        progress = stock_progress(arena=arena)
        assert (progress.done, progress.failed, progress.total) == (1, 1, 3)
        assert not progress.is_complete


@pytest.mark.django_db
def test_streamed_text_is_overwritten_and_swept_after_the_end():
    job(Job.Purpose.LIVE)
    found = claim()
    job_stream(job=found, text="a", now=NOW)
    job_stream(job=found, text="ab\x00", now=NOW)
    assert StreamedText.objects.get().text == "ab"
    assert streams_sweep(now=NOW + timedelta(hours=1)) == 0
    job_finish(job=found, result=FinishedText("ab"), now=NOW)
    assert streams_sweep(now=NOW + timedelta(hours=1)) == 1


@pytest.mark.django_db
def test_an_outage_does_not_empty_the_stock(settings):
    job()
    Job.objects.update(attempts=settings.JOB_MAX_ATTEMPTS - 1)
    assert fail(claim()).status == Job.Status.FAILED
    assert stock_retry(now=NOW) == 0
    assert stock_retry(now=NOW + timedelta(seconds=settings.STOCK_RETRY_S + 1)) == 1
    assert claim(now=NOW + timedelta(hours=1)).attempts == 1


@pytest.mark.django_db
def test_stock_that_can_never_be_made_is_not_tried_again(settings):
    job()
    fail(claim(), retry=False)
    assert stock_retry(now=NOW + timedelta(days=1)) == 0

"""A real Celery worker on a real broker, killed with SIGKILL in the middle of a job."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection
from django.utils import timezone
from kombu import Connection

from arena.core.queue import Queue, Task, celery_settings
from arena.generation.models import Job, Response
from arena.generation.services import job_create, jobs_recover
from tests import factories

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 60

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]


def test_database_url() -> str:
    """The address of the test's own database, in the shape that the worker reads."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(parts._replace(path="/" + connection.settings_dict["NAME"]))


test_database_url.__test__ = False


@contextmanager
def worker(tmp_path: Path, name: str):
    """A worker process group of its own; yields the process and kills whatever is left."""
    log = (tmp_path / f"{name}.log").open("w")
    command = [
        *(sys.executable, "-m", "celery", "-A", "workers.celery", "worker"),
        *("-Q", Queue.GENERATE.value, "-c", "1", "-n", f"{name}-{os.getpid()}@%h"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    environment = {**os.environ, "DATABASE_URL": test_database_url()}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
        log.close()


def nudge() -> None:
    """What `enqueue` sends, straight to the broker (tests record `enqueue` instead of sending)."""
    from celery import Celery

    sender = Celery(set_as_current=False)
    sender.add_defaults(celery_settings)
    sender.send_task(Task.GENERATE.value, queue=Queue.GENERATE.value)


def wait_for(condition, what: str):
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.1)
    pytest.fail(f"after {WAIT_S} s still not: {what}")


@pytest.fixture(autouse=True)
def empty_queue():
    with Connection(celery_settings()["broker_url"]) as broker:
        broker.SimpleQueue(Queue.GENERATE.value).clear()


def test_a_killed_workers_job_is_finished_by_the_next_and_stored_once(tmp_path):
    system = factories.system(provider="fake", provider_options={"delay_s": 3600}, generation_settings={})
    job = job_create(system=system, prompt=factories.prompt(), purpose=Job.Purpose.STOCK, seed=1)

    with worker(tmp_path, "first") as first:
        nudge()
        wait_for(lambda: Job.objects.get().status == Job.Status.RUNNING, "running")
        os.killpg(first.pid, signal.SIGKILL)
        first.wait(timeout=10)
    assert Job.objects.get().status == Job.Status.RUNNING
    assert not Response.objects.exists()

    # What the sweep does when the heartbeat has been silent for long enough.
    jobs_recover(now=timezone.now() + timedelta(minutes=1))
    system.provider_options = {"delay_s": 0}
    system.save(update_fields=["provider_options"])

    with worker(tmp_path, "second"):
        nudge()
        wait_for(lambda: Response.objects.exists(), "answered by the second worker")
        nudge()
        nudge()
        wait_for(lambda: Job.objects.get().status == Job.Status.DONE, "done")
    job.refresh_from_db()
    assert Response.objects.get().job == job
    assert job.attempts == 2

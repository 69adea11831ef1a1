"""Run the next job: claim, generate, stream, finish. The message names no job; the table decides."""

from __future__ import annotations

import os
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from arena.battles.services import battle_replace_failed
from arena.catalog.models import Provider, System
from arena.core.health import heartbeat
from arena.core.queue import Task, enqueue
from arena.core.version import code_version
from arena.generation.models import Job, Response
from arena.generation.services import (
    FinishedText,
    job_claim,
    job_fail,
    job_finish,
    job_heartbeat,
    job_stream,
    worker_seen,
)
from workers.backends.errors import BackendError
from workers.backends.types import GenerationRequest, GenerationSettings, Message
from workers.celery import app
from workers.loaded import loaded_backends

logger = structlog.get_logger(__name__)
STREAM_EVERY_S = 0.25


@app.task(
    name=Task.GENERATE.value,
    soft_time_limit=settings.JOB_SOFT_LIMIT_S,
    time_limit=settings.JOB_HARD_LIMIT_S,
)
def generate() -> None:
    """Claim and run one job; nothing to do is fine, another worker was quicker."""
    heartbeat("worker:generate")
    report()
    job = job_claim(
        worker=process_name(),
        now=timezone.now(),
        prefer_systems=loaded_backends.system_ids(),
    )
    if job is not None:
        job_run(job)


def job_run(job: Job) -> None:
    """Run a claimed job to its end, whatever that is."""
    log = logger.bind(job_id=job.pk, system=job.system.slug, purpose=job.purpose)
    try:
        with beating(job):
            result = answer(job)
        response = store(job, result)
    except (BackendError, SoftTimeLimitExceeded, DatabaseError) as error:
        message, is_retryable = explain(error)
        log.warning("job_failed", error=message, kind=type(error).__name__)
        fail(job, error, message=message, is_retryable=is_retryable and job.is_shown)
        return
    except Exception as error:  # the edge of the process: record it, then let Celery see it
        fail(job, error, message=f"Unexpected {type(error).__name__}: {error}", is_retryable=False)
        raise
    finally:
        report()
    if response is None:
        log.warning("job_lease_lost")
        return
    log.info("job_done", response_id=response.pk, total_s=response.total_s)
    if job.is_shown:
        enqueue(Task.SCORE)


def store(job: Job, result: FinishedText) -> Response | None:
    """Store the answer; a connection that was cut meanwhile is replaced once, which the lease makes safe."""
    try:
        return job_finish(job=job, result=result, now=timezone.now())
    except (OperationalError, InterfaceError):
        connection.close()
        return job_finish(job=job, result=result, now=timezone.now())


def explain(error: Exception) -> tuple[str, bool]:
    """The failure in plain words, and whether it may pass by itself."""
    if isinstance(error, SoftTimeLimitExceeded):
        return "The system took too long to answer.", True
    if isinstance(error, OperationalError | InterfaceError):
        return "The database could not be reached while the answer was made.", True
    if isinstance(error, DatabaseError):
        return f"The answer could not be stored: {error}", False
    return str(error), bool(getattr(error, "is_retryable", False))


def concerns_system(error: BaseException) -> bool:
    """Whether other jobs of the system would fail as well. Our own database is not its fault."""
    if isinstance(error, BackendError):
        return error.concerns_system
    return not isinstance(error, DatabaseError)


def process_name() -> str:
    """This process, as the Fleet page lists it."""
    return f"{socket.gethostname()}:{os.getpid()}"


def report() -> None:
    """Say on the Fleet page that this process is alive, and what it holds."""
    worker_seen(
        name=process_name(),
        systems=loaded_backends.held_ids(),
        code_version=code_version(),
        now=timezone.now(),
    )


def fail(job: Job, error: BaseException, *, message: str, is_retryable: bool) -> None:
    if isinstance(error, DatabaseError):
        connection.close()
    now = timezone.now()
    with transaction.atomic():
        job_fail(
            job=job,
            error=message,
            error_kind=type(error).__name__,
            traceback="".join(traceback.format_exception(error)),
            is_retryable=is_retryable,
            is_of_system=concerns_system(error) and job.purpose != Job.Purpose.TEST,
            now=now,
        )
        if job.status == Job.Status.FAILED:
            battle_replace_failed(job=job, now=now, rng=np.random.default_rng())


def answer(job: Job) -> FinishedText:
    """Ask the system's backend, writing the text so far at most four times a second."""
    system = job.system
    backend = loaded_backends.get(system_id=system.pk, kind=system.provider, options=backend_options(system))
    request = GenerationRequest(
        messages=(Message(role="user", content=job.prompt.text),),
        seed=job.seed,
        settings=GenerationSettings.from_dict(system.generation_settings),
    )
    streamed = StreamedSoFar(job)
    on_text = streamed.add if job.purpose in (Job.Purpose.LIVE, Job.Purpose.TEST) else None
    done = backend.generate(request, on_text=on_text, deadline_s=settings.JOB_DEADLINE_S)
    return FinishedText(
        text=done.text,
        finish_reason=done.finish_reason,
        prompt_tokens=done.prompt_tokens,
        completion_tokens=done.completion_tokens,
        load_s=done.load_s,
        first_token_s=done.first_token_s,
        total_s=done.total_s,
        provenance={**done.provenance, "worker": job.worker, "attempt": job.attempts},
    )


def backend_options(system: System) -> dict[str, Any]:
    """The system's options; weights that are loaded here come at the system's revision."""
    if system.provider == Provider.TRANSFORMERS and system.revision:
        return {**system.provider_options, "revision": system.revision}
    return dict(system.provider_options)


class StreamedSoFar:
    """Collects deltas and writes them in equal time steps."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.text = ""
        self.written_at = 0.0

    def add(self, delta: str) -> None:
        self.text += delta
        if time.monotonic() - self.written_at >= STREAM_EVERY_S:
            self.written_at = time.monotonic()
            job_stream(job=self.job, text=self.text, now=timezone.now())


@contextmanager
def beating(job: Job) -> Iterator[None]:
    """Tell the database every few seconds that this worker is alive, from a thread of its own."""
    stop = threading.Event()

    def beat() -> None:
        try:
            while not stop.wait(settings.JOB_HEARTBEAT_S):
                try:
                    heartbeat("worker:generate")
                    report()
                    if not job_heartbeat(job=job, now=timezone.now()):
                        return
                except DatabaseError:
                    # The database restarts, say; the next beat opens a new connection.
                    connection.close()
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name="job-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=5)

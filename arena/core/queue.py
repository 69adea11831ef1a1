"""Task names, and the one way to start a task from the web process, which never imports `workers`."""

from __future__ import annotations

import enum
from typing import Any

from celery import Celery
from django.conf import settings
from django.db import transaction

from arena.core.outbox import Message, Outbox


class Queue(enum.StrEnum):
    GENERATE = "generate"
    DEFAULT = "default"


class Task(enum.StrEnum):
    """Names under which `workers.tasks` registers its tasks."""

    GENERATE = "generate.run"
    SCORE = "judging.score"
    SNAPSHOT = "leaderboards.snapshot"
    EXPORT = "exports.build"
    SWEEP = "sweep.run"
    RECONCILE = "sweep.reconcile"
    PING = "sweep.ping"
    THIN = "sweep.thin"

    @property
    def queue(self) -> Queue:
        return Queue.GENERATE if self is Task.GENERATE else Queue.DEFAULT


def celery_settings() -> dict[str, Any]:
    """One set of Celery settings for both sides of the wall."""
    return {
        "broker_url": settings.BROKER_URL,
        "broker_transport_options": {
            "visibility_timeout": settings.BROKER_VISIBILITY_TIMEOUT_S,
            "socket_connect_timeout": 2,
            "socket_timeout": 5,
            # A broker that is down is answered at once; the outbox has other messages to send.
            "max_retries": 0,
            "interval_start": 0,
            "interval_step": 0,
            "interval_max": 0,
        },
        "broker_connection_retry_on_startup": True,
        # A voter must not wait for a dead broker: the row is stored, the sweep sends the nudge later.
        "task_publish_retry": False,
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "accept_content": ["json"],
        "task_serializer": "json",
        "task_default_queue": Queue.DEFAULT.value,
        "task_routes": {task.value: {"queue": task.queue.value} for task in Task},
        "worker_hijack_root_logger": False,
        "timezone": "UTC",
    }


sender = Celery("arena.sender", set_as_current=False)
sender.add_defaults(celery_settings)


def deliver(message: Message) -> None:
    """Hand one message to the broker; runs in the outbox's thread."""
    sender.send_task(
        message.task, kwargs=message.ids, queue=message.queue, countdown=message.countdown_s or None
    )


outbox = Outbox(deliver)


def enqueue(task: Task, *, countdown_s: float = 0, **ids: int | str) -> None:
    """Send `task` once the current transaction commits. Never waits, never fails."""
    message = Message(task.value, ids, task.queue.value, countdown_s)
    transaction.on_commit(lambda: outbox.put(message))

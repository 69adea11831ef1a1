"""Gives every test run a real Postgres and Valkey of its own, unless the environment names others.

They start before Django reads its settings, in the process that was called; xdist's workers inherit the
addresses.
"""

import atexit
import os
from contextlib import ExitStack
from typing import NamedTuple

import django
import pytest
from django.conf import settings

from arena.ops.errors import StartError
from arena.ops.private import private_services


def _start_services() -> None:
    services = ExitStack()
    try:
        added = services.enter_context(private_services(os.environ))
    except StartError as error:
        pytest.exit(str(error), returncode=1)
    atexit.register(services.close)
    if added and settings.configured:
        pytest.exit(
            "Django was set up before this file could start a database: set DATABASE_URL too.", returncode=1
        )
    os.environ.update(added)


_start_services()
# pytest-django would do this from pytest.ini or the command line, before this file is read: too early.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arena.settings")
django.setup()

from arena.core import queue  # noqa: E402 - reads the settings
from arena.core.outbox import Message  # noqa: E402
from arena.core.queue import Task  # noqa: E402


class Sent(NamedTuple):
    """A message that would have gone to the broker."""

    task: Task
    ids: dict[str, object]
    countdown_s: float


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Sent]:
    """Records what is enqueued; tests run the real task function where they want it run."""
    messages: list[Sent] = []

    def put(message: Message) -> None:
        messages.append(Sent(Task(message.task), message.ids, message.countdown_s))

    monkeypatch.setattr(queue.outbox, "put", put)
    return messages

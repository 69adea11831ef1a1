"""Sends messages from a thread of its own, so that no request ever waits for a broker."""

from __future__ import annotations

import atexit
import os
import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

import structlog
from kombu.exceptions import OperationalError

logger = structlog.get_logger(__name__)

CAPACITY = 1000
FLUSH_S = 3.0


class Message(NamedTuple):
    task: str
    ids: dict[str, int | str]
    queue: str
    countdown_s: float


class Outbox:
    """A bounded queue and one daemon thread that drains it.

    A message that cannot be sent is logged and dropped: the rows are the queue, and the sweep sends again.
    The thread belongs to one process; after a fork the child starts its own.
    """

    def __init__(self, deliver: Callable[[Message], None]) -> None:
        self.deliver = deliver
        self.lock = threading.Lock()
        self.pid = 0
        self.waiting: queue.Queue[Message] = queue.Queue(CAPACITY)
        atexit.register(self.flush)

    def put(self, message: Message) -> None:
        with self.lock:
            if self.pid != os.getpid():
                self.pid, self.waiting = os.getpid(), queue.Queue(CAPACITY)
                threading.Thread(target=self._drain, args=(self.waiting,), name="outbox", daemon=True).start()
        try:
            self.waiting.put_nowait(message)
        except queue.Full:
            logger.warning("outbox_full", task=message.task)

    def flush(self) -> None:
        """At the end of a process, give what waits a moment to leave."""
        if self.pid != os.getpid():
            return
        done = threading.Thread(target=self.waiting.join, daemon=True)
        done.start()
        done.join(timeout=FLUSH_S)

    def _drain(self, waiting: queue.Queue[Message]) -> None:
        while True:
            message = waiting.get()
            try:
                self.deliver(message)
            except (OperationalError, OSError) as error:
                logger.warning("enqueue_failed", task=message.task, error=str(error))
            except Exception:  # the edge of the thread: it must outlive whatever a transport raises
                logger.exception("enqueue_failed", task=message.task)
            finally:
                waiting.task_done()

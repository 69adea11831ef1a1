import threading
import time

import pytest
from kombu.exceptions import OperationalError

from arena.core.outbox import CAPACITY, Message, Outbox
from arena.core.queue import celery_settings

MESSAGE = Message("some.task", {"id": 1}, "default", 0)


def test_a_request_does_not_wait_for_a_broker_that_hangs():
    hanging = threading.Event()
    outbox = Outbox(lambda _message: hanging.wait(30))
    started = time.monotonic()
    for _ in range(CAPACITY * 2):
        outbox.put(MESSAGE)
    assert time.monotonic() - started < 5
    hanging.set()


@pytest.mark.parametrize("error", [OperationalError("down"), OSError("gone"), KeyError("odd")])
def test_a_message_that_cannot_be_sent_is_dropped_and_the_next_one_goes(error):
    sent = []

    def deliver(message):
        if not sent:
            sent.append("failed")
            raise error
        sent.append(message)

    outbox = Outbox(deliver)
    outbox.put(MESSAGE)
    outbox.put(MESSAGE)
    outbox.waiting.join()
    assert sent == ["failed", MESSAGE]


def test_the_end_of_a_process_lets_waiting_messages_leave():
    sent = []
    outbox = Outbox(sent.append)
    outbox.put(MESSAGE)
    outbox.flush()
    assert sent == [MESSAGE]


def test_a_dead_broker_is_not_asked_again_and_again():
    assert celery_settings()["broker_transport_options"]["max_retries"] == 0

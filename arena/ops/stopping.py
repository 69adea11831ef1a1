"""Turns the signals that mean "stop" into KeyboardInterrupt, and lets nothing interrupt the stopping."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for (
        number
    ) in SIGNALS:  # a second Ctrl-C must not leave half of the children running; every wait is bounded
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextmanager
def stop_signals() -> Iterator[None]:
    """Inside the block the first stop signal raises KeyboardInterrupt, and later ones do nothing."""
    before = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

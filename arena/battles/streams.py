"""How many event streams are open in this process: each one occupies a thread of the web server."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator

from django.conf import settings

PER_VOTER = 2


class OpenStreams:
    """A count per voter and in all; a stream over either limit is not opened."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.by_voter: Counter[int | None] = Counter()

    def take(self, voter_id: int | None) -> bool:
        with self.lock:
            if self.by_voter[voter_id] >= PER_VOTER or self.by_voter.total() >= settings.STREAMS_MAX:
                return False
            self.by_voter[voter_id] += 1
            return True

    def give_back(self, voter_id: int | None) -> None:
        with self.lock:
            self.by_voter[voter_id] -= 1
            if self.by_voter[voter_id] <= 0:
                del self.by_voter[voter_id]


open_streams = OpenStreams()


class Stream:
    """The events of one stream; closing it, even before the first event, gives its place back once."""

    def __init__(self, events: Iterator[str], on_close: Callable[[], None]) -> None:
        self.events = events
        self.on_close: Callable[[], None] | None = on_close

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> str:
        return next(self.events)

    def close(self) -> None:
        if self.on_close is not None:
            on_close, self.on_close = self.on_close, None
            on_close()

"""Turns the pieces that an engine emits into clean deltas: trimmed, cut at stop strings, storable as text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workers.backends.errors import AnswerTooLarge
from workers.backends.types import OnText

# PostgreSQL stores neither NUL nor lone surrogates; the replacement character shows that something was there.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    return _UNSTORABLE.sub("\ufffd", text)


class TextStream:
    """Give it pieces in order, then ask for the text.

    Held back until it is known what they are: white space, which may be the end, and the beginning of a
    stop string.
    The deltas sent together are exactly `text`.
    """

    def __init__(
        self, on_text: OnText | None, stop: Sequence[str] = (), *, characters_most: int | None = None
    ) -> None:
        self._on_text = on_text
        self._stop = tuple(stop)
        self._characters_most = characters_most
        self._characters = 0
        self._sent: list[str] = []
        self._held = ""
        self.is_stopped = False

    def push(self, piece: str) -> None:
        """Raises AnswerTooLarge above `characters_most`, before the piece is sent on."""
        if self.is_stopped:
            return
        self._characters += len(piece)
        if self._characters_most is not None and self._characters > self._characters_most:
            raise AnswerTooLarge(
                f"The system sent more text than it was asked for: over {self._characters_most} characters."
            )
        self._held += storable(piece)
        cut = min((at for at in map(self._held.find, self._stop) if at >= 0), default=-1)
        if cut >= 0:
            self._held = self._held[:cut]
            self.is_stopped = True
        self._send(len(self._held) - (0 if self.is_stopped else self._stop_prefix_length()))

    def finish(self) -> str:
        """The whole text, once no more pieces come."""
        self._send(len(self._held))
        self._held = ""
        return self.text

    @property
    def text(self) -> str:
        return "".join(self._sent)

    def _send(self, end: int) -> None:
        ready = self._held[:end].rstrip()
        if not ready:
            return
        self._held = self._held[len(ready) :]
        delta = ready if self._sent else ready.lstrip()
        self._sent.append(delta)
        if self._on_text is not None:
            self._on_text(delta)

    def _stop_prefix_length(self) -> int:
        """Length of the longest end of the held text that could become a stop string."""
        lengths = (
            length
            for stop in self._stop
            for length in range(min(len(stop) - 1, len(self._held)), 0, -1)
            if self._held.endswith(stop[:length])
        )
        return max(lengths, default=0)

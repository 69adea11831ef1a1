"""Turns token ids, one at a time, into text that never has to be taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Decode = Callable[[Sequence[int]], str]


class TokenDecoder:
    """A token's text depends on those before it (spaces, letters of several bytes).

    So each new text is the difference of two decodings that begin at the same earlier token. It waits
    while the end is an unfinished letter, which decodes to the replacement character.
    """

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._tokens: list[int] = []
        self._start = 0
        self._done = 0

    def push(self, token: int) -> str:
        self._tokens.append(token)
        return self._new_text(is_final=False)

    def finish(self) -> str:
        return self._new_text(is_final=True)

    def _new_text(self, *, is_final: bool) -> str:
        known = self._decode(self._tokens[self._start : self._done])
        longer = self._decode(self._tokens[self._start :])
        if len(longer) <= len(known) or (longer.endswith("\ufffd") and not is_final):
            return ""
        self._start, self._done = self._done, len(self._tokens)
        return longer[len(known) :]

"""Follows a transformers generation step by step: text out, and the decision when to stop."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from workers.backends.engines import import_engine
from workers.backends.text_stream import TextStream
from workers.backends.token_decoder import Decode, TokenDecoder


class StepWatcher:
    """A stopping criterion and not a streamer: it is called at every step in the caller's thread, before
    the next step is begun, so a stop string, a deadline or a raising `on_text` ends the generation at once.

    Durations count from `started`, a reading of time.perf_counter().
    """

    def __init__(
        self,
        *,
        decode: Decode,
        stream: TextStream,
        end_tokens: Collection[int],
        prompt_length: int,
        started: float,
        deadline_s: float,
    ) -> None:
        self.steps = 0
        self.first_token_s = 0.0
        self.has_ended = False
        self.is_late = False
        self._decoder = TokenDecoder(decode)
        self._stream = stream
        self._end_tokens = end_tokens
        self._prompt_length = prompt_length
        self._started = started
        self._deadline_s = deadline_s

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        token = int(input_ids[0, self._prompt_length + self.steps])
        spent_s = time.perf_counter() - self._started
        self.steps += 1
        if self.steps == 1:
            self.first_token_s = spent_s
        if token in self._end_tokens:
            self.has_ended = True
        else:
            self._stream.push(self._decoder.push(token))
            self.has_ended = self._stream.is_stopped
        self.is_late = not self.has_ended and spent_s > self._deadline_s
        return import_engine("torch").full((1,), self.has_ended or self.is_late, device=input_ids.device)

    def finish(self) -> str:
        """The whole text, after the last step."""
        self._stream.push(self._decoder.finish())
        return self._stream.finish()

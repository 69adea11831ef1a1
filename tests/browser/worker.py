"""The workers' real task in threads of the test, and a backend that stops half-way."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

from django.db import connections

from workers.backends import registry
from workers.backends.options import OptionField, read_options
from workers.backends.types import Generation, GenerationRequest, OnText
from workers.tasks.generate import generate

TITLE = "Gated (tests only)"
OPTIONS = (OptionField(name="text", help="The answer.", required=True),)
_opened = threading.Event()


class Worker:
    """No broker runs in the tests: they say when a worker hears that there is a job."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="worker")
        self._runs: list[Future[None]] = []

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=True)
        if error is None:
            self.finish()

    def start(self, jobs: int = 1) -> None:
        self._runs += [self._threads.submit(self._run) for _ in range(jobs)]

    def finish(self) -> None:
        for run in self._runs:
            run.result(timeout=30)

    def run(self, jobs: int = 1) -> None:
        self.start(jobs)
        self.finish()

    @staticmethod
    def _run() -> None:
        try:
            generate()
        finally:
            connections.close_all()


class Gate:
    kinds = registry.KINDS
    module_name = __name__

    def __init__(self) -> None:
        _opened.clear()

    def open(self) -> None:
        _opened.set()


class GatedBackend:
    """Sends all but the last words, and these when the gate is open."""

    def __init__(self, text: str) -> None:
        self._text = text

    def generate(
        self, request: GenerationRequest, *, on_text: OnText | None = None, deadline_s: float
    ) -> Generation:
        cut = len(self._text) - 20
        for part in (self._text[:cut], self._text[cut:]):
            if on_text:
                on_text(part)
            if not _opened.wait(min(deadline_s, 60)):
                raise TimeoutError("The test never opened the gate.")
        return Generation(
            text=self._text,
            finish_reason="stop",
            prompt_tokens=1,
            completion_tokens=1,
            load_s=0.0,
            first_token_s=0.1,
            total_s=0.1,
            provenance={"backend": "gated"},
        )

    def close(self) -> None:
        """Nothing is held."""


def create(options: dict[str, Any]) -> GatedBackend:
    return GatedBackend(str(read_options(OPTIONS, options)["text"]))

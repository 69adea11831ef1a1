"""Runs a system behind an OpenAI-compatible endpoint: llama.cpp, vLLM, SGLang, TGI, Ollama, hosted ones.

Answers are streamed. What fails before the first token and may pass is tried again within the deadline;
longer outages are the job engine's. Keys come from the worker's environment by name; neither a key nor the
address appears in an error or in the provenance.
"""

from __future__ import annotations

import queue
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from workers.backends.deadline import Deadline
from workers.backends.endpoint_access import resolve_key, resolve_url
from workers.backends.errors import BackendGarbage
from workers.backends.openai_client import StreamingClient
from workers.backends.openai_request import (
    EXTENDED,
    STRICT,
    EndpointRequest,
    endpoint_request,
    tokens_most,
)
from workers.backends.openai_stream import StreamReport
from workers.backends.options import OptionField, read_options
from workers.backends.quota import Quota, QuotaLimits, shared_quota
from workers.backends.retry import Retries
from workers.backends.text_stream import TextStream
from workers.backends.types import Generation, GenerationRequest, OnText

TITLE = "OpenAI-compatible endpoint"

OPTIONS = (
    OptionField(
        name="base_url",
        help="Address of the endpoint up to and including /v1, or env:NAME_URL to read it from that "
        "environment variable of the worker.",
        required=True,
    ),
    OptionField(name="model", help="The model's name at this endpoint.", required=True),
    OptionField(
        name="api_key_env",
        help="Name of the worker's environment variable that holds the key; it must end in _API_KEY. "
        "Never the key itself. Leave empty when the endpoint asks for none.",
    ),
    OptionField(
        name="dialect",
        help="extended: also sends top_k, min_p and the repetition penalty, which llama.cpp, vLLM and others "
        "read. openai: only what OpenAI's own service accepts, which refuses unknown names.",
        choices=(EXTENDED, STRICT),
        default=EXTENDED,
    ),
    OptionField(
        name="timeout_s",
        help="Seconds without any data from the endpoint after which it counts as unavailable.",
        type="number",
        default=60.0,
    ),
    OptionField(
        name="tries",
        help="Requests for one answer at most, while the endpoint is busy or out of reach.",
        type="whole",
        default=3,
    ),
    OptionField(
        name="requests_per_minute",
        help="Requests that one worker process sends in a minute at most; 0: no limit.",
        type="whole",
        default=0,
    ),
    OptionField(
        name="budget_tokens_per_day",
        help="Tokens of prompts and answers that one worker process may use a day (UTC); 0: no limit.",
        type="whole",
        default=0,
    ),
)

# The client ends every request at its deadline; the caller waits a little longer before it gives up too.
_GRACE_S = 2.0
# A worker that waits for its turn is lost to the other systems, so it waits for a part of the deadline only.
_WAIT_SHARE = 0.25


def create(options: Mapping[str, Any]) -> OpenAIBackend:
    return OpenAIBackend(**read_options(OPTIONS, options))


@dataclass(frozen=True, kw_only=True)
class _Answer:
    text: str
    is_stopped: bool
    first_token_s: float
    report: StreamReport


class OpenAIBackend:
    """`rng` and `sleep` are those of the pauses between tries."""

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key_env: str | None,
        dialect: str,
        timeout_s: float,
        tries: int,
        requests_per_minute: int,
        budget_tokens_per_day: int,
        rng: random.Random | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._model = model
        self._dialect = dialect
        self._client = StreamingClient(
            base_url=resolve_url(base_url), api_key=resolve_key(api_key_env), timeout_s=timeout_s
        )
        self._retries = Retries(tries=tries, rng=rng or random.Random(), sleep=sleep)
        self._quota: Quota = shared_quota(
            (base_url, model, api_key_env),
            QuotaLimits(
                requests_per_minute=requests_per_minute,
                budget_tokens_per_day=budget_tokens_per_day,
            ),
        )

    def generate(
        self, request: GenerationRequest, *, on_text: OnText | None = None, deadline_s: float
    ) -> Generation:
        """Also raises LimitReached and BudgetSpent before anything is sent, see `quota`.

        `first_token_s` and `total_s` hold waiting for a turn and earlier tries too.
        """
        deadline = Deadline(deadline_s)
        written = endpoint_request(request, model=self._model, dialect=self._dialect)
        answer = self._retries.run(
            lambda: self._attempt(written, request, on_text, deadline), left_s=deadline.left_s
        )
        if not answer.text:
            raise BackendGarbage("The endpoint answered without any text.")
        report = answer.report
        return Generation(
            text=answer.text,
            finish_reason="stop" if answer.is_stopped or report.finish_reason == "stop" else "length",
            prompt_tokens=report.prompt_tokens,
            completion_tokens=report.completion_tokens,
            load_s=0.0,
            first_token_s=answer.first_token_s,
            total_s=deadline.spent_s(),
            provenance=_provenance(request, written, report),
        )

    def close(self) -> None:
        self._client.close()

    def _attempt(
        self, written: EndpointRequest, request: GenerationRequest, on_text: OnText | None, deadline: Deadline
    ) -> _Answer:
        """One request. Raises Passing for what may be tried again."""
        report = StreamReport()
        wait_s = min(_WAIT_SHARE * deadline.total_s, deadline.left_s())
        with self._quota.turn(tokens_most=tokens_most(request), wait_s=wait_s) as turn:
            try:
                return self._ask(written, request, on_text, deadline, report)
            finally:
                if report.tokens is not None:
                    turn.tokens = report.tokens

    def _ask(
        self,
        written: EndpointRequest,
        request: GenerationRequest,
        on_text: OnText | None,
        deadline: Deadline,
        report: StreamReport,
    ) -> _Answer:
        stream = TextStream(on_text, written.stop, characters_most=request.settings.characters_most)
        arrived: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        reading = self._client.read(written, report, arrived.put, deadline)
        reading.add_done_callback(lambda _: arrived.put(None))
        first_token_s: float | None = None
        try:
            while (piece := arrived.get(timeout=max(0.0, deadline.left_s()) + _GRACE_S)) is not None:
                first_token_s = first_token_s or deadline.spent_s()
                stream.push(piece)
                if stream.is_stopped:
                    break
        except queue.Empty:
            raise deadline.exceeded() from None
        finally:
            reading.cancel()
        if not stream.is_stopped:
            self._client.check(reading, report, deadline, has_begun=first_token_s is not None)
        return _Answer(
            text=stream.finish(),
            is_stopped=stream.is_stopped,
            first_token_s=first_token_s or 0.0,
            report=report,
        )


def _provenance(request: GenerationRequest, written: EndpointRequest, report: StreamReport) -> dict[str, Any]:
    provenance = {
        "backend": "openai",
        "endpoint": written.path,
        "served_model": report.served_model,
        "system_fingerprint": report.fingerprint,
        "parameters": written.parameters,
        "prompt_sha256": written.prompt_sha256,
        "seed": request.seed,
        "settings": request.settings.to_dict(),
        "libraries": {"openai": version("openai")},
    }
    if written.template_sha256 is not None:
        provenance["template_sha256"] = written.template_sha256
    return provenance

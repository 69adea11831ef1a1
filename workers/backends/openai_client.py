"""Sends one request to an OpenAI-compatible endpoint and reads its stream in a thread of its own.

Says of each failure what it means, and whether another try may go better.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from workers.backends.deadline import Deadline
from workers.backends.endpoint_access import is_loopback
from workers.backends.engines import import_engine
from workers.backends.errors import BackendError, BackendGarbage, BackendUnavailable
from workers.backends.event_loop import EventLoopThread
from workers.backends.openai_errors import asked_pause_s, error_from_status, error_in_stream
from workers.backends.openai_request import EndpointRequest
from workers.backends.openai_stream import StreamReport, pieces
from workers.backends.retry import Passing

if TYPE_CHECKING:
    import openai

_CONNECT_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 2.0


class StreamingClient:
    """Connects at the first request. Without any data for `timeout_s`, the endpoint counts as silent."""

    def __init__(self, *, base_url: str, api_key: str | None, timeout_s: float) -> None:
        self._base_url = base_url
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._openai = import_engine("openai")
        self._lock = threading.Lock()
        self._loop: EventLoopThread | None = None
        self._client: openai.AsyncOpenAI | None = None

    def read(
        self, written: EndpointRequest, report: StreamReport, put: Callable[[str], None], deadline: Deadline
    ) -> Future[None]:
        """Begin: until the future is done, `put` gets each piece of text, in the other thread."""
        with self._lock:
            if self._loop is None or self._client is None:
                self._loop = EventLoopThread("openai-http")
                self._client = self._open()
            loop, client = self._loop, self._client

        async def bounded() -> None:
            async with asyncio.timeout(deadline.left_s()):
                await _read(client, written, report, put)

        return loop.submit(bounded())

    def check(
        self, reading: Future[None], report: StreamReport, deadline: Deadline, *, has_begun: bool
    ) -> None:
        """Raise what ended a reading, unless it ended well: Passing if another try may go better.

        The future's error is asked for, not raised: an error that had it as its context would carry the
        request, and with it the key.
        """
        if reading.cancelled():
            raise BackendUnavailable("The worker closed this backend.")
        error = reading.exception()
        if error is None:
            report.check_end()
        elif isinstance(error, TimeoutError):
            raise deadline.exceeded()
        elif isinstance(error, self._openai.APIStatusError):
            report.is_refused = True
            raise self._refused(error)
        elif isinstance(error, self._openai.APIConnectionError):
            raise self._lost(error, report, has_begun=has_begun)
        elif isinstance(error, self._openai.APIError):
            raise error_in_stream(error.body, secret=self._api_key)
        elif isinstance(error, BackendError):
            raise error
        elif isinstance(error, ValueError | TypeError | AttributeError | LookupError):
            # json.JSONDecodeError is a ValueError; a chunk of a wrong shape raises the others.
            raise BackendGarbage("The endpoint's stream is malformed.")
        else:
            raise error

    def close(self) -> None:
        with self._lock:
            loop, client = self._loop, self._client
            self._loop = self._client = None
        if loop is not None and client is not None:
            with suppress(TimeoutError):
                loop.submit(client.close()).result(timeout=_CLOSE_TIMEOUT_S)
            loop.close()

    def _open(self) -> openai.AsyncOpenAI:
        # Late, as it imports the HTTP library below the client.
        from workers.backends.response_limit import limit_response

        timeout = self._openai.Timeout(self._timeout_s, connect=min(self._timeout_s, _CONNECT_TIMEOUT_S))
        http_client = self._openai.DefaultAsyncHttpxClient(
            timeout=timeout,
            # A company's proxy setting must not swallow requests to this very machine.
            trust_env=not is_loopback(self._base_url),
            event_hooks={"response": [limit_response]},
        )
        client: openai.AsyncOpenAI = self._openai.AsyncOpenAI(
            base_url=self._base_url,
            # Never None: the client would then send OPENAI_API_KEY to whatever address this is.
            api_key=self._api_key or "none",
            # A kept connection may be closed by the server just as the next request goes out: llama.cpp does
            # so after a hundred requests. That would look like an outage.
            default_headers={"Connection": "close", "Accept-Encoding": "identity"},
            # Tried again by us: the client's own retries know neither our deadline nor our quota.
            max_retries=0,
            timeout=timeout,
            http_client=http_client,
        )
        return client

    def _refused(self, error: openai.APIStatusError) -> Exception:
        asked_s = asked_pause_s(error.response.headers, now=time.time())
        failure = error_from_status(error.status_code, error.body, secret=self._api_key, asked_s=asked_s)
        return Passing(failure, asked_s=asked_s) if failure.is_retryable else failure

    def _lost(self, error: openai.APIConnectionError, report: StreamReport, *, has_begun: bool) -> Exception:
        """After silence there is no other try: the endpoint may be computing, and would compute twice."""
        if type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout"):
            report.is_refused = True
            return Passing(BackendUnavailable("The endpoint cannot be reached."))
        if isinstance(error, self._openai.APITimeoutError):
            return BackendUnavailable(f"The endpoint sent nothing for {self._timeout_s:g} seconds.")
        lost = BackendUnavailable("The connection to the endpoint was lost.")
        return lost if has_begun else Passing(lost)


async def _read(
    client: openai.AsyncOpenAI, written: EndpointRequest, report: StreamReport, put: Callable[[str], None]
) -> None:
    resource: Any = client.chat.completions if written.is_chat else client.completions
    chunks = await resource.create(
        **written.prompt, **written.parameters, stream=True, stream_options={"include_usage": True}
    )
    try:
        async for piece in pieces(chunks, report):
            put(piece)
    finally:
        await chunks.close()

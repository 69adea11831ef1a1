"""Bounds what is read from an endpoint, however much it sends. Imported only where an HTTP client is made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import httpx2

from workers.backends.errors import AnswerTooLarge, BackendGarbage

# A token is one event of some 300 bytes; the longest answer that can be asked for has 32 768 of them.
_STREAM_BYTES_MAX = 64 * 2**20
# Of an error only a sentence is shown.
_ERROR_BYTES_MAX = 64 * 2**10


async def limit_response(response: httpx2.Response) -> None:
    """A response hook: cuts long errors, and makes long answers raise AnswerTooLarge while they are read.

    Raises BackendGarbage for a compressed answer, which was not asked for and could unfold to any size.
    """
    if response.headers.get("content-encoding", "identity") != "identity":
        raise BackendGarbage("The endpoint compresses its answer, although it was asked not to.")
    response.stream = _LimitedStream(
        cast(httpx2.AsyncByteStream, response.stream), is_error=response.is_error
    )


class _LimitedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, *, is_error: bool) -> None:
        self._stream = stream
        self._is_error = is_error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = _ERROR_BYTES_MAX if self._is_error else _STREAM_BYTES_MAX
        async for block in self._stream:
            left -= len(block)
            if left >= 0:
                yield block
            elif self._is_error:
                return
            else:
                raise AnswerTooLarge(f"The endpoint sent more than {_STREAM_BYTES_MAX // 2**20} MiB.")

    async def aclose(self) -> None:
        await self._stream.aclose()

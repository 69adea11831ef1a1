"""A proxy in front of a healthy server, which spoils the connections that a test plans.

Each connection carries one request and takes the next fault of the plan; without one left, it is passed on.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_BLOCK = 65_536
_END_OF_HEAD = b"\r\n\r\n"

# Gets the client's connection and a function that asks the server: each call sends the request on.
Upstream = Callable[[], Iterator[bytes]]
Fault = Callable[["FaultProxy", socket.socket, Upstream], None]


class FaultProxy:
    """`connections` counts them; `is_over` is set when the test ends, and frees what hangs."""

    def __init__(self, server_url: str) -> None:
        address = urlsplit(server_url)
        assert address.hostname is not None
        assert address.port is not None
        self._server = (address.hostname, address.port)
        self._plan: list[Fault] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.connections = 0
        self.is_over = threading.Event()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}{address.path}"

    def plan(self, *faults: Fault) -> None:
        self._plan = list(faults)
        self.connections = 0

    @contextmanager
    def serving(self) -> Iterator[FaultProxy]:
        accepting = threading.Thread(target=self._accept)
        accepting.start()
        try:
            yield self
        finally:
            self.is_over.set()
            # Only a shutdown wakes a blocked accept.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            accepting.join()
            for thread in self._threads:
                thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            fault = self._plan.pop(0) if self._plan else passed_on
            thread = threading.Thread(target=self._serve, args=(client, fault))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket, fault: Fault) -> None:
        with client, suppress(OSError):
            request = _read_request(client)
            fault(self, client, lambda: self._ask(request))

    def _ask(self, request: bytes) -> Iterator[bytes]:
        with socket.create_connection(self._server) as server:
            server.sendall(request)
            while block := server.recv(_BLOCK):
                yield block


def passed_on(proxy: FaultProxy, client: socket.socket, ask: Upstream) -> None:
    for block in ask():
        client.sendall(block)


def hung(proxy: FaultProxy, client: socket.socket, ask: Upstream) -> None:
    """Take the request, send nothing."""
    proxy.is_over.wait(10)


def closed(proxy: FaultProxy, client: socket.socket, ask: Upstream) -> None:
    """Take the request and hang up before any header."""


def cut_after(count: int) -> Fault:
    """Hang up after so many bytes of the server's answer."""

    def fault(proxy: FaultProxy, client: socket.socket, ask: Upstream) -> None:
        left = count
        for block in ask():
            client.sendall(block[:left])
            left -= len(block)
            if left <= 0:
                return

    return fault


def cut_in(marker: bytes) -> Fault:
    """Hang up just behind the first place where the server's answer holds `marker`."""

    def fault(proxy: FaultProxy, client: socket.socket, ask: Upstream) -> None:
        seen = b""
        for block in ask():
            before = len(seen)
            seen += block
            at = seen.find(marker)
            if at >= 0:
                client.sendall(seen[before : at + len(marker)])
                return
            client.sendall(block)

    return fault


def dripped(count: int, *, pause_s: float) -> Fault:
    """Pass on `count` bytes at a time, with pauses."""

    def fault(proxy: FaultProxy, client: socket.socket, ask: Upstream) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for block in ask():
            for start in range(0, len(block), count):
                client.sendall(block[start : start + count])
                proxy.is_over.wait(pause_s)

    return fault


def replied(status: str, *, headers: Sequence[str] = (), body: bytes = b"{}") -> Fault:
    """Answer in the server's place."""

    def fault(proxy: FaultProxy, client: socket.socket, ask: Upstream) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
        client.sendall("\r\n".join(lines).encode() + _END_OF_HEAD + body)

    return fault


def preceded_by(event: bytes) -> Fault:
    """Put a chunk of our own in front of the server's first one."""

    def fault(proxy: FaultProxy, client: socket.socket, ask: Upstream) -> None:
        blocks = ask()
        head = b""
        while _END_OF_HEAD not in head:
            head += next(blocks)
        start, rest = head.split(_END_OF_HEAD, 1)
        assert b"chunked" in start
        client.sendall(start + _END_OF_HEAD + f"{len(event):x}\r\n".encode() + event + b"\r\n" + rest)
        for block in blocks:
            client.sendall(block)

    return fault


def _read_request(client: socket.socket) -> bytes:
    request = b""
    while _END_OF_HEAD not in request:
        request += _received(client)
    head, body = request.split(_END_OF_HEAD, 1)
    length = next(
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        body += _received(client)
    return head + _END_OF_HEAD + body


def _received(client: socket.socket) -> bytes:
    block = client.recv(_BLOCK)
    if not block:
        raise ConnectionError("The client left before its request was complete.")
    return block

"""Questions to a starting program, each answered at once with yes or no."""

import http.client
import socket
from pathlib import Path
from urllib.parse import urlsplit

ANSWER_WITHIN_S = 2.0


def http_answers_ok(url: str, *, headers: dict[str, str] | None = None) -> bool:
    """Whether a GET is answered with 200. The environment's proxies are passed by: we ask our own machine."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_WITHIN_S)
    try:
        connection.request("GET", parts.path or "/", headers=headers or {})
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def valkey_answers(socket_path: Path) -> bool:
    """Whether a Valkey or Redis server behind this Unix socket answers PING and has loaded its file."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(ANSWER_WITHIN_S)
        try:
            client.connect(str(socket_path))
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith(b"+PONG")
        except OSError:
            return False

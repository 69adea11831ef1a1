"""TCP ports: whether one is free, and a free one."""

import errno
import socket

from arena.ops.errors import StartError

LOOPBACK = "127.0.0.1"


def port_require_free(*, host: str, port: int) -> None:
    """Raise one clear sentence when the web server could not listen there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = {
            errno.EADDRINUSE: "is taken by another program: stop that one, or choose another port",
            errno.EACCES: "is reserved for root: choose one above 1023",
        }.get(error.errno or 0, f"cannot be used ({error.strerror}): choose another")
        raise StartError(f"Port {port} on {host} {reason}, for example `make demo PORT=8001`.") from error


def port_parse(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 65536:
        return int(text)
    raise StartError(f"PORT is {text!r}, but a port is a number from 1 to 65535.")


def port_free() -> int:
    """A port of the loopback address that is free now; whoever asked should take it soon."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port

"""`python -m arena.ops.run -- COMMAND…` runs COMMAND beside a private Postgres and Valkey.

DATABASE_URL and BROKER_URL are exported to it; one that is set already is used as it is.
"""

import os
import signal
import subprocess
import sys
from types import FrameType

from arena.ops.errors import StartError
from arena.ops.private import private_services


def main(arguments: list[str]) -> int:
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    if not command:
        print("usage: python -m arena.ops.run -- COMMAND...", file=sys.stderr)
        return 2
    # Also when we were started in the background, where a shell has its programs ignore Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with private_services(os.environ) as added:
            return _run(command, environment={**os.environ, **added})
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(command: list[str], *, environment: dict[str, str]) -> int:
    """The exit status of `command`. Ctrl-C reaches it by itself; a SIGTERM of ours is handed on."""
    try:
        process = subprocess.Popen(command, env=environment)
    except OSError as error:
        raise StartError(f"{command[0]} cannot be run: {error.strerror}.") from error

    def hand_on(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            process.terminate()

    signal.signal(signal.SIGINT, hand_on)
    signal.signal(signal.SIGTERM, hand_on)
    code = process.wait()
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

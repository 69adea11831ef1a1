"""Runs one program within limits, and leaves no process of it behind.

A script of its own that imports nothing of ours:

    python -I -S program_minder.py LIMITS PROGRAM [ARGUMENT…]

LIMITS is a JSON object of resource limits by name, as in {"AS": 1000000}. It stands between the worker and
the program for two reasons. Limits are set between fork and exec, where a process with threads must run no
Python. And it inherits (on Linux) what the program leaves behind, even in sessions of its own.

Ends with the program's exit status, 128 + number after a signal; SIGTERM ends the program and all of its
processes at once.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_CANNOT_START = 127
# Children of killed processes come to us one generation at a time.
_KILL_ROUNDS = 500
_KILL_PAUSE_S = 0.002


def main() -> int:
    limits: dict[str, int] = json.loads(sys.argv[1])
    stop = {signal.SIGTERM, signal.SIGINT}
    # Waited for below, so that none comes between the fork and the waiting.
    signal.pthread_sigmask(signal.SIG_BLOCK, stop | {signal.SIGCHLD})
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    program = os.fork()
    if program == 0:
        _become_program(limits)
    status = None
    while status is None and signal.sigwait(stop | {signal.SIGCHLD}) == signal.SIGCHLD:
        status = _reap(program)
    _kill_all(program)
    return 128 + signal.SIGTERM if status is None else status


def _become_program(limits: dict[str, int]) -> None:
    try:
        os.setsid()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        # Python ignores these, and what is ignored stays so in the program.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        for name, value in limits.items():
            kind = getattr(resource, f"RLIMIT_{name}", None)
            if kind is not None:
                _, hard = resource.getrlimit(kind)
                bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
                resource.setrlimit(kind, (bound, bound))
        os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606
    except OSError as error:
        os.write(2, f"The program cannot be started: {error.strerror}\n".encode())
    finally:
        os._exit(_CANNOT_START)


def _reap(program: int) -> int | None:
    """Collect all that ended; the program's exit status, if it is among them."""
    status = None
    with suppress(ChildProcessError):
        while True:
            pid, result = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == program:
                code = os.waitstatus_to_exitcode(result)
                status = code if code >= 0 else 128 - code
    return status


def _kill_all(program: int) -> None:
    """The program's session first, then whatever is or becomes our child, until there is none."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(program, signal.SIGKILL)
    for _ in range(_KILL_ROUNDS):
        _reap(program)
        children = _children()
        if not children:
            return
        for pid in children:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_KILL_PAUSE_S)


def _children() -> list[int]:
    """Empty where the system does not tell."""
    try:
        found = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    except OSError:
        return []
    return [int(pid) for pid in found.split()]


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())

"""Keeps one program, and ends it with everything it started when our own parent is gone.

`leash.py PARENT STOP_SIGNAL GRACE_S UID GID -- PATH ARGUMENTS…`, started as leader of a session, hands on
signals and the exit status. A plain death signal in the program itself is not enough: a Celery worker waits
for its task, and its pool and scheduler outlive it. This is a script that imports nothing of ours, because
the account that the program runs under may not be allowed to read this project.
"""

import ctypes
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

PR_SET_PDEATHSIG = 1
HANDED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)
PARENT_IS_GONE = signal.SIGUSR1


def request_death_signal(number: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


class Leash:
    def __init__(self, *, parent: int, stop_signal: int, grace_s: int) -> None:
        self.parent = parent
        self.stop_signal = stop_signal
        self.grace_s = grace_s
        self.program = 0
        self.is_orphan = False

    def hold(self, argv: list[str], *, uid: int, gid: int) -> int:
        """Run the program to its end and return its wait status."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {*HANDED_ON, PARENT_IS_GONE})
        request_death_signal(PARENT_IS_GONE)
        if os.getppid() != self.parent:  # it died before we asked
            sys.exit(1)
        keeper = os.getpid()
        self.program = os.fork()
        if self.program == 0:
            become(argv, uid=uid, gid=gid, keeper=keeper)
        for number in HANDED_ON:
            signal.signal(number, self.hand_on)
        signal.signal(PARENT_IS_GONE, self.end_orphan)
        signal.signal(signal.SIGALRM, kill_group)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*HANDED_ON, PARENT_IS_GONE})
        _, status = os.waitpid(self.program, 0)
        if self.is_orphan:
            kill_group()
        return status

    def hand_on(self, number: int, _frame: FrameType | None = None) -> None:
        os.kill(self.program, number)

    def end_orphan(self, _number: int, _frame: FrameType | None = None) -> None:
        self.is_orphan = True
        signal.alarm(self.grace_s)
        self.hand_on(self.stop_signal)


def kill_group(_number: int = 0, _frame: FrameType | None = None) -> None:
    os.killpg(0, signal.SIGKILL)  # ourselves included


def become(argv: list[str], *, uid: int, gid: int, keeper: int) -> NoReturn:
    """Turn this process into the program, under the account that is asked for.

    Imports nothing, not even through a function: the account may not reach Python's own library.
    """
    try:
        # Started in the background, we may have to ignore a signal; the program must not inherit that.
        for number in HANDED_ON:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*HANDED_ON, PARENT_IS_GONE})
        if uid >= 0:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        request_death_signal(signal.SIGKILL)  # after the change of account, which would undo it
        if os.getppid() == keeper:
            os.execv(argv[0], argv)  # noqa: S606 - no shell is the point
    except OSError as error:
        os.write(2, f"{argv[0]} cannot be run: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def main(arguments: list[str]) -> NoReturn:
    parent, stop_signal, grace_s, uid, gid = (int(number) for number in arguments[:5])
    leash = Leash(parent=parent, stop_signal=stop_signal, grace_s=grace_s)
    code = os.waitstatus_to_exitcode(leash.hold(arguments[6:], uid=uid, gid=gid))
    if code < 0:  # end as the program did, so that our parent can tell
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])

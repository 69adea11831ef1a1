"""Programs we start, watch and stop. Each leads a session of its own, so Ctrl-C reaches us alone."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from arena.ops import leash
from arena.ops.account import Account
from arena.ops.errors import StartError
from arena.ops.folders import PROJECT

POLL_S = 0.05
TAIL_LINES = 15
ORPHAN_GRACE_S = 10  # for programs whose supervisor was killed
RESTARTS_MAX, RESTARTS_WITHIN_S = 3, 60
LOG_BYTES = 20_000_000  # a log longer than this is set aside at the next start


def leashed(
    argv: Sequence[str],
    *,
    account: Account | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
    grace_s: int = ORPHAN_GRACE_S,
) -> list[str]:
    """The command that runs `argv` as `account` and ends it when this process is gone.

    Start it from the main thread: the kernel takes the end of the starting thread for the end of the parent.
    """
    uid, gid = (account.uid, account.gid) if account else (-1, -1)
    numbers = [str(int(number)) for number in (os.getpid(), stop_signal, grace_s, uid, gid)]
    program = shutil.which(argv[0]) or argv[0]
    script = str(Path(leash.__file__).resolve())
    return [sys.executable, "-I", "-S", script, *numbers, "--", program, *argv[1:]]


@dataclass(frozen=True)
class Program:
    """What to run, and how to know that it is up."""

    name: str
    argv: Sequence[str]
    is_healthy: Callable[[], bool] | None = None
    healthy_within_s: float = 60
    cwd: Path = PROJECT
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_s: float = 5
    is_restarted: bool = False
    """Started again when it dies; the end of any other program ends everything."""


class Child:
    """One running program with its log file."""

    def __init__(self, program: Program, *, log_dir: Path, env: Mapping[str, str]) -> None:
        self.program = program
        self.log_path = log_dir / f"{program.name}.log"
        self.env = dict(env)
        self._stop_deadline = 0.0
        self._restarts_at: list[float] = []
        self.start()

    def start(self) -> None:
        program = self.program
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        with self.log_path.open("ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                leashed(program.argv, account=program.account, stop_signal=program.stop_signal),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=program.cwd,
                start_new_session=True,
            )

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def words(self) -> str:
        """The end of what the program wrote since this start."""
        return log_tail(self.log_path, since=self._log_start)

    def wait_until_healthy(self) -> None:
        """Return when the program answers; raise when it ends or stays silent for too long."""
        is_healthy, limit_s = self.program.is_healthy, self.program.healthy_within_s
        deadline = time.monotonic() + limit_s
        while is_healthy is not None and not is_healthy():
            self.raise_if_ended()
            if time.monotonic() > deadline:
                raise StartError(f"{self.program.name} did not answer within {limit_s:.0f} s. {self.words}")
            time.sleep(POLL_S)
        self.raise_if_ended()

    def raise_if_ended(self) -> None:
        if self.has_ended:
            raise StartError(f"{self.program.name} stopped ({self.ending()}). {self.words}")

    def restart_if_ended(self) -> bool:
        """Start the program again; raise if it may not be, or died too often to be worth it."""
        if not self.has_ended:
            return False
        recent = [at for at in self._restarts_at if time.monotonic() - at < RESTARTS_WITHIN_S]
        if not self.program.is_restarted or len(recent) >= RESTARTS_MAX:
            self.raise_if_ended()
        group_kill(self.process)
        self._restarts_at = [*recent, time.monotonic()]
        self.start()
        return True

    def ending(self) -> str:
        """How the program ended, in words."""
        code = self.process.returncode
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"

    def signal_stop(self) -> None:
        """Ask the program to end; its own children are its business until the time is up."""
        self._stop_deadline = time.monotonic() + self.program.stop_within_s
        if not self.has_ended:
            self.process.send_signal(self.program.stop_signal)

    def wait_stopped(self) -> None:
        """Wait for the end that was asked for, then kill whatever is left of the group."""
        try:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(max(0.0, self._stop_deadline - time.monotonic()))
        finally:
            group_kill(self.process)

    def stop(self) -> None:
        self.signal_stop()
        self.wait_stopped()


def log_tail(path: Path, *, since: int = 0) -> str:
    """The last lines of a log file from byte `since` on, for a person to read."""
    with path.open("rb") as log:
        log.seek(since)
        lines = log.read().decode(errors="replace").splitlines()[-TAIL_LINES:]
    return f"The end of its log {path}:" + "".join(f"\n  | {line}" for line in lines or ["(nothing)"])


def group_kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill what is left of the group that `process` leads, and take in its exit status."""
    with suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def stop_all(children: Iterable[Child]) -> None:
    """Stop in reverse order of starting: all are asked first, then awaited, so that waits do not add up."""
    last_first = list(reversed(list(children)))
    for child in last_first:
        child.signal_stop()
    for child in last_first:
        child.wait_stopped()


def watch(children: Sequence[Child], *, say: Callable[[str], None] = print) -> None:
    """Return never: start again what may be, and raise as soon as anything else has ended."""
    while True:
        for child in children:
            if child.restart_if_ended():
                say(f"{child.program.name} died and was started again; its log is {child.log_path}")
        time.sleep(4 * POLL_S)

"""Runs a program in a fresh folder, with limits on time, memory and output, until nothing of it is left.

This keeps honest programs from harming the worker; it is no wall against hostile ones: they run under the
worker's account and read what it may read. Limits of memory and processor time hold for each process.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import IO

from workers.backends.deadline import Deadline
from workers.backends.errors import AnswerTooLarge

_MINDER = Path(__file__).with_name("program_minder.py")
_LOOK_EVERY_S = 0.1
_KILL_TIMEOUT_S = 5.0
_STDOUT_BYTES_MOST = 8 * 2**20
_STDERR_BYTES_SHOWN = 2_000
_OPEN_FILES = 1024
# Of the whole account, as the system counts them; no limit for root. It bounds a fork bomb, not a program.
_PROCESSES = 4096


@dataclass(frozen=True, kw_only=True)
class ProgramLimits:
    """In MiB; 0 is no limit. Memory is address space, of which CUDA reserves more than any machine has."""

    memory_mb: int
    output_mb: int


@dataclass(frozen=True, kw_only=True)
class WorkFolders:
    """`work` is where the program starts, `output` where it puts files."""

    work: Path
    output: Path


@dataclass(frozen=True, kw_only=True)
class Ended:
    """`status` is 128 + number after a signal. `errors` is the end of what it wrote to stderr."""

    status: int
    stdout: bytes
    errors: str


@contextmanager
def work_folders() -> Iterator[WorkFolders]:
    """Fresh and readable by this account alone; removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="arena-command-") as root:
        folders = WorkFolders(work=Path(root, "work"), output=Path(root, "output"))
        folders.work.mkdir(mode=0o700)
        folders.output.mkdir(mode=0o700)
        yield folders


def run_program(
    argv: Sequence[str],
    *,
    stdin: bytes,
    folders: WorkFolders,
    environment: Mapping[str, str],
    limits: ProgramLimits,
    deadline: Deadline,
) -> Ended:
    """Raises DeadlineExceeded, and AnswerTooLarge for more output than is allowed, when all is killed."""
    command = [sys.executable, "-I", "-S", str(_MINDER), json.dumps(_resources(limits, deadline)), *argv]
    given = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(folders.work),
        "TMPDIR": str(folders.work),
        **environment,
    }
    with (
        tempfile.TemporaryFile() as source,
        tempfile.TemporaryFile() as printed,
        tempfile.TemporaryFile() as complaints,
    ):
        # A file, not a pipe: nobody must feed it while the program may or may not read.
        source.write(stdin)
        source.seek(0)
        with subprocess.Popen(
            command,
            stdin=source,
            stdout=printed,
            stderr=complaints,
            cwd=folders.work,
            env=given,
            start_new_session=True,
        ) as minder:
            try:
                status = _wait(minder, folders, (printed, complaints), limits, deadline)
            finally:
                _end(minder)
        return Ended(status=status, stdout=_read_all(printed), errors=_tail(complaints))


def _resources(limits: ProgramLimits, deadline: Deadline) -> dict[str, int]:
    """Each of the program's processes may use every core until the deadline, and nothing after it."""
    resources = {
        "CPU": ceil(max(1.0, deadline.left_s())) * (os.cpu_count() or 1),
        "NOFILE": _OPEN_FILES,
        "NPROC": _PROCESSES,
        "CORE": 0,
    }
    if limits.memory_mb:
        resources["AS"] = limits.memory_mb * 2**20
    if limits.output_mb:
        resources["FSIZE"] = limits.output_mb * 2**20
    return resources


def _wait(
    minder: subprocess.Popen[bytes],
    folders: WorkFolders,
    streams: tuple[IO[bytes], IO[bytes]],
    limits: ProgramLimits,
    deadline: Deadline,
) -> int:
    while True:
        try:
            status = minder.wait(timeout=max(0.0, min(_LOOK_EVERY_S, deadline.left_s())))
        except subprocess.TimeoutExpired:
            if deadline.left_s() <= 0:
                raise deadline.exceeded() from None
            status = None
        _check_output(folders, streams, limits)
        if status is not None:
            return status


def _check_output(folders: WorkFolders, streams: tuple[IO[bytes], IO[bytes]], limits: ProgramLimits) -> None:
    printed = os.fstat(streams[0].fileno()).st_size
    if printed > _STDOUT_BYTES_MOST:
        raise AnswerTooLarge(f"The program printed more than {_STDOUT_BYTES_MOST // 2**20} MiB.")
    used = printed + os.fstat(streams[1].fileno()).st_size + _folder_bytes(folders.work.parent)
    if limits.output_mb and used >= limits.output_mb * 2**20:
        raise AnswerTooLarge(f"The program wrote {limits.output_mb} MiB or more.")


def _folder_bytes(folder: Path) -> int:
    """Of files only; what vanishes meanwhile, or cannot be looked at, counts for nothing."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                state = os.lstat(os.path.join(root, name))
            except OSError:
                continue
            total += state.st_size if stat.S_ISREG(state.st_mode) else 0
    return total


def _end(minder: subprocess.Popen[bytes]) -> None:
    """The minder kills what it minds; should it hang, its own death kills the program."""
    if minder.poll() is None:
        minder.terminate()
        try:
            minder.wait(_KILL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            minder.kill()


def _read_all(stream: IO[bytes]) -> bytes:
    stream.seek(0)
    return stream.read()


def _tail(stream: IO[bytes]) -> str:
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - _STDERR_BYTES_SHOWN))
    return stream.read().decode(errors="replace").strip()

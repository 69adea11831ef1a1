"""The leash: exit statuses pass through it, and nothing survives the supervisor."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from arena.ops.children import leashed

from .waiting import is_alive, wait_gone, wait_until

# Ignores SIGTERM, and has a child that does the same: the worst case of a worker busy with its task.
STUBBORN = "trap '' TERM INT; sleep 300 & echo $! $$ > {file}; wait"
SUPERVISOR = """
import subprocess, sys
from arena.ops.children import leashed
subprocess.Popen(leashed(["sh", "-c", sys.argv[1]], grace_s=1), start_new_session=True)
print("started", flush=True)
sys.stdin = open("/dev/null")
__import__("time").sleep(300)
"""


def run_leashed(*argv: str, **kwargs: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        leashed(argv, **kwargs), start_new_session=True, capture_output=True, text=True, timeout=30
    )


@pytest.mark.parametrize("status", [0, 1, 42])
def test_exit_status_is_handed_back(status: int) -> None:
    assert run_leashed("sh", "-c", f"exit {status}").returncode == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_death_by_signal_is_handed_back(number: signal.Signals) -> None:
    assert run_leashed("sh", "-c", f"ulimit -c 0; kill -{number.name[3:]} $$").returncode == -number


def test_missing_program_is_named() -> None:
    result = run_leashed("/no/such/program")
    assert result.returncode == 127
    assert result.stderr == "/no/such/program cannot be run: No such file or directory\n"


def test_signals_reach_the_program() -> None:
    program = ["sh", "-c", "trap 'exit 9' INT; echo ready; while :; do sleep 0.05; done"]
    with subprocess.Popen(leashed(program), start_new_session=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 9


def test_program_starts_with_default_signals() -> None:
    code = "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    assert run_leashed(sys.executable, "-c", code).stdout == "set()\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change its account")
def test_program_runs_under_the_account_alone() -> None:
    from arena.ops.account import service_account

    account = service_account()
    assert account is not None
    result = run_leashed("sh", "-c", "id -u; id -G", account=account)
    assert result.stdout.split() == [str(account.uid), str(account.gid)]


def test_killed_supervisor_leaves_neither_program_nor_its_children(
    tmp_path: Path, drive: Callable[..., object]
) -> None:
    file = tmp_path / "pids"
    supervisor = drive("-c", SUPERVISOR, STUBBORN.format(file=file))
    wait_until(lambda: file.exists() and file.read_text().endswith("\n"), what="the start")
    pids = [int(word) for word in file.read_text().split()]
    assert all(map(is_alive, pids))
    supervisor.process.kill()
    supervisor.process.wait(10)
    wait_gone(*pids)

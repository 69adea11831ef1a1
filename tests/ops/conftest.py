"""Folders that the account of the database can reach, and drivers that run as processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arena.ops import folders
from arena.ops.private import temporary_folder

from .waiting import children_of, wait_gone, wait_until

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def reachable() -> Iterator[Path]:
    """Like tmp_path, which pytest makes for its own user alone."""
    with temporary_folder() as folder:
        yield folder


@pytest.fixture
def shelters(reachable: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keeps what root's installations leave outside of their project inside this test."""
    monkeypatch.setattr(folders, "SHELTERS", reachable)
    return reachable


class Driver:
    """A process under test, with what it printed so far and every process it ever had below it."""

    def __init__(self, argv: list[str], *, output: Path, env: dict[str, str] | None = None) -> None:
        self.output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=PROJECT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            )

    @property
    def words(self) -> str:
        return self.output.read_text(errors="replace")

    def wait_for(self, text: str) -> None:
        wait_until(
            lambda: text in self.words or self.process.poll() is not None, what=f"{text!r} in {self.words!r}"
        )
        assert text in self.words

    def wait(self) -> int:
        return self.process.wait(30)

    def descendants(self) -> list[int]:
        return children_of(self.process.pid)

    def end(self) -> None:
        if self.process.poll() is None:
            pids = self.descendants()
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
            wait_gone(*pids)


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Callable[..., Driver]]:
    """Start `python …` in the project; whatever still runs at the end of the test is killed."""
    drivers: list[Driver] = []

    def start(*arguments: str, env: dict[str, str] | None = None) -> Driver:
        output = tmp_path / f"output-{len(drivers)}"
        drivers.append(Driver([sys.executable, *arguments], output=output, env=env))
        return drivers[-1]

    yield start
    for driver in drivers:
        driver.end()

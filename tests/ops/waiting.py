"""Bounded waiting for something that another process does."""

import os
import time
from collections.abc import Callable

LIMIT_S = 30.0


def wait_until(is_true: Callable[[], object], *, what: str, limit_s: float = LIMIT_S) -> None:
    deadline = time.monotonic() + limit_s
    while not is_true():
        assert time.monotonic() < deadline, f"{what} did not happen within {limit_s:.0f} s"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as status:
            return status.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_gone(*pids: int) -> None:
    wait_until(lambda: not any(map(is_alive, pids)), what=f"the end of {pids}")


def children_of(pid: int) -> list[int]:
    """All descendants of a process."""
    found: list[int] = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            for child in map(int, file.read().split()):
                found += [child, *children_of(child)]
    return found

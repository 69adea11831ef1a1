"""Times one function in this process, and the memory that it takes above what stood there before."""

from __future__ import annotations

import ctypes
import gc
import resource
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_PROBE_RUNS = 15


class Case(NamedTuple):
    """One thing to time.

    fit         what the clock sees
    read        scores (Elo points, mean 0) and, where there are intervals, standard errors, from its answer
    scale       seconds are multiplied by it, where only a part of the work was timed
    """

    fit: Callable[[], object]
    read: Callable[[Any], Found] | None = None
    scale: float = 1.0


class Found(NamedTuple):
    scores: np.ndarray
    errors: np.ndarray | None = None


class Timing(NamedTuple):
    """Seconds of every counted run, and the highest resident memory of any above that before the first."""

    cpu_s: list[float]
    wall_s: list[float]
    peak_mb: float
    answer: object


def measure(fit: Callable[[], object], *, runs: int, budget_s: float) -> Timing:
    """The first run warms up and is not counted, unless it alone takes the budget."""
    gc.collect()
    gc.freeze()  # the input is not searched for garbage inside the clock
    before = _reset_peak()
    cpu, wall, answer = _timed(fit)
    cpu_s, wall_s = [cpu], [wall]
    if wall < budget_s:
        started = time.perf_counter()
        cpu_s, wall_s = [], []
        while len(cpu_s) < runs and (len(cpu_s) < 2 or time.perf_counter() - started < budget_s):
            answer = None
            cpu, wall, answer = _timed(fit)
            cpu_s.append(cpu)
            wall_s.append(wall)
    return Timing(cpu_s, wall_s, (_peak_kb() - before) / 1024, answer)


def probe() -> float:
    """Median milliseconds of CPU of a fixed piece of work (count and logarithms of 300,000 numbers): it says
    how fast the machine was at the time.
    """
    key = (np.arange(300_000) * 7919) % 40_000
    value = key + 1.0

    def work() -> object:
        return np.bincount(key, minlength=40_000), np.log(value).sum()

    return 1000 * median(_timed(work)[0] for _ in range(_PROBE_RUNS))


def _timed(fit: Callable[[], object]) -> tuple[float, float, object]:
    wall, cpu = time.perf_counter(), time.process_time()
    answer = fit()
    return time.process_time() - cpu, time.perf_counter() - wall, answer


def _reset_peak() -> float:
    """Resident kilobytes now; on Linux the kernel's high-water mark is set back to it."""
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what the preparation freed goes back to the system
        _CLEAR.write_text("5")
        return _line("VmRSS")
    except (OSError, AttributeError):
        return _peak_kb()


def _peak_kb() -> float:
    if _STATUS.exists():
        return _line("VmHWM")
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _line(name: str) -> float:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return float(line.split()[1])
    raise OSError(f"{_STATUS} has no {name}")

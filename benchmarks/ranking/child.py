"""One case in a process of its own, as JSON: `python -m benchmarks.ranking.child CASE DATA`."""
# ruff: noqa: E402 - the number of threads must be set before numpy is imported

from __future__ import annotations

import argparse
import json
import os
import sys

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("case")
parser.add_argument("data", help="file of Votes or Rankings")
parser.add_argument("--runs", type=int, default=9)
parser.add_argument("--budget-s", type=float, default=10.0)
parser.add_argument("--threads", type=int, default=1)

if __name__ == "__main__":
    chosen = parser.parse_args()
    for variable in ("OMP", "OPENBLAS", "MKL", "RAYON", "NUMEXPR"):
        os.environ[f"{variable}_NUM_THREADS"] = str(chosen.threads)
    os.environ["JAX_PLATFORMS"] = "cpu"
    if hasattr(os, "sched_setaffinity"):  # jax takes its threads from the cores it may use
        cores = sorted(os.sched_getaffinity(0), reverse=True)
        os.sched_setaffinity(0, set(cores[: chosen.threads]))

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ranking.measure import Case, measure, probe
from benchmarks.ranking.votes import Rankings, Votes


def prepared(name: str, data: Path) -> Case:
    kind: Any = Rankings if data.name.startswith("rankings") else Votes
    return cases_with(name)[name](kind.load(data))


def cases_with(name: str) -> dict[str, Callable[[Any], Case]]:
    if "style" in name:
        from benchmarks.ranking import style

        return style.CASES
    if "/" in name:
        from benchmarks.ranking import peers

        return peers.CASES
    from benchmarks.ranking import ours

    return ours.CASES


def main(chosen: argparse.Namespace) -> None:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    case = prepared(chosen.case, Path(chosen.data))
    before = probe()
    timing = measure(case.fit, runs=chosen.runs, budget_s=chosen.budget_s)
    after = probe()
    found = None if case.read is None else case.read(timing.answer)
    json.dump(
        {
            "cpu_s": [second * case.scale for second in timing.cpu_s],
            "wall_s": [second * case.scale for second in timing.wall_s],
            "scale": case.scale,
            "peak_mb": timing.peak_mb,
            "probe_ms": [before, after],
            "load": load,
            "scores": None if found is None else found.scores.tolist(),
            "errors": None if found is None or found.errors is None else found.errors.tolist(),
            "numpy": np.__version__,
            "python": sys.version.split()[0],
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(chosen)

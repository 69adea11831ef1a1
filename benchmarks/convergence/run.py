"""Ballots until 50 systems stand in exactly the true order, by method, ballot size and noise.

    python -m benchmarks.convergence.run [--seeds 100] [--quick] [--processes 2] [--raw FILE]

Writes results.json and convergence.svg beside this file. --raw keeps finished trials, so that a run that was
stopped goes on where it was. --quick: two seeds of each cell, written to the temporary folder instead.
"""
# ruff: noqa: E402 - the number of threads must be set before numpy is imported

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import json
import multiprocessing
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.convergence import figure, trials

HERE = Path(__file__).parent
SIZES, NOISES = (2, 3, 4, 5, 6), (0.0, 0.05, 0.1)

Task = tuple[str, str, int, float | str, int]
"""Experiment, method, ballot size, noise or spread, seed."""

TRIALS = {"exact": trials.until_exact, "newcomer": trials.newcomer, "kendall": trials.kendall}
SEEDS = {"elo": 100, "ksort": 20, "ksort-adjacent": 20, "luce-random": 5, "luce-information": 3}
"""Most seeds of a baseline; "active" has all that were asked for."""

INFORMED_SIZES = (2, 4, 6)
NEWCOMER_SEEDS, KENDALL_SEEDS = 20, 6


def tasks(seeds: int) -> list[Task]:
    """All trials, seed by seed, so that a run that is cut short has the same seeds everywhere."""
    every: list[Task] = []
    for seed in range(seeds):
        names = ["active", *(name for name, count in SEEDS.items() if seed < count)]
        for name in names:
            sizes = {"elo": (2,), "luce-information": INFORMED_SIZES}.get(name, SIZES)
            every += [("exact", name, size, noise, seed) for size in sizes for noise in NOISES]
        if seed < NEWCOMER_SEEDS:
            for name in ("active", "ksort-adjacent"):
                every += [("newcomer", name, 4, noise, seed) for noise in NOISES]
        if seed < KENDALL_SEEDS:
            for name in ("active", "luce-random", "luce-information"):
                every += [("kendall", name, size, s, seed) for size in (2, 4) for s in ("even", "normal")]
    return every


def perform(task: Task) -> tuple[Task, dict[str, Any]]:
    experiment, name, size, setting, seed = task
    started = time.process_time()
    found = TRIALS[experiment](name, size, setting, seed)  # type: ignore[operator]
    return task, {**found, "cpu_s": round(time.process_time() - started, 3)}


def collect(wanted: list[Task], raw: Path | None, processes: int) -> Iterator[tuple[Task, dict[str, Any]]]:
    """Trials kept in `raw` first, then the missing ones as they finish."""
    done: dict[Task, dict[str, Any]] = {}
    if raw is not None and raw.exists():
        for line in raw.read_text().splitlines():
            task, found = json.loads(line)
            done[tuple(task)] = found
    yield from ((task, done[task]) for task in wanted if task in done)
    missing = [task for task in wanted if task not in done]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for task, found in pool.imap_unordered(perform, missing):
            if raw is not None:
                with raw.open("a") as file:
                    file.write(json.dumps([task, found]) + "\n")
            yield task, found


def summary(found: list[tuple[Task, dict[str, Any]]]) -> dict[str, Any]:
    """Cells by experiment: all outcomes in the order of the seeds, and their median, quartiles and worst."""
    cells: dict[tuple[str, str, int, float | str], dict[int, dict[str, Any]]] = defaultdict(dict)
    for (experiment, name, size, setting, seed), outcome in found:
        cells[experiment, name, size, setting][seed] = outcome
    rows: dict[str, list[dict[str, Any]]] = {"exact": [], "newcomer": [], "kendall": []}
    for (experiment, name, size, setting), by_seed in sorted(cells.items(), key=lambda cell: str(cell[0])):
        outcomes = [by_seed[seed] for seed in sorted(by_seed)]
        row: dict[str, Any] = {"method": name, "k": size, "seeds": len(outcomes)}
        row["cpu_s"] = round(sum(outcome["cpu_s"] for outcome in outcomes) / len(outcomes), 3)
        if experiment == "kendall":
            row["spread"] = setting
            for key in ("wrong", "wrong_fitted"):
                if key in outcomes[0]:
                    columns = zip(*(outcome[key] for outcome in outcomes), strict=True)
                    row[key] = [round(sum(column) / len(outcomes), 4) for column in columns]
        else:
            ballots = [outcome["ballots"] for outcome in outcomes]
            row |= {"noise": setting, "ballots": ballots, **_spread(ballots, size)}
            if "negative_variances" in outcomes[0]:
                row["negative_variances"] = sum(outcome["negative_variances"] for outcome in outcomes)
        rows[experiment].append(row)
    return {"budgets": list(trials.BUDGETS), **rows}


def _spread(ballots: list[int | None], size: int) -> dict[str, Any]:
    """Quantiles with the trials that were given up as the largest; None where they fall among those."""
    ordered = sorted((count is None, count or 0) for count in ballots)

    def at(share: float) -> int | None:
        given_up, count = ordered[min(int(share * len(ordered)), len(ordered) - 1)]
        return None if given_up else count

    middle = None if any(count is None for count in ballots) else median(c for c in ballots if c is not None)
    middle = at(0.5) if middle is None else middle
    return {
        "converged": sum(count is not None for count in ballots),
        "median": middle,
        "lower_quartile": at(0.25),
        "upper_quartile": at(0.75),
        "worst": at(1.0),
        "median_clicks": None if middle is None else middle * size if size > 2 else middle,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--raw", type=Path, default=None)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    seeds = 2 if asked.quick else asked.seeds
    target = Path(tempfile.mkdtemp()) if asked.quick else HERE
    found = []
    for count, (task, outcome) in enumerate(collect(tasks(seeds), asked.raw, asked.processes), start=1):
        found.append((task, outcome))
        if count % 100 == 0:
            print(count, "trials", flush=True)
    results = summary(found)
    (target / "results.json").write_text(json.dumps(results, indent=None, separators=(",", ":")) + "\n")
    (target / "convergence.svg").write_text(figure.drawn(results))
    print(f"written to {target}")


if __name__ == "__main__":
    main()

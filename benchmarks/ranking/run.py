"""The whole run: every case in a fresh process, tables, aims and curves.

    python -m benchmarks.ranking.run [--quick] [--only fit,bootstrap,rankings,style,incremental,curves]
        [--peers-python PATH] [--threads 1] [--json FILE]

A peer that this interpreter lacks is timed by `--peers-python`, or named as left out. `--only` keeps the
other parts of the JSON file. Without `--json` nothing is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ranking.groups import CURVE_SYSTEMS, CURVE_VOTES, CURVES, GROUPS, MOST_RANKINGS, Group, Row
from benchmarks.ranking.peers import NEEDS
from benchmarks.ranking.table import tables
from benchmarks.ranking.votes import Rankings, Votes

PARTS = ("fit", "bootstrap", "rankings", "style", "incremental", "curves")
LIMIT_S = 240
ROUNDS = 2
WIDTH = 4
"""Systems on a ballot of the rankings."""

Timed = dict[str, Any]


class Runner:
    """Starts the processes of the cases; `folder` holds the files of votes."""

    def __init__(self, folder: Path, *, peers_python: str | None, threads: int) -> None:
        self._folder, self._peers_python, self._threads = folder, peers_python, threads

    def time(self, row: Row, data: str) -> Timed:
        """What the process printed, or {"missing": module}, or {"failed": why}."""
        python = self._python(row.case)
        if python is None:
            return {"missing": needed_by(row.case)}
        command = [python, "-m", "benchmarks.ranking.child", row.case, str(self._file(data))]
        settings = ["--runs", str(row.runs), "--budget-s", str(row.budget_s), "--threads", str(self._threads)]
        try:
            done = subprocess.run(
                [*command, *settings], capture_output=True, text=True, timeout=LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return {"failed": f"not done in {LIMIT_S} s"}
        if done.returncode:
            return {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1]}
        found: Timed = json.loads(done.stdout)
        return found

    def _python(self, case: str) -> str | None:
        module = needed_by(case)
        for python in (sys.executable, self._peers_python):
            if python is not None and (module is None or has_module(python, module)):
                return python
        return None

    def _file(self, data: str) -> Path:
        path = self._folder / f"{data}.npz"
        if not path.exists():
            kind, size = data.split("-")
            systems, count = (int(part) for part in size.split("x"))
            rng = np.random.default_rng(0)
            if kind == "votes":
                Votes.draw(systems, count, rng).save(path)
            else:
                Rankings.draw(systems, count, WIDTH, rng).save(path)
        return path


def needed_by(case: str) -> str | None:
    return NEEDS[case.split("/")[0]] if "/" in case else None


@cache
def has_module(python: str, module: str) -> bool:
    look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return subprocess.run([python, "-c", look], check=False).returncode == 0


def joined(rounds: list[Timed]) -> Timed:
    """The runs of several processes of one case as one."""
    if any("cpu_s" not in one for one in rounds):
        return next(one for one in rounds if "cpu_s" not in one)
    whole = dict(rounds[0])
    for name in ("cpu_s", "wall_s", "probe_ms"):
        whole[name] = [value for one in rounds for value in one[name]]
    whole["peak_mb"] = max(one["peak_mb"] for one in rounds)
    whole["load"] = [one["load"] for one in rounds]
    return whole


def timed_group(group: Group, runner: Runner) -> dict[str, Any]:
    """All rows, and once more in the opposite order: a slow hour of the machine then falls on all of them."""
    found: dict[str, list[Timed]] = {row.case: [] for row in group.rows}
    for number in range(ROUNDS):
        for row in group.rows if number % 2 == 0 else reversed(group.rows):
            if number and row.once:
                continue
            say(f"{group.title}, round {number + 1}: {row.case}")
            found[row.case].append(runner.time(row, group.data))
    rows = [{"case": row.case, "label": row.label, **joined(found[row.case])} for row in group.rows]
    return {**group._asdict(), "rows": rows}


def curves(runner: Runner, *, is_quick: bool) -> dict[str, list[Timed]]:
    """Time and memory over votes at 200 systems, and over systems at a million votes."""
    votes = CURVE_VOTES[:3] if is_quick else CURVE_VOTES
    systems = CURVE_SYSTEMS[:4] if is_quick else CURVE_SYSTEMS
    fixed = 100_000 if is_quick else 1_000_000
    by_votes = [(200, count) for count in votes]
    by_systems = [(count, fixed) for count in systems]
    return {
        "votes": list(_points(runner, by_votes)),
        "systems": list(_points(runner, by_systems)),
    }


def _points(runner: Runner, sizes: list[tuple[int, int]]) -> Iterator[Timed]:
    for systems, count in sizes:
        for case in CURVES:
            kind = "rankings" if case == "rankings" else "votes"
            if kind == "rankings" and count > MOST_RANKINGS:
                continue
            say(f"curve: {case}, {systems} systems, {count:,}")
            found = runner.time(Row(case, "", runs=7, budget_s=2.0), f"{kind}-{systems}x{count}")
            for name in ("scores", "errors"):
                found.pop(name, None)
            yield {"case": case, "systems": systems, "size": count, **found}


def incremental(*, is_quick: bool) -> list[str]:
    """The lines that `bench_incremental` prints."""
    votes = 300_000 if is_quick else 10_000_000
    say(f"incremental, {votes:,} votes")
    command = [sys.executable, "-m", "benchmarks.ranking.bench_incremental", "--votes", str(votes)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        return [f"failed: {done.stderr.strip().splitlines()[-1]}"]
    return done.stdout.strip().splitlines()


def compact(group: dict[str, Any]) -> dict[str, Any]:
    """Agreement with the first row in place of the scores themselves."""
    reference = dict(group["rows"][0])
    rows = []
    for row in group["rows"]:
        scores, errors = row.pop("scores", None), row.pop("errors", None)
        if scores is not None and reference.get("scores") is not None:
            row["off_elo"] = float(np.abs(np.subtract(scores, reference["scores"])).max())
        if errors is not None and reference.get("errors") is not None:
            ratio = np.divide(errors, reference["errors"])
            row["spread_ratio"] = float(np.median(ratio))
        rows.append(row)
    return {**group, "rows": rows}


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, a few minutes less")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--peers-python", help="interpreter that has arena-rank, arenakit and scikit-learn")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--show", action="store_true", help="print the tables of the JSON file, run nothing")
    chosen = parser.parse_args()
    parts = chosen.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"--only knows {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    results: dict[str, Any] = {"groups": []}
    if chosen.json is not None and chosen.json.exists():
        results = json.loads(chosen.json.read_text())
    if chosen.show:
        print(tables(results))
        return

    def keep() -> None:
        if chosen.json is not None:
            chosen.json.write_text(json.dumps(results, indent=1) + "\n")

    with tempfile.TemporaryDirectory(prefix="arena-bench-") as name:
        runner = Runner(Path(name), peers_python=chosen.peers_python, threads=chosen.threads)
        for group in GROUPS:
            if group.key in parts:
                found = timed_group(group.quick() if chosen.quick else group, runner)
                kept = [one for one in results["groups"] if one["title"] != group.title]
                results["groups"] = [*kept, compact(found)]
                keep()
        if "incremental" in parts:
            results["incremental"] = incremental(is_quick=chosen.quick)
            keep()
        if "curves" in parts:
            results["curves"] = curves(runner, is_quick=chosen.quick)
            keep()
    order = [group.title for group in GROUPS]
    results["groups"].sort(key=lambda one: order.index(one["title"]))
    keep()
    print(tables(results))


if __name__ == "__main__":
    main()

"""How often 95 % intervals hold the truth: models x clusters, by simulation.

    python -m benchmarks.coverage.run [--simulations 600] [--models half davidson …] [--clusters voter …]
        [--fitted ballot] [--json FILE]

Votes are drawn from each model's own law (`laws.py`) by voters and on prompts with tastes (`layouts.py`); the
truth is the model's own value in that population (`cases.py`). `table.py` makes tables of the file.
"""
# ruff: noqa: E402 - the number of threads must be set before numpy is imported

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import json
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from scipy.special import ndtri

from arena.ranking.counts import Cluster
from arena.ranking.errors import InvalidSetting, NotConverged
from arena.ranking.intervals import Sandwich
from arena.ranking.joint import simultaneous
from arena.ranking.result import Ranking
from benchmarks.coverage.cases import NAMES, Case, Truth, all_cases, scalars_of
from benchmarks.coverage.laws import Floats, Rng
from benchmarks.coverage.layouts import Layout, standard_layouts

LEVEL = 0.95
DRAWS = 1000
SLOW = ("plackett-luce-ties",)
"""Fits that take tens of milliseconds: half as many simulations."""
MET_UNEVENLY = ("half", "davidson")
"""Models whose true values are known where a newcomer met few voters; two are enough to see."""
NEWCOMER = len(NAMES) // 2
Z = float(ndtri(0.5 + LEVEL / 2))


class Tally:
    """Collects one number (or one row of numbers) per simulation and statement."""

    def __init__(self) -> None:
        self._rows: dict[str, list[float]] = defaultdict(list)
        self.errors: dict[str, list[Floats]] = defaultdict(list)
        self.squares: dict[str, list[Floats]] = defaultdict(list)
        self.noted: dict[str, list[float]] = defaultdict(list)

    def add(self, statement: str, error: Floats, low: Floats, high: Floats) -> None:
        """`error` is estimate - truth, `low` and `high` are bounds - truth."""
        self._rows[statement].append(float(((low <= 0) & (high >= 0)).mean()))
        self._rows["unbounded"].append(float(np.isinf(high - low).any()))
        self.errors[statement].append(error)
        self.squares[statement].append(((high - low) / (2 * Z)) ** 2)

    def mark(self, statement: str, *, holds: float) -> None:
        self._rows[statement].append(float(holds))

    def note(self, name: str, value: float) -> None:
        self.noted[name].append(value)

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            name: round(float(np.median(values)), 1) for name, values in self.noted.items()
        }
        for statement, rows in self._rows.items():
            values = np.array(rows)
            if statement == "unbounded":
                found[statement] = int(values.sum())
                continue
            found[statement] = round(float(values.mean()), 4)
            found[statement + "_error"] = round(float(values.std(ddof=1) / values.size**0.5), 4)
        for statement, errors in self.errors.items():
            table = np.stack(errors)
            square, sd = np.stack(self.squares[statement]), table.std(axis=0, ddof=1)
            bounded = np.isfinite(square).all(axis=1)
            ratio = np.sqrt(square[bounded].mean(axis=0)) / sd
            found[statement + "_width"] = round(float(ratio.mean()), 4)
            found[statement + "_bias"] = round(float(np.sqrt(((table.mean(axis=0) / sd) ** 2).mean())), 4)
        return found


def observe(tally: Tally, ranking: Ranking, truth: Truth, *, newcomer: bool, rng: Rng) -> None:
    """Check every statement of a fitted board against the truth. "…_normal" is the same standard error with
    the normal quantile.
    """
    rows = [ranking[name] for name in NAMES]
    score, low, high = (
        np.array([getattr(row, end) for row in rows], dtype=np.float64) - truth.score
        for end in ("score", "low", "high")
    )
    tally.add("single", score, low, high)
    if newcomer:
        tally.mark("newcomer", holds=bool(low[NEWCOMER] <= 0 <= high[NEWCOMER]))
    if ranking.diagnostics.get("freedom"):
        tally.note("freedom", float(ranking.diagnostics["freedom"]))
    for name, scalar in scalars_of(ranking).items():
        ends = np.array([scalar])[0] - truth.scalars[name]
        tally.add(name, ends[:1], ends[1:2], ends[2:])
    if ranking.covariance is None:
        return
    found = [ranking.difference(a, b) for a, b in pairwise(NAMES)]
    differences = np.array(found) - (truth.score[:-1] - truth.score[1:])[:, None]
    error, below, above = differences.T
    tally.add("difference", error, below, above)
    variance = np.diag(ranking.covariance.matrix)
    at = [ranking.covariance.position[name] for name in NAMES]
    sd = np.sqrt(np.maximum(variance[at], 0.0))
    tally.mark("single_normal", holds=float((np.abs(score) <= Z * sd).mean()))
    joint = simultaneous(ranking, rng, draws=DRAWS)
    at = [NAMES.index(item) for item in joint.items]
    ends = [np.asarray(end) for end in (joint.low, joint.high)]
    tally.mark("joint", holds=bool(((ends[0] <= truth.score[at]) & (ends[1] >= truth.score[at])).all()))
    tally.mark("joint_normal", holds=bool((np.abs(score) <= joint.quantile * sd).all()))
    lead = truth.score[at][:, None] > truth.score[at]
    tally.mark("ranks", holds=bool(lead[joint.is_better].all()))


def measure(
    case: Case, layout: Layout, truth: Truth, simulations: int, *, fitted: Cluster | None = None
) -> dict[str, Any]:
    """One row of the table: `simulations` boards of one model on one layout. `fitted` makes the interval
    cluster by something else than what the votes depend on.
    """
    row: dict[str, Any] = {
        "model": case.name,
        "cluster": layout.kind,
        "clusters": layout.clusters,
        "zipf": layout.zipf,
        "newcomer_met": layout.newcomer,
        "ballots": layout.ballots,
        "simulations": simulations,
        "truth_error_elo": round(truth.error, 3),
    }
    rng = np.random.default_rng([crc32(case.name.encode()), crc32(repr(layout).encode())])
    interval = Sandwich(level=LEVEL, cluster=fitted or layout.kind)
    if fitted:
        row["fitted"] = fitted
    tally, refused, start = Tally(), 0, time.process_time()
    for _ in range(simulations):
        ballots = case.draw(layout, rng)
        try:
            ranking = case.model.fit(ballots, interval)
        except NotConverged:
            refused += 1
            continue
        except InvalidSetting as problem:
            return row | {"refused": str(problem)}
        observe(tally, ranking, truth, newcomer=bool(layout.newcomer), rng=rng)
    seconds = round(time.process_time() - start, 1)
    return row | {"not_converged": refused, **tally.result(), "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=600)
    parser.add_argument("--models", nargs="+", choices=list(all_cases()))
    parser.add_argument("--clusters", nargs="+", help='kinds, or one layout: "voter:40"')
    parser.add_argument("--fitted", choices=["ballot", "voter", "prompt"], help="cluster of the interval")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for name, case in all_cases().items():
        if arguments.models and name not in arguments.models:
            continue
        truths: dict[tuple[float, float], Truth] = {}
        simulations = arguments.simulations // (2 if name in SLOW else 1)
        for layout in standard_layouts():
            if layout.newcomer and name not in MET_UNEVENLY:
                continue
            if not layout.is_chosen(arguments.clusters):
                continue
            if layout.population not in truths:
                truths[layout.population] = case.truth(layout)
            row = measure(case, layout, truths[layout.population], simulations, fitted=arguments.fitted)
            rows.append(row)
            print(row, flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()

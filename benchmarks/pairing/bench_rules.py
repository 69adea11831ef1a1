"""How long every pairing rule takes to plan, and a plan to draw, for an arena of 300 systems.

    python -m benchmarks.pairing.bench_rules [--systems 300] [--runs 5]

The aims are 100 ms a plan and 1 ms a draw; a plan is made once a snapshot, a draw once a battle.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from arena.ranking.pairing import RULES, State


def state_of(systems: int) -> State:
    rng = np.random.default_rng(0)
    met = np.triu(rng.integers(0, 6, (systems, systems)), 1).astype(float)
    won = rng.binomial(met.astype(int), 0.5).astype(float)
    root = rng.normal(size=(systems, systems)) * 0.3
    return State(
        tuple(f"s{i}" for i in range(systems)),
        met + met.T,
        won=won + (met - won).T,
        theta=rng.normal(size=systems),
        covariance=root @ root.T / systems,
        embedding=rng.normal(size=(systems, 16)),
    )


def fastest_ms(runs: int, work: Callable[[], object]) -> float:
    best = np.inf
    for _ in range(runs):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return 1000.0 * best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", type=int, default=300)
    parser.add_argument("--runs", type=int, default=5)
    chosen = parser.parse_args()
    print(f"{chosen.systems} systems, battles of 4, CPU ms\n\n| rule | plan | draw |\n|---|---:|---:|")
    for name, rule in RULES.items():
        plans = [state_of(chosen.systems) for _ in range(chosen.runs)]
        # A fresh state for each plan: what a state works out once must not be counted once for all.
        planned = fastest_ms(chosen.runs, lambda rule=rule, plans=plans: rule().plan(plans.pop(), 4))
        plan, rng = rule().plan(state_of(chosen.systems), 4), np.random.default_rng(0)
        drawn = fastest_ms(50, lambda plan=plan, rng=rng: plan.draw(rng, k=4, exclude=["s1"]))
        print(f"| {name} | {planned:.1f} | {drawn:.2f} |", flush=True)


if __name__ == "__main__":
    main()

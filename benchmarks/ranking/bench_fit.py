"""One Bradley-Terry fit from votes in memory: this library beside choix and evalica, one thread each.

    python benchmarks/ranking/bench_fit.py [--runs 9] [--sizes 50x100000 200x1000000]

Every peer reads its own native container, built before the clock starts. The table gives the fastest of the
warm runs and the largest difference of any score from ours; compare ratios inside one run, never milliseconds
across runs.
"""
# ruff: noqa: E402 - the number of threads must be set before numpy is imported

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from sys import path

path.insert(0, str(Path(__file__).resolve().parents[2]))

import choix
import evalica
import numpy as np

from arena.ranking import Ballots, BradleyTerry, Sandwich
from arena.ranking.result import SCALE

SLOW_RUNS = 3
"""Runs of a peer that takes seconds."""


class Votes:
    """Synthetic votes: Zipf-like popularity, a quarter of ties, strengths with standard deviation 1."""

    def __init__(self, systems: int, votes: int, rng: np.random.Generator) -> None:
        theta = rng.normal(0.0, 1.0, systems)
        popularity = rng.permutation(1.0 / np.arange(1, systems + 1) ** 0.7)
        popularity /= popularity.sum()
        self.names = [f"system-{i:03d}" for i in range(systems)]
        self.first = rng.choice(systems, votes, p=popularity).astype(np.int16)
        self.second = rng.choice(systems, votes, p=popularity).astype(np.int16)
        same = self.first == self.second
        self.second[same] = (self.second[same] + 1) % systems
        wins = rng.random(votes) < 1 / (1 + np.exp(theta[self.second] - theta[self.first]))
        self.outcome = np.where(rng.random(votes) < 0.25, 2, np.where(wins, 0, 1)).astype(np.int8)


Fit = Callable[[], object]
Centred = Callable[[object], np.ndarray]


def centred(strength: np.ndarray) -> np.ndarray:
    return SCALE * (strength - strength.mean())


def ours(votes: Votes, interval: Sandwich | None) -> tuple[Fit, Centred]:
    ballots = Ballots.from_pair_columns(
        items=votes.names, first=votes.first, second=votes.second, outcome=votes.outcome
    )

    def scores(ranking: object) -> np.ndarray:
        return np.array([ranking[name].score for name in votes.names]) - 1000.0

    return lambda: BradleyTerry().fit(ballots, interval=interval), scores


def with_evalica(votes: Votes, tolerance: float, limit: int) -> tuple[Fit, Centred]:
    """Lists of integers and of its Winner values; a prepared index spares it the naming."""
    winner = [evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw]
    xs, ys = votes.first.tolist(), votes.second.tolist()
    winners = [winner[code] for code in votes.outcome.tolist()]
    _, _, index = evalica.indexing(xs, ys)

    def fit() -> object:
        return evalica.bradley_terry(xs, ys, winners, index=index, tolerance=tolerance, limit=limit)

    return fit, lambda found: centred(np.log(found.scores.sort_index().to_numpy()))


def with_choix_lists(votes: Votes) -> tuple[Fit, Centred]:
    """(winner, loser) tuples; it knows no weights, so a win counts twice and a tie once each way."""
    data: list[tuple[int, int]] = []
    for first, second, code in zip(
        votes.first.tolist(), votes.second.tolist(), votes.outcome.tolist(), strict=True
    ):
        data += [[(first, second)] * 2, [(second, first)] * 2, [(first, second), (second, first)]][code]
    return lambda: choix.ilsr_pairwise(len(votes.names), data, alpha=0.0), centred


def with_choix_dense(votes: Votes) -> tuple[Fit, Centred]:
    """A numpy count of the votes, inside the clock, and its dense solver."""
    n = len(votes.names)

    def fit() -> np.ndarray:
        key = (votes.first.astype(np.int64) * n + votes.second) * 3 + votes.outcome
        cells = np.bincount(key, minlength=3 * n * n).reshape(n, n, 3)
        tied = cells[:, :, 2] + cells[:, :, 2].T
        won = cells[:, :, 0] + cells[:, :, 1].T + 0.5 * tied
        return choix.ilsr_pairwise_dense(won, alpha=0.0)

    return fit, centred


def clock(fit: Fit, runs: int) -> tuple[float, object]:
    found = fit()
    fastest = np.inf
    for _ in range(runs):
        start = time.perf_counter()
        found = fit()
        fastest = min(fastest, time.perf_counter() - start)
        if fastest > 1.0 and runs > SLOW_RUNS:
            return min([fastest, *(_timed(fit) for _ in range(SLOW_RUNS - 1))]), found
    return float(fastest), found


def _timed(fit: Fit) -> float:
    start = time.perf_counter()
    fit()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--sizes", nargs="+", default=["50x100000", "200x1000000"])
    arguments = parser.parse_args()
    for size in arguments.sizes:
        systems, count = (int(part) for part in size.split("x"))
        votes = Votes(systems, count, np.random.default_rng(0))
        cases = {
            "arena.ranking": lambda v=votes: ours(v, None),
            "arena.ranking + sandwich intervals": lambda v=votes: ours(v, Sandwich()),
            "own count + choix `ilsr_pairwise_dense`": lambda v=votes: with_choix_dense(v),
            "evalica `bradley_terry`, its defaults": lambda v=votes: with_evalica(v, 1e-6, 100),
            "evalica `bradley_terry`, tolerance 1e-10": lambda v=votes: with_evalica(v, 1e-10, 100_000),
            "choix `ilsr_pairwise` on lists": lambda v=votes: with_choix_lists(v),
        }
        print(f"\n{systems} systems, {count:,} votes\n")
        print("| | ms | x ours | largest difference, Elo |")
        print("|---|---|---|---|")
        base, reference = np.nan, np.zeros(systems)
        for name, prepare in cases.items():
            fit, scores = prepare()
            seconds, found = clock(fit, arguments.runs)
            if np.isnan(base):
                base, reference = seconds, scores(found)
            off = np.abs(scores(found) - reference).max()
            print(f"| {name} | {1000 * seconds:.1f} | {seconds / base:.1f} | {off:.1g} |", flush=True)


if __name__ == "__main__":
    main()

"""Fits from votes in memory: this library beside choix and evalica, one thread each.

    python benchmarks/ranking/bench_fit.py [--runs 9] [--sizes 50x100000 200x1000000] [--parts fit bootstrap
        rankings]

fit: Bradley-Terry and Davidson; bootstrap: 100 replicates; rankings: Plackett-Luce on four-way ballots.
Every peer reads its own native container, built before the clock starts (ours: Ballots, which keep one
integer code a pair). The clock counts the process's CPU time, which on one thread is the wall time of an idle
machine and holds still where the machine is shared. The table gives the fastest of the warm runs and the
largest difference of any score from ours; compare ratios inside one run, never milliseconds across runs.
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

from arena.ranking import Ballots, Bootstrap, BradleyTerry, PlackettLuce, Sandwich
from arena.ranking.result import SCALE

SLOW_RUNS = 3
"""Runs of a peer that takes seconds."""

ONE_RUN_S = 8.0
"""A peer whose first run takes longer is not run again."""

REPLICATES = 100
TIMED_REFITS = 3
"""Refits of a peer that are timed; the row is scaled to REPLICATES of them."""


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


class Rankings:
    """Synthetic ballots that rank `k` of the systems, drawn from Plackett-Luce by Gumbel noise."""

    def __init__(self, systems: int, ballots: int, k: int, rng: np.random.Generator) -> None:
        theta = rng.normal(0.0, 1.0, systems)
        shown = rng.integers(systems, size=(ballots, k))
        while True:
            ordered = np.sort(shown, axis=1)
            twice = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
            if not twice.any():
                break
            shown[twice] = rng.integers(systems, size=(int(twice.sum()), k))
        order = np.argsort(-(theta[shown] + rng.gumbel(size=shown.shape)), axis=1)
        self.names = [f"system-{i:03d}" for i in range(systems)]
        self.shown = shown
        self.rank = np.argsort(order, axis=1) + 1
        self.best_first = np.take_along_axis(shown, order, axis=1)


def ours_on_rankings(rankings: Rankings, interval: Sandwich | None) -> tuple[Fit, Centred]:
    count, k = rankings.shown.shape
    ballots = Ballots.from_columns(
        items=rankings.names,
        offsets=np.arange(0, count * k + 1, k),
        slot_item=rankings.shown.reshape(-1),
        slot_rank=rankings.rank.reshape(-1),
    )
    return lambda: PlackettLuce().fit(ballots, interval=interval), lambda r: scores_of(r, rankings.names)


def choix_on_rankings(rankings: Rankings) -> tuple[Fit, Centred]:
    """Lists of items, best first."""
    data = rankings.best_first.tolist()
    return lambda: choix.ilsr_rankings(len(rankings.names), data, alpha=0.0), centred


def scores_of(ranking: object, names: list[str]) -> np.ndarray:
    return np.array([ranking[name].score for name in names]) - 1000.0


def ours_bootstrap(votes: Votes, ties: str) -> tuple[Fit, Centred]:
    ballots = ballots_of(votes)
    interval = Bootstrap(replicates=REPLICATES)

    def fit() -> object:
        return BradleyTerry(ties=ties).fit(ballots, interval=interval, rng=np.random.default_rng(1))

    return fit, lambda r: scores_of(r, votes.names)


def evalica_refits(votes: Votes, rng: np.random.Generator) -> Fit:
    """Refits of votes drawn beforehand: a bootstrap of its own would draw inside the clock, too."""
    winner = np.array([evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw], dtype=object)
    resamples = []
    for _ in range(TIMED_REFITS):
        drawn = rng.integers(votes.first.size, size=votes.first.size)
        xs, ys = votes.first[drawn].tolist(), votes.second[drawn].tolist()
        resamples.append((xs, ys, winner[votes.outcome[drawn]].tolist()))
    _, _, index = evalica.indexing(*resamples[0][:2])

    def fit() -> None:
        for xs, ys, winners in resamples:
            evalica.bradley_terry(xs, ys, winners, index=index)

    return fit


def ballots_of(votes: Votes) -> Ballots:
    return Ballots.from_pair_columns(
        items=votes.names, first=votes.first, second=votes.second, outcome=votes.outcome
    )


def ours(votes: Votes, interval: Sandwich | None, ties: str = "half") -> tuple[Fit, Centred]:
    ballots = ballots_of(votes)
    model = BradleyTerry(ties=ties)
    return lambda: model.fit(ballots, interval=interval), lambda r: scores_of(r, votes.names)


def with_evalica(votes: Votes, tolerance: float, limit: int) -> tuple[Fit, Centred]:
    """Lists of integers and of its Winner values; a prepared index spares it the naming."""
    winner = [evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw]
    xs, ys = votes.first.tolist(), votes.second.tolist()
    winners = [winner[code] for code in votes.outcome.tolist()]
    _, _, index = evalica.indexing(xs, ys)

    def fit() -> object:
        return evalica.bradley_terry(xs, ys, winners, index=index, tolerance=tolerance, limit=limit)

    return fit, lambda found: centred(np.log(found.scores.sort_index().to_numpy()))


def with_newman(votes: Votes) -> tuple[Fit, Centred]:
    """evalica's Davidson; as much accuracy as its default limit of iterations gives."""
    winner = [evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw]
    xs, ys = votes.first.tolist(), votes.second.tolist()
    winners = [winner[code] for code in votes.outcome.tolist()]
    _, _, index = evalica.indexing(xs, ys)
    return lambda: evalica.newman(xs, ys, winners, index=index), lambda found: centred(
        np.log(found.scores.sort_index().to_numpy())
    )


def count_only(votes: Votes) -> Fit:
    """Our own counting pass, from the votes' columns to the table of outcomes."""
    n = len(votes.names)
    return lambda: np.bincount(
        (votes.first.astype(np.int64) * n + votes.second) * 3 + votes.outcome, minlength=3 * n * n
    )


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
    start = time.process_time()
    found = fit()
    fastest = np.inf
    if time.process_time() - start > ONE_RUN_S:
        return time.process_time() - start, found
    for _ in range(runs):
        start = time.process_time()
        found = fit()
        fastest = min(fastest, time.process_time() - start)
        if fastest > 1.0 and runs > SLOW_RUNS:
            return min([fastest, *(_timed(fit) for _ in range(SLOW_RUNS - 1))]), found
    return float(fastest), found


def _timed(fit: Fit) -> float:
    start = time.process_time()
    fit()
    return time.process_time() - start


def table(title: str, cases: dict[str, Callable[[], tuple[Fit, Centred | None]]], runs: int) -> None:
    """The first case is the one that others are compared with, until a case without scores or a new model."""
    print(f"\n{title}\n\n| | ms | x ours | largest difference, Elo |\n|---|---|---|---|")
    base, reference = np.nan, None
    for name, prepare in cases.items():
        fit, scores = prepare()
        seconds, found = clock(fit, runs)
        seconds *= REPLICATES / TIMED_REFITS if "timed" in name else 1.0
        if np.isnan(base):
            base = seconds
        off = ""
        if scores is not None:
            reference = scores(found) if reference is None else reference
            off = f"{np.abs(scores(found) - reference).max():.1g}"
        print(f"| {name} | {1000 * seconds:.1f} | {seconds / base:.1f} | {off} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--sizes", nargs="+", default=["50x100000", "200x1000000"])
    parser.add_argument("--parts", nargs="+", default=["fit", "bootstrap", "rankings"])
    arguments = parser.parse_args()
    for size in arguments.sizes:
        systems, count = (int(part) for part in size.split("x"))
        title = f"{systems} systems, {count:,}"
        votes = Votes(systems, count, np.random.default_rng(0))
        half: dict[str, Callable[[], tuple[Fit, Centred | None]]] = {
            "arena.ranking": lambda v=votes: ours(v, None),
            "arena.ranking + sandwich intervals": lambda v=votes: ours(v, Sandwich()),
            "counting alone": lambda v=votes: (count_only(v), None),
            "own count + choix `ilsr_pairwise_dense`": lambda v=votes: with_choix_dense(v),
            "evalica `bradley_terry`, its defaults": lambda v=votes: with_evalica(v, 1e-6, 100),
            "evalica `bradley_terry`, tolerance 1e-10": lambda v=votes: with_evalica(v, 1e-10, 100_000),
            "choix `ilsr_pairwise` on lists": lambda v=votes: with_choix_lists(v),
        }
        davidson: dict[str, Callable[[], tuple[Fit, Centred | None]]] = {
            "arena.ranking, Davidson": lambda v=votes: ours(v, None, "davidson"),
            "arena.ranking, Davidson + sandwich": lambda v=votes: ours(v, Sandwich(), "davidson"),
            "evalica `newman`, its defaults": lambda v=votes: with_newman(v),
        }
        resampled: dict[str, Callable[[], tuple[Fit, Centred | None]]] = {
            "arena.ranking": lambda v=votes: ours_bootstrap(v, "half"),
            "arena.ranking, Davidson": lambda v=votes: (ours_bootstrap(v, "davidson")[0], None),
            f"evalica `bradley_terry` ({TIMED_REFITS} timed, scaled)": lambda v=votes: (
                evalica_refits(v, np.random.default_rng(2)),
                None,
            ),
        }
        if "fit" in arguments.parts:
            table(f"{title} votes, ties as half", half, arguments.runs)
            table(f"{title} votes, Davidson", davidson, arguments.runs)
        if "bootstrap" in arguments.parts:
            table(f"{title} votes, {REPLICATES} bootstrap replicates", resampled, min(arguments.runs, 3))
        if "rankings" in arguments.parts:
            ranked = Rankings(systems, count, 4, np.random.default_rng(0))
            rankings: dict[str, Callable[[], tuple[Fit, Centred | None]]] = {
                "arena.ranking": lambda r=ranked: ours_on_rankings(r, None),
                "arena.ranking + sandwich intervals": lambda r=ranked: ours_on_rankings(r, Sandwich()),
                "choix `ilsr_rankings`": lambda r=ranked: choix_on_rankings(r),
            }
            table(f"{title} four-way ballots, Plackett-Luce", rankings, min(arguments.runs, 5))


if __name__ == "__main__":
    main()

"""Style control from votes in memory: this library beside scikit-learn, arena-rank and FastChat's method.

    python benchmarks/ranking/bench_style.py [--runs 7] [--sizes 50x100000 200x1000000]
        [--parts fit few intervals]

fit: Bradley-Terry with four continuous covariates of each vote, ties as half a win, no penalty; few: only the
position and an indicator, which this library merges into few rows; intervals: with sandwich bounds.
Every peer reads its own native container, built before the clock starts: ours the answers' features, from
which it makes the contrasts inside the clock; the peers finished, scaled contrasts. Peers that are not
installed are named and passed over. The clock counts the process's CPU time on one core; compare ratios
inside one run, never milliseconds across runs.
"""
# ruff: noqa: E402 - the number of threads must be set before numpy is imported

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
if hasattr(os, "sched_setaffinity"):  # jax takes its threads from the cores it may use
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import argparse
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from sys import path
from typing import NamedTuple

path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from scipy import optimize, sparse

from arena.ranking import Ballots, Sandwich
from arena.ranking.covariates.contextual import ContextualBradleyTerry
from arena.ranking.result import SCALE

COVARIATES = ("length", "headers", "lists", "bold")
COEFFICIENTS = np.array([0.249, 0.024, 0.031, 0.019])
"""Natural-log units per standard deviation, as published for Chatbot Arena in August 2024."""

SLOW_S = 2.0
"""A peer whose first run takes longer is timed twice more, not `--runs` times."""


class Estimate(NamedTuple):
    """Scores with mean 0 and coefficients, Elo points."""

    scores: np.ndarray
    coefficients: np.ndarray


class Case(NamedTuple):
    fit: Callable[[], object]
    read: Callable[[object], Estimate]


class Votes:
    """Synthetic votes: Zipf-like popularity, a quarter of ties, log-normal style, ten votes a voter."""

    def __init__(self, systems: int, votes: int, rng: np.random.Generator) -> None:
        theta = rng.normal(0.0, 1.0, systems)
        popularity = rng.permutation(1.0 / np.arange(1, systems + 1) ** 0.7)
        popularity /= popularity.sum()
        self.names = [f"system-{i:03d}" for i in range(systems)]
        self.first = rng.choice(systems, votes, p=popularity).astype(np.int16)
        self.second = rng.choice(systems, votes, p=popularity).astype(np.int16)
        same = self.first == self.second
        self.second[same] = (self.second[same] + 1) % systems
        self.features = np.rint(rng.lognormal([5.5, 0.5, 1.0, 1.5], 1.0, (2 * votes, 4)))
        raw = self.features[0::2] - self.features[1::2]
        raw /= self.features[0::2] + self.features[1::2] + 1
        self.contrast = raw / raw.std(axis=0)
        eta = theta[self.first] - theta[self.second] + self.contrast @ COEFFICIENTS
        wins = rng.random(votes) < 1 / (1 + np.exp(-eta))
        self.outcome = np.where(rng.random(votes) < 0.25, 2, np.where(wins, 0, 1)).astype(np.int8)
        self.share = np.array([1.0, 0.0, 0.5])[self.outcome]
        self.voter = rng.integers(max(votes // 10, 2), size=votes)

    def ballots(self, features: np.ndarray, names: tuple[str, ...]) -> Ballots:
        return Ballots.from_pair_columns(
            items=self.names,
            first=self.first,
            second=self.second,
            outcome=self.outcome,
            voter=self.voter,
            features=features,
            feature_names=names,
        )


def ours(votes: Votes, interval: Sandwich | None = None, ties: str = "half") -> Case:
    ballots = votes.ballots(votes.features, COVARIATES)
    model = ContextualBradleyTerry(COVARIATES, ties=ties)
    return Case(lambda: model.fit(ballots, interval=interval), lambda r: read_ours(r, votes.names))


def ours_few(votes: Votes, interval: Sandwich | None = None) -> Case:
    ballots = votes.ballots((votes.features[:, 1:2] > 2).astype(float), ("has_headers",))
    model = ContextualBradleyTerry(["has_headers:difference"], position=True)
    return Case(lambda: model.fit(ballots, interval=interval), lambda r: read_ours(r, votes.names))


def read_ours(ranking: object, names: list[str]) -> Estimate:
    scores = np.array([ranking[name].score for name in names]) - 1000.0
    return Estimate(scores, np.array([row["elo_per_sd"] for row in ranking.diagnostics["covariates"]]))


def estimate_of(strengths: np.ndarray, coefficients: np.ndarray) -> Estimate:
    return Estimate(SCALE * (strengths - strengths.mean()), SCALE * coefficients)


def with_sklearn(votes: Votes, tolerance: float) -> Case:
    """One sparse row a decided vote, two of weight 1/2 a tie."""
    from sklearn.linear_model import LogisticRegression

    n, count = len(votes.names), votes.first.size
    row = np.arange(count)
    entries = [np.ones(count), -np.ones(count), votes.contrast.T.reshape(-1)]
    columns = [votes.first, votes.second, np.repeat(n + np.arange(4), count)]
    rows = np.concatenate([row, row, np.tile(row, 4)])
    cells = (np.concatenate(entries), (rows, np.concatenate(columns)))
    matrix = sparse.csr_matrix(sparse.coo_matrix(cells, shape=(count, n + 4)))
    tied = np.flatnonzero(votes.outcome == 2)
    design = sparse.vstack([matrix, matrix[tied]], format="csr")
    label = np.concatenate([votes.outcome != 1, np.zeros(tied.size, dtype=bool)]).astype(int)
    weight = np.ones(label.size)
    weight[tied] = weight[count:] = 0.5
    model = LogisticRegression(C=np.inf, tol=tolerance, max_iter=10_000, fit_intercept=False)
    return Case(
        lambda: model.fit(design, label, sample_weight=weight),
        lambda m: estimate_of(m.coef_[0, :n], m.coef_[0, n:]),
    )


def with_arena_rank(votes: Votes, penalty: float, *, bounds: bool) -> Case:
    import jax.numpy as jnp
    from arena_rank.models.contextual_bradley_terry import ContextualBradleyTerry as Theirs
    from arena_rank.utils.data_utils import ContextualPairDataset

    dataset = ContextualPairDataset(
        competitors=votes.names,
        pairs=jnp.array(np.stack([votes.first, votes.second], axis=1), dtype=jnp.int32),
        outcomes=jnp.array(votes.share),
        features=jnp.array(votes.contrast),
        weights=jnp.ones(votes.first.size),
    )

    def fit() -> object:
        model = Theirs(len(votes.names), 4, reg=penalty)
        if bounds:
            model.compute_ratings_and_cis(dataset)
        else:
            model.fit(dataset)
        return np.asarray(model.params["ratings"]), np.asarray(model.params["coeffs"])

    return Case(fit, lambda found: estimate_of(*found))


def with_fastchat(votes: Votes, penalty: float, *, converged: bool = False) -> Case:
    """Its method, written anew: the loss of all votes with L-BFGS, its limit of 100 steps and tolerance 1e-6,
    or as far as the digits go; half of `penalty` times the squared ratings and coefficients is added to the
    summed loss.
    """
    n, x, share = len(votes.names), votes.contrast, votes.share
    first, second = votes.first.astype(np.intp), votes.second.astype(np.intp)

    def loss(v: np.ndarray) -> tuple[float, np.ndarray]:
        eta = v[first] - v[second] + x @ v[n:]
        chance = 1 / (1 + np.exp(-eta))
        value = -(share @ np.log(chance) + (1 - share) @ np.log(1 - chance)) + 0.5 * penalty * v @ v
        off = chance - share
        by_item = np.bincount(first, off, n) - np.bincount(second, off, n)
        return value, np.concatenate([by_item, off @ x]) + penalty * v

    def fit() -> np.ndarray:
        options = {"maxiter": 100, "gtol": 1e-6}
        if converged:
            options = {"maxiter": 10_000, "maxfun": 20_000, "gtol": 1e-3, "ftol": 1e-15}
        return optimize.minimize(loss, np.zeros(n + 4), jac=True, method="L-BFGS-B", options=options).x

    return Case(fit, lambda v: estimate_of(v[:n], v[n:]))


def clock(fit: Callable[[], object], runs: int) -> tuple[float, object]:
    """Fastest of the runs after the first, which warms up."""
    start = time.process_time()
    found = fit()
    fastest, again = np.inf, runs
    if time.process_time() - start > SLOW_S:
        again = min(runs, 2)
    for _ in range(again):
        start = time.process_time()
        found = fit()
        fastest = min(fastest, time.process_time() - start)
    return fastest, found


def table(title: str, cases: dict[str, tuple[str | None, Callable[[], Case]]], runs: int) -> None:
    """The first case is the one that others are compared with."""
    print(
        f"\n{title}\n\n| | ms | x ours | scores off, Elo | coefficients off, Elo per SD |"
        "\n|---|---|---|---|---|"
    )
    base, reference = np.nan, None
    for name, (package, prepare) in cases.items():
        if package is not None and importlib.util.find_spec(package) is None:
            print(f"| {name} | not installed | | | |")
            continue
        case = prepare()
        seconds, found = clock(case.fit, runs)
        estimate = case.read(found)
        base = seconds if np.isnan(base) else base
        reference = estimate if reference is None else reference
        off = [np.abs(a - b).max() for a, b in zip(estimate, reference, strict=True)]
        print(
            f"| {name} | {1000 * seconds:.1f} | {seconds / base:.1f} | {off[0]:.1g} | {off[1]:.1g} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--sizes", nargs="+", default=["50x100000", "200x1000000"])
    parser.add_argument("--parts", nargs="+", default=["fit", "few", "intervals"])
    arguments = parser.parse_args()
    for size in arguments.sizes:
        systems, count = (int(part) for part in size.split("x"))
        votes = Votes(systems, count, np.random.default_rng(0))
        title = f"{systems} systems, {count:,} votes"
        voter = Sandwich(cluster="voter")
        parts: dict[str, tuple[str, dict[str, tuple[str | None, Callable[[], Case]]]]] = {
            "fit": (
                "4 continuous covariates",
                {
                    "arena.ranking": (None, lambda v=votes: ours(v)),
                    "scikit-learn, sparse, tol 1e-8": ("sklearn", lambda v=votes: with_sklearn(v, 1e-8)),
                    "scikit-learn, sparse, its default tol": (
                        "sklearn",
                        lambda v=votes: with_sklearn(v, 1e-4),
                    ),
                    "arena-rank, reg=0": (
                        "arena_rank",
                        lambda v=votes: with_arena_rank(v, 0.0, bounds=False),
                    ),
                    "arena-rank, its default reg=1": (
                        "arena_rank",
                        lambda v=votes: with_arena_rank(v, 1.0, bounds=False),
                    ),
                    "FastChat's method, no penalty": (None, lambda v=votes: with_fastchat(v, 0.0)),
                    "FastChat's method, no penalty, converged": (
                        None,
                        lambda v=votes: with_fastchat(v, 0.0, converged=True),
                    ),
                    "FastChat's method, its penalty 0.5": (None, lambda v=votes: with_fastchat(v, 0.5)),
                },
            ),
            "intervals": (
                "4 continuous covariates, with bounds",
                {
                    "arena.ranking, sandwich by vote": (None, lambda v=votes: ours(v, Sandwich())),
                    "arena.ranking, sandwich by voter": (None, lambda v=votes, i=voter: ours(v, i)),
                    "arena-rank, reg=0, sandwich by vote": (
                        "arena_rank",
                        lambda v=votes: with_arena_rank(v, 0.0, bounds=True),
                    ),
                },
            ),
            "few": (
                "position and one indicator",
                {
                    "arena.ranking": (None, lambda v=votes: ours_few(v)),
                    "arena.ranking, sandwich by vote": (None, lambda v=votes: ours_few(v, Sandwich())),
                    "arena.ranking, sandwich by voter": (None, lambda v=votes, i=voter: ours_few(v, i)),
                },
            ),
        }
        for part in arguments.parts:
            what, cases = parts[part]
            table(f"{title}, {what}", cases, arguments.runs)
        if "fit" in arguments.parts:
            apart: dict[str, tuple[str | None, Callable[[], Case]]] = {
                "arena.ranking, Davidson": (None, lambda v=votes: ours(v, ties="davidson")),
                "arena.ranking, Davidson, sandwich by vote": (
                    None,
                    lambda v=votes: ours(v, Sandwich(), "davidson"),
                ),
            }
            table(f"{title}, 4 continuous covariates, ties apart", apart, min(arguments.runs, 3))


if __name__ == "__main__":
    main()

"""Ballots for the ranking tests: made boards, and the published vote files if they are at hand."""

from __future__ import annotations

import csv
import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from arena.ranking import Ballots

OUTCOMES = {"model_a": "a", "model_b": "b", "tie": "tie"}


def board_of(*rows, **columns):
    """Ballots from rows `(a, b, outcome)` or `(a, b, outcome, times)`."""
    flat = [row[:3] for row in rows for _ in range(row[3] if len(row) > 3 else 1)]
    a, b, outcome = zip(*flat, strict=True) if flat else ((), (), ())
    return Ballots.from_pairs(a, b, outcome, **columns)


def sampled_board(rng, *, n, size, ties=0.25, spread=1.0, voters=None):
    """Battles of uniform pairs under Bradley-Terry; a share `ties` is drawn whatever the strengths."""
    theta = rng.normal(0.0, spread, n)
    first = rng.integers(n, size=size)
    second = (first + rng.integers(1, n, size=size)) % n
    wins = rng.random(size) < 1 / (1 + np.exp(theta[second] - theta[first]))
    outcome = np.where(rng.random(size) < ties, 2, np.where(wins, 0, 1))
    return Ballots.from_pair_columns(
        items=[f"s{i:03d}" for i in range(n)],
        first=first,
        second=second,
        outcome=outcome,
        voter=None if voters is None else rng.integers(voters, size=size),
    )


def scores_of(ranking):
    return {rating.item: rating.score for rating in ranking.ratings}


def published_rows(name):
    """Human rows of a published vote file; skips the test if the folder ARENA_DATA is not at hand."""
    folder = os.environ.get("ARENA_DATA")
    path = Path(folder) / name if folder else None
    if path is None or not path.exists():
        pytest.skip(
            f"the published votes {name} are not at hand: set ARENA_DATA to the folder that holds them"
        )
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["judge_kind"] == "human"]
    for number, row in enumerate(rows, start=2):
        if row["winner"] not in OUTCOMES:
            raise ValueError(f"{name}, human row {number}: unknown winner {row['winner']!r}")
    return rows


def published_ballots(rows, prompt):
    return Ballots.from_pairs(
        [row["model_a"] for row in rows],
        [row["model_b"] for row in rows],
        [OUTCOMES[row["winner"]] for row in rows],
        voter=[row["judge"] for row in rows],
        prompt=[row[prompt] for row in rows],
    )

"""Synthetic votes and rankings, drawn once and kept in a file, so that every process times the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
VOTES_A_VOTER = 10


def names_of(systems: int) -> list[str]:
    return [f"system-{i:04d}" for i in range(systems)]


@dataclass(frozen=True, eq=False)
class Votes:
    """first, second int16[n] systems; outcome int8[n], 0 first won, 1 second won, 2 tie; voter int32[n]."""

    systems: int
    first: Array
    second: Array
    outcome: Array
    voter: Array

    @classmethod
    def draw(cls, systems: int, votes: int, rng: np.random.Generator) -> Votes:
        """Zipf-like popularity, a quarter of ties, strengths with standard deviation 1 (174 Elo points)."""
        theta = rng.normal(0.0, 1.0, systems)
        popularity = rng.permutation(1.0 / np.arange(1, systems + 1) ** 0.7)
        popularity /= popularity.sum()
        first = rng.choice(systems, votes, p=popularity).astype(np.int16)
        second = rng.choice(systems, votes, p=popularity).astype(np.int16)
        same = first == second
        second[same] = (second[same] + 1) % systems
        wins = rng.random(votes) < 1 / (1 + np.exp(theta[second] - theta[first]))
        outcome = np.where(rng.random(votes) < 0.25, 2, np.where(wins, 0, 1)).astype(np.int8)
        voter = rng.integers(max(votes // VOTES_A_VOTER, 2), size=votes).astype(np.int32)
        return cls(systems, first, second, outcome, voter)

    def save(self, path: Path) -> None:
        np.savez(
            path,
            systems=self.systems,
            first=self.first,
            second=self.second,
            outcome=self.outcome,
            voter=self.voter,
        )

    @classmethod
    def load(cls, path: Path) -> Votes:
        with np.load(path) as file:
            columns = [file[name] for name in ("first", "second", "outcome", "voter")]
            return cls(int(file["systems"]), *columns)


@dataclass(frozen=True, eq=False)
class Rankings:
    """shown int16[n, k], the systems of each ballot in random order; rank int16[n, k], 1 is best."""

    systems: int
    shown: Array
    rank: Array

    @property
    def best_first(self) -> Array:
        return np.take_along_axis(self.shown, np.argsort(self.rank, axis=1), axis=1)

    @classmethod
    def draw(cls, systems: int, ballots: int, k: int, rng: np.random.Generator) -> Rankings:
        """Plackett-Luce by Gumbel noise on any `k` different systems."""
        theta = rng.normal(0.0, 1.0, systems)
        shown = rng.integers(systems, size=(ballots, k))
        while True:
            ordered = np.sort(shown, axis=1)
            twice = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
            if not twice.any():
                break
            shown[twice] = rng.integers(systems, size=(int(twice.sum()), k))
        order = np.argsort(-(theta[shown] + rng.gumbel(size=shown.shape)), axis=1)
        return cls(systems, shown.astype(np.int16), (np.argsort(order, axis=1) + 1).astype(np.int16))

    def save(self, path: Path) -> None:
        np.savez(path, systems=self.systems, shown=self.shown, rank=self.rank)

    @classmethod
    def load(cls, path: Path) -> Rankings:
        with np.load(path) as file:
            return cls(int(file["systems"]), file["shown"], file["rank"])

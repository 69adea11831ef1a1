"""Who votes on what: how ballots fall on voters and prompts, and how tastes differ between those."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from arena.ranking.counts import Cluster
from benchmarks.coverage.laws import Floats, Ints, Rng

TASTE_SD = 0.8
"""Standard deviation over voters (and over prompts) of a system's strength, natural-log units: 139 Elo."""


@dataclass(frozen=True)
class Layout:
    """`ballots` ballots in `clusters` clusters of one kind; "voter,prompt" crosses as many of each.

    kind        "ballot", "voter", "prompt", "voter,prompt"
    zipf        cluster k has a share of the ballots in proportion to 1 / k; otherwise all are of one size
    newcomer    only this many voters met the system in the middle; 0: all did
    """

    kind: Cluster
    clusters: int
    ballots: int
    zipf: bool = False
    newcomer: int = 0

    @property
    def taste_sd(self) -> float:
        """Of the sum of all tastes on one answer."""
        return TASTE_SD * math.sqrt(len(self.ways))

    @property
    def population(self) -> tuple[float, float]:
        """What the true values depend on."""
        return self.taste_sd, self.newcomer / self.clusters

    @property
    def ways(self) -> tuple[str, ...]:
        return () if self.kind == "ballot" else tuple(self.kind.split(","))

    @property
    def label(self) -> str:
        newcomer = f" newcomer {self.newcomer}" if self.newcomer else ""
        return f"{self.clusters}{' Zipf' if self.zipf else ''}{newcomer}"

    def is_chosen(self, wanted: list[str] | None) -> bool:
        """`wanted` holds kinds and single layouts ("voter:40"); None is all."""
        return wanted is None or self.kind in wanted or f"{self.kind}:{self.label}" in wanted

    def draw(self, systems: int, rng: Rng) -> Crowd:
        shares = 1.0 / np.arange(1, self.clusters + 1) if self.zipf else np.ones(self.clusters)
        edges = np.rint(np.cumsum(shares) / shares.sum() * self.ballots).astype(np.int64)
        code = np.searchsorted(edges, np.arange(self.ballots), side="right")
        codes = {way: rng.permutation(code) for way in self.ways}
        tastes = {way: rng.normal(0.0, TASTE_SD, (self.clusters, systems)) for way in self.ways}
        return Crowd(codes.get("voter"), codes.get("prompt"), codes, tastes)

    def shown(self, crowd: Crowd, systems: int, width: int, rng: Rng) -> Ints:
        """int64[ballots, width], different systems on each ballot, all sets and orders alike."""
        found = draw_shown(self.ballots, systems, width, rng)
        if not self.newcomer:
            return found
        new = systems // 2
        meets = crowd.codes[self.ways[0]] < self.newcomer
        while (unmet := (found == new).any(axis=1) & ~meets).any():
            found[unmet] = draw_shown(int(unmet.sum()), systems, width, rng)
        return found

    def pair_weights(self, left: Ints, right: Ints, systems: int) -> Floats:
        """How often each pair is shown, on any scale."""
        new = (left == systems // 2) | (right == systems // 2)
        if not self.newcomer:
            return np.ones(left.size)
        share = self.newcomer / self.clusters
        # Voters who never meet the newcomer spread its pairs' votes over all the others.
        return np.where(new, share, share + (1 - share) * systems / (systems - 2))


class Crowd(NamedTuple):
    """The voters and prompts of one simulation: codes int64[ballots], tastes float64[clusters, systems]."""

    voter: Ints | None
    prompt: Ints | None
    codes: dict[str, Ints]
    tastes: dict[str, Floats]

    def strengths(self, theta: Floats, shown: Ints) -> Floats:
        """float64[ballots, K] of the systems int64[ballots, K] that were shown."""
        strength = theta[shown]
        for way, code in self.codes.items():
            strength = strength + self.tastes[way][code[:, None], shown]
        return strength


def standard_layouts() -> list[Layout]:
    """Those of the table: 5,000 ballots, and 1,000 where each is its own cluster."""
    found = [Layout("ballot", count, count) for count in (1000, 5000)]
    crossed: tuple[Cluster, ...] = ("voter", "voter,prompt")
    for kind in crossed:
        found += [Layout(kind, count, 5000) for count in (5, 10, 20, 40, 100, 400)]
    found.append(Layout("prompt", 100, 5000))  # the code of prompts is that of voters
    found += [Layout("voter", count, 5000, zipf=True) for count in (40, 400)]
    return [*found, Layout("voter", 400, 20000, newcomer=8)]


def draw_shown(ballots: int, systems: int, width: int, rng: Rng) -> Ints:
    """int64[ballots, width], different systems on each ballot, all sets and orders alike."""
    if width == 2:
        left = rng.integers(systems, size=ballots)
        right = (left + 1 + rng.integers(systems - 1, size=ballots)) % systems
        return np.stack([left, right], axis=1)
    shown: Ints = np.argsort(rng.random((ballots, systems)), axis=1)[:, :width]
    return shown

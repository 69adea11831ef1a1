"""Rules that read how often systems met, and nothing about who is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from arena.ranking.arrays import Floats
from arena.ranking.errors import InvalidSetting, TooFewSystems
from arena.ranking.pairing.plan import PairPlan, check_positive, check_share, weighted_pairs
from arena.ranking.pairing.state import State


@dataclass(frozen=True)
class Uniform:
    """Every pair alike, times both systems' pull."""

    def plan(self, state: State, k: int = 2) -> PairPlan:
        """Reads nothing but `pull`. Raises TooFewSystems."""
        return weighted_pairs(state.items, np.ones_like(state.met), state.ready, 0.0)


@dataclass(frozen=True)
class LeastCompared:
    """A pair by 1 / (1 + meetings), times both systems' pull."""

    def plan(self, state: State, k: int = 2) -> PairPlan:
        """Reads `met`. Raises TooFewSystems."""
        return weighted_pairs(state.items, 1.0 / (1.0 + state.met), state.ready, 0.0)


@dataclass(frozen=True)
class Targets:
    """FastChat's rule (`gradio_block_arena_anony.py`): the first system by its pull, its rival by pull, too;
    a system's targets together get half of the battles in which it is drawn first.

    boost       by how much a named system's pull is multiplied when the first one is drawn (FastChat: 5 for
                new ones)
    targets     system -> rivals that share half of its battles as first, alike
    only        system -> the only rivals that it may be given as first
    apart       systems that never meet one another

    A target without pull is in outage and is passed over. Where all rivals are targets they get everything.
    """

    boost: Mapping[str, float] = field(default_factory=dict)
    targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    apart: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for item, factor in self.boost.items():
            check_positive(f"boost of {item}", factor)
        for item, rivals in (*self.targets.items(), *self.only.items()):
            if item in rivals:
                raise InvalidSetting(f"{item} cannot be its own rival")

    def plan(self, state: State, k: int = 2) -> PairPlan:
        """Reads `pull`. Names that are not in the arena are passed over. Raises TooFewSystems."""
        position = {item: index for index, item in enumerate(state.items)}
        rival = self._rivals(state, position)
        first = state.ready.copy()
        for item, factor in self.boost.items():
            if item in position:
                first[position[item]] *= factor
        reach = rival.sum(axis=1)
        first[reach <= 0.0] = 0.0
        if first.sum() <= 0.0:
            raise TooFewSystems("no system can be drawn with a rival")
        ordered = (first / first.sum())[:, None] * rival / np.where(reach > 0.0, reach, 1.0)[:, None]
        return PairPlan(state.items, ordered + ordered.T)

    def _rivals(self, state: State, position: Mapping[str, int]) -> Floats:
        """float64[n, n], weight of the column as the rival of the row."""
        rival = np.tile(state.ready, (len(state.items), 1))
        np.fill_diagonal(rival, 0.0)
        group = [position[item] for item in self.apart if item in position]
        rival[np.ix_(group, group)] = 0.0
        for item, allowed in self.only.items():
            if item in position:
                keep = [position[other] for other in allowed if other in position]
                row = np.zeros(len(state.items))
                row[keep] = rival[position[item], keep]
                rival[position[item]] = row
        for item, wanted in self.targets.items():
            if item not in position:
                continue
            row = rival[position[item]]
            aims = [position[t] for t in wanted if t in position and row[position[t]] > 0.0]
            if aims:
                row[aims] = 0.0
                rest = float(row.sum())
                row[aims] = (rest if rest > 0.0 else 1.0) / len(aims)
        return rival


@dataclass(frozen=True)
class FallingVariance:
    """Chatbot Arena's rule (arXiv:2403.04132): a pair by the expected fall of
    its standard error, sqrt(S / n) - sqrt(S / (n + 1)), S = variance of one vote on the pair.

    phantom     votes, half a win to each side, that every pair starts with: S and n are never 0
    explore     share of draws that goes by the pulls alone
    """

    phantom: float = 1.0
    explore: float = 0.0

    def __post_init__(self) -> None:
        check_positive("phantom", self.phantom)
        check_share("explore", self.explore)

    def plan(self, state: State, k: int = 2) -> PairPlan:
        """Reads `won`. Raises IncompleteState, TooFewSystems."""
        won = state.need_won()
        n = won + won.T + self.phantom
        share = (won + 0.5 * self.phantom) / n
        fall = np.sqrt(share * (1.0 - share)) * (1.0 / np.sqrt(n) - 1.0 / np.sqrt(n + 1.0))
        return weighted_pairs(state.items, (fall + fall.T) / 2.0, state.ready, self.explore)

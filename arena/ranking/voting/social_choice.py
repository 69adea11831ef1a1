"""Voting rules as board models: an order from ballots without any model of strength. It estimates nothing
beyond the ballots at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from arena.ranking.arrays import Floats, Ints
from arena.ranking.ballots import Ballots
from arena.ranking.counts import BothBad, Cells, Tally, compare, tally
from arena.ranking.errors import InvalidSetting, PairsOnly
from arena.ranking.graph import components
from arena.ranking.intervals import Interval
from arena.ranking.result import Ranking
from arena.ranking.scored import Shown, rank_by_weights
from arena.ranking.settings import check_shared
from arena.ranking.voting.majority import (
    OPPOSITIONS,
    Duels,
    Opposition,
    baldwin,
    condorcet_winner,
    copeland,
    minimax,
)
from arena.ranking.voting.places import borda, dowdall, places_of, plurality, threshold, veto

Rule = Literal[
    "plurality", "veto", "borda", "dowdall", "threshold", "copeland", "minimax", "condorcet", "baldwin"
]
UNITS: dict[Rule, str] = {
    "plurality": "share of ballots with the system first",
    "veto": "share of ballots with the system not last",
    "borda": "mean share of the others on a ballot that stand below",
    "dowdall": "mean of 1 / place on a ballot",
    "threshold": "share of the others that have more last places",
    "copeland": "share of the others beaten head to head",
    "minimax": "minus the worst result head to head",
    "condorcet": "1 for the system that beats every other head to head, else 0",
    "baldwin": "share of the others that were eliminated earlier",
}
BY_PLACES = {"plurality": plurality, "veto": veto, "borda": borda, "dowdall": dowdall}


@dataclass(frozen=True)
class SocialChoice:
    """A board by a voting rule; more is better under each.

    rule        "plurality", "veto", "borda", "dowdall", "threshold" read the places on the ballots
                (`arena.ranking.voting.places`); "copeland", "minimax", "condorcet", "baldwin" the majorities
                head to head inside a component (`arena.ranking.voting.majority`); each says there what it
                makes of ties, of items a ballot does not compare and of items that never met. "condorcet"
                scores the Condorcet winner 1 and all others 0, or everybody 0 if there is none
    alpha       "copeland": what a tie head to head is worth, between 0 and 1
    opposition  "minimax": what counts against an item, "margins", "winning_votes" or "opposition"
    both_bad    "tie": all compared answers of a ballot called all bad tie; "drop": it is left out
    provisional_below   systems with fewer usable ballots are marked provisional

    A rule takes the ballots as they come: an item that met weak rivals only looks strong under every one of
    them. Rules that tell an order or a winner jump, so that their bootstrap intervals are rough.
    """

    rule: Rule = "borda"
    alpha: float = 0.5
    opposition: Opposition = "margins"
    both_bad: BothBad = "tie"
    provisional_below: int = 50

    def __post_init__(self) -> None:
        if self.rule not in UNITS:
            raise InvalidSetting(f"rule must be one of {', '.join(UNITS)}, not {self.rule!r}")
        if not 0.0 <= self.alpha <= 1.0:
            raise InvalidSetting(f"alpha must lie between 0 and 1, not {self.alpha}")
        if self.opposition not in OPPOSITIONS:
            raise InvalidSetting(
                f"opposition must be one of {', '.join(OPPOSITIONS)}, not {self.opposition!r}"
            )
        check_shared(self)

    def fit(
        self, ballots: Ballots, interval: Interval | None = None, rng: np.random.Generator | None = None
    ) -> Ranking:
        """Count. The interval is a `Bootstrap` or None; `rng` draws its resamples.

        Diagnostics: `condorcet_winners`, one name or None for each component; `unmet_pairs`, how many pairs
        of items share a component and never met.
        Raises InvalidSetting for a Sandwich, MissingRandomness, TooFewClusters, MissingClusters.
        """
        comparisons = compare(ballots, both_bad=self.both_bad)
        total = tally(comparisons)
        groups = components(total.n_items, total.first, total.second)
        every = Duels.from_cells(ballots.items, total, total.weight)
        shown = Shown(
            settings={"model": "social-choice", **asdict(self)},
            unit=UNITS[self.rule],
            provisional_below=self.provisional_below,
            bounds=self._bounds(),
            diagnostics={
                "condorcet_winners": [condorcet_winner(every.among(group)) for group in groups],
                "unmet_pairs": sum(group.size * (group.size - 1) // 2 for group in groups) - total.first.size,
            },
        )
        score = self._by_places(ballots, groups)
        if score is None:
            score = self._by_duels(ballots.items, Cells.of(comparisons, total), total, groups)
        return rank_by_weights(ballots, score, shown, both_bad=self.both_bad, interval=interval, rng=rng)

    def _by_places(self, ballots: Ballots, groups: list[Ints]) -> Callable[[Floats], Floats] | None:
        if self.rule == "threshold":
            places = places_of(ballots, both_bad=self.both_bad)
            return lambda weight: threshold(places, weight, groups)
        if self.rule not in BY_PLACES:
            return None
        places, rule = places_of(ballots, both_bad=self.both_bad), BY_PLACES[self.rule]
        return lambda weight: rule(places, weight)

    def _by_duels(
        self, items: tuple[str, ...], cells: Cells, total: Tally, groups: list[Ints]
    ) -> Callable[[Floats], Floats]:
        def by_weight(weight: Floats) -> Floats:
            every = Duels.from_cells(items, total, cells.weigh(weight))
            scores = np.full(len(every.items), np.nan)
            for group in groups:
                duels = every.among(group)
                scores[group] = np.where(duels.met.any(axis=1), self._of_duels(duels), np.nan)
            return scores

        return by_weight

    def _of_duels(self, duels: Duels) -> Floats:
        if self.rule == "copeland":
            return copeland(duels, alpha=self.alpha)
        if self.rule == "minimax":
            return minimax(duels, opposition=self.opposition)
        if self.rule == "baldwin":
            return baldwin(duels)
        winner = condorcet_winner(duels)
        return np.array([float(item == winner) for item in duels.items])

    def _bounds(self) -> tuple[float, float]:
        if self.rule != "minimax":
            return 0.0, 1.0
        return (-1.0, 1.0) if self.opposition == "margins" else (-1.0, 0.0)


def complete_ballots(ballots: Ballots) -> Ballots:
    """The ballots with every item of the board on each: those a ballot did not compare tie for its last
    place.

    Right where voters saw all items and ranked only the best, as on a truncated election ballot; wrong where
    an item was never shown. Answers' features are not carried over. Raises PairsOnly for graded ballots: what
    is unseen has no share.
    """
    if ballots.share is not None:
        raise PairsOnly("a graded ballot cannot be completed")
    n, votes = len(ballots.items), len(ballots)
    places = places_of(ballots)
    compared = ballots.slot_rank > 0
    owner = np.repeat(np.arange(votes), ballots.sizes)[compared]
    rank = np.repeat(np.bincount(owner, minlength=votes) + 1, n).reshape(votes, n)
    rank[owner, ballots.slot_item[compared]] = 1
    rank[places.ballot, places.item] = places.ahead + 1
    return Ballots.from_columns(
        items=ballots.items,
        offsets=np.arange(votes + 1) * n,
        slot_item=np.tile(np.arange(n), votes),
        slot_rank=rank.reshape(-1),
        all_bad=ballots.all_bad,
        weight=ballots.weight,
        voter=ballots.voter,
        prompt=ballots.prompt,
        chance=ballots.chance,
    )

"""How far Elo ratings hang on the K-factor and on the order of the votes, and where votes and ratings are not
transitive. It recommends nothing: the numbers are for the reader.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from arena.ranking.arrays import Bools, Floats, Ints
from arena.ranking.ballots import Ballots
from arena.ranking.counts import BothBad, compare, tally
from arena.ranking.errors import InvalidSetting, LengthMismatch, NotComparable
from arena.ranking.graph import components
from arena.ranking.online.elo import Elo, Game
from arena.ranking.robustness.perturbation import kendall_tau
from arena.ranking.voting.majority import Duels

Triad = tuple[str, str, str]

LISTED = 1000
"""Triads that a report names at most; the counts are of all."""


class Cycles(NamedTuple):
    """Triads of which each system beat the next head to head.

    n_triads        triads whose three pairs met and have a majority
    n_cyclic        those of them in which the majorities run in a circle
    share           n_cyclic / n_triads; None without a triad
    listed          (a, b, c): a beats b, b beats c, c beats a; at most LISTED, the most certain first: by the
                    least share of wins along the circle
    """

    n_triads: int
    n_cyclic: int
    share: float | None
    listed: tuple[Triad, ...]


class Chains(NamedTuple):
    """Chains a beats b, b beats c of the votes, head to head, and whether the ratings have a above c.

    n_chains        chains, whether a and c met or not
    n_broken        chains with c rated as high as a or higher
    share           n_broken / n_chains; None without a chain
    listed          (a, b, c) of broken chains; at most LISTED, the largest lead of c first
    """

    n_chains: int
    n_broken: int
    share: float | None
    listed: tuple[Triad, ...]


@dataclass(frozen=True, eq=False)
class KFactorRow:
    """What one K-factor gives over random orders of the votes, Elo points.

    mean, order_sd  float64[n], each system's mean rating over the orders and its standard deviation
    log_loss        mean over orders of `arena.ranking.elo.Forecast.log_loss`: every ballot is foretold by the
                    ratings before it. The first ballots meet ratings that know nothing, so a small K pays for
                    its slow start; guessing at 1/2 gives ln 2 = 0.693
    log_loss_sd     its standard deviation over the orders
    top_changes     share of pairs of orders with different systems on top
    on_top          share of the orders in which a system is on top, those that ever are
    tau, least_tau  mean and least Kendall tau between one order's ratings and the means
    chains          transitivity of the mean ratings
    """

    k_factor: float
    mean: Floats
    order_sd: Floats
    log_loss: float
    log_loss_sd: float
    top_changes: float
    on_top: Mapping[str, float]
    tau: float
    least_tau: float
    chains: Chains


@dataclass(frozen=True, eq=False)
class KFactorSweep:
    """One row for each K-factor, all over the same orders.

    items       n names, the systems of the largest component
    left_out    the other systems: their ratings would stand on another scale
    cycles      cyclic triads of the votes themselves, whatever the rating
    """

    items: tuple[str, ...]
    rows: tuple[KFactorRow, ...]
    cycles: Cycles
    left_out: tuple[str, ...]
    settings: Mapping[str, Any]

    @property
    def foretells_best(self) -> KFactorRow:
        """The row with the least log-loss; the least K among equals."""
        return min(self.rows, key=lambda row: (row.log_loss, row.k_factor))

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""

        def row(found: KFactorRow) -> dict[str, Any]:
            values: dict[str, Any] = {**vars(found), "chains": found.chains._asdict()}
            for name in ("mean", "order_sd"):
                values[name] = dict(zip(self.items, values[name].tolist(), strict=True))
            return values | {"on_top": dict(found.on_top)}

        return {
            "items": list(self.items),
            "left_out": list(self.left_out),
            "rows": [row(found) for found in self.rows],
            "cycles": self.cycles._asdict(),
            "settings": dict(self.settings),
        }


def k_factor_sweep(
    ballots: Ballots,
    k_factors: Sequence[float] = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0),
    *,
    permutations: int = 100,
    rng: np.random.Generator,
    anchor_mean: float = 1000.0,
    both_bad: BothBad = "tie",
) -> KFactorSweep:
    """Elo ratings of the same random orders under several K-factors (Boubdir et al. 2023, arXiv:2311.17295).

    permutations    random orders, at least 2; the paper asks for 100 or more

    Raises InvalidSetting, and NotComparable if no two systems met.
    """
    factors = tuple(sorted({float(k) for k in k_factors}))
    if not factors:
        raise InvalidSetting("a sweep needs at least one K-factor")
    if permutations < 2:
        raise InvalidSetting(f"permutations must be at least 2, not {permutations}")
    models = [Elo(k_factor=k, anchor_mean=anchor_mean, both_bad=both_bad) for k in factors]
    comparisons = compare(ballots, both_bad=both_bad)
    total = tally(comparisons)
    groups = components(total.n_items, total.first, total.second)
    if not groups:
        raise NotComparable("no two systems met on a usable ballot")
    duels = Duels.from_cells(ballots.items, total, total.weight).among(groups[0])
    orders = [rng.permutation(len(ballots)) for _ in range(permutations)]
    rows = []
    for model in models:
        game = Game.of(comparisons, len(ballots), model.k_factor)
        rows.append(_row(game, orders, groups[0], duels, model))
    named = set(duels.items)
    return KFactorSweep(
        items=duels.items,
        rows=tuple(rows),
        cycles=cyclic_triads(duels),
        left_out=tuple(item for item in ballots.items if item not in named),
        settings={
            "model": "elo",
            "k_factors": list(factors),
            "permutations": permutations,
            "anchor_mean": anchor_mean,
            "both_bad": both_bad,
        },
    )


def cyclic_triads(duels: Duels) -> Cycles:
    """Find the triads of which no order agrees with the three majorities (Kendall & Babington Smith 1940)."""
    beats, share = duels.beats, duels.share
    decided = (beats | beats.T).astype(np.float64)
    n_triads = round(float(np.einsum("ij,ji->", decided @ decided, decided)) / 6.0)
    found, certain = [np.zeros((0, 3), dtype=np.int64)], [np.zeros(0)]
    n_cyclic = 0
    for a in range(len(duels.items)):
        # Each circle is found once: from its first member on the board.
        after = np.flatnonzero(beats[a])
        before = np.flatnonzero(beats[:, a])
        after, before = after[after > a], before[before > a]
        b, c = np.nonzero(beats[np.ix_(after, before)])
        b, c = after[b], before[c]
        n_cyclic += b.size
        strength = np.minimum(np.minimum(share[a, b], share[b, c]), share[c, a])
        kept = np.argsort(-strength, kind="stable")[:LISTED]
        found.append(np.column_stack([np.full(kept.size, a), b[kept], c[kept]]))
        certain.append(strength[kept])
    triads = np.concatenate(found)[np.argsort(-np.concatenate(certain), kind="stable")[:LISTED]]
    return Cycles(n_triads, n_cyclic, n_cyclic / n_triads if n_triads else None, _named(duels, triads))


def broken_chains(duels: Duels, rating: Floats) -> Chains:
    """Check a beats b, b beats c => rating[a] > rating[c]; float64[n] ratings in the order of the duels.

    Raises LengthMismatch.
    """
    if rating.shape != (len(duels.items),):
        raise LengthMismatch(f"{len(duels.items)} systems but ratings of shape {rating.shape}")
    beats = duels.beats
    through = np.rint(beats.astype(np.float64) @ beats.astype(np.float64)).astype(np.int64)
    lead = rating[None, :] - rating[:, None]
    broken: Bools = (through > 0) & (lead >= 0.0)
    n_chains, n_broken = int(through.sum()), int(through[broken].sum())
    a, c = np.nonzero(broken)
    order = np.argsort(-lead[a, c], kind="stable")[:LISTED]
    listed = [
        (int(a[k]), int(b), int(c[k])) for k in order for b in np.flatnonzero(beats[a[k]] & beats[:, c[k]])
    ]
    triads = np.array(listed[:LISTED], dtype=np.int64).reshape(-1, 3)
    return Chains(n_chains, n_broken, n_broken / n_chains if n_chains else None, _named(duels, triads))


def _row(game: Game, orders: Sequence[Ints], group: Ints, duels: Duels, model: Elo) -> KFactorRow:
    played = [game.forecast(order) for order in orders]
    ratings = np.stack([one.gain[group] for one in played]) + model.anchor_mean
    losses = np.array([one.log_loss for one in played], dtype=np.float64)
    mean = ratings.mean(axis=0)
    times = np.bincount(ratings.argmax(axis=1), minlength=group.size)
    pairs = len(orders) * (len(orders) - 1) / 2
    taus = [kendall_tau(rating, mean) for rating in ratings]
    return KFactorRow(
        k_factor=model.k_factor,
        mean=mean,
        order_sd=ratings.std(axis=0, ddof=1),
        log_loss=float(losses.mean()),
        log_loss_sd=float(losses.std(ddof=1)),
        top_changes=1.0 - float((times * (times - 1) / 2).sum()) / pairs,
        on_top={duels.items[i]: float(times[i]) / len(orders) for i in np.flatnonzero(times).tolist()},
        tau=float(np.mean(taus)),
        least_tau=min(taus),
        chains=broken_chains(duels, mean),
    )


def _named(duels: Duels, triads: Ints) -> tuple[Triad, ...]:
    names = duels.items
    return tuple((names[a], names[b], names[c]) for a, b, c in triads.tolist())

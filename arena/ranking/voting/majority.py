"""Who beats whom head to head, and the rules that read nothing else. It never looks at a whole ballot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from arena.ranking.arrays import Bools, Floats, Ints
from arena.ranking.ballots import Ballots
from arena.ranking.counts import FIRST_WON, SECOND_WON, BothBad, Tally, compare, tally
from arena.ranking.voting.places import TOLERANCE, share_below

Opposition = Literal["margins", "winning_votes", "opposition"]
OPPOSITIONS: tuple[Opposition, ...] = ("margins", "winning_votes", "opposition")


@dataclass(frozen=True, eq=False)
class Duels:
    """Outcomes head to head among n items.

    items       names
    won         float64[n, n], weight of the ballots that put the row above the column
    met         float64[n, n], symmetric, weight of those that compare the two, ties among them; 0: never met

    Two items that never met have no majority either way: every rule says what it makes of that.
    """

    items: tuple[str, ...]
    won: Floats
    met: Floats

    @classmethod
    def of(cls, ballots: Ballots, *, both_bad: BothBad = "tie") -> Duels:
        """Count all ballots. Raises InvalidSetting for an unknown `both_bad`."""
        total = tally(compare(ballots, both_bad=both_bad))
        return cls.from_cells(ballots.items, total, total.weight)

    @classmethod
    def from_cells(cls, items: tuple[str, ...], total: Tally, cells: Floats) -> Duels:
        """From float64[O, P] `cells`, the tally's weights or those of a resample."""
        n = total.n_items
        won, met = np.zeros((n, n)), np.zeros((n, n))
        won[total.first, total.second], won[total.second, total.first] = cells[FIRST_WON], cells[SECOND_WON]
        met[total.first, total.second] = met[total.second, total.first] = cells.sum(axis=0)
        return cls(items, won, met)

    @property
    def share(self) -> Floats:
        """float64[n, n], weight won by the row as a share of all that met, ties half; 1/2 if they never
        met.
        """
        met = np.where(self.met > 0.0, self.met, 1.0)
        return 0.5 + 0.5 * (self.won - self.won.T) / met

    @property
    def beats(self) -> Bools:
        """bool[n, n], the row wins more than it loses against the column."""
        return self.won - self.won.T > TOLERANCE * self.met

    def among(self, index: Ints) -> Duels:
        """The duels of some items, in the order of int64 `index`."""
        at = np.ix_(index, index)
        return Duels(tuple(self.items[i] for i in index.tolist()), self.won[at], self.met[at])


def copeland(duels: Duels, *, alpha: float = 0.5) -> Floats:
    """(rivals beaten + alpha * rivals tied) / (n - 1), in [0, 1] (Copeland 1951; with alpha: Faliszewski et
    al. 2009, JAIR 35:275-341). Two that never met tie, as in Vote'n'Rank.
    """
    n = len(duels.items)
    beats = duels.beats
    even = ~(beats | beats.T | np.eye(n, dtype=np.bool_))
    score: Floats = (beats.sum(axis=1) + alpha * even.sum(axis=1)) / max(n - 1, 1)
    return score


def minimax(duels: Duels, *, opposition: Opposition = "margins") -> Floats:
    """Minus the worst that any rival does to an item (Simpson 1969; Kramer 1977).

    opposition  "margins": share of the duel lost minus share won, score in [-1, 1], above 0 for a Condorcet
                winner; "winning_votes": share lost where the rival wins the duel, else 0, score in [-1, 0];
                "opposition": share lost, whoever wins, score in [-1, 0]

    Shares of the two items' own duels, ties in the denominator: where all ballots rank all items the order is
    that of the textbook's counts. Rivals never met do not count; an item that met nobody scores NaN.
    """
    met = np.where(duels.met > 0.0, duels.met, 1.0)
    lost = duels.won.T / met
    if opposition == "margins":
        lost = lost - duels.won / met
    elif opposition == "winning_votes":
        lost = np.where(duels.beats.T, lost, 0.0)
    worst: Floats = np.where(duels.met > 0.0, lost, -np.inf).max(axis=1, initial=-np.inf)
    return np.where(np.isfinite(worst), -worst, np.nan)


def baldwin(duels: Duels) -> Floats:
    """Leave out the items with the least Borda score, count again among the rest, until the rest are level
    (Baldwin 1926, as in Vote'n'Rank: equal last items leave together).

    Score: share of the others that left earlier, those of the same round half, in [0, 1]: it tells the order
    and no more. Borda is counted over pairs, won plus half tied over met, which on ballots that rank all
    items is Borda's order; an item that met none of the rest counts as level with them, 1/2.
    """
    n = len(duels.items)
    left = np.full(n, n, dtype=np.int64)
    rest, round_number = np.arange(n), 0
    half = 0.5 * (duels.met + duels.won - duels.won.T)
    while rest.size > 1:
        at = np.ix_(rest, rest)
        met = duels.met[at].sum(axis=1)
        rate = np.where(met > 0.0, half[at].sum(axis=1) / np.where(met > 0.0, met, 1.0), 0.5)
        least = rate <= rate.min() + TOLERANCE
        if least.all():
            break
        left[rest[least]] = round_number
        rest, round_number = rest[~least], round_number + 1
    return share_below(left)


def condorcet_winner(duels: Duels) -> str | None:
    """The item that beats every other head to head; None if there is none (Condorcet 1785)."""
    if not duels.items:
        return None
    wins = duels.beats.sum(axis=1)
    best = int(wins.argmax())
    return duels.items[best] if wins[best] == len(duels.items) - 1 else None


def smith_set(duels: Duels) -> tuple[str, ...]:
    """The smallest set whose every item beats every item outside (Smith 1973; Good 1971); never empty on a
    board with items. Two that never met tie.
    """
    return tuple(duels.items[i] for i in (tiers(duels)[:1] or [np.arange(0)])[0].tolist())


def tiers(duels: Duels) -> list[Ints]:
    """The items split as finely as can be so that those of an earlier set beat all of later sets; the first
    is the Smith set.

    They are the strong components of "is not beaten by", whose every pair is joined one way at least, so that
    they stand in a row.
    """
    n = len(duels.items)
    if not n:
        return []
    not_beaten = ~duels.beats.T & ~np.eye(n, dtype=np.bool_)
    label = csgraph.connected_components(sparse.csr_array(not_beaten), connection="strong")[1]
    # Items of an earlier set beat all later ones, so any Copeland score tells the sets apart.
    order = np.argsort(-copeland(duels), kind="stable")
    _, first = np.unique(label[order], return_index=True)
    return [np.flatnonzero(label == label[order[place]]) for place in np.sort(first).tolist()]

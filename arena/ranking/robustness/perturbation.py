"""What damage at random does to the order of a board, under any model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Protocol, get_args

import numpy as np

from arena.ranking.arrays import Floats, Ints
from arena.ranking.ballots import NOT_COMPARED, Ballots
from arena.ranking.errors import (
    InvalidSetting,
    NotComparable,
)
from arena.ranking.result import Ranking

Damage = Literal["drop", "flip", "remove"]
"""What a perturbation does: it drops ballots, turns their order round, or takes one system off the board."""


@dataclass(frozen=True)
class Shift:
    """What one kind of damage of one strength did to the ranks, over the draws.

    strength    share of the usable ballots damaged; None where systems were removed, each once
    draws       boards fitted
    mean_shift, max_shift   absolute change of rank, over systems and draws; a removed system leaves no gap in
                the ranks it is compared by
    tau, least_tau          mean and least Kendall tau to the undamaged order
    top_stays   share of the draws in which the best system (of those still there) is the same
    lost        mean number of systems that fell off the largest component; they have no rank
    worst       the system whose removal moved the others most; None for other damage
    """

    kind: Damage
    strength: float | None
    draws: int
    mean_shift: float
    max_shift: int
    tau: float
    least_tau: float
    top_stays: float
    lost: float
    worst: str | None = None


class Rated(Protocol):
    """A model whose boards can be compared."""

    def fit(
        self, ballots: Ballots, interval: None = None, rng: np.random.Generator | None = None
    ) -> Ranking: ...


def perturbation(
    ballots: Ballots,
    model: Rated,
    *,
    kinds: Sequence[Damage] = ("drop", "flip", "remove"),
    strengths: Sequence[float] = (0.01, 0.05, 0.1),
    draws: int = 20,
    rng: np.random.Generator,
) -> tuple[Shift, ...]:
    """Refit a damaged board again and again and see how the ranks move, as stress tests of benchmarks do
    (Alzahrani et al. 2024, "When Benchmarks are Targets", arXiv:2402.01781).

    kinds       "drop": ballots at random are left out; "flip": they are turned round (a tie stays one);
                "remove": one system is taken off the board, each of the largest component in turn
    strengths   shares of the ballots with a weight, at least one ballot each, for "drop" and "flip"

    Damage at random: compare `drop_k` for the worst case. `rng` also serves a model that draws orders.

    Raises InvalidSetting, NotComparable if nobody is rated, and what the fit raises.
    """
    if draws < 1:
        raise InvalidSetting(f"draws must be at least 1, not {draws}")
    for kind in kinds:
        if kind not in get_args(Damage):
            raise InvalidSetting(f"a kind must be one of {', '.join(get_args(Damage))}, not {kind!r}")
    for strength in strengths:
        if not 0.0 < strength < 1.0:
            raise InvalidSetting(f"a strength must lie between 0 and 1, not {strength}")
    plain = _order(model.fit(ballots, rng=rng))
    if not plain:
        raise NotComparable("no item is rated")
    usable = np.flatnonzero(ballots.weight > 0.0)
    rows: list[Shift] = []
    for kind in kinds:
        if kind == "remove":
            found = [_order(model.fit(_unlisted(ballots, item), rng=rng)) for item in plain]
            moves = [
                _compared([other for other in plain if other != item], order)
                for item, order in zip(plain, found, strict=True)
            ]
            worst = max(range(len(plain)), key=lambda k: moves[k].mean)
            rows.append(_shift(kind, None, moves, worst=plain[worst]))
            continue
        damage = without if kind == "drop" else _flipped
        for strength in strengths:
            size = max(1, round(strength * usable.size))
            moves = []
            for _ in range(draws):
                chosen = rng.choice(usable, size=size, replace=False)
                moves.append(_compared(plain, _order(model.fit(damage(ballots, chosen), rng=rng))))
            rows.append(_shift(kind, strength, moves))
    return tuple(rows)


def kendall_tau(left: Floats, right: Floats) -> float:
    """1 - 2 * (share of pairs that float64[n] `left` and `right` put in different order).

    A pair tied in one of them only is half in disorder (Fagin et al. 2006, p = 1/2), one tied in both is not.
    Without ties it is Kendall's tau; unlike tau-b it is defined on all-equal scores. 1 for n < 2.
    """
    upper = np.triu_indices(left.size, 1)
    if not upper[0].size:
        return 1.0
    a, b = (np.sign(np.subtract.outer(value, value)[upper]) for value in (left, right))
    return 1.0 - float(np.abs(a - b).mean())


class _Move(NamedTuple):
    """Ranks of one damaged board against the undamaged."""

    mean: float
    largest: int
    tau: float
    top_stays: bool
    lost: int


def _compared(plain: Sequence[str], damaged: Sequence[str]) -> _Move:
    still, there = set(damaged), set(plain)
    before = [item for item in plain if item in still]
    after = {item: k for k, item in enumerate(item for item in damaged if item in there)}
    shift = np.array([abs(after[item] - k) for k, item in enumerate(before)])
    places = np.array([after[item] for item in before], dtype=np.float64)
    return _Move(
        mean=float(shift.mean()) if shift.size else 0.0,
        largest=int(shift.max(initial=0)),
        tau=kendall_tau(np.arange(places.size, dtype=np.float64), places),
        top_stays=bool(plain) and plain[:1] == list(after)[:1],
        lost=len(plain) - len(before),
    )


def _shift(kind: Damage, strength: float | None, moves: list[_Move], *, worst: str | None = None) -> Shift:
    return Shift(
        kind=kind,
        strength=strength,
        draws=len(moves),
        mean_shift=float(np.mean([move.mean for move in moves])),
        max_shift=max(move.largest for move in moves),
        tau=float(np.mean([move.tau for move in moves])),
        least_tau=min(move.tau for move in moves),
        top_stays=float(np.mean([move.top_stays for move in moves])),
        lost=float(np.mean([move.lost for move in moves])),
        worst=worst,
    )


def _order(ranking: Ranking) -> list[str]:
    """The systems of the largest component, best first."""
    return [rating.item for rating in ranking.ratings if rating.component == 0]


def _flipped(ballots: Ballots, chosen: Ints) -> Ballots:
    owner = np.repeat(np.arange(len(ballots)), ballots.sizes)
    is_chosen = np.zeros(len(ballots), dtype=np.bool_)
    is_chosen[chosen] = True
    rank = ballots.slot_rank.astype(np.int64)
    compared = rank != NOT_COMPARED
    least = np.minimum.reduceat(np.where(compared, rank, np.iinfo(np.int16).max), ballots.offsets[:-1])
    most = np.maximum.reduceat(np.where(compared, rank, 0), ballots.offsets[:-1])
    turned = np.where(is_chosen[owner] & compared, (least + most)[owner] - rank, rank)
    return replace(ballots, slot_rank=turned.astype(np.int16))


def _unlisted(ballots: Ballots, item: str) -> Ballots:
    """The ballots with one item marked as not compared."""
    here = ballots.slot_item == ballots.items.index(item)
    return replace(ballots, slot_rank=np.where(here, NOT_COMPARED, ballots.slot_rank).astype(np.int16))


def without(ballots: Ballots, chosen: Ints) -> Ballots:
    weight = ballots.weight.copy()
    weight[chosen] = 0.0
    return replace(ballots, weight=weight)

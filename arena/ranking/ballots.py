"""The columnar value every ranking model reads: who was ranked how, on which ballot. It never computes a
rating.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arena.ranking.arrays import Bools, Floats, Ints, Ints16, Ints32
from arena.ranking.errors import (
    DuplicateItem,
    EmptyBallot,
    InvalidCode,
    InvalidFeature,
    InvalidItem,
    InvalidRank,
    InvalidWeight,
    LengthMismatch,
    RankingError,
    SelfBattle,
    UnknownOutcome,
)

NOT_COMPARED = -1
"""Rank of a slot that the voter did not compare."""

UNKNOWN = -1
"""Voter or prompt code of a ballot whose voter or prompt is not known; such a ballot is a cluster of its own.
"""

PAIR_OUTCOMES = ("a", "b", "tie", "both_bad")
"""Outcomes of a pairwise ballot; in packed columns an outcome is its position here."""

_COLUMNS = (
    "offsets",
    "slot_item",
    "slot_rank",
    "all_bad",
    "weight",
    "voter",
    "prompt",
    "share",
    "chance",
    "features",
)
_BY_BALLOT = ("all_bad", "weight", "voter", "prompt", "share", "chance")
_FIRST_RANK = np.array([1, 2, 1, 1], dtype=np.int16)
_SECOND_RANK = np.array([2, 1, 1, 1], dtype=np.int16)
_BOTH_BAD = PAIR_OUTCOMES.index("both_bad")


HEAVIEST = 1e100
"""Largest weight of a ballot; the smallest above 0 is its inverse. Squares of weights must not overflow."""

_NARROW = 16  # up to so many slots, pairs of slots come one position after the other
_PAIRS_AT_ONCE = 1 << 22


class SlotPairs(NamedTuple):
    """All pairs of slots at the same two positions of some ballots: `ballot[k]` holds slots `left[k]`,
    `right[k]`.
    """

    ballot: Ints | slice
    left: Ints | slice
    right: Ints | slice


@dataclass(frozen=True, eq=False)
class Ballots:
    """`n` ballots with `m` slots in all, over named items; the ballots stand in compressed rows.

    items       names, unique; items without a ballot are allowed
    offsets     int64[n + 1]; ballot b owns the slots `offsets[b]:offsets[b + 1]`, at least one
    slot_item   int32[m], index into `items`; unique inside a ballot
    slot_rank   int16[m], 1 = best, equal = tie, levels may be skipped, -1 = not compared
    all_bad     bool[n], the voter called every answer bad
    weight      float64[n], finite and >= 0
    voter       int64[n] codes or None; -1 = unknown
    prompt      int64[n] codes or None; -1 = unknown
    share       float64[n] in 0…1 or None; how much of the ballot's weight says what its ranks say, the rest
                says the opposite: graded votes ("slightly better" = 0.75) and soft verdicts (a judge's
                probability); None = all of it
    chance      float64[n] in (0, 1] or None; probability with which this set of systems was drawn
    features    float64[m, F] or None; F properties of each slot's answer (length, headers …), NaN = not known
    feature_names   F names, unique

    Every value is checked when it is made (see `arena.ranking.errors`); the arrays are read-only views.
    """

    items: tuple[str, ...]
    offsets: Ints
    slot_item: Ints32
    slot_rank: Ints16
    all_bad: Bools
    weight: Floats
    voter: Ints | None = None
    prompt: Ints | None = None
    share: Floats | None = None
    chance: Floats | None = None
    features: Floats | None = None
    feature_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in _COLUMNS:
            column = getattr(self, name)
            if column is not None:
                view = column.view()
                view.flags.writeable = False
                object.__setattr__(self, name, view)
        _check(self)

    def __len__(self) -> int:
        return self.offsets.size - 1

    @cached_property
    def sizes(self) -> Ints:
        """int64[n], number of slots of each ballot."""
        return np.diff(self.offsets)

    @cached_property
    def size_shared(self) -> int | None:
        """The number of slots, if it is the same for all ballots."""
        if not len(self):
            return None
        smallest, largest = int(self.sizes.min()), int(self.sizes.max())
        return smallest if smallest == largest else None

    @cached_property
    def is_fully_compared(self) -> bool:
        """True if no slot is marked "not compared"."""
        return not self.slot_rank.size or int(self.slot_rank.min()) > 0

    @cached_property
    def is_unweighted(self) -> bool:
        """True if every weight is exactly 1."""
        return not self.weight.size or bool((self.weight == 1.0).all())

    @cached_property
    def pair_key(self) -> Ints | None:
        """int64[n] = (left item * n_items + right item) * 4 + outcome, if every ballot is one compared pair.

        Outcomes are numbered as in `arena.ranking.counts`. A fit of pairs reads nothing else, so the codes
        are kept; `from_pair_columns` makes them at once.
        """
        if self.size_shared != 2 or not self.is_fully_compared:
            return None
        left, right = self.slot_item[0::2], self.slot_item[1::2]
        key = np.multiply(left, len(self.items), dtype=np.int64)
        key += right
        key *= len(PAIR_OUTCOMES)
        ahead, behind = self.slot_rank[0::2], self.slot_rank[1::2]
        key += np.int8(2) - np.int8(2) * (ahead < behind) - (ahead > behind)
        if self.all_bad.any():
            bad = np.flatnonzero(self.all_bad)
            key[bad] += _BOTH_BAD - key[bad] % len(PAIR_OUTCOMES)
        return key

    def slot_pairs(self) -> Iterator[SlotPairs]:
        """All pairs of slots inside a ballot, in batches of ballots of one size; where all ballots have the
        same size they come as plain slices.
        """
        shared = self.size_shared
        if shared is not None and shared <= _NARROW:
            for left in range(shared):
                for right in range(left + 1, shared):
                    yield SlotPairs(slice(None), slice(left, None, shared), slice(right, None, shared))
            return
        for size in np.unique(self.sizes).tolist():
            ballot = np.flatnonzero(self.sizes == size)
            start = self.offsets[ballot]
            if size > _NARROW:
                yield from _wide_pairs(ballot, start, size)
                continue
            for left in range(size):
                for right in range(left + 1, size):
                    yield SlotPairs(ballot, start + left, start + right)

    @classmethod
    def from_pairs(
        cls,
        model_a: Sequence[str],
        model_b: Sequence[str],
        outcome: Sequence[str],
        *,
        weight: ArrayLike | None = None,
        voter: Iterable[Hashable] | None = None,
        prompt: Iterable[Hashable] | None = None,
        share: ArrayLike | None = None,
        items: Sequence[str] | None = None,
    ) -> Ballots:
        """Pairwise ballots from equally long columns; `outcome` holds "a", "b", "tie" or "both_bad".

        `items` lists systems in the wanted order, with or without ballots; names seen only in ballots follow,
        sorted. `None` or `UNKNOWN` as a voter or prompt means unknown.

        Raises UnknownOutcome, LengthMismatch, SelfBattle and the errors of `Ballots`.
        """
        if not len(model_a) == len(model_b) == len(outcome):
            raise LengthMismatch(f"{len(model_a)} model_a, {len(model_b)} model_b, {len(outcome)} outcome")
        names, index = _name_items(items, model_a, model_b)
        codes = {name: code for code, name in enumerate(PAIR_OUTCOMES)}
        try:
            outcome_code = np.fromiter((codes[o] for o in outcome), dtype=np.int8, count=len(outcome))
        except (KeyError, TypeError):
            for position, value in enumerate(outcome):
                if not isinstance(value, str) or value not in codes:
                    raise UnknownOutcome(value, position, PAIR_OUTCOMES) from None
            raise  # pragma: no cover - a str that hashes unlike itself
        return cls.from_pair_columns(
            items=names,
            first=np.fromiter((index[name] for name in model_a), dtype=np.int32, count=len(model_a)),
            second=np.fromiter((index[name] for name in model_b), dtype=np.int32, count=len(model_b)),
            outcome=outcome_code,
            weight=weight,
            voter=None if voter is None else _code(voter),
            prompt=None if prompt is None else _code(prompt),
            share=share,
        )

    @classmethod
    def from_pair_columns(
        cls,
        *,
        items: Sequence[str],
        first: ArrayLike,
        second: ArrayLike,
        outcome: ArrayLike,
        weight: ArrayLike | None = None,
        voter: ArrayLike | None = None,
        prompt: ArrayLike | None = None,
        share: ArrayLike | None = None,
        chance: ArrayLike | None = None,
        features: ArrayLike | None = None,
        feature_names: Sequence[str] = (),
    ) -> Ballots:
        """Pairwise ballots from packed columns of n integers.

        `first`, `second` index `items`; `outcome` is the position in `PAIR_OUTCOMES`; `voter`, `prompt` are
        codes; `features` has two rows a ballot, the first system's and the second's.

        Raises UnknownOutcome, LengthMismatch, SelfBattle and the errors of `Ballots`.
        """
        a, b, result = np.asarray(first), np.asarray(second), np.asarray(outcome)
        if not a.shape == b.shape == result.shape or a.ndim != 1:
            raise LengthMismatch(f"first {a.shape}, second {b.shape}, outcome {result.shape}")
        unknown = (result < 0) | (result >= len(PAIR_OUTCOMES))
        if unknown.any():
            position = int(unknown.argmax())
            raise UnknownOutcome(result[position].item(), position, PAIR_OUTCOMES)
        if (a == b).any():
            position = int((a == b).argmax())
            raise SelfBattle(f"ballot {position} sets item {a[position]} against itself")
        n = a.size
        slot_item = np.empty(2 * n, dtype=_wide_enough(a, b))
        slot_item[0::2], slot_item[1::2] = a, b
        slot_rank = np.empty(2 * n, dtype=np.int16)
        result = result.astype(np.intp, copy=False)
        slot_rank[0::2], slot_rank[1::2] = _FIRST_RANK[result], _SECOND_RANK[result]
        made = cls.from_columns(
            items=items,
            offsets=np.arange(0, 2 * n + 1, 2, dtype=np.int64),
            slot_item=slot_item,
            slot_rank=slot_rank,
            all_bad=result == _BOTH_BAD,
            weight=weight,
            voter=voter,
            prompt=prompt,
            share=share,
            chance=chance,
            features=features,
            feature_names=feature_names,
        )
        # The outcome is at hand here; the property would read it back from the ranks.
        key = np.multiply(a, len(made.items), dtype=np.int64)
        key += b
        key *= len(PAIR_OUTCOMES)
        key += result
        made.__dict__["pair_key"] = key
        return made

    @classmethod
    def from_rankings(
        cls,
        rankings: Sequence[Sequence[tuple[str, int | None]]],
        *,
        all_bad: ArrayLike | None = None,
        weight: ArrayLike | None = None,
        voter: Iterable[Hashable] | None = None,
        prompt: Iterable[Hashable] | None = None,
        chance: ArrayLike | None = None,
        features: ArrayLike | None = None,
        feature_names: Sequence[str] = (),
        items: Sequence[str] | None = None,
    ) -> Ballots:
        """Ballots of any size from `(item, rank)` pairs; rank 1 is best, equal ranks tie, None is "not
        compared".

        Raises InvalidRank, DuplicateItem, EmptyBallot and the errors of `Ballots`.
        """
        names, index = _name_items(items, (name for ranking in rankings for name, _ in ranking))
        sizes = np.fromiter((len(ranking) for ranking in rankings), dtype=np.int64, count=len(rankings))
        offsets = np.zeros(len(rankings) + 1, dtype=np.int64)
        np.cumsum(sizes, out=offsets[1:])
        ranks: list[int] = []
        for position, ranking in enumerate(rankings):
            for name, rank in ranking:
                if rank is not None and (
                    not isinstance(rank, (int, np.integer)) or isinstance(rank, bool) or rank < 1
                ):
                    raise InvalidRank(
                        f"ballot {position}: rank {rank!r} of {name!r} is not None or an integer from 1"
                    )
                ranks.append(NOT_COMPARED if rank is None else int(rank))
        return cls.from_columns(
            items=names,
            offsets=offsets,
            slot_item=np.fromiter(
                (index[name] for ranking in rankings for name, _ in ranking), dtype=np.int32, count=len(ranks)
            ),
            slot_rank=np.array(ranks, dtype=np.int64),
            all_bad=all_bad,
            weight=weight,
            voter=None if voter is None else _code(voter),
            prompt=None if prompt is None else _code(prompt),
            chance=chance,
            features=features,
            feature_names=feature_names,
        )

    @classmethod
    def from_columns(
        cls,
        *,
        items: Sequence[str],
        offsets: ArrayLike,
        slot_item: ArrayLike,
        slot_rank: ArrayLike,
        all_bad: ArrayLike | None = None,
        weight: ArrayLike | None = None,
        voter: ArrayLike | None = None,
        prompt: ArrayLike | None = None,
        share: ArrayLike | None = None,
        chance: ArrayLike | None = None,
        features: ArrayLike | None = None,
        feature_names: Sequence[str] = (),
    ) -> Ballots:
        """Ballots from packed arrays of the shapes given in `Ballots`, of any integer type; nothing is copied
        needlessly.

        `all_bad` defaults to False, `weight` to 1. Raises the errors of `Ballots`.
        """
        starts = _integers(offsets, "offsets")
        n = max(starts.size - 1, 0)
        item, rank = _integers(slot_item, "slot_item"), _integers(slot_rank, "slot_rank")
        if item.size and (int(item.min()) < 0 or int(item.max()) >= len(items)):
            raise InvalidItem(f"slot_item must index the {len(items)} items")
        if rank.size and (int(rank.min()) < NOT_COMPARED or int(rank.max()) > np.iinfo(np.int16).max):
            raise InvalidRank(f"ranks must lie in 1…{np.iinfo(np.int16).max}, or be -1 for not compared")
        return cls(
            items=tuple(items),
            offsets=starts.astype(np.int64, copy=False),
            slot_item=item.astype(np.int32, copy=False),
            slot_rank=rank.astype(np.int16, copy=False),
            all_bad=np.zeros(n, dtype=np.bool_) if all_bad is None else np.asarray(all_bad, dtype=np.bool_),
            weight=np.ones(n) if weight is None else _numbers(weight, "weight", InvalidWeight),
            voter=None if voter is None else _integers(voter, "voter").astype(np.int64, copy=False),
            prompt=None if prompt is None else _integers(prompt, "prompt").astype(np.int64, copy=False),
            share=None if share is None else _numbers(share, "share", InvalidWeight),
            chance=None if chance is None else _numbers(chance, "chance", InvalidWeight),
            features=None if features is None else _numbers(features, "features", InvalidFeature),
            feature_names=tuple(feature_names),
        )


def _wide_pairs(ballot: Ints, start: Ints, size: int) -> Iterator[SlotPairs]:
    """All pairs of wide ballots at once, some ballots at a time."""
    left, right = np.triu_indices(size, 1)
    chunk = max(1, _PAIRS_AT_ONCE // left.size)
    for first in range(0, ballot.size, chunk):
        part = slice(first, first + chunk)
        owner = np.repeat(ballot[part], left.size)
        offset = np.repeat(start[part], left.size)
        times = start[part].size
        yield SlotPairs(owner, offset + np.tile(left, times), offset + np.tile(right, times))


def _check(ballots: Ballots) -> None:
    if len(set(ballots.items)) != len(ballots.items):
        raise InvalidItem("an item is listed twice")
    offsets, m = ballots.offsets, ballots.slot_item.size
    if offsets.ndim != 1 or offsets.size == 0 or offsets[0] != 0 or offsets[-1] != m:
        raise LengthMismatch(f"offsets must run from 0 to the number of slots, {m}")
    if ballots.slot_rank.size != m:
        raise LengthMismatch(f"{m} slot items but {ballots.slot_rank.size} slot ranks")
    n = len(ballots)
    for name in _BY_BALLOT:
        column = getattr(ballots, name)
        if column is not None and column.shape != (n,):
            raise LengthMismatch(f"{name} has shape {column.shape} for {n} ballots")
    if n and int(ballots.sizes.min()) < 0:
        raise LengthMismatch("offsets must not fall")
    if n and int(ballots.sizes.min()) == 0:
        raise EmptyBallot(f"ballot {int(ballots.sizes.argmin())} has no slot")
    if m and (int(ballots.slot_item.min()) < 0 or int(ballots.slot_item.max()) >= len(ballots.items)):
        raise InvalidItem(f"slot_item must index the {len(ballots.items)} items")
    if m and (int(ballots.slot_rank.min()) < NOT_COMPARED or bool((ballots.slot_rank == 0).any())):
        raise InvalidRank("ranks start at 1; -1 means not compared")
    if not bool(np.isfinite(ballots.weight).all()) or bool((ballots.weight < 0).any()):
        raise InvalidWeight("weights must be finite and not negative")
    for name in ("voter", "prompt"):
        column = getattr(ballots, name)
        if column is not None and n and int(column.min()) < UNKNOWN:
            raise InvalidCode(f"{name} codes must be -1 (unknown) or more")
    _check_optional(ballots)
    light = (ballots.weight > 0) & (ballots.weight < 1 / HEAVIEST)
    if bool((light | (ballots.weight > HEAVIEST)).any()):
        raise InvalidWeight(f"weights must be 0, or lie between {1 / HEAVIEST:g} and {HEAVIEST:g}")
    for ballot, left, right in ballots.slot_pairs():
        same = ballots.slot_item[left] == ballots.slot_item[right]
        if same.any():
            position = int(np.arange(n)[ballot][same.argmax()])
            raise DuplicateItem(f"ballot {position} holds an item twice")


def _check_optional(ballots: Ballots) -> None:
    share, chance, features = ballots.share, ballots.chance, ballots.features
    if share is not None and not bool(((share >= 0.0) & (share <= 1.0)).all()):
        raise InvalidWeight("share must lie between 0 and 1")
    if chance is not None and not bool(((chance > 0.0) & (chance <= 1.0)).all()):
        raise InvalidWeight("chance must lie above 0 and not above 1")
    names = ballots.feature_names
    if len(set(names)) != len(names):
        raise InvalidFeature("a feature is named twice")
    if features is None:
        if names:
            raise InvalidFeature("features are named but not given")
        return
    if features.shape != (ballots.slot_item.size, len(names)):
        raise LengthMismatch(
            f"features have shape {features.shape} for {ballots.slot_item.size} slots and {len(names)} names"
        )
    if bool(np.isinf(features).any()):
        raise InvalidFeature("features must be finite, or NaN where not known")


def _name_items(listed: Sequence[str] | None, *seen: Iterable[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    names = tuple(listed or ())
    known = set(names)
    if len(known) != len(names):
        raise InvalidItem("an item is listed twice")
    found: set[str] = set()
    for column in seen:
        found.update(column)
    names += tuple(sorted(found - known))
    return names, {name: position for position, name in enumerate(names)}


def _code(values: Iterable[Hashable]) -> Ints:
    codes: dict[Hashable, int] = {}
    return np.array(
        [UNKNOWN if v is None or v == UNKNOWN else codes.setdefault(v, len(codes)) for v in values],
        dtype=np.int64,
    )


def _integers(values: ArrayLike, name: str) -> NDArray[np.integer[Any]]:
    column = np.asarray(values)
    if column.ndim != 1:
        raise LengthMismatch(f"{name} must have one dimension, not {column.ndim}")
    if column.size == 0:
        return column.astype(np.int64)
    if not np.issubdtype(column.dtype, np.integer):
        error = {"slot_rank": InvalidRank, "slot_item": InvalidItem}.get(name, InvalidCode)
        raise error(f"{name} must hold integers, not {column.dtype}")
    return column


def _numbers(values: ArrayLike, name: str, error: type[RankingError]) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as problem:
        raise error(f"{name} must hold numbers: {problem}") from problem


def _wide_enough(a: NDArray[np.generic], b: NDArray[np.generic]) -> np.dtype[Any]:
    return np.result_type(a.dtype, b.dtype) if a.size else np.dtype(np.int32)

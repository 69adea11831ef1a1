"""Reduce ballots once to what every fit needs: weights of wins and ties per pair, and per cluster for the
intervals.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from arena.ranking.arrays import Bools, Floats, Ints, sum_by
from arena.ranking.ballots import NOT_COMPARED, UNKNOWN, Ballots
from arena.ranking.errors import InvalidSetting, MissingClusters

BothBad = Literal["tie", "drop", "grounded"]
"""How a ballot whose answers were all called bad is read: its compared pairs are ties, or it is left out, or
they are an outcome of their own, which only a grounded model can read.
"""

Breaking = Literal["full", "adjacent", "halving"]
"""Which pairs a ranking of three or more is read as: all of them; those of neighbouring levels and ties only;
or all, where a pair d levels apart weighs 2^(1 - d).
"""

Cluster = Literal["ballot", "vote", "voter", "prompt", "voter,prompt"]
"""What is drawn independently: ballots ("vote" is another name for it), voters or prompts; or voters and
prompts both, crossing each other.
"""

CLUSTERS: tuple[Cluster, ...] = ("ballot", "vote", "voter", "prompt", "voter,prompt")
TWO_WAY = "voter,prompt"
MEETING = "voter&prompt"
"""The ballots of one voter on one prompt: what the two ways of clustering count twice."""

FIRST_WON, SECOND_WON, TIED, BAD = 0, 1, 2, 3
OUTCOMES = 4
"""The outcomes of a compared pair: rows of `Tally.weight` and `Tally.events`. `BAD` is a row of its own only
where "both bad" is not read as a tie.
"""

T = TypeVar("T", np.int64, np.float64)

_CHUNK = 1 << 16  # comparisons encoded at a time: the temporaries stay in the second-level cache
_DENSE_CELLS = 1 << 20  # count into a full table up to this many cells, or up to 4 cells a comparison


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Every compared pair of every usable ballot, c in all, as one integer each.

    key         int64[c] = (left item * n_items + right item) * OUTCOMES + outcome, "both bad" always apart
    n_outcomes  outcomes kept apart in a tally: 4, or 3 where "both bad" is a tie
    ballot      int64[c], the ballot a comparison comes from; None if comparison k is ballot k
    weight      float64[c]; None if all weights are 1
    share       float64[c], how much of the weight says the outcome in `key`, the rest says the opposite;
                None: all. Outside 0…1 where flips are corrected for
    ballots_of  int64[n_items], usable ballots on which an item was compared; None if each ballot is one pair
    """

    n_items: int
    n_outcomes: int
    key: NDArray[np.integer]
    ballot: Ints | None
    weight: Floats | None
    ballots_of: Ints | None
    n_ballots: int
    n_all_bad: int
    kwise_as_pairs: int
    dropped: dict[str, int]
    share: Floats | None = None

    @property
    def n_comparisons(self) -> int:
        return int(self.key.size)

    def entries(self) -> Entries:
        """Every comparison once for each outcome that it speaks for."""
        if self.share is None:
            return Entries(self.key, self.weight, None)
        weight = np.ones(self.key.size) if self.weight is None else self.weight
        decided = np.flatnonzero(self.key % OUTCOMES < TIED)
        swapped = self.key[decided] ^ 1  # outcomes 0 and 1 change places
        return Entries(
            np.concatenate([self.key, swapped]),
            np.concatenate([weight * self.share, weight[decided] * (1.0 - self.share[decided])]),
            np.concatenate([np.arange(self.key.size), decided]),
        )


class Entries(NamedTuple):
    """Comparisons, those of graded ballots twice.

    key, weight     as in `Comparisons`
    row             int64[e], the comparison of each entry; None if entry k is comparison k
    """

    key: NDArray[np.integer]
    weight: Floats | None
    row: Ints | None


@dataclass(frozen=True, eq=False)
class Cells:
    """Where the weight of every ballot goes in a tally, for tallies of other weights of the same ballots.

    cell, ballot    int64[e]
    part            float64[e], of the ballot's weight; None if all are 1
    """

    cell: Ints
    ballot: Ints
    part: Floats | None
    shape: tuple[int, int]

    @classmethod
    def of(cls, comparisons: Comparisons, total: Tally) -> Cells:
        found = replace(comparisons, weight=None).entries()
        cell = cell_of(comparisons, total, found.key)
        owner = np.arange(comparisons.key.size) if comparisons.ballot is None else comparisons.ballot
        owner = owner if found.row is None else owner[found.row]
        outcomes, pairs = total.weight.shape
        return cls(cell, owner, found.weight, (outcomes, pairs))

    def weigh(self, weight: Floats) -> Floats:
        """float64[O, P] cells from float64[n_ballots] weights."""
        each = weight[self.ballot] if self.part is None else weight[self.ballot] * self.part
        return sum_by(self.cell, each, self.shape[0] * self.shape[1]).reshape(self.shape)


@dataclass(frozen=True, eq=False)
class Tally:
    """The sufficient statistic of any pairwise model: P observed pairs with their outcomes.

    first, second   int64[P], items of the pair, first < second, in lexicographic order
    weight          float64[O, P], weight of the comparisons won by first, won by second, tied (, both bad)
    events          int64[O, P], the same as plain numbers of comparisons
    ballots_of      int64[n_items], usable ballots on which each item was compared
    """

    n_items: int
    first: Ints
    second: Ints
    weight: Floats
    events: Ints
    ballots_of: Ints


class ClusterSums(NamedTuple):
    """A tally split by cluster; `cell = outcome * P + pair`.

    matrix      sparse float64[G, O P], weight of each cell in each cluster
    code        int64[G], the voter, prompt or ballot of each row; UNKNOWN where nobody knows whose it is
    """

    n_clusters: int
    matrix: sparse.csr_array
    code: Ints


class SingleSums(NamedTuple):
    """A tally whose clusters hold one comparison each, so that no split is needed.

    square      float64[O, P], sum of the squared weights
    weight      the weights of the comparisons, or None if all are 1
    cell        int64[c], cell of each comparison; None if all weights are 1
    """

    n_clusters: int
    square: Floats
    weight: Floats | None
    cell: Ints | None


def compare(
    ballots: Ballots,
    *,
    both_bad: BothBad = "tie",
    ignore_ties: bool = False,
    flip_rate: float = 0.0,
    breaking: Breaking = "full",
) -> Comparisons:
    """List the compared pairs of all usable ballots.

    Every pair of a graded ballot has the ballot's share. At a flip rate e a share s becomes
    (s - e) / (1 - 2 e): its mean over flips is what was meant (Natarajan et al. 2013, NeurIPS).

    A ballot is left out, and counted in `dropped`, if its weight is 0 ("zero_weight"), if all its answers
    were bad and `both_bad` is "drop" ("both_bad"), or if fewer than two of its slots are compared
    ("nothing_compared"). With `ignore_ties` tied comparisons are left out, and a ballot with no other is
    dropped ("only_ties").
    """
    if both_bad not in ("tie", "drop", "grounded"):
        raise InvalidSetting(f"both_bad must be 'tie', 'drop' or 'grounded', not {both_bad!r}")
    if breaking not in get_args(Breaking):
        raise InvalidSetting(f"breaking must be one of {', '.join(get_args(Breaking))}, not {breaking!r}")
    n_outcomes = 4 if both_bad == "grounded" else 3
    n = len(ballots.items)
    level = None if breaking == "full" or ballots.size_shared == 2 else _levels(ballots)
    parts: list[Floats] = []
    usable, dropped = usable_ballots(ballots, both_bad=both_bad)
    keys: list[NDArray[np.integer]] = []
    owners: list[Ints] = []
    is_kept = usable is None and ballots.pair_key is not None
    if is_kept and ballots.pair_key is not None:
        keys.append(ballots.pair_key)
    for ballot, left, right in () if is_kept else ballots.slot_pairs():
        item, rank = ballots.slot_item, ballots.slot_rank
        bad = ballots.all_bad[ballot]
        key, compared = _encode(
            n, item[left], item[right], rank[left], rank[right], bad if bad.any() else None
        )
        if usable is not None:
            kept = usable[ballot]
            compared = kept if compared is None else compared & kept
        if level is not None:
            apart = np.abs(level[left] - level[right])
            if breaking == "adjacent":
                compared = (apart < 2) if compared is None else compared & (apart < 2)
            else:
                share = 0.5 ** np.maximum(apart - 1, 0)
                parts.append(share if compared is None else share[compared])
        if compared is None and ballots.size_shared == 2:
            keys.append(key)
            continue
        number = np.arange(len(ballots)) if isinstance(ballot, slice) else ballot
        keys.append(key if compared is None else key[compared])
        owners.append(number if compared is None else number[compared])
    key = keys[0] if len(keys) == 1 else np.concatenate([np.zeros(0, dtype=np.int64), *keys])
    every = ballots.size_shared == 2 and not owners
    owner = None if every else np.concatenate([np.zeros(0, dtype=np.int64), *owners])
    weight = None if ballots.is_unweighted else ballots.weight if owner is None else ballots.weight[owner]
    if parts:
        weight = np.concatenate(parts) * (1.0 if weight is None else weight)
    used = np.ones(len(ballots), dtype=np.bool_) if usable is None else usable
    n_used = len(ballots) if usable is None else int(used.sum())
    found = Comparisons(
        n_items=n,
        n_outcomes=n_outcomes,
        key=key,
        ballot=owner,
        weight=weight,
        ballots_of=None if ballots.size_shared == 2 else _ballots_of(ballots, usable),
        n_ballots=n_used,
        n_all_bad=int(np.count_nonzero(ballots.all_bad)),
        kwise_as_pairs=0 if ballots.size_shared == 2 else int(((ballots.sizes > 2) & used).sum()),
        dropped=dropped,
        share=_shares(ballots, key, owner, flip_rate),
    )
    return (
        only_comparisons(found, ballots, found.key % OUTCOMES < TIED, reason="only_ties")
        if ignore_ties
        else found
    )


def _levels(ballots: Ballots) -> Ints:
    """int64[m], how many levels of the ballot lie above a slot's; 0 where it was not compared."""
    owner = np.repeat(np.arange(len(ballots)), ballots.sizes)
    rank = np.where(ballots.all_bad[owner], 1, ballots.slot_rank)
    order = np.lexsort((rank, owner))
    opens = np.zeros(order.size, dtype=np.int64)
    ahead, behind = order[1:], order[:-1]
    opens[1:] = (owner[ahead] == owner[behind]) & (rank[ahead] != rank[behind])
    opens[1:] &= rank[behind] != NOT_COMPARED
    total = np.cumsum(opens)
    start = np.zeros(len(ballots), dtype=np.int64)
    start[owner[order[::-1]]] = total[::-1]  # the first slot of a ballot is written last
    level = np.empty(order.size, dtype=np.int64)
    level[order] = total - start[owner[order]]
    return level


def _shares(
    ballots: Ballots, key: NDArray[np.integer], owner: Ints | None, flip_rate: float
) -> Floats | None:
    if ballots.share is None and flip_rate == 0.0:
        return None
    share = np.ones(len(ballots)) if ballots.share is None else ballots.share
    each = share if owner is None else share[owner]
    return np.where(key % OUTCOMES < TIED, (each - flip_rate) / (1.0 - 2.0 * flip_rate), 1.0)


def tally(comparisons: Comparisons) -> Tally:
    """Sum comparisons to one row per observed pair."""
    n, key, n_outcomes = comparisons.n_items, comparisons.key, comparisons.n_outcomes
    if _is_dense(comparisons):
        shape = (n, n, OUTCOMES)
        events = np.bincount(key, minlength=OUTCOMES * n * n).reshape(shape)
        won, *even = _fold(events, n_outcomes)
        first, second = np.nonzero(np.triu(won + won.T + sum(even), 1))
        counted = _rows(won, even, first, second)
        found = comparisons.entries()
        if found.weight is None:
            summed = counted.astype(np.float64)
        else:
            won_weight, *even_weight = _fold(
                sum_by(found.key, found.weight, events.size).reshape(shape), n_outcomes
            )
            summed = _rows(won_weight, even_weight, first, second)
        return Tally(n, first, second, summed, counted, _per_item(comparisons, first, second, counted))
    canonical = _canonical(key, n)
    pairs, inverse = np.unique(canonical // OUTCOMES, return_inverse=True)
    cell = np.minimum(canonical % OUTCOMES, n_outcomes - 1) * pairs.size + inverse
    counted = np.bincount(cell, minlength=n_outcomes * pairs.size).reshape(n_outcomes, pairs.size)
    first, second = np.divmod(pairs, max(n, 1))
    plain = Tally(
        n, first, second, counted.astype(np.float64), counted, _per_item(comparisons, first, second, counted)
    )
    found = comparisons.entries()
    if found.weight is None:
        return plain
    summed = sum_by(cell_of(comparisons, plain, found.key), found.weight, counted.size)
    return replace(plain, weight=summed.reshape(counted.shape))


def split(
    ballots: Ballots, comparisons: Comparisons, total: Tally, *, cluster: str
) -> ClusterSums | SingleSums:
    """Sum comparisons to one row per cluster; a ballot is always inside one cluster.

    Raises MissingClusters if the ballots lack the column, InvalidSetting for an unknown cluster.
    """
    code = cluster_codes(ballots, cluster)
    owner = comparisons.ballot
    is_single = code is None and (owner is None or owner.size == comparisons.n_ballots)
    if is_single and comparisons.share is None:
        return _single(comparisons, total)
    number = np.arange(comparisons.key.size) if owner is None else owner
    names, row = _renumber(number if code is None else code[number])
    found = comparisons.entries()
    row = row if found.row is None else row[found.row]
    cell = cell_of(comparisons, total, found.key)
    ones = np.ones(cell.size) if found.weight is None else found.weight
    shape = (names.size, comparisons.n_outcomes * total.first.size)
    matrix = sparse.csr_array(sparse.coo_array((ones, (row, cell)), shape=shape))
    return ClusterSums(names.size, matrix, _known(ballots, cluster, names))


def usable_ballots(ballots: Ballots, *, both_bad: BothBad) -> tuple[Bools | None, dict[str, int]]:
    """Which ballots are used (None: all) and why the others are not; the first reason found counts."""
    dropped = {"zero_weight": 0, "both_bad": 0, "nothing_compared": 0}
    reasons: list[tuple[str, Bools]] = []
    if not ballots.is_unweighted:
        reasons.append(("zero_weight", ballots.weight == 0.0))
    if both_bad == "drop":
        reasons.append(("both_bad", np.asarray(ballots.all_bad)))
    if len(ballots) and not (ballots.is_fully_compared and int(ballots.sizes.min()) > 1):
        compared = np.add.reduceat((ballots.slot_rank != NOT_COMPARED).astype(np.int64), ballots.offsets[:-1])
        reasons.append(("nothing_compared", compared < 2))
    usable: Bools | None = None
    for reason, unfit in reasons:
        if not unfit.any():
            continue
        usable = np.ones(len(ballots), dtype=np.bool_) if usable is None else usable
        dropped[reason] = int((usable & unfit).sum())
        usable &= ~unfit
    return usable, dropped


class OrderedSlots(NamedTuple):
    """The m compared slots of the usable ballots, ballot by ballot, each from its best slot to its worst.

    ballot      int64[m]
    item        int64[m]
    opens       bool[m], whether a slot is the first of those that stand equal with it
    place       int64[m], slots of its ballot that come before it in this order
    size        int64[m], how many slots its ballot compares, at least 2
    """

    ballot: Ints
    item: Ints
    opens: Bools
    place: Ints
    size: Ints


def ordered_slots(ballots: Ballots, *, both_bad: BothBad) -> OrderedSlots:
    """Sort the slots. On a ballot called all bad everything compared ties, or it is left out ("drop")."""
    usable, _ = usable_ballots(ballots, both_bad=both_bad)
    owner = np.repeat(np.arange(len(ballots)), ballots.sizes)
    kept: Bools = ballots.slot_rank != NOT_COMPARED
    if usable is not None:
        kept &= usable[owner]
    owner, item = owner[kept], ballots.slot_item[kept].astype(np.int64)
    rank = np.where(ballots.all_bad[owner], 1, ballots.slot_rank[kept].astype(np.int64))
    order = np.lexsort((rank, owner))
    owner, item, rank = owner[order], item[order], rank[order]
    opens = np.ones(owner.size, dtype=np.bool_)
    opens[1:] = (owner[1:] != owner[:-1]) | (rank[1:] != rank[:-1])
    per_ballot = np.bincount(owner, minlength=len(ballots))
    start = np.cumsum(per_ballot) - per_ballot
    return OrderedSlots(owner, item, opens, np.arange(owner.size) - start[owner], per_ballot[owner])


def only_comparisons(found: Comparisons, ballots: Ballots, kept: Bools, *, reason: str) -> Comparisons:
    """The comparisons marked in bool[c] `kept`; ballots left with none count as `reason` in `dropped`."""
    owner = np.arange(found.key.size) if found.ballot is None else found.ballot
    ballot, key = owner[kept], found.key[kept]
    used = np.unique(ballot)
    ballots_of = None
    if found.ballots_of is not None:
        n = found.n_items
        left, right = np.divmod(key // OUTCOMES, n)
        met = np.unique(np.concatenate([ballot * n + left, ballot * n + right]))
        ballots_of = np.bincount(met % n, minlength=n)
    return replace(
        found,
        key=key,
        ballot=ballot,
        weight=None if found.weight is None else found.weight[kept],
        share=None if found.share is None else found.share[kept],
        ballots_of=ballots_of,
        n_ballots=used.size,
        kwise_as_pairs=int((ballots.sizes[used] > 2).sum()),
        dropped={**found.dropped, reason: found.n_ballots - used.size},
    )


def _encode(
    n: int,
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    left_rank: NDArray[np.int16],
    right_rank: NDArray[np.int16],
    bad: Bools | None,
) -> tuple[NDArray[np.integer], Bools | None]:
    """Keys of the pairs and which of them were compared (None: all)."""
    key = np.empty(left.size, dtype=np.int64)
    missing = np.zeros(left.size, dtype=np.bool_)
    any_missing = False
    for start in range(0, left.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        ahead, behind = left_rank[part], right_rank[part]
        outcome = np.int8(TIED) - np.int8(2) * (ahead < behind) - (ahead > behind)
        if bad is not None:
            outcome[bad[part]] = BAD
        np.multiply(left[part], n, out=key[part], dtype=np.int64)
        key[part] += right[part]
        key[part] *= OUTCOMES
        key[part] += outcome
        lowest = np.minimum(ahead, behind)
        if lowest.min() < 1:
            any_missing = True
            missing[part] = lowest < 1
    return key, ~missing if any_missing else None


def _ballots_of(ballots: Ballots, usable: Bools | None) -> Ints:
    n = len(ballots.items)
    if usable is None and ballots.is_fully_compared:
        return np.bincount(ballots.slot_item, minlength=n)
    kept = ballots.slot_rank != NOT_COMPARED
    if usable is not None:
        kept &= np.repeat(usable, ballots.sizes)
    return np.bincount(ballots.slot_item[kept], minlength=n)


def _per_item(comparisons: Comparisons, first: Ints, second: Ints, events: Ints) -> Ints:
    if comparisons.ballots_of is not None:
        return comparisons.ballots_of
    met, n = events.sum(axis=0), comparisons.n_items
    return np.rint(sum_by(first, met, n) + sum_by(second, met, n)).astype(np.int64)


def _is_dense(comparisons: Comparisons) -> bool:
    return OUTCOMES * comparisons.n_items**2 <= max(_DENSE_CELLS, 4 * comparisons.key.size)


def _fold(cells: NDArray[T], n_outcomes: int) -> list[NDArray[T]]:
    """won[i, j] by i against j in either order, then each even outcome, symmetric, from cells[left, right,
    outcome]; with 3 outcomes "both bad" joins the ties.
    """
    if n_outcomes == BAD:
        cells[:, :, TIED] += cells[:, :, BAD]
    won = cells[:, :, FIRST_WON] + cells[:, :, SECOND_WON].T
    tables = [won]
    for outcome in range(TIED, n_outcomes):
        even: NDArray[T] = cells[:, :, outcome]
        tables.append(even + even.T)
    return tables


def _rows(won: NDArray[T], even: list[NDArray[T]], first: Ints, second: Ints) -> NDArray[T]:
    return np.stack([won[first, second], won[second, first], *(table[first, second] for table in even)])


def _canonical(key: NDArray[np.integer], n: int) -> Ints:
    """Keys with the smaller item on the left."""
    pair, outcome = np.divmod(key.astype(np.int64, copy=False), OUTCOMES)
    left, right = np.divmod(pair, max(n, 1))
    outcome = np.where((left > right) & (outcome < TIED), 1 - outcome, outcome)
    lower, upper = np.minimum(left, right), np.maximum(left, right)
    canonical: Ints = (lower * n + upper) * OUTCOMES + outcome
    return canonical


def cell_of(comparisons: Comparisons, total: Tally, key: NDArray[np.integer] | None = None) -> Ints:
    """int64[c], the cell `outcome * P + pair` of each comparison, or of each key of its pairs."""
    key = comparisons.key if key is None else key
    n, n_outcomes = total.n_items, comparisons.n_outcomes
    if _is_dense(comparisons):
        pairs = np.arange(total.first.size)
        table = np.zeros((n, n, OUTCOMES), dtype=np.int64)
        for outcome, swapped in enumerate((SECOND_WON, FIRST_WON, TIED, BAD)):
            row = min(outcome, n_outcomes - 1)
            table[total.first, total.second, outcome] = row * pairs.size + pairs
            table[total.second, total.first, swapped] = row * pairs.size + pairs
        looked_up: Ints = table.reshape(-1)[key]
        return looked_up
    canonical = _canonical(key, n)
    pair = np.searchsorted(total.first * n + total.second, canonical // OUTCOMES)
    cell: Ints = np.minimum(canonical % OUTCOMES, n_outcomes - 1) * total.first.size + pair
    return cell


def _renumber(code: Ints) -> tuple[Ints, Ints]:
    """The different codes (0 or more), ascending, and each one's number among them."""
    largest = int(code.max()) if code.size else -1
    if largest > 8 * code.size:
        found, number = np.unique(code, return_inverse=True)
        return found, number
    is_used = np.zeros(largest + 1, dtype=np.bool_)
    is_used[code] = True
    numbers = np.cumsum(is_used) - 1
    return np.flatnonzero(is_used), numbers[code]


def _known(ballots: Ballots, cluster: str, names: Ints) -> Ints:
    """The names of clusters, UNKNOWN for those that were made up or are ballots."""
    if cluster == MEETING:
        whole = [column for column in (ballots.voter, ballots.prompt) if column is not None]
        return names if all((column != UNKNOWN).all() for column in whole) else np.full_like(names, UNKNOWN)
    column = ballots.voter if cluster == "voter" else ballots.prompt if cluster == "prompt" else None
    if column is None:
        return np.full_like(names, UNKNOWN)
    return np.where(names > int(column.max(initial=UNKNOWN)), UNKNOWN, names)


def _single(comparisons: Comparisons, total: Tally) -> SingleSums:
    if comparisons.weight is None:
        return SingleSums(comparisons.key.size, total.weight, None, None)
    cell = cell_of(comparisons, total)
    square = sum_by(cell, comparisons.weight**2, total.weight.size)
    return SingleSums(cell.size, square.reshape(total.weight.shape), comparisons.weight, cell)


def cluster_codes(ballots: Ballots, cluster: str) -> Ints | None:
    """int64[n], the cluster of each ballot; None: each is its own.

    Raises MissingClusters, and InvalidSetting for two ways at once, which only some intervals combine.
    """
    if cluster == TWO_WAY:
        raise InvalidSetting("only the sandwich of a likelihood model clusters by voter and prompt at once")
    if cluster == MEETING:
        voter, prompt = cluster_codes(ballots, "voter"), cluster_codes(ballots, "prompt")
        assert voter is not None  # noqa: S101 - both are columns, or MissingClusters was raised
        assert prompt is not None  # noqa: S101
        return voter * (int(prompt.max(initial=0)) + 1) + prompt
    if cluster in ("ballot", "vote"):
        return None
    if cluster not in CLUSTERS:
        raise InvalidSetting(f"cluster must be one of {', '.join(CLUSTERS)}, not {cluster!r}")
    code = ballots.voter if cluster == "voter" else ballots.prompt
    if code is None:
        raise MissingClusters(f"the ballots have no {cluster} column")
    unknown = np.flatnonzero(code == UNKNOWN)
    if not unknown.size:
        return code
    own = code.copy()
    own[unknown] = int(code.max()) + 1 + np.arange(unknown.size)
    return own

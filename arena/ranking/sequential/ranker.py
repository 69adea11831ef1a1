"""The ranker: tell it ballots, read the order, ask it whom to show next. It knows names, not strengths."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from arena.ranking.arrays import Floats, Ints
from arena.ranking.ballots import NOT_COMPARED, Ballots
from arena.ranking.errors import (
    DuplicateItem,
    InvalidItem,
    InvalidRank,
    InvalidSetting,
    InvalidWeight,
    LengthMismatch,
    TooFewSystems,
)
from arena.ranking.pairing.plan import SetPlan
from arena.ranking.sequential.noise import Noise, NoiseModel
from arena.ranking.sequential.orders import Orders

_REFIT_EVERY = 5
_TIE_BREAK = 1e-6  # of a place: equal mean places keep their former order


class ActiveRanker:
    """Bayes on orders: a sample of the total orders that the ballots leave likely, with the share of random
    ballots and the rate of flips estimated from the ballots as well (`NoiseModel`). The set to show next is
    the one on whose order the sample disagrees most.

    items           n names, unique, in any order
    rng             draws orders and breaks ties; the same generator and ballots give the same ranker
    chains          orders in the sample
    sweep           share of all systems that are moved, besides those shown, after a ballot that
                    contradicts some order
    random_prior    b of a Beta(1, b) prior of the share of random ballots
    flip_prior      b of a Beta(1, b) prior of the factor that a discordant pair costs

    A ballot takes 1 to 5 ms for 50 systems and 30 ms for 300, the more the more ballots contradict. It is
    meant for some hundreds of systems and some thousands of ballots; a new system is `add`ed at any time.
    """

    def __init__(
        self,
        items: Sequence[str],
        rng: np.random.Generator,
        *,
        chains: int = 32,
        sweep: float = 0.5,
        random_prior: float = 40.0,
        flip_prior: float = 20.0,
    ) -> None:
        if len(set(items)) != len(items):
            raise DuplicateItem("an item is listed twice")
        if len(items) < 2:
            raise TooFewSystems(f"{len(items)} systems cannot be ranked")
        if chains < 2:
            raise InvalidSetting(f"chains must be at least 2, not {chains}")
        if not (math.isfinite(sweep) and sweep >= 0.0):
            raise InvalidSetting(f"sweep must be finite and not negative, not {sweep}")
        self._items = list(items)
        self._place = {item: place for place, item in enumerate(items)}
        self._rng, self._sweep = rng, sweep
        self._model = NoiseModel(random_prior=random_prior, flip_prior=flip_prior)
        self._orders = Orders(len(items), chains=chains, model=self._model, rng=rng)
        self._order: Ints = rng.permutation(len(items))
        self._waiting: list[int] = []
        self.n_ballots = 0

    @property
    def items(self) -> tuple[str, ...]:
        """Names in the order of the matrices."""
        return tuple(self._items)

    @property
    def order(self) -> tuple[str, ...]:
        """The point order, best first: by mean place in the sample."""
        return tuple(self._items[item] for item in self._order)

    @property
    def noise(self) -> Noise:
        """The noise that the ballots show so far; a point of a grid."""
        return self._model.noise

    def above(self) -> Floats:
        """float64[n, n]: share of the sampled orders with the row above the column."""
        position = self._orders.position
        count = (position[:, :, None] < position[:, None, :]).sum(axis=0, dtype=np.int32)
        return np.asarray(count / len(position))

    def doubt(self) -> Floats:
        """float64[n - 1]: rough chance, 0…0.5, that neighbours in `order` stand the wrong way round.

        The larger of the share of the sample that says so and 1 / (1 + exp(lead * loss)): lead = net ballots
        for the upper one, loss = log-likelihood that one discordant pair costs.
        """
        upper, lower = self._order[:-1], self._order[1:]
        share = np.minimum(self.above()[lower, upper], 0.5)
        return np.maximum(share, self._thin_evidence())

    def add(self, item: str) -> None:
        """A new system; where it belongs is wide open. Raises DuplicateItem."""
        if item in self._place:
            raise DuplicateItem(f"{item} is ranked already")
        self._place[item] = len(self._items)
        self._items.append(item)
        self._orders.add_item()
        self._order = np.append(self._order, len(self._items) - 1)
        self._summarise()

    def tell(self, items: Sequence[str], ranks: Sequence[int] | None = None, *, weight: float = 1.0) -> None:
        """One ballot: `items` best first, or with `ranks` (1 = best, equal = tie, -1 = not compared).

        Raises InvalidItem, DuplicateItem, LengthMismatch, InvalidRank, InvalidWeight.
        """
        given = list(range(1, len(items) + 1)) if ranks is None else list(ranks)
        if len(given) != len(items):
            raise LengthMismatch(f"{len(items)} items, {len(given)} ranks")
        unknown = [item for item in items if item not in self._place]
        if unknown:
            raise InvalidItem(f"{unknown[0]!r} is not ranked here")
        if len(set(items)) != len(items):
            raise DuplicateItem("an item stands twice in one ballot")
        if any(rank < 1 and rank != NOT_COMPARED for rank in given):
            raise InvalidRank(f"ranks are 1 or more, or {NOT_COMPARED}: {given}")
        if not (math.isfinite(weight) and weight >= 0.0):
            raise InvalidWeight(f"weight must be finite and not negative, not {weight}")
        compared = [
            (self._place[item], rank) for item, rank in zip(items, given, strict=True) if rank != NOT_COMPARED
        ]
        self._take([item for item, _ in compared], [rank for _, rank in compared], weight)

    def tell_all(self, ballots: Ballots) -> None:
        """All ballots in their order. Items without a ballot must be known, too. Raises as `tell`."""
        for start, end, weight in zip(
            ballots.offsets[:-1].tolist(), ballots.offsets[1:].tolist(), ballots.weight.tolist(), strict=True
        ):
            names = [ballots.items[item] for item in ballots.slot_item[start:end].tolist()]
            self.tell(names, ballots.slot_rank[start:end].tolist(), weight=weight)

    def choose(self, k: int, *, exclude: Iterable[str] = ()) -> tuple[str, ...]:
        """The `k` systems whose mutual order is least known, in no meaningful order.

        The pair with the largest entropy grows by the system that adds most entropy to the sampled orders of
        the set. Neighbours count as unsure, too, as long as few ballots order them (`doubt`), so that a
        settled order is checked where its evidence is thinnest.
        Raises TooFewSystems, InvalidSetting (k below 2).
        """
        if k < 2:
            raise InvalidSetting(f"a battle needs at least 2 systems, not {k}")
        barred = [self._place[item] for item in exclude if item in self._place]
        if len(self._items) - len(set(barred)) < k:
            raise TooFewSystems(f"{len(self._items) - len(set(barred))} systems can be shown, {k} are needed")
        return tuple(self._items[item] for item in self._least_known(k, barred))

    def plan(self, k: int, *, explore: float = 0.1, exclude: Iterable[str] = ()) -> SetPlan:
        """`choose` as a plan: that set, and with chance `explore` any set at all.

        A likelihood fitted to the ballots does not mind how the sets were chosen; shares of wins do, and need
        the stated chance and an `explore` above 0. Raises as `choose`.
        """
        left_out = set(exclude)
        chosen = tuple(self._place[item] for item in self.choose(k, exclude=left_out))
        usable = tuple(place for place, item in enumerate(self._items) if item not in left_out)
        return SetPlan(self.items, (chosen,), (1.0,), explore, usable)

    def _take(self, members: list[int], ranks: list[int], weight: float) -> None:
        self.n_ballots += 1
        is_surprising = self._orders.add_ballot(members, ranks, weight)
        if is_surprising or self.n_ballots % _REFIT_EVERY == 0:
            self._model.fit(self._orders.seen())
        shown = self._rng.permutation(members).tolist()
        if is_surprising:
            for item in shown:
                self._orders.move(item)
            for _ in range(math.ceil(self._sweep * len(self._items))):
                self._orders.move(self._next_in_turn())
        else:
            for item in (*shown[:1], self._next_in_turn()):
                self._orders.move(item)
        self._summarise()

    def _next_in_turn(self) -> int:
        if not self._waiting:
            self._waiting = self._rng.permutation(len(self._items)).tolist()
        return self._waiting.pop()

    def _summarise(self) -> None:
        former = np.empty(len(self._items))
        former[self._order] = np.arange(len(self._items))
        self._order = np.argsort(self._orders.position.mean(axis=0) + _TIE_BREAK * former, kind="stable")

    def _thin_evidence(self) -> Floats:
        upper, lower = self._order[:-1], self._order[1:]
        lead = np.clip(self._orders.net[upper, lower] * self._model.agreement, 0.0, 700.0)
        return np.asarray(1.0 / (1.0 + np.exp(lead)))

    def _least_known(self, k: int, barred: list[int]) -> list[int]:
        n, position = len(self._items), self._orders.position
        chains = len(position)
        thin = np.zeros((n, n))
        upper, lower = self._order[:-1], self._order[1:]
        thin[upper, lower] = thin[lower, upper] = _entropy(self._thin_evidence())
        unsure = _entropy(self.above()) + thin + self._jitter((n, n))
        np.fill_diagonal(unsure, -1.0)
        unsure[barred] = unsure[:, barred] = -1.0
        first, second = divmod(int(unsure.argmax()), n)
        chosen = [first, second]
        order_code: Ints = (position[:, first] < position[:, second]).astype(np.int64)
        above: Ints = (position[:, first, None] < position).astype(np.int64)
        while len(chosen) < k:
            # A set's order in each sampled one: the code of the order so far and how many stand above.
            above += position[:, chosen[-1], None] < position
            code = order_code[:, None] * (len(chosen) + 1) + above
            width = int(code.max()) + 1
            count = np.bincount((code + np.arange(n) * width).ravel(), minlength=n * width)
            share = count.reshape(n, width) / chains
            entropy = -(share * np.log2(share, where=share > 0, out=np.zeros_like(share))).sum(axis=1)
            gain = entropy + thin[chosen].sum(axis=0) + self._jitter((n,))
            gain[chosen] = gain[barred] = -1.0
            chosen.append(int(gain.argmax()))
            order_code = np.unique(code[:, chosen[-1]], return_inverse=True)[1]
        return chosen

    def _jitter(self, shape: tuple[int, ...]) -> Floats:
        """Breaks ties at random: a fixed order would show the first systems more often."""
        return self._rng.random(shape) * 1e-9


def _entropy(p: Floats) -> Floats:
    """Bits of a yes or no with chance p."""
    q = np.clip(p, 1e-12, 1.0 - 1e-12)
    bits: Floats = -(q * np.log2(q) + (1.0 - q) * np.log2(1.0 - q))
    return bits

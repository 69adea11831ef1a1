"""Online Gaussian skill: a mean and a standard deviation for each item, moved ballot by ballot. It reads no
dates, and no variance ever grows or turns negative.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Literal, NamedTuple, get_args

import numpy as np
from scipy.special import erfcx, expit

from arena.ranking.arrays import Bools, Floats, Ints
from arena.ranking.ballots import NOT_COMPARED, Ballots
from arena.ranking.counts import BothBad, usable_ballots
from arena.ranking.errors import (
    DuplicateItem,
    IncompatibleTies,
    InvalidItem,
    InvalidRank,
    InvalidSetting,
    InvalidWeight,
    LengthMismatch,
    MissingRandomness,
)
from arena.ranking.intervals import Bootstrap, Interval
from arena.ranking.result import Ranking
from arena.ranking.scored import Shown, rank_by_weights
from arena.ranking.settings import check_shared

Update = Literal["adjacent", "pairwise-sum", "weng-lin-bt", "weng-lin-tm", "weng-lin-pl"]
"""Which pairs of a ballot move the skills, and how: see `GaussianSkill`."""

_WITH_MARGIN = ("adjacent", "pairwise-sum", "weng-lin-tm")
_ROOT_2, _ROOT_2_PI = math.sqrt(2.0), math.sqrt(2.0 * math.pi)
_TAIL = -20.0


@dataclass(frozen=True, eq=False)
class SkillState:
    """What is believed of n items after some ballots.

    mu, sigma       float64[n], mean and standard deviation of each skill, skill points
    floored         variances that so far would have fallen below the floor
    """

    mu: Floats
    sigma: Floats
    floored: int = 0

    def __post_init__(self) -> None:
        for name in ("mu", "sigma"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        if self.mu.ndim != 1 or self.mu.shape != self.sigma.shape:
            raise LengthMismatch(f"mu has shape {self.mu.shape}, sigma {self.sigma.shape}")


@dataclass(frozen=True)
class GaussianSkill:
    """Skill_i ~ N(mu_i, sigma_i^2), and a ballot shows performances N(skill_i, beta^2) in their order. All
    steps of a ballot start from the state before it: mu_i moves by sigma_i^2 times a sum over pairs,
    sigma_i^2 shrinks by the factor 1 - Delta_i.

    update      "adjacent": each item against its neighbours in the ballot's order, the pairs of TrueSkill's
                chain (Herbrich, Minka & Graepel 2006) in one step, without its inner iteration
                "pairwise-sum": against all others (K-Sort Arena, arXiv:2408.14468, Eq. 9-10). It takes the
                pairs of a ballot for independent, so that sigma is too small from K = 3 on; from K = 5 on
                Delta passes 1 at the first ballot (default prior), and already at K = 4 scores can run off
                "weng-lin-tm", "weng-lin-bt", "weng-lin-pl": Weng & Lin 2011 (JMLR 12:267-300), Algorithms 3
                (Thurstone-Mosteller, all pairs), 1 (Bradley-Terry, all pairs) and 4 (Plackett-Luce), with
                their gamma = sigma_i / c that damps Delta
    mu0, sigma0     belief about an item without a ballot, skill points
    beta        standard deviation of one performance around the skill, skill points
    eta         the score is mu - eta sigma
    variance_floor  kappa: one ballot leaves at least this share of a variance (Weng & Lin, Eq. 28)
    draw_margin     0: a tie is half the step of a win and half that of a loss, as ties are read in the whole
                library, and by Weng & Lin under Bradley-Terry. Above 0, for the three Gaussian updates:
                performances closer than this tie (TrueSkill; a share p of ties between equals needs sqrt(2)
                beta Phi^-1((1 + p) / 2)). "weng-lin-pl" has ties of its own: each of m tied items is chosen
                first, with weight 1 / m
    permutations    0: the ballots in the order given; otherwise mu and sigma are means over as many random
                orders, since one order's scores are noise (`order_sd`)
    both_bad    "tie": all compared items of a ballot called all bad tie; "drop": it is left out
    provisional_below   items with fewer usable ballots are marked provisional

    For two items and a ballot with a winner the first two updates give the exact moments of the posterior
    (K-Sort Arena, Eq. 4-8). In "adjacent" tied items stand in every order with equal chance, so that the
    place of a slot never matters. A ballot's weight multiplies its steps; the rest of a graded ballot takes
    the steps of the opposite order.

    Skills are constant (no drift), so sigma only shrinks. It is the model's own claim and no frequentist
    error: it knows nothing of votes that come in clusters or follow no scale, nor of what the pairs of a
    ballot share. With votes and prior just as assumed (20 items, 1,200 slots) its nominal 95 % of differences
    held 94 % of the truths at K = 2; at K = 4 and 6 "adjacent" held 70 % and 42 %, "pairwise-sum" 46 % and
    2 %.
    """

    update: Update = "adjacent"
    mu0: float = 25.0
    sigma0: float = 25.0 / 3.0
    beta: float = 25.0 / 6.0
    eta: float = 3.0
    variance_floor: float = 1e-4
    draw_margin: float = 0.0
    permutations: int = 20
    both_bad: BothBad = "tie"
    provisional_below: int = 50

    def __post_init__(self) -> None:
        if self.update not in get_args(Update):
            raise InvalidSetting(f"update must be one of {', '.join(get_args(Update))}, not {self.update!r}")
        if not math.isfinite(self.mu0):
            raise InvalidSetting(f"mu0 must be finite, not {self.mu0}")
        for name in ("sigma0", "beta"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InvalidSetting(f"{name} must be finite and above 0, not {getattr(self, name)}")
        for name in ("eta", "draw_margin"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise InvalidSetting(f"{name} must be finite and not negative, not {getattr(self, name)}")
        if self.draw_margin > 0 and self.update not in _WITH_MARGIN:
            raise IncompatibleTies(f"update={self.update!r} has no draw margin")
        if not 0.0 < self.variance_floor <= 1.0:
            raise InvalidSetting(f"variance_floor must lie above 0 and up to 1, not {self.variance_floor}")
        if self.permutations < 0:
            raise InvalidSetting(f"permutations must not be negative, not {self.permutations}")
        check_shared(self)

    def start(self, n: int) -> SkillState:
        """The state of `n` items without a ballot."""
        return SkillState(np.full(n, self.mu0), np.full(n, self.sigma0))

    def joined(self, state: SkillState, n: int = 1) -> SkillState:
        """The state with `n` newcomers at its end."""
        new = self.start(n)
        return SkillState(
            np.concatenate([state.mu, new.mu]), np.concatenate([state.sigma, new.sigma]), state.floored
        )

    def step(
        self,
        state: SkillState,
        items: Sequence[int],
        ranks: Sequence[int],
        *,
        weight: float = 1.0,
        share: float = 1.0,
    ) -> SkillState:
        """The state after one ballot; `state` itself stays as it is.

        items, ranks    positions in the state, and their ranks: 1 = best, equal = tie, -1 = not compared. A
                        ballot called all bad comes with equal ranks, or not at all
        weight, share   as in `Ballots`

        Raises LengthMismatch, InvalidItem, DuplicateItem, InvalidRank, InvalidWeight.
        """
        n = state.mu.size
        if len(items) != len(ranks):
            raise LengthMismatch(f"{len(items)} items but {len(ranks)} ranks")
        if any(not 0 <= item < n for item in items):
            raise InvalidItem(f"items must lie in 0…{n - 1}")
        if len(set(items)) != len(items):
            raise DuplicateItem("a ballot holds an item twice")
        if any(rank < 1 and rank != NOT_COMPARED for rank in ranks):
            raise InvalidRank("ranks start at 1; -1 means not compared")
        if not (math.isfinite(weight) and weight >= 0):
            raise InvalidWeight(f"a weight must be finite and not negative, not {weight}")
        if not 0.0 <= share <= 1.0:
            raise InvalidWeight(f"share must lie between 0 and 1, not {share}")
        compared = [k for k, rank in enumerate(ranks) if rank != NOT_COMPARED]
        shown = _Shown([int(items[k]) for k in compared], [int(ranks[k]) for k in compared], weight, share)
        mu, variance = state.mu.tolist(), (state.sigma**2).tolist()
        floored = self._take(mu, variance, shown)
        # Only what moved is written: the square root of a square would stir the other items.
        new_mu, new_sigma = state.mu.copy(), state.sigma.copy()
        for item in shown.items:
            new_mu[item], new_sigma[item] = mu[item], math.sqrt(variance[item])
        return SkillState(new_mu, new_sigma, state.floored + floored)

    def score(self, state: SkillState) -> Floats:
        """float64[n], the conservative scores mu - eta sigma, skill points."""
        conservative: Floats = state.mu - self.eta * state.sigma
        return conservative

    def replay(self, ballots: Ballots) -> SkillState:
        """The state after all usable ballots in the order given."""
        used = _used(ballots, both_bad=self.both_bad)
        return self._play(len(ballots.items), _read(ballots, used))

    def fit(
        self, ballots: Ballots, interval: Interval | None = None, rng: np.random.Generator | None = None
    ) -> Ranking:
        """Rate every item; scores and bounds are conservative scores in skill points.

        The interval is a `Bootstrap` or None. Its bounds show how far the conservative score would move with
        other votes, as many as these: each replicate draws clusters with replacement and, with permutations,
        one random order of their ballots, so that the bounds hold the noise of one order, too. They are not
        mu -+ z sigma, which the diagnostics give.

        Diagnostics: `posterior` (mu and sigma of every rated item, means over the orders), `floored`
        (variances that the floor held up, all orders together), `order_sd` (largest standard deviation of a
        score over the orders, None with fewer than two).
        Raises InvalidSetting for a Sandwich, MissingRandomness, TooFewClusters, MissingClusters.
        """
        if rng is None and (self.permutations or isinstance(interval, Bootstrap)):
            raise MissingRandomness("random orders and resamples need rng=numpy.random.default_rng(seed)")
        n, used = len(ballots.items), _used(ballots, both_bad=self.both_bad)
        shown = _read(ballots, used)
        every = np.arange(used.size)
        orders = (
            [every] if rng is None else [rng.permutation(every) for _ in range(self.permutations)] or [every]
        )
        states = [self._play(n, [shown[k] for k in order.tolist()]) for order in orders]
        mu = np.mean([state.mu for state in states], axis=0)
        sigma = np.mean([state.sigma for state in states], axis=0)
        met = _met(n, shown)
        of_data = np.where(met, mu - self.eta * sigma, np.nan)

        def by_weight(weight: Floats) -> Floats:
            times = np.rint(weight[used] / ballots.weight[used]).astype(np.int64)
            if rng is None or (times == 1).all():
                return of_data
            drawn_ballots = np.repeat(every, times)
            order = rng.permutation(drawn_ballots) if self.permutations else drawn_ballots
            resample = [shown[k] for k in order.tolist()]
            return np.where(_met(n, resample), self.score(self._play(n, resample)), np.nan)

        scores = np.array([self.score(state)[met] for state in states])
        facts = {
            "posterior": {
                ballots.items[i]: {"mu": float(mu[i]), "sigma": float(sigma[i])}
                for i in np.flatnonzero(met).tolist()
            },
            "floored": sum(state.floored for state in states),
            "order_sd": float(scores.std(axis=0, ddof=1).max()) if len(states) > 1 and met.any() else None,
            "kwise_as_pairs": 0,
        }
        board = Shown(
            {"model": "gaussian-skill", **asdict(self)},
            f"skill points (mu - {self.eta:g} sigma)",
            self.provisional_below,
            diagnostics=facts,
        )
        return rank_by_weights(ballots, by_weight, board, both_bad=self.both_bad, interval=interval, rng=rng)

    def _play(self, n: int, ballots: Iterable[_Shown]) -> SkillState:
        mu, variance, floored = [self.mu0] * n, [self.sigma0**2] * n, 0
        try:
            for ballot in ballots:
                floored += self._take(mu, variance, ballot)
        except (ZeroDivisionError, OverflowError) as problem:
            raise InvalidWeight(
                f"skills ran off: a weight or a setting is too large ({problem})"
            ) from problem
        return SkillState(np.array(mu), np.sqrt(np.array(variance)), floored)

    def _take(self, mu: list[float], variance: list[float], ballot: _Shown) -> int:
        """Move the lists by one ballot and say how many variances the floor held up."""
        items, weight, floored = ballot.items, ballot.weight, 0
        if len(items) < 2:
            return 0
        own_mu, own_variance = [mu[i] for i in items], [variance[i] for i in items]
        move = self._listwise if self.update == "weng-lin-pl" else self._pairwise
        steps = move(own_mu, own_variance, ballot.ranks)
        if ballot.share < 1.0:
            opposite = move(own_mu, own_variance, [-rank for rank in ballot.ranks])
            steps = _mixed(steps, opposite, ballot.share)
        for k, item in enumerate(items):
            left = 1.0 - weight * steps.shrink[k]
            if left < self.variance_floor:
                left, floored = self.variance_floor, floored + 1
            mu[item] = own_mu[k] + weight * steps.lift[k]
            variance[item] = own_variance[k] * left
        return floored

    def _pairwise(self, mu: list[float], variance: list[float], ranks: list[int]) -> _Steps:
        """Sums over pairs of the ballot; `share` is the chance that the two stand side by side."""
        size = len(ranks)
        is_chain = size > 2 and self.update == "adjacent"
        lift, shrink = [0.0] * size, [0.0] * size
        level, members = _levels(ranks) if is_chain else _Levels(ranks, [])
        noise = 2.0 * self.beta**2
        for a, b in combinations(range(size), 2):
            share, gap = 1.0, level[b] - level[a]
            if is_chain and abs(gap) > 1:
                continue
            if is_chain:
                share = 1.0 / (members[level[a]] * members[level[b]]) if gap else 2.0 / members[level[a]]
            total = variance[a] + variance[b] + noise
            c = math.sqrt(total)
            x = (mu[a] - mu[b]) / c
            if gap:
                sign = 1.0 if gap > 0 else -1.0
                push, bend = self._won(sign * x, self.draw_margin / c)
                push *= sign
            else:
                push, bend = self._tied(x, self.draw_margin / c)
            push, bend = share * push / c, share * bend / total
            lift[a] += variance[a] * push
            lift[b] -= variance[b] * push
            for k in (a, b):
                shrink[k] += variance[k] * bend * self._damping(variance[k], c)
        return _Steps(lift, shrink)

    def _listwise(self, mu: list[float], variance: list[float], ranks: list[int]) -> _Steps:
        """Weng & Lin 2011, Algorithm 4: q is chosen among those no better, with weight 1 / (as good as q)."""
        size = len(ranks)
        c = math.sqrt(sum(variance) + size * self.beta**2)
        best = max(mu)
        strength = [math.exp((value - best) / c) for value in mu]
        lift, shrink = [0.0] * size, [0.0] * size
        for q in range(size):
            left = [k for k in range(size) if ranks[k] >= ranks[q]]
            together, share = sum(strength[k] for k in left), 1.0 / ranks.count(ranks[q])
            for k in left:
                chance = strength[k] / together
                lift[k] += share * ((k == q) - chance)
                shrink[k] += share * chance * (1.0 - chance)
        return _Steps(
            [move * variance[k] / c for k, move in enumerate(lift)],
            [bend * variance[k] / c**2 * self._damping(variance[k], c) for k, bend in enumerate(shrink)],
        )

    def _damping(self, variance: float, c: float) -> float:
        return math.sqrt(variance) / c if self.update.startswith("weng-lin") else 1.0

    def _won(self, x: float, margin: float) -> _Push:
        """Of the better of two whose standardised difference of means is x."""
        if self.update == "weng-lin-bt":
            chance = float(expit(x))
            return _Push(1.0 - chance, chance * (1.0 - chance))
        return won(x - margin)

    def _tied(self, x: float, margin: float) -> _Push:
        if margin > 0:
            return drawn(x, margin)
        up, down = self._won(x, 0.0), self._won(-x, 0.0)
        return _Push(0.5 * (up.push - down.push), 0.5 * (up.bend + down.bend))


class _Shown(NamedTuple):
    """The compared items of one ballot, their ranks, and the ballot's weight and share."""

    items: list[int]
    ranks: list[int]
    weight: float
    share: float


class _Steps(NamedTuple):
    """For each item of a ballot: what its mean gains, and which share of its variance goes."""

    lift: list[float]
    shrink: list[float]


def _mixed(steps: _Steps, others: _Steps, share: float) -> _Steps:
    return _Steps(
        *(
            [share * a + (1.0 - share) * b for a, b in zip(mine, theirs, strict=True)]
            for mine, theirs in zip(steps, others, strict=True)
        )
    )


class _Push(NamedTuple):
    """First moment of the standardised step of a mean, and the share of variance that it explains."""

    push: float
    bend: float


def won(x: float) -> _Push:
    """V(x) = phi(x) / Phi(x) and W(x) = V (V + x), from the far left tail to the right."""
    # erfc underflows on the far left; its scaled form costs a slow call, so it serves only there.
    if x > _TAIL:
        v = math.exp(-0.5 * x * x) / _ROOT_2_PI / (0.5 * math.erfc(-x / _ROOT_2))
    else:
        v = 2.0 / (_ROOT_2_PI * float(erfcx(-x / _ROOT_2)))
    return _Push(v, min(max(v * (v + x), 0.0), 1.0))


def drawn(x: float, margin: float) -> _Push:
    """The same for a difference that was seen to lie within -+ margin (Herbrich, Minka & Graepel 2006; Weng &
    Lin 2011, Algorithm 3).
    """
    near, far = abs(x) - margin, abs(x) + margin
    # Everything is divided by phi(near), so that a draw against all odds leaves no 0 / 0.
    faded = math.exp(-2.0 * abs(x) * margin)
    inside = 0.5 * _ROOT_2_PI * float(erfcx(near / _ROOT_2) - erfcx(far / _ROOT_2) * faded)
    v = -math.expm1(-2.0 * abs(x) * margin) / inside
    w = v * v - (near - far * faded) / inside
    return _Push(-math.copysign(v, x), min(max(w, 0.0), 1.0))


class _Levels(NamedTuple):
    """The place of each item among the ranks of a ballot, 0 = best, and how many items share each place."""

    of_item: list[int]
    members: list[int]


def _levels(ranks: list[int]) -> _Levels:
    different = sorted(set(ranks))
    place = {rank: k for k, rank in enumerate(different)}
    return _Levels([place[rank] for rank in ranks], [ranks.count(rank) for rank in different])


def _used(ballots: Ballots, *, both_bad: BothBad) -> Ints:
    usable, _ = usable_ballots(ballots, both_bad=both_bad)
    return np.arange(len(ballots)) if usable is None else np.flatnonzero(usable)


def _read(ballots: Ballots, used: Ints) -> list[_Shown]:
    """The used ballots as plain lists: a loop over them beats numpy, one ballot at a time."""
    items, ranks = ballots.slot_item.tolist(), ballots.slot_rank.tolist()
    offsets, bad, weight = ballots.offsets.tolist(), ballots.all_bad.tolist(), ballots.weight.tolist()
    share = [1.0] * len(ballots) if ballots.share is None else ballots.share.tolist()
    shown = []
    for ballot in used.tolist():
        slots = [k for k in range(offsets[ballot], offsets[ballot + 1]) if ranks[k] != NOT_COMPARED]
        of_slots = [1] * len(slots) if bad[ballot] else [ranks[k] for k in slots]
        shown.append(_Shown([items[k] for k in slots], of_slots, weight[ballot], share[ballot]))
    return shown


def _met(n: int, shown: Iterable[_Shown]) -> Bools:
    found = np.zeros(n, dtype=np.bool_)
    found[list({item for ballot in shown for item in ballot.items})] = True
    return found

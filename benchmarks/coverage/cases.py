"""The models under test: how each is fitted, the law its votes come from, and its true values.

The true values are the model's own in the whole population of ballots, voters and prompts: where tastes or
half ties break the model's law, they are what it would find in endless data, not the planted strengths.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from arena.ranking.ballots import Ballots
from arena.ranking.bradley_terry import BradleyTerry
from arena.ranking.counting import Counting
from arena.ranking.covariates.contextual import ContextualBradleyTerry
from arena.ranking.intervals import Interval
from arena.ranking.plackett_luce import PlackettLuce
from arena.ranking.result import SCALE, Ranking
from benchmarks.coverage.laws import (
    Floats,
    Ints,
    PairLaw,
    Rng,
    davidson,
    draw_outcomes,
    draw_ranks,
    draw_tied_ranks,
    flipped,
    grounded,
    over_tastes,
    rao_kupper,
)
from benchmarks.coverage.layouts import Layout, draw_shown

SYSTEMS = 20
NAMES = tuple(f"s{k:02d}" for k in range(SYSTEMS))
THETA: Floats = np.linspace(1.2, -1.2, SYSTEMS)
"""Planted strengths, best first, natural-log units: neighbours are 22 Elo points apart."""

GRADES = 4
BATCHES, BATCH = 24, 100_000  # simulated ballots behind the true values of Plackett-Luce


class Scalar(NamedTuple):
    """A parameter beside the scores, on the scale on which its interval is symmetric."""

    estimate: float
    low: float
    high: float


class Truth(NamedTuple):
    """score float64[SYSTEMS] as the ranking gives them, and the other parameters by name; `error` is the
    largest Monte Carlo standard error of a score, Elo points (0: computed exactly).
    """

    score: Floats
    scalars: dict[str, float]
    error: float


class Fit(Protocol):
    """Every model of the library."""

    def fit(self, ballots: Ballots, interval: Interval | None = None, rng: Rng | None = None) -> Ranking: ...


class Case(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def model(self) -> Fit: ...
    def draw(self, layout: Layout, rng: Rng) -> Ballots: ...
    def truth(self, layout: Layout) -> Truth: ...


@dataclass(frozen=True)
class Pairs:
    """Pairwise votes from `law`.

    planted     without tastes the model's own values are the planted ones: checked
    lift        added to the planted strengths, which a ground makes matter
    graded      a vote says how strongly: its share is that of `GRADES` draws that left wins
    """

    name: str
    model: Fit
    law: PairLaw
    planted: bool = True
    lift: float = 0.0
    graded: bool = False

    def draw(self, layout: Layout, rng: Rng) -> Ballots:
        crowd = layout.draw(SYSTEMS, rng)
        shown = layout.shown(crowd, SYSTEMS, 2, rng)
        strength = crowd.strengths(THETA + self.lift, shown)
        chances = self.law(strength[:, 0], strength[:, 1])
        outcome, share = draw_outcomes(chances, rng), None
        if self.graded:
            outcome, share = np.zeros_like(outcome), rng.binomial(GRADES, chances[0]) / GRADES
        return pair_ballots(shown, outcome, share=share, voter=crowd.voter, prompt=crowd.prompt)

    def truth(self, layout: Layout) -> Truth:
        left, right = np.triu_indices(SYSTEMS, 1)
        strength = THETA + self.lift
        chances = over_tastes(self.law, strength[left], strength[right], layout.taste_sd)
        chances *= layout.pair_weights(left, right, SYSTEMS)
        shown = np.stack([left, right], axis=1)
        if self.graded:
            weight = chances.sum(axis=0)
            outcome = np.zeros(left.size, dtype=np.int64)
            ballots = pair_ballots(shown, outcome, share=chances[0] / weight, weight=weight)
        else:
            seen = [k for k in range(4) if chances[k].max() > 0]
            ballots = pair_ballots(
                np.tile(shown, (len(seen), 1)),
                np.repeat(seen, left.size),
                weight=chances[seen].reshape(-1),
            )
        found = exact_truth(self.model.fit(ballots))
        if self.planted and layout.taste_sd == 0:
            check_planted(self.name, found)
        return found


@dataclass(frozen=True)
class Contextual:
    """Pairwise votes by Davidson's law with a 0/1 property of each answer, more common the better the system,
    and an advantage of the left slot.
    """

    name: str
    model: Fit
    nu: float
    planted: bool
    gamma: float = 0.4
    position: float = 0.15

    @property
    def chance_of_property(self) -> Floats:
        return np.linspace(0.7, 0.3, SYSTEMS)

    def draw(self, layout: Layout, rng: Rng) -> Ballots:
        crowd = layout.draw(SYSTEMS, rng)
        shown = layout.shown(crowd, SYSTEMS, 2, rng)
        has = (rng.random(shown.shape) < self.chance_of_property[shown]).astype(np.float64)
        strength = crowd.strengths(THETA, shown)
        shift = self.gamma * (has[:, 0] - has[:, 1]) + self.position
        outcome = draw_outcomes(davidson(self.nu)(strength[:, 0] + shift, strength[:, 1]), rng)
        return pair_ballots(shown, outcome, has=has, voter=crowd.voter, prompt=crowd.prompt)

    def truth(self, layout: Layout) -> Truth:
        left, right = np.nonzero(~np.eye(SYSTEMS, dtype=np.bool_))
        rows = []
        for has_left in (0, 1):
            for has_right in (0, 1):
                shift = self.gamma * (has_left - has_right) + self.position
                chances = over_tastes(davidson(self.nu), THETA[left] + shift, THETA[right], layout.taste_sd)
                chances *= layout.pair_weights(left, right, SYSTEMS)
                chance = self.chance_of_property
                share = np.where(has_left, chance, 1 - chance)[left]
                share = share * np.where(has_right, chance, 1 - chance)[right]
                has = np.broadcast_to([float(has_left), float(has_right)], (left.size, 2))
                rows += [(chances[k] * share, np.full(left.size, k), has) for k in range(3)]
        ballots = pair_ballots(
            np.tile(np.stack([left, right], axis=1), (len(rows), 1)),
            np.concatenate([row[1] for row in rows]),
            weight=np.concatenate([row[0] for row in rows]),
            has=np.concatenate([row[2] for row in rows]),
        )
        found = exact_truth(self.model.fit(ballots))
        if self.planted and layout.taste_sd == 0:
            check_planted(self.name, found)
            assert abs(found.scalars["property"] - SCALE * self.gamma) < 1e-4
            assert abs(found.scalars["position"] - SCALE * self.position) < 1e-4
        return found


@dataclass(frozen=True)
class Ranked:
    """Four-way rankings by Plackett-Luce, or by Davidson-Luce with these `delta`."""

    name: str
    model: Fit
    delta: tuple[tuple[int, float], ...] = ()
    width: int = 4

    def ranks(self, strength: Floats, rng: Rng) -> Ints:
        return draw_tied_ranks(strength, dict(self.delta), rng) if self.delta else draw_ranks(strength, rng)

    def draw(self, layout: Layout, rng: Rng) -> Ballots:
        crowd = layout.draw(SYSTEMS, rng)
        shown = layout.shown(crowd, SYSTEMS, self.width, rng)
        ranks = self.ranks(crowd.strengths(THETA, shown), rng)
        return ranking_ballots(shown, ranks, voter=crowd.voter, prompt=crowd.prompt)

    def truth(self, layout: Layout) -> Truth:
        """Without tastes the planted values. With tastes the mean of fits to batches of ballots that share no
        voter, whose Monte Carlo error is returned.
        """
        if layout.taste_sd == 0:
            planted = {f"delta_{size}": float(np.log(value)) for size, value in self.delta}
            return Truth(1000.0 + SCALE * THETA, planted, 0.0)
        if isinstance(self.model, BradleyTerry):  # a pair's marginal law is Bradley-Terry's, averaged
            return Pairs(self.name, self.model, davidson(0.0)).truth(layout)
        if layout.newcomer:
            raise NotImplementedError("the true values of rankings assume that all systems are met alike")
        rng = np.random.default_rng(20260)
        found = []
        for _ in range(BATCHES):
            shown = draw_shown(BATCH, SYSTEMS, self.width, rng)
            strength = THETA[shown] + rng.normal(0.0, layout.taste_sd, shown.shape)
            found.append(exact_truth(self.model.fit(ranking_ballots(shown, self.ranks(strength, rng)))))
        scores = np.stack([truth.score for truth in found])
        scalars = {
            name: float(np.mean([truth.scalars[name] for truth in found])) for name in found[0].scalars
        }
        error = float((scores.std(axis=0, ddof=1) / BATCHES**0.5).max())
        return Truth(scores.mean(axis=0), scalars, error)


def pair_ballots(shown: Ints, outcome: Ints, *, has: Floats | None = None, **columns: Any) -> Ballots:
    if has is not None:
        columns |= {"features": has.reshape(-1, 1), "feature_names": ("property",)}
    return Ballots.from_pair_columns(
        items=NAMES, first=shown[:, 0], second=shown[:, 1], outcome=outcome, **columns
    )


def ranking_ballots(shown: Ints, ranks: Ints, **columns: Any) -> Ballots:
    count, width = shown.shape
    return Ballots.from_columns(
        items=NAMES,
        offsets=np.arange(0, count * width + 1, width),
        slot_item=shown.reshape(-1),
        slot_rank=ranks.reshape(-1),
        **columns,
    )


def exact_truth(ranking: Ranking) -> Truth:
    score = np.array([ranking[name].score for name in NAMES], dtype=np.float64)
    return Truth(score, {name: scalar.estimate for name, scalar in scalars_of(ranking).items()}, 0.0)


def check_planted(name: str, truth: Truth) -> None:
    """The fit to the exact chances of the model's own law must give the planted strengths back."""
    off = float(np.abs(truth.score - 1000.0 - SCALE * THETA).max())
    if off > 1e-4:
        raise AssertionError(f"{name}: fitted to its own law it misses the planted scores by {off:.3g} Elo")


_INTERNAL: dict[tuple[str, bool], Callable[[float], float]] = {
    ("nu", False): lambda value: float(np.log(value)),
    ("phi", False): lambda value: float(np.log(value**2 - 1)),
    ("alpha", False): lambda value: float(np.log(np.expm1(2 * value))),
    ("phi", True): lambda value: float(np.log(value - 1)),
}


def scalars_of(ranking: Ranking) -> dict[str, Scalar]:
    """Tie parameters (by the logarithm in which their interval is symmetric), the ground and the coefficients
    of covariates (Elo points per unit), NaN for bounds that were not asked for.
    """
    facts, found = ranking.diagnostics, {}
    ground = facts.get("ground")
    if ground:
        found["ground"] = _scalar(ground["score"], ground["low"], ground["high"])
    tie = facts.get("tie_parameter")
    if tie:
        internal = _INTERNAL[tie["name"], bool(ground)]
        bounds = (None if tie[end] is None else internal(tie[end]) for end in ("low", "high"))
        found[tie["name"]] = _scalar(internal(tie["estimate"]), *bounds)
    for row in facts.get("tie_parameters", ()):
        values = (None if row[end] is None else float(np.log(row[end])) for end in ("delta", "low", "high"))
        found[f"delta_{row['size']}"] = _scalar(*values)
    for row in facts.get("covariates", ()):
        values = (None if row[end] is None else row[end] / row["sd"] for end in ("elo_per_sd", "low", "high"))
        found[row["name"]] = _scalar(*values)
    return found


def _scalar(*values: float | None) -> Scalar:
    return Scalar(*(float("nan") if value is None else value for value in values))


NU, PHI = 0.8, 1.8


def all_cases() -> dict[str, Case]:
    """By name; about a quarter of the votes are ties wherever the law knows ties."""
    contextual = ContextualBradleyTerry(covariates=("property",), contrast="difference", position=True)
    cases: list[Case] = [
        Pairs("half", BradleyTerry(), davidson(NU), planted=False),
        Pairs("ignore", BradleyTerry(ties="ignore"), davidson(NU)),
        Pairs("davidson", BradleyTerry(ties="davidson"), davidson(NU)),
        Pairs("rao-kupper", BradleyTerry(ties="rao-kupper"), rao_kupper(PHI)),
        Pairs("tobt", BradleyTerry(ties="tobt"), rao_kupper(float(np.exp(0.5)))),
        Pairs("grounded", BradleyTerry(ties="rao-kupper", both_bad="grounded"), grounded(PHI), lift=0.8),
        Pairs("flip-rate", BradleyTerry(flip_rate=0.05), flipped(davidson(0.0), 0.05)),
        Pairs("graded", BradleyTerry(), davidson(0.0), graded=True),
        Ranked("half-of-rankings", BradleyTerry()),
        Ranked("plackett-luce", PlackettLuce()),
        Ranked("plackett-luce-ties", PlackettLuce(), ((2, 0.5), (3, 0.3))),
        Contextual("contextual-half", contextual, NU, planted=False),
        Contextual("contextual-davidson", replace(contextual, ties="davidson"), NU, planted=True),
        Pairs("win-rate", Counting(), davidson(NU), planted=False),
    ]
    return {case.name: case for case in cases}

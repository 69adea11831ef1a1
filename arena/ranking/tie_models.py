"""Likelihoods of a compared pair that can end in a tie, with their derivatives. They know weights of pairs
and never a ballot.

Every model has natural-log strengths `theta` and one tie parameter, kept as an unbounded number `beta`;
beta = -inf means that ties are impossible, which leaves plain Bradley-Terry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from scipy.special import expit, log_expit

from arena.ranking.arrays import Floats
from arena.ranking.counts import FIRST_WON, SECOND_WON, TIED


class Curvature(NamedTuple):
    """float64[P] each: the entries of every pair's negative Hessian in (theta_first, theta_second, beta)."""

    aa: Floats
    bb: Floats
    ab: Floats
    at: Floats
    bt: Floats
    tt: Floats


class Slopes(NamedTuple):
    """float64[O, P] each: derivatives of log P(outcome) by theta_first, theta_second and beta."""

    a: Floats
    b: Floats
    t: Floats


class TieModel(Protocol):
    """One likelihood; `a`, `b` are float64[P] strengths and `weight` float64[O, P] outcome weights."""

    @property
    def name(self) -> str: ...
    @property
    def parameter(self) -> str: ...
    @property
    def is_grounded(self) -> bool: ...

    def log_likelihood(self, a: Floats, b: Floats, beta: float, weight: Floats) -> float: ...
    def slopes(self, a: Floats, b: Floats, beta: float) -> Slopes: ...
    def chances(self, a: Floats, b: Floats, beta: float) -> Floats: ...
    def information(self, a: Floats, b: Floats, beta: float, weight: Floats) -> Curvature: ...
    def published(self, beta: float) -> float: ...
    def internal(self, value: float) -> float: ...
    def tie_share(self, beta: float) -> float | None: ...


def mean_squares(model: TieModel, a: Floats, b: Floats, beta: float) -> Slopes:
    """float64[P] each: the expected squares of a pair's slopes, its information on each of the three."""
    chance, slopes = model.chances(a, b, beta), model.slopes(a, b, beta)
    return Slopes(*((chance * rows**2).sum(axis=0) for rows in slopes))


@dataclass(frozen=True)
class Davidson:
    """P(i beats j) : P(j beats i) : P(tie) = pi_i : pi_j : nu * sqrt(pi_i * pi_j), pi = exp(theta)
    (Davidson 1970, JASA 65:317-328). beta = ln nu; the log-likelihood is concave in (theta, beta).
    """

    name: str = "davidson"
    parameter: str = "nu"
    is_grounded: bool = False

    def log_likelihood(self, a: Floats, b: Floats, beta: float, weight: Floats) -> float:
        half = 0.5 * (a - b)
        largest = np.maximum(np.abs(half), beta)  # three exponentials take half the time of two logaddexp
        total = np.exp(half - largest) + np.exp(-half - largest) + np.exp(beta - largest)
        total = largest + np.log(total)
        value = (weight[FIRST_WON] - weight[SECOND_WON]) @ half - weight.sum(axis=0) @ total
        return float(value) + _times(float(weight[TIED].sum()), beta)

    def slopes(self, a: Floats, b: Floats, beta: float) -> Slopes:
        won, lost, tied = _davidson(a, b, beta)
        lead = 0.5 * (won - lost)
        by_a = np.stack([0.5 - lead, -0.5 - lead, -lead])
        return Slopes(by_a, -by_a, np.stack([-tied, -tied, 1.0 - tied]))

    def chances(self, a: Floats, b: Floats, beta: float) -> Floats:
        """float64[3, P], of each outcome."""
        return np.stack(_davidson(a, b, beta))

    def information(self, a: Floats, b: Floats, beta: float, weight: Floats) -> Curvature:
        won, lost, tied = _davidson(a, b, beta)
        total, lead = weight.sum(axis=0), 0.5 * (won - lost)
        dd = total * (0.25 * (won + lost) - lead**2)
        dt = -total * lead * tied
        return Curvature(dd, dd, -dd, dt, -dt, total * tied * (1.0 - tied))

    def published(self, beta: float) -> float:
        return _exp(beta)

    def internal(self, value: float) -> float:
        return math.log(value)

    def tie_share(self, beta: float) -> float | None:
        return float(expit(beta - math.log(2.0)))


@dataclass(frozen=True)
class RaoKupper:
    """P(i beats j) = pi_i / (pi_i + phi * pi_j), P(tie) = (phi^2 - 1) pi_i pi_j / ((pi_i + phi pi_j)
    (pi_j + phi pi_i)), phi >= 1 (Rao & Kupper 1967, JASA 62:194-204).

    beta = ln(phi^2 - 1), in which the log-likelihood is concave together with theta.
    """

    name: str = "rao-kupper"
    parameter: str = "phi"
    is_grounded: bool = False

    def log_likelihood(self, a: Floats, b: Floats, beta: float, weight: Floats) -> float:
        eta, gap = _softplus(beta) / 2.0, a - b
        ahead, behind = weight[FIRST_WON] + weight[TIED], weight[SECOND_WON] + weight[TIED]
        value = ahead @ log_expit(gap - eta) + behind @ log_expit(-gap - eta)
        return float(value) + _times(float(weight[TIED].sum()), beta)

    def slopes(self, a: Floats, b: Floats, beta: float) -> Slopes:
        eta, slope = _softplus(beta) / 2.0, 0.5 * float(expit(beta))
        up, down = expit(eta - (a - b)), expit(eta + (a - b))
        by_a = np.stack([up, -down, up - down])
        by_t = np.stack([-slope * up, -slope * down, 1.0 - slope * (up + down)])
        return Slopes(by_a, -by_a, by_t)

    def chances(self, a: Floats, b: Floats, beta: float) -> Floats:
        """float64[3, P], of each outcome."""
        eta = _softplus(beta) / 2.0
        won, lost = expit(a - b - eta), expit(b - a - eta)
        return np.stack([won, lost, np.maximum(1.0 - won - lost, 0.0)])

    def information(self, a: Floats, b: Floats, beta: float, weight: Floats) -> Curvature:
        share = float(expit(beta))
        eta, slope, bend = _softplus(beta) / 2.0, 0.5 * share, 0.5 * share * (1.0 - share)
        up, down = expit(eta - (a - b)), expit(eta + (a - b))
        ahead, behind = weight[FIRST_WON] + weight[TIED], weight[SECOND_WON] + weight[TIED]
        first, second = ahead * up * (1.0 - up), behind * down * (1.0 - down)
        dd, dt = first + second, slope * (second - first)
        tt = slope**2 * dd + bend * (ahead * up + behind * down)
        return Curvature(dd, dd, -dd, dt, -dt, tt)

    def published(self, beta: float) -> float:
        return _exp(_softplus(beta) / 2.0)

    def internal(self, value: float) -> float:
        return math.log(value**2 - 1.0)

    def tie_share(self, beta: float) -> float | None:
        return math.tanh(_softplus(beta) / 4.0)


@dataclass(frozen=True)
class Tobt(RaoKupper):
    """The tie-oriented Bradley-Terry model of TODO (Guo et al. 2024, arXiv:2411.02442): Rao-Kupper's
    probabilities with phi = exp(alpha), published as alpha, which there is set by hand (0.5) and here is
    fitted unless it is given.
    """

    name: str = "tobt"
    parameter: str = "alpha"

    def published(self, beta: float) -> float:
        return _softplus(beta) / 2.0

    def internal(self, value: float) -> float:
        return math.log(math.expm1(2.0 * value))


@dataclass(frozen=True)
class GroundedRaoKupper:
    """Ties and "both bad" apart: P(i beats j) = pi_i / (pi_i + phi pi_j + 1), P(both bad) = 1 / (1 + pi_i +
    pi_j), P(tie) = the rest, phi = exp(beta) + 1 (loss "bag" of Prompt-to-Leaderboard, Frick et al. 2025,
    arXiv:2502.14855). theta = 0 is the absolute line of usefulness.

    With S = 1 + pi_i + pi_j, D_i = pi_i + phi pi_j + 1, D_j alike, the rest is (phi - 1) pi_i pi_j
    (D_i + D_j) / (S D_i D_j), which loses no digits to cancellation.
    """

    name: str = "rao-kupper"
    parameter: str = "phi"
    is_grounded: bool = True

    def log_likelihood(self, a: Floats, b: Floats, beta: float, weight: Floats) -> float:
        lift, both = _softplus(beta), _log_two_plus(beta)
        nil = np.zeros_like(a)
        ground = np.logaddexp(np.logaddexp(a, b), nil)
        first = np.logaddexp(np.logaddexp(a, b + lift), nil)
        second = np.logaddexp(np.logaddexp(a + lift, b), nil)
        either = np.logaddexp(np.logaddexp(a, b) + both, math.log(2.0))
        won, lost, tied, bad = weight
        value = won @ (a - first) + lost @ (b - second) - bad @ ground
        value += tied @ (a + b - ground - first - second + either)
        return float(value) + _times(float(tied.sum()), beta)

    def slopes(self, a: Floats, b: Floats, beta: float) -> Slopes:
        parts = _Grounded.at(a, b, beta)
        one, nil = np.ones_like(a), np.zeros_like(a)
        ground, first, second, either = parts.ground, parts.first, parts.second, parts.either
        return Slopes(
            np.stack(
                [
                    1.0 - first[0],
                    -second[0],
                    1.0 - ground[0] - first[0] - second[0] + either[0],
                    -ground[0],
                ]
            ),
            np.stack(
                [
                    -first[1],
                    1.0 - second[1],
                    1.0 - ground[1] - first[1] - second[1] + either[1],
                    -ground[1],
                ]
            ),
            np.stack(
                [
                    -parts.lift * first[1],
                    -parts.lift * second[0],
                    one - parts.lift * (first[1] + second[0]) + parts.both * (either[0] + either[1]),
                    nil,
                ]
            ),
        )

    def chances(self, a: Floats, b: Floats, beta: float) -> Floats:
        """float64[4, P], of each outcome."""
        parts = _Grounded.at(a, b, beta)
        won, lost = parts.first[0], parts.second[1]
        bad = np.maximum(1.0 - parts.ground[0] - parts.ground[1], 0.0)
        return np.stack([won, lost, np.maximum(1.0 - won - lost - bad, 0.0), bad])

    def information(self, a: Floats, b: Floats, beta: float, weight: Floats) -> Curvature:
        parts = _Grounded.at(a, b, beta)
        won, lost, tied, bad = weight
        total = np.zeros((6, a.size))
        for share, (x, y), (jump_a, jump_b), slope in (
            (tied + bad, parts.ground, (0.0, 0.0), 0.0),
            (won + tied, parts.first, (0.0, 1.0), parts.lift),
            (lost + tied, parts.second, (1.0, 0.0), parts.lift),
            (-tied, parts.either, (1.0, 1.0), parts.both),
        ):
            moved = jump_a * x + jump_b * y
            total += share * np.stack(
                [
                    x * (1.0 - x),
                    y * (1.0 - y),
                    -x * y,
                    slope * x * (jump_a - moved),
                    slope * y * (jump_b - moved),
                    slope**2 * moved * (1.0 - moved) + slope * (1.0 - slope) * moved,
                ]
            )
        return Curvature(*total)

    def published(self, beta: float) -> float:
        return 1.0 + _exp(beta)

    def internal(self, value: float) -> float:
        return math.log(value - 1.0)

    def tie_share(self, beta: float) -> float | None:
        return None  # depends on how far the two are above the ground


class _Grounded(NamedTuple):
    """Shares of pi_i and pi_j in each of the four sums, and the derivatives of their shifts by beta."""

    ground: tuple[Floats, Floats]
    first: tuple[Floats, Floats]
    second: tuple[Floats, Floats]
    either: tuple[Floats, Floats]
    lift: float
    both: float

    @classmethod
    def at(cls, a: Floats, b: Floats, beta: float) -> _Grounded:
        lift, both = _softplus(beta), _log_two_plus(beta)
        return cls(
            _shares(a, b, 0.0),
            _shares(a, b + lift, 0.0),
            _shares(a + lift, b, 0.0),
            _shares(a + both, b + both, math.log(2.0)),
            float(expit(beta)),
            float(expit(beta - math.log(2.0))),
        )


def _shares(x: Floats, y: Floats, rest: float) -> tuple[Floats, Floats]:
    total = np.logaddexp(np.logaddexp(x, y), rest)
    return np.exp(x - total), np.exp(y - total)


def _davidson(a: Floats, b: Floats, beta: float) -> tuple[Floats, Floats, Floats]:
    half = 0.5 * (a - b)
    nearest = np.maximum(np.abs(half), beta)
    won, lost, tied = np.exp(half - nearest), np.exp(-half - nearest), np.exp(beta - nearest)
    total = won + lost + tied
    return won / total, lost / total, tied / total


def _softplus(beta: float) -> float:
    return float(np.logaddexp(0.0, beta))


def _log_two_plus(beta: float) -> float:
    return float(np.logaddexp(math.log(2.0), beta))


def _times(weight: float, beta: float) -> float:
    """weight * beta, where no weight makes even an infinite beta vanish."""
    return weight * beta if weight else 0.0


def _exp(value: float) -> float:
    return math.exp(value) if value < 709.0 else math.inf

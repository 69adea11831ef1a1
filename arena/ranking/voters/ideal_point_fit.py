"""Maximise the likelihood of voters who mix a few prototype boards, their weights summed out, by L-BFGS to a
small gradient or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize
from scipy.special import gammaln

from arena.ranking.arrays import Floats, Ints
from arena.ranking.errors import InvalidSetting, LengthMismatch, NotConverged
from arena.ranking.voters.voter_table import Place, VoterTable

TOLERANCE = 1e-6
"""Largest derivative allowed, by any parameter, as a share of the weight of all comparisons; parameters are
of the order of 1.
"""

MAX_STEPS = 3000
_FIRST_SCALE = 0.25


@dataclass(frozen=True, eq=False)
class Mixes:
    """The mixes of K prototypes that a voter can hold, S in all.

    weight      float64[S, K], all rows of multiples of 1 / steps that sum to 1
    log_prior   float64[S], ln of their probabilities
    """

    weight: Floats
    log_prior: Floats

    @classmethod
    def of(cls, prototypes: int, steps: int, concentration: float) -> Mixes:
        """With the symmetric Dirichlet-multinomial prior, which for many steps is the Dirichlet."""
        bars = combinations(range(steps + prototypes - 1), prototypes - 1)
        ends = np.array([(-1, *bar, steps + prototypes - 1) for bar in bars])
        count = np.diff(ends, axis=1) - 1.0
        whole = prototypes * concentration
        log_prior = (gammaln(count + concentration) - gammaln(count + 1.0) - gammaln(concentration)).sum(
            axis=1
        )
        log_prior += gammaln(steps + 1.0) + gammaln(whole) - gammaln(steps + whole)
        return cls(count / steps, log_prior)


class Boards(Protocol):
    """How K boards of n items come from one vector of parameters."""

    def theta(self, parameter: Floats) -> Floats:
        """float64[K, n] natural-log strengths."""
        ...

    def pulled_back(self, parameter: Floats, by_theta: Floats) -> Floats:
        """The derivative by the parameters, from that by theta."""
        ...

    def near(self, theta: Floats) -> Floats:
        """Parameters of boards about like these."""
        ...

    def reordered(self, parameter: Floats, order: Ints) -> Floats:
        """The parameters with the prototypes in another order."""
        ...

    def position(self, parameter: Floats) -> Floats | None:
        """float64[K, d], where the prototypes lie among the features."""
        ...

    def scale(self, parameter: Floats) -> float | None:
        """s, by which squared distances count."""
        ...


@dataclass(frozen=True)
class FreeBoards:
    """Every strength is a parameter."""

    prototypes: int
    n_items: int

    def theta(self, parameter: Floats) -> Floats:
        return parameter.reshape(self.prototypes, self.n_items)

    def pulled_back(self, parameter: Floats, by_theta: Floats) -> Floats:
        return by_theta.ravel()

    def near(self, theta: Floats) -> Floats:
        return theta.ravel()

    def reordered(self, parameter: Floats, order: Ints) -> Floats:
        return self.theta(parameter)[order].ravel()

    def position(self, parameter: Floats) -> Floats | None:
        return None

    def scale(self, parameter: Floats) -> float | None:
        return None


@dataclass(frozen=True, eq=False)
class PointBoards:
    """theta_k(i) = -s |f_i - z_k|^2 up to a shift, = 2 s z_k f_i - s |f_i|^2; the parameters are 2 s z_k and
    ln s, in units of the features.

    feature         float64[n, d], centred and divided by `unit`
    """

    prototypes: int
    feature: Floats
    centre: Floats
    unit: float

    @classmethod
    def of(cls, prototypes: int, n_items: int, features: ArrayLike) -> PointBoards:
        """Raises LengthMismatch, and InvalidSetting for features that are not finite or all alike."""
        given = np.asarray(features, dtype=np.float64)
        if given.ndim != 2 or given.shape[0] != n_items or not given.size:
            raise LengthMismatch(f"features must be [{n_items} items, d], not {given.shape}")
        if not np.isfinite(given).all():
            raise InvalidSetting("features must be finite")
        centre = given.mean(axis=0)
        unit = float(np.sqrt(((given - centre) ** 2).mean()))
        if unit == 0.0:
            raise InvalidSetting("all items have the same features")
        return cls(prototypes, (given - centre) / unit, centre, unit)

    def theta(self, parameter: Floats) -> Floats:
        slope, scale = self._parts(parameter)
        board: Floats = slope @ self.feature.T - scale * (self.feature**2).sum(axis=1)
        return board

    def pulled_back(self, parameter: Floats, by_theta: Floats) -> Floats:
        _, scale = self._parts(parameter)
        by_log_scale = -scale * (by_theta @ (self.feature**2).sum(axis=1)).sum()
        return np.append((by_theta @ self.feature).ravel(), by_log_scale)

    def near(self, theta: Floats) -> Floats:
        wanted = theta + _FIRST_SCALE * (self.feature**2).sum(axis=1)
        wanted = wanted - wanted.mean(axis=1, keepdims=True)
        slope = np.linalg.lstsq(self.feature, wanted.T)[0].T
        return np.append(slope.ravel(), np.log(_FIRST_SCALE))

    def reordered(self, parameter: Floats, order: Ints) -> Floats:
        slope, _ = self._parts(parameter)
        return np.append(slope[order].ravel(), parameter[-1])

    def position(self, parameter: Floats) -> Floats | None:
        slope, scale = self._parts(parameter)
        return self.centre + self.unit * slope / (2.0 * scale)

    def scale(self, parameter: Floats) -> float | None:
        return self._parts(parameter)[1] / self.unit**2

    def _parts(self, parameter: Floats) -> tuple[Floats, float]:
        return parameter[:-1].reshape(self.prototypes, -1), float(np.exp(parameter[-1]))


class PointFit(NamedTuple):
    """The objective and its gradient at some parameters, and where the voters stand: a membership per mix."""

    parameter: Floats
    place: Place
    objective: float
    gradient: Floats
    gradient_norm: float


@dataclass(frozen=True, eq=False)
class PointProblem:
    """What is maximised: sum over voters of times * ln sum over mixes of prior * product of P(vote), plus
    `prior` drawn battles on every observed pair of every prototype.
    """

    table: VoterTable
    times: Floats
    mixes: Mixes
    boards: Boards
    prior: float

    def at(self, parameter: Floats) -> PointFit:
        """By Fisher's identity the gradient is that of the tables weighted by the memberships."""
        table, pairs, half = self.table, self.table.first.size, 0.5 * self.prior
        theta = self.boards.theta(parameter)
        chances = table.log_chances(self.mixes.weight @ theta)
        found = table.place(chances, self.mixes.log_prior)
        cells = table.won.T @ (found.membership * self.times[:, None])
        surplus = cells[:pairs] - (cells[:pairs] + cells[pairs:]) * np.exp(chances[:pairs])
        of_boards = table.log_chances(theta)
        drawn = half - self.prior * np.exp(of_boards[:pairs])
        by_theta = (table.incidence @ (surplus @ self.mixes.weight + drawn)).T
        gradient = self.boards.pulled_back(parameter, by_theta)
        return PointFit(
            parameter,
            found,
            float(self.times @ found.log_likelihood) + half * float(of_boards.sum()),
            gradient,
            float(np.max(np.abs(gradient), initial=0.0)) / max(float(table.won.sum()), 1.0),
        )

    def share(self, fit: PointFit) -> Floats:
        """float64[K], mean weight of the voters on each prototype."""
        share: Floats = self.times @ fit.place.membership @ self.mixes.weight
        return share / max(float(self.times.sum()), 1.0)


def some_steps(problem: PointProblem, start: Floats, tolerance: float, max_steps: int) -> PointFit:
    """At most so many steps of L-BFGS; fewer if the gradient is small before."""

    def falling(parameter: Floats) -> tuple[float, Floats]:
        here = problem.at(parameter)
        return -here.objective, -here.gradient

    enough = tolerance * max(float(problem.table.won.sum()), 1.0)
    found = optimize.minimize(
        falling,
        start,
        jac=True,
        method="L-BFGS-B",
        options={
            "maxiter": max_steps,
            "maxfun": 2 * max_steps,
            "maxcor": 30,
            "ftol": 0.0,
            "gtol": 0.5 * enough,
        },
    )
    return problem.at(found.x)


def climb(problem: PointProblem, start: Floats, *, tolerance: float = TOLERANCE) -> PointFit:
    """The maximum near `start`. Raises NotConverged."""
    fit = some_steps(problem, start, tolerance, MAX_STEPS)
    if not fit.gradient_norm <= tolerance:
        raise NotConverged(
            f"derivative per comparison {fit.gradient_norm:.3g} after {MAX_STEPS} steps of L-BFGS, "
            f"wanted {tolerance:.3g}"
        )
    return fit

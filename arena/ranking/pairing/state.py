"""What a pairing rule may read: meetings, wins, strengths, their uncertainty, embeddings. It fits nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from arena.ranking.arrays import Floats
from arena.ranking.errors import IncompleteState, InvalidPlan, InvalidSetting
from arena.ranking.pairing.draw import square
from arena.ranking.result import SCALE, Ranking

_UNBOUNDED = 100.0  # variance, in units of the prior's, of a score on which the votes set no bound


@dataclass(frozen=True, eq=False)
class State:
    """One arena at one moment.

    items       n names, unique
    met         float64[n, n], symmetric: how often two systems met
    pull        float64[n], how readily a system is drawn; 0 = never (an outage), above 1 = boosted; None = 1
    won         float64[n, n], votes of the row against the column, a tie half to each; or None
    theta       float64[n], strengths in natural-log units (Elo points / 173.7); or None
    covariance  float64[n, n] of `theta`, same units squared; or None
    embedding   float64[n, d], one vector for each system's response to the prompt at hand; or None

    A rule that needs a part which is None raises IncompleteState. Raises InvalidPlan for wrong shapes or
    numbers that are not finite.
    """

    items: tuple[str, ...]
    met: Floats
    pull: Floats | None = None
    won: Floats | None = None
    theta: Floats | None = None
    covariance: Floats | None = None
    embedding: Floats | None = None

    def __post_init__(self) -> None:
        n = len(self.items)
        if len(set(self.items)) != n:
            raise InvalidPlan("a system is listed twice")
        met = square(self.met, n)
        if not np.array_equal(met, met.T):
            raise InvalidPlan("meetings must be symmetric")
        object.__setattr__(self, "met", met)
        pull = np.ones(n) if self.pull is None else np.asarray(self.pull, dtype=np.float64)
        if pull.shape != (n,) or not np.isfinite(pull).all() or (pull < 0).any():
            raise InvalidPlan("pull must be one finite number of 0 or more for each system")
        object.__setattr__(self, "pull", pull)
        if self.won is not None:
            object.__setattr__(self, "won", square(self.won, n))
        shapes = {"theta": (n,), "covariance": (n, n)}
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value is not None and (np.shape(value) != shape or not np.isfinite(value).all()):
                raise InvalidPlan(f"{name} must be {shape} finite numbers")
        vectors = self.embedding
        if vectors is not None and (
            vectors.ndim != 2 or len(vectors) != n or not np.isfinite(vectors).all() or not _all_long(vectors)
        ):
            raise InvalidPlan(f"embedding must be {n} finite vectors, none of them 0")

    @cached_property
    def ready(self) -> Floats:
        """float64[n], `pull` with 1 where none was given."""
        return np.asarray(self.pull, dtype=np.float64)

    def need_won(self) -> Floats:
        """`won`. This and the next ones raise IncompleteState where it is None."""
        return _needed("won", self.won)

    def need_theta(self) -> Floats:
        """`theta`."""
        return _needed("theta", self.theta)

    def need_covariance(self) -> Floats:
        """`covariance`."""
        return _needed("covariance", self.covariance)

    def need_embedding(self) -> Floats:
        """`embedding`."""
        return _needed("embedding", self.embedding)

    @cached_property
    def gap(self) -> Floats:
        """float64[n, n], theta of the row minus theta of the column."""
        theta = self.need_theta()
        return np.subtract.outer(theta, theta)

    @cached_property
    def gap_variance(self) -> Floats:
        """float64[n, n], variance of `gap`, not negative."""
        covariance = self.need_covariance()
        own = np.diag(covariance)
        return np.maximum(np.add.outer(own, own) - 2.0 * covariance, 0.0)

    @classmethod
    def from_ranking(
        cls,
        items: tuple[str, ...],
        ranking: Ranking,
        met: Floats,
        *,
        pull: Floats | None = None,
        won: Floats | None = None,
        embedding: Floats | None = None,
        prior_sd: float = 2.0,
    ) -> State:
        """Strengths and covariance from a board fitted with an interval, tempered by a prior.

        The board's scores s with covariance V are read as a Gaussian likelihood and joined with a prior
        N(0, prior_sd^2) (natural-log units, centred per component): mean t2 (V + t2 I)^-1 s, covariance
        t2 I - t2^2 (V + t2 I)^-1, t2 = prior_sd^2. So a system without a ballot is wide open, not unknown,
        and one without bounds keeps a finite spread.

        Raises IncompleteState for a board without an interval, InvalidSetting (prior_sd).
        """
        if not prior_sd > 0:
            raise InvalidSetting(f"prior_sd must be above 0, not {prior_sd}")
        spread = ranking.covariance
        if spread is None:
            raise IncompleteState("the board was fitted without an interval: its covariance is needed")
        tau2, n = prior_sd**2, len(items)
        theta, covariance = np.zeros(n), tau2 * np.eye(n)
        places: dict[int, list[int]] = {}
        rows = {rating.item: rating for rating in ranking.ratings}
        for place, item in enumerate(items):
            row = rows.get(item)  # a system may be newer than the board
            if row is not None and row.score is not None and row.component is not None:
                places.setdefault(row.component, []).append(place)
        for members in places.values():
            found = [rows[items[place]] for place in members]
            scores = np.array([rating.score for rating in found], dtype=np.float64) / SCALE
            where = [spread.position[rating.item] for rating in found]
            unbounded = [rating.low == -np.inf and rating.high == np.inf for rating in found]
            V = spread.matrix[np.ix_(where, where)] / SCALE**2 + np.diag(
                _UNBOUNDED * tau2 * np.array(unbounded)
            )
            kept = tau2 * np.linalg.inv(V + tau2 * np.eye(len(members)))
            theta[members] = kept @ (scores - scores.mean())
            covariance[np.ix_(members, members)] = tau2 * (np.eye(len(members)) - kept)
        return cls(items, met, pull, won, theta, (covariance + covariance.T) / 2.0, embedding)


def _needed(name: str, value: Floats | None) -> Floats:
    if value is None:
        raise IncompleteState(f"this rule reads {name}, and the state has none")
    return np.asarray(value, dtype=np.float64)


def _all_long(vectors: Floats) -> bool:
    return bool((np.linalg.norm(vectors, axis=1) > 0).all())

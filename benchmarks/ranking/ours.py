"""Cases of this library. `Ballots`, which keep one integer code a pair, are built beforehand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from arena.ranking import Ballots, Bootstrap, BradleyTerry, PlackettLuce, Ranking, Sandwich
from arena.ranking.intervals import Interval
from arena.ranking.joint import rank_draws
from benchmarks.ranking.measure import Case, Found
from benchmarks.ranking.votes import Rankings, Votes, names_of

REPLICATES = 100
DRAWS = 1000
_SEED = 1


def ballots_of(votes: Votes) -> Ballots:
    return Ballots.from_pair_columns(
        items=names_of(votes.systems),
        first=votes.first,
        second=votes.second,
        outcome=votes.outcome,
        voter=votes.voter,
    )


def fit(votes: Votes, ties: str = "half", interval: Interval | None = None) -> Case:
    ballots, model = ballots_of(votes), BradleyTerry(ties=ties)  # type: ignore[arg-type]
    return Case(
        lambda: model.fit(ballots, interval=interval, rng=np.random.default_rng(_SEED)),
        lambda found: read(found, votes.systems),
    )


def sandwich(votes: Votes, cluster: str = "ballot", ties: str = "half") -> Case:
    return fit(votes, ties, Sandwich(cluster=cluster))  # type: ignore[arg-type]


def bootstrap(votes: Votes, cluster: str = "ballot", ties: str = "half") -> Case:
    return fit(votes, ties, Bootstrap(cluster=cluster, replicates=REPLICATES))  # type: ignore[arg-type]


def draws(votes: Votes) -> Case:
    """Rank draws alone, from a fitted board."""
    ranking = BradleyTerry().fit(ballots_of(votes), interval=Sandwich())
    return Case(lambda: rank_draws(ranking, np.random.default_rng(_SEED), draws=DRAWS))


def sandwich_draws(votes: Votes) -> Case:
    """From the votes: fit, sandwich, rank draws."""
    ballots = ballots_of(votes)

    def work() -> object:
        ranking = BradleyTerry().fit(ballots, interval=Sandwich())
        return rank_draws(ranking, np.random.default_rng(_SEED), draws=DRAWS)

    return Case(work)


def statistics(votes: Votes) -> Case:
    """Our counting pass, from `Ballots` to the table of pairs."""
    ballots, model = ballots_of(votes), BradleyTerry()
    return Case(lambda: model.statistics(ballots))


def statistics_fit(votes: Votes) -> Case:
    """The rest of a fit, from the table of pairs."""
    model = BradleyTerry()
    kept = model.statistics(ballots_of(votes))
    return Case(lambda: model.fit_statistics(kept), lambda found: read(found, votes.systems))


def build(votes: Votes) -> Case:
    """The container itself, from the votes' columns: outside the clock of every other case."""
    return Case(lambda: ballots_of(votes))


def count(votes: Votes) -> Case:
    """The least that any fit must do: numpy's count of the votes' columns into 3 n^2 cells."""
    return Case(lambda: cells_of(votes))


def cells_of(votes: Votes) -> np.ndarray:
    """int64[n, n, 3] by first, second, outcome."""
    n = votes.systems
    key = (votes.first.astype(np.int64) * n + votes.second) * 3 + votes.outcome
    return np.bincount(key, minlength=3 * n * n).reshape(n, n, 3)


def won_of(cells: np.ndarray) -> np.ndarray:
    """float64[n, n], wins of the row over the column, ties as half."""
    tied = cells[:, :, 2] + cells[:, :, 2].T
    won: np.ndarray = cells[:, :, 0] + cells[:, :, 1].T + 0.5 * tied
    return won


def floor(votes: Votes) -> Case:
    """The least that 100 full refits must do, in numpy: 16 random bits and one look-up for every non-zero
    cell, then four rounds of one division a pair. No sums, no exponentials, no solving.
    """
    won = won_of(cells_of(votes))
    pairs = int(np.count_nonzero(np.triu((won + won.T) > 0, 1)))
    tied = votes.outcome == 2
    left, right = np.minimum(votes.first, votes.second)[tied], np.maximum(votes.first, votes.second)[tied]
    ties = np.unique(left.astype(np.int64) * votes.systems + right).size
    decided = votes.outcome < 2
    winner = np.where(votes.outcome == 0, votes.first, votes.second)[decided].astype(np.int64)
    loser = np.where(votes.outcome == 0, votes.second, votes.first)[decided]
    drawn = ties + np.unique(winner * votes.systems + loser).size
    table = np.arange(1 << 16, dtype=np.uint8)
    total, share = np.ones(pairs), np.full(pairs, 1.5)
    rng = np.random.default_rng(_SEED)

    def work() -> None:
        for _ in range(REPLICATES):
            table.take(np.frombuffer(rng.bytes(2 * drawn), dtype="<u2"))
            for _ in range(4):
                np.divide(total, share, out=total)
            total.fill(1.0)

    return Case(work)


def rankings(ranked: Rankings, interval: Interval | None = None) -> Case:
    ballots, model = ranking_ballots(ranked), PlackettLuce()
    return Case(lambda: model.fit(ballots, interval=interval), lambda found: read(found, ranked.systems))


def rankings_sandwich(ranked: Rankings) -> Case:
    return rankings(ranked, Sandwich())


def ranking_ballots(ranked: Rankings) -> Ballots:
    count, k = ranked.shown.shape
    return Ballots.from_columns(
        items=names_of(ranked.systems),
        offsets=np.arange(0, count * k + 1, k),
        slot_item=ranked.shown.reshape(-1),
        slot_rank=ranked.rank.reshape(-1),
    )


def read(found: object, systems: int) -> Found:
    assert isinstance(found, Ranking)
    scores = np.array([found[name].score for name in names_of(systems)], dtype=np.float64)
    errors = None
    if found.covariance is not None:
        errors = np.sqrt(np.diag(found.covariance.matrix))
    return Found(scores - scores.mean(), errors)


CASES: dict[str, Callable[[Any], Case]] = {
    "fit": fit,
    "davidson": lambda votes: fit(votes, "davidson"),
    "sandwich": sandwich,
    "sandwich-voter": lambda votes: sandwich(votes, "voter"),
    "davidson-sandwich": lambda votes: sandwich(votes, ties="davidson"),
    "davidson-sandwich-voter": lambda votes: sandwich(votes, "voter", "davidson"),
    "statistics": statistics,
    "statistics-fit": statistics_fit,
    "build": build,
    "count": count,
    "bootstrap": bootstrap,
    "bootstrap-voter": lambda votes: bootstrap(votes, "voter"),
    "bootstrap-davidson": lambda votes: bootstrap(votes, ties="davidson"),
    "draws": draws,
    "sandwich-draws": sandwich_draws,
    "floor": floor,
    "rankings": rankings,
    "rankings-sandwich": rankings_sandwich,
}

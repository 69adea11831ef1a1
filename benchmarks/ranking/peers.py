"""Cases of other libraries, each in its own container, built beforehand; imported when they are used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from scipy import sparse

from arena.ranking.result import SCALE
from benchmarks.ranking.measure import Case, Found
from benchmarks.ranking.ours import REPLICATES, cells_of, won_of
from benchmarks.ranking.votes import Rankings, Votes, names_of

TIMED = 3
"""Replicates of a slow peer that are timed; its seconds are scaled to REPLICATES of them."""


def centred(strength: np.ndarray) -> Found:
    """Natural-log strengths to Elo points with mean 0."""
    return Found(SCALE * (strength - strength.mean()))


def spread_of(draws: np.ndarray) -> Found:
    """float64[B, n] natural-log strengths of replicates: their mean and standard deviation."""
    rows = SCALE * (draws - draws.mean(axis=1, keepdims=True))
    return Found(rows.mean(axis=0), rows.std(axis=0, ddof=1))


# choix


def choix_dense(votes: Votes) -> Case:
    """A numpy count of the votes, inside the clock, and its dense solver."""
    import choix

    return Case(lambda: choix.ilsr_pairwise_dense(won_of(cells_of(votes)), alpha=0.0), centred)


def choix_lists(votes: Votes) -> Case:
    """(winner, loser) tuples; it knows no weights, so a win counts twice and a tie once each way."""
    import choix

    data: list[tuple[int, int]] = []
    columns = (votes.first.tolist(), votes.second.tolist(), votes.outcome.tolist())
    for first, second, code in zip(*columns, strict=True):
        data += [[(first, second)] * 2, [(second, first)] * 2, [(first, second), (second, first)]][code]
    return Case(lambda: choix.ilsr_pairwise(votes.systems, data, alpha=0.0), centred)


def choix_bootstrap(votes: Votes) -> Case:
    """numpy's Poisson draws of the cells and its dense solver from the estimate, replicate by replicate."""
    import choix

    def work() -> np.ndarray:
        rng, cells = np.random.default_rng(1), cells_of(votes)
        start = choix.ilsr_pairwise_dense(won_of(cells), alpha=0.0)
        draws = []
        for _ in range(REPLICATES):
            won = won_of(rng.poisson(cells))
            draws.append(choix.ilsr_pairwise_dense(won, alpha=0.0, initial_params=start))
        return np.stack(draws)

    return Case(work, spread_of)


def choix_rankings(solver: str) -> Callable[[Rankings], Case]:
    """Lists of items, best first."""

    def prepare(ranked: Rankings) -> Case:
        import choix

        data, solve = ranked.best_first.tolist(), getattr(choix, solver)
        return Case(lambda: solve(ranked.systems, data, alpha=0.0), centred)

    return prepare


# evalica


def evalica_columns(votes: Votes) -> tuple[list[int], list[int], list[Any]]:
    """Lists of integers and of its Winner values."""
    import evalica

    winner = [evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw]
    return votes.first.tolist(), votes.second.tolist(), [winner[code] for code in votes.outcome.tolist()]


def evalica_fit(method: str, **settings: Any) -> Callable[[Votes], Case]:
    """A prepared index spares it the naming."""

    def prepare(votes: Votes) -> Case:
        import evalica

        xs, ys, winners = evalica_columns(votes)
        _, _, index = evalica.indexing(xs, ys)
        solve = getattr(evalica, method)
        return Case(
            lambda: solve(xs, ys, winners, index=index, **settings),
            lambda found: centred(np.log(found.scores.sort_index().to_numpy())),
        )

    return prepare


def evalica_bootstrap(votes: Votes) -> Case:
    """Its own percentile bootstrap of a few resamples, scaled by the refits that it does."""
    import evalica

    xs, ys, winners = evalica_columns(votes)
    index = evalica.indexing(xs, ys)[2]

    def work() -> object:
        return evalica.bootstrap(
            cast(Any, evalica.bradley_terry),
            xs,
            ys,
            winners,
            index=index,
            n_resamples=TIMED,
            bootstrap_method="percentile",
            random_state=1,
        )

    return Case(work, scale=(REPLICATES + 1) / (TIMED + 1))


def evalica_refits(votes: Votes) -> Case:
    """Refits of votes drawn and made into lists beforehand: kinder than its own bootstrap."""
    import evalica

    rng, resamples = np.random.default_rng(2), []
    for _ in range(TIMED):
        drawn = rng.integers(votes.first.size, size=votes.first.size)
        resample = Votes(
            votes.systems, votes.first[drawn], votes.second[drawn], votes.outcome[drawn], votes.voter
        )
        resamples.append(evalica_columns(resample))
    _, _, index = evalica.indexing(*resamples[0][:2])

    def work() -> None:
        for columns in resamples:
            evalica.bradley_terry(*columns, index=index)

    return Case(work, scale=REPLICATES / TIMED)


# FastChat's way


def frame_of(votes: Votes) -> Any:
    """A pandas frame of names and outcomes, as arena logs have them."""
    import pandas as pd

    names = np.array(names_of(votes.systems), dtype=object)
    winner = np.array(["model_a", "model_b", "tie"], dtype=object)
    columns = {"model_a": names[votes.first], "model_b": names[votes.second]}
    return pd.DataFrame(columns | {"winner": winner[votes.outcome]})


def fastchat_fit(votes: Votes) -> Case:
    from benchmarks.ranking import fastchat

    frame = frame_of(votes)
    return Case(lambda: fastchat.fit(frame), lambda found: Found(in_elo(found)))


def fastchat_solve(votes: Votes) -> Case:
    """Its optimiser alone: the unique rows are made beforehand."""
    from benchmarks.ranking import fastchat

    rows = fastchat.unique_rows(frame_of(votes))
    return Case(lambda: fastchat.solve(rows, rows.times), lambda found: Found(in_elo(found)))


def fastchat_bootstrap(votes: Votes) -> Case:
    from benchmarks.ranking import fastchat

    frame = frame_of(votes)
    return Case(
        lambda: fastchat.bootstrap(frame, REPLICATES, np.random.default_rng(0)),
        lambda found: spread_of(found * 400.0 / SCALE),
    )


def in_elo(rating: Any) -> np.ndarray:
    scores: np.ndarray = 400.0 * (rating - rating.mean())
    return scores


# scikit-learn


def sklearn_pairs(votes: Votes) -> Case:
    """A numpy count, inside the clock, then two weighted rows a pair: won and lost."""
    from sklearn.linear_model import LogisticRegression

    n = votes.systems

    def work() -> np.ndarray:
        won = won_of(cells_of(votes))
        first, second = np.nonzero(np.triu(won + won.T, 1))
        row = np.arange(first.size)
        values = np.concatenate([np.ones(row.size), -np.ones(row.size)])
        cells = (values, (np.tile(row, 2), np.concatenate([first, second])))
        half = sparse.csr_matrix(sparse.coo_matrix(cells, shape=(row.size, n)))
        design = sparse.vstack([half, half], format="csr")
        label = np.repeat([1, 0], row.size)
        weight = np.concatenate([won[first, second], won[second, first]])
        model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=10_000, fit_intercept=False)
        strengths: np.ndarray = model.fit(design, label, sample_weight=weight).coef_[0]
        return strengths

    return Case(work, centred)


# arenakit


def arenakit_arena(votes: Votes) -> Any:
    """Its Arena with the columns put in place: its own constructor wants one pydantic object a vote."""
    import arenakit

    arena = arenakit.Arena.__new__(arenakit.Arena)
    arena.models = names_of(votes.systems)
    arena.a, arena.b = votes.first.astype(np.int32), votes.second.astype(np.int32)
    arena.y = arenakit_codes()[votes.outcome]
    arena.item, arena.voter = None, votes.voter.astype(np.int64)
    return arena


def arenakit_codes() -> np.ndarray:
    from arenakit import schema

    return np.array([schema.A_WINS, schema.B_WINS, schema.TIE], dtype=np.int8)


def arenakit_core(prior: float | None = None) -> Callable[[Votes], Case]:
    """Its counts and its solver, with its default prior or another one."""

    def prepare(votes: Votes) -> Case:
        import arenakit

        arena = arenakit_arena(votes)
        settings = {} if prior is None else {"prior": prior}
        return Case(
            lambda: arenakit.fit_bt(arena.counts(), **settings),
            lambda found: centred(found.scores),
        )

    return prepare


def arenakit_objects(votes: Votes) -> Case:
    """From a list of its Battle objects, made beforehand, through its Arena."""
    import arenakit

    names, winner = names_of(votes.systems), ("a", "b", "tie")
    columns = (votes.first.tolist(), votes.second.tolist(), votes.outcome.tolist())
    battles = [
        arenakit.Battle(model_a=names[a], model_b=names[b], winner=winner[code])
        for a, b, code in zip(*columns, strict=True)
    ]
    return Case(
        lambda: arenakit.fit_bt(arenakit.Arena(battles).counts()),
        lambda found: centred(found.scores),
    )


def arenakit_bootstrap(cluster: str) -> Callable[[Votes], Case]:
    def prepare(votes: Votes) -> Case:
        import arenakit

        arena = arenakit_arena(votes)
        return Case(
            lambda: arenakit.bootstrap(arena, n_resamples=REPLICATES, cluster=cluster),
            lambda found: spread_of(found.scores),
        )

    return prepare


# arena-rank


def arena_rank(*, bounds: bool, prebuilt: bool = False) -> Callable[[Votes], Case]:
    """From a pandas frame through its PairDataset, which makes the rows unique; or from a PairDataset."""

    def prepare(votes: Votes) -> Case:
        import jax
        from arena_rank.models.bradley_terry import BradleyTerry
        from arena_rank.utils.data_utils import PairDataset

        jax.config.update("jax_enable_x64", True)
        frame = frame_of(votes)
        kept = PairDataset.from_pandas(frame) if prebuilt else None

        def work() -> np.ndarray:
            dataset = PairDataset.from_pandas(frame) if kept is None else kept
            model = BradleyTerry(votes.systems)
            if bounds:
                found = model.compute_ratings_and_cis(dataset)
                return np.stack([np.asarray(found["ratings"]), np.asarray(found["variances"])])
            model.fit(dataset)
            return np.asarray(model.params["ratings"])[None] * SCALE

        return Case(work, read_arena_rank)

    return prepare


def read_arena_rank(found: Any) -> Found:
    return Found(found[0] - found[0].mean(), None if len(found) == 1 else np.sqrt(found[1]))


NEEDS = {
    "choix": "choix",
    "evalica": "evalica",
    "fastchat": "pandas",
    "sklearn": "sklearn",
    "arenakit": "arenakit",
    "arena-rank": "arena_rank",
}
"""The module that a case needs, by the first part of its name."""

CASES: dict[str, Callable[[Any], Case]] = {
    "choix/dense": choix_dense,
    "choix/lists": choix_lists,
    "choix/bootstrap": choix_bootstrap,
    "choix/ilsr": choix_rankings("ilsr_rankings"),
    "choix/mm": choix_rankings("mm_rankings"),
    "choix/opt": choix_rankings("opt_rankings"),
    "evalica/fit": evalica_fit("bradley_terry"),
    "evalica/exact": evalica_fit("bradley_terry", tolerance=1e-10, limit=100_000),
    "evalica/newman": evalica_fit("newman"),
    "evalica/bootstrap": evalica_bootstrap,
    "evalica/refits": evalica_refits,
    "fastchat/fit": fastchat_fit,
    "fastchat/solve": fastchat_solve,
    "fastchat/bootstrap": fastchat_bootstrap,
    "sklearn/pairs": sklearn_pairs,
    "arenakit/core": arenakit_core(),
    "arenakit/no-prior": arenakit_core(prior=0.0),
    "arenakit/objects": arenakit_objects,
    "arenakit/bootstrap": arenakit_bootstrap("battle"),
    "arenakit/bootstrap-voter": arenakit_bootstrap("voter"),
    "arena-rank/fit": arena_rank(bounds=False),
    "arena-rank/sandwich": arena_rank(bounds=True),
    "arena-rank/solve": arena_rank(bounds=False, prebuilt=True),
}

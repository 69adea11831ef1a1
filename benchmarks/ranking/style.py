"""The cases of `bench_style` for the common harness; the votes with covariates are drawn here, not read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from arena.ranking import Sandwich
from benchmarks.ranking import bench_style
from benchmarks.ranking.measure import Case, Found
from benchmarks.ranking.votes import Votes


def adapted(make: Callable[[bench_style.Votes], bench_style.Case]) -> Callable[[Votes], Case]:
    """Scores and coefficients, Elo points (per standard deviation), as one row of numbers."""

    def prepare(votes: Votes) -> Case:
        styled = bench_style.Votes(votes.systems, votes.first.size, np.random.default_rng(0))
        case = make(styled)
        return Case(case.fit, lambda found: Found(np.concatenate(case.read(found))))

    return prepare


CASES: dict[str, Callable[[Any], Case]] = {
    "style": adapted(bench_style.ours),
    "style-sandwich": adapted(lambda votes: bench_style.ours(votes, Sandwich())),
    "style-sandwich-voter": adapted(lambda votes: bench_style.ours(votes, Sandwich(cluster="voter"))),
    "sklearn/style": adapted(lambda votes: bench_style.with_sklearn(votes, 1e-8)),
    "sklearn/style-default": adapted(lambda votes: bench_style.with_sklearn(votes, 1e-4)),
    "arena-rank/style": adapted(lambda votes: bench_style.with_arena_rank(votes, 0.0, bounds=False)),
    "arena-rank/style-default": adapted(lambda votes: bench_style.with_arena_rank(votes, 1.0, bounds=False)),
    "arena-rank/style-sandwich": adapted(lambda votes: bench_style.with_arena_rank(votes, 0.0, bounds=True)),
    "fastchat/style": adapted(lambda votes: bench_style.with_fastchat(votes, 0.0)),
    "fastchat/style-default": adapted(lambda votes: bench_style.with_fastchat(votes, 0.5)),
}

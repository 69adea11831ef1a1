"""What is run and shown together: tables of cases on one file of votes, and the aims they are judged by."""

from __future__ import annotations

from typing import Literal, NamedTuple

from benchmarks.ranking.ours import REPLICATES


class Row(NamedTuple):
    """runs, budget_s: see `measure`; a row `once` is left out of the second round."""

    case: str
    label: str
    runs: int = 15
    budget_s: float = 6.0
    once: bool = False


class Group(NamedTuple):
    """One table. The first row is the one that others are compared with."""

    key: str
    title: str
    kind: Literal["votes", "rankings"]
    systems: int
    size: int
    rows: tuple[Row, ...]
    compared: str = "difference"

    @property
    def data(self) -> str:
        return f"{self.kind}-{self.systems}x{self.size}"

    def quick(self) -> Group:
        """The same with a quarter of the systems, a tenth of the votes and three runs."""
        rows = tuple(
            row._replace(runs=min(row.runs, 3), budget_s=min(row.budget_s, 2.0)) for row in self.rows
        )
        return self._replace(systems=max(self.systems // 4, 5), size=max(self.size // 10, 1000), rows=rows)


class Aim(NamedTuple):
    """`slow` takes at least `aim` times as long as `fast`, or at most, if that is what is asked."""

    text: str
    group: str
    fast: str
    slow: str
    aim: float
    alarm: float | None = None
    is_at_most: bool = False


VOTES, SYSTEMS = 1_000_000, 200

COMPILING_S = 60.0
"""Budget of a peer whose first run compiles for seconds, so that the warm ones are counted."""

HALF = (
    Row("fit", "**arena.ranking**"),
    Row("sandwich", "arena.ranking + sandwich by ballot"),
    Row("sandwich-voter", "arena.ranking + sandwich by voter (ten votes each)"),
    Row("statistics", "arena.ranking, its count alone, from `Ballots`"),
    Row("statistics-fit", "arena.ranking, the rest, from kept counts"),
    Row("count", "numpy's count of the votes' columns alone"),
    Row("build", "making `Ballots` from the columns (outside the other clocks)"),
    Row("choix/dense", "numpy count + choix `ilsr_pairwise_dense`"),
    Row("choix/lists", "choix `ilsr_pairwise` on lists", 2, once=True),
    Row("sklearn/pairs", "numpy count + scikit-learn on weighted pairs, tol 1e-8"),
    Row("arenakit/core", "arenakit, its counts and solver, its prior"),
    Row("arenakit/no-prior", "arenakit, its counts and solver, prior 0"),
    Row("arenakit/objects", "arenakit, from its own vote objects", 3),
    Row("evalica/fit", "evalica `bradley_terry`, its defaults", 9),
    Row("evalica/exact", "evalica `bradley_terry`, tolerance 1e-10", 9),
    Row("fastchat/fit", "FastChat's way (our reimplementation)", 5),
    Row("fastchat/solve", "FastChat's way, its L-BFGS alone", 9),
    Row("arena-rank/fit", "arena-rank, from a pandas frame", 2, COMPILING_S),
    Row("arena-rank/sandwich", "arena-rank + sandwich, from a pandas frame", 2, COMPILING_S),
    Row("arena-rank/solve", "arena-rank, solver alone, from its PairDataset", 2, COMPILING_S),
)
DAVIDSON = (
    Row("davidson", "**arena.ranking**, Davidson"),
    Row("davidson-sandwich", "arena.ranking + sandwich by ballot"),
    Row("davidson-sandwich-voter", "arena.ranking + sandwich by voter"),
    Row("fit", "arena.ranking, ties as half (another model)"),
    Row("evalica/newman", "evalica `newman`, its defaults", 9),
)
BOOTSTRAP = (
    Row("bootstrap", "**arena.ranking**, by ballot", 5),
    Row("bootstrap-davidson", "arena.ranking, by ballot, Davidson", 3),
    Row("fit", "arena.ranking, one fit"),
    Row("sandwich", "arena.ranking, fit + sandwich"),
    Row("draws", "arena.ranking, 1,000 rank draws alone", 9),
    Row("sandwich-draws", "arena.ranking, fit + sandwich + 1,000 rank draws", 9),
    Row("floor", "floor: 16 bits and a look-up a cell, four divisions a pair", 9),
    Row("choix/bootstrap", "numpy's Poisson draws + choix dense, one by one", 3),
    Row("arenakit/bootstrap", "arenakit `bootstrap`", 2, once=True),
    Row("fastchat/bootstrap", "FastChat's way (our reimplementation), one process", 2, 3.0, once=True),
    Row("evalica/bootstrap", "evalica `bootstrap`, percentile, 3 replicates timed and scaled", 2, once=True),
    Row("evalica/refits", "evalica, refits of 3 resamples made beforehand, scaled", 3, once=True),
)
BOOTSTRAP_VOTER = (
    Row("bootstrap-voter", "**arena.ranking**, by voter", 5),
    Row("sandwich-voter", "arena.ranking, sandwich by voter"),
    Row("arenakit/bootstrap-voter", "arenakit `bootstrap`, by voter", 2, once=True),
)
LUCE = (
    Row("rankings", "**arena.ranking**", 5),
    Row("rankings-sandwich", "arena.ranking + sandwich by ballot", 5),
    Row("choix/ilsr", "choix `ilsr_rankings`", 2, 5.0, once=True),
)
LUCE_SMALL = (
    Row("rankings", "**arena.ranking**", 9),
    Row("rankings-sandwich", "arena.ranking + sandwich by ballot", 9),
    Row("choix/ilsr", "choix `ilsr_rankings`", 3),
    Row("choix/mm", "choix `mm_rankings`", 2, 1.0, once=True),
    Row("choix/opt", "choix `opt_rankings`, one run", 1, 0.5, once=True),
)
STYLE = (
    Row("style", "**arena.ranking**", 7),
    Row("style-sandwich", "arena.ranking + sandwich by ballot", 5),
    Row("style-sandwich-voter", "arena.ranking + sandwich by voter", 5),
    Row("sklearn/style", "scikit-learn, sparse rows, tol 1e-8", 2, once=True),
    Row("sklearn/style-default", "scikit-learn, sparse rows, its default tol", 2, once=True),
    Row("arena-rank/style", "arena-rank, reg=0", 2, COMPILING_S, once=True),
    Row("arena-rank/style-default", "arena-rank, its default reg=1", 2, COMPILING_S, once=True),
    Row("arena-rank/style-sandwich", "arena-rank, reg=0, + sandwich", 2, COMPILING_S, once=True),
    Row("fastchat/style", "FastChat's way (our reimplementation), no penalty", 2, once=True),
    Row("fastchat/style-default", "FastChat's way (our reimplementation), penalty 0.5", 2, once=True),
)

GROUPS = (
    Group("fit", "One fit, ties as half", "votes", SYSTEMS, VOTES, HALF),
    Group("fit", "One fit, Davidson's ties", "votes", SYSTEMS, VOTES, DAVIDSON),
    Group("bootstrap", f"{REPLICATES} bootstrap replicates", "votes", SYSTEMS, VOTES, BOOTSTRAP, "spread"),
    Group(
        "bootstrap",
        f"{REPLICATES} bootstrap replicates by voter, ten votes each",
        "votes",
        SYSTEMS,
        VOTES,
        BOOTSTRAP_VOTER,
        "spread",
    ),
    Group("rankings", "Plackett-Luce, four-way ballots", "rankings", SYSTEMS, VOTES, LUCE),
    Group("rankings", "Plackett-Luce, few four-way ballots", "rankings", SYSTEMS, 20_000, LUCE_SMALL),
    Group("style", "Style control, four continuous covariates", "votes", SYSTEMS, VOTES, STYLE),
)

CURVES = {
    "fit": "fit",
    "sandwich": "fit + sandwich",
    "davidson": "Davidson",
    "bootstrap": f"{REPLICATES} replicates",
    "rankings": "Plackett-Luce",
}
CURVE_VOTES = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
CURVE_SYSTEMS = (10, 20, 50, 100, 200, 500, 1000, 2000)
MOST_RANKINGS = 1_000_000

FIT, REPLICATED = GROUPS[0].title, GROUPS[2].title
AIMS = (
    Aim("one fit, evalica", FIT, "fit", "evalica/fit", 42, 25),
    Aim("one fit, FastChat's way", FIT, "fit", "fastchat/fit", 170, 100),
    Aim("one fit, arenakit", FIT, "fit", "arenakit/core", 3, 2),
    Aim("one fit against count + choix dense", FIT, "choix/dense", "fit", 1.2, is_at_most=True),
    Aim("one fit against our own count", FIT, "statistics", "fit", 2, is_at_most=True),
    Aim("one fit against numpy's count", FIT, "count", "fit", 2, is_at_most=True),
    Aim("100 replicates, evalica's bootstrap", REPLICATED, "bootstrap", "evalica/bootstrap", 190, 100),
    Aim("100 replicates, FastChat's way", REPLICATED, "bootstrap", "fastchat/bootstrap", 49, 30),
    Aim("100 replicates, arenakit", REPLICATED, "bootstrap", "arenakit/bootstrap", 12, 8),
    Aim("100 replicates against the floor", REPLICATED, "floor", "bootstrap", 5, is_at_most=True),
    Aim("1,000 rank draws against one fit", REPLICATED, "fit", "draws", 3, is_at_most=True),
    Aim("Plackett-Luce, choix `ilsr_rankings`", GROUPS[4].title, "rankings", "choix/ilsr", 35, 25),
    Aim("style, scikit-learn at equal accuracy", GROUPS[6].title, "style", "sklearn/style", 15, 10),
    Aim("style, arena-rank without a penalty", GROUPS[6].title, "style", "arena-rank/style", 15, 10),
)

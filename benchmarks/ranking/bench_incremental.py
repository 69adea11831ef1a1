"""New votes added to kept statistics, against counting all votes again from the database.

    python -m benchmarks.ranking.bench_incremental [--votes 10000000] [--more 1000] [--systems 200] [--runs 5]

Starts a private Postgres with one table of votes (two smallint systems, one smallint outcome, a voter). The
recount is the fastest that we know: all columns packed into one byte string by the database. Both fits are
compared number by number: they must be equal to the last bit.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import psycopg

from arena.ops.private import private_services
from arena.ranking import Ballots, BradleyTerry, Ranking, Sandwich
from arena.ranking.sufficient import Statistics

PACKED = """
    SELECT string_agg(int2send(a), ''::bytea), string_agg(int2send(b), ''::bytea),
           string_agg(int2send(outcome), ''::bytea), string_agg(int4send(voter), ''::bytea)
    FROM vote WHERE id > %s AND id <= %s
"""
LAST = 2**62
MODEL = BradleyTerry(ties="davidson")


def fill(connection: psycopg.Connection, *, systems: int, votes: int, more: int) -> None:
    connection.execute("SELECT setseed(0.5)")
    connection.execute(
        """
        CREATE TABLE vote AS
        SELECT id, a::int2, ((a + 1 + floor(random() * (%(n)s - 1))::int) %% %(n)s)::int2 AS b,
               (CASE WHEN random() < 0.25 THEN 2 WHEN random() < 0.6 THEN 0 ELSE 1 END)::int2 AS outcome,
               floor(random() * %(voters)s)::int4 AS voter
        FROM (SELECT id, floor(%(n)s * power(random(), 1.5))::int AS a FROM generate_series(1, %(all)s) AS id)
        AS drawn
        """,
        {"n": systems, "voters": votes // 20, "all": votes + more},
    )
    connection.execute("ALTER TABLE vote ADD PRIMARY KEY (id)")
    connection.execute("ANALYZE vote")


def read(
    connection: psycopg.Connection, items: list[str], *, after: int, until: int | None = None
) -> Ballots:
    with connection.cursor(binary=True) as cursor:
        row = cursor.execute(PACKED, [after, LAST if until is None else until]).fetchone()
    assert row is not None
    a, b, outcome = (np.frombuffer(part, dtype=">i2").astype(np.int16) for part in row[:3])
    voter = np.frombuffer(row[3], dtype=">i4").astype(np.int64)
    return Ballots.from_pair_columns(items=items, first=a, second=b, outcome=outcome, voter=voter)


def fastest(runs: int, work: Callable[[], object]) -> tuple[float, object]:
    """Wall-clock seconds: the database works in a process of its own."""
    best, found = np.inf, None
    for _ in range(runs):
        start = time.perf_counter()
        found = work()
        best = min(best, time.perf_counter() - start)
    return best, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--votes", type=int, default=10_000_000)
    parser.add_argument("--more", type=int, default=1000)
    parser.add_argument("--systems", type=int, default=200)
    parser.add_argument("--runs", type=int, default=5)
    chosen = parser.parse_args()
    items = [f"system-{i:03d}" for i in range(chosen.systems)]
    with ExitStack() as stack:
        services = stack.enter_context(private_services({"BROKER_URL": "none"}))
        connection = stack.enter_context(psycopg.connect(services["DATABASE_URL"], autocommit=True))
        fill(connection, systems=chosen.systems, votes=chosen.votes, more=chosen.more)
        print(f"{chosen.systems} systems, {chosen.votes:,} votes and {chosen.more:,} more, Davidson's ties\n")
        print("| interval | recount, ms | kept + new, ms | share | equal |\n|---|---|---|---|---|")
        for cluster in (None, "ballot", "voter"):
            print(row(connection, items, chosen, cluster), flush=True)


def row(
    connection: psycopg.Connection, items: list[str], chosen: argparse.Namespace, cluster: str | None
) -> str:
    clusters = [] if cluster is None else [cluster]
    interval = None if cluster is None else Sandwich(cluster=cluster)

    def statistics(after: int, until: int | None = None) -> Statistics:
        return MODEL.statistics(read(connection, items, after=after, until=until), clusters=clusters)

    def recount() -> Ranking:
        return MODEL.fit_statistics(statistics(0), interval=interval)

    kept = statistics(0, until=chosen.votes)

    def added() -> Ranking:
        return MODEL.fit_statistics(kept.plus(statistics(chosen.votes)), interval=interval)

    slow, whole = fastest(min(chosen.runs, 3), recount)
    fast, grown = fastest(chosen.runs, added)
    assert isinstance(whole, Ranking)
    assert isinstance(grown, Ranking)
    equal = whole.ratings == grown.ratings and whole.diagnostics == grown.diagnostics
    name = "none" if cluster is None else f"sandwich by {cluster}"
    return (
        f"| {name} | {1000 * slow:.0f} | {1000 * fast:.1f} | {fast / slow:.2%} | {'yes' if equal else 'NO'} |"
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()

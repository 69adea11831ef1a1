"""Imports recognised sets of files, one transaction each, and fits their boards."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Model

from arena.accounts.models import Voter
from arena.battles.models import Battle, Slot
from arena.catalog.models import Arena, Prompt, System
from arena.exports.importers import llmfao, mtbench
from arena.exports.importers.folder import FileSet, Layout
from arena.exports.importers.origin import PEOPLE, NameTaken
from arena.exports.importers.report import FileProblem, Report
from arena.exports.importers.rows import Progress
from arena.generation.models import Response
from arena.judging.models import Verdict
from arena.leaderboards.models import Rating
from arena.leaderboards.services import snapshot_refresh
from arena.votes.models import Vote

LOCK_SPACE = 7301
FIRST_ROWS = 10
FILLED: tuple[type[Model], ...] = (Voter, System, Prompt, Response, Battle, Slot, Vote, Verdict)


class TooManyRejected(Exception):
    """Rows were rejected, and the caller asked for all or nothing."""


class ImportRefused(Exception):
    """Nothing of a set was imported; the message says why, the report what was seen until then."""

    def __init__(self, reason: str, report: Report) -> None:
        super().__init__(reason)
        self.report = report


class BoardRow(NamedTuple):
    rank_low: int | None
    rank_high: int | None
    system: str
    score: float | None
    low: float | None
    high: float | None
    ballots: int


@dataclass
class Imported:
    """What became of one set."""

    arena: Arena
    report: Report
    import_s: float
    fit_s: float
    systems_rated: int = 0
    first_rows: list[BoardRow] = field(default_factory=list)


def set_import(
    *,
    file_set: FileSet,
    now: datetime,
    is_strict: bool = False,
    progress: Progress = lambda _bytes: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Imported:
    """Import all good rows of a set, or nothing when a file is broken; then fit its boards.

    Raises:
        ImportRefused: a file cannot be read to its end, or `is_strict` and a row was rejected.
    """
    started = clock()
    report = Report()
    try:
        with transaction.atomic():
            _lock(file_set.source)
            arena = _load(file_set, report=report, now=now, progress=progress)
            if is_strict and report.rejected:
                raise TooManyRejected
            if report.added:
                _analyse()
    except FileProblem as problem:
        raise ImportRefused(str(problem), report) from problem
    except NameTaken as problem:
        raise ImportRefused(str(problem), report) from problem
    except TooManyRejected as problem:
        raise ImportRefused("rows were rejected, and --strict allows none.", report) from problem
    loaded = clock()
    boards = arena.boards.select_related("arena__criterion", "judge")
    for board in boards:
        snapshot_refresh(board=board)
    imported = Imported(arena, report, import_s=loaded - started, fit_s=clock() - loaded)
    _read_board(imported)
    return imported


def _load(file_set: FileSet, *, report: Report, now: datetime, progress: Progress) -> Arena:
    files = file_set.files
    if file_set.source == llmfao.ORIGIN.slug:
        importer = llmfao.Importer(report=report, now=now)
        return importer.load(
            texts=files[Layout.LLMFAO_TEXTS], votes=files[Layout.LLMFAO_VOTES], progress=progress
        )
    return mtbench.Importer(report=report, now=now).load(votes=files[Layout.MTBENCH_VOTES], progress=progress)


def _lock(source: str) -> None:
    """Two imports of one source at a time would both find nothing there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK_SPACE, source])


def _analyse() -> None:
    """Tell the planner that tables have grown a thousandfold, before the commit checks every foreign key.

    Those checks, and the boards after them, otherwise run on plans made for empty tables: a scan of the whole
    parent table for each row, minutes instead of seconds.
    """
    tables = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in FILLED)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {tables}")


def _read_board(imported: Imported) -> None:
    board = imported.arena.boards.filter(slug=PEOPLE).first()
    snapshot = board.snapshots.order_by("-id").first() if board else None
    if snapshot is None:
        return
    ratings = Rating.objects.filter(snapshot=snapshot, score__isnull=False).select_related("system")
    imported.systems_rated = ratings.count()
    imported.first_rows = [
        BoardRow(
            rating.rank_low,
            rating.rank_high,
            rating.system.name,
            rating.score,
            rating.low,
            rating.high,
            rating.ballots,
        )
        for rating in ratings.order_by("-score", "system__name")[:FIRST_ROWS]
    ]

"""Writes on releases: ask for one, build one, recover what a lost worker left."""

from __future__ import annotations

import math
import shutil
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import structlog
from django.conf import settings
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone
from psycopg.errors import SerializationFailure

from arena.catalog.models import Arena
from arena.core.queue import Task, enqueue
from arena.exports.ballots import release_extent
from arena.exports.models import Export
from arena.exports.pseudonyms import Pseudonyms, new_salt
from arena.exports.release import RowsDiffer, release_write
from arena.exports.selectors import export_folder, is_free
from arena.leaderboards.models import Board, Snapshot
from arena.leaderboards.services import snapshot_build
from arena.ranking.errors import RankingError
from arena.votes.models import Vote

logger = structlog.get_logger(__name__)

ATTEMPTS_MAX = 3
SERIALIZATION_TRIES = 3


class ExportRefused(Exception):
    """No release is made; the message is for the person who asked."""


class NothingToExport(ExportRefused):
    pass


class ExportTooSoon(ExportRefused):
    pass


class LeaseLost(Exception):
    """Another worker has taken over; this one's files are thrown away."""


@transaction.atomic
def export_request(*, arena: Arena, now: datetime) -> Export:
    """As `export_queue`, but not too often, and a worker is called."""
    export = export_queue(arena=arena, now=now, interval_s=settings.EXPORT_INTERVAL_S)
    if export.is_unfinished:
        enqueue(Task.EXPORT, export_id=export.pk)
    return export


@transaction.atomic
def export_queue(*, arena: Arena, now: datetime, interval_s: float = 0) -> Export:
    """A release of the votes as they are now: the one in the making, the newest if still right, or a new one.

    Raises:
        NothingToExport: when nobody has voted here.
        ExportTooSoon: when the last release of this arena was asked for less than `interval_s` ago.
    """
    Arena.objects.select_for_update(no_key=True).get(pk=arena.pk)
    newest = arena.exports.first()
    if newest is not None and newest.is_unfinished:
        return newest
    if not Vote.objects.in_arena(arena.pk).exists():
        raise NothingToExport("Nobody has voted here yet, so there is nothing to release.")
    done = arena.exports.filter(status=Export.Status.DONE).first()
    if done is not None and done.manifest.get("extent") == release_extent(arena=arena):
        return done
    if newest is not None:
        wait_s = interval_s - (now - newest.created_at).total_seconds()
        if wait_s > 0:
            raise ExportTooSoon(
                "A release of these votes was asked for a moment ago. "
                f"Please try again in {math.ceil(wait_s)} seconds."
            )
    return Export.objects.create(arena=arena, created_at=now)


def export_build(
    *, export: Export, salt: bytes | None = None, clock: Callable[[], datetime] = timezone.now
) -> Export:
    """Write the files of a queued release. Doing it twice, or late, changes nothing.

    `salt` is for tests; without it a new one is made and forgotten.
    """
    lease = uuid.uuid4()
    if _claim(export, lease=lease, now=clock()):
        _build_claimed(export, lease=lease, pseudonyms=Pseudonyms(salt=salt or new_salt()), clock=clock)
    export.refresh_from_db()
    return export


def _claim(export: Export, *, lease: uuid.UUID, now: datetime) -> bool:
    """Take a release that waits, or one whose worker is gone; after some lost workers it is given up."""
    free = Export.objects.filter(pk=export.pk).filter(is_free(now=now))
    given_up = free.filter(attempts__gte=ATTEMPTS_MAX).update(
        status=Export.Status.FAILED,
        lease=None,
        finished_at=now,
        error="The worker stopped while it wrote this release, several times. Please ask again.",
    )
    if given_up:
        return False
    return bool(
        free.update(status=Export.Status.RUNNING, lease=lease, started_at=now, attempts=F("attempts") + 1)
    )


def _build_claimed(
    export: Export, *, lease: uuid.UUID, pseudonyms: Pseudonyms, clock: Callable[[], datetime]
) -> None:
    temporary = settings.EXPORT_DIR / f".{export.key}.{lease}"
    try:
        for left in reversed(range(SERIALIZATION_TRIES)):
            try:
                _write(export, lease=lease, temporary=temporary, pseudonyms=pseudonyms, clock=clock)
                return
            except OperationalError as error:
                # Someone changed a row that this transaction writes (a newer pairing plan): start over.
                if not left or not isinstance(error.__cause__, SerializationFailure):
                    raise
    except LeaseLost:
        logger.warning("export_lease_lost", export_id=export.pk)
    except OSError as error:
        reason = f"The files could not be written: {error.strerror or error}."
        _fail(export, lease=lease, reason=reason, now=clock())
    except RankingError as error:
        _fail(export, lease=lease, reason=f"The ratings could not be fitted: {error}.", now=clock())
    except RowsDiffer as error:
        _fail(export, lease=lease, reason=f"Votes and ratings do not match: {error}.", now=clock())
    except DatabaseError as error:
        logger.exception("export_failed", export_id=export.pk)
        _fail(export, lease=lease, reason=f"The database gave up: {str(error).splitlines()[0]}.", now=clock())
    except BaseException:
        # The edge of the task: a time limit, a bug. Said plainly to whoever waits, then raised for the log.
        _fail(export, lease=lease, reason="The release could not be finished.", now=clock())
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(
    export: Export,
    *,
    lease: uuid.UUID,
    temporary: Path,
    pseudonyms: Pseudonyms,
    clock: Callable[[], datetime],
) -> None:
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        arena = Arena.objects.get(pk=export.arena_id)
        snapshots = _snapshots(arena)
        manifest = release_write(
            arena=arena, snapshots=snapshots, folder=temporary, pseudonyms=pseudonyms, now=clock()
        )
        finished = Export.objects.filter(pk=export.pk, status=Export.Status.RUNNING, lease=lease).update(
            status=Export.Status.DONE,
            snapshot=snapshots[0] if snapshots else None,
            manifest=manifest,
            finished_at=clock(),
            error="",
        )
        if not finished:
            raise LeaseLost
        # Under the row's lock: nobody else can be publishing this release.
        folder = export_folder(export=export)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)


def _snapshots(arena: Arena) -> list[Snapshot]:
    """Every board of people, the first one first, fitted on the rows this transaction sees."""
    boards = arena.boards.filter(voters=Board.Voters.HUMAN).select_related("arena__criterion", "judge")
    built = (snapshot_build(board=board, force=True, released=True) for board in boards)
    return [snapshot for snapshot in built if snapshot is not None]


def _fail(export: Export, *, lease: uuid.UUID, reason: str, now: datetime) -> None:
    failed = Export.objects.filter(pk=export.pk, status=Export.Status.RUNNING, lease=lease).update(
        status=Export.Status.FAILED, lease=None, error=reason[:300], finished_at=now
    )
    if failed:
        shutil.rmtree(export_folder(export=export), ignore_errors=True)

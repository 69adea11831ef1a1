"""Reads on releases: what the download page lists, and the path of a released file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from arena.catalog.models import Arena
from arena.exports.models import Export
from arena.exports.release import MANIFEST
from arena.leaderboards.models import Board
from arena.votes.models import Vote

# Longer than the hard time limit of the task: a release that runs for so long has lost its worker.
STALE_AFTER = timedelta(minutes=35)
NUDGE_AFTER = timedelta(seconds=30)


@dataclass(frozen=True)
class ReleasedFile:
    name: str
    size_bytes: int
    sha256: str
    rows: int | None


@dataclass(frozen=True)
class ArenaReleases:
    """An arena on the download page."""

    arena: Arena
    newest: Export | None
    """The newest release that is ready."""
    unfinished: Export | None
    failed: Export | None
    """The newest attempt, if it failed."""
    has_votes: bool
    board: Board | None

    @property
    def files(self) -> list[ReleasedFile]:
        return release_files(export=self.newest) if self.newest else []

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def export_folder(*, export: Export) -> Path:
    return Path(settings.EXPORT_DIR) / str(export.key)


def is_free(*, now: datetime) -> Q:
    """Releases that a worker may take: those that wait, and those whose worker is gone."""
    return Q(status=Export.Status.QUEUED) | Q(status=Export.Status.RUNNING, started_at__lt=now - STALE_AFTER)


def exports_waiting(*, now: datetime) -> list[int]:
    """Releases that nobody came for in time; whoever sweeps sends their ids again."""
    waiting = Export.objects.filter(is_free(now=now), created_at__lt=now - NUDGE_AFTER)
    return list(waiting.order_by("id").values_list("pk", flat=True))


def release_files(*, export: Export) -> list[ReleasedFile]:
    return [
        ReleasedFile(name, facts["size_bytes"], facts["sha256"], facts.get("rows"))
        for name, facts in export.manifest.get("files", {}).items()
    ]


def arenas_with_releases() -> list[ArenaReleases]:
    """Every listed arena, with what can be downloaded; the number of queries does not grow with arenas."""
    votes = Vote.objects.filter(battle__arena=OuterRef("pk"))
    arenas = list(Arena.objects.filter(is_listed=True).annotate(has_votes=Exists(votes)))
    ready = _newest_by_arena(done=True)
    latest = _newest_by_arena(done=False)
    boards: dict[int, Board] = {}
    for board in Board.objects.filter(voters=Board.Voters.HUMAN, is_published=True).select_related("arena"):
        boards.setdefault(board.arena_id, board)
    found = []
    for arena in arenas:
        newest = latest.get(arena.pk)
        found.append(
            ArenaReleases(
                arena=arena,
                newest=ready.get(arena.pk),
                unfinished=newest if newest and newest.is_unfinished else None,
                failed=newest if newest and newest.status == Export.Status.FAILED else None,
                has_votes=arena.has_votes,
                board=boards.get(arena.pk),
            )
        )
    return found


def _newest_by_arena(*, done: bool) -> dict[int, Export]:
    exports = Export.objects.filter(status=Export.Status.DONE) if done else Export.objects.all()
    newest = exports.order_by("arena_id", "-id").distinct("arena_id").select_related("snapshot")
    return {export.arena_id: export for export in newest}


def released_path(*, key: UUID, name: str) -> Path | None:
    """The file of a finished release, if its manifest lists that name and it is still on the disk."""
    export = Export.objects.filter(key=key, status=Export.Status.DONE).first()
    if export is None or (name != MANIFEST and name not in export.manifest.get("files", {})):
        return None
    path = export_folder(export=export) / name
    return path if path.is_file() else None

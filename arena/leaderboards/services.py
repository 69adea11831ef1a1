"""Writes on boards: build a snapshot, keep boards up to date, publish the pairing plan, thin the past."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from arena.battles.draw import LEAST_COMPARED
from arena.battles.services import pairing_plan_publish
from arena.catalog.models import Arena
from arena.core.health import heartbeat
from arena.core.queue import Task, enqueue
from arena.core.version import code_version
from arena.leaderboards.comparisons import Comparisons, Extent, comparisons, extent
from arena.leaderboards.models import Board, Rating, Snapshot
from arena.ranking import Ranking
from arena.ranking.registry import fit_from_settings

# The default question: Bradley-Terry, a tie is half a win, intervals clustered by voter for people
# (votes of one person are alike) and by prompt for an evaluator (its scores of one prompt are one ballot).
DEFAULTS: dict[str, Any] = {
    "model": "bradley-terry",
    "ties": "half",
    "both_bad": "tie",
    "prior": 0.0,
    "anchor_mean": 1000.0,
    "level": 0.95,
    "interval": "sandwich",
}
KEEP_ALL = timedelta(days=2)
LOCK_SPACE = 7201


def ranking_settings(board: Board) -> dict[str, Any]:
    cluster = "prompt" if board.judge_id else "voter"
    return {**DEFAULTS, "cluster": cluster, **board.ranking}


def board_question(board: Board) -> dict[str, Any]:
    """What a snapshot stores so that anybody can ask it again."""
    return {
        "arena": board.arena.slug,
        "board": board.slug,
        "criterion": board.arena.criterion.slug,
        "voters": board.voters,
        "vote_source": board.vote_source,
        "judge": board.judge.slug if board.judge else None,
        "ranking": ranking_settings(board),
    }


@transaction.atomic
def snapshot_build(*, board: Board, force: bool = False, released: bool = False) -> Snapshot | None:
    """Fit the board on the rows that exist now. None when there is nothing to fit or nothing new.

    `force` builds a snapshot of unchanged rows too; `released` marks it as belonging to a data release.
    """
    found = comparisons(board)
    if not found.rows:
        return None
    fingerprint = found.fingerprint()
    newest = board.snapshots.order_by("-id").first()
    if (
        newest
        and not force
        and newest.fingerprint == fingerprint
        and newest.question == board_question(board)
    ):
        return None
    started = time.perf_counter()
    ranking = fit_from_settings(ranking_settings(board), found.ballots())
    fit_ms = round((time.perf_counter() - started) * 1000)
    snapshot = Snapshot.objects.create(
        board=board,
        question=board_question(board),
        diagnostics=ranking.as_dict()["diagnostics"],
        ballot_count=len(found.rows),
        vote_count=found.vote_count,
        excluded_count=found.excluded_count,
        cutoff_id=found.cutoff_id,
        fingerprint=fingerprint,
        last_vote_at=found.last_at,
        code_version=code_version(),
        fit_ms=fit_ms,
        is_released=released,
    )
    Rating.objects.bulk_create(_ratings(snapshot, ranking))
    if board.judge_id is None:
        _publish_plan(board.arena, found)
    return snapshot


def _ratings(snapshot: Snapshot, ranking: Ranking) -> list[Rating]:
    finite = ranking.as_dict()["ratings"]
    return [
        Rating(
            snapshot=snapshot,
            system_id=int(row["item"]),
            score=row["score"],
            low=row["low"],
            high=row["high"],
            rank_low=row["rank_low"],
            rank_high=row["rank_high"],
            ballots=row["n"],
            wins=row["wins"],
            ties=row["ties"],
            losses=row["losses"],
            component=row["component"],
            is_separated=row["separated"],
            is_provisional=row["provisional"],
        )
        for row in finite
    ]


def _publish_plan(arena: Arena, found: Comparisons) -> None:
    """Battles go where the fewest were: the weight of a pair is 1 / (1 + its ballots)."""
    if not arena.is_open:
        return
    counts: Counter[tuple[int, int]] = Counter()
    for row in found.rows:
        counts.update(combinations(sorted(row.systems), 2))
    weights = [(a, b, 1 / (1 + n)) for (a, b), n in sorted(counts.items())]
    pairing_plan_publish(arena=arena, rule=LEAST_COMPARED, weights=weights)


def snapshot_refresh(*, board: Board) -> Snapshot | None:
    """Build a snapshot if rows came or went since the newest one."""
    newest = board.snapshots.order_by("-id").first()
    if newest and newest.question == board_question(board):
        known = Extent(newest.cutoff_id, newest.excluded_count, newest.vote_count)
        if known == extent(board):
            return None
    return snapshot_build(board=board)


def arena_refresh(*, arena: Arena, now: datetime) -> list[Snapshot]:
    """Bring every board of an arena up to date, at most once per debounce time.

    When another worker is at it, or was just now, the request is sent again for a little later: the vote
    behind it may have missed that fit.
    """
    built = []
    for board in arena.boards.select_related("arena__criterion", "judge"):
        newest = board.snapshots.order_by("-id").values_list("created_at", flat=True).first()
        age_s = (now - newest).total_seconds() if newest else settings.SNAPSHOT_DEBOUNCE_S
        if age_s < settings.SNAPSHOT_DEBOUNCE_S:
            _ask_again(arena, wait_s=settings.SNAPSHOT_DEBOUNCE_S - age_s)
            continue
        with transaction.atomic():
            if not _lock(board):
                _ask_again(arena, wait_s=settings.SNAPSHOT_DEBOUNCE_S)
                continue
            snapshot = snapshot_refresh(board=board)
        if snapshot:
            built.append(snapshot)
    heartbeat("snapshots")
    return built


def _ask_again(arena: Arena, *, wait_s: float) -> None:
    enqueue(Task.SNAPSHOT, arena_id=arena.pk, countdown_s=max(0.2, wait_s))


def _lock(board: Board) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [LOCK_SPACE, board.pk])
        row = cursor.fetchone()
    return bool(row and row[0])


def snapshots_thin(*, now: datetime) -> int:
    """After two days keep the last snapshot of each day; released ones stay for ever."""
    old = Snapshot.objects.filter(created_at__lt=now - KEEP_ALL, is_released=False, exports__isnull=True)
    keep: dict[tuple[int, Any], int] = {}
    for pk, board_id, created_at in old.order_by("id").values_list("pk", "board_id", "created_at"):
        keep[board_id, timezone.localdate(created_at)] = pk
    deleted, _ = old.exclude(pk__in=keep.values()).delete()
    return deleted

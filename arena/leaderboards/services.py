"""Writes on boards: build a snapshot, keep boards up to date, publish the pairing plan, thin the past."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from arena.battles.draw import LEAST_COMPARED, least_compared, meetings
from arena.battles.services import pairing_plan_publish
from arena.catalog.models import Arena
from arena.core.health import heartbeat
from arena.core.queue import Task, enqueue
from arena.core.version import code_version
from arena.leaderboards.comparisons import Extent, comparisons, extent
from arena.leaderboards.models import Board, Rating, Refresh, Snapshot
from arena.ranking import Ranking, RankingError, meeting_counts
from arena.ranking.errors import IncompleteState
from arena.ranking.pairing import State
from arena.ranking.pairing.rules import pair_plan
from arena.ranking.registry import features_asked, fit_from_settings

logger = structlog.get_logger(__name__)

# The default question: Bradley-Terry, a tie is half a win, intervals clustered by voter for people
# (votes of one person are alike) and by prompt for an evaluator (its scores of one prompt are one ballot).
DEFAULTS: dict[str, Any] = {
    "model": "bradley-terry",
    "ties": "half",
    "both_bad": "tie",
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


class Built(NamedTuple):
    """A new snapshot, and the fit that it was made of."""

    snapshot: Snapshot
    ranking: Ranking


def snapshot_build(*, board: Board, force: bool = False, released: bool = False) -> Snapshot | None:
    """Fit the board on the rows that exist now. None when there is nothing to fit or nothing new.

    `force` builds a snapshot of unchanged rows too; `released` marks it as belonging to a data release.
    """
    built = _build(board, force=force, released=released)
    return built.snapshot if built else None


@transaction.atomic
def _build(board: Board, *, force: bool = False, released: bool = False) -> Built | None:
    started = time.perf_counter()
    features = features_asked(ranking_settings(board))
    found = comparisons(board, with_responses=bool(features))
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
    ballots = found.ballots(features=features)
    fit_started = time.perf_counter()
    ranking = fit_from_settings(ranking_settings(board), ballots)
    fit_ms = round((time.perf_counter() - fit_started) * 1000)
    snapshot = Snapshot.objects.create(
        board=board,
        question=board_question(board),
        diagnostics=ranking.as_dict()["diagnostics"],
        ballot_count=len(found.rows),
        vote_count=found.extent.vote_count,
        excluded_count=found.extent.excluded_count,
        cutoff_id=found.extent.cutoff_id,
        exclusion_cutoff_id=found.extent.exclusion_cutoff_id,
        fingerprint=fingerprint,
        last_vote_at=found.last_at,
        code_version=code_version(),
        fit_ms=fit_ms,
        build_ms=round((time.perf_counter() - started) * 1000),
        is_released=released,
    )
    Rating.objects.bulk_create(_ratings(snapshot, ranking))
    return Built(snapshot, ranking)


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


def snapshot_refresh(*, board: Board) -> Snapshot | None:
    """Build a snapshot if rows came or went since the newest one."""
    built = _refresh(board)
    return built.snapshot if built else None


def _refresh(board: Board) -> Built | None:
    newest = board.snapshots.order_by("-id").first()
    if newest and newest.question == board_question(board):
        known = Extent(newest.cutoff_id, newest.vote_count, newest.excluded_count, newest.exclusion_cutoff_id)
        if known == extent(board):
            return None
    return _build(board)


def arena_refresh(*, arena: Arena, now: datetime) -> list[Snapshot]:
    """Bring every board of an arena up to date, at most once per debounce time, and then the pairing plan.

    When another worker is at a board, or was just now, one request is kept for a little later: the vote
    behind this call may have missed that fit. A board that cannot be fitted holds up no other.
    """
    Refresh.objects.filter(arena=arena).update(due_at=None)
    built: list[Built] = []
    waits_s = []
    for board in arena.boards.select_related("arena__criterion", "judge"):
        try:
            fresh = _refresh_debounced(board, now=now)
        except TooEarly as error:
            waits_s.append(error.wait_s)
            continue
        except RankingError:
            logger.exception("board_not_fitted", board=board.pk, arena=arena.slug)
            continue
        if fresh:
            built.append(fresh)
    if waits_s:
        _ask_again(arena, now=now, wait_s=max(waits_s))
    by_people = [fresh.ranking for fresh in built if fresh.snapshot.board.judge_id is None]
    if arena.is_open and by_people:
        rule, weights = plan_made(arena=arena, ranking=by_people[0])
        pairing_plan_publish(arena=arena, rule=rule, weights=weights)
    heartbeat("snapshots")
    return [fresh.snapshot for fresh in built]


def plan_made(*, arena: Arena, ranking: Ranking) -> tuple[str, list[tuple[int, int, float]]]:
    """The arena's pairing rule on its newest board of people: its name and the weight of every pair.

    A rule that reads strengths needs a board in Elo points with intervals; without, who met least meets next.
    """
    rule = arena.pairing.get("rule", LEAST_COMPARED)
    if rule == LEAST_COMPARED:
        return LEAST_COMPARED, least_compared(arena=arena)
    systems = tuple(str(pk) for pk in arena.systems.order_by("pk").values_list("pk", flat=True))
    met = meeting_counts(systems, ((str(a), str(b), n) for a, b, n in meetings(arena=arena)))
    try:
        if ranking.settings.get("unit") not in (None, "Elo points"):
            raise IncompleteState("its scores are no strengths")
        plan = pair_plan(arena.pairing, State.from_ranking(systems, ranking, met))
    except (RankingError, TypeError, ValueError) as error:
        logger.warning("pairing_rule_not_followed", arena=arena.pk, rule=rule, reason=str(error))
        return LEAST_COMPARED, least_compared(arena=arena)
    first, second = np.triu_indices(len(systems), 1)
    # A system that is admitted later has no weight yet and counts 1, the mean.
    weight = plan.probability[first, second] * first.size
    return rule, [
        (int(systems[a]), int(systems[b]), w)
        for a, b, w in zip(first.tolist(), second.tolist(), weight.tolist(), strict=True)
    ]


class TooEarly(Exception):
    """The board was fitted a moment ago, or is being fitted."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = wait_s


@transaction.atomic
def _refresh_debounced(board: Board, *, now: datetime) -> Built | None:
    newest = board.snapshots.order_by("-id").values("created_at", "build_ms").first()
    if newest:
        # A board that takes long to build is built less often, so that one arena cannot fill the worker.
        pause_s = max(settings.SNAPSHOT_DEBOUNCE_S, 3 * newest["build_ms"] / 1000)
        age_s = (now - newest["created_at"]).total_seconds()
        if age_s < pause_s:
            raise TooEarly(pause_s - age_s)
    if not _lock(board):
        raise TooEarly(settings.SNAPSHOT_DEBOUNCE_S)
    return _refresh(board)


def _ask_again(arena: Arena, *, now: datetime, wait_s: float) -> None:
    """Keep one pending request per arena; whoever finds one leaves it at that."""
    Refresh.objects.get_or_create(arena=arena)
    free = Refresh.objects.filter(Q(due_at__isnull=True) | Q(due_at__lt=now), arena=arena)
    if free.update(due_at=now + timedelta(seconds=wait_s)):
        enqueue(Task.SNAPSHOT, arena_id=arena.pk, countdown_s=max(0.2, wait_s))


def _lock(board: Board) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [LOCK_SPACE, board.pk])
        row = cursor.fetchone()
    return bool(row and row[0])


def snapshots_thin(*, now: datetime) -> int:
    """After two days keep the last snapshot of each day; released ones stay for ever."""
    old = Snapshot.objects.filter(created_at__lt=now - KEEP_ALL, is_released=False)
    keep: dict[tuple[int, Any], int] = {}
    for pk, board_id, created_at in old.order_by("id").values_list("pk", "board_id", "created_at"):
        keep[board_id, timezone.localdate(created_at)] = pk
    deleted, _ = old.exclude(pk__in=keep.values()).delete()
    return deleted


def boards_ensure() -> int:
    """Give every arena that has no board at all one of people's votes; returns how many were made."""
    bare = Arena.objects.filter(boards__isnull=True)
    boards = [Board(arena=arena, slug="people", name="People", position=1) for arena in bare]
    return len(Board.objects.bulk_create(boards, ignore_conflicts=True))

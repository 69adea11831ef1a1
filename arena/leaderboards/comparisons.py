"""Reads the comparisons that a board asks about, as rows for the ranking library."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import datetime
from typing import NamedTuple

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, Max, Q, QuerySet

from arena.battles.models import Battle
from arena.generation.models import Response
from arena.judging.models import Score, Verdict
from arena.leaderboards.models import Board
from arena.ranking import Ballots
from arena.votes.models import Vote, VoteQuerySet

SYSTEMS_IN_ORDER = ArrayAgg("battle__slots__system_id", order_by="battle__slots__position")
SCORE_TIE = 1e-9


class Comparison(NamedTuple):
    """One ballot: the systems by position and their ranks."""

    systems: list[int]
    ranks: list[int | None]
    all_bad: bool
    voter: int | None
    prompt: int


class Comparisons(NamedTuple):
    rows: list[Comparison]
    vote_count: int
    excluded_count: int
    cutoff_id: int
    last_at: datetime | None

    def fingerprint(self) -> str:
        """Changes when, and only when, the rows change."""
        digest = hashlib.sha256()
        for row in self.rows:
            digest.update(repr(tuple(row)).encode())
        return digest.hexdigest()

    def ballots(self) -> Ballots:
        """In the ranking library's shape; items are system ids as text."""
        return Ballots.from_rankings(
            [
                [(str(system), rank) for system, rank in zip(row.systems, row.ranks, strict=True)]
                for row in self.rows
            ],
            all_bad=[row.all_bad for row in self.rows],
            # A forgotten voter is nobody's twin: unknown voters are clusters of their own.
            voter=[row.voter for row in self.rows],
            prompt=[row.prompt for row in self.rows],
        )


class Extent(NamedTuple):
    """How far the rows behind a board reach; cheap to read, compared with the newest snapshot."""

    cutoff_id: int
    excluded_count: int
    vote_count: int


def votes_asked(board: Board) -> VoteQuerySet:
    """Every vote the board's question is about, counted or not."""
    votes = Vote.objects.in_arena(board.arena_id).ranked().filter(criterion=board.arena.criterion_id)
    if board.vote_source == Board.VoteSource.IMPORTED:
        return votes.filter(battle__source=Battle.Source.IMPORTED)
    if board.vote_source == Board.VoteSource.OWN:
        return votes.exclude(battle__source=Battle.Source.IMPORTED)
    return votes


def extent(board: Board) -> Extent:
    if board.judge_id is None:
        found = votes_asked(board).aggregate(
            cutoff_id=Max("id"),
            count=Count("id", distinct=True),
            excluded_count=Count("id", distinct=True, filter=Q(exclusions__isnull=False)),
        )
        counted = found["count"] - found["excluded_count"]
        return Extent(found["cutoff_id"] or 0, found["excluded_count"], counted)
    rows: QuerySet[Verdict] | QuerySet[Score] = (
        _scores(board) if board.judge and board.judge.kind == "scorer" else _verdicts(board)
    )
    found = rows.aggregate(cutoff_id=Max("id"), count=Count("id"))
    return Extent(found["cutoff_id"] or 0, 0, found["count"])


def comparisons(board: Board) -> Comparisons:
    """All rows that answer the board's question now."""
    if board.judge_id is None:
        return _from_votes(board)
    if board.judge and board.judge.kind == "scorer":
        return _from_scores(board)
    return _from_verdicts(board)


def _from_votes(board: Board) -> Comparisons:
    asked = votes_asked(board)
    rows = (
        asked.counted()
        .annotate(systems=SYSTEMS_IN_ORDER)
        .order_by("id")
        .values_list("id", "created_at", "systems", "ranks", "all_bad", "voter_id", "battle__prompt_id")
    )
    found, cutoff_id, last_at = [], 0, None
    for newest_id, created_at, systems, ranks, all_bad, voter, prompt in rows.iterator(chunk_size=5000):
        found.append(Comparison(systems, ranks, all_bad, voter, prompt))
        cutoff_id = newest_id
        last_at = max(last_at, created_at) if last_at else created_at
    excluded = asked.filter(exclusions__isnull=False).distinct()
    cutoff_id = max(cutoff_id, asked.aggregate(newest=Max("id"))["newest"] or 0)
    return Comparisons(found, len(found), excluded.count(), cutoff_id, last_at)


def _verdicts(board: Board) -> QuerySet[Verdict]:
    return Verdict.objects.filter(judge=board.judge_id, battle__arena=board.arena_id)


def _from_verdicts(board: Board) -> Comparisons:
    rows = (
        _verdicts(board)
        .annotate(systems=SYSTEMS_IN_ORDER)
        .order_by("id")
        .values_list("id", "created_at", "systems", "ranks", "all_bad", "battle__prompt_id")
    )
    found, cutoff_id, last_at = [], 0, None
    for newest_id, created_at, systems, ranks, all_bad, prompt in rows.iterator(chunk_size=5000):
        found.append(Comparison(systems, ranks, all_bad, None, prompt))
        cutoff_id = newest_id
        last_at = max(last_at, created_at) if last_at else created_at
    return Comparisons(found, len(found), 0, cutoff_id, last_at)


def _scores(board: Board) -> QuerySet[Score]:
    of_sets = Response.objects.filter(prompt__prompt_set__arenas=board.arena_id)
    of_voters = Response.objects.filter(prompt__battles__arena=board.arena_id)
    responses = Response.objects.filter(
        Q(pk__in=of_sets.values("pk")) | Q(pk__in=of_voters.values("pk")),
        is_test=False,
        system__admissions__arena=board.arena_id,
    )
    return Score.objects.filter(judge=board.judge_id, response__in=responses)


def _from_scores(board: Board) -> Comparisons:
    """The scores of one prompt are one K-wise ballot: higher is better, equal is a tie."""
    by_prompt: dict[int, dict[int, float]] = defaultdict(dict)
    rows = (
        _scores(board)
        .order_by("id")
        .values_list("id", "created_at", "response__prompt_id", "response__system_id", "value")
    )
    count, cutoff_id, last_at = 0, 0, None
    for score_id, created_at, prompt, system, value in rows.iterator(chunk_size=5000):
        by_prompt[prompt].setdefault(system, value)
        count, cutoff_id = count + 1, score_id
        last_at = max(last_at, created_at) if last_at else created_at
    found = [
        Comparison(list(values), list(ranks_of(list(values.values()))), False, None, prompt)
        for prompt, values in by_prompt.items()
        if len(values) >= 2
    ]
    return Comparisons(found, count, 0, cutoff_id, last_at)


def ranks_of(values: list[float]) -> list[int]:
    """Dense ranks, 1 for the highest value; values closer than rounding error are equal."""
    ranks: dict[float, int] = {}
    rank, last = 0, None
    for value in sorted(values, reverse=True):
        if last is None or last - value > SCORE_TIE:
            rank, last = rank + 1, value
        ranks[value] = rank
    return [ranks[value] for value in values]

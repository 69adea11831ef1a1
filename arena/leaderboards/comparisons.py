"""Reads the comparisons that a board asks about, as rows for the ranking library."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.postgres.aggregates import ArrayAgg
from django.contrib.postgres.fields import ArrayField
from django.db.models import BigIntegerField, Count, Max, Q, QuerySet, Value
from django.db.models.functions import Coalesce

from arena.battles.models import Battle
from arena.catalog.models import Admission, Prompt, PromptSet
from arena.generation.selectors import response_styles
from arena.judging.models import JudgeSpec, Score, Verdict
from arena.leaderboards.models import Board
from arena.ranking import Ballots
from arena.ranking.covariates.style import feature_rows
from arena.votes.models import Vote, VoteExclusion, VoteQuerySet

SYSTEMS_IN_ORDER = ArrayAgg("battle__slots__system_id", order_by="battle__slots__position")
RESPONSES_IN_ORDER = ArrayAgg(
    Coalesce("battle__slots__response_id", "battle__slots__job__response__id"),
    order_by="battle__slots__position",
)
SCORE_TIE = 1e-9


class Comparison(NamedTuple):
    """One ballot: the systems by position and their ranks."""

    systems: list[int]
    ranks: list[int | None]
    all_bad: bool
    voter: int | None
    prompt: int
    chance: float | None = None
    responses: list[int | None] = []
    """By position, where the board reads the answers' features; a published vote may have none."""


class Extent(NamedTuple):
    """How far the rows behind a board reach; cheap to read, compared with the newest snapshot's."""

    cutoff_id: int
    vote_count: int
    excluded_count: int = 0
    exclusion_cutoff_id: int = 0


class Comparisons(NamedTuple):
    rows: list[Comparison]
    extent: Extent
    last_at: datetime | None

    def fingerprint(self) -> str:
        """Changes when, and only when, the rows or what was left out change."""
        digest = hashlib.sha256(repr(tuple(self.extent)).encode())
        for row in self.rows:
            digest.update(repr(tuple(row)).encode())
        return digest.hexdigest()

    def ballots(self, *, features: Sequence[str] = ()) -> Ballots:
        """In the ranking library's shape; items are system ids as text. `features` are counts of the answers'
        style, for rows that were read with their responses.
        """
        styles = response_styles({r for row in self.rows for r in row.responses if r}) if features else {}
        chances = [row.chance for row in self.rows if row.chance is not None]
        return Ballots.from_rankings(
            [
                [(str(system), rank) for system, rank in zip(row.systems, row.ranks, strict=True)]
                for row in self.rows
            ],
            all_bad=[row.all_bad for row in self.rows],
            # A forgotten voter is nobody's twin: unknown voters are clusters of their own.
            voter=[row.voter for row in self.rows],
            prompt=[row.prompt for row in self.rows],
            chance=chances if len(chances) == len(self.rows) else None,
            features=feature_rows([styles.get(r or 0) for row in self.rows for r in row.responses], features),
            feature_names=features,
        )


def votes_asked(board: Board) -> VoteQuerySet:
    """Every vote the board's question is about, counted or not."""
    votes = Vote.objects.in_arena(board.arena_id).ranked().filter(criterion=board.arena.criterion_id)
    if board.vote_source == Board.VoteSource.IMPORTED:
        return votes.filter(battle__source=Battle.Source.IMPORTED)
    if board.vote_source == Board.VoteSource.OWN:
        return votes.exclude(battle__source=Battle.Source.IMPORTED)
    return votes


def extent(board: Board) -> Extent:
    """Where the rows behind a board end now."""
    if board.judge is None:
        asked = votes_asked(board)
        cutoff_id, count = asked.aggregate(newest=Max("id"), count=Count("id")).values()
        excluded = VoteExclusion.objects.filter(vote__in=asked)
        newest_exclusion, excluded_count = excluded.aggregate(
            newest=Max("id"), count=Count("vote", distinct=True)
        ).values()
        return Extent(cutoff_id or 0, count - excluded_count, excluded_count, newest_exclusion or 0)
    rows: QuerySet[Verdict] | QuerySet[Score] = (
        _scores(board) if board.judge.kind == JudgeSpec.Kind.SCORER else _verdicts(board)
    )
    cutoff_id, count = rows.aggregate(newest=Max("id"), count=Count("id")).values()
    return Extent(cutoff_id or 0, count)


def comparisons(board: Board, *, with_responses: bool = False) -> Comparisons:
    """All rows that answer the board's question now."""
    if board.judge is None:
        return _from_votes(board, _responses(with_responses))
    if board.judge.kind == JudgeSpec.Kind.SCORER:
        return _from_scores(board, with_responses=with_responses)
    return _from_verdicts(board, _responses(with_responses))


def _responses(are_read: bool) -> Any:
    return RESPONSES_IN_ORDER if are_read else Value([], output_field=ArrayField(BigIntegerField()))


def _from_votes(board: Board, responses: Any) -> Comparisons:
    # The end is read first: a vote that comes in meanwhile belongs to the next snapshot, whole.
    end = extent(board)
    rows = votes_asked(board).counted().filter(id__lte=end.cutoff_id)
    return _read(rows, "voter_id", responses, end)


def _verdicts(board: Board) -> QuerySet[Verdict]:
    return Verdict.objects.filter(judge=board.judge_id, battle__arena=board.arena_id)


def _from_verdicts(board: Board, responses: Any) -> Comparisons:
    end = extent(board)
    rows = _verdicts(board).filter(id__lte=end.cutoff_id)
    return _read(rows, Value(None, output_field=BigIntegerField(null=True)), responses, end)


def _read(rows: QuerySet[Any], voter: Any, responses: Any, end: Extent) -> Comparisons:
    """Votes or verdicts, oldest first. `voter` is a field or an expression, `responses` an expression."""
    values_of = (
        rows.annotate(systems=SYSTEMS_IN_ORDER, responses=responses)
        .order_by("id")
        .values_list(
            "created_at",
            "systems",
            "ranks",
            "all_bad",
            voter,
            "battle__prompt_id",
            "battle__draw_probability",
            "responses",
        )
    )
    found, last_at = [], None
    for created_at, *values in values_of.iterator(chunk_size=5000):
        found.append(Comparison(*values))
        last_at = max(last_at, created_at) if last_at else created_at
    return Comparisons(found, end._replace(vote_count=len(found)), last_at)


def _scores(board: Board) -> QuerySet[Score]:
    """Scores of admitted systems on the arena's prompt sets and on its voters' own prompts.

    A live battle must not move the board while it is blind: the rows that move would name its systems.
    """
    of_sets = Prompt.objects.filter(prompt_set__in=PromptSet.objects.filter(arenas=board.arena_id))
    of_voters = Battle.objects.filter(
        arena=board.arena_id, source=Battle.Source.LIVE, closed_at__isnull=False
    ).values("prompt")
    return Score.objects.filter(
        Q(response__prompt__in=of_sets) | Q(response__prompt__in=of_voters),
        judge=board.judge_id,
        response__is_test=False,
        response__system__in=Admission.objects.filter(arena=board.arena_id).values("system"),
    )


def _from_scores(board: Board, *, with_responses: bool) -> Comparisons:
    """The scores of one prompt are one K-wise ballot: higher is better, equal is a tie."""
    by_prompt: dict[int, dict[int, float]] = defaultdict(dict)
    response_of: dict[tuple[int, int], int] = {}
    end = extent(board)
    rows = (
        _scores(board)
        .filter(id__lte=end.cutoff_id)
        .order_by("id")
        .values_list("created_at", "response__prompt_id", "response__system_id", "value", "response_id")
    )
    count, last_at = 0, None
    for created_at, prompt, system, value, response in rows.iterator(chunk_size=5000):
        by_prompt[prompt].setdefault(system, value)
        response_of.setdefault((prompt, system), response)
        count += 1
        last_at = max(last_at, created_at) if last_at else created_at
    found = [
        Comparison(
            list(values),
            list(ranks_of(list(values.values()))),
            False,
            None,
            prompt,
            responses=[response_of[prompt, system] for system in values] if with_responses else [],
        )
        for prompt, values in by_prompt.items()
        if len(values) >= 2
    ]
    return Comparisons(found, end._replace(vote_count=count), last_at)


def ranks_of(values: list[float]) -> list[int]:
    """Dense ranks, 1 for the highest value; values closer than rounding error are equal."""
    ranks: dict[float, int] = {}
    rank, last = 0, None
    for value in sorted(values, reverse=True):
        if last is None or last - value > SCORE_TIE:
            rank, last = rank + 1, value
        ranks[value] = rank
    return [ranks[value] for value in values]

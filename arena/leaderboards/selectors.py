"""Reads on boards: what a page shows of a snapshot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arena.battles.models import Battle
from arena.catalog.models import Arena
from arena.core.scale import Scale
from arena.leaderboards.models import Board, Rating, Snapshot
from arena.ranking.registry import MODELS
from arena.votes.models import Vote, VoteExclusion

# (age of the vote in seconds, pause between two looks): a page left open asks ever less, and then no more.
POLLS = ((10, 1), (60, 5), (600, 30))


@dataclass(frozen=True)
class BoardView:
    """A board with the rows of one snapshot, in the order asked for."""

    board: Board
    snapshot: Snapshot | None
    rows: list[Rating]
    scale: Scale
    sort: str
    total: int
    """Systems on the board; `rows` may be the first of them only."""

    @property
    def components(self) -> int:
        return len({row.component for row in self.rows if row.component is not None})

    @property
    def level(self) -> str:
        """The level of the intervals, as in “95 %”."""
        level = self.snapshot.question["ranking"]["level"] if self.snapshot else 0.95
        return f"{level * 100:g} %"

    @property
    def model_name(self) -> str:
        if self.snapshot is None:
            return ""
        name: str = self.snapshot.question["ranking"]["model"]
        return MODELS[name].title if name in MODELS else name

    @property
    def unit(self) -> str:
        """What a score is, where it is not in Elo points."""
        return str(self.snapshot.diagnostics.get("unit", "")) if self.snapshot else ""

    @property
    def interval_note(self) -> str:
        """What the interval treats as independent, in words."""
        if self.snapshot is None:
            return ""
        diagnostics = self.snapshot.diagnostics
        used, asked = diagnostics.get("cluster"), diagnostics.get("cluster_asked")
        if used is None:
            return "no interval yet: one ballot shows no spread"
        note = f"{self.level} intervals clustered by {used}"
        return note if used == asked else f"{note} (too few {asked}s yet to cluster by {asked})"


@dataclass(frozen=True)
class ArenaCard:
    arena: Arena
    boards: list[BoardView]


SORTS: dict[str, Callable[[Rating], Any]] = {
    "system": lambda row: row.system.name.casefold(),
    "votes": lambda row: (-row.ballots, row.system.name),
    "organisation": lambda row: (row.system.organisation.casefold() or "~", row.system.name),
    "licence": lambda row: (row.system.licence.casefold() or "~", row.system.name),
}
"""Orders that know nothing of the board; "rank" and "score" are the others."""


def _sorted(rows: list[Rating], sort: str, *, sign: int) -> list[Rating]:
    """`sign` is -1 where the least score is the best one, as with average places."""

    def by_score(row: Rating) -> Any:
        return (row.score is None, -sign * (row.score or 0))

    def by_rank(row: Rating) -> Any:
        return (row.component is None, row.component, *by_score(row), row.system.name)

    return sorted(rows, key=SORTS.get(sort, by_score if sort == "score" else by_rank))


def board_view(*, board: Board, sort: str = "rank") -> BoardView:
    return _views([board], sort=sort)[0]


def _views(boards: list[Board], *, sort: str = "rank", limit: int | None = None) -> list[BoardView]:
    """Boards with the rows of their newest snapshots, in two queries however many there are."""
    newest = Snapshot.objects.filter(board__in=boards).order_by("board_id", "-id").distinct("board_id")
    snapshots = {snapshot.board_id: snapshot for snapshot in newest}
    by_snapshot: dict[int, list[Rating]] = defaultdict(list)
    for rating in Rating.objects.filter(snapshot__in=snapshots.values()).select_related("system"):
        by_snapshot[rating.snapshot_id].append(rating)
    key = sort if sort in (*SORTS, "score") else "rank"
    views = []
    for board in boards:
        snapshot = snapshots.get(board.pk)
        sign = -1 if snapshot and snapshot.diagnostics.get("least_is_best") else 1
        rows = _sorted(by_snapshot[snapshot.pk] if snapshot else [], key, sign=sign)
        scale = Scale.spanning(bound for row in rows for bound in (row.low, row.score, row.high))
        views.append(BoardView(board, snapshot, rows[:limit], scale, key, len(rows)))
    return views


def boards_published(*, arena: Arena) -> list[Board]:
    return list(arena.boards.filter(is_published=True).select_related("judge", "arena__criterion"))


def arena_cards(*, arenas: list[Arena], rows: int | None = None) -> list[ArenaCard]:
    """Each arena with its first board of people and its first automatic one."""
    boards = Board.objects.filter(arena__in=arenas, is_published=True).select_related("judge", "arena")
    first: dict[tuple[int, str], Board] = {}
    for board in boards.order_by("position", "id"):
        first.setdefault((board.arena_id, board.voters), board)
    by_arena: dict[int, list[BoardView]] = defaultdict(list)
    for view in _views(list(first.values()), limit=rows):
        by_arena[view.board.arena_id].append(view)
    for views in by_arena.values():
        views.sort(key=lambda view: view.board.voters != Board.Voters.HUMAN)
    return [ArenaCard(arena, by_arena[arena.pk]) for arena in arenas]


def arenas_listed() -> list[Arena]:
    return list(Arena.objects.filter(is_listed=True).select_related("criterion"))


@dataclass(frozen=True)
class RevealedSide:
    letter: str
    system: Any
    text: str
    is_chosen: bool
    before: Rating | None
    after: Rating | None


@dataclass(frozen=True)
class Reveal:
    battle: Battle
    vote: Vote
    exclusion: VoteExclusion | None
    sides: list[RevealedSide]
    scale: Scale
    is_fresh: bool
    poll_s: int
    """Seconds until the page asks again: one at first, then ever fewer requests; 0 = no more."""


def battle_reveal(*, battle: Battle, vote: Vote, now: datetime) -> Reveal:
    """The names behind a voted battle, with ratings from before the vote and from a snapshot that has it."""
    board = next((b for b in boards_published(arena=battle.arena) if _asks_about(b, battle)), None)
    slots = list(battle.slots.select_related("system", "response", "job__response").order_by("position"))
    systems = [slot.system_id for slot in slots]
    snapshots = Snapshot.objects.filter(board=board).defer("diagnostics", "question")
    has_vote = snapshots.filter(cutoff_id__gte=vote.pk)
    old = _by_system(snapshots.filter(cutoff_id__lt=vote.pk).order_by("-id").first(), systems)
    new = _by_system(has_vote.order_by("id").first(), systems)
    exclusion = vote.exclusions.first()
    sides = [
        RevealedSide(
            letter=slot.letter,
            system=slot.system,
            text=slot.ready_response.text if slot.ready_response else "",
            is_chosen=not vote.is_skip and vote.ranks[slot.position] == 1 and vote.ranks.count(1) == 1,
            before=old.get(slot.system_id),
            after=new.get(slot.system_id),
        )
        for slot in slots
    ]
    shown = [rating for side in sides for rating in (side.before, side.after) if rating]
    scale = Scale.spanning(bound for rating in shown for bound in (rating.low, rating.score, rating.high))
    is_settled = vote.is_skip or exclusion is not None or board is None
    age_s = (now - vote.created_at).total_seconds()
    return Reveal(
        battle=battle,
        vote=vote,
        exclusion=exclusion,
        sides=sides,
        scale=scale,
        is_fresh=is_settled or bool(new),
        poll_s=next((pause for until, pause in POLLS if age_s < until), 0),
    )


def _asks_about(board: Board, battle: Battle) -> bool:
    imported = battle.source == Battle.Source.IMPORTED
    unasked = Board.VoteSource.OWN if imported else Board.VoteSource.IMPORTED
    return board.voters == Board.Voters.HUMAN and board.vote_source != unasked


def _by_system(snapshot: Snapshot | None, systems: list[int]) -> dict[int, Rating]:
    if snapshot is None:
        return {}
    return {rating.system_id: rating for rating in snapshot.ratings.filter(system__in=systems)}

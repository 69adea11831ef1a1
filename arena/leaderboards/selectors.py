"""Reads on boards: what a page shows of a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from arena.battles.models import Battle
from arena.catalog.models import Arena
from arena.core.scale import Scale
from arena.generation.selectors import StockProgress, stock_progress
from arena.leaderboards.models import Board, Rating, Snapshot
from arena.votes.models import Vote


@dataclass(frozen=True)
class BoardView:
    """A board with the rows of one snapshot, in the order asked for."""

    board: Board
    snapshot: Snapshot | None
    rows: list[Rating]
    scale: Scale
    sort: str

    @property
    def components(self) -> int:
        return len({row.component for row in self.rows if row.component is not None})

    @property
    def interval_note(self) -> str:
        """What the interval treats as independent, in words."""
        if self.snapshot is None:
            return ""
        diagnostics, level = self.snapshot.diagnostics, self.snapshot.question["ranking"]["level"]
        used, asked = diagnostics.get("cluster"), diagnostics.get("cluster_asked")
        if used is None:
            return "no interval yet: one ballot shows no spread"
        note = f"{level * 100:g} % intervals clustered by {used}"
        return note if used == asked else f"{note} (too few {asked}s yet to cluster by {asked})"


@dataclass(frozen=True)
class ArenaCard:
    arena: Arena
    boards: list[BoardView]
    stock: StockProgress


def _by_rank(row: Rating) -> Any:
    return (row.component is None, row.component, row.score is None, -(row.score or 0), row.system.name)


SORTS: dict[str, Callable[[Rating], Any]] = {
    "rank": _by_rank,
    "system": lambda row: row.system.name.casefold(),
    "score": lambda row: (row.score is None, -(row.score or 0)),
    "votes": lambda row: (-row.ballots, row.system.name),
    "organisation": lambda row: (row.system.organisation.casefold() or "~", row.system.name),
    "licence": lambda row: (row.system.licence.casefold() or "~", row.system.name),
}


def board_latest_snapshot(*, board: Board) -> Snapshot | None:
    return board.snapshots.order_by("-id").first()


def board_view(*, board: Board, sort: str = "rank", limit: int | None = None) -> BoardView:
    snapshot = board_latest_snapshot(board=board)
    rows = list(snapshot.ratings.select_related("system")) if snapshot else []
    scale = Scale.spanning(bound for row in rows for bound in (row.low, row.score, row.high))
    rows.sort(key=SORTS.get(sort, _by_rank))
    return BoardView(board, snapshot, rows[:limit], scale, sort if sort in SORTS else "rank")


def boards_published(*, arena: Arena) -> list[Board]:
    return list(arena.boards.filter(is_published=True).select_related("judge", "arena"))


def arena_card(*, arena: Arena, rows: int) -> ArenaCard:
    boards = boards_published(arena=arena)
    first = {board.voters: board for board in reversed(boards)}
    views = [board_view(board=board, limit=rows) for _, board in sorted(first.items())]
    return ArenaCard(arena, views, stock_progress(arena=arena))


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
    exclusion: str
    sides: list[RevealedSide]
    board: Board | None
    scale: Scale
    is_fresh: bool


def battle_reveal(*, battle: Battle, vote: Vote) -> Reveal:
    """The names behind a voted battle, with ratings from before the vote and from a snapshot that has it."""
    board = next((b for b in boards_published(arena=battle.arena) if _asks_about(b, battle)), None)
    snapshots = board.snapshots.order_by("-id") if board else Snapshot.objects.none()
    after = snapshots.filter(cutoff_id__gte=vote.pk).last()
    before = snapshots.filter(cutoff_id__lt=vote.pk).first()
    old, new = _by_system(before), _by_system(after)
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
        for slot in battle.slots.select_related("system", "response", "job__response").order_by("position")
    ]
    shown = [rating for side in sides for rating in (side.before, side.after) if rating]
    scale = Scale.spanning(bound for rating in shown for bound in (rating.low, rating.score, rating.high))
    is_settled = vote.is_skip or exclusion is not None or board is None
    return Reveal(
        battle, vote, exclusion.detail if exclusion else "", sides, board, scale, is_settled or bool(after)
    )


def _asks_about(board: Board, battle: Battle) -> bool:
    imported = battle.source == Battle.Source.IMPORTED
    unasked = Board.VoteSource.OWN if imported else Board.VoteSource.IMPORTED
    return board.voters == Board.Voters.HUMAN and board.vote_source != unasked


def _by_system(snapshot: Snapshot | None) -> dict[int, Rating]:
    return {rating.system_id: rating for rating in snapshot.ratings.all()} if snapshot else {}

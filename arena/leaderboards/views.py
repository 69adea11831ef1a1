"""Pages that show ratings: home, the lists of boards, one board, and the reveal after a vote."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from arena.accounts.middleware import voter_session
from arena.catalog.models import Arena
from arena.core.htmx import page_or_fragment
from arena.generation.selectors import stock_progress
from arena.leaderboards.selectors import (
    arena_cards,
    arenas_listed,
    battle_reveal,
    board_view,
    boards_published,
)
from arena.votes.models import Vote

FIRST_ROWS = 5


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    arenas = arenas_listed()
    context = {
        "cards": arena_cards(arenas=arenas, rows=FIRST_ROWS),
        "stock": stock_progress(arena=arenas[0]) if arenas else None,
    }
    return render(request, "leaderboards/home.html", context)


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    cards = arena_cards(arenas=arenas_listed(), rows=FIRST_ROWS)
    return render(request, "leaderboards/index.html", {"cards": cards})


@require_safe
def arena(request: HttpRequest, arena_slug: str) -> HttpResponse:
    """The arena's first boards: what people say and, apart from it, what an evaluator says."""
    found = get_object_or_404(Arena.objects.select_related("criterion"), slug=arena_slug)
    (card,) = arena_cards(arenas=[found])
    context = {"arena": found, "card": card, "boards": boards_published(arena=found)}
    return page_or_fragment(request, "leaderboards/arena.html", "tables", context)


@require_safe
def board(request: HttpRequest, arena_slug: str, board_slug: str) -> HttpResponse:
    found = get_object_or_404(Arena.objects.select_related("criterion"), slug=arena_slug)
    boards = boards_published(arena=found)
    asked = next((board for board in boards if board.slug == board_slug), None)
    if asked is None:
        raise Http404("There is no such board.")
    view = board_view(board=asked, sort=request.GET.get("sort", "rank"))
    context = {"arena": found, "boards": boards, "view": view}
    return page_or_fragment(request, "leaderboards/board.html", "rows", context)


@never_cache
@require_safe
def result(request: HttpRequest, battle_id: UUID) -> HttpResponse:
    """Names, ratings and, once a newer snapshot has the vote, what it changed."""
    voter = voter_session(request).existing
    vote = get_object_or_404(
        Vote.objects.select_related("battle__arena", "battle__prompt"),
        battle_id=battle_id,
        voter=voter,
        voter__isnull=False,
    )
    if vote.battle.closed_at is None:
        return redirect("battles:battle", battle_id)
    reveal = battle_reveal(battle=vote.battle, vote=vote, now=timezone.now())
    context = {"reveal": reveal, "arena": vote.battle.arena}
    return page_or_fragment(request, "leaderboards/result.html", "ratings", context)

"""Battle pages: open one, ask one, watch it, and nothing that names a system."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from arena.accounts.middleware import voter_session
from arena.battles.draw import NothingToCompare
from arena.battles.forms import AskForm
from arena.battles.models import Battle
from arena.battles.selectors import BattleState, battle_state, releasable_chars, released_chars
from arena.battles.services import ArenaClosed, BattleError, battle_ask, battle_open, battle_watched
from arena.battles.streams import Stream, open_streams
from arena.catalog.models import Arena
from arena.core.htmx import page_or_fragment
from arena.core.markdown import render_untrusted
from arena.core.throttle import Throttle
from arena.generation.selectors import stock_progress

opens = Throttle(settings.OPENS_PER_ADDRESS_PER_MINUTE)
asks = Throttle(settings.ASKS_PER_ADDRESS_PER_MINUTE)

STEP_S = 0.25
STEP_CHARS = 80
STREAM_MAX_S = 30
WATCHED_EVERY_S = 2.0


def battle_of_voter(request: HttpRequest, battle_id: UUID) -> Battle:
    """The battle, for the voter who opened it and nobody else."""
    voter = voter_session(request).existing
    battle = Battle.objects.select_related("arena", "prompt").filter(pk=battle_id).first()
    if battle is None or voter is None or battle.voter_id != voter.pk:
        raise Http404("There is no such battle in this browser.")
    return battle


@never_cache
@require_POST
def battle_open_view(request: HttpRequest, arena_slug: str) -> HttpResponse:
    arena = get_object_or_404(Arena, slug=arena_slug)
    if not opens.allows(request):
        context = {"arena": arena, "error": "Too many battles from this network; please wait a minute."}
        return render(request, "battles/refused.html", context, status=429)
    voter = voter_session(request).ensure()
    try:
        found = battle_open(arena=arena, voter=voter, rng=np.random.default_rng())
    except NothingToCompare:
        return render(request, "battles/nothing.html", {"arena": arena, "stock": stock_progress(arena=arena)})
    except BattleError as error:
        return render(request, "battles/refused.html", {"arena": arena, "error": error}, status=409)
    return redirect("battles:battle", found.pk)


@never_cache
@require_safe
def stock(request: HttpRequest, arena_slug: str) -> HttpResponse:
    """How many answers are ready; the fragment refreshes itself while models work."""
    arena = get_object_or_404(Arena, slug=arena_slug)
    context = {"arena": arena, "stock": stock_progress(arena=arena)}
    return page_or_fragment(request, "battles/nothing.html", "progress", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, arena_slug: str) -> HttpResponse:
    arena = get_object_or_404(Arena, slug=arena_slug, takes_own_prompts=True, is_open=True)
    form = AskForm(request.POST or None)
    status = 200
    if request.method == "POST":
        if not asks.allows(request):
            form.add_error(None, "Too many prompts from this network; please wait a minute.")
            status = 429
        elif form.is_valid():
            voter = voter_session(request).ensure()
            try:
                found = battle_ask(
                    arena=arena,
                    voter=voter,
                    text=form.cleaned_data["text"],
                    now=timezone.now(),
                    rng=np.random.default_rng(),
                )
            except BattleError as error:
                form.add_error("text", str(error))
                status = 409 if isinstance(error, ArenaClosed) else 429
            else:
                return redirect("battles:battle", found.pk)
        else:
            status = 422
    context = {"arena": arena, "form": form, "max_chars": settings.PROMPT_MAX_CHARS}
    return render(request, "battles/ask.html", context, status=status)


@never_cache
@require_safe
def battle(request: HttpRequest, battle_id: UUID) -> HttpResponse:
    found = battle_of_voter(request, battle_id)
    if found.closed_reason == Battle.CloseReason.VOTED:
        return redirect("leaderboards:result", found.pk)
    state = battle_state(battle=found)
    if not state.is_ready:
        battle_watched(battle=found, now=timezone.now())
    return render(request, "battles/battle.html", {"state": state, "arena": found.arena})


@never_cache
@require_safe
def stream(request: HttpRequest, battle_id: UUID) -> HttpResponseBase:
    """Server-sent events with the text of both sides; a reconnect goes on where it stopped."""
    found = battle_of_voter(request, battle_id)
    if not open_streams.take(found.voter_id):
        # The browser stops asking for events; the page reloads itself until both answers are there.
        return HttpResponse(status=204)
    last = request.headers.get("Last-Event-ID", "")
    released = int(last) if last.isascii() and last.isdigit() and len(last) < 8 else 0
    events = Stream(stream_events(found, released), lambda: open_streams.give_back(found.voter_id))
    response = StreamingHttpResponse(events, content_type="text/event-stream")
    response["X-Accel-Buffering"] = "no"
    return response


def stream_events(battle: Battle, released: int) -> Iterator[str]:
    """Release both sides in equal steps of text and time, as fast as the slower one allows."""
    deadline = time.monotonic() + STREAM_MAX_S
    sent, ahead, watched = -1, 0, 0.0
    while time.monotonic() < deadline:
        battle.refresh_from_db(fields=["closed_at", "closed_reason"])
        state = battle_state(battle=battle)
        if sent < 0:
            # What a browser claims to have seen is not believed beyond what may be shown.
            released = min(released, releasable_chars(sides=state.sides, step_chars=STEP_CHARS))
        released = released_chars(sides=state.sides, released=released, step_chars=STEP_CHARS)
        if time.monotonic() - watched >= WATCHED_EVERY_S:
            watched = time.monotonic()
            battle_watched(battle=battle, now=timezone.now())
            if state.ahead != ahead:
                ahead = state.ahead
                yield event("queue", {"ahead": str(ahead)}, max(sent, 0))
        if released != sent:
            sent = released
            yield event("answers", shown(state, released), released)
        everything = all(side.is_done and len(side.text) <= released for side in state.sides)
        if state.is_closed or everything:
            yield event("finished", {}, released)
            return
        yield ": still writing\n\n"
        # A waiting stream must not hold a database connection.
        if not connection.in_atomic_block:
            connection.close()
        time.sleep(STEP_S)


def shown(state: BattleState, released: int) -> dict[str, str]:
    return {side.letter: render_untrusted(side.text[:released]) if released else "" for side in state.sides}


def event(name: str, data: dict[str, str], released: int) -> str:
    return f"id: {released}\nevent: {name}\ndata: {json.dumps(data)}\n\n"

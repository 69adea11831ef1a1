"""The yardstick: the least Django that writes and reads the same rows as Arena. Never serve it to anybody.

It uses Arena's tables and the same ORM, the same gunicorn and the same pool of connections. It has no
middleware at all, and its views leave out everything that is not storing and showing rows: no blind or
ownership checks, no draw by a plan, no search for leaked names, no broker, no signed cookie, no CSRF, no CSP,
no sanitised Markdown, no templates, no structured log.
"""
# ruff: noqa: E402 - models can be imported only after settings.configure

from __future__ import annotations

import random
from functools import cache
from uuid import UUID

import django
from django.conf import settings

import arena.settings as ours

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    AUTH_USER_MODEL=ours.AUTH_USER_MODEL,
    DATABASES=ours.DATABASES,
    DEFAULT_AUTO_FIELD=ours.DEFAULT_AUTO_FIELD,
    # For their tables alone.
    INSTALLED_APPS=[
        "arena.core",
        "arena.accounts",
        "arena.catalog",
        "arena.generation",
        "arena.battles",
        "arena.votes",
        "arena.judging",
        "arena.leaderboards",
        "django.contrib.auth",
        "django.contrib.contenttypes",
    ],
    LOGGING_CONFIG=None,
    MIDDLEWARE=[],
    ROOT_URLCONF=__name__,
    SECRET_KEY="the bare yardstick signs nothing",
    USE_I18N=False,
    USE_TZ=True,
)
django.setup()

from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.html import escape

from arena.accounts.models import Voter
from arena.battles.models import Battle, Slot
from arena.catalog.models import Arena
from arena.generation.models import Response
from arena.leaderboards.models import Rating, Snapshot
from arena.votes.models import Vote

COOKIE = "bare_voter"
RANKS = {"a": [1, 2], "b": [2, 1], "tie": [1, 1]}


def page(text: str) -> HttpResponse:
    return HttpResponse(text, headers={"Content-Length": str(len(text.encode()))})


def moved(location: str) -> HttpResponse:
    return HttpResponse(status=302, headers={"Location": location, "Content-Length": "0"})


def live(_request: HttpRequest) -> HttpResponse:
    return page("alive")


def start(_request: HttpRequest, arena: str) -> HttpResponse:
    return page(f'<form method="post" action="/arenas/{escape(arena)}/battle/"></form>')


def board(_request: HttpRequest, arena: str, board: str) -> HttpResponse:
    """One query, one row of the table per rating."""
    newest = Snapshot.objects.filter(board__arena__slug=arena, board__slug=board).order_by("-id")
    ratings = Rating.objects.filter(snapshot=newest.values("id")[:1]).select_related("system")
    rows = "".join(
        f"<tr><td>{row.rank_low}–{row.rank_high}<td>{escape(row.system.name)}<td>{row.score:.0f}"
        f"<td>{row.low:.0f} to {row.high:.0f}<td>{row.ballots}<td>{escape(row.system.organisation)}"
        f"<td>{escape(row.system.licence)}"
        for row in sorted(ratings, key=lambda row: -row.score)
    )
    return page(f"<!DOCTYPE html><title>Board</title><table>{rows}</table>")


@cache
def stock(arena: str) -> tuple[Arena, dict[int, list[tuple[int, int]]]]:
    """(system, response) by prompt; read once, so a battle is drawn without a query."""
    found: dict[int, list[tuple[int, int]]] = {}
    rows = Response.objects.filter(prompt__prompt_set__arenas__slug=arena)
    for prompt, system, response in rows.values_list("prompt_id", "system_id", "id"):
        found.setdefault(prompt, []).append((system, response))
    return Arena.objects.get(slug=arena), found


def battle_open(request: HttpRequest, arena: str) -> HttpResponse:
    """Insert a voter for a new browser; then lock the voter and insert a battle with two slots."""
    known = request.COOKIES.get(COOKIE)
    voter_id = int(known) if known else Voter.objects.create().pk
    found, by_prompt = stock(arena)
    with transaction.atomic():
        voter = Voter.objects.select_for_update().get(pk=voter_id)
        prompt = random.choice(list(by_prompt))
        battle = Battle.objects.create(
            arena=found,
            prompt_id=prompt,
            voter=voter,
            source="stock",
            pairing_rule="bare",
            draw_probability=0.1,
        )
        Slot.objects.bulk_create(
            Slot(battle=battle, position=position, system_id=system, response_id=response)
            for position, (system, response) in enumerate(random.sample(by_prompt[prompt], 2))
        )
    response = moved(f"/battles/{battle.pk}/")
    if not known:
        response.set_cookie(COOKIE, str(voter.pk))
    return response


def battle(_request: HttpRequest, battle_id: UUID) -> HttpResponse:
    found = Battle.objects.select_related("arena", "prompt").get(pk=battle_id)
    slots = found.slots.select_related("response").order_by("position")
    answers = "".join(f"<pre>{escape(slot.response.text)}</pre>" for slot in slots)
    form = f'<form method="post" action="/battles/{found.pk}/vote/"><button name="outcome" value="a"></form>'
    return page(f"<!DOCTYPE html><title>Battle</title><p>{escape(found.prompt.text)}</p>{answers}{form}")


def vote(request: HttpRequest, battle_id: UUID) -> HttpResponse:
    """Lock the battle, insert the vote, close the battle."""
    now = timezone.now()
    with transaction.atomic():
        found = Battle.objects.select_for_update(of=("self",)).select_related("arena").get(pk=battle_id)
        Vote(
            battle=found,
            voter_id=found.voter_id,
            criterion_id=found.arena.criterion_id,
            ranks=RANKS[request.POST["outcome"]],
            latency_ms=round((now - found.created_at).total_seconds() * 1000),
            created_at=now,
        ).save(force_insert=True)
        found.closed_at, found.closed_reason = now, Battle.CloseReason.VOTED
        found.save(update_fields=["closed_at", "closed_reason"])
    return moved(f"/battles/{found.pk}/result/")


def result(_request: HttpRequest, battle_id: UUID) -> HttpResponse:
    found = Vote.objects.select_related("battle__arena", "battle__prompt").get(battle=battle_id)
    slots = found.battle.slots.select_related("system", "response").order_by("position")
    sides = "".join(
        f"<h2>{escape(slot.system.name)}</h2><pre>{escape(slot.response.text)}</pre>" for slot in slots
    )
    form = f'<form method="post" action="/arenas/{found.battle.arena.slug}/battle/"></form>'
    return page(f"<!DOCTYPE html><title>Vote</title>{escape(found.outcome)}{sides}{form}")


# The same addresses as Arena's, so that the same visitor walks through both.
urlpatterns = [
    path("health/live", live),
    path("leaderboards/<slug:arena>/", start),
    path("leaderboards/<slug:arena>/<slug:board>/", board),
    path("arenas/<slug:arena>/battle/", battle_open),
    path("battles/<uuid:battle_id>/", battle),
    path("battles/<uuid:battle_id>/vote/", vote),
    path("battles/<uuid:battle_id>/result/", result),
]
application = get_wsgi_application()

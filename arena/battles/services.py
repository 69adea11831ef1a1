"""Writes on battles: open one from stock, ask one live, replace a failed side, close."""

from __future__ import annotations

import unicodedata
import uuid
from datetime import datetime, timedelta

import numpy as np
from django.conf import settings
from django.db import transaction

from arena.accounts.models import Voter
from arena.battles.draw import NothingToCompare, draw_from_stock, draw_pair, pair_weights
from arena.battles.models import Battle, PairingPlan, Slot
from arena.catalog.models import Arena, Prompt, System
from arena.generation.models import Job
from arena.generation.selectors import live_queue_length, systems_in_service
from arena.generation.services import job_create, jobs_cancel

MAX_REDRAWS = 2
SEED_BITS = 31
BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class BattleError(Exception):
    """A rule of battles was broken; the message is for the voter."""


class ArenaClosed(BattleError):
    pass


class PromptRefused(BattleError):
    pass


class TooManyAsks(BattleError):
    pass


class WorkersBusy(BattleError):
    pass


@transaction.atomic
def battle_open(*, arena: Arena, voter: Voter, rng: np.random.Generator) -> Battle:
    """The voter's next battle on stored responses; an unfinished one is given again, so none can be chosen.

    Raises:
        ArenaClosed: when no battle may be started here.
        NothingToCompare: when the stock holds nothing that this voter has not seen.
    """
    if not arena.is_open:
        raise ArenaClosed("This arena takes no votes at the moment.")
    # One row lock per voter: two tabs opened at once get the same battle.
    Voter.objects.select_for_update().get(pk=voter.pk)
    unfinished = Battle.objects.filter(
        arena=arena, voter=voter, source=Battle.Source.STOCK, closed_at__isnull=True
    ).first()
    if unfinished:
        return unfinished
    draw = draw_from_stock(arena=arena, voter=voter, rng=rng)
    battle = Battle.objects.create(
        arena=arena,
        prompt_id=draw.prompt_id,
        voter=voter,
        source=Battle.Source.STOCK,
        pairing_rule=draw.pair.rule,
        draw_probability=draw.pair.probability,
    )
    sides = zip(draw.pair.systems, draw.responses, strict=True)
    Slot.objects.bulk_create(
        Slot(battle=battle, position=position, system_id=system_id, response_id=response_id)
        for position, (system_id, response_id) in enumerate(sides)
    )
    return battle


@transaction.atomic
def battle_ask(*, arena: Arena, voter: Voter, text: str, now: datetime, rng: np.random.Generator) -> Battle:
    """A battle on the voter's own prompt: two systems are drawn and asked while the voter watches.

    Raises:
        ArenaClosed, PromptRefused, TooManyAsks, WorkersBusy: with a message for the voter.
    """
    if not (arena.is_open and arena.takes_own_prompts):
        raise ArenaClosed("This arena takes no prompts of your own.")
    text = prompt_clean(text)
    Voter.objects.select_for_update().get(pk=voter.pk)
    _check_limits(voter, now=now)
    systems = list(systems_in_service().filter(admissions__arena=arena).order_by("pk"))
    ids = [system.pk for system in systems]
    weights, rule = pair_weights(arena=arena, systems=ids)
    try:
        pair = draw_pair(weights=weights, systems=ids, rule=rule, rng=rng)
    except NothingToCompare as error:
        raise ArenaClosed("Fewer than two systems can answer here at the moment.") from error
    prompt = Prompt.objects.create(text=text, author=voter)
    battle = Battle.objects.create(
        arena=arena,
        prompt=prompt,
        voter=voter,
        source=Battle.Source.LIVE,
        watched_at=now,
        pairing_rule=pair.rule,
        draw_probability=pair.probability,
    )
    by_id = {system.pk: system for system in systems}
    for position, system_id in enumerate(pair.systems):
        _ask_system(battle, position=position, system=by_id[system_id], rng=rng)
    return battle


def _ask_system(battle: Battle, *, position: int, system: System, rng: np.random.Generator) -> None:
    job = job_create(
        system=system,
        prompt=battle.prompt,
        purpose=Job.Purpose.LIVE,
        seed=int(rng.integers(2**SEED_BITS)),
        requested_by=battle.voter,
    )
    Slot.objects.update_or_create(
        battle=battle, position=position, defaults={"system": system, "job": job, "response": None}
    )


def prompt_clean(text: str) -> str:
    """Trim a voter's prompt and refuse what nobody can answer.

    Raises:
        PromptRefused: when it is empty or too long.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(char for char in text if char in "\n\t" or not _is_control(char)).strip()
    if not any(char.isprintable() and not char.isspace() for char in text):
        raise PromptRefused("Please write a prompt first.")
    if len(text) > settings.PROMPT_MAX_CHARS:
        raise PromptRefused(
            f"Your prompt has {len(text):,} characters; at most {settings.PROMPT_MAX_CHARS:,} are possible."
        )
    return text


def _is_control(char: str) -> bool:
    """Control, surrogate and unassigned characters, and those that turn the direction of text around.

    Joiners and wide spaces stay: Persian, Hindi, Japanese and emoji need them.
    """
    return unicodedata.category(char) in ("Cc", "Cs", "Cn") or char in BIDI_CONTROLS


def _check_limits(voter: Voter, *, now: datetime) -> None:
    mine = Battle.objects.filter(voter=voter, source=Battle.Source.LIVE)
    if mine.filter(created_at__gt=now - timedelta(minutes=1)).count() >= settings.ASKS_PER_VOTER_PER_MINUTE:
        raise TooManyAsks("You are asking very quickly. Please wait a minute before the next prompt.")
    unfinished = mine.filter(closed_at__isnull=True, created_at__gt=now - timedelta(minutes=10))
    waiting = unfinished.filter(slots__job__status__in=[Job.Status.QUEUED, Job.Status.RUNNING]).distinct()
    if waiting.count() >= settings.ASKS_OPEN_PER_VOTER:
        raise TooManyAsks("Two of your prompts are still being answered. Please vote on those first.")
    if live_queue_length() >= settings.LIVE_QUEUE_MAX:
        raise WorkersBusy("All models are busy: the queue is full. Please try again in a minute.")


@transaction.atomic
def battle_replace_failed(*, job: Job, now: datetime, rng: np.random.Generator) -> None:
    """After a live job failed for good: ask another system instead, or close the battle with an apology."""
    slot = Slot.objects.select_related("battle__arena").filter(job=job).first()
    if slot is None:
        return
    battle = (
        Battle.objects.select_for_update(of=("self",))
        .select_related("arena", "prompt")
        .get(pk=slot.battle_id)
    )
    if battle.closed_at is not None or not battle.slots.filter(pk=slot.pk, job=job).exists():
        # Closed, or redrawn already: the worker and the sweep may both come here for one failure.
        return
    others = (
        systems_in_service()
        .filter(admissions__arena=battle.arena, admissions__weight__gt=0)
        .exclude(pk__in=battle.slots.values("system"))
        .exclude(jobs__prompt=battle.prompt, jobs__status=Job.Status.FAILED)
    )
    candidates = list(others.order_by("pk"))
    if not candidates or battle.redraws >= MAX_REDRAWS:
        battle_close(battle=battle, reason=Battle.CloseReason.FAILED, now=now)
        return
    battle.redraws += 1
    # The set that is voted on was not drawn with the stored probability any more.
    battle.draw_probability = None
    battle.pairing_rule = f"{battle.pairing_rule} (redrawn)"[:40]
    battle.save(update_fields=["redraws", "draw_probability", "pairing_rule"])
    _ask_system(
        battle, position=slot.position, system=candidates[int(rng.integers(len(candidates)))], rng=rng
    )


def battle_watched(*, battle: Battle, now: datetime) -> None:
    """The voter's browser still waits for the answers of a live battle."""
    Battle.objects.filter(pk=battle.pk, source=Battle.Source.LIVE, closed_at__isnull=True).update(
        watched_at=now
    )


def battles_abandon(*, now: datetime) -> int:
    """Close live battles that nobody watches any more and that a worker has yet to begin, so that no voter
    who is there waits for one who is not. What a worker has begun is finished.
    """
    gone = Battle.objects.filter(
        source=Battle.Source.LIVE,
        closed_at__isnull=True,
        watched_at__lt=now - timedelta(seconds=settings.BATTLE_UNWATCHED_S),
        slots__job__status=Job.Status.QUEUED,
    ).distinct()
    return sum(_abandon(pk, now=now) for pk in gone.values_list("pk", flat=True))


@transaction.atomic
def _abandon(pk: uuid.UUID, *, now: datetime) -> bool:
    battle = Battle.objects.select_for_update().get(pk=pk)
    watched = battle.watched_at and now - battle.watched_at <= timedelta(seconds=settings.BATTLE_UNWATCHED_S)
    if battle.closed_at is not None or watched:
        return False
    if not jobs_cancel(jobs=Job.objects.filter(slots__battle=battle)):
        return False
    battle_close(battle=battle, reason=Battle.CloseReason.LEFT, now=now)
    return True


def battle_close(*, battle: Battle, reason: Battle.CloseReason, now: datetime) -> None:
    battle.closed_at = now
    battle.closed_reason = reason
    battle.save(update_fields=["closed_at", "closed_reason"])


def pairing_plan_publish(*, arena: Arena, rule: str, weights: list[tuple[int, int, float]]) -> PairingPlan:
    """Make `weights` the way battles are drawn from now on."""
    plan = PairingPlan.objects.create(arena=arena, rule=rule, weights=weights)
    PairingPlan.objects.filter(arena=arena, pk__lt=plan.pk - 20).delete()
    return plan

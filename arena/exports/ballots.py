"""Reads an arena's votes and prompts as the rows of a release, one at a time. It knows no files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Exists, F, IntegerField, Max, OuterRef, Q
from django.db.models.functions import Coalesce, JSONObject

from arena.battles.models import Slot
from arena.catalog.models import Arena, Prompt
from arena.exports.columns import SCHEMA_VERSION
from arena.exports.pseudonyms import Pseudonyms
from arena.generation.selectors import response_styles
from arena.votes.models import Vote, VoteExclusion

CHUNK = 1000
Row = dict[str, Any]


def release_rows(*, arena: Arena, pseudonyms: Pseudonyms) -> Iterator[Row]:
    """Every vote of the arena, oldest first, through a server-side cursor: memory grows with the answers, not
    with the votes.
    """
    styles = response_styles(_responses_voted_on(arena))
    slots = (
        Slot.objects.filter(battle=OuterRef("battle_id"))
        .order_by("position")
        .values(
            slot=JSONObject(
                system="system__name",
                response_id=Coalesce("response_id", "job__response__id", output_field=IntegerField()),
            )
        )
    )
    reasons = VoteExclusion.objects.filter(vote=OuterRef("pk")).order_by("reason").values("reason")
    votes = (
        Vote.objects.in_arena(arena.pk)
        .order_by("id")
        .annotate(
            slots=ArraySubquery(slots),
            reasons=ArraySubquery(reasons),
            # The stage that owns votes says which count; it is not said again here.
            is_counted=Exists(Vote.objects.counted().filter(pk=OuterRef("pk"))),
        )
        .values(
            "id",
            "voter_id",
            "ranks",
            "all_bad",
            "is_skip",
            "input",
            "latency_ms",
            "created_at",
            "slots",
            "reasons",
            "is_counted",
            criterion_slug=F("criterion__slug"),
            source=F("battle__source"),
            draw_probability=F("battle__draw_probability"),
            pairing_rule=F("battle__pairing_rule"),
            prompt_id=F("battle__prompt_id"),
            prompt_key=F("battle__prompt__external_id"),
            set_slug=F("battle__prompt__prompt_set__slug"),
            set_version=F("battle__prompt__prompt_set__version"),
            category=F("battle__prompt__category__slug"),
            language=F("battle__prompt__language"),
        )
    )
    for vote in votes.iterator(chunk_size=CHUNK):
        yield _row(vote, arena=arena, pseudonyms=pseudonyms, styles=styles)


def _responses_voted_on(arena: Arena) -> set[int]:
    slots = Slot.objects.filter(battle__arena=arena, battle__votes__isnull=False)
    shown = slots.values_list(Coalesce("response_id", "job__response__id"), flat=True)
    return {response for response in shown.distinct() if response is not None}


def _row(
    vote: Mapping[str, Any],
    *,
    arena: Arena,
    pseudonyms: Pseudonyms,
    styles: Mapping[int, Mapping[str, float]],
) -> Row:
    ranks = [None] * len(vote["slots"]) if vote["is_skip"] else vote["ranks"]
    return {
        "ballot_id": vote["id"],
        "schema_version": SCHEMA_VERSION,
        "arena": arena.slug,
        "criterion": vote["criterion_slug"],
        "source": vote["source"],
        "prompt_id": _prompt_id(vote),
        "prompt_set": _prompt_set(vote),
        "category": vote["category"],
        "language": vote["language"] or None,
        "voter": pseudonyms.of(vote["voter_id"]),
        "items": [
            {
                "position": position,
                "system": slot["system"],
                "rank": rank,
                "response_id": slot["response_id"],
                "style": styles.get(slot["response_id"]),
            }
            for position, (slot, rank) in enumerate(zip(vote["slots"], ranks, strict=True))
        ],
        "outcome": Vote(ranks=vote["ranks"], all_bad=vote["all_bad"], is_skip=vote["is_skip"]).outcome,
        "all_bad": vote["all_bad"],
        "counted": vote["is_counted"],
        "exclusion_reasons": vote["reasons"],
        "draw_probability": vote["draw_probability"],
        "pairing_rule": vote["pairing_rule"] or None,
        # A published file's votes were cast at a time that we do not know; ours is that of the import.
        "voted_at": None if vote["input"] == Vote.Input.IMPORT else utc(vote["created_at"]),
        "latency_ms": vote["latency_ms"],
        "input": vote["input"],
    }


def release_prompts(*, arena: Arena) -> Iterator[Row]:
    """The prompts of prompt sets that the arena's votes are about; prompts that voters wrote stay private."""
    prompts = (
        Prompt.objects.filter(
            Exists(Vote.objects.filter(battle__prompt=OuterRef("pk"), battle__arena=arena)),
            prompt_set__isnull=False,
        )
        .order_by("id")
        .values(
            "text",
            "language",
            prompt_key=F("external_id"),
            prompt_id=F("pk"),
            category_slug=F("category__slug"),
            set_slug=F("prompt_set__slug"),
            set_version=F("prompt_set__version"),
            set_licence=F("prompt_set__licence"),
        )
    )
    for prompt in prompts.iterator(chunk_size=CHUNK):
        yield {
            "prompt_id": _prompt_id(prompt),
            "prompt_set": _prompt_set(prompt),
            "licence": prompt["set_licence"] or None,
            "category": prompt["category_slug"],
            "language": prompt["language"] or None,
            "text": prompt["text"],
        }


def _prompt_set(row: Mapping[str, Any]) -> str | None:
    return None if row["set_slug"] is None else f"{row['set_slug']} {row['set_version']}"


def _prompt_id(row: Mapping[str, Any]) -> str:
    if row["set_slug"] is None:
        return f"voter/{row['prompt_id']}"
    return f"{row['set_slug']}-{row['set_version']}/{row['prompt_key'] or row['prompt_id']}"


def release_extent(*, arena: Arena) -> dict[str, int]:
    """What the votes amount to now; a release is out of date when this differs from its own."""
    votes = Vote.objects.in_arena(arena.pk)
    found = votes.aggregate(
        newest_ballot_id=Max("id"),
        rows=Count("id"),
        skips=Count("id", filter=Q(is_skip=True)),
        voters_deleted=Count("id", filter=Q(voter__isnull=True)),
    )
    exclusions = VoteExclusion.objects.filter(vote__battle__arena=arena)
    newest_exclusion = exclusions.aggregate(newest=Max("id"))["newest"]
    return {
        **{name: value or 0 for name, value in found.items()},
        "exclusions": exclusions.count(),
        "newest_exclusion_id": newest_exclusion or 0,
    }


def positions_max(*, arena: Arena) -> int:
    """The most answers that any ballot of the arena shows; at least two."""
    slots = Slot.objects.filter(battle__arena=arena, battle__votes__isnull=False)
    newest: int | None = slots.aggregate(last=Max("position"))["last"]
    return max(2, (newest or 0) + 1)


def utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

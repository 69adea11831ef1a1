"""The arena that an imported data set becomes, with its boards; what an admin changed there is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.utils.text import slugify

from arena.catalog.models import Admission, Arena, Category, Criterion, PromptSet, System
from arena.judging.models import JudgeSpec
from arena.leaderboards.models import Board

PEOPLE = "people"
PEOPLE_ALL = "people-all"
FIRST_JUDGE_POSITION = 10


class NameTaken(Exception):
    """An arena that no importer made has the name or slug already."""


@dataclass(frozen=True)
class Origin:
    """Where a data set comes from, and what may be done with it."""

    slug: str
    name: str
    description: str
    citation: str
    licence: str
    prompt_set_title: str


def arena_ensure(*, origin: Origin, is_open: bool) -> Arena:
    """The arena of this origin; made at the first import. Raises NameTaken."""
    arena = Arena.objects.filter(source=origin.slug).order_by("id").first()
    if arena is not None:
        return arena
    if Arena.objects.filter(slug=origin.slug).exists() or Arena.objects.filter(name=origin.name).exists():
        raise NameTaken(
            f"an arena with the slug “{origin.slug}” or the name “{origin.name}” exists, and this "
            "importer did not make it; rename that one first."
        )
    criterion, _ = Criterion.objects.get_or_create(slug="overall", defaults={"name": "Overall"})
    return Arena.objects.create(
        name=origin.name,
        slug=origin.slug,
        description=origin.description,
        criterion=criterion,
        is_open=is_open,
        takes_own_prompts=False,
        source=origin.slug,
        citation=origin.citation,
        vote_licence=origin.licence,
    )


def prompt_set_ensure(*, origin: Origin, arena: Arena) -> PromptSet:
    prompt_set, _ = PromptSet.objects.get_or_create(
        slug=origin.slug,
        version="1",
        defaults={
            "title": origin.prompt_set_title,
            "description": origin.citation,
            "licence": origin.licence,
        },
    )
    arena.prompt_sets.add(prompt_set)
    return prompt_set


def category_ensure(*, name: str) -> Category | None:
    slug = slugify(name)[:60]
    if not slug:
        return None
    category, _ = Category.objects.get_or_create(slug=slug, defaults={"name": name[:80].capitalize()})
    return category


def systems_admit(*, arena: Arena, systems: list[System]) -> None:
    Admission.objects.bulk_create(
        (Admission(arena=arena, system=system) for system in systems), ignore_conflicts=True
    )


def judge_ensure(*, origin: Origin, name: str) -> JudgeSpec:
    """The evaluator that gave the published verdicts; nothing runs it here, so it names no implementation."""
    # A full stop separates: “gpt-3.5” becomes “gpt-3-5”, not “gpt-35”.
    slug = slugify(f"{origin.slug}-{re.sub(r'[.]', '-', name)}")[:60]
    judge, _ = JudgeSpec.objects.get_or_create(
        slug=slug,
        defaults={
            "name": f"{name} (as published)"[:120],
            "kind": JudgeSpec.Kind.JUDGE,
            "implementation": "",
            "description": f"Verdicts published with {origin.name}. {origin.citation}",
            "licence": origin.licence,
        },
    )
    return judge


def boards_ensure(*, arena: Arena, judges: list[JudgeSpec], shows_responses: bool) -> None:
    """One board of the published votes, one with the votes cast here too, one for each judge."""
    Board.objects.get_or_create(
        arena=arena,
        slug=PEOPLE,
        defaults={
            "name": "People (as published)",
            "voters": Board.Voters.HUMAN,
            "vote_source": Board.VoteSource.IMPORTED,
            "position": 1,
        },
    )
    if shows_responses:
        Board.objects.get_or_create(
            arena=arena,
            slug=PEOPLE_ALL,
            defaults={
                "name": "People (with votes cast here)",
                "voters": Board.Voters.HUMAN,
                "vote_source": Board.VoteSource.ALL,
                "position": 2,
            },
        )
    for position, judge in enumerate(judges, start=FIRST_JUDGE_POSITION):
        Board.objects.get_or_create(
            arena=arena,
            slug=judge.slug,
            defaults={
                "name": judge.name,
                "voters": Board.Voters.JUDGE,
                "judge": judge,
                "position": position,
            },
        )

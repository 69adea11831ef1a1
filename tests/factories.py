"""The cast of the tests: made through models and services, with a little noise of other arenas beside it."""

from __future__ import annotations

import itertools

import numpy as np

from arena.accounts.models import Voter
from arena.battles.models import Battle
from arena.battles.services import battle_open
from arena.catalog.models import Admission, Arena, Category, Criterion, Prompt, PromptSet, Provider, System
from arena.generation.models import Response
from arena.judging.models import JudgeSpec
from arena.leaderboards.models import Board

counter = itertools.count(1)


def criterion() -> Criterion:
    return Criterion.objects.get_or_create(slug="overall", defaults={"name": "Overall"})[0]


def system(name: str = "", *, arena: Arena | None = None, weight: float = 1.0, **fields) -> System:
    n = next(counter)
    fields = {
        "name": name or f"Contestant {n}",
        "slug": f"contestant-{n}",
        "organisation": f"Workshop {n}",
        "licence": "Apache-2.0",
        "provider": Provider.OPENAI,
        "provider_options": {"base_url": "http://127.0.0.1:9/v1", "model": "m"},
        **fields,
    }
    made = System.objects.create(**fields)
    if arena:
        Admission.objects.create(arena=arena, system=made, weight=weight)
    return made


def arena(*, systems: int = 0, prompts: int = 0, answered: bool = False, **fields) -> Arena:
    """An arena with so many systems and prompts; `answered`: every system has answered every prompt."""
    n = next(counter)
    made = Arena.objects.create(
        **{
            "name": f"Arena {n}",
            "slug": f"arena-{n}",
            "criterion": criterion(),
            "takes_own_prompts": True,
            **fields,
        }
    )
    prompt_set = PromptSet.objects.create(slug=f"set-{n}", title=f"Set {n}")
    made.prompt_sets.add(prompt_set)
    made_systems = [system(arena=made) for _ in range(systems)]
    made_prompts = [prompt(prompt_set=prompt_set) for _ in range(prompts)]
    if answered:
        for one_prompt in made_prompts:
            for one_system in made_systems:
                response(system=one_system, prompt=one_prompt)
    return made


def prompt(text: str = "", **fields) -> Prompt:
    n = next(counter)
    return Prompt.objects.create(
        **{"text": text or f"Question {n}?", "external_id": f"p{n}", "language": "en", **fields}
    )


def category(name: str) -> Category:
    return Category.objects.create(slug=name, name=name)


def response(*, system: System, prompt: Prompt, text: str = "", **fields) -> Response:
    text = text or f"Answer {next(counter)}."
    return Response.objects.create(
        system=system, prompt=prompt, text=text, checksum=Response.checksum_of(text), **fields
    )


def voter() -> Voter:
    return Voter.objects.create()


def battle(arena: Arena, voter: Voter, seed: int = 1) -> Battle:
    return battle_open(arena=arena, voter=voter, rng=np.random.default_rng(seed))


def board(arena: Arena, **fields) -> Board:
    return Board.objects.create(
        **{"arena": arena, "slug": f"board-{next(counter)}", "name": "People", **fields}
    )


def scorer(**fields) -> JudgeSpec:
    return JudgeSpec.objects.create(
        **{
            "slug": f"scorer-{next(counter)}",
            "name": "Scorer",
            "kind": "scorer",
            "implementation": "fake",
            **fields,
        }
    )

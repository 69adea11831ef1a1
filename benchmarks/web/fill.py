"""Fills an empty database for bench_web: a small arena to vote in, and a large board. Same seed, same rows.

Everything goes through the project's own services; the votes are synthetic, drawn from Bradley-Terry
strengths.
"""
# ruff: noqa: E402 - models can be imported only after django.setup

from __future__ import annotations

import math
import random

import django

django.setup()

import numpy as np
from django.db import connection
from django.utils import timezone

from arena.accounts.models import Voter
from arena.battles.services import battle_open
from arena.catalog.models import Admission, Arena, Criterion, Prompt, PromptSet, Provider, System
from arena.catalog.prompt_files import PromptRow
from arena.catalog.services import prompts_add
from arena.exports.importers.comparisons import Comparison, Side, VoterBook, comparisons_store
from arena.exports.importers.origin import Origin, arena_ensure, boards_ensure, systems_admit
from arena.exports.importers.outcomes import Outcome, Winner
from arena.exports.importers.report import Report
from arena.generation.models import Response
from arena.leaderboards.models import Board
from arena.leaderboards.services import snapshot_build
from arena.votes.models import Vote
from arena.votes.services import ballot_of_pair, vote_cast
from benchmarks.web import LARGE_ARENA, LARGE_BOARD, SMALL_ARENA

SEED = 20250101
SMALL_SYSTEMS, SMALL_PROMPTS, SMALL_VOTERS, SMALL_BATTLES_EACH = 5, 64, 60, 5
LARGE_SYSTEMS, LARGE_PROMPTS, LARGE_VOTERS, LARGE_VOTES = 59, 72, 125, 9000
TIE_SHARE = 0.2

# fmt: off
WORDS = [
    "river", "bridge", "morning", "paper", "stone", "window", "garden", "number", "simple", "answer",
    "reason", "water", "light", "table", "small", "change", "between", "often", "because", "several",
    "common", "people", "usually", "start", "three", "north", "evening", "careful", "result",
]
# fmt: on
CODE = """```python
def total(values):
    # add up what is positive
    return sum(value for value in values if value > 0)
```"""


def sentence(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(8, 16))).capitalize() + "."


def answer(rng: random.Random) -> str:
    """About 150 words of Markdown; every fourth with a code block."""
    points = "\n".join(f"{n}. **{rng.choice(WORDS)}**: {sentence(rng)}" for n in range(1, 4))
    parts = [" ".join(sentence(rng) for _ in range(4)), points, " ".join(sentence(rng) for _ in range(3))]
    if rng.random() < 0.25:
        parts.insert(2, CODE)
    return "\n\n".join(parts)


def outcome(first: float, second: float, rng: random.Random) -> Winner:
    if rng.random() < TIE_SHARE:
        return Winner.TIE
    return Winner.A if rng.random() < 1 / (1 + math.exp(second - first)) else Winner.B


def fill_small(rng: random.Random) -> None:
    """Systems, prompts and answers; then votes through the ballot's own service, and a snapshot."""
    criterion, _ = Criterion.objects.get_or_create(slug="overall", defaults={"name": "Overall"})
    arena = Arena.objects.create(name="Small", slug=SMALL_ARENA, criterion=criterion)
    prompt_set = PromptSet.objects.create(slug="small", title="Small")
    arena.prompt_sets.add(prompt_set)
    prompts_add(
        prompt_set=prompt_set,
        rows=[PromptRow(f"p{n}", sentence(rng), "", "en") for n in range(SMALL_PROMPTS)],
    )
    systems = [
        System.objects.create(
            name=f"Contestant {n}",
            slug=f"contestant-{n}",
            organisation=f"Workshop {n}",
            licence="Apache-2.0",
            provider=Provider.OPENAI,
            provider_options={"base_url": "http://127.0.0.1:9/v1", "model": "m"},
        )
        for n in range(SMALL_SYSTEMS)
    ]
    Admission.objects.bulk_create(Admission(arena=arena, system=system) for system in systems)
    texts = [(p, s, answer(rng)) for p in Prompt.objects.filter(prompt_set=prompt_set) for s in systems]
    Response.objects.bulk_create(
        Response(prompt=p, system=s, text=text, checksum=Response.checksum_of(text)) for p, s, text in texts
    )
    board = Board.objects.create(arena=arena, slug="people", name="People")
    strength = {system.pk: rng.gauss(0, 1) for system in systems}
    draw = np.random.default_rng(SEED)
    for _ in range(SMALL_VOTERS):
        voter = Voter.objects.create()
        for _ in range(SMALL_BATTLES_EACH):
            battle = battle_open(arena=arena, voter=voter, rng=draw)
            first, second = battle.slots.order_by("position").values_list("system_id", flat=True)
            ballot = ballot_of_pair(outcome(strength[first], strength[second], rng).value)
            vote_cast(battle=battle, voter=voter, ballot=ballot, given_by=Vote.Input.FORM, now=timezone.now())
    snapshot_build(board=board)


def fill_large(rng: random.Random) -> None:
    """What an import makes of a published vote file."""
    origin = Origin(LARGE_ARENA, "Large", "Synthetic.", "Made by benchmarks/web.", "CC0-1.0", "Large prompts")
    arena = arena_ensure(origin=origin, is_open=False)
    prompt_set = PromptSet.objects.create(slug=LARGE_ARENA, title="Large")
    arena.prompt_sets.add(prompt_set)
    prompts_add(
        prompt_set=prompt_set,
        rows=[PromptRow(f"q{n}", sentence(rng), "", "en") for n in range(LARGE_PROMPTS)],
    )
    prompts = list(prompt_set.prompts.values_list("pk", flat=True))
    systems = [
        System.objects.create(
            name=f"System {n} of the {WORDS[n % len(WORDS)]}",
            slug=f"system-{n}",
            organisation=f"House {n % 17}",
            licence=rng.choice(["Apache-2.0", "MIT", "proprietary", "CC-BY-NC-4.0"]),
            link=f"https://example.org/systems/{n}",
            provider=Provider.NONE,
        )
        for n in range(LARGE_SYSTEMS)
    ]
    systems_admit(arena=arena, systems=systems)
    boards_ensure(arena=arena, judges=[], shows_responses=False)
    strength = [rng.gauss(0, 1) for _ in systems]

    def comparisons():
        for n in range(LARGE_VOTES):
            a, b = rng.sample(range(LARGE_SYSTEMS), 2)
            yield Comparison(
                content=(str(n),),
                prompt_id=rng.choice(prompts),
                sides=(Side(systems[a].pk), Side(systems[b].pk)),
                outcome=Outcome(outcome(strength[a], strength[b], rng)),
                voter=f"person {rng.randrange(LARGE_VOTERS)}",
            )

    book = VoterBook(source=LARGE_ARENA)
    comparisons_store(
        arena=arena, comparisons=comparisons(), voters=book, report=Report(), now=timezone.now()
    )
    snapshot_build(board=Board.objects.get(arena=arena, slug=LARGE_BOARD))


if __name__ == "__main__":
    fill_small(random.Random(SEED))
    fill_large(random.Random(SEED + 1))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as autovacuum would within a minute

"""Which two systems meet, on which prompt: reads the plan and the stock, draws, says how likely it was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from arena.accounts.models import Voter
from arena.battles.models import Battle, PairingPlan, Slot
from arena.catalog.models import Arena, Prompt
from arena.generation.models import Response
from arena.ranking import TooFewSystems, draw_from_plan

Matrix = NDArray[np.float64]
LEAST_COMPARED = "least-compared"
MEETINGS = """
    SELECT one.system_id, two.system_id, count(*)
    FROM battles_slot one
    JOIN battles_slot two ON two.battle_id = one.battle_id AND one.system_id < two.system_id
    JOIN battles_battle battle ON battle.id = one.battle_id
    WHERE battle.arena_id = %s AND battle.source <> %s
    GROUP BY one.system_id, two.system_id
"""


class NothingToCompare(Exception):
    """No pair of responses is left that this voter has not seen."""


class StockResponse(NamedTuple):
    id: int
    prompt_id: int
    system_id: int
    checksum: str


class DrawnPair(NamedTuple):
    """Two systems in display order, and the probability of this unordered pair."""

    systems: tuple[int, int]
    probability: float
    rule: str


class StockDraw(NamedTuple):
    prompt_id: int
    responses: tuple[int, int]
    pair: DrawnPair


def pair_weights(*, arena: Arena, systems: list[int]) -> tuple[Matrix, str]:
    """Symmetric weights of all pairs: the newest plan's, else 1 / (1 + battles so far); times admissions."""
    index = {system: i for i, system in enumerate(systems)}
    plan = PairingPlan.objects.filter(arena=arena).order_by("-id").first()
    weights = np.ones((len(systems), len(systems)))
    rows: Iterable[tuple[int, int, float]] = plan.weights if plan else least_compared(arena=arena)
    for a, b, weight in rows:
        if a in index and b in index:
            weights[index[a], index[b]] = weights[index[b], index[a]] = weight
    admissions = dict(arena.admissions.values_list("system_id", "weight"))
    own = np.array([admissions.get(system, 0.0) for system in systems])
    weights *= np.outer(own, own)
    np.fill_diagonal(weights, 0.0)
    return weights, plan.rule if plan else LEAST_COMPARED


def least_compared(*, arena: Arena) -> list[tuple[int, int, float]]:
    """(system, system, 1 / (1 + battles shown)) of every pair that met here.

    What was shown counts, not what was voted or kept: else pairs whose votes are skipped or excluded would
    be drawn more and more.
    """
    with connection.cursor() as cursor:
        cursor.execute(MEETINGS, [arena.pk, Battle.Source.IMPORTED])
        return [(a, b, 1 / (1 + met)) for a, b, met in cursor.fetchall()]


def draw_pair(*, weights: Matrix, systems: list[int], rule: str, rng: np.random.Generator) -> DrawnPair:
    """Draw two systems in random order, the pair with probability proportional to its weight.

    Raises:
        NothingToCompare: when no pair has a weight.
    """
    try:
        drawn = draw_from_plan([str(system) for system in systems], weights, rng)
    except TooFewSystems as error:
        raise NothingToCompare from error
    first, second = (int(item) for item in drawn.items)
    return DrawnPair((first, second), drawn.probability, rule)


def draw_from_stock(*, arena: Arena, voter: Voter, rng: np.random.Generator) -> StockDraw:
    """Draw a pair among those with two unseen, differing stored responses to one prompt, then such a prompt.

    Raises:
        NothingToCompare: when the stock holds no such pair.
    """
    stock = _stock(arena)
    systems = sorted({response.system_id for response in stock})
    index = {system: i for i, system in enumerate(systems)}
    seen = _seen(arena, voter)
    by_prompt: dict[int, dict[int, StockResponse]] = defaultdict(dict)
    for response in stock:
        if (response.prompt_id, response.system_id) not in seen:
            by_prompt[response.prompt_id].setdefault(response.system_id, response)
    excluded = _identical(by_prompt)

    available = np.zeros((len(systems), len(systems)))
    for answers in by_prompt.values():
        present = np.zeros(len(systems))
        present[[index[system] for system in answers]] = 1
        available += np.outer(present, present)
    for prompt_id, a, b in excluded:
        if a in by_prompt[prompt_id] and b in by_prompt[prompt_id]:
            available[index[a], index[b]] -= 1
            available[index[b], index[a]] -= 1

    weights, rule = pair_weights(arena=arena, systems=systems)
    pair = draw_pair(weights=weights * (available > 0), systems=systems, rule=rule, rng=rng)
    a, b = sorted(pair.systems)
    prompts = [
        prompt_id
        for prompt_id, answers in by_prompt.items()
        if a in answers and b in answers and (prompt_id, a, b) not in excluded
    ]
    prompt_id = prompts[int(rng.integers(len(prompts)))]
    answers = by_prompt[prompt_id]
    first, second = (answers[system].id for system in pair.systems)
    return StockDraw(prompt_id, (first, second), pair)


def _stock(arena: Arena) -> list[StockResponse]:
    rows = (
        Response.objects.filter(
            is_test=False,
            is_stock=True,
            prompt__in=Prompt.objects.filter(prompt_set__arenas=arena),
            system__in=arena.systems.filter(status="visible", admissions__weight__gt=0),
        )
        .order_by("id")
        .values_list("id", "prompt_id", "system_id", "checksum")
    )
    return [StockResponse(*row) for row in rows]


def _seen(arena: Arena, voter: Voter) -> set[tuple[int, int]]:
    """(prompt, system) of the voter's earlier battles: whoever was told a name knows the text again."""
    slots = Slot.objects.filter(battle__voter=voter, battle__arena=arena)
    return set(slots.values_list("battle__prompt_id", "system_id"))


def _identical(by_prompt: dict[int, dict[int, StockResponse]]) -> set[tuple[int, int, int]]:
    """Pairs whose texts are the same: a vote on them says nothing."""
    same = set()
    for prompt_id, answers in by_prompt.items():
        by_text: dict[str, list[int]] = defaultdict(list)
        for system, response in answers.items():
            by_text[response.checksum].append(system)
        for systems in by_text.values():
            systems.sort()
            same |= {(prompt_id, a, b) for i, a in enumerate(systems) for b in systems[i + 1 :]}
    return same

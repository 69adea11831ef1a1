"""Which two systems meet, on which prompt: reads the plan and the stock, draws, says how likely it was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from arena.accounts.models import Voter
from arena.battles.models import Battle, PairingPlan, Slot
from arena.battles.stock import Choice, stocks
from arena.catalog.models import Arena
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
    return [(a, b, 1 / (1 + met)) for a, b, met in meetings(arena=arena)]


def meetings(*, arena: Arena) -> list[tuple[int, int, int]]:
    """(system, system, battles shown) of every pair that met here."""
    with connection.cursor() as cursor:
        cursor.execute(MEETINGS, [arena.pk, Battle.Source.IMPORTED])
        return list(cursor.fetchall())


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
    arrays = stocks.of(arena)
    drawable = set(
        arena.systems.filter(status="visible", admissions__weight__gt=0).values_list("pk", flat=True)
    )
    choice = Choice.of(arrays, drawable=drawable, seen=_seen(arena, voter))
    weights, rule = pair_weights(arena=arena, systems=arrays.systems)
    pair = draw_pair(weights=weights * (choice.prompts > 0), systems=arrays.systems, rule=rule, rng=rng)
    columns = [arrays.systems.index(system) for system in pair.systems]
    rows = choice.meeting(*columns)
    row = int(rows[rng.integers(rows.size)])
    first, second = (int(arrays.response[row, column]) for column in columns)
    return StockDraw(arrays.prompts[row], (first, second), pair)


def _seen(arena: Arena, voter: Voter) -> set[tuple[int, int]]:
    """(prompt, system) of the voter's earlier battles: whoever was told a name knows the text again."""
    slots = Slot.objects.filter(battle__voter=voter, battle__arena=arena)
    return set(slots.values_list("battle__prompt_id", "system_id"))

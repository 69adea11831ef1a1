"""An arena's stored answers, kept in the memory of this process and topped up with what is new.

A battle is drawn from arrays, so that it costs the same however many answers there are. The database stays
the truth: only rows that were committed are kept here, and rows of stored answers never change.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from django.utils import timezone
from numpy.typing import NDArray

from arena.catalog.models import Arena
from arena.generation.models import Response

LOOK_BACK = timedelta(minutes=2)
"""A row may be committed this long after it got its number; younger ones are read again, and what lies
between.
"""

ARENAS_KEPT = 64


class Answer(NamedTuple):
    response: int
    text: int
    """Equal for equal texts."""


class Arrays(NamedTuple):
    """P prompts by S systems.

    response    int64[P, S], the stored response; 0 where there is none
    text        int64[P, S], equal for equal texts
    same        int64[3, n], (prompt, system, system) whose texts are the same: a vote on them says nothing
    """

    prompts: list[int]
    systems: list[int]
    response: NDArray[np.int64]
    text: NDArray[np.int64]
    same: NDArray[np.int64]


@dataclass
class Stock:
    """What was read of one arena with one selection of prompt sets."""

    sets: frozenset[int]
    answers: dict[int, dict[int, Answer]] = field(default_factory=dict)
    texts: dict[str, int] = field(default_factory=dict)
    settled: int = 0
    """No row up to here can still appear."""
    arrays: Arrays | None = None

    def top_up(self, now: datetime) -> Arrays:
        """Read what came since and return the arrays."""
        rows = (
            Response.objects.filter(
                id__gt=self.settled, is_test=False, is_stock=True, prompt__prompt_set__in=self.sets
            )
            .order_by("id")
            .values_list("id", "prompt_id", "system_id", "checksum", "created_at")
        )
        for response, prompt, system, checksum, created_at in rows:
            own = self.answers.setdefault(prompt, {})
            if system not in own or response < own[system].response:
                own[system] = Answer(response, self.texts.setdefault(checksum, len(self.texts)))
                self.arrays = None
            if now - created_at > LOOK_BACK:
                self.settled = max(self.settled, response)
        if self.arrays is None:
            self.arrays = _arrays(self.answers)
        return self.arrays


class Stocks:
    """The stocks of the arenas that were asked for last."""

    def __init__(self) -> None:
        self._held: OrderedDict[int, Stock] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, arena: Arena) -> Arrays:
        sets = frozenset(arena.prompt_sets.values_list("pk", flat=True))
        with self._lock:
            stock = self._held.pop(arena.pk, None)
            if stock is None or stock.sets != sets:
                stock = Stock(sets)
            arrays = stock.top_up(timezone.now())
            self._held[arena.pk] = stock
            while len(self._held) > ARENAS_KEPT:
                self._held.popitem(last=False)
        return arrays


stocks = Stocks()


class Choice(NamedTuple):
    """Which pairs can be drawn for a voter, and on which prompts.

    present     bool[P, S], an answer that the voter has not seen, of a system that may be drawn
    prompts     int64[S, S], on how many prompts a pair can meet
    """

    arrays: Arrays
    present: NDArray[np.bool_]
    prompts: NDArray[np.int64]

    @classmethod
    def of(cls, arrays: Arrays, *, drawable: Collection[int], seen: Iterable[tuple[int, int]]) -> Choice:
        present = arrays.response > 0
        present[:, [system not in drawable for system in arrays.systems]] = False
        row = {prompt: place for place, prompt in enumerate(arrays.prompts)}
        column = {system: place for place, system in enumerate(arrays.systems)}
        for prompt, system in seen:
            if prompt in row and system in column:
                present[row[prompt], column[system]] = False
        both = present.astype(np.float32)
        prompts = np.rint(both.T @ both).astype(np.int64)
        place, one, two = arrays.same
        wasted = present[place, one] & present[place, two]
        np.subtract.at(prompts, (one[wasted], two[wasted]), 1)
        np.subtract.at(prompts, (two[wasted], one[wasted]), 1)
        np.fill_diagonal(prompts, 0)
        return cls(arrays, present, prompts)

    def meeting(self, one: int, two: int) -> NDArray[np.int64]:
        """The rows of prompts on which two systems (by column) can meet."""
        text = self.arrays.text
        can = self.present[:, one] & self.present[:, two] & (text[:, one] != text[:, two])
        return np.flatnonzero(can)


def _arrays(answers: dict[int, dict[int, Answer]]) -> Arrays:
    prompts = list(answers)
    systems = sorted({system for own in answers.values() for system in own})
    column = {system: place for place, system in enumerate(systems)}
    response = np.zeros((len(prompts), len(systems)), dtype=np.int64)
    text = np.zeros_like(response)
    same: list[tuple[int, int, int]] = []
    for place, prompt in enumerate(prompts):
        by_text: dict[int, list[int]] = {}
        for system, answer in answers[prompt].items():
            response[place, column[system]] = answer.response
            text[place, column[system]] = answer.text
            by_text.setdefault(answer.text, []).append(column[system])
        for alike in by_text.values():
            alike.sort()
            same += [(place, a, b) for i, a in enumerate(alike) for b in alike[i + 1 :]]
    return Arrays(prompts, systems, response, text, np.array(same, dtype=np.int64).reshape(-1, 3).T)

"""Reads on battles. Ready is derived here, never stored."""

from __future__ import annotations

from dataclasses import dataclass

from arena.battles.models import POSITION_LETTERS, Battle
from arena.generation.models import Job
from arena.generation.selectors import live_jobs_ahead


@dataclass(frozen=True)
class Side:
    """What may be shown of a slot before the vote: never the system."""

    letter: str
    text: str
    is_done: bool


@dataclass(frozen=True)
class BattleState:
    battle: Battle
    sides: list[Side]
    first_queued: int | None = None
    """The oldest of its jobs that no worker has begun."""

    @property
    def is_ready(self) -> bool:
        return len(self.sides) >= 2 and all(side.is_done for side in self.sides)

    @property
    def is_closed(self) -> bool:
        return self.battle.closed_at is not None

    @property
    def is_failed(self) -> bool:
        return self.battle.closed_reason == Battle.CloseReason.FAILED

    @property
    def is_left(self) -> bool:
        return self.battle.closed_reason == Battle.CloseReason.LEFT

    @property
    def ahead(self) -> int:
        """Other voters' prompts that are answered first. Both sides share it: it names no system."""
        return live_jobs_ahead(job_id=self.first_queued) if self.first_queued else 0


def battle_state(*, battle: Battle) -> BattleState:
    """The sides in display order, with the text that exists so far."""
    slots = battle.slots.select_related("response", "job__response", "job__streamed").order_by("position")
    sides, queued = [], []
    for slot in slots:
        response = slot.ready_response
        if response is not None:
            sides.append(Side(POSITION_LETTERS[slot.position], response.text, is_done=True))
            continue
        if slot.job and slot.job.status == Job.Status.QUEUED:
            queued.append(slot.job.pk)
        streamed = getattr(slot.job, "streamed", None)
        is_current = bool(
            streamed
            and slot.job
            and slot.job.status == Job.Status.RUNNING
            and streamed.attempt == slot.job.lease
        )
        sides.append(
            Side(
                POSITION_LETTERS[slot.position],
                streamed.text if streamed and is_current else "",
                is_done=False,
            )
        )
    return BattleState(battle, sides, min(queued, default=None))


def jobs_of_stuck_battles() -> list[Job]:
    """Live jobs that failed while their battle still waits for them: their worker died before the redraw."""
    return list(
        Job.objects.filter(
            status=Job.Status.FAILED, purpose=Job.Purpose.LIVE, slots__battle__closed_at__isnull=True
        ).distinct()[:50]
    )


def releasable_chars(*, sides: list[Side], step_chars: int) -> int:
    """How many characters of every side may be shown at all, in whole steps while one is unfinished.

    The slower side sets the limit, so that speed does not name a system; a side that is done holds nobody up.
    """
    unfinished = [len(side.text) for side in sides if not side.is_done]
    if unfinished:
        return min(unfinished) - min(unfinished) % step_chars
    return max(len(side.text) for side in sides)


def released_chars(*, sides: list[Side], released: int, step_chars: int) -> int:
    """How many characters of every side may be shown after one more step.

    Nothing is taken back: a side that was drawn again catches up before the count moves on.
    """
    available = releasable_chars(sides=sides, step_chars=step_chars)
    return max(released, min(available, released + step_chars))

"""Battles keep the blind: which responses stand in which position, for whom, drawn with what probability."""

from __future__ import annotations

import uuid

from django.db import models

from arena.accounts.models import Voter
from arena.catalog.models import Arena, Prompt, System
from arena.core.models import TimestampedModel
from arena.generation.models import Job, Response

POSITION_LETTERS = "ABCDEFGHI"


class Battle(TimestampedModel):
    """One showing of K responses to one voter, blind."""

    class Source(models.TextChoices):
        STOCK = "stock", "Stored responses"
        LIVE = "live", "The voter's own prompt"
        IMPORTED = "imported", "Imported"

    class CloseReason(models.TextChoices):
        VOTED = "voted", "Voted on"
        FAILED = "failed", "A system failed and no other could stand in"
        LEFT = "left", "The voter left before both had answered"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    arena = models.ForeignKey(Arena, on_delete=models.PROTECT, related_name="battles")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="battles")
    voter = models.ForeignKey(Voter, null=True, blank=True, on_delete=models.SET_NULL, related_name="battles")
    source = models.CharField(max_length=10, choices=Source)
    external_id = models.CharField(max_length=80, blank=True)
    pairing_rule = models.CharField(max_length=40, blank=True)
    draw_probability = models.FloatField(
        null=True, blank=True, help_text="With which this set of systems was drawn; unknown for imports."
    )
    redraws = models.PositiveSmallIntegerField(default=0)
    watched_at = models.DateTimeField(
        null=True, blank=True, help_text="When the voter's browser last asked for unfinished answers."
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_reason = models.CharField(max_length=10, choices=CloseReason, blank=True)

    class Meta:
        indexes = [models.Index(fields=["voter", "arena", "-created_at"], name="battle_by_voter")]
        constraints = [
            models.UniqueConstraint(
                fields=["arena", "external_id"],
                condition=~models.Q(external_id=""),
                name="imported_battle_once_per_arena",
            ),
            models.CheckConstraint(
                condition=models.Q(draw_probability__isnull=True)
                | models.Q(draw_probability__gt=0, draw_probability__lte=1),
                name="draw_probability_is_a_probability",
            ),
        ]

    def __str__(self) -> str:
        return f"Battle {str(self.id)[:8]}"


class Slot(models.Model):
    """A position of a battle. A live slot has a job first; an imported one may name only the system."""

    battle = models.ForeignKey(Battle, on_delete=models.CASCADE, related_name="slots")
    position = models.PositiveSmallIntegerField()
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="slots")
    response = models.ForeignKey(Response, null=True, blank=True, on_delete=models.PROTECT)
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.PROTECT, related_name="slots")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["battle", "position"], name="slot_once_per_position"),
            models.UniqueConstraint(fields=["battle", "system"], name="slot_once_per_system_and_battle"),
        ]

    def __str__(self) -> str:
        return f"{self.battle} {self.letter}"

    @property
    def letter(self) -> str:
        return POSITION_LETTERS[self.position]

    @property
    def ready_response(self) -> Response | None:
        """The response to show: stored with the slot, or made by its job."""
        if self.response is not None:
            return self.response
        return getattr(self.job, "response", None) if self.job else None


class PairingPlan(TimestampedModel):
    """How battles are drawn from now on; published by the boards, read by the draw. Newest wins."""

    arena = models.ForeignKey(Arena, on_delete=models.CASCADE, related_name="pairing_plans")
    rule = models.CharField(max_length=40)
    weights = models.JSONField(help_text="[[system id, system id, weight], …]; absent pairs weigh 1.")

    def __str__(self) -> str:
        return f"{self.rule} for {self.arena}"

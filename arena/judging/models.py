"""Automatic evaluators, and what they said. Scores and verdicts are never changed."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from arena.battles.models import Battle
from arena.core.models import TimestampedModel
from arena.generation.models import Response


class JudgeSpec(TimestampedModel):
    """An automatic evaluator: a judge that ranks, or a scorer that gives numbers."""

    class Kind(models.TextChoices):
        SCORER = "scorer", "Scores single responses"
        JUDGE = "judge", "Ranks the responses of a battle"

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=10, choices=Kind)
    implementation = models.CharField(
        max_length=60,
        blank=True,
        help_text="Its name in the evaluator registry; empty for imported verdicts.",
    )
    params = models.JSONField(default=dict, blank=True)
    version = models.CharField(max_length=40, blank=True)
    licence = models.CharField(max_length=120, blank=True)
    link = models.URLField(blank=True)
    description = models.TextField(blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        verbose_name = "evaluator"

    def __str__(self) -> str:
        return self.name


class Score(TimestampedModel):
    """A number that a scorer gave to a response."""

    judge = models.ForeignKey(JudgeSpec, on_delete=models.PROTECT, related_name="scores")
    response = models.ForeignKey(Response, on_delete=models.CASCADE, related_name="scores")
    value = models.FloatField()
    detail = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["judge", "response"], name="score_once_per_response")]

    def __str__(self) -> str:
        return f"{self.value:.3f} by {self.judge}"


class Verdict(TimestampedModel):
    """A judge's ranking of a battle's slots: the same shape as a vote."""

    judge = models.ForeignKey(JudgeSpec, on_delete=models.PROTECT, related_name="verdicts")
    battle = models.ForeignKey(Battle, on_delete=models.CASCADE, related_name="verdicts")
    ranks = ArrayField(models.PositiveSmallIntegerField(null=True), size=9)
    all_bad = models.BooleanField(default=False)
    detail = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["judge", "battle"], name="verdict_once_per_battle")]

    def __str__(self) -> str:
        return f"{self.judge} on {self.battle}"

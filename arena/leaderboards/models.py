"""Boards ask a question; a snapshot is one immutable answer to it."""

from __future__ import annotations

from django.db import models

from arena.catalog.models import Arena, System
from arena.core.models import TimestampedModel
from arena.judging.models import JudgeSpec


class Board(TimestampedModel):
    """A named question: whose comparisons, which of them, and the model that turns them into scores."""

    class Voters(models.TextChoices):
        HUMAN = "human", "People"
        JUDGE = "judge", "An automatic evaluator"

    class VoteSource(models.TextChoices):
        ALL = "all", "All votes"
        IMPORTED = "imported", "Imported votes only"
        OWN = "own", "Votes cast here only"

    arena = models.ForeignKey(Arena, on_delete=models.CASCADE, related_name="boards")
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    voters = models.CharField(max_length=10, choices=Voters, default=Voters.HUMAN)
    vote_source = models.CharField(max_length=10, choices=VoteSource, default=VoteSource.ALL)
    judge = models.ForeignKey(JudgeSpec, null=True, blank=True, on_delete=models.PROTECT)
    ranking = models.JSONField(
        default=dict,
        blank=True,
        help_text="Ranking settings that differ from the defaults, e.g. {“cluster”: “prompt”}.",
    )
    position = models.PositiveSmallIntegerField(default=10)
    is_published = models.BooleanField(default=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["arena", "slug"], name="board_slug_once_per_arena"),
            models.CheckConstraint(
                condition=models.Q(voters="human", judge__isnull=True)
                | models.Q(voters="judge", judge__isnull=False),
                name="board_of_judge_names_its_judge",
                violation_error_message="An automatic board names its evaluator; a board of people has none.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.arena}: {self.name}"


class Snapshot(TimestampedModel):
    """One fit of a board's question. Never changed; a correction is a newer snapshot."""

    board = models.ForeignKey(Board, on_delete=models.CASCADE, related_name="snapshots")
    question = models.JSONField(help_text="Everything needed to fit it again from the same rows.")
    diagnostics = models.JSONField()
    ballot_count = models.PositiveIntegerField()
    vote_count = models.PositiveIntegerField(help_text="Votes, verdicts or scores behind the ballots.")
    excluded_count = models.PositiveIntegerField(default=0)
    cutoff_id = models.BigIntegerField(default=0, help_text="The newest row that could take part.")
    exclusion_cutoff_id = models.BigIntegerField(default=0, help_text="The newest exclusion then known.")
    fingerprint = models.CharField(
        max_length=64, help_text="Of the rows used; unchanged rows make no snapshot."
    )
    last_vote_at = models.DateTimeField(null=True)
    code_version = models.CharField(max_length=40)
    fit_ms = models.PositiveIntegerField(default=0, help_text="The fit and its intervals.")
    build_ms = models.PositiveIntegerField(default=0, help_text="Reading the rows, the fit, all of it.")
    is_released = models.BooleanField(default=False, help_text="Kept for ever: a data release belongs to it.")

    class Meta:
        indexes = [models.Index(fields=["board", "-id"], name="snapshot_newest_by_board")]

    def __str__(self) -> str:
        return f"{self.board} at {self.created_at:%Y-%m-%d %H:%M}"


class Rating(models.Model):
    """One system's row in a snapshot. A null bound means that the votes give none."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="ratings")
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="ratings")
    score = models.FloatField(null=True)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    rank_low = models.PositiveIntegerField(null=True)
    rank_high = models.PositiveIntegerField(null=True)
    ballots = models.PositiveIntegerField()
    wins = models.FloatField()
    ties = models.FloatField()
    losses = models.FloatField()
    component = models.PositiveIntegerField(null=True)
    is_separated = models.BooleanField(default=False)
    is_provisional = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["snapshot", "system"], name="rating_once_per_snapshot_and_system"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.system}: {self.score}"


class Refresh(models.Model):
    """That an arena's boards will be refreshed again soon: one pending request, however many ask."""

    arena = models.OneToOneField(Arena, primary_key=True, on_delete=models.CASCADE, related_name="refresh")
    due_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "refreshes"

    def __str__(self) -> str:
        return f"{self.arena} at {self.due_at}"

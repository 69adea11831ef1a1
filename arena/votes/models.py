"""Votes are inserted once and never changed; what speaks against one is another row."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from arena.accounts.models import Voter
from arena.battles.models import Battle
from arena.catalog.models import Criterion
from arena.core.models import TimestampedModel


class VoteQuerySet(models.QuerySet["Vote"]):
    def in_arena(self, arena_id: int) -> VoteQuerySet:
        return self.filter(battle__arena_id=arena_id)

    def ranked(self) -> VoteQuerySet:
        """Votes that say something: skips are exported, never fitted."""
        return self.filter(is_skip=False)

    def counted(self) -> VoteQuerySet:
        return self.ranked().filter(exclusions__isnull=True)


class Vote(TimestampedModel):
    """One person's ranking of a battle's slots under one criterion.

    `ranks[position]` is 1 for the best, equal for ties, null for "not compared".
    """

    class Input(models.TextChoices):
        FORM = "form", "Button or plain form"
        KEYBOARD = "keyboard", "Keyboard"
        IMPORT = "import", "Imported"

    battle = models.ForeignKey(Battle, on_delete=models.PROTECT, related_name="votes")
    voter = models.ForeignKey(Voter, null=True, on_delete=models.SET_NULL, related_name="votes")
    criterion = models.ForeignKey(Criterion, on_delete=models.PROTECT)
    ranks = ArrayField(models.PositiveSmallIntegerField(null=True), size=9)
    all_bad = models.BooleanField(default=False)
    is_skip = models.BooleanField(default=False)
    input = models.CharField(max_length=10, choices=Input, default=Input.FORM)
    latency_ms = models.PositiveIntegerField(null=True, blank=True, help_text="From showing to voting.")

    objects = VoteQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["battle", "voter", "criterion"], name="vote_one_per_voter_battle_criterion"
            ),
        ]
        indexes = [models.Index(fields=["voter", "-created_at"], name="vote_by_voter")]

    def __str__(self) -> str:
        return f"Vote {self.pk} {self.outcome}"

    @property
    def outcome(self) -> str:
        """The pairwise word for this ranking, in the spelling of published dumps."""
        if self.is_skip:
            return "skip"
        if self.all_bad:
            return "both_bad"
        if len(self.ranks) != 2 or None in self.ranks:
            return "ranking"
        first, second = (rank or 0 for rank in self.ranks)
        return "tie" if first == second else ("model_a" if first < second else "model_b")


class VoteExclusion(TimestampedModel):
    """Why a vote is kept but not counted."""

    class Reason(models.TextChoices):
        IDENTITY_LEAK = "identity_leak", "An answer named a system or its maker"
        ADMIN = "admin", "Excluded by an admin"
        VOTER_DELETED = "voter_deleted", "The voter asked to be forgotten"

    vote = models.ForeignKey(Vote, on_delete=models.CASCADE, related_name="exclusions")
    reason = models.CharField(max_length=30, choices=Reason)
    detail = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["vote", "reason"], name="exclusion_once_per_vote_and_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()}: {self.vote}"

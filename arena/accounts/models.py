"""Users who log in, and voters, who need not."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models

from arena.core.models import TimestampedModel


class User(AbstractUser):
    """A person with a login: admins today, named voters tomorrow."""


class Voter(TimestampedModel):
    """Whoever casts votes: an anonymous browser, a user, or a person in an imported file."""

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="voters")
    source = models.CharField(max_length=60, blank=True, help_text="The imported file this voter comes from.")
    source_name = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "source_name"],
                condition=~models.Q(source=""),
                name="imported_voter_once_per_source",
            ),
        ]

    def __str__(self) -> str:
        return self.source_name or f"anonymous {str(self.key)[:8]}"

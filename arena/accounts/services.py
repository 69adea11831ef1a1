"""Writes on voters."""

from __future__ import annotations

import uuid

from arena.accounts.models import Voter


def voter_get_or_create(*, key: uuid.UUID | None) -> Voter:
    """The voter of a signed cookie; a new one for a browser that has none, or whose voter was deleted."""
    if key is not None:
        voter = Voter.objects.filter(key=key, source="").first()
        if voter:
            return voter
    return Voter.objects.create()

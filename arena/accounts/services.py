"""Writes on voters."""

from __future__ import annotations

from arena.accounts.models import Voter


def voter_create() -> Voter:
    """A voter for a browser that has none, or whose voter was deleted."""
    return Voter.objects.create()

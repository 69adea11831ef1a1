"""Which System an imported name means.

A published name is taken for a system that is there already only when that system has no provider (it is not
run here) and its organisation is the same or either is unknown. “GPT 4” in a published file and a system of
that name which this installation runs are different things: the published one becomes “GPT 4 (llmfao)”. A
system remembers the source and id that it was made for: a later import finds it even when it was renamed.
"""

from __future__ import annotations

from typing import NamedTuple

from django.utils.text import slugify

from arena.catalog.models import Provider, System

NAME_LIMIT = 120
SLUG_LIMIT = 140


class PublishedSystem(NamedTuple):
    key: str
    """Its id in the file."""
    name: str
    organisation: str = ""
    revision: str = ""


class SystemBook:
    """Finds or makes the systems of one import; two ids of a file never become one system."""

    def __init__(self, *, source: str) -> None:
        self.source = source
        self.by_key: dict[str, System] = {}
        self.added = 0
        self._existing = {system.name: system for system in System.objects.all()}
        self._made_for = {
            str(system.provider_options.get("id")): system
            for system in self._existing.values()
            if system.provider == Provider.NONE and system.provider_options.get("source") == source
        }
        self._slugs = {system.slug for system in self._existing.values()}
        self._taken: set[int] = set()

    def find_or_create(self, published: PublishedSystem) -> System:
        system = self._made_for.get(published.key)
        if system is None:
            system = self._find_by_name(published)
        self._taken.add(system.pk)
        self.by_key[published.key] = system
        return system

    def _find_by_name(self, published: PublishedSystem) -> System:
        suffix = f" ({self.source})"
        names = [
            published.name,
            published.name[: NAME_LIMIT - len(suffix)] + suffix,
            f"{published.name[:80]} ({self.source} {published.key[:20]})",
        ]
        for name in names:
            system = self._existing.get(name)
            if system is None:
                return self._create(published, name=name)
            if self._is_same(system, published):
                return system
        raise AssertionError("the last name holds the key, which is unique in its file")

    def _is_same(self, system: System, published: PublishedSystem) -> bool:
        return (
            system.provider == Provider.NONE
            and system.pk not in self._taken
            and (
                not system.organisation
                or not published.organisation
                or system.organisation == published.organisation
            )
        )

    def _create(self, published: PublishedSystem, *, name: str) -> System:
        system = System.objects.create(
            name=name,
            slug=self._free_slug(name),
            organisation=published.organisation,
            revision=published.revision,
            provider=Provider.NONE,
            provider_options={"source": self.source, "id": published.key},
        )
        self._existing[name] = system
        self._slugs.add(system.slug)
        self.added += 1
        return system

    def _free_slug(self, name: str) -> str:
        base = slugify(name.replace(".", "-"))[: SLUG_LIMIT - 20] or "system"
        candidates = [base, f"{base}-{self.source}"[:SLUG_LIMIT]]
        candidates += [f"{base}-{number}" for number in range(2, 2 + len(self._slugs))]
        return next(slug for slug in [*candidates, f"{base}-{len(candidates)}"] if slug not in self._slugs)

"""Writes on the catalogue."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils.text import slugify

from arena.catalog.models import Category, Prompt, PromptSet
from arena.catalog.prompt_files import PromptRow


@transaction.atomic
def prompts_add(*, prompt_set: PromptSet, rows: Iterable[PromptRow]) -> int:
    """Add the rows to a prompt set; categories are made as they are met. Returns how many are new."""
    categories = {category.slug: category for category in Category.objects.all()}
    prompts = []
    for row in rows:
        slug = slugify(row.category)
        if slug and slug not in categories:
            categories[slug] = Category.objects.create(slug=slug, name=row.category)
        prompts.append(
            Prompt(
                prompt_set=prompt_set,
                external_id=row.external_id,
                text=row.text,
                category=categories.get(slug),
                language=row.language,
            )
        )
    before = prompt_set.prompts.count()
    Prompt.objects.bulk_create(prompts, ignore_conflicts=True)
    return prompt_set.prompts.count() - before

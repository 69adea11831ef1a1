"""The catalogue: what is compared (systems), on what (prompts) and where (arenas)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from arena.accounts.models import Voter
from arena.core.models import TimestampedModel
from arena.ranking import RankingError
from arena.ranking.pairing.rules import check_pairing


class Modality(models.TextChoices):
    TEXT = "text", "Text"
    IMAGE = "image", "Image"
    AUDIO = "audio", "Audio"
    VIDEO = "video", "Video"
    MODEL_3D = "3d", "3D"


class Provider(models.TextChoices):
    """How a system is run; the options of each kind are in `catalog.providers`."""

    OPENAI = "openai", "OpenAI-compatible endpoint"
    TRANSFORMERS = "transformers", "transformers on a GPU worker"
    COMMAND = "command", "Program on a worker"
    NONE = "", "Not run here (imported answers only)"


class SystemQuerySet(models.QuerySet["System"]):
    def visible(self) -> SystemQuerySet:
        return self.filter(status=System.Status.VISIBLE)

    def runnable(self) -> SystemQuerySet:
        return self.visible().exclude(provider=Provider.NONE)


class System(TimestampedModel):
    """The thing compared: a model, its revision and its settings."""

    class Status(models.TextChoices):
        VISIBLE = "visible", "Visible"
        PRIVATE = "private", "Private (in no battle)"
        RETIRED = "retired", "Retired"

    name = models.CharField(max_length=120, unique=True)
    slug = models.SlugField(max_length=140, unique=True)
    organisation = models.CharField(max_length=120, blank=True, help_text="Who made the model.")
    licence = models.CharField(max_length=120, blank=True)
    licence_notice = models.TextField(blank=True, help_text="A notice that the licence asks to be shown.")
    link = models.URLField(blank=True)
    knowledge_cutoff = models.CharField(max_length=20, blank=True, help_text="For example 2024-06.")
    revision = models.CharField(
        max_length=120, blank=True, help_text="A commit hash or version of the weights."
    )
    input_modality = models.CharField(max_length=10, choices=Modality, default=Modality.TEXT)
    output_modality = models.CharField(max_length=10, choices=Modality, default=Modality.TEXT)
    provider = models.CharField(max_length=20, choices=Provider, default=Provider.OPENAI, blank=True)
    provider_options = models.JSONField(
        default=dict, blank=True, help_text="Where the weights or the endpoint are."
    )
    generation_settings = models.JSONField(default=dict, blank=True)
    max_concurrency = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Jobs it may answer at once, over all workers; empty = as many as there are workers.",
    )
    answered_at = models.DateTimeField(null=True, editable=False, help_text="Of its first kept answer.")
    status = models.CharField(max_length=10, choices=Status, default=Status.VISIBLE)
    retired_on = models.DateField(null=True, blank=True)
    retired_reason = models.CharField(max_length=300, blank=True)

    objects = SystemQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(status="retired")
                | (models.Q(retired_on__isnull=False) & ~models.Q(retired_reason="")),
                name="retired_system_has_date_and_reason",
                violation_error_message="A retired system needs the date and the reason of its retirement.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def settings_hash(self) -> str:
        """Names the exact configuration in the provenance of a response."""
        resolved: dict[str, Any] = {
            "provider": self.provider,
            "options": self.provider_options,
            "settings": self.generation_settings,
            "revision": self.revision,
        }
        return hashlib.sha256(json.dumps(resolved, sort_keys=True).encode()).hexdigest()[:16]


class Category(models.Model):
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class PromptSet(TimestampedModel):
    """A curated list of prompts; a changed list is a new version."""

    slug = models.SlugField(max_length=60)
    version = models.CharField(max_length=20, default="1.0")
    title = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    licence = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering = ["slug", "version"]
        constraints = [
            models.UniqueConstraint(fields=["slug", "version"], name="prompt_set_once_per_version"),
        ]

    def __str__(self) -> str:
        return f"{self.title} {self.version}"


class Prompt(TimestampedModel):
    """One input: of a prompt set, or asked by a voter."""

    prompt_set = models.ForeignKey(
        PromptSet, null=True, blank=True, on_delete=models.PROTECT, related_name="prompts"
    )
    external_id = models.CharField(max_length=80, blank=True)
    category = models.ForeignKey(Category, null=True, blank=True, on_delete=models.SET_NULL)
    language = models.CharField(max_length=12, blank=True, help_text="A BCP 47 tag such as en or pt-BR.")
    text = models.TextField()
    author = models.ForeignKey(Voter, null=True, blank=True, on_delete=models.SET_NULL)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["prompt_set", "external_id"],
                condition=models.Q(prompt_set__isnull=False),
                name="prompt_once_per_set",
            ),
            models.CheckConstraint(condition=~models.Q(text=""), name="prompt_is_not_empty"),
        ]

    def __str__(self) -> str:
        return self.text[:60]


class Criterion(models.Model):
    """What a vote is about."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=80)
    help_text = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name_plural = "criteria"

    def __str__(self) -> str:
        return self.name


class Arena(TimestampedModel):
    """A place to vote."""

    name = models.CharField(max_length=120, unique=True)
    slug = models.SlugField(max_length=60, unique=True)
    description = models.TextField(blank=True)
    input_modality = models.CharField(max_length=10, choices=Modality, default=Modality.TEXT)
    output_modality = models.CharField(max_length=10, choices=Modality, default=Modality.TEXT)
    criterion = models.ForeignKey(Criterion, on_delete=models.PROTECT, related_name="arenas")
    prompt_sets = models.ManyToManyField(PromptSet, blank=True, related_name="arenas")
    systems = models.ManyToManyField(System, through="Admission", related_name="arenas")
    is_open = models.BooleanField(default=True, help_text="Battles can be started here.")
    takes_own_prompts = models.BooleanField(default=False, help_text="Voters may ask a prompt of their own.")
    pairing = models.JSONField(
        default=dict,
        blank=True,
        help_text="Which systems meet: a rule and its settings, e.g. {“rule”: “information”}; empty = those "
        "that met least.",
    )
    is_listed = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField(default=100, help_text="Smaller comes first in lists.")
    source = models.CharField(max_length=60, blank=True, help_text="The importer that made this arena.")
    citation = models.TextField(blank=True, help_text="Where imported votes come from, and their licence.")
    vote_licence = models.CharField(max_length=60, default="CC-BY-4.0")

    class Meta:
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if not isinstance(self.pairing, dict):
            raise ValidationError({"pairing": "This must be a JSON object such as {“rule”: “information”}."})
        try:
            check_pairing(self.pairing)
        except (RankingError, TypeError, ValueError) as error:
            raise ValidationError({"pairing": f"The ranking library refuses this: {error}"}) from error


class Admission(TimestampedModel):
    """A system that takes part in an arena, and how often it is drawn."""

    arena = models.ForeignKey(Arena, on_delete=models.CASCADE, related_name="admissions")
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="admissions")
    weight = models.FloatField(default=1.0, help_text="Sampling weight: 0 = never drawn, 2 = twice as often.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["arena", "system"], name="system_admitted_once_per_arena"),
            models.CheckConstraint(
                condition=models.Q(weight__gte=0), name="admission_weight_is_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.system} in {self.arena}"

    def clean(self) -> None:
        if (
            self.system_id
            and self.arena_id
            and (self.system.input_modality, self.system.output_modality)
            != (self.arena.input_modality, self.arena.output_modality)
        ):
            raise ValidationError("The system's modalities are not those of the arena.")

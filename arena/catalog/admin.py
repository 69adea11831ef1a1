"""The catalogue in the admin: register systems, make arenas, upload prompts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from arena.catalog.forms import OPTION_PREFIX, PromptSetForm, SystemForm
from arena.catalog.models import Admission, Arena, Category, Criterion, Prompt, PromptSet, System
from arena.catalog.providers import OPTIONS
from arena.catalog.services import prompts_add


@admin.register(System)
class SystemAdmin(admin.ModelAdmin[System]):
    form = SystemForm
    list_display = ["name", "organisation", "provider", "revision", "status", "retired_on"]
    list_filter = ["status", "provider", "organisation", "input_modality", "output_modality"]
    search_fields = ["name", "slug", "organisation"]
    prepopulated_fields = {"slug": ["name"]}
    actions = ["make_private", "make_visible"]
    save_on_top = True

    def get_fieldsets(self, request: HttpRequest, obj: System | None = None) -> Any:
        return [
            (
                "1. Who made it",
                {
                    "fields": [
                        "name",
                        "slug",
                        "organisation",
                        "licence",
                        "licence_notice",
                        "link",
                        "knowledge_cutoff",
                        "input_modality",
                        "output_modality",
                    ]
                },
            ),
            (
                "2. Where it runs",
                {
                    "fields": [
                        "provider",
                        "revision",
                        "max_concurrency",
                        *(OPTION_PREFIX + option.name for option in OPTIONS),
                    ],
                    "description": "The endpoint, or the weights that a worker loads. Keys stay in the "
                    "worker's environment; only the name of the variable is stored.",
                },
            ),
            (
                "3. How it answers",
                {
                    "fields": [
                        "template",
                        "system_prompt",
                        "max_tokens",
                        "temperature",
                        "top_p",
                        "top_k",
                        "repetition_penalty",
                        "stop",
                    ],
                    "description": "The same model with other settings is another system. "
                    "After saving, press “Test it”.",
                },
            ),
            ("4. Visibility", {"fields": ["status", "retired_on", "retired_reason"]}),
        ]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        # The option fields exist only on instances of the form; Django must not look them up in the model.
        return SystemForm

    @admin.action(description="Take out of all battles (private)", permissions=["change"])
    def make_private(self, request: HttpRequest, queryset: QuerySet[System]) -> None:
        changed = queryset.filter(status=System.Status.VISIBLE).update(status=System.Status.PRIVATE)
        self.message_user(request, f"{changed} systems are in no new battle now.", messages.SUCCESS)

    @admin.action(description="Admit to battles again (visible)", permissions=["change"])
    def make_visible(self, request: HttpRequest, queryset: QuerySet[System]) -> None:
        changed = queryset.filter(status=System.Status.PRIVATE).update(status=System.Status.VISIBLE)
        self.message_user(request, f"{changed} systems can be drawn again.", messages.SUCCESS)


class AdmissionInline(admin.TabularInline[Admission, Arena]):
    model = Admission
    autocomplete_fields = ["system"]
    fields = ["system", "weight"]
    extra = 2


@admin.register(Arena)
class ArenaAdmin(admin.ModelAdmin[Arena]):
    list_display = ["name", "output_modality", "is_open", "takes_own_prompts", "is_listed", "position"]
    list_filter = ["is_open", "takes_own_prompts", "output_modality"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}
    filter_horizontal = ["prompt_sets"]
    inlines = [AdmissionInline]
    fieldsets = [
        (None, {"fields": ["name", "slug", "description", "input_modality", "output_modality", "criterion"]}),
        ("What is asked", {"fields": ["prompt_sets", "takes_own_prompts", "pairing"]}),
        ("Where it is shown", {"fields": ["is_open", "is_listed", "position", "citation", "vote_licence"]}),
    ]


@admin.register(PromptSet)
class PromptSetAdmin(admin.ModelAdmin[PromptSet]):
    form = PromptSetForm
    list_display = ["title", "slug", "version", "licence", "prompt_count", "created_at"]
    search_fields = ["title", "slug"]
    prepopulated_fields = {"slug": ["title"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[PromptSet]:
        return super().get_queryset(request).annotate(prompt_total=Count("prompts"))

    @admin.display(description="prompts")
    def prompt_count(self, prompt_set: Any) -> int:
        return int(prompt_set.prompt_total)

    def save_model(self, request: HttpRequest, obj: PromptSet, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.rows:
            added = prompts_add(prompt_set=obj, rows=form.rows)
            self.message_user(request, f"{added} prompts were added.", messages.SUCCESS)


@admin.register(Prompt)
class PromptAdmin(admin.ModelAdmin[Prompt]):
    list_display = ["__str__", "prompt_set", "category", "language", "created_at"]
    list_filter = ["prompt_set", "category", "language"]
    search_fields = ["text", "external_id"]
    list_select_related = ["prompt_set", "category"]
    raw_id_fields = ["author"]

    def has_change_permission(self, request: HttpRequest, obj: Prompt | None = None) -> bool:
        """Answers belong to the text as it was: a better prompt goes into a new version of its set."""
        return False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Prompts come with their set, in one file."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Prompt | None = None) -> bool:
        return False


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin[Category]):
    list_display = ["name", "slug", "description"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}


@admin.register(Criterion)
class CriterionAdmin(admin.ModelAdmin[Criterion]):
    list_display = ["name", "slug", "help_text"]
    search_fields = ["name"]
    prepopulated_fields = {"slug": ["name"]}

from django.contrib import admin
from django.db import models

from arena.core.admin import ReadOnlyAdmin
from arena.judging.models import JudgeSpec, Score, Verdict


@admin.register(JudgeSpec)
class JudgeSpecAdmin(admin.ModelAdmin[JudgeSpec]):
    list_display = ["name", "kind", "implementation", "version", "is_active"]
    list_filter = ["kind", "is_active"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}


@admin.register(Score)
class ScoreAdmin(ReadOnlyAdmin):
    list_display = ["judge", "response", "value", "created_at"]
    list_filter = ["judge"]
    list_select_related = ["judge", "response__system", "response__prompt"]


@admin.register(Verdict)
class VerdictAdmin(ReadOnlyAdmin):
    list_display = ["judge", "battle", "ranks", "created_at"]
    list_filter = ["judge"]
    list_select_related = ["judge", "battle"]

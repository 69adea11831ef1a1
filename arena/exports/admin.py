from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from arena.catalog.models import Arena
from arena.exports.models import Export
from arena.exports.services import ExportRefused, export_request


@admin.register(Export)
class ExportAdmin(admin.ModelAdmin[Export]):
    """Read only: a release is asked for, never edited."""

    list_display = ["arena", "created_at", "status", "rows", "download", "error"]
    list_filter = ["status", "arena"]
    search_fields = ["arena__name", "arena__slug", "key"]
    list_select_related = ["arena"]
    date_hierarchy = "created_at"
    actions = ["build_new"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Export | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Export | None = None) -> bool:
        return False

    @admin.display(description="rows")
    def rows(self, export: Export) -> str:
        count = export.manifest.get("row_count")
        return "–" if count is None else f"{count:,}"

    @admin.display(description="download")
    def download(self, export: Export) -> str | SafeString:
        if export.status != Export.Status.DONE:
            return "–"
        url = reverse("exports:file", args=[export.key, "manifest.json"])
        return format_html('<a href="{}">manifest.json</a>', url)

    @admin.action(description="Build a new release of these arenas")
    def build_new(self, request: HttpRequest, chosen: QuerySet[Export]) -> None:
        for arena in Arena.objects.filter(pk__in=chosen.order_by().values("arena")):
            try:
                export = export_request(arena=arena, now=timezone.now())
            except ExportRefused as refused:
                self.message_user(request, f"{arena}: {refused}", messages.WARNING)
                continue
            text = "is being written" if export.is_unfinished else "is up to date: nothing new was voted"
            self.message_user(request, f"The release of {arena} {text}.", messages.SUCCESS)

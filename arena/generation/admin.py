"""Jobs and responses in the admin: to look at, and to queue a failed job again."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from arena.core.admin import ReadOnlyAdmin
from arena.generation.models import Job, Outage, Response
from arena.generation.services import jobs_requeue


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = ["id", "system", "purpose", "status", "attempts", "worker", "error", "created_at"]
    list_filter = ["status", "purpose", "system", "error_kind"]
    search_fields = ["error", "system__name"]
    list_select_related = ["system"]
    actions = ["queue_again"]

    @admin.action(description="Queue failed jobs again", permissions=["requeue"])
    def queue_again(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        count = jobs_requeue(jobs=queryset)
        self.message_user(request, f"{count} jobs were queued again.", messages.SUCCESS)

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("generation.change_job")


@admin.register(Response)
class ResponseAdmin(ReadOnlyAdmin):
    list_display = ["id", "system", "prompt", "finish_reason", "completion_tokens", "total_s", "created_at"]
    list_filter = ["system", "is_stock", "is_test", "finish_reason"]
    search_fields = ["text"]
    list_select_related = ["system", "prompt"]


@admin.register(Outage)
class OutageAdmin(ReadOnlyAdmin):
    list_display = ["system", "kind", "reason", "begun_by", "created_at", "probes", "ended_at", "ended_by"]
    list_filter = ["kind", "system"]
    list_select_related = ["system"]

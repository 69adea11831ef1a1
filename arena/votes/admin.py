"""Votes in the admin: to look at, and to exclude or bring back with a reason. Never to change."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from arena.core.admin import ReadOnlyAdmin
from arena.votes.models import Vote, VoteExclusion
from arena.votes.services import votes_exclude, votes_include


@admin.register(Vote)
class VoteAdmin(ReadOnlyAdmin):
    list_display = ["id", "outcome", "battle", "voter", "input", "is_counted", "created_at"]
    list_filter = ["battle__arena", "is_skip", "all_bad", "input", "exclusions__reason"]
    search_fields = ["voter__key", "voter__source_name"]
    list_select_related = ["battle", "voter"]
    actions = ["exclude_votes", "include_votes"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Vote]:
        queryset: QuerySet[Vote] = super().get_queryset(request)
        counted = Exists(Vote.objects.counted().filter(pk=OuterRef("pk")))
        return queryset.annotate(counted=counted)

    @admin.display(boolean=True, description="counted")
    def is_counted(self, vote: Any) -> bool:
        return bool(vote.counted)

    @admin.action(description="Exclude from the boards (kept, not counted)", permissions=["exclude"])
    def exclude_votes(self, request: HttpRequest, queryset: QuerySet[Vote]) -> None:
        count = votes_exclude(
            votes=queryset, reason=VoteExclusion.Reason.ADMIN, detail=f"Excluded by {request.user}."
        )
        self.message_user(request, f"{count} votes are no longer counted.", messages.SUCCESS)

    @admin.action(description="Count again what an admin excluded", permissions=["exclude"])
    def include_votes(self, request: HttpRequest, queryset: QuerySet[Vote]) -> None:
        count = votes_include(votes=queryset)
        self.message_user(request, f"{count} votes are counted again.", messages.SUCCESS)

    def has_exclude_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("votes.add_voteexclusion")


@admin.register(VoteExclusion)
class VoteExclusionAdmin(ReadOnlyAdmin):
    list_display = ["vote", "reason", "detail", "created_at"]
    list_filter = ["reason"]

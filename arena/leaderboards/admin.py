from django.contrib import admin
from django.http import HttpRequest

from arena.core.admin import ReadOnlyAdmin
from arena.leaderboards.forms import BoardForm
from arena.leaderboards.models import Board, Rating, Snapshot


@admin.register(Board)
class BoardAdmin(admin.ModelAdmin[Board]):
    form = BoardForm
    list_display = ["name", "arena", "voters", "vote_source", "judge", "is_published", "position"]
    list_filter = ["arena", "voters", "is_published"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}


class RatingInline(admin.TabularInline[Rating, Snapshot]):
    model = Rating
    fields = ["system", "score", "low", "high", "rank_low", "rank_high", "ballots"]
    readonly_fields = ["system", "score", "low", "high", "rank_low", "rank_high", "ballots"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Snapshot | None = None) -> bool:
        return False


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    list_display = ["id", "board", "ballot_count", "vote_count", "excluded_count", "fit_ms", "created_at"]
    list_filter = ["board"]
    list_select_related = ["board__arena"]
    inlines = [RatingInline]

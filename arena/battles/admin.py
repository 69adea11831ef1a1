from django.contrib import admin
from django.http import HttpRequest

from arena.battles.models import Battle, Slot
from arena.core.admin import ReadOnlyAdmin


class SlotInline(admin.TabularInline[Slot, Battle]):
    model = Slot
    fields = ["position", "system", "response", "job"]
    readonly_fields = ["position", "system", "response", "job"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Battle | None = None) -> bool:
        return False


@admin.register(Battle)
class BattleAdmin(ReadOnlyAdmin):
    list_display = [
        "id",
        "arena",
        "source",
        "pairing_rule",
        "draw_probability",
        "closed_reason",
        "created_at",
    ]
    list_filter = ["arena", "source", "closed_reason"]
    search_fields = ["id", "external_id"]
    list_select_related = ["arena"]
    inlines = [SlotInline]

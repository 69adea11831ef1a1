from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

from arena.accounts.models import User, Voter

admin.site.site_header = "Arena"
admin.site.site_title = "Arena admin"
admin.site.index_title = "Everything that is compared, asked and measured"
admin.site.register(User, UserAdmin)


@admin.register(Voter)
class VoterAdmin(admin.ModelAdmin[Voter]):
    list_display = ["__str__", "source", "created_at"]
    list_filter = ["source"]
    search_fields = ["source_name", "key"]
    readonly_fields = ["key", "user", "source", "source_name", "created_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Voter | None = None) -> bool:
        """A voter is erased by “Forget me”, which erases texts too, never by deleting the row."""
        return False

"""`manage.py demo_seed`: the starter arena and, at the first start, an admin with a one-time password."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from arena.accounts.models import User
from arena.generation.services import stock_ensure
from arena.leaderboards.starter import starter_ensure


class Command(BaseCommand):
    help = "Make the starter arena and the first admin, unless they exist."

    def handle(self, *_args: Any, **_options: Any) -> None:
        arena = starter_ensure()
        made = stock_ensure(arena=arena)
        if made:
            self.stdout.write(f"Arena “{arena}”: {made} answers are queued for the models.")
        if User.objects.filter(is_superuser=True).exists():
            return
        password = secrets.token_urlsafe(9)
        User.objects.create_superuser("admin", "", password)
        self.stdout.write("")
        self.stdout.write(f"  Admin:    {settings.BASE_URL}/admin/")
        self.stdout.write("  User:     admin")
        self.stdout.write(f"  Password: {password}   (shown only now; change it in the admin)")
        self.stdout.write("")

"""Recomputes the boards of a release; the same as `python -m arena.exports.recompute`."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from arena.exports import recompute


class Command(BaseCommand):
    help = "Recompute the published boards of a data release from its files alone."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder")
        parser.add_argument("--board")

    def handle(self, *_args: Any, **options: Any) -> None:
        arguments = [options["folder"], *(["--board", options["board"]] if options["board"] else [])]
        status = recompute.main(arguments, out=self.stdout)  # type: ignore[arg-type]
        if status:
            sys.exit(status)

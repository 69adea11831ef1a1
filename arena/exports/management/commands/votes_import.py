"""Imports named vote files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from arena.exports.importers.console import ImportCommand
from arena.exports.importers.folder import Recognised, recognise_files


class Command(ImportCommand):
    help = "Import published vote files; files that belong together are given together."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")

    def handle(self, *_args: Any, **options: Any) -> None:
        recognised = recognise_files(options["files"])
        # A file that was named is wanted: not knowing it is a failure.
        skipped = [entry._replace(is_broken=True) for entry in recognised.skipped]
        self.import_all(Recognised(recognised.sets, skipped), is_strict=options["strict"])

"""Imports every vote file of a folder that an importer knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from arena.exports.importers.console import ImportCommand
from arena.exports.importers.folder import recognise


class Command(ImportCommand):
    help = "Import all published vote files of a folder; files that no importer knows are listed and skipped."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("folder", type=Path, metavar="DIR")

    def handle(self, *_args: Any, **options: Any) -> None:
        folder: Path = options["folder"]
        try:
            recognised = recognise(folder)
        except OSError as error:
            raise CommandError(f"{folder} cannot be read as a folder: {error.strerror}.") from error
        self.import_all(recognised, is_strict=options["strict"])

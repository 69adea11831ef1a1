"""Builds a data release of one arena here and now, without a worker."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from arena.catalog.models import Arena
from arena.exports.models import Export
from arena.exports.selectors import export_folder
from arena.exports.services import ExportRefused, export_build, export_queue


class Command(BaseCommand):
    help = "Build a data release of an arena and print its folder; nothing is built when nothing changed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--arena", required=True, metavar="SLUG")

    def handle(self, *_args: Any, **options: Any) -> None:
        slug: str = options["arena"]
        arena = Arena.objects.filter(slug=slug).first()
        if arena is None:
            known = ", ".join(Arena.objects.values_list("slug", flat=True)) or "none"
            raise CommandError(f"There is no arena “{slug}”. Arenas: {known}.")
        try:
            export = export_queue(arena=arena, now=timezone.now())
        except ExportRefused as refused:
            raise CommandError(str(refused)) from refused
        export = export_build(export=export)
        if export.status != Export.Status.DONE:
            raise CommandError(export.error or "Another process is building this release at the moment.")
        self.stdout.write(
            f"{export.manifest['row_count']:,} ballots, {export.manifest['counted_count']:,} of them counted:"
        )
        self.stdout.write(str(export_folder(export=export)))

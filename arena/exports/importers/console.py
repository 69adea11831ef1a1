"""What the two import commands share: options, a progress bar, the report in words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from arena.exports.importers.folder import FileSet, Recognised
from arena.exports.importers.rows import Progress
from arena.exports.importers.run import Imported, ImportRefused, set_import


class ImportCommand(BaseCommand):
    """Imports every recognised set; a broken file makes the command fail, after the good sets are in."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--strict", action="store_true", help="import nothing of a set in which a row is rejected"
        )

    def import_all(self, recognised: Recognised, *, is_strict: bool) -> None:
        for file_set in recognised.sets:
            self.stdout.write(f"Recognised {file_set}")
        for skipped in recognised.skipped:
            self.stdout.write(f"Skipped {skipped}")
        failed = sum(skipped.is_broken for skipped in recognised.skipped)
        for file_set in recognised.sets:
            self.stdout.write(f"\nImporting {file_set}")
            self.stdout.flush()
            failed += not self._import(file_set, is_strict=is_strict)
        if failed:
            raise CommandError(f"{failed} of the above could not be imported.")

    def _import(self, file_set: FileSet, *, is_strict: bool) -> bool:
        try:
            with byte_bar(file_set) as progress:
                imported = set_import(
                    file_set=file_set, now=timezone.now(), is_strict=is_strict, progress=progress
                )
        except ImportRefused as refused:
            self.stdout.write(f"Nothing was imported: {refused}")
            if refused.report.rejected:
                self.stdout.write("\n".join(refused.report.rejected_lines()))
            return False
        self.stdout.write(str(imported.report))
        self.stdout.write("\n".join(board_lines(imported)))
        return True


@contextmanager
def byte_bar(file_set: FileSet) -> Iterator[Progress]:
    """A bar on a terminal; nothing in a log, where each redraw would be a line."""
    with tqdm(
        total=file_set.size_bytes,
        desc=file_set.source,
        unit="B",
        unit_scale=True,
        file=sys.stderr,
        disable=None,
    ) as bar:
        yield bar.update


def board_lines(imported: Imported) -> Iterator[str]:
    yield (
        f"Imported in {imported.import_s:.1f} s, boards fitted in {imported.fit_s:.1f} s: "
        f"/leaderboards/{imported.arena.slug}/"
    )
    if not imported.first_rows:
        return
    yield f"{imported.systems_rated} systems rated by people; the first {len(imported.first_rows)}:"
    yield f"  {'rank':>7}  {'system':<32} {'score':>7}  {'95 % interval':>15} {'ballots':>8}"
    for row in imported.first_rows:
        ranks = "–" if row.rank_low is None else f"{row.rank_low}–{row.rank_high}"
        interval = "–" if row.low is None or row.high is None else f"{row.low:.0f} … {row.high:.0f}"
        score = "–" if row.score is None else f"{row.score:.1f}"
        yield f"  {ranks:>7}  {row.system[:32]:<32} {score:>7}  {interval:>15} {row.ballots:>8,}"

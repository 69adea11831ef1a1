"""What an import did, row by row and as text that a person can act on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

LINES_SHOWN = 20


class FileProblem(Exception):
    """A file that cannot be imported at all."""

    def __init__(self, path: Path, reason: str, *, line: int | None = None) -> None:
        where = path.name if line is None else f"{path.name}, line {line}"
        super().__init__(f"{where}: {reason}")
        self.path = path


class RowRefused(Exception):
    """One row that cannot be imported; its neighbours can."""


class Rejected(NamedTuple):
    path: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path.name}, line {self.line}: {self.reason}"


@dataclass
class Tally:
    added: int = 0
    already_there: int = 0


@dataclass
class Report:
    """Filled while one set of files is read."""

    tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    rejected: list[Rejected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def reject(self, path: Path, line: int, reason: str) -> None:
        self.rejected.append(Rejected(path, line, reason))

    @property
    def added(self) -> int:
        return sum(tally.added for tally in self.tallies.values())

    def lines(self) -> Iterator[str]:
        for noun, tally in self.tallies.items():
            yield f"{noun + ':':<20} {tally.added:>7,} added, already there: {tally.already_there:,}"
        if not self.added:
            yield "Nothing new: everything in these files was there already."
        yield from self.notes
        yield from self.rejected_lines()

    def rejected_lines(self) -> Iterator[str]:
        if not self.rejected:
            yield "No row was rejected."
            return
        yield f"Rejected rows: {len(self.rejected):,}"
        yield from (f"  {rejected}" for rejected in self.rejected[:LINES_SHOWN])
        if len(self.rejected) > LINES_SHOWN:
            yield f"  … and {len(self.rejected) - LINES_SHOWN:,} more"

    def __str__(self) -> str:
        return "\n".join(self.lines())

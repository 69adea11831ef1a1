"""Recognises vote files by what is in them, never by their names alone, and says why others are left out."""

from __future__ import annotations

import csv
import enum
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from arena.exports.importers import llmfao, mtbench
from arena.exports.importers.report import FileProblem
from arena.exports.importers.rows import lines


class Layout(enum.StrEnum):
    """A kind of file that an importer reads."""

    LLMFAO_TEXTS = "llmfao prompts, models and responses"
    LLMFAO_VOTES = "llmfao votes"
    MTBENCH_VOTES = "MT-bench votes"


COLUMNS: dict[Layout, frozenset[str]] = {
    Layout.LLMFAO_VOTES: llmfao.VOTE_COLUMNS,
    Layout.MTBENCH_VOTES: mtbench.VOTE_COLUMNS,
}
NEEDS: dict[str, tuple[Layout, ...]] = {
    llmfao.ORIGIN.slug: (Layout.LLMFAO_TEXTS, Layout.LLMFAO_VOTES),
    mtbench.ORIGIN.slug: (Layout.MTBENCH_VOTES,),
}


class Skipped(NamedTuple):
    path: Path
    reason: str
    is_broken: bool = False
    """It seems to be meant for an import, and cannot be read."""

    def __str__(self) -> str:
        if self.reason.startswith(self.path.name):
            return self.reason
        return f"{self.path.name}: {self.reason}"


@dataclass(frozen=True)
class FileSet:
    """Files that belong together and become one arena."""

    source: str
    files: Mapping[Layout, tuple[Path, ...]]

    @property
    def paths(self) -> list[Path]:
        return [path for paths in self.files.values() for path in paths]

    @property
    def size_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.paths)

    def __str__(self) -> str:
        return f"{self.source}: {' + '.join(path.name for path in self.paths)}"


@dataclass
class Recognised:
    sets: list[FileSet] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


class Unrecognised(Exception):
    """The first line belongs to no known layout."""

    def __init__(self, reason: str, *, is_broken: bool = False) -> None:
        super().__init__(reason)
        self.is_broken = is_broken


def recognise(folder: Path) -> Recognised:
    """The sets of files in a folder, not in folders below it. Raises OSError when it is no folder."""
    return recognise_files(sorted(folder.iterdir()))


def recognise_files(paths: Iterable[Path]) -> Recognised:
    """The sets among the named files; sets and skipped files come in the order of their first file."""
    found: dict[Layout, list[Path]] = {}
    recognised = Recognised()
    for path in dict.fromkeys(paths):
        try:
            found.setdefault(layout_of(path), []).append(path)
        except Unrecognised as error:
            recognised.skipped.append(Skipped(path, str(error), is_broken=error.is_broken))
        except FileProblem as problem:
            recognised.skipped.append(Skipped(path, str(problem), is_broken=True))
    for source, layouts in NEEDS.items():
        present = [layout for layout in layouts if layout in found]
        missing = [layout for layout in layouts if layout not in found]
        if not missing:
            recognised.sets.append(FileSet(source, {layout: tuple(found[layout]) for layout in layouts}))
        for layout in present if missing else ():
            reason = f"holds {layout}; the file of {' and '.join(missing)} that belongs to it is missing"
            recognised.skipped += [Skipped(path, reason, is_broken=True) for path in found[layout]]
    return recognised


def layout_of(path: Path) -> Layout:
    """What the file holds, judged by its first line. Raises Unrecognised or FileProblem."""
    if path.is_dir():
        raise Unrecognised("is a folder")
    if path.exists() and not path.is_file():
        raise Unrecognised("is no plain file")
    first = next((line for line in _first_lines(path) if line.strip()), "")
    if first.lstrip().startswith("{"):
        return _json_layout(first)
    return _csv_layout(first, path=path)


def _first_lines(path: Path) -> Iterable[str]:
    for number, line in enumerate(lines(path)):
        if number == 100:
            return
        yield line


def _json_layout(first: str) -> Layout:
    try:
        values = json.loads(first)
    except (ValueError, RecursionError):
        raise Unrecognised("is neither JSON Lines nor CSV") from None
    fields = llmfao.TEXT_FIELDS.get(str(values.get("kind")))
    if fields is not None and fields <= values.keys():
        return Layout.LLMFAO_TEXTS
    raise Unrecognised(f"no importer reads its fields ({_listed(values)})")


def _csv_layout(first: str, *, path: Path) -> Layout:
    try:
        header = next(csv.reader([first]), [])
    except csv.Error:
        header = []
    for layout, columns in COLUMNS.items():
        if columns <= set(header):
            doubled = sorted({name for name in header if header.count(name) > 1})
            if doubled:
                raise Unrecognised(f"looks like {layout}, but has {_listed(doubled)} twice", is_broken=True)
            return layout
    for layout, columns in sorted(COLUMNS.items(), key=lambda pair: -len(pair[1] & set(header))):
        if len(columns & set(header)) * 2 > len(columns):
            missing = sorted(columns - set(header))
            raise Unrecognised(
                f"looks like {layout}, but these columns are missing: {_listed(missing)}", is_broken=True
            )
    if len(header) < 2 or not {".csv", ".tsv", ".txt"} & set(path.suffixes):
        raise Unrecognised("is neither JSON Lines nor CSV")
    raise Unrecognised(f"no importer reads its columns ({_listed(header)})")


def _listed(names: Iterable[str]) -> str:
    names = [str(name)[:40] for name in names]
    return ", ".join(names[:8]) + (" …" if len(names) > 8 else "")

"""Rows of CSV and JSON Lines files, plain or gzipped, one at a time; errors name file and line."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from arena.exports.importers.report import FileProblem, Report, RowRefused

MAX_LINE_BYTES = 4_000_000
GZIP_MAGIC = b"\x1f\x8b"

Progress = Callable[[int], object]
"""Is told how many more bytes of the file have been read."""


class Row(NamedTuple):
    line: int
    values: Mapping[str, Any]

    def text(self, name: str, *, limit: int, required: bool = True) -> str:
        """The value of a column as text that the database can hold. Raises RowRefused."""
        value = self.values.get(name)
        text = "" if value is None else str(value)
        if required and not text.strip():
            raise RowRefused(f"“{name}” is empty")
        if "\0" in text:
            raise RowRefused(f"“{name}” holds a NUL character")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise RowRefused(f"“{name}” holds half of a surrogate pair") from None
        if len(text) > limit:
            raise RowRefused(f"“{name}” is {len(text):,} characters long; the limit is {limit:,}")
        return text


def lines(path: Path, *, progress: Progress | None = None) -> Iterator[str]:
    """The lines of a UTF-8 text file. Raises FileProblem."""
    number = 0
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            if path.suffix == ".gz" and not is_gzip:
                raise FileProblem(path, "the name ends in .gz, but it is not a gzip file.")
            stream = gzip.GzipFile(fileobj=raw, mode="rb") if is_gzip else raw
            told = 0
            while line := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise FileProblem(path, f"the line is longer than {MAX_LINE_BYTES:,} bytes.", line=number)
                if progress is not None and (now := raw.tell()) > told:
                    progress(now - told)
                    told = now
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
    except EOFError:
        raise FileProblem(
            path, "the gzip file ends too early; was the download cut off?", line=number + 1
        ) from None
    except (gzip.BadGzipFile, zlib.error):
        raise FileProblem(path, "the gzip file is damaged.", line=number + 1) from None
    except UnicodeDecodeError as error:
        raise FileProblem(
            path, f"not UTF-8 text (byte {error.object[error.start]:#04x}); save it as UTF-8.", line=number
        ) from None
    except OSError as error:
        raise FileProblem(path, f"cannot be read: {error.strerror or error}.") from error
    if number == 0:
        raise FileProblem(path, "the file is empty.")


def csv_rows(path: Path, *, report: Report, progress: Progress | None = None) -> Iterator[Row]:
    """The rows below the header; a row with too few or too many fields is rejected."""
    reader = csv.reader(lines(path, progress=progress), strict=True)
    try:
        header = next(reader)
        while True:
            line = reader.line_num + 1
            try:
                fields = next(reader)
            except StopIteration:
                return
            if not fields:
                continue
            if len(fields) == len(header):
                yield Row(line, dict(zip(header, fields, strict=True)))
            else:
                report.reject(path, line, f"{len(fields)} fields where the header has {len(header)}")
    except csv.Error as error:
        raise FileProblem(path, f"broken CSV ({error}).", line=reader.line_num) from error


def json_rows(path: Path, *, report: Report, progress: Progress | None = None) -> Iterator[Row]:
    """One JSON object a line; a line that is none is rejected."""
    for line, text in enumerate(lines(path, progress=progress), start=1):
        if not text.strip():
            continue
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            report.reject(path, line, f"not JSON ({str(error)[:80]})")
            continue
        if isinstance(values, dict):
            yield Row(line, values)
        else:
            report.reject(path, line, "not a JSON object")

"""Reads prompts from an uploaded file: text, CSV or JSON Lines. Pure; errors name the line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

MAX_PROMPT_CHARS = 20_000
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class PromptFileError(Exception):
    """The file cannot be used; the message says which line is wrong."""


class PromptRow(NamedTuple):
    external_id: str
    text: str
    category: str = ""
    language: str = ""


def read_prompt_file(name: str, content: bytes) -> list[PromptRow]:
    """All prompts of a file, by its ending: .jsonl, .csv, anything else is one prompt per line.

    Raises:
        PromptFileError: not UTF-8, no prompts, a broken line, a missing column or a repeated id.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PromptFileError("The file is not UTF-8 text.") from error
    if "\x00" in text:
        raise PromptFileError("The file holds zero bytes; it is not a text file.")
    readers = {"jsonl": _jsonl, "csv": _csv}
    reader = readers.get(name.rsplit(".", 1)[-1].lower(), _lines)
    rows: list[PromptRow] = []
    seen: set[str] = set()
    for line, values in reader(text):
        row = _row(line, values)
        if row.external_id in seen:
            raise PromptFileError(f"Line {line}: the id “{row.external_id}” is used twice.")
        seen.add(row.external_id)
        rows.append(row)
    if not rows:
        raise PromptFileError("The file holds no prompts.")
    return rows


def _row(line: int, values: dict[str, Any]) -> PromptRow:
    for key in ("text", "id", "category", "language"):
        value = values.get(key)
        if value is not None and not isinstance(value, str | int):
            raise PromptFileError(f"Line {line}: {key} must be a text.")
        if UNSTORABLE.search(str(value)):
            raise PromptFileError(f"Line {line}: {key} holds a character that no text has.")
    text = str(values.get("text") or "").strip()
    if not text:
        raise PromptFileError(f"Line {line}: there is no text.")
    if len(text) > MAX_PROMPT_CHARS:
        raise PromptFileError(
            f"Line {line}: the prompt has {len(text):,} characters; {MAX_PROMPT_CHARS:,} fit."
        )
    return PromptRow(
        external_id=str(values.get("id") or f"line-{line}")[:80],
        text=text,
        category=str(values.get("category") or "")[:60],
        language=str(values.get("language") or "")[:12],
    )


def _lines(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, {"text": line}


def _csv(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text))
    if "text" not in (reader.fieldnames or []):
        raise PromptFileError("The first line of the CSV names no column “text”.")
    try:
        for values in reader:
            yield reader.line_num, values
    except csv.Error as error:
        raise PromptFileError(f"Line {reader.line_num}: this is not CSV: {error}.") from error


def _jsonl(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise PromptFileError(f"Line {number}: this is not JSON.") from error
        if not isinstance(values, dict):
            raise PromptFileError(f"Line {number}: a JSON object is needed.")
        if values.get("kind", "prompt") == "prompt":
            yield number, values

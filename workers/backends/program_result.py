"""Reads what a program answered: one JSON object, checked before anything of it is believed."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

from workers.backends.errors import (
    AnswerTooLarge,
    BackendError,
    BackendGarbage,
    BackendRejected,
    BackendUnavailable,
    PromptTooLong,
)
from workers.backends.text_stream import storable
from workers.backends.types import FinishReason

RESULT_FILE = "result.json"
_RESULT_BYTES_MOST = 8 * 2**20
_PROVENANCE_CHARACTERS_MOST = 4_000
_MEDIA_TYPE = re.compile(r"(audio|image|model|video)/[a-z0-9][a-z0-9.+-]*")
_WORDS_MOST = 300


@dataclass(frozen=True)
class MediaFile:
    path: Path
    media_type: str


@dataclass(frozen=True, kw_only=True)
class ProgramResult:
    text: str
    finish_reason: FinishReason
    media: tuple[MediaFile, ...]
    prompt_tokens: int | None
    completion_tokens: int | None
    provenance: dict[str, Any]


def read_result(stdout: bytes, output: Path) -> ProgramResult:
    """From result.json in the output folder, or else from the last line of stdout.

    Raises BackendGarbage for anything that breaks the contract, AnswerTooLarge for a huge result.json, and
    the error that the program itself reports.
    """
    result = _parse(_result_file(output) or _last_line(stdout))
    if result.get("error") is not None:
        raise _reported(result["error"])
    return ProgramResult(
        text=_text(result),
        finish_reason=_finish_reason(result),
        media=_media(result, output),
        prompt_tokens=_count(result, "prompt_tokens"),
        completion_tokens=_count(result, "completion_tokens"),
        provenance=_provenance(result),
    )


def media_file(output: Path, name: str) -> Path:
    """A regular file below `output`, reached over no link. Call it when the program is dead.

    Raises BackendGarbage otherwise. A file with a second name could be one from elsewhere, too.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\0" in name:
        raise BackendGarbage("The program names a file outside of its output folder.")
    path = output
    for part in ("", *parts):
        path = path / part
        if path.is_symlink():
            raise BackendGarbage("The program names a file behind a symbolic link.")
    try:
        state = path.lstat()
    except OSError:
        raise BackendGarbage("The program names a file that it did not write.") from None
    if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1:
        raise BackendGarbage("The program names something that is not a plain file of its own.")
    return path


def _result_file(output: Path) -> bytes | None:
    if not os.path.lexists(output / RESULT_FILE):
        return None
    path = media_file(output, RESULT_FILE)
    if path.stat().st_size > _RESULT_BYTES_MOST:
        raise AnswerTooLarge(f"The program's result is larger than {_RESULT_BYTES_MOST // 2**20} MiB.")
    return path.read_bytes()


def _last_line(stdout: bytes) -> bytes:
    lines = stdout.strip().rsplit(b"\n", 1)
    return lines[-1]


def _parse(source: bytes) -> Mapping[str, Any]:
    if not source:
        raise BackendGarbage("The program ended without a result.")
    try:
        result = json.loads(source, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise BackendGarbage("The program's result is not JSON.") from None
    if not isinstance(result, dict):
        raise BackendGarbage("The program's result is not a JSON object.")
    return result


def _refuse(constant: str) -> None:
    """NaN and Infinity are no JSON, and the database refuses them."""
    raise ValueError(constant)


def _reported(error: object) -> BackendError:
    """An error in the program's own words, of one of the kinds that we act on."""
    details = error if isinstance(error, Mapping) else {}
    kind = details.get("kind")
    words = " ".join(storable(str(details.get("message") or "")).split())[:_WORDS_MOST]
    if kind == "prompt_too_long":
        return PromptTooLong.counted(_count(details, "prompt_tokens"), _count(details, "limit_tokens"))
    if kind == "unavailable":
        return BackendUnavailable(f"The program cannot answer now: {words}")
    if kind == "rejected":
        return BackendRejected(f"The program refuses the request: {words}")
    return BackendGarbage(f"The program reports an error of no known kind: {words}")


def _text(result: Mapping[str, Any]) -> str:
    text = result.get("text", "")
    if not isinstance(text, str):
        raise BackendGarbage("The program's text is not a text.")
    return text


def _finish_reason(result: Mapping[str, Any]) -> FinishReason:
    reason = result.get("finish_reason", "stop")
    if reason not in ("stop", "length"):
        raise BackendGarbage("The program's finish_reason must be stop or length.")
    return cast(FinishReason, reason)


def _media(result: Mapping[str, Any], output: Path) -> tuple[MediaFile, ...]:
    listed = result.get("media", [])
    if not isinstance(listed, list):
        raise BackendGarbage("The program's media must be a list.")
    return tuple(_medium(entry, output) for entry in listed)


def _medium(entry: object, output: Path) -> MediaFile:
    details = entry if isinstance(entry, Mapping) else {}
    name, media_type = details.get("path"), details.get("media_type")
    if not isinstance(name, str) or not isinstance(media_type, str) or not _MEDIA_TYPE.fullmatch(media_type):
        raise BackendGarbage("Each of the program's media must have a path and a media_type.")
    return MediaFile(media_file(output, name), media_type)


def _count(details: Mapping[str, Any], name: str) -> int | None:
    value = details.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise BackendGarbage(f"The program's {name} must be a whole number.")
    return value


def _provenance(result: Mapping[str, Any]) -> dict[str, Any]:
    provenance = result.get("provenance", {})
    if not isinstance(provenance, dict):
        raise BackendGarbage("The program's provenance must be a JSON object.")
    written = json.dumps(provenance, ensure_ascii=False)
    if len(written) > _PROVENANCE_CHARACTERS_MOST or storable(written) != written or "\\u0000" in written:
        raise BackendGarbage("The program's provenance is too long, or holds what is no text.")
    return provenance

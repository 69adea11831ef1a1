"""Writes the files of a release into a folder, streaming; it knows nothing of who asked for them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from arena.catalog.models import Arena
from arena.exports.ballots import Row, positions_max, release_extent, release_prompts, release_rows, utc
from arena.exports.columns import (
    CSV_COLUMNS,
    EXPLAINED,
    JSON_COLUMNS,
    PROMPT_COLUMNS,
    SCHEMA_VERSION,
    Column,
    csv_header,
)
from arena.exports.pseudonyms import EXPLANATION, Pseudonyms
from arena.leaderboards.models import Snapshot

VOTES_JSON = "votes.jsonl.gz"
VOTES_CSV = "votes.csv.gz"
PROMPTS = "prompts.jsonl.gz"
SNAPSHOT = "snapshot.json"
README = "README.md"
MANIFEST = "manifest.json"

# The spelling that tools for LMArena's dumps expect; everything else is “no winner”.
LMARENA = {"model_a": "model_a", "model_b": "model_b", "tie": "tie", "both_bad": "tie (bothbad)"}


class RowsDiffer(Exception):
    """The snapshot was not fitted on the rows that were written; nothing is released."""


@dataclass
class Counts:
    rows: int = 0
    counted: int = 0
    prompts: int = 0


def release_write(
    *, arena: Arena, snapshots: Sequence[Snapshot], folder: Path, pseudonyms: Pseudonyms, now: datetime
) -> dict[str, Any]:
    """Write all files and return the manifest. The caller's transaction makes rows and snapshots one moment.

    Raises:
        RowsDiffer: when a snapshot counts other rows than those written.
    """
    counts = Counts()
    counted_by_source: dict[tuple[str, str], int] = {}
    rows = _counting(release_rows(arena=arena, pseudonyms=pseudonyms), counts, counted_by_source)
    with gzip_text(folder / VOTES_JSON) as as_json, gzip_text(folder / VOTES_CSV) as as_csv:
        write_rows(rows, as_json=as_json, as_csv=as_csv, positions=positions_max(arena=arena))
    with gzip_text(folder / PROMPTS) as stream:
        for prompt in release_prompts(arena=arena):
            stream.write(_line(prompt))
            counts.prompts += 1
    for snapshot in snapshots:
        _check_counts(snapshot, counted_by_source)
    _write_json(folder / SNAPSHOT, {"snapshots": [snapshot_values(snapshot) for snapshot in snapshots]})
    (folder / README).write_text(readme(arena=arena, now=now), encoding="utf-8")
    rows_of = {VOTES_JSON: counts.rows, VOTES_CSV: counts.rows, PROMPTS: counts.prompts}
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "arena": arena.slug,
        "arena_name": arena.name,
        "licence": arena.vote_licence,
        "citation": arena.citation,
        "created_at": utc(now),
        "row_count": counts.rows,
        "counted_count": counts.counted,
        "extent": release_extent(arena=arena),
        "snapshot_id": snapshots[0].pk if snapshots else None,
        "snapshots": {snapshot.board.slug: snapshot.pk for snapshot in snapshots},
        "pseudonyms": EXPLANATION,
        "columns": {
            VOTES_JSON: _explained(JSON_COLUMNS),
            VOTES_CSV: _explained(CSV_COLUMNS),
            PROMPTS: _explained(PROMPT_COLUMNS),
        },
        "files": {
            name: {**file_facts(folder / name), **({"rows": rows_of[name]} if name in rows_of else {})}
            for name in (VOTES_JSON, VOTES_CSV, PROMPTS, SNAPSHOT, README)
        },
    }
    _write_json(folder / MANIFEST, manifest)
    return manifest


def write_rows(rows: Iterable[Row], *, as_json: TextIO, as_csv: TextIO, positions: int) -> None:
    header = csv_header(positions=positions)
    table = csv.DictWriter(as_csv, header, restval="", lineterminator="\n")
    table.writeheader()
    for row in rows:
        as_json.write(_line(row))
        table.writerow(csv_values(row))


def csv_values(row: Row) -> Row:
    """The flat form of a row: a pair's columns, then each position's."""
    values = {name: _plain(value) for name, value in row.items() if name != "items"}
    if len(row["items"]) == 2:
        values["model_a"], values["model_b"] = (item["system"] for item in row["items"])
        values["winner"] = LMARENA.get(row["outcome"], "")
    for number, item in enumerate(row["items"], start=1):
        for name in ("system", "rank", "response_id"):
            values[f"position_{number}_{name}"] = item[name]
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(value) if isinstance(value, list) else value


@contextmanager
def gzip_text(path: Path) -> Iterator[TextIO]:
    """A gzipped text file that holds no time and no name: the same rows are the same bytes."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as zipped,
        io.TextIOWrapper(zipped, encoding="utf-8", newline="") as text,
    ):
        yield text


def file_facts(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"sha256": digest, "size_bytes": path.stat().st_size}


def snapshot_values(snapshot: Snapshot) -> dict[str, Any]:
    ratings = snapshot.ratings.select_related("system").order_by("component", "-score", "system__name")
    return {
        "id": snapshot.pk,
        "board": {"slug": snapshot.board.slug, "name": snapshot.board.name},
        "question": snapshot.question,
        "ballot_count": snapshot.ballot_count,
        "code_version": snapshot.code_version,
        "diagnostics": snapshot.diagnostics,
        "ratings": [
            {
                "system": rating.system.name,
                "system_id": rating.system_id,
                "organisation": rating.system.organisation,
                "licence": rating.system.licence,
                "score": rating.score,
                "low": rating.low,
                "high": rating.high,
                "rank_low": rating.rank_low,
                "rank_high": rating.rank_high,
                "ballots": rating.ballots,
                "wins": rating.wins,
                "ties": rating.ties,
                "losses": rating.losses,
                "component": rating.component,
                "is_separated": rating.is_separated,
                "is_provisional": rating.is_provisional,
            }
            for rating in ratings
        ],
    }


def _counting(
    rows: Iterable[Row], counts: Counts, counted_by_source: dict[tuple[str, str], int]
) -> Iterator[Row]:
    for row in rows:
        counts.rows += 1
        if row["counted"]:
            counts.counted += 1
            group = (row["criterion"], row["source"])
            counted_by_source[group] = counted_by_source.get(group, 0) + 1
        yield row


def _check_counts(snapshot: Snapshot, counted_by_source: dict[tuple[str, str], int]) -> None:
    wanted = sum(
        count
        for (criterion, source), count in counted_by_source.items()
        if criterion == snapshot.question["criterion"]
        and is_asked_about(source, vote_source=snapshot.question["vote_source"])
    )
    if wanted != snapshot.ballot_count:
        raise RowsDiffer(
            f"snapshot {snapshot.pk} counts {snapshot.ballot_count} ballots, the files hold {wanted} for it"
        )


def is_asked_about(source: str, *, vote_source: str) -> bool:
    """Whether a board of this vote source counts a ballot of that source."""
    return vote_source == "all" or (source == "imported") == (vote_source == "imported")


def readme(*, arena: Arena, now: datetime) -> str:
    parts = [
        f"# Votes of “{arena.name}”, released {now:%Y-%m-%d %H:%M} UTC",
        f"Licence of the votes: {arena.vote_licence}. {arena.citation}".strip(),
        EXPLANATION,
        "Recompute the published boards from these files alone (needs Python, numpy, scipy and a copy of "
        "the source code):\n\n    python -m arena.exports.recompute FOLDER",
    ]
    for title, columns in (*EXPLAINED, ("In prompts.jsonl.gz", PROMPT_COLUMNS)):
        parts.append(f"## {title}")
        parts.append("\n".join(f"- `{column.name}`: {column.explanation}" for column in columns))
    return "\n\n".join(parts) + "\n"


def _explained(columns: Sequence[Column]) -> dict[str, str]:
    return {column.name: column.explanation for column in columns}


def _line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")

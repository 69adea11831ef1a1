"""Recomputes the boards of a release from its files alone, and says whether the numbers are the same.

    python -m arena.exports.recompute FOLDER [--board SLUG]

Needs numpy and scipy; imports no Django, reads no database, and trusts nothing that it has not checked.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from arena.ranking import Ballots
from arena.ranking.covariates.style import feature_rows
from arena.ranking.errors import RankingError
from arena.ranking.registry import features_asked, fit_from_settings

TOLERANCE = 0.01
SCHEMA_MAJOR = "1"
VOTES = "votes.jsonl.gz"
SNAPSHOT = "snapshot.json"
MANIFEST = "manifest.json"


class ReleaseBroken(Exception):
    """The files are not what the manifest says, or cannot be read."""


@dataclass(frozen=True)
class Compared:
    """One board, fitted again, beside what was published."""

    board: str
    ballot_count: int
    rows: list[tuple[Mapping[str, Any], Mapping[str, Any]]]
    """(published, recomputed) of each system."""
    largest_difference: float
    differences: list[str]


def main(arguments: Sequence[str] | None = None, *, out: TextIO | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m arena.exports.recompute", description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder that holds manifest.json")
    parser.add_argument("--board", help="only this board (default: all boards of the release)")
    options = parser.parse_args(arguments)
    out = out or sys.stdout
    try:
        boards = recompute(options.folder, board=options.board)
    except ReleaseBroken as problem:
        out.write(f"{problem}\n")
        return 1
    for compared in boards:
        out.write("\n".join(table(compared)) + "\n\n")
    wrong = [compared for compared in boards if compared.differences]
    for compared in wrong:
        out.write(f"Board “{compared.board}” does not come out as published: {compared.differences[0]}\n")
    if not wrong:
        out.write("All published numbers come out again.\n")
    return 1 if wrong else 0


def recompute(folder: Path, *, board: str | None = None) -> list[Compared]:
    """Check the files, then fit every published board again. Raises ReleaseBroken."""
    verify(folder)
    snapshots = _json(folder / SNAPSHOT)["snapshots"]
    if not snapshots:
        raise ReleaseBroken("This release holds no board: none of its ballots is counted.")
    wanted = [snapshot for snapshot in snapshots if board in (None, snapshot["board"]["slug"])]
    if not wanted:
        slugs = ", ".join(snapshot["board"]["slug"] for snapshot in snapshots)
        raise ReleaseBroken(f"This release has no board “{board}”; it has {slugs}.")
    return [_compare(snapshot, folder) for snapshot in wanted]


def verify(folder: Path) -> None:
    """Compare every file with the manifest's checksum. Raises ReleaseBroken."""
    manifest = _json(folder / MANIFEST)
    version = str(manifest.get("schema_version"))
    if version.partition(".")[0] != SCHEMA_MAJOR:
        raise ReleaseBroken(f"{MANIFEST}: this program reads schema {SCHEMA_MAJOR}.x, not {version}.")
    files = manifest.get("files", {})
    for needed in (VOTES, SNAPSHOT):
        if needed not in files:
            raise ReleaseBroken(f"{MANIFEST} does not list {needed}.")
    for name, facts in files.items():
        if Path(name).name != name:
            raise ReleaseBroken(f"{MANIFEST} lists {name!r}, which is not a plain file name.")
        try:
            with (folder / name).open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise ReleaseBroken(f"{name} cannot be read: {error.strerror}.") from error
        if digest != facts["sha256"]:
            raise ReleaseBroken(f"The checksum of {name} is wrong: the file was changed or cut off.")


def _compare(snapshot: Mapping[str, Any], folder: Path) -> Compared:
    question, published = snapshot["question"], snapshot["ratings"]
    # The published fit lists systems by internal number; the same order gives the same last bits.
    in_order = [row["system"] for row in sorted(published, key=lambda row: str(row["system_id"]))]
    features = features_asked(question["ranking"])
    ballots = read_ballots(folder / VOTES, question=question, systems=in_order, features=features)
    try:
        ranking = fit_from_settings(question["ranking"], ballots)
    except RankingError as error:
        raise ReleaseBroken(f"Board “{question['board']}” cannot be fitted: {error}.") from error
    again = {row["item"]: row for row in ranking.as_dict()["ratings"]}
    rows, differences, largest = [], [], 0.0
    if len(ballots) != snapshot["ballot_count"]:
        differences.append(f"{len(ballots)} ballots in the files, {snapshot['ballot_count']} published.")
    for row in published:
        recomputed = again.pop(row["system"])
        rows.append((row, recomputed))
        for name in ("score", "low", "high"):
            gap = _gap(row[name], recomputed[name])
            largest = max(largest, gap)
            if gap > TOLERANCE:
                differences.append(f"{name} of {row['system']} is {recomputed[name]}, published {row[name]}.")
        for name in ("rank_low", "rank_high"):
            if row[name] != recomputed[name]:
                differences.append(f"{name} of {row['system']} is {recomputed[name]}, published {row[name]}.")
    differences += [f"{system} has ballots, but no published rating." for system in again]
    return Compared(question["board"], len(ballots), rows, largest, differences)


def read_ballots(
    path: Path, *, question: Mapping[str, Any], systems: Sequence[str], features: Sequence[str] = ()
) -> Ballots:
    """The counted ballots that a board's question is about, in the order of the file."""
    rankings, all_bad, voters, prompts, chances, styles = [], [], [], [], [], []
    for row in _votes(path):
        if not row["counted"] or row["criterion"] != question["criterion"]:
            continue
        is_imported = row["source"] == "imported"
        if question["vote_source"] == ("own" if is_imported else "imported"):
            continue
        rankings.append([(item["system"], item["rank"]) for item in row["items"]])
        all_bad.append(row["all_bad"])
        voters.append(row["voter"])
        prompts.append(row["prompt_id"])
        if row["draw_probability"] is not None:
            chances.append(row["draw_probability"])
        styles += [item.get("style") for item in row["items"]]
    try:
        return Ballots.from_rankings(
            rankings,
            all_bad=all_bad,
            voter=voters,
            prompt=prompts,
            chance=chances if len(chances) == len(rankings) else None,
            features=feature_rows(styles, features),
            feature_names=features,
            items=systems,
        )
    except RankingError as error:
        raise ReleaseBroken(f"{path.name} holds a ballot that cannot be counted: {error}.") from error


def _votes(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            for line in stream:
                yield json.loads(line)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise ReleaseBroken(f"{path.name} cannot be read: {error}.") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReleaseBroken(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ReleaseBroken(f"{path.name} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ReleaseBroken(f"{path.name} does not hold a JSON object.")
    return value


def _gap(published: float | None, recomputed: float | None) -> float:
    if published is None or recomputed is None:
        return 0.0 if published is recomputed else float("inf")
    return abs(published - recomputed)


def table(compared: Compared) -> Iterator[str]:
    yield f"Board “{compared.board}”, {compared.ballot_count:,} ballots"
    yield f"{'rank':>7}  {'system':<32} {'published':>22}  {'recomputed':>22}"
    for published, recomputed in compared.rows:
        low, high = published["rank_low"], published["rank_high"]
        ranks = "–" if low is None else str(low) if low == high else f"{low}–{high}"
        before, now = _numbers(published), _numbers(recomputed)
        yield f"{ranks:>7}  {published['system'][:32]:<32} {before:>22}  {now:>22}"
    yield f"Largest difference of a score or bound: {compared.largest_difference:.6f}"


def _numbers(row: Mapping[str, Any]) -> str:
    score, low, high = (("–" if row[n] is None else f"{row[n]:.1f}") for n in ("score", "low", "high"))
    return f"{score} [{low}, {high}]"


if __name__ == "__main__":
    sys.exit(main())

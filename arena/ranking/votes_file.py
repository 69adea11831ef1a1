"""Reads votes from CSV, JSON Lines or Parquet into ballots; a bad row is named by its line, never guessed."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from arena.ranking.ballots import NOT_COMPARED, PAIR_OUTCOMES, UNKNOWN, Ballots
from arena.ranking.errors import InvalidFeature, RankingError

OUTCOMES = {
    "model_a": "a",
    "a": "a",
    "model_b": "b",
    "b": "b",
    "tie": "tie",
    "tie (bothbad)": "both_bad",
    "bothbad": "both_bad",
    "both_bad": "both_bad",
    "both bad": "both_bad",
}
"""Spellings of `winner` that are understood, in lower case."""

_RANKS = {"a": (1, 2), "b": (2, 1), "tie": (1, 1), "both_bad": (1, 1)}
WIDEST = 500
"""Items that a ballot of a file may rank: it has half as many pairs as their square."""

_LARGEST_RANK = int(np.iinfo(np.int16).max)


class UnreadableVotes(RankingError):
    """The file as a whole cannot be read as votes."""


class MissingPyarrow(UnreadableVotes):
    """Parquet needs a package that is not installed."""


class BadRow(NamedTuple):
    """A row that is no vote: line (Parquet: row) number from 1, and why."""

    line: int
    reason: str


@dataclass(eq=False)
class VotesFile:
    """Ballots and what was left out on the way."""

    ballots: Ballots
    bad_rows: list[BadRow]
    self_battles: int
    has_voters: bool
    has_prompts: bool


def read_votes(path: Path, *, features: Sequence[str] = ()) -> VotesFile:
    """Read every row; bad rows are listed and left out, self-battles are left out and counted.

    features    properties of the answers to be read: `NAME_a` and `NAME_b` of a pair, `NAME` of each entry of
                `items` or a list `NAME` beside it; an empty value is not known

    Raises UnreadableVotes, MissingPyarrow, OSError, InvalidFeature (no row knows a property).
    """
    gathered = _Gathered(tuple(features))
    for line, row in _rows(path):
        try:
            gathered.add(row)
        except _NoVote as problem:
            gathered.bad.append(BadRow(line, str(problem)))
    return gathered.finish()


class _NoVote(Exception):
    """Why a row is no vote."""


@dataclass(eq=False)
class _Gathered:
    features: tuple[str, ...]
    index: dict[str, int] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    all_bad: list[bool] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    voters: dict[str, int] = field(default_factory=dict)
    prompts: dict[str, int] = field(default_factory=dict)
    voter: list[int] = field(default_factory=list)
    prompt: list[int] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    self_battles: int = 0
    shares: list[float] = field(default_factory=list)
    chances: list[float] = field(default_factory=list)
    properties: list[list[float]] = field(default_factory=list)

    def add(self, row: Mapping[str, Any]) -> None:
        problem = row.get(_PROBLEM)
        if problem is not None:
            raise _NoVote(problem)
        names, ranks, is_bad = _pair(row) if row.get("items") in (None, "") else _kwise(row)
        weight = _number(row.get("weight"), "weight", 1.0, lambda w: w >= 0, "0 or more")
        share = _number(row.get("share"), "share", 1.0, lambda s: 0 <= s <= 1, "0 to 1")
        chance = _number(row.get("chance"), "chance", math.nan, lambda c: 0 < c <= 1, "above 0 to 1")
        properties = [_property(row, name, len(names)) for name in self.features]
        if len(names) == 2 and names[0] == names[1]:
            self.self_battles += 1
            return
        if len(names) > WIDEST:
            raise _NoVote(f"{len(names)} items; a ballot ranks at most {WIDEST}")
        if len(set(names)) < len(names):
            raise _NoVote("an item stands twice in the ballot")
        self.sizes.append(len(names))
        self.items += [self.index.setdefault(name, len(self.index)) for name in names]
        self.ranks += ranks
        self.all_bad.append(is_bad)
        self.weights.append(weight)
        self.shares.append(share)
        self.chances.append(chance)
        self.properties += [list(slot) for slot in zip(*properties, strict=True)]
        voter = row.get("voter") if _is_given(row.get("voter")) else row.get("judge")
        self.voter.append(_code(self.voters, voter))
        self.prompt.append(_code(self.prompts, row.get("prompt_id")))

    def finish(self) -> VotesFile:
        names = sorted(self.index)
        place = np.empty(len(names), dtype=np.int64)
        place[[self.index[name] for name in names]] = np.arange(len(names))
        chance = np.array(self.chances)
        shape = (len(self.properties), len(self.features))
        properties = np.array(self.properties, dtype=np.float64).reshape(shape)
        for column, name in enumerate(self.features):
            if len(self.sizes) and np.isnan(properties[:, column]).all():
                raise InvalidFeature(f"no row tells {name}: pairs need the columns {name}_a and {name}_b")
        ballots = Ballots.from_columns(
            items=names,
            offsets=np.concatenate([[0], np.cumsum(np.array(self.sizes, dtype=np.int64))]),
            slot_item=place[np.array(self.items, dtype=np.int64)],
            slot_rank=np.array(self.ranks, dtype=np.int64),
            all_bad=self.all_bad,
            weight=self.weights,
            voter=np.array(self.voter, dtype=np.int64) if self.voters else None,
            prompt=np.array(self.prompt, dtype=np.int64) if self.prompts else None,
            share=self.shares if any(share < 1 for share in self.shares) else None,
            chance=chance if chance.size and not np.isnan(chance).any() else None,
            features=properties if self.features and self.sizes else None,
            feature_names=self.features if self.sizes else (),
        )
        return VotesFile(ballots, self.bad, self.self_battles, bool(self.voters), bool(self.prompts))


_PROBLEM = "\0problem"  # no column of a file can be called that: a row that could not even be parsed


def _pair(row: Mapping[str, Any]) -> tuple[list[str], list[int], bool]:
    names = [_name(row.get("model_a"), "model_a"), _name(row.get("model_b"), "model_b")]
    winner = row.get("winner")
    outcome = OUTCOMES.get(winner.strip().lower()) if isinstance(winner, str) else None
    if outcome is None:
        known = ", ".join(sorted(OUTCOMES))
        raise _NoVote(f"unknown outcome {winner!r}; known are {known}")
    return names, list(_RANKS[outcome]), outcome == PAIR_OUTCOMES[3]


def _kwise(row: Mapping[str, Any]) -> tuple[list[str], list[int], bool]:
    listed = _list(row["items"], "items")
    if row.get("rank") not in (None, ""):
        names, ranks = listed, _list(row["rank"], "rank")
        if len(names) != len(ranks):
            raise _NoVote(f"{len(names)} items but {len(ranks)} ranks")
    else:
        if not all(isinstance(entry, Mapping) and "item" in entry for entry in listed):
            raise _NoVote('items must be {"item": NAME, "rank": NUMBER} each, or stand beside a list "rank"')
        names, ranks = [e["item"] for e in listed], [e.get("rank") for e in listed]
    if not names:
        raise _NoVote("a ballot without items")
    is_bad = row.get("all_bad")
    if isinstance(is_bad, str):
        is_bad = {"true": True, "1": True, "false": False, "0": False, "": False}.get(is_bad.lower(), is_bad)
    if is_bad not in (None, True, False):
        raise _NoVote("all_bad must be true or false")
    return [_name(name, "item") for name in names], [_rank(rank) for rank in ranks], bool(is_bad)


def _name(value: Any, column: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _NoVote(f"{column} is missing")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _NoVote(f"{column} is no valid text") from None
    return value.strip()


def _rank(value: Any) -> int:
    if value is None:
        return NOT_COMPARED
    if isinstance(value, float) and math.isnan(value):
        return NOT_COMPARED
    if isinstance(value, float) and math.isinf(value):
        raise _NoVote(f"rank {value!r} is neither null nor an integer from 1")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise _NoVote(f"rank {value!r} is neither null nor an integer from 1")
    if not 1 <= value <= _LARGEST_RANK:
        raise _NoVote(f"rank {value!r} does not lie in 1…{_LARGEST_RANK}")
    return int(value)


def _number(
    value: Any, column: str, missing: float, is_allowed: Callable[[float], bool], allowed: str
) -> float:
    if not _is_given(value):
        return missing
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and is_allowed(number)):
        raise _NoVote(f"{column} {value!r} is not a finite number of {allowed}")
    return number


def _property(row: Mapping[str, Any], name: str, slots: int) -> list[float]:
    """The values of one property for every slot of a ballot; NaN where the row does not tell."""
    if row.get("items") in (None, ""):
        values = [row.get(f"{name}_a"), row.get(f"{name}_b")]
    elif _is_given(row.get(name)):
        values = _list(row[name], name)
    else:
        entries = _list(row["items"], "items")
        values = [entry.get(name) if isinstance(entry, Mapping) else None for entry in entries]
    if len(values) != slots:
        raise _NoVote(f"{len(values)} values of {name} for {slots} items")
    return [_number(value, name, math.nan, lambda _: True, "any size") for value in values]


def _list(value: Any, column: str) -> list[Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, list):
        raise _NoVote(f"{column} must be a list")
    return value


def _is_given(value: Any) -> bool:
    return value is not None and value != "" and not (isinstance(value, float) and math.isnan(value))


def _code(codes: dict[str, int], value: Any) -> int:
    return codes.setdefault(str(value), len(codes)) if _is_given(value) else UNKNOWN


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as problem:
            raise UnreadableVotes(f"{path} is a broken gzip file: {problem}") from problem
    if content[:4] == b"PAR1":
        return _parquet(content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise UnreadableVotes(f"{path} is neither UTF-8 text nor Parquet: {problem}") from problem
    return _json_lines(text) if text.lstrip()[:1] == "{" else _csv(text, path)


def _json_lines(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as problem:
            row = {_PROBLEM: f"no JSON: {problem}"}
        yield number, row if isinstance(row, dict) else {_PROBLEM: "no JSON object"}


def _csv(text: str, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [name.strip() for name in next(reader, [])]
        if not ({"model_a", "model_b", "winner"} <= set(header) or {"items", "rank"} <= set(header)):
            raise UnreadableVotes(f"{path} needs the columns model_a, model_b, winner, or items, rank")
        start = reader.line_num + 1
        for fields in reader:
            if fields:
                short = {_PROBLEM: f"{len(fields)} fields where the header has {len(header)}"}
                yield start, short if len(fields) != len(header) else dict(zip(header, fields, strict=True))
            start = reader.line_num + 1
    except csv.Error as problem:
        raise UnreadableVotes(f"{path}, line {reader.line_num}: {problem}") from problem


def _parquet(content: bytes) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as problem:
        raise MissingPyarrow("Reading Parquet needs pyarrow: pip install pyarrow") from problem
    try:
        rows: Iterable[Mapping[str, Any]] = parquet.read_table(io.BytesIO(content)).to_pylist()
    except (ValueError, OSError, ArrowException) as problem:
        raise UnreadableVotes(f"the Parquet file is broken: {problem}") from problem
    return enumerate(rows, start=1)

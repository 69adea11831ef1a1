"""Stores published comparisons as battles with a vote or a verdict, in batches, each of them once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from arena.accounts.models import Voter
from arena.battles.models import Battle, Slot
from arena.catalog.models import Arena
from arena.exports.importers.outcomes import NoVote, Outcome, UnknownOutcome
from arena.exports.importers.report import FileProblem, Report, RowRefused
from arena.exports.importers.rows import Progress, Row, csv_rows
from arena.judging.models import JudgeSpec, Verdict
from arena.votes.models import Vote

BATCH = 4000


class Side(NamedTuple):
    system_id: int
    response_id: int | None = None


class Comparison(NamedTuple):
    """One published row: two systems on one prompt, judged by a person or by a machine."""

    content: tuple[str, ...]
    """What makes the row this row: the same content again is the same comparison again."""
    prompt_id: int
    sides: tuple[Side, Side]
    outcome: Outcome
    voter: str = ""
    judge: JudgeSpec | None = None


class RowKeys:
    """Stable keys of rows: a digest of the content, and which of its identical repeats in the file it is."""

    def __init__(self) -> None:
        self._seen: Counter[bytes] = Counter()

    def key(self, content: Iterable[str]) -> str:
        digest = hashlib.sha256("\x1f".join(content).encode()).digest()[:20]
        repeat = self._seen[digest]
        self._seen[digest] += 1
        return f"{digest.hex()}-{repeat}"


class VoterBook:
    """The people of one source; each is one voter, so that intervals can cluster by person."""

    def __init__(self, *, source: str) -> None:
        self.source = source
        self._by_name = dict(Voter.objects.filter(source=source).values_list("source_name", "id"))

    def learn(self, names: Iterable[str], *, report: Report) -> None:
        wanted = set(names)
        new = sorted(wanted - self._by_name.keys())
        voters = Voter.objects.bulk_create(Voter(source=self.source, source_name=name) for name in new)
        self._by_name.update((voter.source_name, voter.pk) for voter in voters)
        report.tallies["voters"].added += len(new)

    def __getitem__(self, name: str) -> int:
        return self._by_name[name]


def comparisons_read(
    path: Path, *, parse: Callable[[Row], Comparison], report: Report, progress: Progress
) -> Iterator[Comparison]:
    """The good rows of a CSV file of votes; the others are rejected. Raises FileProblem when none is good."""
    good = False
    for row in csv_rows(path, report=report, progress=progress):
        try:
            comparison = parse(row)
        except (RowRefused, UnknownOutcome, NoVote) as refusal:
            report.reject(path, row.line, str(refusal))
            continue
        good = True
        yield comparison
    if not good:
        raise FileProblem(path, "the file holds no usable vote." + _first_rejected(path, report))


def is_judged_by_person(row: Row, *, outcome: Outcome) -> bool:
    """Whether the row is a person's vote or a machine's verdict. Raises RowRefused."""
    kind = row.values["judge_kind"]
    if kind not in ("human", "llm_judge"):
        raise RowRefused(f"unknown kind of judge {kind[:40]!r}")
    if kind == "human" and outcome.is_inconsistent:
        raise RowRefused("an inconsistent tie is a machine's outcome, not a person's")
    return bool(kind == "human")


def _first_rejected(path: Path, report: Report) -> str:
    first = next((rejected for rejected in report.rejected if rejected.path == path), None)
    return "" if first is None else f" The first one is refused in line {first.line}: {first.reason}."


def comparisons_store(
    *,
    arena: Arena,
    comparisons: Iterable[Comparison],
    voters: VoterBook,
    report: Report,
    now: datetime,
) -> None:
    """Insert what is new; rows that are there already are counted and left alone."""
    keys = RowKeys()
    for batch in _batches((keys.key(comparison.content), comparison) for comparison in comparisons):
        present = set(
            Battle.objects.filter(arena=arena, external_id__in=[key for key, _ in batch]).values_list(
                "external_id", flat=True
            )
        )
        new = [(key, comparison) for key, comparison in batch if key not in present]
        _tally(batch, present, report)
        _insert(new, arena=arena, voters=voters, report=report, now=now)


def _tally(batch: Sequence[tuple[str, Comparison]], present: set[str], report: Report) -> None:
    for key, comparison in batch:
        tally = report.tallies["judges' verdicts" if comparison.judge else "people's votes"]
        if key in present:
            tally.already_there += 1
        else:
            tally.added += 1


def _insert(
    new: Sequence[tuple[str, Comparison]], *, arena: Arena, voters: VoterBook, report: Report, now: datetime
) -> None:
    voters.learn((comparison.voter for _, comparison in new if not comparison.judge), report=report)
    battles, slots, votes, verdicts = [], [], [], []
    for key, comparison in new:
        battle = Battle(
            arena=arena,
            prompt_id=comparison.prompt_id,
            voter_id=None if comparison.judge else voters[comparison.voter],
            source=Battle.Source.IMPORTED,
            external_id=key,
            created_at=now,
            closed_at=None if comparison.judge else now,
            closed_reason="" if comparison.judge else Battle.CloseReason.VOTED,
        )
        battles.append(battle)
        slots += [
            Slot(battle=battle, position=position, system_id=side.system_id, response_id=side.response_id)
            for position, side in enumerate(comparison.sides)
        ]
        outcome = comparison.outcome
        if comparison.judge:
            verdicts.append(
                Verdict(
                    judge=comparison.judge,
                    battle=battle,
                    ranks=outcome.ranks,
                    all_bad=outcome.all_bad,
                    detail=_detail(outcome),
                    created_at=now,
                )
            )
        else:
            votes.append(
                Vote(
                    battle=battle,
                    voter_id=battle.voter_id,
                    criterion_id=arena.criterion_id,
                    ranks=outcome.ranks,
                    all_bad=outcome.all_bad,
                    input=Vote.Input.IMPORT,
                    created_at=now,
                )
            )
    Battle.objects.bulk_create(battles, batch_size=BATCH)
    Slot.objects.bulk_create(slots, batch_size=BATCH)
    Vote.objects.bulk_create(votes, batch_size=BATCH)
    Verdict.objects.bulk_create(verdicts, batch_size=BATCH)


def _detail(outcome: Outcome) -> dict[str, bool]:
    flags = {"inconsistent": outcome.is_inconsistent, "strong": outcome.is_strong}
    return {name: True for name, is_set in flags.items() if is_set}


def _batches(rows: Iterable[tuple[str, Comparison]]) -> Iterator[list[tuple[str, Comparison]]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH)):
        yield batch

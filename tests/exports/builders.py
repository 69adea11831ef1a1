"""Small published files, and votes cast straight into the tables."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from arena.accounts.models import Voter
from arena.battles.models import Battle, Slot
from arena.catalog.models import Arena, Prompt, System
from arena.generation.models import Response
from arena.votes.models import Vote

LLMFAO_COLUMNS = [
    *("pair_id", "prompt_id", "prompt_slug", "prompt_type", "model_a", "model_b", "model_a_id", "model_b_id"),
    *("winner", "judge", "judge_kind"),
]
MTBENCH_COLUMNS = ["question_id", "category", "turn", "model_a", "model_b", "winner", "judge", "judge_kind"]

LLMFAO_TEXTS: list[dict[str, Any]] = [
    {"kind": "prompt", "id": 1, "text": "Write a haiku.", "type": "creativity", "slug": "haiku"},
    {"kind": "prompt", "id": 2, "text": "Add 2 and 2.", "type": "code", "slug": "add"},
    {"kind": "model", "id": 10, "api_id": "x/ten", "name": "Ten", "api": "x", "type": "chat", "org": "House"},
    {
        "kind": "model",
        "id": 11,
        "api_id": "x/elf",
        "name": "Eleven",
        "api": "x",
        "type": "chat",
        "org": "House",
    },
    {
        "kind": "model",
        "id": 12,
        "api_id": "x/twelve",
        "name": "Twelve",
        "api": "x",
        "type": "chat",
        "org": "Barn",
    },
    *(
        {
            "kind": "response",
            "id": 100 * prompt + model,
            "model": model,
            "prompt": prompt,
            "result": f"{model} on {prompt}",
            "duration": 1500.0,
            "rate": 10.5,
        }
        for prompt in (1, 2)
        for model in (10, 11, 12)
    ),
]
NAMES = {10: "Ten", 11: "Eleven", 12: "Twelve"}


def llmfao_vote(
    pair: int, a: int, b: int, winner: str, judge: str = "worker_1", kind: str = "human", prompt: int = 1
) -> list[object]:
    return [pair, prompt, "haiku", "creativity", NAMES[a], NAMES[b], a, b, winner, judge, kind]


LLMFAO_VOTES = [
    llmfao_vote(0, 10, 11, "model_a", "worker_1"),
    llmfao_vote(0, 10, 11, "model_b", "worker_2"),
    llmfao_vote(1, 11, 12, "model_a", "worker_1"),
    llmfao_vote(2, 12, 10, "model_a", "worker_3", prompt=2),
    llmfao_vote(2, 12, 10, "tie", "worker_2", prompt=2),
    llmfao_vote(0, 10, 11, "model_b", "gpt-4", "llm_judge"),
    llmfao_vote(1, 11, 12, "model_b", "gpt-4", "llm_judge"),
    llmfao_vote(2, 12, 10, "model_b", "gpt-4", "llm_judge", prompt=2),
]
MTBENCH_VOTES = [
    [81, "writing", 1, "one", "two", "model_a", "expert_1", "human"],
    [81, "writing", 2, "one", "two", "model_b", "expert_2", "human"],
    [82, "math", 1, "two", "three", "model_a", "author_1", "human"],
    [82, "math", 2, "three", "one", "model_a", "expert_1", "human"],
    [81, "writing", 1, "one", "two", "tie (inconsistent)", "gpt4_pair", "llm_judge"],
    [82, "math", 1, "two", "three", "model_b", "gpt4_pair", "llm_judge"],
    [82, "math", 2, "three", "one", "tie", "gpt4_pair", "llm_judge"],
]


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def write(path: Path, content: str | bytes) -> Path:
    """Gzipped when the name says so."""
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_llmfao(
    folder: Path, *, votes: Iterable[Sequence[object]] = LLMFAO_VOTES, texts: Iterable[object] = LLMFAO_TEXTS
) -> tuple[Path, Path]:
    folder.mkdir(exist_ok=True)
    return (
        write(folder / "some-answers.jsonl.gz", "".join(json.dumps(row) + "\n" for row in texts)),
        write(folder / "some-votes.csv.gz", csv_text(LLMFAO_COLUMNS, votes)),
    )


def write_mtbench(folder: Path, *, votes: Iterable[Sequence[object]] = MTBENCH_VOTES) -> Path:
    folder.mkdir(exist_ok=True)
    return write(folder / "experts.csv", csv_text(MTBENCH_COLUMNS, votes))


def cast(
    arena: Arena,
    systems: Sequence[System],
    ranks: Sequence[int | None],
    *,
    prompt: Prompt,
    voter: Voter | None = None,
    source: str = "stock",
    **fields: Any,
) -> Vote:
    """A vote as the page would store it, for any number of systems."""
    battle = Battle.objects.create(
        arena=arena,
        prompt=prompt,
        voter=voter,
        source=source,
        draw_probability=0.25,
        pairing_rule="least-compared",
    )
    for position, system in enumerate(systems):
        response = Response.objects.filter(system=system, prompt=prompt).first()
        Slot.objects.create(battle=battle, position=position, system=system, response=response)
    return Vote.objects.create(
        battle=battle,
        voter=voter,
        criterion=arena.criterion,
        ranks=list(ranks),
        **{"latency_ms": 1200, **fields},
    )

"""MT-bench: six language models on 80 two-turn questions, compared by experts, authors and GPT-4.

The published votes come without the questions' texts, and nothing is fetched: prompts say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from arena.catalog.models import Arena, Prompt, PromptSet
from arena.exports.importers.comparisons import (
    Comparison,
    Side,
    VoterBook,
    comparisons_read,
    comparisons_store,
    is_judged_by_person,
)
from arena.exports.importers.origin import (
    Origin,
    arena_ensure,
    boards_ensure,
    category_ensure,
    judge_ensure,
    prompt_set_ensure,
    systems_admit,
)
from arena.exports.importers.outcomes import outcome_of
from arena.exports.importers.report import Report, RowRefused
from arena.exports.importers.rows import Progress, Row
from arena.exports.importers.systems import PublishedSystem, SystemBook
from arena.judging.models import JudgeSpec

ORIGIN = Origin(
    slug="mtbench",
    name="MT-bench: expert comparison of language models",
    description=(
        "Six language models of 2023 on 80 questions of two turns, compared pairwise by experts, by the "
        "authors and by GPT-4. The published votes come without the answers, so this arena shows boards and "
        "takes no votes."
    ),
    citation=(
        "L. Zheng et al., Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena (2023), arXiv:2306.05685; "
        "votes CC-BY-4.0."
    ),
    licence="CC-BY-4.0",
    prompt_set_title="MT-bench questions",
)

VOTE_COLUMNS = frozenset(
    ["question_id", "category", "turn", "model_a", "model_b", "winner", "judge", "judge_kind"]
)
TURNS = ("1", "2")


class Importer:
    """One import of MT-bench votes, inside the caller's transaction."""

    def __init__(self, *, report: Report, now: datetime) -> None:
        self.report = report
        self.now = now
        self.systems = SystemBook(source=ORIGIN.slug)
        self.prompts: dict[str, Prompt] = {}
        self.judges: dict[str, JudgeSpec] = {}
        self._prompts_seen: set[str] = set()

    def load(self, *, votes: Sequence[Path], progress: Progress) -> Arena:
        arena = arena_ensure(origin=ORIGIN, is_open=False)
        prompt_set = prompt_set_ensure(origin=ORIGIN, arena=arena)
        self.prompts = {
            prompt.external_id: prompt for prompt in prompt_set.prompts.select_related("category")
        }
        voters = VoterBook(source=ORIGIN.slug)
        for path in votes:
            comparisons_store(
                arena=arena,
                comparisons=comparisons_read(
                    path,
                    parse=lambda row: self._comparison(row, prompt_set=prompt_set),
                    report=self.report,
                    progress=progress,
                ),
                voters=voters,
                report=self.report,
                now=self.now,
            )
        systems_admit(arena=arena, systems=list(self.systems.by_key.values()))
        boards_ensure(
            arena=arena, judges=[self.judges[name] for name in sorted(self.judges)], shows_responses=False
        )
        return arena

    def _comparison(self, row: Row, *, prompt_set: PromptSet) -> Comparison:
        outcome = outcome_of(row.values["winner"])
        is_human = is_judged_by_person(row, outcome=outcome)
        names = [row.text(f"model_{side}", limit=120) for side in "ab"]
        if names[0] == names[1]:
            raise RowRefused(f"{names[0]!r} against itself")
        judge_name = row.text("judge", limit=120)
        question_id, turn = row.text("question_id", limit=20), row.values["turn"]
        if not question_id.isdecimal():
            raise RowRefused(f"question_id is not a number: {question_id!r}")
        if turn not in TURNS:
            raise RowRefused(f"turn is not 1 or 2: {turn[:20]!r}")
        # Nothing is written for a row before every check has passed.
        prompt = self._prompt(row, prompt_set=prompt_set, question_id=question_id, turn=turn)
        return Comparison(
            content=(question_id, turn, *names, row.values["winner"], judge_name),
            prompt_id=prompt.pk,
            sides=(Side(self._system_id(names[0])), Side(self._system_id(names[1]))),
            outcome=outcome,
            voter=judge_name if is_human else "",
            judge=None if is_human else self._judge(judge_name),
        )

    def _prompt(self, row: Row, *, prompt_set: PromptSet, question_id: str, turn: str) -> Prompt:
        key = f"{question_id}-turn-{turn}"
        category = row.text("category", limit=60)
        tally = self.report.tallies["prompts"]
        prompt = self.prompts.get(key)
        if prompt is None:
            prompt = self.prompts[key] = Prompt.objects.create(
                prompt_set=prompt_set,
                external_id=key,
                category=category_ensure(name=category),
                text=f"MT-bench question {question_id} ({category}), turn {turn}. "
                "The published votes come without the question's text.",
                created_at=self.now,
            )
            tally.added += 1
        elif key not in self._prompts_seen:
            tally.already_there += 1
        self._prompts_seen.add(key)
        return prompt

    def _system_id(self, name: str) -> int:
        if name not in self.systems.by_key:
            before = self.systems.added
            self.systems.find_or_create(PublishedSystem(key=name, name=name))
            added = self.systems.added - before
            tally = self.report.tallies["systems"]
            tally.added += added
            tally.already_there += 1 - added
        return self.systems.by_key[name].pk

    def _judge(self, name: str) -> JudgeSpec:
        if name not in self.judges:
            self.judges[name] = judge_ensure(origin=ORIGIN, name=name)
        return self.judges[name]

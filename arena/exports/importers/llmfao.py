"""llmfao: 70 language models on 19 prompts, compared by a crowd and by two models (D. Ustalov, 2023).

Reads two layouts that belong together: JSON Lines with prompts, models and responses, and CSV with the votes.
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
from arena.exports.importers.report import FileProblem, Report, RowRefused
from arena.exports.importers.rows import Progress, Row, json_rows
from arena.exports.importers.systems import PublishedSystem, SystemBook
from arena.generation.models import Response
from arena.judging.models import JudgeSpec

ORIGIN = Origin(
    slug="llmfao",
    name="llmfao: crowd comparison of language models",
    description=(
        "Answers of 70 language models of 2023 to 19 prompts, compared pairwise by crowd workers and by two "
        "language models. The published votes make the first board; you can vote on the same answers here."
    ),
    citation=(
        "Votes: D. Ustalov, llmfao (2023), https://github.com/dustalov/llmfao, CC-BY-4.0. "
        "Prompts and responses: collected by llmonitor.com."
    ),
    licence="CC-BY-4.0",
    prompt_set_title="llmfao prompts",
)

VOTE_COLUMNS = frozenset(
    [
        *("pair_id", "prompt_id", "prompt_slug", "prompt_type"),
        *("model_a", "model_b", "model_a_id", "model_b_id"),
        *("winner", "judge", "judge_kind"),
    ]
)
TEXT_FIELDS = {
    "prompt": frozenset({"id", "text", "type", "slug"}),
    "model": frozenset({"id", "name", "org"}),
    "response": frozenset({"id", "model", "prompt", "result"}),
}
TEXT_LIMIT = 1_000_000


class Importer:
    """One import of llmfao's files, inside the caller's transaction."""

    def __init__(self, *, report: Report, now: datetime) -> None:
        self.report = report
        self.now = now
        self.systems = SystemBook(source=ORIGIN.slug)
        self.models: dict[str, Row] = {}
        self.prompts: dict[str, Prompt] = {}
        self.responses: dict[tuple[int, int], tuple[int, str]] = {}
        """(system, prompt) → (response, checksum)."""
        self.judges: dict[str, JudgeSpec] = {}

    def load(self, *, texts: Sequence[Path], votes: Sequence[Path], progress: Progress) -> Arena:
        arena = arena_ensure(origin=ORIGIN, is_open=True)
        prompt_set = prompt_set_ensure(origin=ORIGIN, arena=arena)
        for path in texts:
            self._load_texts(path, prompt_set=prompt_set, progress=progress)
        systems_admit(arena=arena, systems=list(self.systems.by_key.values()))
        voters = VoterBook(source=ORIGIN.slug)
        for path in votes:
            comparisons_store(
                arena=arena,
                comparisons=comparisons_read(
                    path, parse=self._comparison, report=self.report, progress=progress
                ),
                voters=voters,
                report=self.report,
                now=self.now,
            )
        boards_ensure(
            arena=arena,
            judges=[self.judges[name] for name in sorted(self.judges)],
            shows_responses=bool(self.responses),
        )
        return arena

    def _load_texts(self, path: Path, *, prompt_set: PromptSet, progress: Progress) -> None:
        rows: dict[str, list[Row]] = {kind: [] for kind in TEXT_FIELDS}
        for row in json_rows(path, report=self.report, progress=progress):
            kind = row.values.get("kind")
            if kind not in rows:
                self.report.reject(path, row.line, f"unknown kind {str(kind)[:40]!r}")
            elif missing := sorted(TEXT_FIELDS[kind] - row.values.keys()):
                self.report.reject(path, row.line, f"a {kind} without {', '.join(missing)}")
            else:
                rows[kind].append(row)
        if not all(rows.values()):
            lacking = ", ".join(f"{kind}s" for kind, found in rows.items() if not found)
            raise FileProblem(path, f"the file holds no usable {lacking}.")
        self._load_models(path, rows["model"])
        self._load_prompts(path, rows["prompt"], prompt_set=prompt_set)
        self._load_responses(path, rows["response"], prompt_set=prompt_set)

    def _load_models(self, path: Path, rows: list[Row]) -> None:
        tally = self.report.tallies["systems"]
        for row in rows:
            try:
                model_id = row.text("id", limit=40)
                known = self.models.get(model_id)
                if known is not None:
                    if known.values["name"] != row.values["name"]:
                        raise RowRefused(f"model {model_id} is listed twice, with different names")
                    continue
                before = self.systems.added
                self.systems.find_or_create(
                    PublishedSystem(
                        key=model_id,
                        name=row.text("name", limit=120),
                        organisation=row.text("org", limit=120, required=False),
                        revision=row.text("api_id", limit=120, required=False),
                    )
                )
            except RowRefused as refusal:
                self.report.reject(path, row.line, str(refusal))
                continue
            self.models[model_id] = row
            added = self.systems.added - before
            tally.added += added
            tally.already_there += 1 - added

    def _load_prompts(self, path: Path, rows: list[Row], *, prompt_set: PromptSet) -> None:
        tally = self.report.tallies["prompts"]
        present = {prompt.external_id: prompt for prompt in prompt_set.prompts.all()}
        for row in rows:
            try:
                prompt_id = row.text("id", limit=40)
                text = row.text("text", limit=TEXT_LIMIT)
                prompt = present.get(prompt_id)
                if prompt is not None and prompt.text != text:
                    raise RowRefused(f"prompt {prompt_id} is there already, with another text")
                if prompt is None:
                    prompt = Prompt.objects.create(
                        prompt_set=prompt_set,
                        external_id=prompt_id,
                        category=category_ensure(name=row.text("type", limit=60, required=False)),
                        text=text,
                        created_at=self.now,
                    )
                    present[prompt_id] = prompt
                    tally.added += 1
                elif prompt_id not in self.prompts:
                    tally.already_there += 1
            except RowRefused as refusal:
                self.report.reject(path, row.line, str(refusal))
                continue
            self.prompts[prompt_id] = prompt

    def _load_responses(self, path: Path, rows: list[Row], *, prompt_set: PromptSet) -> None:
        tally = self.report.tallies["responses"]
        present = Response.objects.filter(
            prompt__prompt_set=prompt_set, is_test=False, provenance__source=ORIGIN.slug
        )
        for response in present.only("id", "system_id", "prompt_id", "checksum"):
            self.responses[response.system_id, response.prompt_id] = (response.pk, response.checksum)
        new: dict[tuple[int, int], Response] = {}
        for row in rows:
            try:
                response = self._response(row)
                pair = (response.system_id, response.prompt_id)
                known = self.responses.get(pair)
                checksum: str | None = known[1] if known else None
                if pair in new:
                    checksum = new[pair].checksum
                if checksum is not None and checksum != response.checksum:
                    raise RowRefused(
                        f"model {row.values['model']} has another response to prompt "
                        f"{row.values['prompt']} already"
                    )
            except RowRefused as refusal:
                self.report.reject(path, row.line, str(refusal))
                continue
            if checksum is None:
                new[pair] = response
            else:
                tally.already_there += 1
        for response in Response.objects.bulk_create(new.values(), batch_size=500):
            self.responses[response.system_id, response.prompt_id] = (response.pk, response.checksum)
        tally.added += len(new)
        blank = sum(not response.is_stock for response in new.values())
        if blank:
            self.report.notes.append(
                f"{blank} responses are blank: stored with the published votes, never drawn for new battles."
            )

    def _response(self, row: Row) -> Response:
        model_id, prompt_id = row.text("model", limit=40), row.text("prompt", limit=40)
        if model_id not in self.models:
            raise RowRefused(f"unknown model id {model_id!r}")
        if prompt_id not in self.prompts:
            raise RowRefused(f"unknown prompt id {prompt_id!r}")
        if not isinstance(row.values["result"], str):
            raise RowRefused("“result” is not a text")
        text = row.text("result", limit=TEXT_LIMIT, required=False)
        duration, rate = _number(row, "duration"), _number(row, "rate")
        model = self.models[model_id].values
        return Response(
            system=self.systems.by_key[model_id],
            prompt=self.prompts[prompt_id],
            text=text,
            checksum=Response.checksum_of(text),
            is_stock=bool(text.strip()),
            total_s=None if duration is None else duration / 1000,
            provenance={
                "source": ORIGIN.slug,
                "response_id": row.text("id", limit=40),
                "api": str(model.get("api") or "")[:120],
                "api_id": str(model.get("api_id") or "")[:120],
                "tokens_per_s": rate,
            },
            created_at=self.now,
        )

    def _comparison(self, row: Row) -> Comparison:
        prompt_id = row.text("prompt_id", limit=40)
        if prompt_id not in self.prompts:
            raise RowRefused(f"unknown prompt id {prompt_id!r}")
        model_ids = [row.text(f"model_{side}_id", limit=40) for side in "ab"]
        for side, model_id in zip("ab", model_ids, strict=True):
            if model_id not in self.models:
                raise RowRefused(f"unknown model id {model_id!r}")
            if (given := row.values[f"model_{side}"]) != (name := self.models[model_id].values["name"]):
                raise RowRefused(f"model {model_id} is {name!r} in the file of models, not {given[:120]!r}")
        if model_ids[0] == model_ids[1]:
            raise RowRefused(f"model {model_ids[0]} against itself")
        judge_name = row.text("judge", limit=120)
        prompt = self.prompts[prompt_id]
        first, second = (self._side(model_id, prompt) for model_id in model_ids)
        outcome = outcome_of(row.values["winner"])
        is_human = is_judged_by_person(row, outcome=outcome)
        return Comparison(
            content=(row.text("pair_id", limit=200), prompt_id, *model_ids, row.values["winner"], judge_name),
            prompt_id=prompt.pk,
            sides=(first, second),
            outcome=outcome,
            voter=judge_name if is_human else "",
            judge=None if is_human else self._judge(judge_name),
        )

    def _side(self, model_id: str, prompt: Prompt) -> Side:
        system_id = self.systems.by_key[model_id].pk
        response_id, _checksum = self.responses.get((system_id, prompt.pk), (None, ""))
        return Side(system_id, response_id)

    def _judge(self, name: str) -> JudgeSpec:
        if name not in self.judges:
            self.judges[name] = judge_ensure(origin=ORIGIN, name=name)
        return self.judges[name]


def _number(row: Row, name: str) -> float | None:
    value = row.values.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise RowRefused(f"“{name}” is not a number of 0 or more")
    return float(value)

"""The columns of a release, in one table: the page, the manifest and the README all read it."""

from __future__ import annotations

from typing import NamedTuple

SCHEMA_VERSION = "1.1"


class Column(NamedTuple):
    name: str
    explanation: str


SHARED = (
    Column("ballot_id", "Number of the ballot; the same in every release."),
    Column("schema_version", "Version of this table of columns."),
    Column("arena", "Short name of the arena."),
    Column("criterion", "What the voter was asked about."),
    Column(
        "source",
        "stock: stored answers; live: answers made while the voter waited; imported: from a published file.",
    ),
    Column("prompt_id", "The prompt, as in prompts.jsonl.gz; “voter/…” for a prompt that a voter wrote."),
    Column("prompt_set", "Name and version of the prompt set; empty for a voter's own prompt."),
    Column("category", "Category of the prompt, where it has one."),
    Column("language", "Language of the prompt (BCP 47), where it is known."),
    Column(
        "voter",
        "Pseudonym of the voter, made for this release alone: equal inside it, unrelated to other releases. "
        "Empty when the voter's record was deleted.",
    ),
)
ITEMS = Column(
    "items",
    "The answers in the order shown: position (0 first), system, rank (1 best, equal = tie, null = not "
    "compared), response_id and style, the counts of the answer's text that boards can control for: "
    "characters, words, headers, list_items, bold … (both null where the published file had no answer).",
)
VERDICT = (
    Column("outcome", "model_a, model_b, tie, both_bad or skip for two answers; ranking for more."),
    Column("all_bad", "The voter called every answer bad."),
    Column("counted", "Whether boards count the ballot. Skips and excluded votes are here, not counted."),
    Column("exclusion_reasons", "Why an excluded ballot is not counted."),
    Column("draw_probability", "With which this set of systems was drawn; empty where unknown."),
    Column("pairing_rule", "The rule that drew the systems."),
    Column("voted_at", "When the vote was cast (UTC, ISO 8601); empty where a published file gives no time."),
    Column("latency_ms", "Milliseconds from showing the answers to the vote, where measured."),
    Column("input", "How the vote was cast: form, keyboard or import."),
)
PAIR = (
    Column("model_a", "Same as position_1_system when there are two answers; else empty."),
    Column("model_b", "Same as position_2_system when there are two answers; else empty."),
    Column(
        "winner",
        "model_a, model_b, tie or tie (bothbad), as in LMArena's dumps; empty for a skip and for more than "
        "two answers. Leave out rows whose “counted” is false.",
    ),
)
POSITION = (
    Column("position_N_system", "System at the N-th position, from 1."),
    Column("position_N_rank", "Its rank: 1 best, equal = tie, empty = not compared."),
    Column("position_N_response_id", "The answer shown there; empty where the published file had none."),
)

JSON_COLUMNS = (*SHARED, ITEMS, *VERDICT)
CSV_COLUMNS = (*SHARED, *PAIR, *VERDICT, *POSITION)

# JSON Lines hold `items`; CSV spreads them over the pair's columns and the positions'.
EXPLAINED: tuple[tuple[str, tuple[Column, ...]], ...] = (
    ("In both files", (*SHARED, *VERDICT)),
    ("In votes.jsonl.gz only", (ITEMS,)),
    ("In votes.csv.gz only", (*PAIR, *POSITION)),
)

PROMPT_COLUMNS = (
    Column("prompt_id", "As in the votes."),
    Column("prompt_set", "Name and version of the prompt set."),
    Column("licence", "Licence of the prompt set."),
    Column("category", "Category of the prompt, where it has one."),
    Column("language", "Language of the prompt (BCP 47), where it is known."),
    Column("text", "The prompt. Prompts that voters wrote are not released."),
)


def csv_header(*, positions: int) -> list[str]:
    """The CSV header for ballots of up to `positions` answers."""
    fixed = [column.name for column in (*SHARED, *PAIR, *VERDICT)]
    spread = [
        column.name.replace("_N_", f"_{position}_")
        for position in range(1, positions + 1)
        for column in POSITION
    ]
    return fixed + spread

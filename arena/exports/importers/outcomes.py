"""What published vote files call an outcome. A spelling that is not listed is refused, never guessed."""

from __future__ import annotations

import enum
from typing import NamedTuple


class Winner(enum.StrEnum):
    A = "a"
    B = "b"
    TIE = "tie"
    BOTH_BAD = "both_bad"


class Outcome(NamedTuple):
    winner: Winner
    is_strong: bool = False
    is_inconsistent: bool = False
    """The judge changed its mind when the two answers were swapped."""

    @property
    def ranks(self) -> list[int | None]:
        if self.winner is Winner.A:
            return [1, 2]
        return [2, 1] if self.winner is Winner.B else [1, 1]

    @property
    def all_bad(self) -> bool:
        return self.winner is Winner.BOTH_BAD


class UnknownOutcome(ValueError):
    """A spelling that no known file uses."""


class NoVote(ValueError):
    """The row holds no vote: the file's way to say that nobody chose."""


# Spellings of Chatbot Arena and LMArena dumps, MT-bench, Agent Arena, llmfao, AutoArena, ComparIA,
# GenAI-Arena and Arena-Hard; for files with a column for each outcome, the name of the one that is 1 or true.
_BY_OUTCOME: dict[Outcome, list[str]] = {
    Outcome(Winner.A): [
        *("model_a", "left", "A is better", "A", "leftvote", "A>B", "[[A>B]]", "winner_model_a"),
    ],
    Outcome(Winner.B): [
        *("model_b", "right", "B is better", "B", "rightvote", "B>A", "[[B>A]]", "winner_model_b"),
    ],
    Outcome(Winner.A, is_strong=True): ["A>>B", "[[A>>B]]"],
    Outcome(Winner.B, is_strong=True): ["B>>A", "[[B>>A]]"],
    Outcome(Winner.TIE): [
        *("tie", "Tie", "-", "A=B", "[[A=B]]", "[[A=B=Good]]", "tievote", "both good"),
        *("both_equal", "winner_tie"),
    ],
    Outcome(Winner.TIE, is_inconsistent=True): ["tie (inconsistent)"],
    Outcome(Winner.BOTH_BAD): ["tie (bothbad)", "both_bad", "Both are bad", "bothbad_vote", "[[A=B=Bad]]"],
}
SPELLINGS = {spelling: outcome for outcome, spellings in _BY_OUTCOME.items() for spelling in spellings}
NO_VOTE = frozenset({"", "null", "None"})


def outcome_of(spelling: str) -> Outcome:
    """The outcome that `spelling` means. Raises NoVote or UnknownOutcome."""
    if spelling in NO_VOTE:
        raise NoVote("the row holds no vote")
    try:
        return SPELLINGS[spelling]
    except KeyError:
        raise UnknownOutcome(f"unknown outcome {spelling[:60]!r}") from None

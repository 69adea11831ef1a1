"""What the pages of these tests show: small arenas, and one as full as a real one."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.utils import timezone

from arena.battles.models import Battle
from arena.catalog.models import Arena, System
from arena.generation.models import Response
from arena.judging.models import Score
from arena.leaderboards.models import Board
from arena.leaderboards.services import snapshot_refresh
from arena.votes.models import Vote, VoteExclusion
from arena.votes.services import ballot_of_pair, vote_cast, votes_exclude
from tests import factories

NAMES = {
    "Willow-2-Chat-135M": "The Willow Workshop",
    "Willow-2-Chat-135M (greedy)": "The Willow Workshop",
    "A contestant with a rather long name and settings in brackets (top-p 0.9)": "Institute for Long Names",
    "Birch": "",
    "Larch-Base-270M, few-shot": "Larch & Daughters",
}
RICH = (
    """# A heading of the answer

Some *words* with `code`, a [link](https://example.org/a), and a list:

1. first
2. second
   - nested

| Left | Right |
|:-----|------:|
| a table that is wider than the screen of any phone | 1234567890123456789012345678901234567890 |

```python
def answer(question: str) -> str:  # a line long enough to be scrolled sideways, everywhere, always
    return f"{question}? {6 * 7}"
```

> A quotation.

"""
    + "Averylongwordwithoutanyplacetobreakit" * 5
)
PLAIN = "A short answer that says little.\n\nIn two paragraphs."


def votable(*, prompts: int = 3, **fields: object) -> Arena:
    """Two systems with stored answers, and a board of people."""
    arena = factories.arena(systems=2, prompts=prompts, answered=True, name="Small talk", **fields)
    factories.board(arena, slug="people")
    return arena


def answered_with(*texts: str, prompt: str = "What is it?") -> Arena:
    """One prompt, and one system for each of its answers."""
    arena = factories.arena(prompts=0)
    asked = factories.prompt(prompt, prompt_set=arena.prompt_sets.get())
    for text in texts:
        factories.response(system=factories.system(arena=arena), prompt=asked, text=text)
    factories.board(arena, slug="people")
    return arena


def live(*texts: str, provider: str = "fake") -> Arena:
    """Systems that answer every prompt with these words when a worker asks them."""
    arena = factories.arena()
    for text in texts:
        factories.system(arena=arena, provider=provider, provider_options={"text": text})
    factories.board(arena, slug="people")
    return arena


def full() -> tuple[Board, Board]:
    """An arena with votes, a retired system, long names, and both kinds of board; beside it two others."""
    arena = factories.arena(
        prompts=6,
        name="Everyday questions",
        slug="everyday",
        position=1,
        description="Small systems answer everyday prompts. They make mistakes: that is what to judge.",
    )
    systems = [
        factories.system(name, organisation=organisation, arena=arena, link="https://example.org/")
        for name, organisation in NAMES.items()
    ]
    for prompt in arena.prompt_sets.get().prompts.all():
        for number, system in enumerate(systems):
            factories.response(system=system, prompt=prompt, text=RICH if number % 2 else PLAIN)
    people = factories.board(arena, slug="people", name="People", position=1)
    for seed in range(40):
        cast(arena, ("a", "b", "tie", "a", "both_bad")[seed % 5], seed=seed)
    votes_exclude(
        votes=Vote.objects.filter(pk=Vote.objects.latest("pk").pk),
        reason=VoteExclusion.Reason.ADMIN,
        detail="a test",
    )
    System.objects.filter(name="Birch").update(
        status=System.Status.RETIRED, retired_on="2025-01-31", retired_reason="its weights were withdrawn"
    )
    automatic = factories.board(
        arena,
        slug="automatic",
        name="Automatic: topic match",
        voters=Board.Voters.JUDGE,
        judge=factories.scorer(name="Topic match", description="Says how well an answer keeps to its topic."),
    )
    for number, response in enumerate(Response.objects.order_by("pk")):
        Score.objects.create(judge=automatic.judge, response=response, value=(number * 7 % 11) / 11)
    for board in (people, automatic):
        assert snapshot_refresh(board=board)
    imported = factories.arena(
        name="Published votes",
        is_open=False,
        takes_own_prompts=False,
        citation="Some people (2023). https://example.org/votes, CC-BY-4.0",
    )
    factories.board(imported, slug="people")
    factories.arena(systems=2, prompts=2, name="A new arena without votes")
    return people, automatic


def cast(arena: Arena, outcome: str, *, seed: int = 1) -> Vote:
    """The vote of somebody else."""
    voter = factories.voter()
    battle: Battle = factories.battle(arena, voter, seed)
    return vote_cast(
        battle=battle,
        voter=voter,
        ballot=ballot_of_pair(outcome),
        given_by=Vote.Input.FORM,
        now=timezone.now(),
    )


def until(is_true: Callable[[], bool], *, wait_s: float = 10) -> None:
    """For what a worker's thread does to the tables; pages are waited for with `expect`."""
    deadline = time.monotonic() + wait_s
    while not is_true():
        assert time.monotonic() < deadline, "It never became true."
        time.sleep(0.02)

"""The vote: inserted once, checked by the database, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from arena.accounts.models import Voter
from arena.battles.identity import find_leak, identity_words
from arena.battles.models import Battle
from arena.battles.services import battle_close
from arena.catalog.models import Prompt
from arena.core.queue import Task, enqueue
from arena.generation.services import prompts_erase
from arena.votes.models import Vote, VoteExclusion

Ranks = Sequence[int | None]


class VoteError(Exception):
    """A rule of voting was broken; the message is for the voter."""


class NotYourBattle(VoteError):
    pass


class BattleNotReady(VoteError):
    pass


class BattleClosed(VoteError):
    pass


class AlreadyVoted(VoteError):
    pass


class InvalidBallot(VoteError):
    pass


class Ballot(NamedTuple):
    """What a voter says about a battle, whatever the input was."""

    ranks: Ranks
    all_bad: bool = False
    is_skip: bool = False


PAIR_BALLOTS = {
    "a": Ballot((1, 2)),
    "b": Ballot((2, 1)),
    "tie": Ballot((1, 1)),
    "both_bad": Ballot((1, 1), all_bad=True),
    "skip": Ballot((None, None), is_skip=True),
}


def ballot_of_pair(outcome: str) -> Ballot:
    """Read a button of the pairwise form.

    Raises:
        InvalidBallot: for any other word.
    """
    try:
        return PAIR_BALLOTS[outcome]
    except KeyError as error:
        raise InvalidBallot("Please choose one of: A, B, tie, both bad, skip.") from error


@transaction.atomic
def vote_cast(
    *,
    battle: Battle,
    voter: Voter,
    ballot: Ballot,
    given_by: Vote.Input,
    now: datetime,
) -> Vote:
    """Store a vote and end its battle.

    Raises:
        NotYourBattle, BattleNotReady, BattleClosed, AlreadyVoted, InvalidBallot: nothing was changed.
    """
    battle = (
        Battle.objects.select_for_update(of=("self",)).select_related("arena", "prompt").get(pk=battle.pk)
    )
    if battle.voter_id != voter.pk:
        raise NotYourBattle("This battle was opened in another browser, so it cannot be voted on here.")
    if battle.closed_reason == Battle.CloseReason.VOTED:
        raise AlreadyVoted("You have voted on this battle already; your first vote stands.")
    if battle.closed_at is not None:
        raise BattleClosed("This battle is closed, so no vote was stored.")
    slots = list(battle.slots.select_related("response", "job__response").order_by("position"))
    responses = [slot.ready_response for slot in slots]
    texts = [response.text for response in responses if response is not None]
    if len(texts) < len(slots):
        raise BattleNotReady("Both answers must be finished before you can vote.")
    if len(ballot.ranks) != len(slots):
        raise InvalidBallot(f"This battle has {len(slots)} answers, the ballot has {len(ballot.ranks)}.")
    shown_at = battle.created_at
    if battle.source == Battle.Source.LIVE:
        shown_at = max(response.created_at for response in responses if response is not None)
    vote = Vote(
        battle=battle,
        voter=voter,
        criterion_id=battle.arena.criterion_id,
        ranks=list(ballot.ranks),
        all_bad=ballot.all_bad,
        is_skip=ballot.is_skip,
        input=given_by,
        latency_ms=min(max(0, round((now - shown_at).total_seconds() * 1000)), 2**31 - 1),
        created_at=now,
    )
    try:
        with transaction.atomic():
            vote.save(force_insert=True)
    except IntegrityError as error:
        raise AlreadyVoted("You have voted on this battle already; your first vote stands.") from error
    battle_close(battle=battle, reason=Battle.CloseReason.VOTED, now=now)
    if not ballot.is_skip:
        _mark_identity_leak(vote, battle=battle, texts=texts)
    enqueue(Task.SNAPSHOT, arena_id=battle.arena_id)
    return vote


def _mark_identity_leak(vote: Vote, *, battle: Battle, texts: list[str]) -> None:
    """A battle whose answers name their maker was not blind: the vote is kept, and not counted."""
    names = battle.arena.systems.values_list("name", "organisation")
    words = identity_words([name for name, _ in names], [maker for _, maker in names if maker])
    for text in texts:
        leak = find_leak(text, words, prompt=battle.prompt.text)
        if leak:
            VoteExclusion.objects.create(
                vote=vote, reason=VoteExclusion.Reason.IDENTITY_LEAK, detail=f"An answer says “{leak}”."[:300]
            )
            return


def votes_exclude(*, votes: QuerySet[Vote], detail: str) -> int:
    """Leave votes out of later fits; the rows stay."""
    rows = [
        VoteExclusion(vote=vote, reason=VoteExclusion.Reason.ADMIN, detail=detail)
        for vote in votes.exclude(exclusions__reason=VoteExclusion.Reason.ADMIN)
    ]
    VoteExclusion.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def votes_include(*, votes: QuerySet[Vote]) -> int:
    """Take back an admin's exclusion; a vote that was excluded for another reason stays out."""
    admin = VoteExclusion.objects.filter(vote__in=votes.values("pk"), reason=VoteExclusion.Reason.ADMIN)
    return admin.delete()[0]


@transaction.atomic
def voter_forget(*, voter: Voter) -> int:
    """Erase a voter: the person's own prompts and their answers, and the link to the votes.

    The bare votes stay and are no longer counted. Returns how many there are.
    """
    votes = list(Vote.objects.filter(voter=voter).select_related("battle"))
    VoteExclusion.objects.bulk_create(
        [VoteExclusion(vote=vote, reason=VoteExclusion.Reason.VOTER_DELETED) for vote in votes],
        ignore_conflicts=True,
    )
    prompts_erase(prompts=Prompt.objects.filter(author=voter, prompt_set__isnull=True))
    voter.delete()
    for arena_id in {vote.battle.arena_id for vote in votes}:
        enqueue(Task.SNAPSHOT, arena_id=arena_id)
    return len(votes)

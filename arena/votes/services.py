"""The vote: inserted once, checked by the database, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from arena.accounts.models import Voter
from arena.battles.identity import find_leak, identity_words
from arena.battles.models import Battle
from arena.battles.services import battle_close
from arena.catalog.models import Prompt
from arena.core.queue import Task, enqueue
from arena.generation.models import Response
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


ALREADY_VOTED = "You have voted on this battle already; your first vote stands."
LOCK_SPACE = 7202


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
def vote_cast(*, battle: Battle, voter: Voter, ballot: Ballot, given_by: Vote.Input, now: datetime) -> Vote:
    """Store a vote and end its battle.

    Raises:
        NotYourBattle, BattleNotReady, BattleClosed, AlreadyVoted, InvalidBallot: nothing was changed.
    """
    battle = (
        Battle.objects.select_for_update(of=("self",)).select_related("arena", "prompt").get(pk=battle.pk)
    )
    responses = _votable_responses(battle, voter)
    if len(ballot.ranks) != len(responses):
        raise InvalidBallot(f"This battle has {len(responses)} answers, the ballot has {len(ballot.ranks)}.")
    leak = None if ballot.is_skip else _identity_leak(battle, responses)
    shown_at = battle.created_at
    if battle.source == Battle.Source.LIVE:
        shown_at = max(response.created_at for response in responses)
    _commit_in_order(battle.arena_id)
    try:
        with transaction.atomic():
            vote = Vote.objects.create(
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
    except IntegrityError as error:
        if "vote_one_per_voter_battle_criterion" not in str(error):
            raise
        raise AlreadyVoted(ALREADY_VOTED) from error
    battle_close(battle=battle, reason=Battle.CloseReason.VOTED, now=now)
    if leak:
        # The battle was not blind: the vote is kept, and not counted.
        VoteExclusion.objects.create(
            vote=vote, reason=VoteExclusion.Reason.IDENTITY_LEAK, detail=f"An answer says “{leak}”."[:300]
        )
    enqueue(Task.SNAPSHOT, arena_id=battle.arena_id)
    return vote


def _votable_responses(battle: Battle, voter: Voter) -> list[Response]:
    """What the voter was shown, in display order, if this battle takes this voter's vote now."""
    if battle.voter_id != voter.pk:
        raise NotYourBattle("This battle was opened in another browser, so it cannot be voted on here.")
    if battle.closed_reason == Battle.CloseReason.VOTED:
        raise AlreadyVoted(ALREADY_VOTED)
    if battle.closed_at is not None:
        raise BattleClosed("This battle is closed, so no vote was stored.")
    slots = battle.slots.select_related("response", "job__response").order_by("position")
    responses = [slot.ready_response for slot in slots]
    ready = [response for response in responses if response is not None]
    if len(ready) < len(responses):
        raise BattleNotReady("Both answers must be finished before you can vote.")
    return ready


def _identity_leak(battle: Battle, responses: Sequence[Response]) -> str | None:
    """The name by which an answer gives its system or maker away."""
    names = battle.arena.systems.values_list("name", "organisation")
    words = identity_words([name for name, _ in names], [maker for _, maker in names if maker])
    leaks = (find_leak(response.text, words, prompt=battle.prompt.text) for response in responses)
    return next((leak for leak in leaks if leak), None)


def _commit_in_order(arena_id: int) -> None:
    """Until the commit, no other vote of the arena gets an id: a snapshot's cut-off then misses none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, arena_id])


def votes_exclude(*, votes: QuerySet[Vote], reason: VoteExclusion.Reason, detail: str = "") -> int:
    """Leave votes out of later fits; the rows stay. Returns how many were not excluded for it before."""
    ids = list(votes.exclude(exclusions__reason=reason).values_list("pk", flat=True))
    rows = [VoteExclusion(vote_id=pk, reason=reason, detail=detail) for pk in ids]
    VoteExclusion.objects.bulk_create(rows, ignore_conflicts=True, batch_size=5000)
    _boards_changed(Vote.objects.filter(pk__in=ids))
    return len(ids)


def votes_include(*, votes: QuerySet[Vote]) -> int:
    """Take back an admin's exclusion; a vote that was excluded for another reason stays out."""
    ids = list(votes.values_list("pk", flat=True))
    deleted, _ = VoteExclusion.objects.filter(vote__in=ids, reason=VoteExclusion.Reason.ADMIN).delete()
    _boards_changed(Vote.objects.filter(pk__in=ids))
    return deleted


def _boards_changed(votes: QuerySet[Vote]) -> None:
    for arena_id in votes.values_list("battle__arena", flat=True).distinct().order_by():
        enqueue(Task.SNAPSHOT, arena_id=arena_id)


@transaction.atomic
def voter_forget(*, voter: Voter) -> int:
    """Erase a voter: the person's own prompts and their answers, and the link to the votes.

    The bare votes stay and are no longer counted. Returns how many there are.
    """
    count = votes_exclude(votes=Vote.objects.filter(voter=voter), reason=VoteExclusion.Reason.VOTER_DELETED)
    prompts_erase(prompts=Prompt.objects.filter(author=voter, prompt_set__isnull=True))
    voter.delete()
    return count

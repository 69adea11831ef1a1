"""The vote post."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from arena.accounts.middleware import voter_session
from arena.battles.models import Battle
from arena.votes.models import Vote
from arena.votes.services import (
    AlreadyVoted,
    BattleClosed,
    BattleNotReady,
    InvalidBallot,
    NotYourBattle,
    VoteError,
    ballot_of_pair,
    vote_cast,
    voter_forget,
)

STATUS: dict[type[VoteError], int] = {
    InvalidBallot: 422,
    NotYourBattle: 403,
    BattleNotReady: 409,
    BattleClosed: 409,
    AlreadyVoted: 409,
}


@require_POST
def vote(request: HttpRequest, battle_id: UUID) -> HttpResponse:
    """Store the vote and go to its result; anything else changes nothing and says why."""
    voter = voter_session(request).existing
    battle = Battle.objects.filter(pk=battle_id, voter__isnull=False).first()
    if battle is None:
        raise Http404("There is no such battle.")
    try:
        if voter is None:
            raise NotYourBattle("This battle was opened in another browser, so it cannot be voted on here.")
        vote_cast(
            battle=battle,
            voter=voter,
            ballot=ballot_of_pair(request.POST.get("outcome", "")),
            given_by=Vote.Input.KEYBOARD if request.POST.get("input") == "keyboard" else Vote.Input.FORM,
            now=timezone.now(),
        )
    except VoteError as error:
        context = {
            "battle": battle,
            "error": error,
            "already": isinstance(error, AlreadyVoted),
            "stranger": isinstance(error, NotYourBattle),
        }
        return render(request, "votes/refused.html", context, status=STATUS[type(error)])
    return redirect("leaderboards:result", battle.pk)


@require_POST
def forget(request: HttpRequest) -> HttpResponse:
    """Erase the voter of this browser and the cookie; what that means stands on the privacy page."""
    voter = voter_session(request).existing
    if voter is None:
        messages.info(request, "This browser has no voter number, so there is nothing to erase.")
        return redirect("privacy")
    count = voter_forget(voter=voter)
    messages.success(request, f"Erased. Votes that are no longer linked to you, nor counted: {count}.")
    response = redirect("privacy")
    response.delete_cookie(settings.VOTER_COOKIE)
    return response

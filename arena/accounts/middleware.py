"""Reads the voter's signed cookie; a row and a cookie are made only when a view asks for a voter."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property

from arena.accounts.models import Voter
from arena.accounts.services import voter_create

SALT = "arena.voter"


class VoterSession:
    """`request.voter_session`: who votes in this browser, if anybody does yet."""

    def __init__(self, cookie: str | None) -> None:
        self.cookie = cookie
        self.created: Voter | None = None

    @cached_property
    def key(self) -> uuid.UUID | None:
        if not self.cookie:
            return None
        try:
            value = signing.loads(self.cookie, salt=SALT, max_age=settings.VOTER_COOKIE_AGE_S)
            return uuid.UUID(value)
        except (signing.BadSignature, ValueError, TypeError, AttributeError):
            return None

    @cached_property
    def existing(self) -> Voter | None:
        """The voter of this browser, without creating one."""
        if self.created:
            return self.created
        return Voter.objects.filter(key=self.key, source="").first() if self.key else None

    def ensure(self) -> Voter:
        """The voter of this browser; created, and remembered in a cookie, when there is none."""
        if self.existing is None:
            self.created = self.existing = voter_create()
        return self.existing


class VoterMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        session = VoterSession(request.COOKIES.get(settings.VOTER_COOKIE))
        request.voter_session = session  # type: ignore[attr-defined]
        response = self.get_response(request)
        if session.created:
            response.set_cookie(
                settings.VOTER_COOKIE,
                signing.dumps(str(session.created.key), salt=SALT),
                max_age=settings.VOTER_COOKIE_AGE_S,
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
        return response


def voter_session(request: HttpRequest) -> VoterSession:
    session: VoterSession = request.voter_session  # type: ignore[attr-defined]
    return session

"""Pages that belong to no stage: health, methodology, privacy, and what a visitor sees when things fail."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from arena.core.health import readiness


@require_safe
def methodology(request: HttpRequest) -> HttpResponse:
    return render(request, "core/methodology.html")


@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    return render(request, "core/privacy.html")


@never_cache
@require_safe
def health_live(_request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "alive"})


@never_cache
@require_safe
def health_ready(_request: HttpRequest) -> HttpResponse:
    can_store_votes, report = readiness()
    return JsonResponse(report, status=200 if can_store_votes else 503)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return render(request, "403_csrf.html", {"reason": reason}, status=403)

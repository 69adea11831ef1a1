"""Pages of the data releases: the list, the request for a new one, the files."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from arena.catalog.models import Arena
from arena.core.htmx import page_or_fragment
from arena.exports.columns import EXPLAINED, PROMPT_COLUMNS
from arena.exports.selectors import arenas_with_releases, released_path
from arena.exports.services import ExportRefused, export_request

TEMPLATE = "exports/index.html"
CONTENT_TYPES = {
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".gz": "application/gzip",
}


def _context() -> dict[str, Any]:
    releases = arenas_with_releases()
    return {
        "releases": releases,
        "is_building": any(entry.unfinished for entry in releases),
        "explained": (*EXPLAINED, ("In prompts.jsonl.gz", PROMPT_COLUMNS)),
    }


@never_cache
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    return page_or_fragment(request, TEMPLATE, "releases", _context())


@never_cache
@require_POST
def build(request: HttpRequest, arena_slug: str) -> HttpResponse:
    arena = get_object_or_404(Arena, slug=arena_slug, is_listed=True)
    try:
        export = export_request(arena=arena, now=timezone.now())
    except ExportRefused as refused:
        context = {**_context(), "refusal": str(refused), "refused_arena": arena.slug}
        return page_or_fragment(request, TEMPLATE, "releases", context, status=HTTPStatus.TOO_MANY_REQUESTS)
    if request.headers.get("HX-Request"):
        context = {**_context(), "notice": _notice(arena, is_new=export.is_unfinished)}
        return page_or_fragment(request, TEMPLATE, "releases", context)
    messages.info(request, _notice(arena, is_new=export.is_unfinished))
    return redirect("exports:index")


def _notice(arena: Arena, *, is_new: bool) -> str:
    if is_new:
        return f"A release of “{arena.name}” is being written."
    return f"The newest release of “{arena.name}” already holds every vote."


@require_safe
def released_file(_request: HttpRequest, key: UUID, name: str) -> FileResponse:
    """A file of a release. It never changes, so it may be kept for ever."""
    path = released_path(key=key, name=name)
    if path is None:
        raise Http404("There is no such file in this release.")
    response = FileResponse(
        path.open("rb"),
        as_attachment=True,
        filename=name,
        content_type=CONTENT_TYPES.get(path.suffix, "application/octet-stream"),
    )
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    return response

"""For admins: “Test it” runs one prompt on a worker; the Fleet page shows workers, queues and outages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from arena.catalog.models import Provider, System
from arena.core.htmx import page_or_fragment
from arena.generation.fleet import fleet
from arena.generation.models import Job
from arena.generation.outages import AlreadyOut, NotOut, outage_begin, outage_end, outage_probe_now
from arena.generation.services import job_create_for_test

DEFAULT_PROMPT = "Name three things that float on water, and say why in one sentence."


class SwitchForm(forms.Form):
    reason = forms.CharField(max_length=200, help_text="Shown on the Fleet page.")


class TestForm(forms.Form):
    text = forms.CharField(label="Prompt", max_length=4000, widget=forms.Textarea(attrs={"rows": 3}))


@never_cache
@staff_member_required
@permission_required("catalog.change_system", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def system_test(request: HttpRequest, system_id: int) -> HttpResponse:
    system = get_object_or_404(System, pk=system_id)
    form = TestForm(request.POST or None, initial={"text": DEFAULT_PROMPT})
    if request.method == "POST" and form.is_valid() and system.provider != Provider.NONE:
        job = job_create_for_test(system=system, text=form.cleaned_data["text"])
        return redirect("generation:test_job", job.pk)
    return render(request, "generation/test.html", page(request, system, form=form))


@never_cache
@staff_member_required
@permission_required("catalog.change_system", raise_exception=True)
@require_safe
def test_job(request: HttpRequest, job_id: int) -> HttpResponse:
    """Follows the job until it has a response or an error."""
    job = get_object_or_404(
        Job.objects.select_related("system", "prompt", "response", "streamed"),
        pk=job_id,
        purpose=Job.Purpose.TEST,
    )
    form = TestForm(initial={"text": job.prompt.text})
    context = page(request, job.system, form=form, job=job, response=getattr(job, "response", None))
    return page_or_fragment(request, "generation/test.html", "outcome", context)


def page(request: HttpRequest, system: System, **context: Any) -> dict[str, Any]:
    return {**admin.site.each_context(request), "title": f"Test {system}", "system": system, **context}


@never_cache
@staff_member_required
@permission_required("generation.view_job", raise_exception=True)
@require_safe
def fleet_page(request: HttpRequest) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": "Fleet",
        "fleet": fleet(now=timezone.now()),
        "may_switch": request.user.has_perm("generation.change_job"),
    }
    return page_or_fragment(request, "generation/fleet.html", "state", context)


@never_cache
@staff_member_required
@permission_required("generation.change_job", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def system_switch(request: HttpRequest, system_id: int) -> HttpResponse:
    """Take a system out of service (with a reason), bring it back, or ask it now."""
    system = get_object_or_404(System, pk=system_id)
    form = SwitchForm(request.POST if request.POST.get("do") == "off" else None)
    if request.method != "POST" or (form.is_bound and not form.is_valid()):
        context = {**admin.site.each_context(request), "title": f"Switch off {system}"}
        return render(request, "generation/switch.html", {**context, "system": system, "form": form})
    try:
        messages.success(request, _switch(request, system, form))
    except (AlreadyOut, NotOut) as error:
        messages.warning(request, str(error))
    return redirect("generation:fleet")


def _switch(request: HttpRequest, system: System, form: SwitchForm) -> str:
    who, now = request.user.get_username(), timezone.now()
    if form.is_bound:
        outage_begin(system=system, reason=form.cleaned_data["reason"], by=who, now=now)
        return f"{system} is out of service."
    if request.POST.get("do") == "probe":
        outage_probe_now(system=system, now=now)
        return f"{system} is asked now."
    outage_end(system=system, by=who, now=now)
    return f"{system} is back in service."

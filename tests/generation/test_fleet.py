from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from arena.generation.fleet import fleet
from arena.generation.models import Job, Outage, WorkerProcess
from arena.generation.services import (
    FinishedText,
    job_claim,
    job_create,
    job_fail,
    job_finish,
    worker_seen,
    workers_forget,
)
from tests import factories

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def admin(client):
    user = get_user_model().objects.create_superuser("ada", password="a long pass phrase")
    client.force_login(user)
    return client


def queue(system, purpose=Job.Purpose.STOCK):
    return job_create(system=system, prompt=factories.prompt(), purpose=purpose, seed=1)


def busy_fleet():
    """One system that answered, one that failed, one job running, one waiting."""
    good, bad = factories.system("Good one"), factories.system("Bad one")
    worker_seen(name="host:1", systems=[good.pk], code_version="abc", now=NOW)
    queue(good)
    result = FinishedText("hello", completion_tokens=20, total_s=2.0)
    job_finish(job=job_claim(worker="host:1", now=NOW), result=result, now=NOW)
    queue(bad)
    job_fail(
        job=job_claim(worker="host:1", now=NOW),
        error="The endpoint refused the connection.",
        error_kind="BackendUnavailable",
        traceback="Traceback: refused <here>",
        is_retryable=False,
        is_of_system=True,
        now=NOW,
    )
    queue(good, Job.Purpose.LIVE)
    job_claim(worker="host:1", now=NOW)
    queue(bad)
    return good, bad


def test_the_fleet_tells_what_runs_waits_answers_and_fails():
    good, bad = busy_fleet()
    seen = fleet(now=NOW)
    by_name = {line.system: line for line in seen.systems}
    assert (by_name[good].answered, by_name[good].running, by_name[good].mean_s) == (1, 1, 2.0)
    assert by_name[good].tokens_per_s == pytest.approx(10)
    assert (by_name[bad].failed, by_name[bad].waiting, by_name[bad].failures_in_a_row) == (1, 1, 1)
    (worker,) = seen.workers
    assert (worker.is_silent, worker.systems) == (False, ["Good one"])
    assert [job.system for job in worker.running] == [good]
    assert {line.purpose: (line.waiting, line.running) for line in seen.queues}["A voter waits"] == (0, 1)
    assert [job.system for job in seen.failures] == [bad]
    assert (seen.answered, seen.failed, seen.is_manned) == (1, 1, True)


def test_a_worker_that_fell_silent_is_said_to_be():
    worker_seen(name="host:1", systems=[], code_version="abc", now=NOW - timedelta(minutes=5))
    seen = fleet(now=NOW)
    assert seen.workers[0].is_silent
    assert not seen.is_manned


def test_processes_of_yesterday_are_forgotten():
    worker_seen(name="old:1", systems=[], code_version="abc", now=NOW - timedelta(days=2))
    worker_seen(name="new:1", systems=[], code_version="abc", now=NOW)
    assert workers_forget(now=NOW) == 1
    assert WorkerProcess.objects.get().name == "new:1"


def test_the_page_shows_it_all_in_a_fixed_number_of_queries(admin, django_assert_max_num_queries):
    busy_fleet()
    with django_assert_max_num_queries(16):
        page = admin.get(reverse("generation:fleet")).content.decode()
    for text in ("Good one", "Bad one", "The endpoint refused", "refused &lt;here&gt;", "host:1"):
        assert text in page
    for _ in range(5):
        factories.system()
    with django_assert_max_num_queries(16):
        admin.get(reverse("generation:fleet"))


def test_the_page_swaps_its_state_alone_for_htmx(admin):
    page = admin.get(reverse("generation:fleet"), headers={"HX-Request": "true"}).content.decode()
    assert page.strip().startswith('<div id="fleet"')


def test_an_admin_switches_a_system_off_and_brings_it_back(admin):
    system = factories.system()
    switch = reverse("generation:switch", args=[system.pk])
    assert "Reason" in admin.get(switch).content.decode()
    page = admin.post(switch, {"do": "off", "reason": "too expensive"}, follow=True).content.decode()
    assert "too expensive" in page
    assert Outage.objects.standing().get().begun_by == "ada"
    page = admin.post(switch, {"do": "off", "reason": "again"}, follow=True).content.decode()
    assert "is out of service already" in page
    page = admin.post(switch, {"do": "on"}, follow=True).content.decode()
    assert "is back in service" in page
    assert not Outage.objects.standing().exists()
    page = admin.post(switch, {"do": "probe"}, follow=True).content.decode()
    assert "did not take itself out" in page


def test_switching_off_needs_a_reason(admin):
    system = factories.system()
    page = admin.post(reverse("generation:switch", args=[system.pk]), {"do": "off"}).content.decode()
    assert "This field is required" in page
    assert not Outage.objects.exists()


def test_only_staff_with_the_right_may_look_or_switch(client):
    system = factories.system()
    assert client.get(reverse("generation:fleet")).status_code == 302
    user = get_user_model().objects.create_user("eve", password="a long pass phrase", is_staff=True)
    client.force_login(user)
    assert client.get(reverse("generation:fleet")).status_code == 403
    assert client.post(reverse("generation:switch", args=[system.pk]), {"do": "on"}).status_code == 403


def test_the_admin_links_to_the_fleet(admin):
    assert reverse("generation:fleet") in admin.get(reverse("admin:index")).content.decode()

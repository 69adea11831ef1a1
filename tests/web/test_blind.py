"""No byte that is sent before the vote names a system: not in HTML, headers, URLs, cookies or timing."""

import json
import re

import numpy as np
import pytest
from django.urls import reverse
from django.utils import timezone

from arena.accounts.models import Voter
from arena.battles import views
from arena.battles.models import Battle
from arena.battles.services import battle_ask
from arena.generation.models import Job
from arena.generation.services import FinishedText, job_claim, job_finish, job_stream
from tests import factories

pytestmark = pytest.mark.django_db

SECRETS = [
    "Zebulon-9B",
    "zebulon-9b",
    "Quixote-3B",
    "quixote-3b",
    "Ministry of Weights",
    "WeirdLicence-7",
    "model-x",
]


@pytest.fixture
def arena():
    made = factories.arena(prompts=1)
    for name in ("Zebulon-9B", "Quixote-3B"):
        system = factories.system(
            name,
            arena=made,
            slug=name.lower(),
            organisation="Ministry of Weights",
            licence="WeirdLicence-7",
            provider_options={"base_url": "http://127.0.0.1:9/v1", "model": "model-x"},
        )
        factories.response(system=system, prompt=made.prompt_sets.first().prompts.first())
    return made


def everything_sent(response) -> str:
    body = b"".join(response.streaming_content) if response.streaming else response.content
    cookies = response.cookies.output()
    headers = "\n".join(f"{key}: {value}" for key, value in response.items())
    return "\n".join([headers, cookies, body.decode()])


def opened(client, arena) -> Battle:
    response = client.post(reverse("battles:open", args=[arena.slug]))
    assert_blind(response)
    return Battle.objects.latest("created_at")


def assert_blind(response):
    sent = everything_sent(response)
    found = [secret for secret in SECRETS if secret.lower() in sent.lower()]
    assert not found, f"{found} in {sent}"
    return sent


def test_the_battle_page_names_no_system(client, arena):
    battle = opened(client, arena)
    sent = assert_blind(client.get(reverse("battles:battle", args=[battle.pk])))
    assert "Answer A" in sent


def test_the_battle_page_holds_no_id_of_a_system_response_or_job(client, arena):
    """Ids in attributes would name a system after a few battles."""
    battle = opened(client, arena)
    sent = client.get(reverse("battles:battle", args=[battle.pk])).content.decode()
    for attribute in ("data-system", "data-response", "data-job", "system_id", "response_id", "job_id"):
        assert attribute not in sent


def test_a_refused_vote_names_no_system(client, arena):
    battle = opened(client, arena)
    url = reverse("votes:vote", args=[battle.pk])
    assert_blind(client.post(url, {"outcome": "nonsense"}))
    assert_blind(client.get(url))


def test_the_result_before_the_vote_is_not_to_be_had(client, arena):
    battle = opened(client, arena)
    response = client.get(reverse("leaderboards:result", args=[battle.pk]))
    assert response.status_code == 404
    assert_blind(response)


def test_names_come_with_the_result(client, arena):
    battle = opened(client, arena)
    response = client.post(reverse("votes:vote", args=[battle.pk]), {"outcome": "a"}, follow=True)
    assert b"Zebulon-9B" in response.content


def test_another_browser_sees_nothing_of_the_battle(client, arena, django_user_model):
    battle = opened(client, arena)
    client.cookies.clear()
    for name in ("battles:battle", "battles:stream", "leaderboards:result"):
        assert client.get(reverse(name, args=[battle.pk])).status_code == 404


def live_battle(client, arena) -> Battle:
    client.post(reverse("battles:ask", args=[arena.slug]), {"text": "Why?"})
    return Battle.objects.latest("created_at")


def test_a_live_battle_and_its_stream_name_no_system(client, arena, monkeypatch):
    monkeypatch.setattr(views.time, "sleep", lambda _s: None)
    battle = live_battle(client, arena)
    assert_blind(client.get(reverse("battles:battle", args=[battle.pk])))
    for _ in range(2):
        job_finish(
            job=job_claim(worker="w", now=timezone.now()),
            result=FinishedText("An answer. " * 40),
            now=timezone.now(),
        )
    sent = assert_blind(client.get(reverse("battles:stream", args=[battle.pk])))
    assert "event: finished" in sent


def test_both_sides_are_released_in_the_same_steps(arena, monkeypatch):
    """A fast and a slow system look alike: every event carries the same length of both."""
    monkeypatch.setattr(views.time, "sleep", lambda _s: None)
    monkeypatch.setattr(views, "render_untrusted", lambda text: text)
    voter = Voter.objects.create()
    battle = battle_ask(
        arena=arena, voter=voter, text="Why?", now=timezone.now(), rng=np.random.default_rng(1)
    )
    jobs = [job_claim(worker="w", now=timezone.now()) for _ in range(2)]
    job_stream(job=jobs[0], text="f" * 900, now=timezone.now())
    job_stream(job=jobs[1], text="s" * 170, now=timezone.now())
    events = views.stream_events(battle, 0)
    first_ten = [next(events) for _ in range(10)]
    answers = [json.loads(event.split("data: ")[1]) for event in first_ten if event.startswith("id")]
    # The slow side has 170 characters, which are two full steps; then nothing moves on either side.
    assert [sorted(len(text) for text in both.values()) for both in answers] == [[80, 80], [160, 160]]


def test_a_reconnecting_stream_goes_on_where_it_stopped(client, arena, monkeypatch):
    monkeypatch.setattr(views.time, "sleep", lambda _s: None)
    battle = live_battle(client, arena)
    for _ in range(2):
        job_finish(
            job=job_claim(worker="w", now=timezone.now()),
            result=FinishedText("x" * 400),
            now=timezone.now(),
        )
    response = client.get(reverse("battles:stream", args=[battle.pk]), headers={"Last-Event-ID": "320"})
    body = b"".join(response.streaming_content).decode()
    assert [line for line in body.splitlines() if line.startswith("id:")] == ["id: 400", "id: 400"]


def test_a_waiting_page_without_javascript_shows_no_partial_text(client, arena):
    """Reloading would tell which side is faster."""
    battle = live_battle(client, arena)
    job = job_claim(worker="w", now=timezone.now())
    job_stream(job=job, text="half an answer", now=timezone.now())
    body = client.get(reverse("battles:battle", args=[battle.pk])).content.decode()
    assert "half an answer" not in body
    assert "<noscript>" in body


def test_a_failed_live_battle_apologises_without_names(client, arena):
    battle = live_battle(client, arena)
    Battle.objects.filter(pk=battle.pk).update(closed_at=timezone.now(), closed_reason="failed")
    Job.objects.update(status=Job.Status.FAILED, error="Zebulon-9B does not answer.")
    sent = assert_blind(client.get(reverse("battles:battle", args=[battle.pk])))
    assert "could not be held" in sent


@pytest.mark.parametrize("header", ["99999", "²", "9" * 5000, "-1", "abc", ""])
def test_a_forged_last_event_id_shows_no_more_and_breaks_nothing(client, arena, monkeypatch, header):
    monkeypatch.setattr(views.time, "sleep", lambda _s: None)
    monkeypatch.setattr(views, "STREAM_MAX_S", 0.3)
    battle = live_battle(client, arena)
    jobs = [job_claim(worker="w", now=timezone.now()) for _ in range(2)]
    job_stream(job=jobs[0], text="f" * 900, now=timezone.now())
    job_stream(job=jobs[1], text="s" * 170, now=timezone.now())
    url = reverse("battles:stream", args=[battle.pk])
    body = b"".join(client.get(url, headers={"Last-Event-ID": header}).streaming_content).decode()
    assert max(body.count("f"), body.count("s")) < 600
    assert "f" * 161 not in body


@pytest.mark.django_db(transaction=True)
def test_a_voter_holds_two_streams_at_most(client, arena):
    battle = live_battle(client, arena)
    url = reverse("battles:stream", args=[battle.pk])
    held = [client.get(url) for _ in range(2)]
    assert [response.status_code for response in held] == [200, 200]
    assert client.get(url).status_code == 204
    for response in held:
        response.close()
    again = client.get(url)
    assert again.status_code == 200
    again.close()


def test_a_skip_names_nobody(client, arena):
    battle = opened(client, arena)
    response = client.post(reverse("votes:vote", args=[battle.pk]), {"outcome": "skip"}, follow=True)
    assert_blind(response)


def test_no_answer_is_fetched_by_a_request_of_its_own(client, arena):
    """A request per answer would tell its size to whoever watches the network or the server's log."""
    for battle in (opened(client, arena), live_battle(client, arena)):
        page = client.get(reverse("battles:battle", args=[battle.pk])).content.decode()
        urls = set(re.findall(r'(?:href|src|action|data-stream|hx-get)="([^"]+)"', page))
        of_battle = {url for url in urls if str(battle.pk) in url}
        allowed = {reverse(f"{name}", args=[battle.pk]) for name in ("votes:vote", "battles:stream")}
        assert of_battle <= allowed
        assert not [url for url in urls if "response" in url or "answer" in url]

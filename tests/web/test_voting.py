import uuid

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from arena.accounts.models import Voter
from arena.battles import views
from arena.battles.models import Battle
from arena.core.throttle import Throttle
from arena.votes.models import Vote
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def arena():
    return factories.arena(systems=2, prompts=3, answered=True)


def open_battle(client, arena):
    response = client.post(reverse("battles:open", args=[arena.slug]))
    assert response.status_code == 302
    return Battle.objects.latest("created_at")


def vote(client, battle, outcome="a", **extra):
    return client.post(reverse("votes:vote", args=[battle.pk]), {"outcome": outcome, **extra})


def test_browsing_makes_no_voter_and_no_cookie(client, arena):
    factories.board(arena)
    for url in (
        "/",
        "/leaderboards/",
        f"/leaderboards/{arena.slug}/",
        "/methodology/",
        "/privacy/",
        "/data/",
    ):
        response = client.get(url)
        assert response.status_code == 200, url
        assert settings.VOTER_COOKIE not in response.cookies
    assert not Voter.objects.exists()


def test_the_first_battle_makes_a_voter_with_a_signed_cookie(client, arena):
    open_battle(client, arena)
    voter = Voter.objects.get()
    cookie = client.cookies[settings.VOTER_COOKIE]
    assert str(voter.key) not in ("", cookie.value)
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_a_forged_cookie_is_a_new_voter(client, arena):
    voter = factories.voter()
    client.cookies[settings.VOTER_COOKIE] = str(voter.key)
    open_battle(client, arena)
    assert Voter.objects.count() == 2
    assert Battle.objects.get().voter != voter


def test_an_imported_voter_cannot_be_impersonated_by_key(client, arena):
    from django.core import signing

    imported = Voter.objects.create(source="file", source_name="worker_1")
    client.cookies[settings.VOTER_COOKIE] = signing.dumps(str(imported.key), salt="arena.voter")
    open_battle(client, arena)
    assert Battle.objects.get().voter != imported


def test_opening_a_battle_with_get_changes_nothing(client, arena):
    assert client.get(reverse("battles:open", args=[arena.slug])).status_code == 405
    assert not Battle.objects.exists()


def test_a_vote_leads_to_its_result(client, arena):
    battle = open_battle(client, arena)
    response = vote(client, battle, "tie")
    assert response.status_code == 302
    assert response.url == reverse("leaderboards:result", args=[battle.pk])
    page = client.get(response.url)
    assert b"You said: a tie." in page.content
    assert Vote.objects.get().input == Vote.Input.FORM


def test_the_keyboard_is_remembered_as_input(client, arena):
    vote(client, open_battle(client, arena), "b", input="keyboard")
    assert Vote.objects.get().input == Vote.Input.KEYBOARD


def test_a_double_click_gets_a_clear_answer(client, arena):
    battle = open_battle(client, arena)
    vote(client, battle, "a")
    response = vote(client, battle, "b")
    assert response.status_code == 409
    assert b"your first vote stands" in response.content
    assert Vote.objects.get().outcome == "model_a"


def test_a_voted_battle_page_leads_to_its_result(client, arena):
    battle = open_battle(client, arena)
    vote(client, battle)
    response = client.get(reverse("battles:battle", args=[battle.pk]))
    assert response.url == reverse("leaderboards:result", args=[battle.pk])


@pytest.mark.parametrize(
    "form",
    [{}, {"outcome": ""}, {"outcome": "c"}, {"outcome": "a" * 10_000}, {"outcome": "\x00"}, {"result": "a"}],
)
def test_a_malformed_vote_is_refused_and_nothing_stored(client, arena, form):
    battle = open_battle(client, arena)
    response = client.post(reverse("votes:vote", args=[battle.pk]), form)
    assert response.status_code == 422
    assert not Vote.objects.exists()
    assert vote(client, battle).status_code == 302


def test_a_vote_on_an_unknown_battle_is_not_found(client, arena):
    url = reverse("votes:vote", args=[uuid.uuid4()])
    assert client.post(url, {"outcome": "a"}).status_code == 404


def test_a_vote_from_another_browser_is_refused(client, arena):
    battle = open_battle(client, arena)
    assert vote(Client(), battle).status_code == 403
    other = Client()
    open_battle(other, arena)
    assert vote(other, battle).status_code == 403
    assert not Vote.objects.exists()


def test_voting_by_get_is_not_possible(client, arena):
    battle = open_battle(client, arena)
    assert client.get(reverse("votes:vote", args=[battle.pk])).status_code == 405


def test_without_a_csrf_token_nothing_is_stored_and_the_page_helps(arena):
    client = Client(enforce_csrf_checks=True)
    response = client.post(reverse("battles:open", args=[arena.slug]))
    assert response.status_code == 403
    assert b"Please try again" in response.content
    assert not Battle.objects.exists()


def test_an_arena_whose_answers_are_still_made_says_so(client):
    arena = factories.arena(systems=2, prompts=1)
    from arena.generation.services import stock_ensure

    stock_ensure(arena=arena)
    response = client.post(reverse("battles:open", args=[arena.slug]))
    assert b"0 of 2 answers are ready" in response.content


def test_a_closed_arena_refuses_politely(client):
    arena = factories.arena(systems=2, prompts=1, answered=True, is_open=False)
    assert client.post(reverse("battles:open", args=[arena.slug])).status_code == 409


@pytest.mark.parametrize("text", ["", "  ", "\x00\x07"])
def test_an_empty_prompt_is_answered_with_a_sentence(client, arena, text):
    response = client.post(reverse("battles:ask", args=[arena.slug]), {"text": text})
    assert response.status_code == 422
    assert not Battle.objects.exists()


def test_a_prompt_of_200_kilobytes_is_answered_with_a_sentence(client, arena):
    response = client.post(reverse("battles:ask", args=[arena.slug]), {"text": "x" * 200_000})
    assert response.status_code == 422
    assert b"200,000 characters" in response.content


def test_a_prompt_with_markup_is_shown_as_text(client, arena):
    text = "<script>alert(1)</script> {{ 7*7 }}"
    response = client.post(reverse("battles:ask", args=[arena.slug]), {"text": text}, follow=True)
    assert b"<script>alert(1)" not in response.content
    assert b"&lt;script&gt;" in response.content
    assert b"{{ 7*7 }}" in response.content


def test_an_arena_without_own_prompts_has_no_ask_page(client):
    arena = factories.arena(takes_own_prompts=False)
    assert client.get(reverse("battles:ask", args=[arena.slug])).status_code == 404


def test_errors_have_helpful_pages(client):
    response = client.get("/nowhere/")
    assert response.status_code == 404
    assert b"Leaderboards" in response.content


def test_every_page_has_a_strict_policy(client, arena):
    policy = client.get("/")["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_forget_me_erases_the_number_and_the_cookie(client, arena):
    vote(client, open_battle(client, arena))
    response = client.post(reverse("votes:forget"), follow=True)
    assert b"nor counted: 1." in response.content
    assert not Voter.objects.exists()
    assert client.cookies[settings.VOTER_COOKIE].value == ""
    assert b"nothing to erase" in client.post(reverse("votes:forget"), follow=True).content


def test_a_flood_from_one_network_is_slowed_down(arena, monkeypatch):
    monkeypatch.setattr(views, "opens", Throttle(per_minute=3))
    statuses = [Client().post(reverse("battles:open", args=[arena.slug])).status_code for _ in range(5)]
    assert statuses == [302, 302, 302, 429, 429]
    assert Voter.objects.count() == 3

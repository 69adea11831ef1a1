import re

import pytest
from django.urls import reverse
from django.utils import timezone

from arena.leaderboards.models import Rating, Snapshot
from arena.leaderboards.services import snapshot_refresh
from arena.leaderboards.starter import starter_ensure
from arena.votes.models import Vote, VoteExclusion
from arena.votes.services import ballot_of_pair, vote_cast, votes_exclude
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def arena():
    return factories.arena(systems=3, prompts=8, answered=True)


@pytest.fixture
def board(arena):
    return factories.board(arena, slug="people")


def vote(arena, outcome="a", seed=1, voter=None):
    voter = voter or factories.voter()
    return vote_cast(
        battle=factories.battle(arena, voter, seed),
        voter=voter,
        ballot=ballot_of_pair(outcome),
        given_by=Vote.Input.FORM,
        now=timezone.now(),
    )


def many_votes(arena, count=40):
    for seed in range(count):
        vote(arena, ["a", "b", "tie", "a"][seed % 4], seed)


def names_in_order(response) -> list[str]:
    return re.findall(r'<th scope="row">\s*(Contestant \d+)', response.content.decode())


def test_a_board_says_how_many_until_when_and_fitted_how(client, arena, board):
    many_votes(arena)
    snapshot_refresh(board=board)
    body = client.get(reverse("leaderboards:board", args=[arena.slug, "people"])).content.decode()
    assert "<b>40</b> votes by people" in re.sub(r"\s+", " ", body)
    assert "95 % intervals clustered by voter" in body
    assert f"{timezone.now():%Y-%m-%d}" in body
    assert body.count('class="interval" role="img"') == 3


def test_few_voters_are_said_to_be_few(client, arena, board):
    for seed in range(4):
        vote(arena, "ab"[seed % 2], seed)
    snapshot_refresh(board=board)
    body = client.get(reverse("leaderboards:board", args=[arena.slug, "people"])).content.decode()
    assert "clustered by ballot (too few voters yet to cluster by voter)" in body


@pytest.mark.parametrize("sort", ["rank", "system", "score", "votes", "organisation", "licence", "nonsense"])
def test_a_board_is_sorted_by_a_plain_link(client, arena, board, sort):
    many_votes(arena)
    snapshot_refresh(board=board)
    url = reverse("leaderboards:board", args=[arena.slug, "people"])
    names = names_in_order(client.get(url, {"sort": sort}))
    assert len(names) == 3
    if sort == "system":
        assert names == sorted(names)
    if sort in ("rank", "score"):
        ratings = Rating.objects.order_by("-score").values_list("system__name", flat=True)
        assert names == list(ratings)


def test_htmx_gets_the_rows_alone(client, arena, board):
    many_votes(arena, 6)
    snapshot_refresh(board=board)
    url = reverse("leaderboards:board", args=[arena.slug, "people"])
    response = client.get(url, {"sort": "votes"}, headers={"HX-Request": "true"})
    assert b"<html" not in response.content
    assert b'id="rows"' in response.content


def test_a_one_sided_system_has_an_open_bound(client, arena, board):
    winner = arena.systems.order_by("pk").first()
    for seed in range(20):
        voter = factories.voter()
        first, second = factories.battle(arena, voter, seed).slots.all()
        vote(arena, "a" if first.system_id < second.system_id else "b", seed, voter)
    snapshot_refresh(board=board)
    assert Rating.objects.get(system=winner).high is None
    body = client.get(reverse("leaderboards:board", args=[arena.slug, "people"])).content.decode()
    assert "one-sided" in body
    assert "no upper bound" in body
    assert "no lower bound" in body


def test_a_retired_system_is_shown_with_reason_and_date(client, arena, board):
    many_votes(arena, 8)
    system = arena.systems.first()
    system.status, system.retired_on, system.retired_reason = "retired", "2026-01-02", "Replaced."
    system.save()
    snapshot_refresh(board=board)
    body = client.get(reverse("leaderboards:board", args=[arena.slug, "people"])).content.decode()
    assert "retired 2026-01-02: Replaced." in body


def test_an_unpublished_board_is_not_found(client, arena, board):
    board.is_published = False
    board.save()
    assert client.get(reverse("leaderboards:board", args=[arena.slug, "people"])).status_code == 404
    assert b"no published board" in client.get(reverse("leaderboards:arena", args=[arena.slug])).content


def test_the_list_of_boards_needs_few_queries_however_many_systems(
    client, board, arena, django_assert_max_num_queries
):
    many_votes(arena, 12)
    snapshot_refresh(board=board)
    for _ in range(6):
        other = factories.arena(systems=4, prompts=4, answered=True)
        many_votes(other, 2)
        snapshot_refresh(board=factories.board(other))
    for page in ("leaderboards:index", "leaderboards:home"):
        with django_assert_max_num_queries(8):
            assert client.get(reverse(page)).status_code == 200


def test_pages_without_any_arena_help(client):
    assert b"There is no arena yet" in client.get("/").content
    assert b"There is no arena yet" in client.get(reverse("leaderboards:index")).content


def result(client, arena, outcome="a"):
    client.post(reverse("battles:open", args=[arena.slug]))
    battle = arena.battles.latest("created_at")
    client.post(reverse("votes:vote", args=[battle.pk]), {"outcome": outcome})
    return reverse("leaderboards:result", args=[battle.pk])


def test_a_change_of_rank_is_shown_only_when_a_new_snapshot_has_it(client, arena, board):
    many_votes(arena, 8)
    snapshot_refresh(board=board)
    url = result(client, arena)
    body = client.get(url).content.decode()
    assert "next snapshot is being fitted" in body
    assert "→" not in body
    assert 'hx-trigger="load delay' in body
    assert snapshot_refresh(board=board)
    body = client.get(url).content.decode()
    assert "The newest snapshot has your vote." in body
    assert "→" in body
    assert 'hx-trigger="load delay' not in body


def test_a_skip_and_an_excluded_vote_wait_for_nothing(client, arena, board):
    assert "being fitted" not in client.get(result(client, arena, "skip")).content.decode()
    url = result(client, arena)
    votes_exclude(votes=Vote.objects.all(), reason=VoteExclusion.Reason.ADMIN, detail="By alice.")
    body = client.get(url).content.decode()
    assert "does not count" in body
    assert "alice" not in body
    assert "being fitted" not in body


def test_nobody_else_sees_the_result(client, arena, board):
    url = result(client, arena)
    client.cookies.clear()
    assert client.get(url).status_code == 404


def test_the_starter_arena_is_made_once_and_left_as_an_admin_changed_it():
    arena = starter_ensure()
    assert arena.systems.count() == 5
    assert arena.prompt_sets.get().prompts.count() >= 48
    assert arena.prompt_sets.get().prompts.values("category").distinct().count() == 8
    assert arena.prompt_sets.get().prompts.values("language").distinct().count() >= 4
    arena.name = "Changed"
    arena.save()
    assert starter_ensure().name == "Changed"
    assert not Snapshot.objects.exists()

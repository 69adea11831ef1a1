import json
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from arena.exports.columns import CSV_COLUMNS, JSON_COLUMNS
from arena.exports.models import Export
from arena.exports.selectors import export_folder
from arena.exports.services import export_build, export_queue
from tests import factories
from tests.exports.conftest import NOW

pytestmark = pytest.mark.django_db
INDEX = "/data/"


@pytest.fixture
def released(voted, transactional_db):
    return export_build(export=export_queue(arena=voted, now=NOW))


def test_page_lists_arenas_and_explains_every_column(client, voted):
    factories.arena(name="Cellar", slug="cellar")
    factories.arena(name="Hidden", slug="hidden", is_listed=False)
    page = client.get(INDEX).content.decode()
    assert page.count("<h1>") == 1
    assert "Kitchen" in page
    assert "Nobody has voted here yet." in page
    assert "Hidden" not in page
    assert "python -m arena.exports.recompute FOLDER" in page
    for column in (*JSON_COLUMNS, *CSV_COLUMNS):
        assert f"<code>{column.name}</code>" in page
    assert 'action="/data/kitchen/build/"' in page
    assert 'action="/data/cellar/build/"' not in page
    assert "hx-trigger" not in page


def test_page_shows_the_newest_release(client, released):
    page = client.get(INDEX).content.decode()
    assert "CC-BY-4.0" in page
    for name, facts in released.manifest["files"].items():
        assert f'href="/data/{released.key}/{name}"' in page
        assert facts["sha256"] in page


def test_number_of_queries_does_not_grow_with_arenas(client, voted, django_assert_max_num_queries):
    for _ in range(10):
        factories.board(factories.arena())
    with django_assert_max_num_queries(8):
        client.get(INDEX)


def test_release_in_the_making_refreshes_its_region_only(client, voted):
    Export.objects.create(arena=voted, status="running", started_at=timezone.now())
    page = client.get(INDEX).content.decode()
    assert 'hx-trigger="every 2s"' in page
    assert 'action="/data/kitchen/build/"' not in page
    fragment = client.get(INDEX, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment
    assert fragment.strip().startswith('<section id="releases"')
    assert 'hx-trigger="every 2s"' in fragment


def test_fragment_stops_refreshing_when_the_release_is_there(client, released):
    fragment = client.get(INDEX, headers={"HX-Request": "true"}).content.decode()
    assert "hx-trigger" not in fragment
    assert "manifest.json" in fragment


def test_button_queues_a_release_without_javascript(client, voted, sent):
    answer = client.post("/data/kitchen/build/", follow=True)
    assert answer.redirect_chain == [(reverse("exports:index"), 302)]
    assert "A release of “Kitchen” is being written." in answer.content.decode()
    assert [ids for _, ids in sent] == [{"export_id": Export.objects.get().pk}]


def test_button_answers_htmx_with_the_region(client, voted):
    answer = client.post("/data/kitchen/build/", headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert b"<html" not in answer.content
    assert "is being written" in answer.content.decode()


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_impatient_request_gets_a_clear_message(client, voted, headers):
    Export.objects.create(arena=voted, status="failed", error="The disk is full.", created_at=timezone.now())
    answer = client.post("/data/kitchen/build/", headers=headers)
    assert answer.status_code == 429
    page = answer.content.decode()
    assert "Please try again in" in page
    assert "The last release could not be written. The disk is full." in page
    assert Export.objects.count() == 1


def test_unchanged_votes_are_not_released_again(client, released):
    Export.objects.update(created_at=timezone.now() - timedelta(days=1))
    page = client.post("/data/kitchen/build/", follow=True).content.decode()
    assert "already holds every vote" in page
    assert Export.objects.count() == 1


def test_wrong_method_unknown_arena_and_missing_token_change_nothing(client, voted):
    from django.test import Client

    assert client.get("/data/kitchen/build/").status_code == 405
    assert client.post("/data/").status_code == 405
    assert client.post("/data/none/build/").status_code == 404
    assert Client(enforce_csrf_checks=True).post("/data/kitchen/build/").status_code == 403
    assert not Export.objects.exists()


def test_file_comes_as_an_attachment_that_may_be_kept_for_ever(client, released):
    answer = client.get(f"/data/{released.key}/votes.jsonl.gz")
    content = b"".join(answer.streaming_content)
    assert content == (export_folder(export=released) / "votes.jsonl.gz").read_bytes()
    assert answer["Content-Disposition"] == 'attachment; filename="votes.jsonl.gz"'
    assert answer["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer["Content-Type"] == "application/gzip"
    assert "Content-Encoding" not in answer
    assert "Set-Cookie" not in answer


def test_manifest_is_served(client, released):
    answer = client.get(f"/data/{released.key}/manifest.json")
    assert json.loads(b"".join(answer.streaming_content)) == released.manifest


@pytest.mark.parametrize(
    "name", ["other.txt", "..", "%2e%2e", "..%2F..%2Fsecret", ".manifest.json", "votes.jsonl"]
)
def test_only_listed_names_are_served(client, released, name):
    (export_folder(export=released) / "other.txt").write_text("left here by somebody")
    (export_folder(export=released).parent / "secret").write_text("secret")
    assert client.get(f"/data/{released.key}/{name}").status_code == 404


def test_unfinished_unknown_and_vanished_releases_are_not_found(client, released):
    url = f"/data/{released.key}/votes.csv.gz"
    (export_folder(export=released) / "votes.csv.gz").unlink()
    assert client.get(url).status_code == 404
    Export.objects.update(status="failed")
    assert client.get(f"/data/{released.key}/votes.jsonl.gz").status_code == 404
    assert client.get("/data/00000000-0000-4000-8000-000000000000/votes.jsonl.gz").status_code == 404


def test_admin_lists_releases_read_only_and_asks_for_new_ones(admin_client, voted, released):
    url = reverse("admin:exports_export_changelist")
    assert f"/data/{released.key}/manifest.json" in admin_client.get(url).content.decode()
    assert admin_client.get(reverse("admin:exports_export_add")).status_code == 403
    chosen = {"action": "build_new", "_selected_action": [released.pk]}
    assert "is up to date" in admin_client.post(url, chosen, follow=True).content.decode()
    Export.objects.update(manifest={}, created_at=NOW - timedelta(days=1))
    assert "is being written" in admin_client.post(url, chosen, follow=True).content.decode()
    assert Export.objects.filter(status="queued").count() == 1
    detail = admin_client.post(
        reverse("admin:exports_export_change", args=[released.pk]), {"status": "failed"}
    )
    assert detail.status_code == 403

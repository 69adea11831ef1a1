"""Getting the votes: a release is asked for on the page, appears by itself, and can be read."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest
from django.conf import LazySettings
from playwright.sync_api import Page, expect

from arena.catalog.models import Arena
from arena.exports.models import Export
from arena.exports.services import export_build
from arena.votes.models import Vote
from tests.browser import scenes
from tests.browser.accessibility import axe, no_sideways_scrolling
from tests.browser.conftest import Visit
from tests.browser.shots import shot
from tests.browser.watch import Watch

pytestmark = pytest.mark.browser


@pytest.fixture
def arena(transactional_db: None, settings: LazySettings, tmp_path: Path) -> Arena:
    settings.EXPORT_DIR = tmp_path / "exports"
    made = scenes.votable()
    for seed in range(6):
        scenes.cast(made, ("a", "b", "tie")[seed % 3], seed=seed)
    return made


def ask(page: Page) -> Export:
    page.goto("/data/")
    page.get_by_role("button", name="Build a new release of Small talk").click()
    expect(page.get_by_text("A release is being written.").first).to_be_visible()
    return Export.objects.get()


def download(page: Page, name: str) -> bytes:
    with page.expect_download() as started:
        page.get_by_role("link", name=name, exact=True).click()
    assert started.value.suggested_filename == name
    return Path(started.value.path()).read_bytes()


def test_a_release_appears_by_itself_and_its_votes_can_be_read(page: Page, arena: Arena) -> None:
    export = ask(page)
    page.evaluate("window.isSamePage = true")
    export_build(export=export)
    link = page.get_by_role("link", name="votes.jsonl.gz", exact=True)
    expect(link).to_be_visible()
    assert page.evaluate("window.isSamePage"), "the page was loaded again"
    expect(page.locator("#releases")).not_to_have_attribute("hx-get", "/data/")
    content = download(page, "votes.jsonl.gz")
    rows = [json.loads(line) for line in gzip.decompress(content).splitlines()]
    assert len(rows) == Vote.objects.count() == 6
    row = page.get_by_role("row", name="votes.jsonl.gz")
    expect(row).to_contain_text(hashlib.sha256(content).hexdigest())
    manifest = json.loads(download(page, "manifest.json"))
    assert manifest["row_count"] == 6
    assert gzip.decompress(download(page, "votes.csv.gz")).count(b"\n") == 7


def test_a_release_is_asked_for_without_javascript_too(visit: Visit, arena: Arena) -> None:
    page = visit(javascript=False)
    export_build(export=ask(page))
    page.get_by_role("link", name="reload the page").click()
    assert gzip.decompress(download(page, "votes.jsonl.gz")).count(b"\n") == 6


def test_asking_again_too_soon_is_answered_with_a_sentence(page: Page, arena: Arena, watch: Watch) -> None:
    watch.expect_status(429)
    export_build(export=ask(page))
    scenes.cast(arena, "a", seed=50)
    page.goto("/data/")
    page.get_by_role("button", name="Build a new release of Small talk").click()
    expect(page.get_by_text("Please try again in")).to_be_visible()
    assert Export.objects.count() == 1


@pytest.mark.parametrize(("device", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_the_page_with_a_release_is_accessible(visit: Visit, arena: Arena, device: str, scheme: str) -> None:
    page = visit(device, scheme=scheme)
    export = ask(page)
    axe(page)
    export_build(export=export)
    expect(page.get_by_role("link", name="votes.jsonl.gz", exact=True)).to_be_visible()
    axe(page)
    no_sideways_scrolling(page)
    shot(page, f"release-{device}-{scheme}")

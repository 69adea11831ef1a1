"""Reading: every public page, at every size, in both colour schemes, with and without a mouse."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import scenes
from tests.browser.accessibility import axe, no_sideways_scrolling, reachable_by_keyboard
from tests.browser.conftest import Visit
from tests.browser.shots import shot
from tests.browser.watch import Watch

pytestmark = pytest.mark.browser

PAGES = {
    "home": "/",
    "leaderboards": "/leaderboards/",
    "arena": "/leaderboards/everyday/",
    "board": "/leaderboards/everyday/people/",
    "automatic board": "/leaderboards/everyday/automatic/",
    "ask": "/arenas/everyday/ask/",
    "methodology": "/methodology/",
    "privacy": "/privacy/",
    "data": "/data/",
    "not found": "/nowhere/",
}
LOOKS = [("desktop", "light"), ("desktop", "dark"), ("phone", "light"), ("phone", "dark")]


@pytest.fixture(autouse=True)
def full(watch: Watch, transactional_db: None) -> None:
    watch.expect_status(404)
    scenes.full()


@pytest.mark.parametrize(("device", "scheme"), LOOKS)
def test_axe_finds_nothing_on_any_page(visit: Visit, device: str, scheme: str) -> None:
    page = visit(device, scheme=scheme)
    for name, url in PAGES.items():
        page.goto(url)
        shot(page, f"{name}-{device}-{scheme}")
        axe(page)


@pytest.mark.parametrize("device", ["phone", "small phone"])
def test_no_page_scrolls_sideways(visit: Visit, device: str) -> None:
    page = visit(device)
    for name, url in PAGES.items():
        page.goto(url)
        shot(page, f"{name}-{device}")
        no_sideways_scrolling(page)


@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_every_control_is_reached_by_tab_and_shows_it(visit: Visit, device: str) -> None:
    page = visit(device)
    for url in PAGES.values():
        page.goto(url)
        reachable_by_keyboard(page)


def test_the_skip_link_leads_to_the_content(page: Page) -> None:
    page.goto("/leaderboards/everyday/people/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("main a").first).to_be_focused()


def test_the_pages_lead_to_each_other(page: Page) -> None:
    page.goto("/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Leaderboards").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Leaderboards")
    page.get_by_role("link", name="Everyday questions").click()
    page.get_by_role("link", name="People").first.click()
    expect(page).to_have_url(re.compile("/leaderboards/everyday/people/$"))
    page.get_by_role("link", name="Methodology").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("How")


def systems(page: Page) -> list[str]:
    return page.locator("tbody th a").all_inner_texts()


def test_a_board_is_sorted_in_place_by_its_headers(page: Page) -> None:
    page.goto("/leaderboards/everyday/people/")
    by_rank = systems(page)
    page.evaluate("window.isSamePage = true")
    page.get_by_role("link", name="System").click()
    expect(page.locator("th[aria-sort]")).to_have_text("System")
    expect(page).to_have_url(re.compile(r"/people/\?sort=system$"))
    by_name = systems(page)
    assert by_name == sorted(by_rank, key=str.casefold) != by_rank
    assert page.evaluate("window.isSamePage"), "the whole page was loaded"
    assert page.locator("h1").count() == 1
    page.reload()
    assert systems(page) == by_name
    page.go_back()
    expect(page.locator("th[aria-sort]")).to_have_text("Rank")
    assert systems(page) == by_rank


def test_going_back_undoes_a_sort_that_was_made_in_place(page: Page) -> None:
    page.goto("/leaderboards/everyday/people/")
    by_rank = systems(page)
    page.get_by_role("link", name="System").click()
    expect(page).to_have_url(re.compile(r"/people/\?sort=system$"))
    page.go_back()
    expect(page).to_have_url(re.compile(r"/people/$"))
    expect(page.locator("th[aria-sort]")).to_have_text("Rank")
    assert systems(page) == by_rank
    assert page.locator("h1").count() == 1


def test_a_sort_by_keyboard_keeps_the_focus_on_its_header(page: Page) -> None:
    page.goto("/leaderboards/everyday/people/")
    page.get_by_role("link", name="System").focus()
    page.keyboard.press("Enter")
    expect(page.locator("th[aria-sort]")).to_have_text("System")
    expect(page.get_by_role("link", name="System")).to_be_focused()


def test_the_focus_stays_where_it_is_when_an_arena_page_refreshes_itself(page: Page) -> None:
    page.goto("/leaderboards/everyday/")
    title = page.get_by_role("heading", name="People").get_by_role("link")
    title.focus()
    board = scenes.Board.objects.get(slug="people", arena__slug="everyday")
    scenes.cast(board.arena, "a", seed=77)
    scenes.snapshot_refresh(board=board)
    expect(page.locator("[aria-labelledby=board-people] .facts")).to_contain_text("40 votes by people")
    expect(title).to_be_focused()


def test_a_board_is_sorted_by_plain_links_too(visit: Visit) -> None:
    page = visit(javascript=False)
    page.goto("/leaderboards/everyday/people/")
    by_rank = systems(page)
    page.get_by_role("link", name="System").click()
    expect(page.locator("th[aria-sort]")).to_have_text("System")
    assert page.url.endswith("/people/?sort=system")
    assert systems(page) == sorted(by_rank, key=str.casefold) != by_rank


def test_an_arena_page_shows_a_new_vote_by_itself(page: Page) -> None:
    board = scenes.Board.objects.get(slug="people", arena__slug="everyday")
    page.goto("/leaderboards/everyday/")
    facts = page.locator("[aria-labelledby=board-people] .facts")
    expect(facts).to_contain_text("39 votes by people")
    scenes.cast(board.arena, "a", seed=77)
    scenes.snapshot_refresh(board=board)
    expect(facts).to_contain_text("40 votes by people")


def test_axe_itself_is_at_work(page: Page) -> None:
    page.goto("/privacy/")
    page.evaluate("() => document.querySelector('main').append(document.createElement('textarea'))")
    with pytest.raises(AssertionError, match="Form elements must have labels"):
        axe(page)

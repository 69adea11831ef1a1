"""Asking a prompt of one's own: two systems answer while the page is open, and then it is voted on."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from arena.battles.models import Battle
from arena.catalog.models import Arena
from arena.generation.models import StreamedText
from arena.votes.models import Vote
from tests.browser import scenes
from tests.browser.accessibility import axe, no_sideways_scrolling
from tests.browser.conftest import Visit, requests_left
from tests.browser.shots import shot
from tests.browser.watch import Watch
from tests.browser.worker import Gate, Worker

pytestmark = pytest.mark.browser

BATTLE = re.compile(r"/battles/[0-9a-f-]+/$")
RESULT = re.compile(r"/battles/[0-9a-f-]+/result/$")
# Long enough for several steps of the stream.
FIRST = " ".join(f"first{number}" for number in range(40)) + " the end of the first answer."
SECOND = " ".join(f"second{number}" for number in range(40)) + " the end of the second answer."
WRITING = "Two systems are writing."


def ask(page: Page, arena: Arena, text: str = "Why is the sky blue?") -> None:
    page.goto("/")
    page.locator("#vote").get_by_role("link", name="Ask your own prompt").click()
    page.get_by_label("Your prompt").fill(text)
    page.get_by_role("button", name="Ask two systems").click()
    expect(page).to_have_url(BATTLE)


def vote_form(page: Page) -> Locator:
    return page.get_by_role("form", name="Your vote")


def vote(page: Page, name: str) -> None:
    vote_form(page).get_by_role("button", name=name).click()
    expect(page).to_have_url(RESULT)


@pytest.mark.parametrize(("device", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_both_answers_stream_into_the_page_which_is_then_voted_on(
    visit: Visit, worker: Worker, gate: Gate, device: str, scheme: str
) -> None:
    arena = scenes.live(FIRST, SECOND, provider="gated")
    page = visit(device, scheme=scheme)
    ask(page, arena)
    expect(page.get_by_text(WRITING)).to_be_visible()
    page.evaluate("window.isWaitingPage = true")
    shot(page, f"waiting-{device}-{scheme}")
    axe(page)
    worker.start(jobs=2)
    for letter in "AB":
        expect(page.get_by_label(f"Answer {letter}", exact=True)).to_contain_text(
            re.compile(r"(first|second)20 ")
        )
    assert page.evaluate("window.isWaitingPage"), "the answers came by loading the page again"
    expect(page.locator(".answers")).not_to_contain_text("the end")
    expect(vote_form(page)).to_have_count(0)
    shot(page, f"streaming-{device}-{scheme}")
    axe(page)
    no_sideways_scrolling(page)
    gate.open()
    expect(vote_form(page)).to_be_visible()
    expect(page.locator(".answers")).to_contain_text("the end of the first answer.")
    expect(page.locator(".answers")).to_contain_text("the end of the second answer.")
    vote(page, "A is better")
    assert Vote.objects.get().battle.source == Battle.Source.LIVE
    expect(page.locator("blockquote")).to_have_text("Why is the sky blue?")


def test_a_slow_and_a_quick_system_show_their_text_together(page: Page, worker: Worker, gate: Gate) -> None:
    """A side that answers at once waits for the other, so that speed names nobody."""
    arena = scenes.live(FIRST, SECOND, provider="gated")
    ask(page, arena)
    worker.start(jobs=1)
    scenes.until(StreamedText.objects.exists)
    expect(page.get_by_text(WRITING)).to_be_visible()
    for letter in "AB":
        expect(page.locator(f"[data-side={letter}]")).to_be_empty()
    worker.start(jobs=1)
    for letter in "AB":
        expect(page.locator(f"[data-side={letter}]")).not_to_be_empty()


def test_a_live_battle_works_without_javascript(visit: Visit, worker: Worker) -> None:
    arena = scenes.live(FIRST, SECOND)
    page = visit(javascript=False)
    ask(page, arena)
    expect(page.locator("main noscript p")).to_be_visible()
    assert page.locator("meta[http-equiv=refresh]").get_attribute("content") == "2"
    worker.run(jobs=1)
    page.reload()
    expect(page.locator(".answers")).not_to_contain_text("the end")
    expect(vote_form(page)).to_have_count(0)
    worker.run(jobs=1)
    page.reload()
    expect(page.locator(".answers")).to_contain_text("the end of the first answer.")
    expect(page.locator("meta[http-equiv=refresh]")).to_have_count(0)
    vote(page, "B is better")
    assert Vote.objects.get().outcome == "model_b"


def test_a_prompt_with_markup_is_shown_as_text(page: Page, worker: Worker) -> None:
    arena = scenes.live(FIRST, SECOND)
    prompt = (
        "<b>bold</b> <img src=/attacked onerror=alert(1)>\n"
        "</blockquote><script>alert(2)</script> {{ 7*7 }} &lt;"
    )
    ask(page, arena, prompt)
    expect(page.locator("blockquote")).to_have_text(prompt)
    worker.run(jobs=2)
    expect(vote_form(page)).to_be_visible()
    expect(page.locator("blockquote")).to_have_text(prompt)
    vote(page, "Tie")
    expect(page.locator("blockquote")).to_have_text(prompt)
    assert page.locator("blockquote *").count() == 0


def test_a_prompt_that_is_empty_is_answered_with_a_sentence(page: Page, watch: Watch) -> None:
    watch.expect_status(422)
    arena = scenes.live(FIRST, SECOND)
    page.goto(f"/arenas/{arena.slug}/ask/")
    page.get_by_label("Your prompt").fill("   ")
    page.get_by_role("button", name="Ask two systems").click()
    expect(page.get_by_role("alert")).to_have_text("Please write a prompt first.")
    expect(page.get_by_label("Your prompt")).to_have_attribute("aria-invalid", "true")
    axe(page)


def test_letters_typed_into_the_prompt_are_no_keys(page: Page) -> None:
    arena = scenes.live(FIRST, SECOND)
    page.goto(f"/arenas/{arena.slug}/ask/")
    expect(page.get_by_label("Your prompt")).to_be_focused()
    page.keyboard.type("next battle")
    expect(page.get_by_label("Your prompt")).to_have_value("next battle")


def test_a_system_that_fails_is_replaced(page: Page, worker: Worker) -> None:
    arena = scenes.live(FIRST, SECOND, "A third answer.")
    ask(page, arena)
    failing = Battle.objects.get().slots.first().system
    failing.provider_options = {"fail_times": 1, "failure": "rejected"}
    failing.save()
    worker.run(jobs=2)
    worker.run(jobs=1)
    expect(vote_form(page)).to_be_visible()
    vote(page, "Tie")
    expect(page.get_by_role("heading", name=failing.name)).to_have_count(0)


def test_when_nobody_can_stand_in_the_page_apologises_by_itself(page: Page, worker: Worker) -> None:
    arena = scenes.live(FIRST, SECOND)
    ask(page, arena)
    failing = Battle.objects.get().slots.first().system
    failing.provider_options = {"fail_times": 1, "failure": "rejected"}
    failing.save()
    worker.run(jobs=2)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sorry, this battle could not be held.")
    expect(page.locator("body")).not_to_contain_text(failing.name)
    axe(page)


def test_a_closed_tab_ends_its_stream_and_the_answers_are_kept(
    page: Page, worker: Worker, gate: Gate
) -> None:
    arena = scenes.live(FIRST, SECOND, provider="gated")
    ask(page, arena)
    url = page.url
    context = page.context
    worker.start(jobs=2)
    expect(page.locator("[data-side=A]")).not_to_be_empty()
    page.close()
    gate.open()
    worker.finish()
    again = context.new_page()
    again.goto(url)
    expect(vote_form(again)).to_be_visible()
    again.goto("/leaderboards/")
    expect(again.get_by_role("heading", level=1)).to_have_text("Leaderboards")
    context.close()
    assert requests_left(10) == 0


def test_a_tab_that_gets_no_stream_becomes_votable_too(page: Page, worker: Worker, gate: Gate) -> None:
    """Two streams a voter: a further tab looks again now and then."""
    arena = scenes.live(FIRST, SECOND, provider="gated")
    ask(page, arena)
    tabs = [page.context.new_page() for _ in range(2)]
    for tab in tabs:
        tab.goto(page.url)
    worker.start(jobs=2)
    expect(page.locator("[data-side=A]")).not_to_be_empty()
    gate.open()
    for tab in (page, *tabs):
        expect(vote_form(tab)).to_be_visible()


def test_a_page_that_is_reloaded_in_the_middle_streams_again(page: Page, worker: Worker, gate: Gate) -> None:
    arena = scenes.live(FIRST, SECOND, provider="gated")
    ask(page, arena)
    worker.start(jobs=2)
    expect(page.locator("[data-side=A]")).not_to_be_empty()
    page.reload()
    expect(page.locator("[data-side=A]")).not_to_be_empty()
    gate.open()
    expect(vote_form(page)).to_be_visible()
    vote(page, "Both bad")

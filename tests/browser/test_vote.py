"""Voting on stored answers: with a mouse, with keys, without JavaScript, twice, and too late."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from arena.battles.models import Battle
from arena.catalog.models import Provider, System
from arena.generation.services import stock_ensure
from arena.leaderboards.models import Board
from arena.leaderboards.services import snapshot_refresh
from arena.votes.models import Vote
from tests import factories
from tests.browser import scenes
from tests.browser.accessibility import axe, no_sideways_scrolling, reachable_by_keyboard
from tests.browser.conftest import Visit
from tests.browser.shots import shot
from tests.browser.watch import Watch
from tests.browser.worker import Worker

pytestmark = pytest.mark.browser

BATTLE = re.compile(r"/battles/[0-9a-f-]+/$")
RESULT = re.compile(r"/battles/[0-9a-f-]+/result/$")
BUTTONS = {
    "A is better": ("model_a", "You chose A: "),
    "B is better": ("model_b", "You chose B: "),
    "Tie": ("tie", "You said: a tie."),
    "Both bad": ("both_bad", "You said: both are bad."),
    "Skip": ("skip", "You skipped this one."),
}
KEYS = {
    "a": "model_a",
    "1": "model_a",
    "ArrowLeft": "model_a",
    "b": "model_b",
    "2": "model_b",
    "ArrowRight": "model_b",
    "t": "tie",
    "x": "both_bad",
    "s": "skip",
}
LOOKS = [("desktop", "light"), ("desktop", "dark"), ("phone", "light"), ("phone", "dark")]


def open_battle(page: Page) -> None:
    page.goto("/")
    page.locator("#vote").get_by_role("button", name="Vote").click()
    on_battle(page)


def on_battle(page: Page) -> None:
    expect(page).to_have_url(BATTLE)
    page.wait_for_load_state()  # keys are read when the scripts have run


def on_result(page: Page) -> None:
    expect(page).to_have_url(RESULT)
    page.wait_for_load_state()


def press(page: Page, name: str) -> None:
    page.get_by_role("form", name="Your vote").get_by_role("button", name=name).click()


def heading(page: Page) -> str:
    return page.get_by_role("heading", level=1).inner_text()


@pytest.mark.parametrize("name", BUTTONS)
def test_a_vote_by_mouse_is_stored_and_answered_with_the_names(page: Page, name: str) -> None:
    scenes.votable()
    open_battle(page)
    press(page, name)
    expect(page).to_have_url(RESULT)
    outcome, said = BUTTONS[name]
    vote = Vote.objects.get()
    assert (vote.outcome, vote.input) == (outcome, Vote.Input.FORM)
    assert heading(page).startswith(said)
    for slot in vote.battle.slots.all():
        named = page.get_by_role("heading", level=2, name=slot.system.name)
        expect(named).to_have_count(0 if vote.is_skip else 2)  # the rating and the answer


@pytest.mark.parametrize("key", KEYS)
def test_a_vote_by_one_key_is_stored(page: Page, key: str) -> None:
    scenes.votable()
    open_battle(page)
    page.keyboard.press(key)
    expect(page).to_have_url(RESULT)
    vote = Vote.objects.get()
    assert (vote.outcome, vote.input) == (KEYS[key], Vote.Input.KEYBOARD)


def test_capital_letters_vote_too(page: Page) -> None:
    """The buttons show capital letters, and caps lock may be on."""
    scenes.votable()
    open_battle(page)
    page.keyboard.press("Shift+T")
    expect(page).to_have_url(RESULT)
    assert Vote.objects.get().outcome == "tie"


def test_keys_with_a_modifier_belong_to_the_browser(page: Page) -> None:
    scenes.votable()
    open_battle(page)
    for key in ("Control+a", "Alt+x", "Meta+b"):
        page.keyboard.press(key)
    expect(page).to_have_url(BATTLE)
    page.keyboard.press("t")
    expect(page).to_have_url(RESULT)
    assert Vote.objects.get().outcome == "tie"


def test_arrow_keys_scroll_a_wide_answer_and_do_not_vote(page: Page) -> None:
    scenes.answered_with("```\n" + "wide " * 200 + "\n```", "Narrow.")
    open_battle(page)
    code = page.locator(".answer pre").first
    code.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('.answer pre').scrollLeft > 0")
    expect(page).to_have_url(BATTLE)
    assert not Vote.objects.exists()


def test_the_next_battle_is_one_key_away(page: Page) -> None:
    scenes.votable()
    open_battle(page)
    page.keyboard.press("a")
    on_result(page)
    page.keyboard.press("n")
    on_battle(page)
    page.keyboard.press("b")
    expect(page).to_have_url(RESULT)
    assert Battle.objects.count() == 2
    assert Vote.objects.count() == 2


def test_enter_on_a_link_of_the_result_follows_the_link(page: Page) -> None:
    """Enter also starts the next battle, but not while it means something else."""
    scenes.votable()
    open_battle(page)
    page.keyboard.press("a")
    expect(page).to_have_url(RESULT)
    page.get_by_role("link", name="Leaderboard", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/leaderboards/[\w-]+/$"))
    assert Battle.objects.count() == 1


def test_when_everything_was_seen_the_page_says_so(page: Page) -> None:
    scenes.votable(prompts=1)
    System.objects.update(provider=Provider.NONE)  # nobody will write more
    open_battle(page)
    page.keyboard.press("a")
    on_result(page)
    page.keyboard.press("n")
    expect(page.get_by_role("heading", level=1)).to_have_text("You have seen everything.")
    axe(page)


def test_while_the_first_answers_are_made_the_page_counts_them(page: Page, worker: Worker) -> None:
    arena = factories.arena(prompts=1)
    for text in ("One.", "Two."):
        factories.system(arena=arena, provider="fake", provider_options={"text": text})
    stock_ensure(arena=arena)
    page.goto("/")
    page.locator("#vote").get_by_role("button", name="Vote").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The models are still writing.")
    expect(page.get_by_text("0 of 2 answers are ready.")).to_be_visible()
    axe(page)
    worker.run(jobs=1)
    expect(page.get_by_text("1 of 2 answers are ready.")).to_be_visible()
    worker.run(jobs=1)
    expect(page.get_by_text("2 of 2 answers are ready.")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    on_battle(page)


def test_voting_works_without_javascript(visit: Visit) -> None:
    scenes.votable()
    page = visit(javascript=False)
    open_battle(page)
    press(page, "B is better")
    expect(page).to_have_url(RESULT)
    assert Vote.objects.get().outcome == "model_b"
    page.get_by_role("button", name="Next battle").click()
    expect(page).to_have_url(BATTLE)
    press(page, "Tie")
    expect(page).to_have_url(RESULT)
    assert Vote.objects.count() == 2


def test_a_tap_on_a_phone_votes(visit: Visit) -> None:
    scenes.votable()
    page = visit("phone")
    page.goto("/")
    page.locator("#vote").get_by_role("button", name="Vote").tap()
    expect(page).to_have_url(BATTLE)
    page.get_by_role("button", name="A is better").tap()
    expect(page).to_have_url(RESULT)
    assert Vote.objects.get().outcome == "model_a"


@pytest.mark.parametrize("javascript", [True, False])
def test_a_double_click_stores_one_vote(visit: Visit, watch: Watch, javascript: bool) -> None:
    scenes.votable()
    page = visit(javascript=javascript)
    if not javascript:
        watch.expect_status(409)  # nothing stops the second click but the server
    open_battle(page)
    page.get_by_role("button", name="A is better").dblclick()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("You chose A|Already voted"))
    assert Vote.objects.count() == 1
    page.goto("/")
    assert Vote.objects.get().outcome == "model_a"


def test_two_different_keys_at_once_store_the_first(page: Page) -> None:
    scenes.votable()
    open_battle(page)
    page.evaluate("""() => {
      for (const key of ["b", "a"]) {
        document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
      }
    }""")
    expect(page).to_have_url(RESULT)
    assert [vote.outcome for vote in Vote.objects.all()] == ["model_b"]


def test_going_back_after_the_vote_leads_to_its_result(page: Page) -> None:
    scenes.votable()
    open_battle(page)
    page.keyboard.press("a")
    expect(page).to_have_url(RESULT)
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("You chose A"))
    expect(page.get_by_role("form", name="Your vote")).to_have_count(0)
    assert Vote.objects.count() == 1


@pytest.mark.parametrize("javascript", [True, False])
def test_a_stale_page_in_a_second_tab_gets_a_clear_answer(
    visit: Visit, watch: Watch, javascript: bool
) -> None:
    watch.expect_status(409)
    scenes.votable()
    page = visit(javascript=javascript)
    open_battle(page)
    stale = page.context.new_page()
    stale.goto(page.url)
    press(page, "A is better")
    expect(page).to_have_url(RESULT)
    press(stale, "B is better")
    expect(stale.get_by_role("heading", level=1)).to_have_text("Already voted.")
    expect(stale.get_by_text("your first vote stands")).to_be_visible()
    assert Vote.objects.get().outcome == "model_a"
    stale.get_by_role("link", name="See its result").click()
    expect(stale.get_by_role("heading", level=1)).to_have_text(re.compile("You chose A"))


def test_a_second_tab_gets_the_same_unfinished_battle(page: Page) -> None:
    scenes.votable()
    open_battle(page)
    second = page.context.new_page()
    open_battle(second)
    assert second.url == page.url


def test_another_browser_cannot_see_the_battle(visit: Visit, watch: Watch) -> None:
    watch.expect_status(404)
    scenes.votable()
    page, stranger = visit(), visit()
    open_battle(page)
    stranger.goto(page.url)
    expect(stranger.get_by_role("heading", level=1)).to_have_text("Not found")


def test_the_new_rating_appears_by_itself(page: Page) -> None:
    arena = scenes.votable()
    board = Board.objects.get(arena=arena)
    scenes.cast(arena, "b", seed=5)
    scenes.cast(arena, "tie", seed=6)
    snapshot_refresh(board=board)
    open_battle(page)
    page.keyboard.press("a")
    expect(page).to_have_url(RESULT)
    status = page.locator("#ratings > p")
    expect(status).to_contain_text("Ratings from before your vote")
    page.evaluate("window.isSamePage = true")
    for _ in range(3):  # it goes on looking while there is nothing new
        with page.expect_response(RESULT):
            pass
    assert snapshot_refresh(board=board)
    expect(status).to_have_text("The newest snapshot has your vote.")
    expect(page.locator("#ratings .card").first).to_contain_text("→")
    expect(page.locator("#ratings")).not_to_have_attribute("hx-get", re.compile("."))
    assert page.evaluate("window.isSamePage"), "the page was loaded again"


def test_an_answer_that_names_its_maker_is_told_to_the_voter(page: Page) -> None:
    scenes.answered_with("I am ChatGPT, made by OpenAI.", "I am a program.")
    open_battle(page)
    page.keyboard.press("a")
    expect(page.get_by_text("Your vote is kept, but does not count")).to_be_visible()
    axe(page)


@pytest.mark.parametrize(("device", "scheme"), LOOKS)
def test_battle_and_result_are_accessible(visit: Visit, device: str, scheme: str) -> None:
    arena = scenes.answered_with(scenes.RICH, scenes.PLAIN, prompt="A question.\n" + "What is it? " * 30)
    for seed in range(4):
        scenes.cast(arena, "aab"[seed % 3], seed=seed)
    snapshot_refresh(board=Board.objects.get(arena=arena))
    page = visit(device, scheme=scheme)
    open_battle(page)
    shot(page, f"battle-{device}-{scheme}", full_page=False)
    axe(page)
    no_sideways_scrolling(page)
    reachable_by_keyboard(page)
    press(page, "A is better")
    expect(page).to_have_url(RESULT)
    snapshot_refresh(board=Board.objects.get(arena=arena))
    expect(page.locator("#ratings > p")).to_have_text("The newest snapshot has your vote.")
    shot(page, f"result-{device}-{scheme}")
    axe(page)
    no_sideways_scrolling(page)
    reachable_by_keyboard(page)


def test_code_is_coloured_on_both_pages(page: Page) -> None:
    scenes.answered_with("```python\ndef f(): pass\n```", "No code.")
    open_battle(page)
    keyword = page.locator(".answer pre span.k").first
    colour = "element => getComputedStyle(element).color"
    in_battle = keyword.evaluate(colour)
    assert in_battle != page.locator("body").evaluate(colour)
    press(page, "Tie")
    expect(page).to_have_url(RESULT)
    assert keyword.evaluate(colour) == in_battle


def test_on_a_small_phone_battle_and_result_do_not_scroll_sideways(visit: Visit) -> None:
    scenes.answered_with(scenes.RICH, f"{scenes.RICH} {scenes.RICH}")
    page = visit("small phone")
    open_battle(page)
    no_sideways_scrolling(page)
    press(page, "Tie")
    expect(page).to_have_url(RESULT)
    no_sideways_scrolling(page)


def test_a_voter_can_be_forgotten(page: Page, watch: Watch) -> None:
    scenes.votable()
    open_battle(page)
    press(page, "A is better")
    on_result(page)
    result = page.url
    page.goto("/privacy/")
    page.get_by_role("button", name="Forget me").click()
    expect(page.get_by_role("status").first).to_contain_text("Erased.")
    assert Vote.objects.get().voter is None
    assert not [cookie for cookie in page.context.cookies() if cookie["name"] == "arena_voter"]
    page.get_by_role("button", name="Forget me").click()
    expect(page.get_by_role("status").first).to_contain_text("nothing to erase")
    watch.expect_status(404)
    page.goto(result)
    expect(page.get_by_role("heading", level=1)).to_have_text("Not found")


def test_a_phone_shows_no_keys(visit: Visit) -> None:
    scenes.votable()
    page = visit("phone")
    open_battle(page)
    expect(page.locator(".ballot kbd").first).to_be_hidden()
    expect(page.get_by_role("button", name="A is better", exact=True)).to_be_visible()

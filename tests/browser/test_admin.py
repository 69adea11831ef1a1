"""The admin in a browser: register a system and try it, upload prompts, open an arena."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from arena.accounts.models import User
from arena.catalog.models import Arena, PromptSet, System
from arena.generation.services import stock_ensure
from arena.votes.models import Vote
from tests import factories
from tests.browser import scenes
from tests.browser.conftest import Visit
from tests.browser.shots import shot
from tests.browser.watch import Watch
from tests.browser.worker import Worker
from tests.workers.backends.scripted_endpoint import DONE, ScriptedEndpoint, chunk, stream

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"
PROMPTS = 'id,text,category,language\n1,"What floats, why?",science,en\n2,Was ist ein Fluss?,geography,de\n'


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    answer = stream(chunk("Wood, ice "), chunk("and <b>cork</b>."), chunk(finish="stop"), DONE)
    with ScriptedEndpoint(answer).serving() as started:
        yield started


@pytest.fixture
def page(visit: Visit) -> Page:
    """Logged in by the form."""
    User.objects.create_superuser("ada", password=PASSWORD)
    page = visit()
    page.goto("/admin/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    return page


def register(page: Page, name: str, url: str) -> System:
    page.goto("/admin/")
    page.get_by_role("row", name="Systems").get_by_role("link", name="Add").click()
    page.get_by_label("Name:", exact=True).press_sequentially(name)
    page.get_by_label("Organisation:").fill("The Willow Workshop")
    page.get_by_label("Licence:").fill("Apache-2.0")
    page.get_by_label("Provider:").select_option(label="OpenAI-compatible endpoint")
    page.get_by_label("Endpoint:").fill(url)
    page.get_by_label("Model:").fill("willow-2")
    page.get_by_label("Temperature:").fill("0.2")
    page.get_by_label("Stop texts:").fill("###\n\nQ:")
    shot(page, f"admin-system-{name}")
    page.get_by_role("button", name="Save and continue editing").first.click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    return System.objects.get(name=name)


def test_a_system_is_registered_by_the_guided_form_and_tried(
    page: Page, worker: Worker, endpoint: ScriptedEndpoint
) -> None:
    system = register(page, "Willow 2", endpoint.url)
    assert system.slug == "willow-2"
    assert system.provider_options == {"base_url": endpoint.url, "model": "willow-2"}
    assert system.generation_settings["temperature"] == 0.2
    assert system.generation_settings["stop"] == ["###", "Q:"]
    page.get_by_role("link", name="Test it").click()
    page.get_by_label("Prompt").fill("What floats?")
    page.get_by_role("button", name="Test it").click()
    expect(page.get_by_text("Waiting for a worker.")).to_be_visible()
    page.evaluate("window.isSamePage = true")
    worker.run(jobs=1)
    expect(page.locator("#outcome pre.test-output")).to_have_text("Wood, ice and <b>cork</b>.")
    expect(page.get_by_role("heading", name="Done")).to_be_visible()
    assert page.evaluate("window.isSamePage"), "the page was loaded again"
    assert endpoint.requests[0][2]["messages"] == [{"role": "user", "content": "What floats?"}]
    shot(page, "admin-test-done")
    page.goto(f"/admin/catalog/system/{system.pk}/change/")
    expect(page.get_by_label("Temperature:")).to_have_value("0.2")
    expect(page.get_by_label("Endpoint:")).to_have_value(endpoint.url)


def test_a_wrong_endpoint_is_told_in_plain_words(page: Page, worker: Worker) -> None:
    register(page, "Willow 3", "http://127.0.0.1:9/v1")
    page.get_by_role("link", name="Test it").click()
    page.get_by_role("button", name="Test it").click()
    worker.run(jobs=1)
    error = page.locator("#outcome .errornote")
    expect(error).to_be_visible()
    words = error.inner_text()
    assert "The endpoint cannot be reached" in words
    assert not re.search(r"Traceback|Errno|Error\b|\bNone\b|httpcore|httpx", words), words
    expect(page.get_by_text("Traceback")).not_to_be_visible()
    page.get_by_text("Details for whoever fixes it").click()
    expect(page.get_by_text("Traceback")).to_be_visible()
    shot(page, "admin-test-failed")


def test_a_form_with_mistakes_says_what_is_wrong_and_keeps_the_rest(page: Page) -> None:
    page.goto("/admin/catalog/system/add/")
    page.get_by_label("Name:", exact=True).press_sequentially("Willow")
    page.get_by_label("API key variable:").fill("sk-123456")
    page.get_by_role("button", name="Save", exact=True).first.click()
    expect(page.get_by_text("OpenAI-compatible endpoint needs this.")).to_have_count(2)
    expect(page.get_by_text("never a key")).to_be_visible()
    expect(page.get_by_label("Name:", exact=True)).to_have_value("Willow")
    assert not System.objects.exists()


def upload(page: Page, name: str, content: bytes) -> None:
    page.goto("/admin/catalog/promptset/add/")
    page.get_by_label("Title:").press_sequentially("First questions")
    page.get_by_label("Prompts:").set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})
    page.get_by_role("button", name="Save", exact=True).click()


def test_an_arena_made_from_an_uploaded_file_is_voted_in(page: Page, worker: Worker, visit: Visit) -> None:
    factories.criterion()
    for text in ("One.", "Two."):
        factories.system(f"Willow {text}", provider="fake", provider_options={"text": text})
    upload(page, "questions.csv", PROMPTS.encode())
    expect(page.get_by_text("2 prompts were added.")).to_be_visible()
    assert PromptSet.objects.get().prompts.get(external_id="2").language == "de"

    page.goto("/admin/catalog/arena/add/")
    page.get_by_label("Name:", exact=True).press_sequentially("Open questions")
    page.get_by_label("Description:").fill("What floats?")
    page.get_by_label("Criterion:").select_option(label="Overall")
    page.locator("#id_prompt_sets_from").select_option(label="First questions 1.0")
    page.get_by_role("button", name="Choose selected prompt sets").click()
    for number, name in enumerate(("Willow One.", "Willow Two.")):
        page.locator(f"#admissions-{number} .select2-selection").click()
        page.locator(".select2-search__field").fill(name)
        page.get_by_role("option", name=name).click()
    shot(page, "admin-arena")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()

    arena = Arena.objects.get()
    assert arena.slug == "open-questions"
    assert sorted(arena.systems.values_list("name", flat=True)) == ["Willow One.", "Willow Two."]
    stock_ensure(arena=arena)
    worker.run(jobs=4)
    voter = visit("phone")
    voter.goto("/")
    voter.locator("#vote").get_by_role("button", name="Vote").tap()
    expect(voter.locator(".answers")).to_contain_text("One.")
    voter.get_by_role("button", name="Tie").tap()
    expect(voter.get_by_role("heading", level=1)).to_have_text("You said: a tie.")
    assert Vote.objects.get().battle.arena == arena


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("questions.csv", b"question\nWhy?\n", "names no column"),
        ("questions.jsonl", b'{"text": "Why?"}\n{"text": ', "Line 2: this is not JSON."),
        ("questions.txt", "Warum so spät?".encode("latin-1"), "not UTF-8"),
    ],
)
def test_a_prompt_file_that_cannot_be_read_says_where(
    page: Page, name: str, content: bytes, said: str
) -> None:
    upload(page, name, content)
    expect(page.locator(".errorlist", has_text=said)).to_be_visible()
    assert not PromptSet.objects.exists()


def test_every_list_and_form_of_the_admin_opens_without_a_complaint(page: Page) -> None:
    scenes.full()
    page.goto("/admin/")
    lists = page.locator("#content-main th a")
    urls = [link.get_attribute("href") or "" for link in lists.all()]
    assert len(urls) >= 12
    for url in urls:
        page.goto(url)
        expect(page.locator("#changelist, .change-list")).not_to_have_count(0)
        first = page.locator("#result_list tbody th a").first
        if first.count():
            first.click()
            expect(page.locator("#content h1, #content h2").first).to_be_visible()
        add = page.locator(".object-tools .addlink")
        if add.count():
            page.goto(f"{url}add/")
            expect(page.locator("input[name=_save]").first).to_be_visible()


def test_somebody_without_a_password_gets_no_further(visit: Visit, watch: Watch) -> None:
    system = factories.system()
    page = visit()
    page.goto(f"/admin/generation/test/{system.pk}/")
    expect(page).to_have_url(re.compile("/admin/login/"))
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("Please enter the correct username and password")).to_be_visible()

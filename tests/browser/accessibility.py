"""What everybody must be able to do with a page, asked of the page itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = (Path(__file__).parent / "vendor" / "axe-4.14.1.min.js").read_text(encoding="utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async (tags) => {
  const found = await axe.run(document, {runOnly: {type: "tag", values: tags}, resultTypes: ["violations"]});
  return found.violations.map(({id, help, nodes}) => ({id, help, nodes: nodes.map(
    (node) => ({html: node.html, why: node.failureSummary}))}));
}"""
# Elements in the order of the page, each with the number under which FOCUSED names it.
COLLECT = """() => {
  const inTabOrder = `a[href], button:not([disabled]), input:not([type=hidden]), select, textarea, summary,
    [tabindex="0"]`;
  window.stops = [...document.querySelectorAll(inTabOrder)].filter(
    (element) => element.checkVisibility({visibilityProperty: true}));
  return window.stops.map((element) => element.outerHTML.slice(0, 160));
}"""
# What sticks out, but for what a box of its own keeps from doing so.
TOO_WIDE = """(width) => {
  const isKept = (element) => getComputedStyle(element).position !== "absolute" && element.parentElement &&
    (getComputedStyle(element.parentElement).overflowX !== "visible" || isKept(element.parentElement));
  return [...document.querySelectorAll("body *")].filter((element) =>
    element.getBoundingClientRect().right > width && !isKept(element)).map(
    (element) => element.outerHTML.slice(0, 120));
}"""
# Tab goes on from where the focus was last, so it is put before everything else.
START = """() => {
  document.activeElement.blur();
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
  scrollTo(0, 0);
}"""
FOCUSED = """() => {
  const element = document.activeElement;
  const style = getComputedStyle(element);
  const isOutlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  const isSeen = [...element.getClientRects()].some((box) => {
    const points = [[.5, .5], [.1, .1], [.9, .9], [.1, .9], [.9, .1]];
    return points.some(([x, y]) => {
      const top = document.elementFromPoint(box.left + box.width * x, box.top + box.height * y);
      return top && (element === top || element.contains(top));
    });
  });
  return {at: window.stops.indexOf(element), html: element.outerHTML.slice(0, 160), isOutlined, isSeen};
}"""


def axe(page: Page) -> None:
    """No violation of WCAG 2.2 A and AA, nor of axe's best practices."""
    # Evaluated: the page's policy forbids a script tag.
    page.evaluate(f"() => {{ {AXE} }}")
    violations: list[dict[str, Any]] = page.evaluate(RUN, TAGS)
    assert not violations, f"{page.url}\n{json.dumps(violations, indent=1, ensure_ascii=False)}"


def no_sideways_scrolling(page: Page) -> None:
    """The page itself never scrolls sideways; wide tables and code do so in a box of their own.

    Not compared with `innerWidth`: a phone zooms out until a page that is too wide fits.
    """
    assert page.viewport_size
    window = page.viewport_size["width"]
    width = page.evaluate("() => document.scrollingElement.scrollWidth")
    culprits = page.evaluate(TOO_WIDE, window)
    assert width <= window, f"{page.url} is {width} px wide in a window of {window} px: {culprits}"


def reachable_by_keyboard(page: Page) -> None:
    """Tab visits every control, in the order of the page, and each time the focus can be seen."""
    stops: list[str] = page.evaluate(COLLECT)
    page.evaluate(START)
    visited: list[int] = []
    for _ in range(len(stops) * 2 + 5):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused["html"].startswith("<body") or focused["at"] in visited:
            break
        assert focused["isOutlined"], f"{page.url}: the focus cannot be seen on {focused['html']}"
        assert focused["isSeen"], f"{page.url}: hidden while it has the focus: {focused['html']}"
        if focused["at"] >= 0:
            visited.append(focused["at"])
    missed = [html for number, html in enumerate(stops) if number not in visited]
    assert not missed, f"{page.url}: Tab never came to {missed}"
    assert visited == sorted(visited), f"{page.url}: Tab jumps about: {visited}"

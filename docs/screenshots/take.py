"""Take the pictures of this folder: `python docs/screenshots/take.py URL` while `make demo` runs."""

import os
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SIZES = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
LONGEST = 1600


def picture(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    height = min(page.evaluate("document.documentElement.scrollHeight"), LONGEST)
    size = page.viewport_size or SIZES["desktop"]
    page.set_viewport_size({"width": size["width"], "height": max(height, size["height"])})
    page.screenshot(path=FOLDER / f"{name}.png")
    page.set_viewport_size(size)


def tour(page: Page, base: str, suffix: str) -> None:
    page.goto(base)
    picture(page, f"home-{suffix}")
    page.get_by_role("button", name="Vote").first.click()
    page.wait_for_url("**/battles/*/")
    picture(page, f"battle-{suffix}")
    page.keyboard.press("a")
    page.get_by_text("The newest snapshot has your vote").wait_for()
    picture(page, f"result-{suffix}")
    for name, path in (("arena", "small-talk/"), ("board", "small-talk/people/")):
        page.goto(f"{base}/leaderboards/{path}")
        picture(page, f"{name}-{suffix}")
    if page.goto(f"{base}/leaderboards/llmfao/people/").ok:
        picture(page, f"llmfao-{suffix}")


def main(base: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        for size, viewport in SIZES.items():
            for scheme in ("light", "dark"):
                context = browser.new_context(
                    viewport=viewport,
                    color_scheme=scheme,
                    is_mobile=size == "phone",
                    has_touch=size == "phone",
                )
                tour(context.new_page(), base.rstrip("/"), f"{size}-{scheme}")
                context.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")

"""Screenshots for people: written only where SHOTS names a folder."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Page


def shot(page: Page, name: str, *, full_page: bool = True) -> None:
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=full_page)

"""One Chromium for the folder, a live server on a real Postgres, and pages that report every complaint."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from arena.battles import views
from arena.core.throttle import Throttle
from tests.browser.watch import Watch
from tests.browser.worker import Gate, Worker

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_S = 15
DEVICES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
    "small phone": {"viewport": {"width": 320, "height": 640}, "is_mobile": True, "has_touch": True},
}

expect.set_options(timeout=WAIT_S * 1000)


class Visit(Protocol):
    """Opens a page in a browser profile of its own: another voter."""

    def __call__(self, device: str = ..., *, scheme: str = ..., javascript: bool = ...) -> Page: ...


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """For this folder, not for the session: Playwright's event loop would be in the way of other tests."""
    executable = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
    if shutil.which(executable) is None:
        pytest.skip(f"There is no Chromium at {executable}: install Debian's chromium, or set CHROMIUM.")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Django sees the running loop of Playwright's synchronous API and would refuse to use the database.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        with playwright.chromium.launch(executable_path=executable, args=FLAGS) as chromium:
            yield chromium


@pytest.fixture(autouse=True)
def no_throttle(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tests of a process come from one address; what slows down a flood is tested elsewhere."""
    for name in ("opens", "asks"):
        monkeypatch.setattr(views, name, Throttle(per_minute=10_000))


@pytest.fixture
def watch(live_server: LiveServer) -> Watch:
    return Watch(live_server.url)


@pytest.fixture
def visit(browser: Browser, live_server: LiveServer, transactional_db: None, watch: Watch) -> Iterator[Visit]:
    """At its end every profile is closed and the test fails if one of its pages complained."""
    contexts = []

    def open_page(device: str = "desktop", *, scheme: str = "light", javascript: bool = True) -> Page:
        context = browser.new_context(
            base_url=live_server.url,
            color_scheme=scheme,
            java_script_enabled=javascript,
            # Smooth scrolling and a blinking caret would make the tests wait for nothing.
            reduced_motion="reduce",
            locale="en-GB",
            **DEVICES[device],
        )
        contexts.append(context)
        context.set_default_timeout(WAIT_S * 1000)
        watch.follow(context)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()
    left = requests_left(WAIT_S)
    assert not watch.problems, "\n".join(dict.fromkeys(watch.problems))
    assert not left, f"{left} requests are still being answered although nobody listens any more"


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit()


def requests_left(wait_s: float) -> int:
    """Waits for the live server's threads: the tables are emptied next, and no request may be in the way."""
    threads = [thread for thread in threading.enumerate() if "process_request_thread" in thread.name]
    for thread in threads:
        thread.join(wait_s)
    return sum(thread.is_alive() for thread in threads)


@pytest.fixture
def worker(transactional_db: None) -> Iterator[Worker]:
    """Runs the workers' real task in threads; what a thread raised fails the test."""
    with Worker() as started:
        yield started


@pytest.fixture
def gate(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Systems whose provider is `gated` stop half-way until the gate is opened."""
    made = Gate()
    monkeypatch.setitem(made.kinds, "gated", made.module_name)
    yield made
    made.open()

"""Visitors: threads that speak HTTP like a browser, with cookies, form tokens and a kept connection.

Closed loop: a visitor sends its next request when it has the answer to the last one.
"""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from typing import NamedTuple
from urllib.parse import urlencode

HOST = "127.0.0.1"
TIMEOUT_S = 60
STEPS_PER_VOTER = 4
OUTCOMES = ("a", "b", "tie")
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')
OPEN, BATTLE, VOTE, RESULT, PAGE = "POST open", "GET battle", "POST vote", "GET result", "GET board"


class Unexpected(Exception):
    """A server did not answer as a visitor would want it; the measurement is worth nothing."""


@dataclass
class Load:
    """What the visitors of one run saw."""

    wall_s: float = 0.0
    latencies_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


class Browser:
    """One visitor's cookies and connection."""

    def __init__(self, port: int, latencies_s: dict[str, list[float]] | None = None) -> None:
        self.port = port
        self.latencies_s = latencies_s
        self.cookies: dict[str, str] = {}
        self.token = ""
        self.location = ""
        self.connection = HTTPConnection(HOST, port, timeout=TIMEOUT_S)

    def get(self, path: str, *, kind: str) -> None:
        text = self._send("GET", path, kind=kind, expected=200)
        if found := TOKEN.search(text):
            self.token = found[1]

    def post(self, path: str, *, kind: str, **fields: str) -> None:
        """Send a form; the answer to a good one is a redirect."""
        if self.token:
            fields["csrfmiddlewaretoken"] = self.token
        self._send("POST", path, kind=kind, expected=302, body=urlencode(fields))

    def rest(self) -> None:
        """Let go of the connection, as after a while of reading; the next request opens it again."""
        self.connection.close()

    def _send(self, method: str, path: str, *, kind: str, expected: int, body: str | None = None) -> str:
        headers = {"Accept": "text/html", "User-Agent": "bench_web"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["Origin"] = f"http://{HOST}:{self.port}"
        started = time.perf_counter()
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        text = response.read()
        took_s = time.perf_counter() - started
        if self.latencies_s is not None:
            self.latencies_s[kind].append(took_s)
        if response.status != expected:
            raise Unexpected(f"{method} {path} was answered with {response.status}: {text[:300]!r}")
        self.location = response.headers.get("Location", "")
        for line in response.headers.get_all("Set-Cookie", []):
            self.cookies.update((name, morsel.value) for name, morsel in SimpleCookie(line).items())
        return text.decode()


def load_pages(*, port: int, path: str, visitors: int, requests: int) -> Load:
    """`requests` GETs of one page, by so many visitors at once."""

    def visit(count: int, load: Load) -> None:
        browser = Browser(port, load.latencies_s)
        for _ in range(count):
            browser.get(path, kind=PAGE)
        browser.rest()

    return _run([partial(visit, count) for count in _shares(requests, visitors)])


class Voter(NamedTuple):
    """A browser that has seen the arena's page, where it got the form's token, and its battles to come."""

    browser: Browser
    steps: int


def voters_prepare(*, port: int, arena: str, visitors: int, steps: int) -> list[list[Voter]]:
    """For each visitor at a time its voters, one after the other: a new one every few steps."""
    prepared = []
    for share in _shares(steps, visitors):
        voters = []
        for first in range(0, share, STEPS_PER_VOTER):
            browser = Browser(port)
            browser.get(f"/leaderboards/{arena}/", kind="start")
            browser.rest()
            voters.append(Voter(browser, min(STEPS_PER_VOTER, share - first)))
        prepared.append(voters)
    return prepared


def load_steps(*, arena: str, prepared: list[list[Voter]]) -> Load:
    """Open, read, vote, see the result; again until every voter has done its steps."""

    def vote(voters: list[Voter], load: Load) -> None:
        for browser, steps in voters:
            browser.latencies_s = load.latencies_s
            for n in range(steps):
                browser.post(f"/arenas/{arena}/battle/", kind=OPEN)
                battle = browser.location
                browser.get(battle, kind=BATTLE)
                browser.post(f"{battle}vote/", kind=VOTE, outcome=OUTCOMES[n % len(OUTCOMES)])
                browser.get(browser.location, kind=RESULT)
            browser.rest()

    return _run([partial(vote, voters) for voters in prepared])


def _shares(total: int, parts: int) -> list[int]:
    return [total // parts + (n < total % parts) for n in range(parts)]


def _run(works: list[Callable[[Load], None]]) -> Load:
    """Start all at one moment, and put together what they saw."""
    loads, failures = [Load() for _ in works], []
    barrier = threading.Barrier(len(works) + 1)

    def work(n: int) -> None:
        barrier.wait()
        with _noted(failures):
            works[n](loads[n])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(works))]
    for thread in threads:
        thread.start()
    barrier.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    together = Load(wall_s=time.perf_counter() - started)
    if failures:
        raise failures[0]
    for load in loads:
        for kind, latencies in load.latencies_s.items():
            together.latencies_s[kind] += latencies
    return together


@contextmanager
def _noted(failures: list[Exception]) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - raised again in the main thread
        failures.append(error)

"""The health check of the containers asks as a visitor would."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from arena.ops import healthcheck


class Site(BaseHTTPRequestHandler):
    """Answers 200 to the right visitor alone."""

    def do_GET(self) -> None:
        is_right = self.headers["Host"] == "arena.example" and self.headers["X-Forwarded-Proto"] == "https"
        self.send_response(200 if is_right else 400)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Site) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/health/live"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("hosts", "status"), [("arena.example,other", 0), (".arena.example", 0), ("other", 1)]
)
def test_status_says_whether_the_site_answers(
    url: str, hosts: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", hosts)
    assert healthcheck.main([url]) == status


def test_silent_site_is_unhealthy() -> None:
    assert healthcheck.main(["http://127.0.0.1:1/"]) == 1

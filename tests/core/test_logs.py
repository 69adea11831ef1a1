import json
import logging

import pytest
import structlog

from arena.core import logs


@pytest.fixture
def record():
    return logging.LogRecord("some.library", logging.WARNING, "f.py", 1, "it %s", ("happened",), None)


def test_a_log_line_of_any_library_is_json_with_the_id_of_the_request(record):
    structlog.contextvars.bind_contextvars(request_id="abc", task_id="t-1")
    try:
        line = json.loads(logs.formatter(as_json=True).format(record))
    finally:
        structlog.contextvars.clear_contextvars()
    assert line["event"] == "it happened"
    assert (line["request_id"], line["task_id"], line["level"]) == ("abc", "t-1", "warning")
    assert line["timestamp"].endswith("Z")


def test_on_a_terminal_the_line_is_text(record):
    assert "it happened" in logs.formatter(as_json=False).format(record)


@pytest.mark.django_db
def test_a_request_is_logged_with_its_id(client, caplog):
    caplog.set_level(logging.INFO)
    client.get("/health/live")
    events = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    finished = next(event for event in events if event["event"] == "request_finished")
    assert finished["request_id"]
    assert finished["code"] == 200


@pytest.mark.django_db
def test_a_broken_page_helps_and_shows_nothing_of_the_inside(client, monkeypatch):
    from arena.core import views

    def broken(_request):
        raise RuntimeError("the inside")

    monkeypatch.setattr(views, "readiness", lambda: broken(None))
    client.raise_request_exception = False
    response = client.get("/health/ready")
    assert response.status_code == 500
    assert b"Something broke on our side" in response.content
    assert b"the inside" not in response.content

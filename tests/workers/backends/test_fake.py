from __future__ import annotations

import pytest

from workers.backends.errors import BackendGarbage, BackendRejected, BackendUnavailable, DeadlineExceeded
from workers.backends.registry import create
from workers.backends.types import GenerationRequest, Message

REQUEST = GenerationRequest(messages=(Message("user", "Name a colour."),), seed=1)


def test_it_fails_as_often_as_told() -> None:
    backend = create("fake", {"fail_times": 2})
    for _ in range(2):
        with pytest.raises(BackendUnavailable):
            backend.generate(REQUEST, deadline_s=1)
    assert backend.generate(REQUEST, deadline_s=1).text


def test_it_fails_in_the_way_it_is_told() -> None:
    with pytest.raises(BackendRejected):
        create("fake", {"fail_times": 1, "failure": "rejected"}).generate(REQUEST, deadline_s=1)


def test_it_answers_with_a_given_text() -> None:
    assert (
        create("fake", {"text": "I am  <b>bold</b>"}).generate(REQUEST, deadline_s=1).text
        == "I am  <b>bold</b>"
    )


def test_no_text_is_garbage() -> None:
    with pytest.raises(BackendGarbage):
        create("fake", {"output": "empty"}).generate(REQUEST, deadline_s=1)


def test_a_delay_beyond_the_deadline_is_an_error() -> None:
    with pytest.raises(DeadlineExceeded):
        create("fake", {"delay_s": 5}).generate(REQUEST, deadline_s=0.01)


def test_another_name_is_another_system() -> None:
    texts = {create("fake", {"name": name}).generate(REQUEST, deadline_s=1).text for name in ("a", "b")}
    assert len(texts) == 2

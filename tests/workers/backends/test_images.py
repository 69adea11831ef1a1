from __future__ import annotations

import pytest

from workers.backends.errors import BackendRejected
from workers.backends.images import Image
from workers.backends.openai_request import endpoint_request
from workers.backends.registry import create
from workers.backends.types import GenerationRequest, GenerationSettings, Message

PNG = Image("image/png", b"\x89PNG\r\n\x1a\n")


def request(**settings: str) -> GenerationRequest:
    return GenerationRequest(
        messages=(Message("user", "What is this?", (PNG,)),), seed=1, settings=GenerationSettings(**settings)
    )


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("image/svg+xml", b"<svg/>"),
        ("image/png", b"\xff\xd8\xff"),
        ("image/png", b""),
        ("image/jpeg", b"\xff\xd8\xff" + bytes(20 * 2**20)),
    ],
)
def test_what_is_no_image_that_models_read_is_refused(media_type: str, content: bytes) -> None:
    with pytest.raises(BackendRejected):
        Image(media_type, content)


def test_repr_does_not_hold_the_bytes() -> None:
    assert "PNG" not in repr(PNG)


def test_images_stand_before_their_text_as_data_urls() -> None:
    prompt = endpoint_request(request(), model="m", dialect="openai").prompt
    assert prompt["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "text", "text": "What is this?"},
    ]


def test_what_would_drop_images_refuses_them() -> None:
    with pytest.raises(BackendRejected, match="takes no images"):
        endpoint_request(request(template="few-shot-v1"), model="m", dialect="openai")
    with pytest.raises(BackendRejected, match="takes no images"):
        create("fake", {}).generate(request(), deadline_s=1)

"""Images that go into a prompt: bytes with their kind, checked before any backend sees them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from workers.backends.errors import BackendRejected

# Each kind with the bytes that its files begin with. WebP's begin with RIFF, four bytes of length, then WEBP.
_BEGINNINGS = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}
_BYTES_MAX = 20 * 2**20


@dataclass(frozen=True)
class Image:
    """Raises BackendRejected for another kind, for bytes of another kind, and above 20 MiB."""

    media_type: str
    content: bytes = field(repr=False)

    def __post_init__(self) -> None:
        beginning = _BEGINNINGS.get(self.media_type)
        if beginning is None:
            raise BackendRejected(f"Images of a prompt must be {', '.join(_BEGINNINGS)}.")
        if not self.content.startswith(beginning):
            raise BackendRejected(f"An image of the prompt is said to be {self.media_type}, but is not.")
        if len(self.content) > _BYTES_MAX:
            raise BackendRejected(f"An image of the prompt is larger than {_BYTES_MAX // 2**20} MiB.")

    @property
    def data_url(self) -> str:
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode('ascii')}"

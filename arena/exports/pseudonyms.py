"""Names for voters that hold inside one release and mean nothing outside it."""

from __future__ import annotations

import hashlib
import hmac
import secrets

EXPLANATION = (
    "Each voter is the first 16 hexadecimal digits of an HMAC-SHA256 of an internal number, keyed with 32 "
    "random bytes that were made for this release and thrown away: nobody, we included, can compute a "
    "pseudonym again. Equal pseudonyms are the same voter, so that intervals can be clustered by voter. The "
    "rows themselves (time, systems, prompt) are the same in every release."
)


class Pseudonyms:
    """Pure: the salt is passed in, and whoever made it forgets it."""

    def __init__(self, *, salt: bytes) -> None:
        self._keyed = hmac.new(salt, digestmod=hashlib.sha256)

    def of(self, voter_id: int | None) -> str | None:
        if voter_id is None:
            return None
        keyed = self._keyed.copy()
        keyed.update(str(voter_id).encode())
        return keyed.hexdigest()[:16]


def new_salt() -> bytes:
    return secrets.token_bytes(32)

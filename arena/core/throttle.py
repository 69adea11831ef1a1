"""Token buckets per client address, kept in the memory of one web process and nowhere else."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict

from django.conf import settings
from django.http import HttpRequest

# Addresses are hashed with a key that dies with the process.
KEY = secrets.token_bytes(16)
BUCKETS_MAX = 10_000


class Throttle:
    """At most `per_minute` events of one address, with bursts of as many."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self.lock = threading.Lock()
        self.buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def allows(self, request: HttpRequest) -> bool:
        bucket = hashlib.blake2b(client_address(request).encode(), key=KEY, digest_size=16).digest()
        now = time.monotonic()
        with self.lock:
            tokens, at = self.buckets.pop(bucket, (float(self.per_minute), now))
            tokens = min(self.per_minute, tokens + (now - at) * self.per_minute / 60)
            allowed = tokens >= 1
            self.buckets[bucket] = (tokens - 1 if allowed else tokens, now)
            while len(self.buckets) > BUCKETS_MAX:
                self.buckets.popitem(last=False)
        return allowed


def client_address(request: HttpRequest) -> str:
    """The address of the browser; behind our own proxy the one that the proxy saw."""
    if settings.SECURE_PROXY_SSL_HEADER:
        forwarded = request.headers.get("X-Forwarded-For", "")
        if forwarded:
            return forwarded.rsplit(",", 1)[-1].strip()
    return str(request.META.get("REMOTE_ADDR", ""))

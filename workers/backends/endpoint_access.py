"""Where an endpoint is and which key opens it: addresses and the worker's environment variables, by name."""

from __future__ import annotations

import ipaddress
import os
import re
from urllib.parse import urlsplit

from workers.backends.errors import BackendMisconfigured

# The endings keep an administrator of the catalogue from sending the worker's other secrets to some address.
_KEY_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*_API_KEY")
_URL_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*_URL")


def resolve_url(base_url: str) -> str:
    url = base_url
    if base_url.startswith("env:"):
        name = base_url.removeprefix("env:")
        if not _URL_VARIABLE.fullmatch(name):
            raise BackendMisconfigured("base_url: the environment variable's name must end in _URL.")
        url = os.environ.get(name, "")
        if not url:
            raise BackendMisconfigured(f"The environment variable {name} is not set on this worker.")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BackendMisconfigured("base_url must be an address that begins with http:// or https://.")
    if parts.username or parts.password or parts.query:
        raise BackendMisconfigured("base_url must hold no user, password or query; see api_key_env for keys.")
    return url


def resolve_key(name: str | None) -> str | None:
    if name is None:
        return None
    if not _KEY_VARIABLE.fullmatch(name):
        raise BackendMisconfigured(
            "api_key_env must be the name of a variable, ending in _API_KEY; not a key."
        )
    key = os.environ.get(name)
    if not key:
        raise BackendMisconfigured(f"The environment variable {name} is not set on this worker.")
    return key


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

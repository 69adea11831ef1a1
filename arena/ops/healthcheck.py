"""`python -m arena.ops.healthcheck URL`: exit status 0 when the site answers 200; containers have no curl.

Asks as a visitor would: by the first name of ALLOWED_HOSTS and as if through the TLS proxy.
"""

import os
import sys
from collections.abc import Mapping

from arena.ops.health import http_answers_ok


def visitor_headers(environment: Mapping[str, str]) -> dict[str, str]:
    host = environment.get("ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".")
    names_one = bool(host) and host != "*"
    return {"X-Forwarded-Proto": "https", **({"Host": host} if names_one else {})}


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m arena.ops.healthcheck URL", file=sys.stderr)
        return 2
    return 0 if http_answers_ok(arguments[0], headers=visitor_headers(os.environ)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

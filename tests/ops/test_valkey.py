"""The private Valkey: Celery's transport reaches it, and it goes away."""

from collections.abc import Callable
from pathlib import Path

import pytest
from kombu import Connection

from arena.ops.errors import StartError
from arena.ops.health import valkey_answers
from arena.ops.valkey import Valkey

from .waiting import wait_gone

DRIVER = """
import sys, time
from pathlib import Path
from arena.ops.valkey import Valkey
home = Path(sys.argv[1])
with Valkey(data_dir=home / "data", socket_path=home / "v.sock", log_dir=home) as valkey:
    print("url", valkey.url, flush=True)
    time.sleep(300)
"""


def server(home: Path) -> Valkey:
    return Valkey(data_dir=home / "data", socket_path=home / "v.sock", log_dir=home)


def test_message_sent_before_a_restart_is_received_after_it(reachable: Path) -> None:
    with server(reachable) as valkey, Connection(valkey.url) as connection:
        queue = connection.SimpleQueue("errands")
        queue.put({"job": 7})
        queue.close()
    with server(reachable) as valkey, Connection(valkey.url) as connection:
        queue = connection.SimpleQueue("errands")
        message = queue.get(timeout=10)
        assert message.payload == {"job": 7}
        message.ack()
        queue.close()


def test_stopping_ends_the_server(reachable: Path) -> None:
    with server(reachable) as valkey:
        assert valkey_answers(reachable / "v.sock")
    assert valkey.child.process.returncode == 0
    assert not valkey_answers(reachable / "v.sock")


def test_a_second_start_on_the_same_folder_is_refused(reachable: Path) -> None:
    with server(reachable), pytest.raises(StartError, match="Valkey already runs on"), server(reachable):
        pass


def test_killed_parent_leaves_no_server(reachable: Path, drive: Callable[..., object]) -> None:
    driver = drive("-c", DRIVER, str(reachable))
    driver.wait_for("url")
    pids = driver.descendants()
    driver.process.kill()
    driver.process.wait(10)
    wait_gone(*pids)

"""The supervisor of `make demo`, with real Postgres and Valkey and stand-ins for the rest."""

import os
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from arena.ops.ports import port_free

from .conftest import Driver
from .waiting import is_alive, wait_gone

Demo = Callable[..., Driver]


@pytest.fixture
def demo(reachable: Path, drive: Callable[..., Driver]) -> Demo:
    """Start the supervisor; all starts of one test share one data folder."""

    def start(*dying: str, **variables: str) -> Driver:
        unnamed = {"DATABASE_URL": "", "BROKER_URL": "", "SECRET_KEY": "", "HOST": "", "IMPORT": ""}
        settings = {"ARENA_VAR": str(reachable / "var"), "PORT": str(port_free()), **unnamed, **variables}
        return drive("-m", "tests.ops.stand_in_demo", *dying, env=settings)

    return start


def stop(driver: Driver, number: signal.Signals) -> int:
    pids = driver.descendants()
    driver.process.send_signal(number)
    status = driver.wait()
    wait_gone(*pids)
    return status


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_stops_every_process(demo: Demo, number: signal.Signals) -> None:
    driver = demo()
    driver.wait_for("Ctrl-C stops it")
    assert len(driver.descendants()) > 10
    assert stop(driver, number) == 0
    assert "Arena has stopped every process it started" in driver.words


def test_a_signal_while_starting_stops_every_process(demo: Demo) -> None:
    driver = demo()
    driver.wait_for("PostgreSQL is up")
    assert stop(driver, signal.SIGINT) == 0


def test_killed_supervisor_leaves_no_orphan(demo: Demo) -> None:
    driver = demo()
    driver.wait_for("Ctrl-C stops it")
    pids = driver.descendants()
    driver.process.kill()
    driver.process.wait(10)
    wait_gone(*pids)


def test_a_second_run_keeps_data_and_secret(demo: Demo) -> None:
    secrets = set()
    for run in (1, 2):
        driver = demo()
        driver.wait_for("Ctrl-C stops it")
        assert f"starts: {run}" in driver.words
        secrets.add(re.findall(r"secret: (\S{40,})", driver.words)[0])
        stop(driver, signal.SIGINT)
    assert len(secrets) == 1


@pytest.mark.parametrize("name", ["worker", "web", "llama-gemma3"])
def test_death_of_a_program_stops_the_rest_and_names_the_log(demo: Demo, name: str) -> None:
    driver = demo(name)
    assert driver.wait() == 1
    assert f"Arena stopped. {name} stopped (exit status 3). The end of its log" in driver.words
    assert f"{name}.log:\n  | out of luck" in driver.words


def test_failed_preparation_stops_the_rest_and_shows_its_words(demo: Demo) -> None:
    driver = demo("prepare")
    assert driver.wait() == 1
    assert "Arena stopped. Preparing failed (exit status 3)." in driver.words
    assert "  | out of luck" in driver.words


def test_death_of_the_database_is_noticed(demo: Demo, reachable: Path) -> None:
    driver = demo()
    driver.wait_for("Ctrl-C stops it")
    pids = driver.descendants()
    os.kill(int((reachable / "var/postgres/postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    assert driver.wait() == 1
    assert "postgres stopped (signal SIGKILL)" in driver.words
    wait_gone(*pids)


def test_a_second_start_leaves_the_first_alone(demo: Demo) -> None:
    first = demo()
    first.wait_for("Ctrl-C stops it")
    second = demo()
    assert second.wait() == 1
    assert "Arena stopped. PostgreSQL already runs on" in second.words
    assert all(map(is_alive, first.descendants()))


def test_busy_port_is_one_sentence_up_front(demo: Demo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        driver = demo(PORT=str(port))
        assert driver.wait() == 1
    assert driver.words.strip() == (
        f"Arena stopped. Port {port} on 127.0.0.1 is taken by another program: "
        "stop that one, or choose another port, for example `make demo PORT=8001`."
    )


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"PORT": "http"}, "PORT is 'http', but a port is a number from 1 to 65535."),
        ({"PORT": "70000"}, "PORT is '70000', but a port is a number from 1 to 65535."),
        ({"IMPORT": "/no/such"}, "IMPORT is '/no/such', but there is no such folder."),
        (
            {"ARENA_LLAMA_THREADS": "0"},
            "ARENA_LLAMA_THREADS is '0', but it is a number of threads from 1 up.",
        ),
    ],
)
def test_wrong_wish_is_one_sentence_up_front(demo: Demo, variables: dict[str, str], sentence: str) -> None:
    driver = demo(**variables)
    assert driver.wait() == 1
    assert driver.words == f"\nArena stopped. {sentence}\n"


def test_services_that_the_environment_names_are_not_started(demo: Demo, reachable: Path) -> None:
    driver = demo(DATABASE_URL=os.environ["DATABASE_URL"], BROKER_URL=os.environ["BROKER_URL"])
    driver.wait_for("Ctrl-C stops it")
    assert "PostgreSQL is up" not in driver.words
    assert "Valkey is up" not in driver.words
    assert not (reachable / "var/postgres").exists()

"""`python -m arena.ops.run -- COMMAND`."""

import signal
import sys
from collections.abc import Callable

import pytest

from .conftest import Driver
from .waiting import wait_gone

UNNAMED = {"DATABASE_URL": "", "BROKER_URL": ""}
RUN = ("-m", "arena.ops.run", "--")


def test_command_reaches_both_services_and_its_status_is_returned(drive: Callable[..., Driver]) -> None:
    code = (
        "import os, psycopg; from kombu import Connection;"
        "print(psycopg.connect(os.environ['DATABASE_URL']).execute('SELECT 40 + 2').fetchone()[0]);"
        "Connection(os.environ['BROKER_URL']).ensure_connection(max_retries=1); print('broker');"
        "raise SystemExit(7)"
    )
    driver = drive(*RUN, sys.executable, "-W", "ignore", "-c", code, env=UNNAMED)
    assert driver.wait() == 7
    assert driver.words == "42\nbroker\n"


def test_service_that_is_named_is_used_as_it_is(drive: Callable[..., Driver]) -> None:
    named = {"DATABASE_URL": "postgresql://elsewhere/db", "BROKER_URL": "redis://elsewhere"}
    driver = drive(*RUN, "sh", "-c", "echo $DATABASE_URL $BROKER_URL", env=named)
    assert driver.wait() == 0
    assert driver.words == "postgresql://elsewhere/db redis://elsewhere\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_command_and_services(drive: Callable[..., Driver], number: signal.Signals) -> None:
    """A Ctrl-C at the terminal reaches the command without us, so here it is sent to that as well."""
    driver = drive(
        *RUN,
        sys.executable,
        "-c",
        "import os, time; print('pid', os.getpid(), '.', flush=True); time.sleep(300)",
        env=UNNAMED,
    )
    driver.wait_for(" .")
    pids = driver.descendants()
    driver.process.send_signal(number)
    if number == signal.SIGINT:
        import os

        os.kill(int(driver.words.split()[1]), number)
    assert driver.wait() in (128 + number, 1, 130)
    wait_gone(*pids)


def test_missing_command_is_a_sentence(drive: Callable[..., Driver]) -> None:
    named = {"DATABASE_URL": "postgresql://elsewhere/db", "BROKER_URL": "redis://elsewhere"}
    driver = drive(*RUN, "/no/such/command", env=named)
    assert driver.wait() == 1
    assert driver.words == "/no/such/command cannot be run: No such file or directory.\n"

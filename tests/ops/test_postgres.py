"""The private PostgreSQL: real starts, stops and refusals."""

import os
import shutil
import stat
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from arena.ops import postgres_tree
from arena.ops.account import Account, service_account
from arena.ops.errors import StartError
from arena.ops.folders import folders_make
from arena.ops.postgres import Postgres

from .waiting import wait_gone

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another account")

DRIVER = """
import sys, time
from pathlib import Path
from arena.ops.postgres import Postgres
home = Path(sys.argv[1])
with Postgres(data_dir=home / "data", socket_dir=home / "pg", log_dir=home, is_durable=False) as postgres:
    print("url", postgres.url, flush=True)
    time.sleep(300)
"""


def server(home: Path) -> Postgres:
    return Postgres(data_dir=home / "data", socket_dir=home / "pg", log_dir=home, is_durable=False)


def test_the_database_answers_in_utf8_and_utc(reachable: Path) -> None:
    with server(reachable) as postgres, psycopg.connect(postgres.url) as connection:
        row = connection.execute(
            "SELECT current_database(), current_setting('server_encoding'), current_setting('timezone')"
        ).fetchone()
    assert row == ("arena", "UTF8", "UTC")


def test_nothing_listens_on_tcp_and_the_socket_is_private(reachable: Path) -> None:
    with server(reachable) as postgres, psycopg.connect(postgres.url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert stat.S_IMODE((reachable / "pg").stat().st_mode) == 0o700


def test_restart_keeps_the_rows(reachable: Path) -> None:
    with server(reachable) as postgres, psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    with server(reachable) as postgres, psycopg.connect(postgres.url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)


def test_stopping_ends_the_server(reachable: Path) -> None:
    with server(reachable) as postgres:
        pid = int((reachable / "data/postmaster.pid").read_text().split()[0])
    wait_gone(pid)
    assert postgres.child.process.returncode == 0
    assert not (reachable / "data/postmaster.pid").exists()


def test_the_environment_of_the_shell_changes_nothing(
    reachable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGPORT": "1", "PGDATA": "/nowhere", "PGHOST": "nowhere", "PGUSER": "x"}.items():
        monkeypatch.setenv(name, value)
    with server(reachable) as postgres:
        psycopg.connect(postgres.url).close()


def test_a_second_start_on_the_same_folder_is_refused_in_one_sentence(reachable: Path) -> None:
    with server(reachable), pytest.raises(StartError) as caught, server(reachable):
        pass
    assert str(caught.value) == (
        f"PostgreSQL already runs on {reachable / 'data'}: "
        "stop that instance first, or give this one another folder."
    )


def test_folder_of_another_major_version_is_refused(reachable: Path) -> None:
    with server(reachable):
        pass
    (reachable / "data/PG_VERSION").write_text("15\n")
    with pytest.raises(StartError, match="was made by PostgreSQL 15 and this one is 18"), server(reachable):
        pass


def test_folder_that_is_no_database_is_refused(reachable: Path) -> None:
    (reachable / "data").mkdir()
    with pytest.raises(StartError, match="is not a PostgreSQL data folder"), server(reachable):
        pass


def test_lock_file_that_names_a_living_stranger_does_not_hinder(reachable: Path) -> None:
    with server(reachable):
        pass
    (reachable / "data/postmaster.pid").write_text(f"{os.getppid()}\n{reachable}/data\n")
    with server(reachable) as postgres:
        psycopg.connect(postgres.url).close()


def test_unfinished_initdb_is_begun_anew(reachable: Path) -> None:
    (reachable / "data.new/base").mkdir(parents=True)
    with server(reachable) as postgres:
        psycopg.connect(postgres.url).close()


def test_reason_of_a_failed_initdb_is_shown(reachable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arena.ops.postgres.ENVIRONMENT", {"PATH": "/usr/bin:/bin", "LC_ALL": "xx_YY"})
    with pytest.raises(StartError, match=r"cannot make its data folder(.|\n)*locale"), server(reachable):
        pass


def test_killed_parent_leaves_no_server_and_the_next_start_recovers(
    reachable: Path, drive: Callable[..., object]
) -> None:
    driver = drive("-c", DRIVER, str(reachable))
    driver.wait_for("url")
    pids = driver.descendants()
    assert len(pids) > 2
    driver.process.kill()
    driver.process.wait(10)
    with server(reachable) as postgres:
        psycopg.connect(postgres.url).close()
    wait_gone(*pids)


@as_root
def test_private_project_of_root_gets_a_shelter_and_keeps_its_modes(tmp_path: Path, shelters: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    home = folders_make(var=private / "var", account=service_account())
    assert home.postgres.is_relative_to(shelters)
    assert (private / "var/postgres").readlink() == home.postgres
    with Postgres(data_dir=home.postgres, socket_dir=home.run / "pg", log_dir=home.log) as postgres:
        psycopg.connect(postgres.url).close()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert folders_make(var=private / "var", account=service_account()) == home


@as_root
def test_package_that_the_account_cannot_reach_is_copied_once(
    tmp_path: Path, shelters: Path, reachable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = find_spec(postgres_tree.PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    site = tmp_path / "site"
    site.mkdir(mode=0o700)
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.with_name(name), site / name)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, postgres_tree.PACKAGE, raising=False)

    with server(reachable) as postgres:
        assert postgres.programs.is_relative_to(shelters)
        psycopg.connect(postgres.url).close()
    first = (postgres.programs / "postgres").stat().st_ino
    with server(reachable) as postgres:
        assert (postgres.programs / "postgres").stat().st_ino == first


@as_root
def test_root_keeps_the_owner_of_an_existing_folder(reachable: Path) -> None:
    folder = reachable / "data"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    account = service_account(data_dir=folder)
    assert account is not None
    assert account.uid == 65534


@pytest.mark.parametrize(("mode", "may"), [(0o700, False), (0o710, False), (0o701, True), (0o755, True)])
def test_an_account_passes_where_the_modes_let_it(reachable: Path, mode: int, may: bool) -> None:
    folder = reachable / "folder"
    folder.mkdir()
    folder.chmod(mode)
    stranger = Account("stranger", 4_000_000, 4_000_000)
    assert stranger.can_traverse(folder) is may

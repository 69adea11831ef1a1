"""A private PostgreSQL from packaged binaries, as our own foreground child.

Never uses the package's own lifecycle helpers: they change the modes of the user's folders and add accounts.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psycopg

from arena.ops.account import service_account
from arena.ops.children import POLL_S, Child, Program, leashed
from arena.ops.errors import StartError
from arena.ops.lock import instance_lock
from arena.ops.postgres_tree import postgres_programs

DATABASE = "arena"
PORT = 5432  # names the socket file; nothing listens on TCP
READY_WITHIN_S = 120  # recovery after a crash may take its time
PREVIOUS_ENDS_WITHIN_S = 15

# A clean environment: PGPORT, PGDATA and the like of the user's shell are meant for another server.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class Postgres:
    """A PostgreSQL that listens on a Unix socket alone, running while the `with` block runs."""

    def __init__(self, *, data_dir: Path, socket_dir: Path, log_dir: Path, is_durable: bool = True) -> None:
        self.data_dir = data_dir
        self.socket_dir = socket_dir
        self.log_dir = log_dir
        self.is_durable = is_durable
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        return self._url_of(DATABASE)

    def __enter__(self) -> "Postgres":
        with ExitStack() as stack:
            stack.enter_context(instance_lock(self.data_dir, what="PostgreSQL"))
            self.account = service_account(data_dir=self.data_dir)
            self.programs = postgres_programs(account=self.account)
            self._own_folder(self.socket_dir)
            if self.data_dir.exists():
                self._check_version()
                self._await_previous()
            else:
                self._initdb()
            self.child = Child(self._program(), log_dir=self.log_dir, env=ENVIRONMENT)
            stack.callback(self.child.stop)
            self.child.wait_until_healthy()
            self._create_database()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _url_of(self, database: str) -> str:
        return f"postgresql://arena@:{PORT}/{database}?host={quote(str(self.socket_dir))}"

    def _own_folder(self, folder: Path) -> None:
        """Create `folder` for the server's account alone."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.account is not None:
            os.chown(folder, self.account.uid, self.account.gid)
        folder.chmod(0o700)

    def _initdb(self) -> None:
        """Make the cluster under another name first, so that an interrupted start leaves no half of one."""
        unfinished = self.data_dir.with_name(self.data_dir.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        self._own_folder(unfinished)
        said = self._run(
            "initdb",
            *("-D", str(unfinished), "-U", "arena", "--auth=trust", "-E", "UTF8"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
            *(() if self.is_durable else ("--no-sync",)),
        )
        if not (unfinished / "PG_VERSION").exists():
            raise StartError(f"PostgreSQL cannot make its data folder {self.data_dir}. It said:\n{said}")
        unfinished.rename(self.data_dir)

    def _run(self, program: str, *arguments: str) -> str:
        result = subprocess.run(
            leashed([str(self.programs / program), *arguments], account=self.account),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,
            check=False,
            text=True,
            errors="replace",
        )
        return result.stdout.strip()

    def _check_version(self) -> None:
        mine = self._run("postgres", "--version").split()[-1].split(".")[0]
        try:
            theirs = (self.data_dir / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise StartError(
                f"{self.data_dir} is not a PostgreSQL data folder (it has no PG_VERSION): move it away."
            ) from None
        except PermissionError:
            raise StartError(
                f"{self.data_dir} belongs to another account: start as the user who made it, or move it away."
            ) from None
        if mine != theirs:
            raise StartError(
                f"{self.data_dir} was made by PostgreSQL {theirs} and this one is {mine}: dump it there and "
                "restore it here, or move the folder away to begin anew."
            )

    def _await_previous(self) -> None:
        """Let the server of a killed supervisor finish, and remove a lock file that names a stranger.

        We hold the instance lock, so no living supervisor uses this folder. After a restart of a container
        the recorded process id often belongs to some other program, which PostgreSQL takes for itself.
        """
        lock_file = self.data_dir / "postmaster.pid"
        deadline = time.monotonic() + PREVIOUS_ENDS_WITHIN_S
        while (pid := _recorded_pid(lock_file)) is not None and _is_server_of(self.data_dir, pid=pid):
            if time.monotonic() > deadline:
                raise StartError(
                    f"A PostgreSQL of somebody else (process {pid}) runs on {self.data_dir}: stop it first."
                )
            time.sleep(POLL_S)
        if pid is not None and Path("/proc/self").exists():
            lock_file.unlink(missing_ok=True)

    def _program(self) -> Program:
        settings: Sequence[str] = ("listen_addresses=", f"port={PORT}", "timezone=UTC", "log_timezone=UTC")
        if not self.is_durable:
            settings = (*settings, *NOT_DURABLE)
        return Program(
            name="postgres",
            argv=[
                *(str(self.programs / "postgres"), "-D", str(self.data_dir), "-k", str(self.socket_dir)),
                *(word for setting in settings for word in ("-c", setting)),
            ],
            is_healthy=self._answers,
            healthy_within_s=READY_WITHIN_S,
            cwd=Path("/"),
            account=self.account,
            stop_signal=signal.SIGINT,  # fast shutdown: sessions are ended, nothing is lost
            stop_within_s=20,
        )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._url_of("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _create_database(self) -> None:
        with psycopg.connect(self._url_of("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")


def _recorded_pid(lock_file: Path) -> int | None:
    try:
        first_line = lock_file.read_text().split("\n", 1)[0]
    except FileNotFoundError:
        return None
    return int(first_line) if first_line.isdigit() else 0


def _is_server_of(data_dir: Path, *, pid: int) -> bool:
    """Whether process `pid` is a PostgreSQL on this folder: the server works inside its data folder."""
    try:
        return Path(f"/proc/{pid}/cwd").resolve(strict=True) == data_dir.resolve()
    except OSError:
        return False

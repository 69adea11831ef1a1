"""What the person who types `make demo` asks for, read from the environment and checked before any start."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from arena.ops.cores import cores_usable, llama_threads_default
from arena.ops.errors import StartError
from arena.ops.folders import PROJECT
from arena.ops.ports import LOOPBACK, port_parse

EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True)
class DemoRequest:
    host: str
    port: int
    var: Path
    import_dir: Path | None
    llama_threads: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "DemoRequest":
        return cls(
            host=(environment.get("HOST") or LOOPBACK).strip("[]"),
            port=port_parse(environment.get("PORT") or "8000"),
            var=Path(environment.get("ARENA_VAR") or PROJECT / "var").expanduser().absolute(),
            import_dir=_import_dir(environment.get("IMPORT") or ""),
            llama_threads=_threads(environment.get("ARENA_LLAMA_THREADS") or ""),
        )

    @property
    def bind(self) -> str:
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def visited_host(self) -> str:
        return LOOPBACK if self.host in EVERY_ADDRESS else _bracketed(self.host)

    @property
    def base_url(self) -> str:
        return f"http://{self.visited_host}:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """What the processes of the product read; numpy's threads are kept from fighting over the cores."""
        hosts = ["*"] if self.host in EVERY_ADDRESS else [self.visited_host, LOOPBACK, "localhost"]
        return {
            "ARENA_ENV": "demo",
            "ARENA_VAR": str(self.var),
            "ARENA_BASE_URL": self.base_url,
            "HOST": self.host,
            "PORT": str(self.port),
            "ALLOWED_HOSTS": ",".join(dict.fromkeys(hosts)),
            "DJANGO_SETTINGS_MODULE": "arena.settings",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
        }


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _import_dir(text: str) -> Path | None:
    if not text:
        return None
    folder = Path(text).expanduser().resolve()
    if not folder.is_dir():
        raise StartError(f"IMPORT is {text!r}, but there is no such folder.")
    return folder


def _threads(text: str) -> int:
    if not text:
        return llama_threads_default(cores=cores_usable())
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise StartError(f"ARENA_LLAMA_THREADS is {text!r}, but it is a number of threads from 1 up.")

"""Runs the real supervisor with real Postgres and Valkey, and small stand-ins for models, workers and site.

Usage: stand_in_demo.py [NAME-OF-A-PROGRAM-THAT-DIES]
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from arena.ops import demo
from arena.ops.children import Program
from arena.ops.demo_programs import Llama
from arena.ops.health import http_answers_ok
from arena.ops.preparation import Preparation

COUNT_STARTS = """
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS starts (n serial)")
    connection.execute("INSERT INTO starts DEFAULT VALUES")
    print("starts:", connection.execute("SELECT count(*) FROM starts").fetchone()[0])
print("secret:", os.environ["SECRET_KEY"])
print("gemma:", os.environ["GEMMA3_URL"])
"""
DIES = ("sh", "-c", "echo out of luck; exit 3")
DYING = sys.argv[1:]


def preparations(*, import_dir: Path | None) -> list[Preparation]:
    argv = DIES if "prepare" in DYING else (sys.executable, "-c", COUNT_STARTS)
    return [Preparation("prepare", "Preparing", argv, is_shown="prepare" not in DYING)]


def server(name: str, *, port: int, path: str) -> Program:
    folder = Path(__file__).parent
    argv = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder))
    url = f"http://127.0.0.1:{port}/{path}"
    return Program(name=name, argv=DIES if name in DYING else argv, is_healthy=partial(http_answers_ok, url))


def llama_programs(llamas: Sequence[Llama], *, threads: int) -> list[Program]:
    return [server(f"llama-{llama.name}", port=llama.port, path="conftest.py") for llama in llamas]


def app_programs(*, bind: str, base_url: str, var: Path) -> list[Program]:
    worker = DIES if "worker" in DYING else ("sh", "-c", "sleep 300 & wait")
    return [
        Program(name="worker", argv=worker),
        server("web", port=int(bind.rpartition(":")[2]), path="conftest.py"),
    ]


if __name__ == "__main__":
    demo.preparations = preparations
    demo.llama_programs = llama_programs
    demo.app_programs = app_programs
    demo.gemma3_path = lambda *, models_dir: models_dir / "weights"
    demo.smollm2_path = lambda: Path("weights")
    sys.exit(demo.main())

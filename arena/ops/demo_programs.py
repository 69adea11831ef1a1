"""The list of what `make demo` runs after Postgres and Valkey, as data: read it from top to bottom."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from arena.ops.children import Program
from arena.ops.health import http_answers_ok
from arena.ops.ports import LOOPBACK
from arena.ops.preparation import Preparation

PYTHON = (sys.executable, "-m")
MANAGE = (sys.executable, "manage.py")
CELERY = (*PYTHON, "celery", "-A", "workers.celery", "worker", "--loglevel", "info")

GENERATE_WORKERS = 2
WEB_THREADS = 32


class Llama(NamedTuple):
    """One model behind one llama.cpp server, and the variable that tells the workers its address."""

    name: str
    variable: str
    weights: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/v1"


def preparations(*, import_dir: Path | None) -> list[Preparation]:
    steps = [
        Preparation("migrate", "Preparing the database", (*MANAGE, "migrate", "--noinput")),
        Preparation("collectstatic", "Collecting static files", (*MANAGE, "collectstatic", "--noinput")),
        Preparation("demo_seed", "Filling the catalogue", (*MANAGE, "demo_seed"), is_shown=True),
    ]
    if import_dir is not None:
        argv = (*MANAGE, "votes_import_folder", str(import_dir))
        steps.append(Preparation("import", f"Importing votes from {import_dir}", argv, is_shown=True))
    return steps


def llama_programs(llamas: Sequence[Llama], *, threads: int) -> list[Program]:
    return [
        Program(
            name=f"llama-{llama.name}",
            argv=(
                *(
                    *PYTHON,
                    "workers.backends.llama_server",
                    "--model",
                    str(llama.weights),
                    "--port",
                    str(llama.port),
                ),
                *("--threads", str(threads), "--slots", str(GENERATE_WORKERS)),
            ),
            is_healthy=partial(http_answers_ok, f"http://{LOOPBACK}:{llama.port}/health"),
            healthy_within_s=180,
            is_restarted=True,
        )
        for llama in llamas
    ]


def app_programs(*, bind: str, base_url: str, var: Path) -> list[Program]:
    return [
        Program(
            name="worker-generate",
            argv=(
                *(*CELERY, "--queues", "generate", "--concurrency", str(GENERATE_WORKERS)),
                *("--prefetch-multiplier", "1", "--hostname", "generate@%h"),
            ),
            is_restarted=True,
        ),
        Program(
            name="worker-default",
            argv=(
                *(*CELERY, "--queues", "default", "--concurrency", "1", "--hostname", "default@%h"),
                *("--beat", "--schedule", str(var / "beat-schedule")),
            ),
            is_restarted=True,
        ),
        Program(
            name="web",
            argv=(
                *(*PYTHON, "gunicorn", "arena.wsgi", "--bind", bind, "--workers", "1"),
                *("--worker-class", "gthread", "--threads", str(WEB_THREADS), "--graceful-timeout", "3"),
                *("--no-control-socket", "--access-logfile", "-"),
            ),
            is_healthy=partial(http_answers_ok, f"{base_url}/health/live"),
            is_restarted=True,
        ),
    ]

"""The leaderboard page and the voter's step under load, each as a ratio to a bare Django on the same tables.

    python -m benchmarks.web.bench_web [--rounds 5] [--visitors 1 8 32] [--scale 1.0] [--json FILE]

Starts a private Postgres and Valkey, fills them, and starts two gunicorns with the arguments of `make demo`:
ours and `bare.py`. This process is the visitors. Ours and bare take turns, round by round, and only one of
them is under load at a time. The machine's speed is in every millisecond: compare ratios, never milliseconds
of two runs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path
from statistics import median, quantiles

from arena.ops.children import Child, Program, stop_all
from arena.ops.demo_programs import WEB_THREADS, app_programs
from arena.ops.health import http_answers_ok
from arena.ops.ports import LOOPBACK, port_free
from arena.ops.private import private_services, temporary_folder
from arena.ops.stopping import stop_signals
from benchmarks.web import LARGE_ARENA, LARGE_BOARD, SMALL_ARENA
from benchmarks.web.load import BATTLE, OPEN, PAGE, RESULT, VOTE, Load, load_pages, load_steps, voters_prepare

BOARD = f"/leaderboards/{LARGE_ARENA}/{LARGE_BOARD}/"
PAGES_PER_ROUND = {1: 100, 8: 200, 32: 320}
STEPS_PER_ROUND = {1: 30, 8: 64, 32: 128}
OURS, BARE = "ours", "bare"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass
class Site:
    """One gunicorn under test."""

    name: str
    port: int
    child: Child

    @property
    def cpu_s(self) -> float:
        return cpu_s_below(self.child.process.pid)


@dataclass
class Measured:
    """All rounds of one kind of load on one site."""

    per_second: list[float] = field(default_factory=list)
    web_cpu_ms: list[float] = field(default_factory=list)
    database_cpu_ms: list[float] = field(default_factory=list)
    latencies_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, load: Load, *, count: int, web_cpu_s: float, database_cpu_s: float) -> None:
        self.per_second.append(count / load.wall_s)
        self.web_cpu_ms.append(1000 * web_cpu_s / count)
        self.database_cpu_ms.append(1000 * database_cpu_s / count)
        for kind, latencies in load.latencies_s.items():
            self.latencies_s[kind] += latencies


def cpu_s_below(root: int) -> float:
    """Processor seconds of a process and everything below it, the ended children included (Linux)."""
    parents, used = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        pid = int(stat.parent.name)
        parents[pid] = int(fields[1])
        used[pid] = sum(map(int, fields[11:15])) * TICK_S

    def is_below(pid: int) -> bool:
        while pid and pid != root:
            pid = parents.get(pid, 0)
        return pid == root

    return sum(seconds for pid, seconds in used.items() if is_below(pid))


@contextmanager
def sites() -> Iterator[tuple[Site, Site]]:
    """Ours and bare, on one freshly filled database."""
    with ExitStack() as stack:
        # Never a database that the environment names: this writes thousands of votes.
        services = stack.enter_context(private_services({}))
        var = stack.enter_context(temporary_folder())
        environment = {
            **{name: value for name, value in os.environ.items() if not name.endswith("_FILE")},
            # All visitors come from one address here.
            "OPENS_PER_ADDRESS_PER_MINUTE": "1000000",
            **services,
            "ARENA_ENV": "demo",
            "ARENA_VAR": str(var),
            "DJANGO_SETTINGS_MODULE": "arena.settings",
            "SECRET_KEY": "only for the length of this benchmark, on the loopback address",
        }
        for doing, argv in (
            ("Preparing the database", ["manage.py", "migrate", "--noinput", "--verbosity", "0"]),
            ("Collecting static files", ["manage.py", "collectstatic", "--noinput", "--verbosity", "0"]),
            ("Filling", ["-m", "benchmarks.web.fill"]),
        ):
            print(doing, "...", file=sys.stderr, flush=True)
            quiet = {**environment, "LOG_LEVEL": "WARNING"}
            subprocess.run([sys.executable, *argv], env=quiet, check=True, stdout=sys.stderr)
        children: list[Child] = []
        stack.callback(stop_all, children)
        found = []
        for name, module in ((OURS, "arena.wsgi"), (BARE, "benchmarks.web.bare")):
            port = port_free()
            program = web_program(name=name, module=module, port=port, var=var)
            child = Child(program, log_dir=var, env=environment)
            children.append(child)
            child.wait_until_healthy()
            found.append(Site(name, port, child))
        yield found[0], found[1]


def web_program(*, name: str, module: str, port: int, var: Path) -> Program:
    """The demo's web program, on our port and with the application of `module`."""
    base_url = f"http://{LOOPBACK}:{port}"
    programs = app_programs(bind=f"{LOOPBACK}:{port}", base_url=base_url, var=var)
    web = next(program for program in programs if program.name == "web")
    argv = [module if word == "arena.wsgi" else word for word in web.argv]
    return Program(name=name, argv=argv, is_healthy=partial(http_answers_ok, f"{base_url}/health/live"))


def database_cpu_s(both: tuple[Site, Site]) -> float:
    """Postgres and Valkey: what is below us, and is neither us nor a site."""
    ourselves = sum(os.times()[:4])
    return cpu_s_below(os.getpid()) - ourselves - sum(site.cpu_s for site in both)


Results = dict[str, dict[str, Measured]]


def measure(both: tuple[Site, Site], *, rounds: int, visitors: int, scale: float) -> Results:
    """`{"pages" | "steps": {"ours" | "bare": …}}`; the two take turns, and who begins takes turns too."""
    pages = max(visitors, round(scale * PAGES_PER_ROUND.get(visitors, 10 * visitors)))
    steps = max(visitors, round(scale * STEPS_PER_ROUND.get(visitors, 4 * visitors)))
    found: Results = {what: {site.name: Measured() for site in both} for what in ("pages", "steps")}
    for n in range(rounds):
        for what, site in product(found, both if n % 2 == 0 else reversed(both)):
            load = partial(load_pages, port=site.port, path=BOARD, visitors=visitors, requests=pages)
            if what == "steps":
                voters = voters_prepare(port=site.port, arena=SMALL_ARENA, visitors=visitors, steps=steps)
                load = partial(load_steps, arena=SMALL_ARENA, prepared=voters)
            web_before, database_before = site.cpu_s, database_cpu_s(both)
            found[what][site.name].add(
                load(),
                count=pages if what == "pages" else steps,
                web_cpu_s=site.cpu_s - web_before,
                database_cpu_s=database_cpu_s(both) - database_before,
            )
        print(f"{visitors} at once, round {n + 1} of {rounds}", file=sys.stderr, flush=True)
    return found


def percentile_ms(latencies_s: list[float], percent: int) -> float:
    return 1000 * quantiles(latencies_s, n=100, method="inclusive")[percent - 1]


def rows(visitors: int, found: Results) -> Iterator[list[str]]:
    """The lines of the table for one number of visitors."""
    for what, kinds in (("pages", [PAGE]), ("steps", ["whole step", OPEN, BATTLE, VOTE, RESULT])):
        ours, bare = found[what][OURS], found[what][BARE]
        for kind in kinds:
            is_whole = kind in (PAGE, "whole step")
            line = [kind, str(visitors)]
            if is_whole:
                ratio = median(a / b for a, b in zip(ours.per_second, bare.per_second, strict=True))
                line += [f"{median(ours.per_second):.0f}", f"{median(bare.per_second):.0f}", f"{ratio:.2f}"]
                cpu = [median(ours.web_cpu_ms), median(bare.web_cpu_ms)]
                line_cpu = [f"{cpu[0]:.1f} / {cpu[1]:.1f}"]
                line_cpu += [f"{median(ours.database_cpu_ms):.1f} / {median(bare.database_cpu_ms):.1f}"]
            else:
                line += ["", "", ""]
                line_cpu = ["", ""]
            if kind == "whole step":
                line += ["", "", ""]
            else:
                a, b = ours.latencies_s[kind], bare.latencies_s[kind]
                line += [
                    f"{percentile_ms(a, 50):.1f} / {percentile_ms(a, 95):.1f}",
                    f"{percentile_ms(b, 50):.1f} / {percentile_ms(b, 95):.1f}",
                    f"{percentile_ms(a, 50) / percentile_ms(b, 50):.1f}",
                ]
            yield line + line_cpu


HEAD = (
    "request",
    "at once",
    "ours, per s",
    "bare, per s",
    "ours / bare",
    "ours p50 / p95 ms",
    "bare p50 / p95 ms",
    "p50 ours / bare",
    "web CPU ms, ours / bare",
    "database CPU ms, ours / bare",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--visitors", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--scale", type=float, default=1.0, help="of the requests per round")
    parser.add_argument("--json", type=Path, help="also write every number there")
    options = parser.parse_args()

    everything: dict[int, Results] = {}
    with stop_signals(), sites() as both:
        for site in both:  # opens every connection of the pool, compiles every template
            load_pages(port=site.port, path=BOARD, visitors=WEB_THREADS, requests=2 * WEB_THREADS)
            voters = voters_prepare(
                port=site.port, arena=SMALL_ARENA, visitors=WEB_THREADS, steps=WEB_THREADS
            )
            load_steps(arena=SMALL_ARENA, prepared=voters)
        busy_before = os.getloadavg()[0]
        for visitors in options.visitors:
            everything[visitors] = measure(
                both, rounds=options.rounds, visitors=visitors, scale=options.scale
            )

    packages = ", ".join(f"{name} {version(name)}" for name in ("Django", "gunicorn", "psycopg"))
    print(
        f"Python {platform.python_version()}, {packages}; {os.cpu_count()} cores, load average "
        f"{busy_before:.1f} before and {os.getloadavg()[0]:.1f} after; median of {options.rounds} rounds.\n"
    )
    print(f"| {' | '.join(HEAD)} |")
    print(f"|---|{'---:|' * (len(HEAD) - 1)}")
    for visitors, found in everything.items():
        for line in rows(visitors, found):
            print(f"| {' | '.join(line)} |")
    if options.json:
        options.json.write_text(json.dumps(everything, default=vars))


if __name__ == "__main__":
    main()

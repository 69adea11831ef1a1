"""`python -m arena.ops.demo`: the whole product on this machine, until Ctrl-C. `make demo` calls it.

Read from the environment: PORT, HOST, IMPORT (a folder of published votes), ARENA_VAR, ARENA_LLAMA_THREADS;
DATABASE_URL and BROKER_URL, when the servers they name are to be used instead of private ones.
"""

import os
import sys
from contextlib import ExitStack

from arena.ops.account import service_account
from arena.ops.children import Child, Program, stop_all, watch
from arena.ops.demo_programs import Llama, app_programs, llama_programs, preparations
from arena.ops.demo_request import DemoRequest
from arena.ops.errors import StartError
from arena.ops.folders import Folders, folders_make
from arena.ops.models import gemma3_path, smollm2_path
from arena.ops.naming import is_named
from arena.ops.ports import port_free, port_require_free
from arena.ops.postgres import Postgres
from arena.ops.preparation import preparation_run
from arena.ops.progress import Progress
from arena.ops.secret import secret_key
from arena.ops.stopping import stop_signals
from arena.ops.valkey import Valkey


class Demo:
    """Starts everything in order, and stops it in the reverse order when the `with` block of `stack` ends."""

    def __init__(self, request: DemoRequest, folders: Folders, stack: ExitStack) -> None:
        self.request = request
        self.folders = folders
        self.stack = stack
        self.say = Progress().say
        self.children: list[Child] = []
        self.environment = {**os.environ, **request.variables}
        if not is_named(self.environment, "SECRET_KEY"):
            self.environment["SECRET_KEY"] = secret_key(path=folders.var / "secret_key")

    def run(self) -> None:
        """Start, then watch until a child ends or the person stops us; never returns."""
        self.start_services()
        llamas = self.start_llamas()
        self.prepare()
        for child in llamas:
            child.wait_until_healthy()
            self.say(f"{child.program.name} has loaded its model")
        self.start_apps()
        print(f"\n    Arena: {self.request.base_url}/\n    Ctrl-C stops it; the data stays.\n", flush=True)
        watch(self.children, say=self.say)

    def start_services(self) -> None:
        """Postgres and Valkey, except one that the environment names already."""
        var, run, log_dir = self.folders.var, self.folders.run, self.folders.log
        if not is_named(self.environment, "DATABASE_URL"):
            postgres = Postgres(data_dir=self.folders.postgres, socket_dir=run / "pg", log_dir=log_dir)
            self.environment["DATABASE_URL"] = self.stack.enter_context(postgres).url
            self.children.append(postgres.child)
            self.say(f"PostgreSQL is up, with its data in {self.folders.postgres}")
        if not is_named(self.environment, "BROKER_URL"):
            valkey = Valkey(data_dir=var / "valkey", socket_path=run / "valkey.sock", log_dir=log_dir)
            self.environment["BROKER_URL"] = self.stack.enter_context(valkey).url
            self.children.append(valkey.child)
            self.say("Valkey is up")

    def start_llamas(self) -> list[Child]:
        """The model servers; they load their weights while the database is prepared."""
        smollm2, gemma3 = smollm2_path(), gemma3_path(models_dir=self.folders.models)
        llamas = [
            Llama("smollm2", "SMOLLM2_URL", smollm2, port_free()),
            Llama("gemma3", "GEMMA3_URL", gemma3, port_free()),
        ]
        self.environment |= {llama.variable: llama.url for llama in llamas}
        threads = self.request.llama_threads
        self.say(f"Starting {len(llamas)} model servers with {threads} thread{'s'[: threads > 1]} each")
        return self.start(llama_programs(llamas, threads=threads))

    def prepare(self) -> None:
        for preparation in preparations(import_dir=self.request.import_dir):
            self.say(preparation.doing)
            preparation_run(preparation, environment=self.environment, log_dir=self.folders.log)
            for child in self.children:
                child.raise_if_ended()

    def start_apps(self) -> None:
        request = self.request
        apps = self.start(app_programs(bind=request.bind, base_url=request.base_url, var=self.folders.var))
        for child in apps:
            child.wait_until_healthy()
        self.say(f"The site is up and the workers are starting; logs are in {self.folders.log}")

    def start(self, programs: list[Program]) -> list[Child]:
        """Start programs together; they will be stopped together, before everything started earlier."""
        started: list[Child] = []
        self.stack.callback(stop_all, started)
        for program in programs:
            child = Child(program, log_dir=self.folders.log, env=self.environment)
            started.append(child)
            self.children.append(child)
        return started


def main() -> int:
    try:
        with stop_signals():
            request = DemoRequest.from_environment(os.environ)
            port_require_free(host=request.host, port=request.port)
            folders = folders_make(var=request.var, account=service_account())
            with ExitStack() as stack:
                try:
                    Demo(request, folders, stack).run()
                except KeyboardInterrupt:
                    print("\nStopping ...", flush=True)
                    raise
    except StartError as error:
        print(f"\nArena stopped. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Arena has stopped every process it started. The next start goes on with the same data.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

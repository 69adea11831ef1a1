"""A command that must finish before the site opens, such as the migrations."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from arena.ops.children import group_kill, leashed, log_tail
from arena.ops.errors import StartError
from arena.ops.folders import PROJECT


class Preparation(NamedTuple):
    name: str
    doing: str
    argv: Sequence[str]
    is_shown: bool = False  # on the terminal, for words and progress bars; otherwise in a log file


def preparation_run(preparation: Preparation, *, environment: Mapping[str, str], log_dir: Path) -> None:
    """Run it to its end. An interrupt stops it too, as it is in a session of its own."""
    log_path = log_dir / f"{preparation.name}.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            leashed(preparation.argv),
            stdin=subprocess.DEVNULL,
            stdout=None if preparation.is_shown else log,
            stderr=None if preparation.is_shown else subprocess.STDOUT,
            env=dict(environment),
            cwd=PROJECT,
            start_new_session=True,
        )
        try:
            code = process.wait()
        except BaseException:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            raise
        finally:
            group_kill(process)
    if code:
        where = "Its words are above." if preparation.is_shown else log_tail(log_path)
        raise StartError(f"{preparation.doing} failed (exit status {code}). {where}")

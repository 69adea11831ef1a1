"""What `make demo` makes of the environment, and the list of programs that follows from it."""

import sys
from pathlib import Path

import pytest

from arena.ops.cores import cores_usable, llama_threads_default
from arena.ops.demo_programs import Llama, app_programs, llama_programs, preparations
from arena.ops.demo_request import DemoRequest


@pytest.mark.parametrize(
    ("host", "bind", "url", "allowed"),
    [
        ("", "127.0.0.1:8000", "http://127.0.0.1:8000", "127.0.0.1,localhost"),
        ("0.0.0.0", "0.0.0.0:8000", "http://127.0.0.1:8000", "*"),
        ("::1", "[::1]:8000", "http://[::1]:8000", "[::1],127.0.0.1,localhost"),
        ("[::1]", "[::1]:8000", "http://[::1]:8000", "[::1],127.0.0.1,localhost"),
        ("box.lan", "box.lan:8000", "http://box.lan:8000", "box.lan,127.0.0.1,localhost"),
    ],
)
def test_host_decides_address_and_allowed_names(host: str, bind: str, url: str, allowed: str) -> None:
    request = DemoRequest.from_environment({"HOST": host})
    assert request.bind == bind
    assert request.variables["ARENA_BASE_URL"] == url
    assert request.variables["ALLOWED_HOSTS"] == allowed


def test_relative_folders_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "votes").mkdir()
    request = DemoRequest.from_environment({"IMPORT": "votes", "ARENA_VAR": "elsewhere"})
    assert request.import_dir == tmp_path / "votes"
    assert request.var == tmp_path / "elsewhere"


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (4, 1), (5, 2), (16, 7), (96, 8)])
def test_two_model_servers_leave_a_core_to_the_rest(cores: int, threads: int) -> None:
    assert llama_threads_default(cores=cores) == threads


@pytest.mark.parametrize(
    ("quota", "cores"), [("100000 100000", 1), ("50000 100000", 1), ("max 100000", None)]
)
def test_quota_of_a_container_counts(tmp_path: Path, quota: str, cores: int | None) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    assert cores_usable(quota_file=file) == (cores or cores_usable(quota_file=tmp_path / "none"))


def test_import_is_a_step_only_when_asked_for() -> None:
    assert [step.name for step in preparations(import_dir=None)] == ["migrate", "collectstatic", "demo_seed"]
    last = preparations(import_dir=Path("/votes"))[-1]
    assert tuple(last.argv) == (sys.executable, "manage.py", "votes_import_folder", "/votes")


def test_each_model_server_has_its_file_and_port() -> None:
    [program] = llama_programs([Llama("tiny", "TINY_URL", Path("/m.gguf"), 4242)], threads=3)
    assert " ".join(program.argv).endswith(
        "workers.backends.llama_server --model /m.gguf --port 4242 --threads 3 --slots 2"
    )


def test_both_queues_have_a_worker_and_one_of_them_keeps_the_clock() -> None:
    programs = app_programs(bind="127.0.0.1:1", base_url="http://127.0.0.1:1", var=Path("/var"))
    lines = [" ".join(program.argv) for program in programs]
    assert [line.count("--queues generate") for line in lines] == [1, 0, 0]
    assert [line.count("--queues default") for line in lines] == [0, 1, 0]
    assert [line.count("--beat") for line in lines] == [0, 1, 0]

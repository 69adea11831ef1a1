from __future__ import annotations

from pathlib import Path

import pytest

from workers.backends import gguf_conversion
from workers.backends.gguf_conversion import converted_folder


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.gguf"
    file.write_bytes(b"GGUF")
    return file


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders converted into, by a stand-in for the minutes that a real conversion takes."""
    folders: list[Path] = []

    def convert(gguf: Path, target: Path, dtype: str) -> None:
        folders.append(target)
        (target / "model.safetensors").write_bytes(gguf.read_bytes())

    monkeypatch.setattr(gguf_conversion, "_convert", convert)
    return folders


def test_a_file_is_converted_once(gguf: Path, tmp_path: Path, conversions: list[Path]) -> None:
    first = converted_folder(gguf, cache=tmp_path / "cache", dtype="float32")
    assert converted_folder(gguf, cache=tmp_path / "cache", dtype="float32") == first
    assert (first / "model.safetensors").is_file()
    assert len(conversions) == 1


def test_another_content_or_precision_is_another_folder(
    gguf: Path, tmp_path: Path, conversions: list[Path]
) -> None:
    folders = {converted_folder(gguf, cache=tmp_path, dtype=dtype) for dtype in ("float32", "bfloat16")}
    gguf.write_bytes(b"GGUF, changed")
    folders.add(converted_folder(gguf, cache=tmp_path, dtype="float32"))
    assert len(folders) == len(conversions) == 3


def test_failed_conversion_leaves_nothing_behind(
    gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(gguf: Path, target: Path, dtype: str) -> None:
        (target / "half").write_bytes(b"x")
        raise OSError("disk full")

    monkeypatch.setattr(gguf_conversion, "_convert", fail)
    cache = tmp_path / "cache"
    with pytest.raises(OSError, match="disk full"):
        converted_folder(gguf, cache=cache, dtype="float32")
    assert [path.suffix for path in cache.iterdir()] == [".lock"]


def test_what_a_killed_worker_left_is_cleared_away(
    gguf: Path, tmp_path: Path, conversions: list[Path]
) -> None:
    cache = tmp_path / "cache"
    name = converted_folder(gguf, cache=tmp_path / "other", dtype="float32").name
    half = cache / f"{name}.partial-abc"
    half.mkdir(parents=True)
    converted_folder(gguf, cache=cache, dtype="float32")
    assert not half.exists()

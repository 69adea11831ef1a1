"""Weights carried by packages."""

from pathlib import Path

import pytest

from arena.ops import models
from arena.ops.errors import StartError

# Same functions as the real package, whose four parts weigh 250 MB.
TINY = """
MODEL_NAME = "tiny.gguf"
def assemble(path, overwrite=False):
    path.write_bytes(b"GGUF-half")
    if {broken}: raise ValueError("sha256 did not match")
    path.write_bytes(b"GGUF-whole")
"""


def tiny_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, broken: bool) -> Path:
    name = f"tiny_weights_{'broken' if broken else 'whole'}"
    (tmp_path / f"{name}.py").write_text(TINY.format(broken=broken))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(models, "GEMMA3_PACKAGE", name)
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


def test_weights_are_joined_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_package(tmp_path, monkeypatch, broken=False)
    (folder / "tiny.gguf.unfinished-1").write_bytes(b"left by a killed start")
    path = models.gemma3_path(models_dir=folder)
    assert path.read_bytes() == b"GGUF-whole"
    made = path.stat().st_mtime_ns
    assert models.gemma3_path(models_dir=folder).stat().st_mtime_ns == made
    assert [file.name for file in folder.iterdir()] == ["tiny.gguf"]


def test_broken_weights_never_get_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_package(tmp_path, monkeypatch, broken=True)
    with pytest.raises(StartError, match="sha256 did not match"):
        models.gemma3_path(models_dir=folder)
    assert list(folder.iterdir()) == []


def test_missing_package_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "GEMMA3_PACKAGE", "no_such_package")
    with pytest.raises(StartError, match="are missing: run `make demo`"):
        models.gemma3_path(models_dir=tmp_path)


def test_smollm2_is_found_without_its_code() -> None:
    with models.smollm2_path().open("rb") as file:
        assert file.read(4) == b"GGUF"

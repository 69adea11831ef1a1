"""Turns a GGUF file into a folder of safetensors, once: transformers loads that many times faster.

The folder gets its final name only when it is complete, so a killed worker leaves no half of a model.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workers.backends.engines import import_engine

_SOURCE = "source.json"


def converted_folder(gguf: Path, *, cache: Path, dtype: str) -> Path:
    """The folder of the converted model; made if it is not there. `dtype` is the name of a torch dtype."""
    folder = cache / _folder_name(gguf, dtype)
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with _lock(cache / f"{folder.name}.lock"):
        if folder.is_dir():
            return folder
        for leftover in cache.glob(f"{folder.name}.partial-*"):
            shutil.rmtree(leftover)
        partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.partial-", dir=cache))
        try:
            _convert(gguf, partial, dtype)
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return folder


def source_of(folder: Path) -> dict[str, Any]:
    """Which file a converted folder came from: its name and sha256. Empty for other folders."""
    path = folder / _SOURCE
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _folder_name(gguf: Path, dtype: str) -> str:
    """Names the file by path, size and time: reading all of a large one at every start takes too long."""
    state = gguf.stat()
    mark = hashlib.sha256(f"{gguf.resolve()}|{state.st_size}|{state.st_mtime_ns}".encode()).hexdigest()[:16]
    return f"{gguf.stem}-{dtype}-{mark}"


def _convert(gguf: Path, target: Path, dtype: str) -> None:
    transformers = import_engine("transformers")
    transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(target)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        quantization_config=transformers.GgufConfig(dequantize=True),
        dtype=getattr(import_engine("torch"), dtype),
    )
    model.save_pretrained(target)
    with gguf.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    source = {"gguf_file": gguf.name, "gguf_sha256": digest}
    (target / _SOURCE).write_text(json.dumps(source), encoding="utf-8")


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One converter at a time on this machine. The lock ends with the process, however that ends."""
    with path.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield

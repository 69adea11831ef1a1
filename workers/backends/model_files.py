"""Finds the files of a model: a folder of this machine, or a repository of the model hub at one revision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workers.backends.engines import import_engine
from workers.backends.errors import BackendMisconfigured, BackendUnavailable

# Weights as safetensors only: the older pickle files can run code.
_PATTERNS = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"]


@dataclass(frozen=True)
class ModelFiles:
    """`revision` is the full commit of a hub's repository, None for a folder."""

    folder: Path
    revision: str | None


def find_model_files(model: str, *, revision: str | None, gguf_file: str | None) -> ModelFiles:
    folder = Path(model).expanduser()
    if folder.is_dir():
        if gguf_file is not None and not (folder / gguf_file).is_file():
            raise BackendMisconfigured(f"The model's folder holds no file {gguf_file}.")
        return ModelFiles(folder, None)
    if model.startswith(("/", "./", "../", "~")):
        raise BackendMisconfigured("There is no such model folder on this worker.")
    return _download(model, revision, [gguf_file] if gguf_file else _PATTERNS)


def _download(repository: str, revision: str | None, patterns: list[str]) -> ModelFiles:
    hub = import_engine("huggingface_hub")
    errors = import_engine("huggingface_hub.errors")

    try:
        folder = Path(hub.snapshot_download(repository, revision=revision, allow_patterns=patterns))
    except errors.GatedRepoError:
        raise BackendMisconfigured(f"{repository} asks for a licence to be accepted and a token.") from None
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError):
        raise BackendMisconfigured(f"The model hub has no {repository} at this revision.") from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, errors.HfHubHTTPError):
        raise BackendUnavailable(
            f"{repository} is not on this worker and the model hub cannot be reached."
        ) from None
    return ModelFiles(folder, folder.name)

"""What is particular to the torch backend. The promises of all backends are in test_contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.backends.errors import BackendMisconfigured, BackendUnavailable
from workers.backends.registry import create
from workers.backends.types import GenerationRequest, Message

pytestmark = pytest.mark.torch

REQUEST = GenerationRequest(messages=(Message("user", "Name a colour."),), seed=1)


def test_unknown_folder_is_a_wrong_entry() -> None:
    with pytest.raises(BackendMisconfigured, match="no such model folder"):
        create("transformers", {"model": "/nowhere"}).generate(REQUEST, deadline_s=60)


def test_missing_gguf_file_is_a_wrong_entry(tmp_path: Path) -> None:
    with pytest.raises(BackendMisconfigured, match=r"no file a\.gguf"):
        create("transformers", {"model": str(tmp_path), "gguf_file": "a.gguf"}).generate(
            REQUEST, deadline_s=60
        )


def test_folder_without_a_model_is_a_wrong_entry(tmp_path: Path) -> None:
    with pytest.raises(BackendMisconfigured, match="cannot be loaded"):
        create("transformers", {"model": str(tmp_path)}).generate(REQUEST, deadline_s=60)


def test_hub_out_of_reach_is_unavailable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BackendUnavailable, match="model hub cannot be reached"):
        create("transformers", {"model": "nobody/nothing"}).generate(REQUEST, deadline_s=60)


def test_name_that_is_no_repository_is_a_wrong_entry() -> None:
    with pytest.raises(BackendMisconfigured, match="model hub has no"):
        create("transformers", {"model": "a/b/c"}).generate(REQUEST, deadline_s=60)

from __future__ import annotations

import subprocess
import sys

import pytest

from workers.backends import registry
from workers.backends.errors import BackendMisconfigured

HEAVY = ["torch", "transformers", "openai", "xllamacpp", "huggingface_hub", "django", "celery"]


def test_describing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from workers.backends import registry; registry.describe(); registry.titles(); "
        f"found = set({HEAVY}) & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_kind_explains_its_options() -> None:
    for fields in registry.describe().values():
        assert fields
        assert all(option.help for option in fields)
        assert len({option.name for option in fields}) == len(fields)
        assert all(option.default in option.choices for option in fields if option.choices)


def test_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BackendMisconfigured, match="openai"):
        registry.create("telepathy", {})


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.backends.engines.find_spec", lambda _: None)
    with pytest.raises(BackendMisconfigured, match="pip install torch transformers gguf accelerate"):
        registry.create("transformers", {"model": "owner/name", "gguf_file": "a.gguf"})

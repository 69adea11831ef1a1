"""The house rules that a machine can check."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def modules_after(statement: str) -> set[str]:
    """Top-level modules loaded by `statement` in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint('\\n'.join(m.split('.')[0] for m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_the_web_process_never_imports_a_gpu_library_or_a_worker():
    loaded = modules_after("import arena.wsgi; from django.test import Client")
    assert not loaded & {"torch", "transformers", "xllamacpp", "workers", "sparrow_decider", "openai"}


def test_the_ranking_library_needs_numpy_and_scipy_alone():
    loaded = modules_after("import arena.ranking, arena.ranking.registry")
    assert not loaded & {"django", "celery", "pandas", "torch", "choix", "evalica"}


@pytest.mark.parametrize(
    "module",
    ["workers.backends.registry", "evaluators.registry", "arena.exports.recompute", "arena.ops.demo"],
)
def test_pure_entry_points_load_no_django(module):
    assert "django" not in modules_after(f"import {module}")


def test_import_contracts_hold():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_catalogue_options_are_those_of_the_workers_backends():
    from arena.catalog.models import Provider
    from arena.catalog.providers import OPTIONS
    from workers.backends import registry

    for kind, fields in registry.describe().items():
        if kind not in Provider.values:
            continue
        form = {option.name: option.required for option in OPTIONS if kind in option.providers}
        # `revision` is a field of the system, `cache_dir` belongs to the worker.
        backend = {
            field.name: field.required for field in fields if field.name not in ("revision", "cache_dir")
        }
        assert form == backend, kind


def test_templates_hold_no_inline_script_style_or_handler():
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text()
        assert " style=" not in text, path
        assert "<style" not in text, path
        assert "|safe" not in text, path
        assert "autoescape off" not in text, path
        for line in text.splitlines():
            assert "<script" not in line or "src=" in line, f"{path}: {line}"
            assert not any(f" on{event}=" in line for event in ("click", "load", "submit", "change")), path


def test_vendored_files_are_unchanged():
    import hashlib
    import re

    vendor = ROOT / "arena/core/static/vendor"
    listed = re.findall(
        r"^\| `([^`]+)` .*`([0-9a-f]{64})` \|$", (vendor / "README.md").read_text(), re.MULTILINE
    )
    assert {name for name, _ in listed} == {
        str(path.relative_to(vendor)) for path in vendor.rglob("*") if path.suffix in (".js", ".woff2")
    }
    for name, checksum in listed:
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == checksum, name

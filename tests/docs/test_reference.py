"""Pages that are made from the code say what the code says."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_reference_is_that_of_the_docstrings():
    spec = importlib.util.spec_from_file_location("reference_make", ROOT / "docs" / "reference" / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    assert make.PAGE.read_text(encoding="utf-8") == make.page(), "run: python docs/reference/make.py"

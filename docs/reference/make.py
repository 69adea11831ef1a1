"""Writes the reference of the ranking library from its docstrings: python docs/reference/make.py

A test compares the page with the code, so that it cannot fall behind.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "ranking.md"
PACKAGE = "arena.ranking"
INSIDE = (
    *(
        "__main__",
        "arrays",
        "board",
        "choices",
        "counts",
        "graph",
        "island",
        "newton",
        "poisson",
        "resampling",
    ),
    *("scored", "scores", "settings", "table_problem", "tie_fit", "tie_models", "votes_file"),
    *("covariates.contrasts", "covariates.fit", "covariates.problem", "covariates.rows", "covariates.spread"),
    *("cycles.fibre", "cycles.holm", "voters.ideal_point_fit", "voters.mixture_fit", "voters.voter_table"),
)
"""Modules whose names no user of the library needs."""

OPENING = """# Reference of `arena.ranking`

The modules that users of the library need, made from the docstrings by `python docs/reference/make.py`; edit
those. For which model to choose when, read [the ranking library](../ranking.md). Names marked * can be
imported from `arena.ranking` itself.
"""


def page() -> str:
    front = set(importlib.import_module(PACKAGE).__all__)
    modules = [importlib.import_module(name) for name in sorted(_names())]
    parts = [OPENING, "\n".join(_contents(module) for module in modules)]
    for module in modules:
        parts.append("\n".join(_module(module, front)))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _names() -> Iterator[str]:
    package = importlib.import_module(PACKAGE)
    for found in pkgutil.walk_packages(package.__path__, f"{PACKAGE}."):
        if found.name.removeprefix(f"{PACKAGE}.") not in INSIDE:
            yield found.name


def _contents(module: ModuleType) -> str:
    name = module.__name__.removeprefix(f"{PACKAGE}.")
    first = inspect.cleandoc(module.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
    return f"- [`{name}`](#{name.replace('.', '')}) {first}"


def _module(module: ModuleType, front: set[str]) -> Iterator[str]:
    yield f"## {module.__name__.removeprefix(f'{PACKAGE}.')}\n"
    yield inspect.cleandoc(module.__doc__ or "")
    for name, member in sorted(vars(module).items()):
        if name.startswith("_") or getattr(member, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(member) or inspect.isfunction(member):
            if inspect.isclass(member) and issubclass(member, Exception):
                yield f"\n- **{name}** {inspect.cleandoc(member.__doc__ or '')}"
                continue
            yield f"\n### {name}{'*' if name in front else ''}\n"
            yield from _documented(name, member)
            yield from _methods(member)


def _documented(name: str, member: Any) -> Iterator[str]:
    yield "```text"
    yield _signature(name, member)
    if member.__doc__ and not member.__doc__.startswith(f"{name}("):
        yield ""
        yield inspect.cleandoc(member.__doc__)
    yield "```"


def _methods(member: Any) -> Iterator[str]:
    if not inspect.isclass(member) or getattr(member, "_is_protocol", False):
        return
    for name, method in vars(member).items():
        plain = method.__func__ if isinstance(method, (classmethod, staticmethod)) else method
        if not name.startswith("_") and inspect.isfunction(plain) and plain.__doc__:
            yield ""
            yield from _documented(f"{member.__name__}.{name}", plain)


def _signature(name: str, member: Any) -> str:
    try:
        signature = inspect.signature(member)
    except (TypeError, ValueError):
        return name
    shown = [_parameter(p) for p in signature.parameters.values() if p.name not in ("self", "cls")]
    returned = signature.return_annotation
    arrow = "" if inspect.isclass(member) or returned is inspect.Signature.empty else f" -> {returned}"
    flat = f"{name}({', '.join(shown)}){arrow}"
    if len(flat) <= 100:
        return flat
    return f"{name}(\n" + "".join(f"    {text},\n" for text in shown) + f"){arrow}"


def _parameter(parameter: inspect.Parameter) -> str:
    known = parameter.annotation is not inspect.Parameter.empty
    annotation = f": {parameter.annotation}" if known else ""
    if parameter.default is inspect.Parameter.empty:
        return f"{parameter.name}{annotation}"
    return f"{parameter.name}{annotation} = {parameter.default!r}"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGE.write_text(page(), encoding="utf-8")

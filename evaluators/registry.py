"""The evaluators by name. Imports none: an entry is words and a dotted path until somebody creates it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

from evaluators.types import EvaluatorError, Scorer


@dataclass(frozen=True, kw_only=True)
class ScorerEntry:
    """`path` is module:class; `title` and `limits` are for readers of a board; `licence` is the model's."""

    name: str
    path: str
    title: str
    limits: str
    licence: str


SCORERS = (
    ScorerEntry(
        name="sparrow-relevance",
        path="evaluators.rewards.sparrow:SparrowRelevance",
        title="Topic match (Sparrow Decider nano, 2 MB)",
        limits="Tells how far a response is about the same things as its prompt. It does not read for truth, "
        "style or length, and takes a response that only repeats the prompt for a good one. For English.",
        licence="Apache-2.0",
    ),
    ScorerEntry(
        name="fake",
        path="evaluators.rewards.fake:FakeScorer",
        title="Fake (tests only)",
        limits="Means nothing.",
        licence="Apache-2.0",
    ),
)


def available() -> tuple[ScorerEntry, ...]:
    return SCORERS


def create(name: str, params: Mapping[str, Any]) -> Scorer:
    """Make a scorer. Raises EvaluatorError for an unknown name, a wrong parameter or a missing package."""
    entry = next((entry for entry in SCORERS if entry.name == name), None)
    if entry is None:
        known = ", ".join(entry.name for entry in SCORERS)
        raise EvaluatorError(f"There is no evaluator {name!r}. Known are: {known}.")
    module, _, attribute = entry.path.partition(":")
    try:
        return cast(Scorer, getattr(import_module(module), attribute)(**params))
    except TypeError as error:
        raise EvaluatorError(f"Wrong parameters for the evaluator {name}: {error}") from error

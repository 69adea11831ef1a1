from __future__ import annotations

import subprocess
import sys

import pytest

from evaluators.registry import available, create
from evaluators.types import EvaluatorError, Sample, Score


def test_listing_imports_no_evaluator() -> None:
    code = (
        "import sys; from evaluators.registry import available; available(); "
        "found = [name for name in sys.modules if name.startswith('evaluators.rewards')"
        " or name in ('numpy', 'torch', 'django')]; assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_entry_tells_its_limits() -> None:
    assert all(entry.title and entry.limits and entry.licence for entry in available())
    assert len({entry.name for entry in available()}) == len(available())


def test_unknown_evaluator_is_refused_with_the_known_ones() -> None:
    with pytest.raises(EvaluatorError, match="sparrow-relevance"):
        create("oracle", {})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_score_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(EvaluatorError, match="finite"):
        Score(value=value)


def test_fake_scores_as_told() -> None:
    samples = [Sample(prompt="p", response="short"), Sample(prompt="p", response="rather longer")]
    short, longer = create("fake", {"prefer": "longer"}).score(samples)
    assert short.value < longer.value
    assert len({score.value for score in create("fake", {"prefer": "equal"}).score(samples)}) == 1
    with pytest.raises(EvaluatorError, match="prefer"):
        create("fake", {"prefer": "cheap"})

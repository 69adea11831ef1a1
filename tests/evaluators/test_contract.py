"""What every scorer promises, tried on each of the registry."""

from __future__ import annotations

import json

import pytest

from evaluators.registry import available, create
from evaluators.types import EvaluatorError, Sample, Scorer

SAMPLES = [
    Sample(prompt="Name a river.", response="The Danube flows through ten countries."),
    Sample(prompt="Name a river.", response=""),
    Sample(prompt="", response="Yes."),
]


@pytest.fixture(params=[entry.name for entry in available()])
def scorer(request: pytest.FixtureRequest) -> Scorer:
    return create(request.param, {})


def test_one_score_per_sample_and_none_for_none(scorer: Scorer) -> None:
    assert len(scorer.score(SAMPLES)) == len(SAMPLES)
    assert scorer.score([]) == []


def test_same_sample_same_score(scorer: Scorer) -> None:
    assert scorer.score(SAMPLES) == create(scorer.name, {}).score(SAMPLES)


def test_detail_is_json(scorer: Scorer) -> None:
    assert all(json.loads(json.dumps(dict(score.detail))) for score in scorer.score(SAMPLES))


def test_it_is_named_as_in_the_registry_and_versioned(scorer: Scorer, request: pytest.FixtureRequest) -> None:
    assert scorer.name == request.node.callspec.params["scorer"]
    assert scorer.version


def test_unknown_parameter_is_refused_by_name(scorer: Scorer) -> None:
    with pytest.raises(EvaluatorError, match="colour"):
        create(scorer.name, {"colour": "red"})

"""Topic match by Sparrow Decider nano: a 2 MB model in the package sparrow-decider that needs only numpy.

How it asks. The model answers typed questions with probabilities. Asked outright whether a response is
good, it is no better than a coin (5 to 10 of 14 pairs over 30 wordings), as its makers say of yes/no
questions. What it does know is which of several options goes with a text. So the prompt is the text, the
response is one option and meaningless words are the other; the value is the probability of the response,
from 0 to 1.

How good it is. On pairs with an obviously better response, written for this, it was right in 10 of 14 while
the question was chosen, and in 10 of 14 others looked at once, afterwards: 9 of 11 where the worse response
was off topic or nonsense, 1 of 3 where it repeated words of the prompt. See tests/evaluators/pairs.py.

Limits. It reads a bag of words: neither order, truth nor style. It prefers echoes of the prompt. Short
creative answers score low. It is made for English. Of prompt and response it reads the first 512 tokens each.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from evaluators.types import EvaluatorError, Sample, Score

# A published question is never changed: its number is a part of the version.
_QUESTION_NUMBER = 1
_QUESTION = "Which reply fits this message?"
_OPPOSITE = "random words without meaning"
_MODEL = "sparrow-nano-general-v1.1"


class SparrowRelevance:
    """Values are probabilities, without a unit. About half a millisecond per sample on one core."""

    name = "sparrow-relevance"

    def __init__(self) -> None:
        try:
            from sparrow_decider import Decider
        except ImportError as error:
            raise EvaluatorError(
                "This evaluator needs the package sparrow-decider: pip install sparrow-decider"
            ) from error
        self._decider = Decider.load(_MODEL)
        self.version = f"{_QUESTION_NUMBER}-{_MODEL}-{version('sparrow-decider')}"

    def score(self, samples: Sequence[Sample]) -> list[Score]:
        return [self._score(sample) for sample in samples]

    def _score(self, sample: Sample) -> Score:
        criteria = {"response": sample.response, "other": _OPPOSITE}
        question = {"type": "choice", "instructions": _QUESTION, "criteria": criteria}
        # Not ask(), which rounds to four places and so makes ties of good responses.
        _, _, _, probabilities = self._decider.probs(sample.prompt, question)
        detail = {"question": _QUESTION, "opposite": _OPPOSITE, "model": _MODEL}
        return Score(value=float(probabilities[0]), detail=detail)

"""The admin's form of a board: its ranking settings are tried before they are saved."""

from __future__ import annotations

from typing import Any

import numpy as np
from django import forms

from arena.leaderboards.models import Board
from arena.leaderboards.services import DEFAULTS
from arena.ranking import Ballots, InvalidFeature, RankingError
from arena.ranking.covariates.style import TEXT_FEATURES
from arena.ranking.registry import features_asked, fit_from_settings


class BoardForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Board
        fields = [
            "arena",
            "name",
            "slug",
            "voters",
            "vote_source",
            "judge",
            "ranking",
            "position",
            "is_published",
        ]

    def clean_ranking(self) -> dict[str, Any]:
        ranking = self.cleaned_data["ranking"] or {}
        if not isinstance(ranking, dict):
            raise forms.ValidationError("This must be a JSON object such as {“cluster”: “prompt”}.")
        try:
            settings = {**DEFAULTS, **ranking}
            fit_from_settings(settings, _trial(features_asked(settings)))
        except (RankingError, TypeError, ValueError) as error:
            raise forms.ValidationError(f"The ranking library refuses this: {error}") from error
        return ranking


def _trial(features: tuple[str, ...]) -> Ballots:
    """Votes that any model can be fitted to. Raises InvalidFeature for a feature that nobody counts."""
    unknown = [name for name in features if name not in TEXT_FEATURES]
    if unknown:
        raise InvalidFeature(f"no feature {unknown[0]!r}; counted are {', '.join(TEXT_FEATURES)}")
    count, rng = 60, np.random.default_rng(0)
    first = rng.integers(3, size=count)
    return Ballots.from_pair_columns(
        items=["a", "b", "c"],
        first=first,
        second=(first + rng.integers(1, 3, size=count)) % 3,
        outcome=rng.integers(3, size=count),
        voter=np.arange(count) % 30,
        prompt=np.arange(count) // 2,
        chance=np.full(count, 1 / 3),
        features=rng.integers(100, size=(2 * count, len(features))) if features else None,
        feature_names=features,
    )

"""The admin's form of a board: its ranking settings are tried before they are saved."""

from __future__ import annotations

from typing import Any

from django import forms

from arena.leaderboards.models import Board
from arena.leaderboards.services import DEFAULTS
from arena.ranking import Ballots, RankingError
from arena.ranking.registry import fit_from_settings


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
        trial = Ballots.from_pairs(["a", "b"], ["b", "a"], ["a", "tie"], voter=[1, 2], prompt=[1, 2])
        try:
            fit_from_settings({**DEFAULTS, **ranking}, trial)
        except (RankingError, TypeError, ValueError) as error:
            raise forms.ValidationError(f"The ranking library refuses this: {error}") from error
        return ranking

"""All rules by name, so that an arena's way of pairing is one stored setting."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np

from arena.ranking.errors import InvalidSetting, RankingError
from arena.ranking.pairing.bandits import KSortUcb, OptimisticRival, Thompson
from arena.ranking.pairing.by_count import FallingVariance, LeastCompared, Targets, Uniform
from arena.ranking.pairing.by_score import Dissimilar, DiverseSet, SmallMargin
from arena.ranking.pairing.designs import BlockDesign
from arena.ranking.pairing.information import Information, InformationSets, WidestPreference
from arena.ranking.pairing.plan import PairPlan, Plan
from arena.ranking.pairing.state import State


class Rule(Protocol):
    """Settings in the constructor, the arena's state in `plan`."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __init__(self, **settings: Any) -> None: ...

    def plan(self, state: State, k: int = 2) -> Plan:
        """A plan for battles of `k`. A plan of pairs serves any k."""


RULES: dict[str, type[Rule]] = {
    "uniform": Uniform,
    "least-compared": LeastCompared,
    "targets": Targets,
    "falling-variance": FallingVariance,
    "information": Information,
    "information-sets": InformationSets,
    "widest-preference": WidestPreference,
    "ksort-ucb": KSortUcb,
    "thompson": Thompson,
    "optimistic-rival": OptimisticRival,
    "small-margin": SmallMargin,
    "dissimilar": Dissimilar,
    "diverse-set": DiverseSet,
    "block-design": BlockDesign,
}


def rule_from_settings(settings: Mapping[str, Any]) -> Rule:
    """The rule that JSON settings describe: "rule" is a name of RULES, every other key one of its settings.

    Raises InvalidSetting for anything unknown.
    """
    name = settings.get("rule", "least-compared")
    if not isinstance(name, str) or name not in RULES:
        raise InvalidSetting(f"rule must be one of {', '.join(RULES)}, not {name!r}")
    known = {field.name for field in dataclasses.fields(RULES[name])}
    given = {key: value for key, value in settings.items() if key != "rule"}
    unknown = sorted(set(given) - known)
    if unknown:
        raise InvalidSetting(f"{name} has no setting {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    try:
        return RULES[name](**given)
    except RankingError:
        raise
    except (TypeError, ValueError, OverflowError, AttributeError) as problem:
        raise InvalidSetting(f"a setting of {name} has the wrong type: {problem}") from problem


def pair_plan(settings: Mapping[str, Any], state: State) -> PairPlan:
    """The chances of all pairs under the rule that JSON settings describe.

    Raises InvalidSetting for anything unknown, IncompleteState for a rule that reads what the state lacks,
    and what the rule raises.
    """
    plan = rule_from_settings(settings).plan(state, 2)
    return plan if isinstance(plan, PairPlan) else plan.as_pairs()


def check_pairing(settings: Mapping[str, Any]) -> None:
    """Try the settings on a small board. Raises as `pair_plan` does; embeddings are not at hand."""
    met = np.ones((4, 4))
    theta, covariance = np.linspace(-0.5, 0.5, 4), 0.1 * np.eye(4)
    pair_plan(settings, State(tuple("abcd"), met, won=met, theta=theta, covariance=covariance))

"""Which systems meet next, and with what chance: a rule reads a `State` and returns a plan, a plan draws
battles. Nothing here knows a voter, a prompt or a database.
"""

from arena.ranking.pairing.bandits import KSortUcb, OptimisticRival, Thompson
from arena.ranking.pairing.by_count import FallingVariance, LeastCompared, Targets, Uniform
from arena.ranking.pairing.by_score import Dissimilar, DiverseSet, SmallMargin
from arena.ranking.pairing.designs import BlockDesign
from arena.ranking.pairing.draw import Drawn, draw_battle, draw_from_plan, meeting_counts
from arena.ranking.pairing.information import Information, InformationSets, WidestPreference
from arena.ranking.pairing.plan import PairPlan, Plan, SetPlan, plan_from_dict
from arena.ranking.pairing.rules import RULES, Rule, rule_from_settings
from arena.ranking.pairing.sorting import PairSort, Question, SortUnfinished
from arena.ranking.pairing.state import State

__all__ = [
    "RULES",
    "BlockDesign",
    "Dissimilar",
    "DiverseSet",
    "Drawn",
    "FallingVariance",
    "Information",
    "InformationSets",
    "KSortUcb",
    "LeastCompared",
    "OptimisticRival",
    "PairPlan",
    "PairSort",
    "Plan",
    "Question",
    "Rule",
    "SetPlan",
    "SmallMargin",
    "SortUnfinished",
    "State",
    "Targets",
    "Thompson",
    "Uniform",
    "WidestPreference",
    "draw_battle",
    "draw_from_plan",
    "meeting_counts",
    "plan_from_dict",
    "rule_from_settings",
]

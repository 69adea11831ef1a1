"""Rank by asking: after every ballot an order, how sure it is, and the set to show next. It fits no scores;
a board takes those from the models that read all ballots.
"""

from arena.ranking.sequential.noise import Noise
from arena.ranking.sequential.ranker import ActiveRanker

__all__ = ["ActiveRanker", "Noise"]

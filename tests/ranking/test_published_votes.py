"""Fits of published votes against published figures and an independent library."""

import numpy as np
import pytest

from arena.ranking import BradleyTerry, Sandwich
from arena.ranking.result import SCALE
from tests.ranking.boards import published_ballots, published_rows, scores_of

pytestmark = pytest.mark.data

# Bradley-Terry with ties as half, mean 1000, on the 3,355 human votes of MT-bench (both turns).
# Votes: Zheng et al. 2023, arXiv:2306.05685; figures: an independent dense Newton fit.
MT_BENCH = {
    "gpt-4": 1177.4,
    "claude-v1": 1111.7,
    "gpt-3.5-turbo": 1104.2,
    "vicuna-13b-v1.2": 990.1,
    "alpaca-13b": 867.7,
    "llama-13b": 749.0,
}


def evalica_scores(rows):
    import evalica

    winners = {"model_a": evalica.Winner.X, "model_b": evalica.Winner.Y, "tie": evalica.Winner.Draw}
    result = evalica.bradley_terry(
        [row["model_a"] for row in rows],
        [row["model_b"] for row in rows],
        [winners[row["winner"]] for row in rows],
        tolerance=1e-12,
        limit=1_000_000,
    )
    strength = np.log(result.scores)
    return (1000.0 + SCALE * (strength - strength.mean())).to_dict()


def mean_width_ratio(ballots, cluster):
    by_ballot = BradleyTerry().fit(ballots, interval=Sandwich())
    clustered = BradleyTerry().fit(ballots, interval=Sandwich(cluster=cluster))
    return np.mean(
        [
            (clustered[i].high - clustered[i].low) / (by_ballot[i].high - by_ballot[i].low)
            for i in ballots.items
        ]
    )


def test_mt_bench_matches_the_reference_figures():
    ballots = published_ballots(published_rows("mtbench_votes.csv.gz"), "question_id")
    assert len(ballots) == 3355
    assert scores_of(BradleyTerry().fit(ballots)) == pytest.approx(MT_BENCH, abs=0.1)


@pytest.mark.parametrize("name", ["llmfao_votes.csv.gz", "mtbench_votes.csv.gz"])
def test_scores_match_evalica(name):
    rows = published_rows(name)
    prompt = "prompt_id" if "prompt_id" in rows[0] else "question_id"
    ours = scores_of(BradleyTerry().fit(published_ballots(rows, prompt)))
    assert ours == pytest.approx(evalica_scores(rows), abs=0.001, rel=0)


# Width of clustered 95 % intervals over that by ballot, mean over systems (own reference computation).
@pytest.mark.parametrize(
    ("name", "prompt", "cluster", "ratio"),
    [
        ("llmfao_votes.csv.gz", "prompt_id", "voter", 1.22),
        ("llmfao_votes.csv.gz", "prompt_id", "prompt", 1.91),
        ("mtbench_votes.csv.gz", "question_id", "voter", 1.07),
        ("mtbench_votes.csv.gz", "question_id", "prompt", 1.74),
    ],
)
def test_clusters_widen_intervals_as_much_as_published(name, prompt, cluster, ratio):
    ballots = published_ballots(published_rows(name), prompt)
    assert mean_width_ratio(ballots, cluster) == pytest.approx(ratio, rel=0.03)


@pytest.mark.parametrize(("cluster", "separated"), [("ballot", 933), ("voter", 838), ("prompt", 517)])
def test_llmfao_has_as_many_separated_pairs_as_published(cluster, separated):
    """Pairs of the 1,711 whose intervals do not overlap."""
    ballots = published_ballots(published_rows("llmfao_votes.csv.gz"), "prompt_id")
    ratings = BradleyTerry().fit(ballots, interval=Sandwich(cluster=cluster)).ratings
    apart = sum(a.low > b.high for a in ratings for b in ratings)
    assert abs(apart - separated) <= 2

"""Fits of published votes against published figures and an independent library."""

import numpy as np
import pytest

from arena.ranking import BradleyTerry, Sandwich
from arena.ranking.result import SCALE
from tests.ranking.boards import published_ballots, published_rows, scores_of
from tests.ranking.oracles import bradley_terry, classical, clustered

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


def code_of(ballots, cluster):
    return np.arange(len(ballots)) if cluster == "ballot" else getattr(ballots, cluster)


# Width of textbook intervals (C / (C - 1), normal quantile) over that by ballot, mean over systems (own
# reference computation).
@pytest.mark.parametrize(
    ("name", "prompt", "cluster", "ratio"),
    [
        ("llmfao_votes.csv.gz", "prompt_id", "voter", 1.22),
        ("llmfao_votes.csv.gz", "prompt_id", "prompt", 1.91),
        ("mtbench_votes.csv.gz", "question_id", "voter", 1.07),
        ("mtbench_votes.csv.gz", "question_id", "prompt", 1.74),
    ],
)
def test_clusters_widen_intervals_at_least_as_much_as_published(name, prompt, cluster, ratio):
    ballots = published_ballots(published_rows(name), prompt)
    votes = bradley_terry(ballots, np.ones(len(ballots)))
    textbook = classical(votes.inverse, votes.scores, code_of(ballots, cluster)).width()
    single = classical(votes.inverse, votes.scores, code_of(ballots, "ballot")).width()
    assert (textbook / single).mean() == pytest.approx(ratio, rel=0.03)
    ours = BradleyTerry().fit(ballots, interval=Sandwich(cluster=cluster))
    width = np.array([ours[item].high - ours[item].score for item in ballots.items])
    assert width == pytest.approx(SCALE * clustered(*votes, code_of(ballots, cluster)).width(), rel=1e-6)
    # Student's quantile and the raised scores only widen.
    assert (width > 0.995 * SCALE * textbook).all()


@pytest.mark.parametrize(("cluster", "textbook"), [("ballot", 933), ("voter", 838), ("prompt", 517)])
def test_llmfao_has_the_published_separated_pairs_less_those_that_few_clusters_tell_apart(cluster, textbook):
    """Pairs of the 1,711 whose intervals do not overlap. By prompt a quarter of the systems has 3 degrees of
    freedom or fewer: GPT 3.5 Turbo has 226 of its 366 votes on one of the 13 prompts.
    """
    ballots = published_ballots(published_rows("llmfao_votes.csv.gz"), "prompt_id")
    votes, code = bradley_terry(ballots, np.ones(len(ballots))), code_of(ballots, cluster)
    ratings = BradleyTerry().fit(ballots, interval=Sandwich(cluster=cluster)).ratings
    score = np.array([next(r.score for r in ratings if r.item == item) for item in ballots.items])

    def apart(width):
        return int(((score - width)[:, None] > score + width).sum())

    assert abs(apart(SCALE * classical(votes.inverse, votes.scores, code).width()) - textbook) <= 2
    expected = apart(SCALE * clustered(*votes, code).width())
    assert sum(a.low > b.high for a in ratings for b in ratings) == expected
    assert expected < textbook

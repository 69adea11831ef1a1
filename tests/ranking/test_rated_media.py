"""Fits of published image, 3D and video ratings (K-wise, many ties) against independent oracles."""

import csv
import gzip
import itertools
import math
import os
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

import choix
import numpy as np
import pytest

from arena.ranking import Ballots, BradleyTerry, PlackettLuce, Sandwich
from arena.ranking.counts import compare, tally
from arena.ranking.result import SCALE
from tests.ranking.boards import scores_of
from tests.ranking.test_plackett_luce import log_chance

pytestmark = pytest.mark.data

FILE = "human-ratings-long.csv.gz"


@lru_cache(maxsize=1)
def rated():
    """All ballots by (source, task, dimension): lists of (model, score)."""
    folder = os.environ.get("ARENA_DATA")
    if folder is None or not (Path(folder) / FILE).exists():
        pytest.skip(f"{FILE} is not at hand: set ARENA_DATA to the folder that holds it")
    boards = defaultdict(lambda: defaultdict(list))
    with gzip.open(Path(folder) / FILE, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            board = row["source"], row["task"], row["dimension"]
            boards[board][row["prompt_id"], row["rater"]].append((row["model"], float(row["score"])))
    return boards


def ballots_of(board):
    kept = [(key, rows) for key, rows in rated()[board].items() if len(rows) > 1]
    rankings = []
    for _, rows in kept:
        levels = sorted({score for _, score in rows}, reverse=True)
        rankings.append([(model, 1 + levels.index(score)) for model, score in rows])
    return Ballots.from_rankings(rankings, prompt=[key[0] for key, _ in kept]), rankings


IMAGES = ("cmu-genai-bench", "text-to-image", "alignment")


def test_all_of_the_file_is_read():
    assert sum(len(rows) for board in rated().values() for rows in board.values()) == 48_796
    assert sum(len(rows) == 6 for rows in rated()[IMAGES].values()) == 1581


@pytest.mark.parametrize("place", range(4))
def test_half_ties_match_choix_on_dense_counts(place):
    """Every pair of a ballot, ties as half a win each; boards whose systems all won and lost something."""
    board = sorted(rated())[place]
    ballots, rankings = ballots_of(board)
    index = {item: k for k, item in enumerate(ballots.items)}
    won = np.zeros((len(index), len(index)))
    for ranking in rankings:
        for (a, rank_a), (b, rank_b) in itertools.combinations(ranking, 2):
            won[index[a], index[b]] += 0.5 + 0.5 * np.sign(rank_b - rank_a)
            won[index[b], index[a]] += 0.5 + 0.5 * np.sign(rank_a - rank_b)
    expected = choix.ilsr_pairwise_dense(won, alpha=0.0, tol=1e-12, max_iter=1000)
    found = scores_of(BradleyTerry().fit(ballots))
    ours = (np.array([found[item] for item in ballots.items]) - 1000) / SCALE
    assert ours == pytest.approx(expected - expected.mean(), abs=1e-7)


def test_tied_rankings_maximise_the_printed_likelihood():
    """The likelihood, summed straight from the formula, is the one reported and has no slope at the fit."""
    ballots, rankings = ballots_of(("stanford-t23d", "text-to-3d", "alignment"))
    ranking = PlackettLuce().fit(ballots)
    theta = {item: (ranking[item].score - 1000) / SCALE for item in ballots.items}
    delta = {row["size"]: row["delta"] for row in ranking.diagnostics["tie_parameters"]}

    def value(theta, delta):
        return sum(log_chance(r, theta, delta) for r in rankings)

    assert value(theta, delta) == pytest.approx(ranking.diagnostics["log_likelihood"], rel=1e-9)
    step = 1e-4
    for item in ballots.items:
        up, down = ({**theta, item: theta[item] + sign * step} for sign in (1, -1))
        assert abs(value(up, delta) - value(down, delta)) / (2 * step) < 1e-3
    for size in delta:
        up, down = ({**delta, size: delta[size] * math.exp(sign * step)} for sign in (1, -1))
        assert abs(value(theta, up) - value(theta, down)) / (2 * step) < 1e-3


def test_untied_rankings_match_choix():
    board = IMAGES
    _, rankings = ballots_of(board)
    clear = [r for r in rankings if len({rank for _, rank in r}) >= 4]
    kept = []
    for ranking in clear:
        by_rank = {}
        for item, rank in ranking:
            by_rank.setdefault(rank, item)  # the first of each level: a ranking without ties
        kept.append([(item, rank) for rank, item in by_rank.items()])
    ballots = Ballots.from_rankings(kept)
    index = {item: k for k, item in enumerate(ballots.items)}
    data = [[index[item] for item, _ in sorted(r, key=lambda pair: pair[1])] for r in kept]
    expected = choix.ilsr_rankings(len(index), data, alpha=0.0, tol=1e-12, max_iter=1000)
    found = scores_of(PlackettLuce().fit(ballots))
    ours = (np.array([found[item] for item in ballots.items]) - 1000) / SCALE
    assert ours == pytest.approx(expected - expected.mean(), abs=1e-7)


def test_prompts_are_the_clusters_that_matter_where_three_people_rate_each():
    ballots, _ = ballots_of(IMAGES)
    by = {
        cluster: BradleyTerry().fit(ballots, interval=Sandwich(cluster=cluster))
        for cluster in ("ballot", "prompt")
    }
    ratio = [
        (by["prompt"][i].high - by["prompt"][i].low) / (by["ballot"][i].high - by["ballot"][i].low)
        for i in ballots.items
    ]
    assert min(ratio) > 1.1


def test_pairs_of_a_ballot_are_counted_once():
    ballots, rankings = ballots_of(IMAGES)
    total = tally(compare(ballots))
    assert total.events.sum() == sum(len(r) * (len(r) - 1) // 2 for r in rankings)

import dataclasses

import numpy as np
import pytest

from arena.ranking import Ballots, Bootstrap, BradleyTerry, InvalidSetting, MissingClusters, Sandwich
from arena.ranking.sufficient import ways_of

ITEMS = [f"s{i}" for i in range(9)]


def votes(rng, count, *, weighted=False, voters=40, systems=9):
    first = rng.integers(systems, size=count)
    second = (first + rng.integers(1, systems, size=count)) % systems
    return Ballots.from_pair_columns(
        items=ITEMS,
        first=first,
        second=second,
        outcome=rng.integers(4, size=count),
        weight=rng.integers(1, 4, size=count) if weighted else None,
        voter=rng.integers(-1, voters, size=count),
        prompt=rng.integers(voters, size=count),
    )


def together(*parts):
    slots = np.concatenate([p.slot_item for p in parts]), np.concatenate([p.slot_rank for p in parts])
    n = sum(len(p) for p in parts)
    return Ballots.from_columns(
        items=ITEMS,
        offsets=np.arange(0, 2 * n + 1, 2),
        slot_item=slots[0],
        slot_rank=slots[1],
        **{
            name: np.concatenate([getattr(p, name) for p in parts])
            for name in ("all_bad", "weight", "voter", "prompt")
        },
    )


def same(a, b):
    assert a.ratings == b.ratings
    assert a.settings == b.settings
    assert a.diagnostics == b.diagnostics


@pytest.mark.parametrize("cluster", ["ballot", "vote", "voter", "prompt"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "model",
    [BradleyTerry(), BradleyTerry(ties="davidson"), BradleyTerry(ties="rao-kupper", both_bad="grounded")],
)
def test_adding_votes_to_kept_statistics_equals_counting_all_again(rng, cluster, weighted, model):
    old, new = votes(rng, 700, weighted=weighted), votes(rng, 30, weighted=weighted)
    kept = model.statistics(old, clusters=[cluster]).plus(model.statistics(new, clusters=[cluster]))
    same(
        model.fit_statistics(kept, interval=Sandwich(cluster=cluster)),
        model.fit(together(old, new), interval=Sandwich(cluster=cluster)),
    )


def test_new_pairs_and_systems_join(rng):
    old, new = votes(rng, 200, systems=4), votes(rng, 200)
    model = BradleyTerry()
    kept = model.statistics(old, clusters=["ballot"]).plus(model.statistics(new, clusters=["ballot"]))
    same(model.fit_statistics(kept, interval=Sandwich()), model.fit(together(old, new), interval=Sandwich()))


def test_a_bootstrap_of_kept_statistics_is_that_of_all_votes(rng):
    old, new = votes(rng, 700), votes(rng, 30)
    model = BradleyTerry()
    kept = model.statistics(old, clusters=["ballot"]).plus(model.statistics(new, clusters=["ballot"]))
    interval = Bootstrap(replicates=20)
    same(
        model.fit_statistics(kept, interval=interval, rng=np.random.default_rng(3)),
        model.fit(together(old, new), interval=interval, rng=np.random.default_rng(3)),
    )


def test_statistics_kept_two_ways_fit_but_cannot_grow(rng):
    ballots, model = votes(rng, 700), BradleyTerry()
    kept = model.statistics(ballots, clusters=["voter,prompt"])
    assert set(kept.sums) == set(ways_of("voter,prompt"))
    interval = Sandwich(cluster="voter,prompt")
    same(model.fit_statistics(kept, interval=interval), model.fit(ballots, interval=interval))
    with pytest.raises(InvalidSetting):
        kept.plus(kept)


def test_clusters_that_were_not_kept_are_named(rng):
    kept = BradleyTerry().statistics(votes(rng, 50), clusters=["ballot"])
    with pytest.raises(MissingClusters, match="voter"):
        BradleyTerry().fit_statistics(kept, interval=Sandwich(cluster="voter"))


def test_statistics_read_differently_are_not_added(rng):
    ballots = votes(rng, 50)
    left, right = BradleyTerry().statistics(ballots), BradleyTerry(ties="ignore").statistics(ballots)
    with pytest.raises(InvalidSetting):
        left.plus(right)
    other = dataclasses.replace(BradleyTerry().statistics(ballots), items=tuple(reversed(ITEMS)))
    with pytest.raises(InvalidSetting):
        left.plus(other)

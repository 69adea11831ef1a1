import numpy as np
import pytest
from django.utils import timezone

from arena.battles import stock as module
from arena.battles.draw import NothingToCompare, draw_from_stock
from arena.battles.stock import Choice, Stock, Stocks
from arena.generation.models import Response
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def arena():
    return factories.arena(systems=3, prompts=4, answered=True)


def of(arena, stocks=None):
    return (stocks or Stocks()).of(arena)


def drawn(arena, seed=1, voter=None):
    return draw_from_stock(arena=arena, voter=voter or factories.voter(), rng=np.random.default_rng(seed))


def test_the_stock_holds_every_first_answer_of_the_arenas_sets(arena):
    factories.arena(systems=1, prompts=2, answered=True)
    one = Response.objects.filter(system__in=arena.systems.all()).earliest("pk")
    factories.response(system=one.system, prompt=one.prompt, text="a second answer")
    arrays = of(arena)
    assert len(arrays.prompts) == 4
    assert set(arrays.systems) == set(arena.systems.values_list("pk", flat=True))
    place = arrays.prompts.index(one.prompt_id), arrays.systems.index(one.system_id)
    assert arrays.response[place] == one.pk


def test_test_answers_and_live_answers_are_no_stock(arena):
    prompt = arena.prompt_sets.get().prompts.create(text="New?", external_id="new")
    for fields in ({"is_test": True}, {"is_stock": False}):
        factories.response(system=arena.systems.first(), prompt=prompt, **fields)
    assert prompt.pk not in of(arena).prompts


def test_new_answers_are_added_without_reading_the_old_ones_again(arena, django_assert_num_queries):
    stocks = Stocks()
    before = of(arena, stocks)
    assert of(arena, stocks) is before
    prompt = arena.prompt_sets.get().prompts.create(text="New?", external_id="new")
    new = factories.response(system=arena.systems.first(), prompt=prompt)
    with django_assert_num_queries(2):
        after = of(arena, stocks)
    assert new.pk in after.response


def test_a_row_that_is_committed_late_is_not_missed(arena):
    """Numbers are given before rows are committed: a lower one may appear after a higher one was read."""
    stocks, prompts, now = Stocks(), arena.prompt_sets.get().prompts, timezone.now()
    newest = Response.objects.latest("pk").pk
    new = [prompts.create(text=f"New {n}?", external_id=f"new{n}") for n in range(2)]
    factories.response(system=arena.systems.first(), prompt=new[0], pk=newest + 1000)
    stock = Stock(frozenset([arena.prompt_sets.get().pk]))
    assert newest + 1000 in stock.top_up(now).response
    factories.response(system=arena.systems.first(), prompt=new[1], pk=newest + 900)
    assert newest + 900 in stock.top_up(now).response
    stock.top_up(now + 2 * module.LOOK_BACK)
    assert stock.settled == newest + 1000
    assert of(arena, stocks).response.max() == newest + 1000


def test_another_prompt_set_makes_the_stock_anew(arena):
    stocks = Stocks()
    of(arena, stocks)
    other = factories.arena(systems=0, prompts=1)
    prompt = other.prompt_sets.get().prompts.get()
    factories.response(system=arena.systems.first(), prompt=prompt)
    arena.prompt_sets.add(other.prompt_sets.get())
    assert prompt.pk in of(arena, stocks).prompts


def test_only_so_many_arenas_are_kept(monkeypatch):
    monkeypatch.setattr(module, "ARENAS_KEPT", 2)
    stocks = Stocks()
    for _ in range(3):
        stocks.of(factories.arena(systems=2, prompts=1, answered=True))
    assert len(stocks._held) == 2


def test_pairs_meet_on_prompts_where_both_answered_differently_and_the_voter_saw_neither(arena):
    one, two, three = arena.systems.order_by("pk")
    first, second, *_ = Response.objects.filter(system=one).order_by("pk")
    Response.objects.filter(system=two, prompt=first.prompt).update(checksum=first.checksum)
    arrays = of(arena)
    choice = Choice.of(arrays, drawable={one.pk, two.pk}, seen=[(second.prompt_id, two.pk)])
    at = [arrays.systems.index(system.pk) for system in (one, two, three)]
    assert choice.prompts[at[0], at[1]] == 2
    assert choice.prompts[at[0], at[2]] == 0
    met = {arrays.prompts[row] for row in choice.meeting(at[0], at[1])}
    assert first.prompt_id not in met
    assert second.prompt_id not in met
    assert len(met) == 2


def test_the_counts_are_those_of_trying_every_prompt():
    rng = np.random.default_rng(5)
    answers = {}
    number = iter(range(1, 10_000))
    for prompt in range(30):
        systems = rng.permutation(6)[: rng.integers(1, 7)].tolist()
        answers[prompt] = {s: module.Answer(next(number), int(rng.integers(12))) for s in systems}
    arrays = module._arrays(answers)
    seen = [(int(rng.integers(30)), int(rng.integers(6))) for _ in range(20)]
    choice = Choice.of(arrays, drawable={0, 1, 2, 3, 5}, seen=seen)
    for a in range(6):
        for b in range(6):
            expected = [
                prompt
                for prompt, own in answers.items()
                if a != b
                and {a, b} <= set(own) & {0, 1, 2, 3, 5}
                and own[a].text != own[b].text
                and not {(prompt, a), (prompt, b)} & set(seen)
            ]
            ca, cb = arrays.systems.index(a), arrays.systems.index(b)
            assert choice.prompts[ca, cb] == len(expected)
            if a != b:
                assert [arrays.prompts[row] for row in choice.meeting(ca, cb)] == expected


def test_a_draw_takes_stored_answers_of_the_drawn_pair(arena):
    draw = drawn(arena)
    responses = Response.objects.in_bulk(draw.responses)
    assert tuple(responses[pk].system_id for pk in draw.responses) == draw.pair.systems
    assert {responses[pk].prompt_id for pk in draw.responses} == {draw.prompt_id}
    assert 0 < draw.pair.probability <= 1


def test_an_empty_stock_has_nothing_to_compare():
    with pytest.raises(NothingToCompare):
        drawn(factories.arena(systems=2, prompts=2))


def test_the_stock_of_an_arena_without_prompt_sets_is_empty():
    arena = factories.arena(systems=2, prompts=1, answered=True)
    arena.prompt_sets.clear()
    assert Stock(frozenset()).top_up(timezone.now()).prompts == []
    with pytest.raises(NothingToCompare):
        drawn(arena)

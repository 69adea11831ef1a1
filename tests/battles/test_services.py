from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from arena.battles.draw import NothingToCompare, least_compared
from arena.battles.models import Battle, PairingPlan
from arena.battles.selectors import (
    Side,
    battle_state,
    jobs_of_stuck_battles,
    releasable_chars,
    released_chars,
)
from arena.battles.services import (
    ArenaClosed,
    PromptRefused,
    TooManyAsks,
    WorkersBusy,
    battle_ask,
    battle_open,
    battle_replace_failed,
    prompt_clean,
)
from arena.generation.models import Job
from arena.generation.services import FinishedText, job_claim, job_fail, job_finish
from tests import factories

pytestmark = pytest.mark.django_db


def rng(seed=1):
    return np.random.default_rng(seed)


@pytest.fixture
def arena():
    return factories.arena(systems=3, prompts=4, answered=True)


def ask(arena, voter, text="Why is the sky blue?", seed=1):
    return battle_ask(arena=arena, voter=voter, text=text, now=timezone.now(), rng=rng(seed))


def fail_for_good(job):
    Job.objects.filter(pk=job.pk).update(status=Job.Status.RUNNING)
    job.refresh_from_db()
    return job_fail(job=job, error="no", error_kind="X", traceback="", is_retryable=False, now=timezone.now())


def test_a_battle_has_two_different_systems_on_one_prompt(arena):
    battle = factories.battle(arena, factories.voter())
    first, second = battle.slots.select_related("response")
    assert first.system_id != second.system_id
    assert first.response.prompt_id == second.response.prompt_id == battle.prompt_id
    assert [slot.letter for slot in (first, second)] == ["A", "B"]


def test_an_unfinished_battle_is_given_again(arena):
    voter = factories.voter()
    assert factories.battle(arena, voter, seed=1) == factories.battle(arena, voter, seed=2)


def test_an_answer_whose_name_a_voter_was_told_is_never_shown_to_that_voter_again():
    arena, voter = factories.arena(systems=5, prompts=2, answered=True), factories.voter()
    shown = []
    for seed in range(4):
        battle = factories.battle(arena, voter, seed)
        shown += battle.slots.values_list("response_id", flat=True)
        Battle.objects.filter(pk=battle.pk).update(closed_at=timezone.now(), closed_reason="voted")
    assert len(set(shown)) == 8
    with pytest.raises(NothingToCompare):
        factories.battle(arena, voter, 7)


def test_the_draw_probability_is_that_of_the_plan(arena):
    a, b, c = arena.systems.order_by("pk").values_list("pk", flat=True)
    PairingPlan.objects.create(arena=arena, rule="test", weights=[[a, b, 3.0], [b, c, 1.0], [a, c, 0.0]])
    drawn = Counter()
    for seed in range(200):
        battle = factories.battle(arena, factories.voter(), seed)
        pair = tuple(sorted(battle.slots.values_list("system_id", flat=True)))
        drawn[pair] += 1
        assert battle.draw_probability == pytest.approx({(a, b): 0.75, (b, c): 0.25}[pair])
    assert drawn[a, b] / 200 == pytest.approx(0.75, abs=0.1)


def test_display_order_is_random(arena):
    first = [factories.battle(arena, factories.voter(), seed).slots.first().system_id for seed in range(60)]
    assert set(first) == set(arena.systems.values_list("pk", flat=True))


def test_without_a_plan_the_least_compared_pair_is_likelier(arena):
    assert not PairingPlan.objects.exists()
    for seed in range(30):
        factories.battle(arena, factories.voter(), seed)
    counts = Counter(
        tuple(sorted(battle.slots.values_list("system_id", flat=True))) for battle in Battle.objects.all()
    )
    assert min(counts.values()) >= 7  # 30 battles over 3 pairs stay close to 10 each


def test_identical_answers_never_meet():
    arena = factories.arena(systems=2, prompts=1)
    prompt = arena.prompt_sets.first().prompts.first()
    for system in arena.systems.all():
        factories.response(system=system, prompt=prompt, text="The same.")
    with pytest.raises(NothingToCompare):
        factories.battle(arena, factories.voter())


def test_private_unweighted_and_test_answers_are_never_drawn(arena):
    keep = set(arena.systems.order_by("pk").values_list("pk", flat=True)[:2])
    out = arena.systems.order_by("pk").last()
    out.status = "private"
    out.save(update_fields=["status"])
    unweighted = factories.system(arena=arena, weight=0)
    tested = factories.system(arena=arena)
    for prompt in arena.prompt_sets.first().prompts.all():
        factories.response(system=unweighted, prompt=prompt)
        factories.response(system=tested, prompt=prompt, is_test=True)
    for seed in range(20):
        battle = factories.battle(arena, factories.voter(), seed)
        assert set(battle.slots.values_list("system_id", flat=True)) <= keep


def test_a_closed_arena_opens_no_battle(arena):
    arena.is_open = False
    with pytest.raises(ArenaClosed):
        battle_open(arena=arena, voter=factories.voter(), rng=rng())


def test_asking_makes_two_live_jobs_of_different_systems(arena):
    battle = ask(arena, factories.voter())
    jobs = [slot.job for slot in battle.slots.select_related("job")]
    assert {job.purpose for job in jobs} == {Job.Purpose.LIVE}
    assert len({job.system_id for job in jobs}) == 2
    assert not battle_state(battle=battle).is_ready


def test_a_live_battle_is_ready_when_both_jobs_are_done(arena):
    battle = ask(arena, factories.voter())
    for _ in range(2):
        job = job_claim(worker="w", now=timezone.now())
        job_finish(job=job, result=FinishedText(f"Answer of {job.system_id}"), now=timezone.now())
    state = battle_state(battle=battle)
    assert state.is_ready
    assert [side.text for side in state.sides] == [
        f"Answer of {slot.system_id}" for slot in battle.slots.order_by("position")
    ]


@pytest.mark.parametrize("text", ["", "   \n\t ", "\x00\x01\x02", "\u200b"])
def test_a_prompt_without_words_is_refused(text):
    with pytest.raises(PromptRefused):
        prompt_clean(text)


def test_a_prompt_of_200_kilobytes_is_refused_with_its_length(arena):
    with pytest.raises(PromptRefused, match="200,000"):
        ask(arena, factories.voter(), text="x" * 200_000)
    assert not Battle.objects.exists()


def test_control_characters_leave_a_prompt_and_line_breaks_stay():
    assert prompt_clean(" a\x00b\x1b[31m\r\nc\td ") == "ab[31m\nc\td"


def test_a_voter_cannot_ask_without_end(arena):
    voter = factories.voter()
    ask(arena, voter)
    ask(arena, voter)
    with pytest.raises(TooManyAsks):
        ask(arena, voter)


def test_asks_per_minute_are_limited_even_when_finished(arena, settings):
    settings.ASKS_PER_VOTER_PER_MINUTE = 1
    voter = factories.voter()
    ask(arena, voter)
    Job.objects.update(status=Job.Status.DONE)
    with pytest.raises(TooManyAsks):
        ask(arena, voter)
    Battle.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    ask(arena, voter)


def test_a_full_queue_says_so(arena, settings):
    settings.LIVE_QUEUE_MAX = 2
    ask(arena, factories.voter())
    with pytest.raises(WorkersBusy):
        ask(arena, factories.voter())


def test_an_arena_with_one_runnable_system_takes_no_prompts():
    arena = factories.arena(systems=1)
    factories.system(arena=arena, provider="")
    with pytest.raises(ArenaClosed):
        ask(arena, factories.voter())


def test_a_failed_system_is_replaced_by_one_that_is_not_in_the_battle(arena):
    battle = ask(arena, factories.voter())
    slot = battle.slots.first()
    systems = set(battle.slots.values_list("system_id", flat=True))
    battle_replace_failed(job=fail_for_good(slot.job), now=timezone.now(), rng=rng())
    battle.refresh_from_db()
    slot.refresh_from_db()
    assert slot.system_id not in systems
    assert slot.job.status == Job.Status.QUEUED
    assert battle.closed_at is None
    assert battle.draw_probability is None


def test_without_a_replacement_the_battle_is_closed_with_an_apology():
    arena = factories.arena(systems=2)
    battle = ask(arena, factories.voter())
    job = fail_for_good(battle.slots.first().job)
    battle_replace_failed(job=job, now=timezone.now(), rng=rng())
    battle.refresh_from_db()
    assert battle.closed_reason == Battle.CloseReason.FAILED


def test_replacing_twice_for_the_same_failure_changes_nothing_more(arena):
    battle = ask(arena, factories.voter())
    job = fail_for_good(battle.slots.first().job)
    for _ in range(2):
        battle_replace_failed(job=job, now=timezone.now(), rng=rng())
    battle.refresh_from_db()
    assert battle.redraws == 1


def test_a_battle_whose_worker_died_before_the_redraw_is_found(arena):
    battle = ask(arena, factories.voter())
    job = fail_for_good(battle.slots.first().job)
    assert jobs_of_stuck_battles() == [job]


def side(length, *, done):
    return Side("A", "x" * length, is_done=done)


def test_the_slower_side_sets_the_pace():
    assert (
        released_chars(sides=[side(1000, done=False), side(170, done=False)], released=80, step_chars=80)
        == 160
    )
    assert (
        released_chars(sides=[side(1000, done=False), side(170, done=False)], released=160, step_chars=80)
        == 160
    )


def test_a_side_that_is_done_holds_nobody_up():
    assert (
        released_chars(sides=[side(500, done=False), side(10, done=True)], released=80, step_chars=80) == 160
    )


def test_released_text_is_never_taken_back():
    assert (
        released_chars(sides=[side(500, done=True), side(0, done=False)], released=240, step_chars=80) == 240
    )


def test_what_a_browser_claims_to_have_seen_does_not_release_more():
    sides = [side(1000, done=False), side(170, done=False)]
    assert releasable_chars(sides=sides, step_chars=80) == 160


def test_two_that_notice_the_same_failure_redraw_once(arena):
    """The worker and the sweep: the second finds that the slot has another job by now."""
    battle = ask(arena, factories.voter())
    slot = battle.slots.first()
    failed = fail_for_good(slot.job)
    battle_replace_failed(job=failed, now=timezone.now(), rng=rng())
    battle_replace_failed(job=failed, now=timezone.now(), rng=rng(2))
    battle.refresh_from_db()
    assert battle.redraws == 1
    assert Job.objects.filter(status=Job.Status.QUEUED).count() == 2


@pytest.mark.parametrize(
    "text", ["東京\u3000大阪", "می\u200cخواهم", "👨\u200d👩\u200d👧", "a\u00a0b", "नमस्\u200dते"]
)
def test_joiners_and_wide_spaces_stay_in_a_prompt(text):
    assert prompt_clean(text) == text


def test_characters_that_turn_text_around_leave_a_prompt():
    assert prompt_clean("a\u202eb\u2066c") == "abc"


def test_what_was_shown_makes_a_pair_rarer_even_if_nothing_counted(arena):
    a, b, _ = arena.systems.order_by("pk").values_list("pk", flat=True)
    for seed in range(12):
        battle = factories.battle(arena, factories.voter(), seed)
        Battle.objects.filter(pk=battle.pk).update(closed_at=timezone.now(), closed_reason="voted")
    weights = {(first, second): weight for first, second, weight in least_compared(arena=arena)}
    shown = sum(
        set(battle.slots.values_list("system_id", flat=True)) == {a, b} for battle in Battle.objects.all()
    )
    assert weights.get((a, b), 1.0) == 1 / (1 + shown)

"""The published files themselves: counts and figures that their authors, and others, have published."""

import pytest

from arena.accounts.models import Voter
from arena.exports import recompute
from arena.exports.importers.folder import recognise
from arena.exports.selectors import export_folder
from arena.exports.services import export_build, export_queue
from arena.generation.models import Response
from arena.judging.models import JudgeSpec, Verdict
from arena.votes.models import Vote
from tests.exports.conftest import NOW

pytestmark = [pytest.mark.data, pytest.mark.django_db(transaction=True)]

MTBENCH_SCORES = {
    "gpt-4": 1177.4,
    "claude-v1": 1111.7,
    "gpt-3.5-turbo": 1104.2,
    "vicuna-13b-v1.2": 990.1,
    "alpaca-13b": 867.7,
    "llama-13b": 749.0,
}


def round_trip(arena):
    """Export, then fit again from the files alone."""
    export = export_build(export=export_queue(arena=arena, now=NOW))
    assert export.error == ""
    boards = recompute.recompute(export_folder(export=export))
    assert [board.differences for board in boards] == [[]] * len(boards)
    assert max(board.largest_difference for board in boards) < 1e-9
    return export


def test_llmfao_becomes_an_arena_and_its_release_comes_out_again(published, import_folder):
    imported = import_folder(published, "llmfao")
    arena, report = imported.arena, imported.report
    assert not report.rejected
    assert arena.systems.count() == 70
    assert arena.prompt_sets.get().prompts.count() == 19
    assert Response.objects.count() == 1133
    assert Vote.objects.count() == 8931
    assert Voter.objects.count() == 124
    assert {judge.slug: judge.verdicts.count() for judge in JudgeSpec.objects.all()} == {
        "llmfao-gpt-3-5-turbo-instruct": 3236,
        "llmfao-gpt-4": 3236,
    }
    assert imported.systems_rated == 59
    assert imported.first_rows[0].system == "GPT 4"
    assert imported.first_rows[0].score == pytest.approx(1172, abs=0.5)
    assert import_folder(published, "llmfao").report.added == 0
    export = round_trip(arena)
    assert export.manifest["row_count"] == export.manifest["counted_count"] == 8931


def test_mtbench_scores_are_the_published_ones_and_come_out_again(published, import_folder):
    imported = import_folder(published, "mtbench")
    assert not imported.report.rejected
    assert Vote.objects.count() == 3355
    assert Verdict.objects.count() == 2400
    assert Verdict.objects.filter(detail__inconsistent=True).count() == 380
    scores = {row.system: row.score for row in imported.first_rows}
    assert scores == pytest.approx(MTBENCH_SCORES, abs=0.1)
    round_trip(imported.arena)


def test_other_files_of_the_folder_are_skipped_with_a_reason(published):
    found = recognise(published)
    assert [file_set.source for file_set in found.sets] == ["llmfao", "mtbench"]
    assert all(skipped.reason and not skipped.is_broken for skipped in found.skipped)

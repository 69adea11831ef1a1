import json

import pytest

from arena.accounts.models import Voter
from arena.battles.models import Battle, Slot
from arena.catalog.models import Arena, Prompt, System
from arena.exports.importers.run import ImportRefused
from arena.generation.models import Response
from arena.judging.models import JudgeSpec, Verdict
from arena.votes.models import Vote
from tests import factories
from tests.exports.builders import (
    LLMFAO_TEXTS,
    LLMFAO_VOTES,
    MTBENCH_VOTES,
    llmfao_vote,
    write_llmfao,
    write_mtbench,
)

pytestmark = pytest.mark.django_db


def everything():
    return [
        model.objects.count()
        for model in (Arena, System, Prompt, Response, Voter, Battle, Slot, Vote, JudgeSpec, Verdict)
    ]


class TestLlmfao:
    def test_arena_shows_answers_and_boards_of_people_and_judges(self, tmp_path, import_folder):
        write_llmfao(tmp_path)
        arena = import_folder(tmp_path, "llmfao").arena
        assert (arena.slug, arena.source, arena.vote_licence) == ("llmfao", "llmfao", "CC-BY-4.0")
        assert arena.is_open
        assert not arena.takes_own_prompts
        assert list(arena.boards.values_list("slug", "voters", "vote_source", "position")) == [
            ("people", "human", "imported", 1),
            ("people-all", "human", "all", 2),
            ("llmfao-gpt-4", "judge", "all", 10),
        ]
        assert set(arena.systems.values_list("name", "organisation", "provider")) == {
            ("Ten", "House", ""),
            ("Eleven", "House", ""),
            ("Twelve", "Barn", ""),
        }

    def test_votes_keep_voter_order_outcome_and_response(self, tmp_path, import_folder):
        write_llmfao(tmp_path)
        import_folder(tmp_path, "llmfao")
        vote = Vote.objects.get(voter__source_name="worker_3")
        slots = list(vote.battle.slots.values_list("system__name", "response__text"))
        assert slots == [("Twelve", "12 on 2"), ("Ten", "10 on 2")]
        assert vote.outcome == "model_a"
        assert (vote.input, vote.battle.source, vote.voter.source) == ("import", "imported", "llmfao")

    def test_machines_give_verdicts_never_votes(self, tmp_path, import_folder):
        write_llmfao(tmp_path)
        import_folder(tmp_path, "llmfao")
        judge = JudgeSpec.objects.get(slug="llmfao-gpt-4")
        assert (judge.kind, judge.implementation) == ("judge", "")
        assert judge.verdicts.count() == 3
        assert Vote.objects.count() == 5
        assert not Battle.objects.filter(verdicts__isnull=False, voter__isnull=False).exists()
        assert not Voter.objects.filter(source_name="gpt-4").exists()

    def test_prompts_have_their_category_and_set(self, tmp_path, import_folder):
        write_llmfao(tmp_path)
        arena = import_folder(tmp_path, "llmfao").arena
        prompt_set = arena.prompt_sets.get()
        assert (prompt_set.slug, prompt_set.version, prompt_set.licence) == ("llmfao", "1", "CC-BY-4.0")
        assert set(prompt_set.prompts.values_list("external_id", "text", "category__slug")) == {
            ("1", "Write a haiku.", "creativity"),
            ("2", "Add 2 and 2.", "code"),
        }

    def test_responses_remember_where_they_come_from(self, tmp_path, import_folder):
        write_llmfao(tmp_path)
        import_folder(tmp_path, "llmfao")
        response = Response.objects.get(text="10 on 1")
        assert response.total_s == 1.5
        assert response.provenance["response_id"] == "110"
        assert response.provenance["api_id"] == "x/ten"
        assert response.checksum == Response.checksum_of("10 on 1")

    def test_blank_answers_are_stored_and_never_drawn(self, tmp_path, import_folder):
        texts = [{**row, "result": " \n"} if row.get("id") == 110 else row for row in LLMFAO_TEXTS]
        write_llmfao(tmp_path, texts=texts)
        imported = import_folder(tmp_path, "llmfao")
        assert list(Response.objects.filter(is_stock=False).values_list("system__name", flat=True)) == ["Ten"]
        assert "1 responses are blank" in str(imported.report)

    def test_second_import_adds_nothing_and_says_so(self, tmp_path, import_folder):
        write_llmfao(tmp_path)
        import_folder(tmp_path, "llmfao")
        before = everything()
        again = import_folder(tmp_path, "llmfao")
        assert everything() == before
        assert again.report.added == 0
        assert again.report.tallies["people's votes"].already_there == 5
        assert "already there: 5" in str(again.report)
        assert "Nothing new" in str(again.report)

    def test_only_new_rows_of_a_longer_file_are_added(self, tmp_path, import_folder):
        write_llmfao(tmp_path, votes=LLMFAO_VOTES[:3])
        import_folder(tmp_path, "llmfao")
        write_llmfao(tmp_path)
        again = import_folder(tmp_path, "llmfao")
        assert again.report.tallies["people's votes"].added == 2
        assert again.report.tallies["people's votes"].already_there == 3

    def test_identical_rows_are_as_many_votes_and_stay_so(self, tmp_path, import_folder):
        write_llmfao(tmp_path, votes=[*LLMFAO_VOTES, LLMFAO_VOTES[0], LLMFAO_VOTES[0]])
        import_folder(tmp_path, "llmfao")
        assert Vote.objects.filter(voter__source_name="worker_1").count() == 4
        assert import_folder(tmp_path, "llmfao").report.added == 0

    @pytest.mark.parametrize(
        ("vote", "reason"),
        [
            (llmfao_vote(9, 10, 11, "model_c"), "unknown outcome 'model_c'"),
            (llmfao_vote(9, 10, 11, ""), "the row holds no vote"),
            (llmfao_vote(9, 10, 10, "tie"), "model 10 against itself"),
            (llmfao_vote(9, 10, 11, "tie", prompt=77), "unknown prompt id '77'"),
            ([9, 1, "", "", "Ten", "Ninety", 10, 90, "tie", "worker_1", "human"], "unknown model id '90'"),
            ([9, 1, "", "", "Ten", "Ninety", 10, 11, "tie", "worker_1", "human"], "model 11 is 'Eleven'"),
            (llmfao_vote(9, 10, 11, "tie", kind="robot"), "unknown kind of judge 'robot'"),
            (llmfao_vote(9, 10, 11, "tie", judge=""), "“judge” is empty"),
            (llmfao_vote(9, 10, 11, "tie (inconsistent)"), "a machine's outcome, not a person's"),
        ],
    )
    def test_bad_row_is_rejected_with_line_and_reason_and_good_rows_stay(
        self, tmp_path, import_folder, vote, reason
    ):
        write_llmfao(tmp_path, votes=[*LLMFAO_VOTES[:2], vote, *LLMFAO_VOTES[2:]])
        report = import_folder(tmp_path, "llmfao").report
        assert [(rejected.path.name, rejected.line) for rejected in report.rejected] == [
            ("some-votes.csv.gz", 4)
        ]
        assert reason in report.rejected[0].reason
        assert "some-votes.csv.gz, line 4: " in str(report)
        assert Vote.objects.count() == 5

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ({"kind": "response", "id": 1, "model": 99, "prompt": 1, "result": "x"}, "unknown model id '99'"),
            ({"kind": "response", "id": 1, "model": 10, "prompt": 9, "result": "x"}, "unknown prompt id '9'"),
            (
                {"kind": "response", "id": 1, "model": 10, "prompt": 1, "result": None},
                "“result” is not a text",
            ),
            ({"kind": "response", "id": 1, "model": 10, "prompt": 1, "result": "other"}, "another response"),
            ({"kind": "response", "id": 1, "model": 10, "result": "x"}, "a response without prompt"),
            ({"kind": "prompt", "id": 1, "text": "Other.", "type": "", "slug": ""}, "with another text"),
            ({"kind": "model", "id": 10, "name": "Other", "org": ""}, "listed twice, with different names"),
            ({"kind": "banana"}, "unknown kind 'banana'"),
            ({"kind": "prompt", "id": 3, "text": "a\0b", "type": "", "slug": ""}, "NUL"),
        ],
    )
    def test_bad_text_row_is_rejected_with_its_line(self, tmp_path, import_folder, row, reason):
        write_llmfao(tmp_path, texts=[*LLMFAO_TEXTS, row])
        report = import_folder(tmp_path, "llmfao").report
        assert [rejected.line for rejected in report.rejected] == [len(LLMFAO_TEXTS) + 1]
        assert reason in report.rejected[0].reason
        assert Response.objects.count() == 6

    def test_broken_file_imports_nothing_of_its_set(self, tmp_path, import_folder):
        _, votes = write_llmfao(tmp_path, votes=[llmfao_vote(n, 10, 11, "tie", f"w{n}") for n in range(3000)])
        votes.write_bytes(votes.read_bytes()[:-500])
        before = everything()
        with pytest.raises(
            ImportRefused, match=r"some-votes\.csv\.gz, line \d+: the gzip file ends too early"
        ):
            import_folder(tmp_path, "llmfao")
        assert everything() == before

    def test_file_without_a_usable_vote_is_refused(self, tmp_path, import_folder):
        write_llmfao(tmp_path, votes=[llmfao_vote(0, 10, 11, "perhaps")])
        with pytest.raises(ImportRefused, match=r"no usable vote.*line 2: unknown outcome 'perhaps'"):
            import_folder(tmp_path, "llmfao")
        assert not Arena.objects.exists()

    def test_strict_import_takes_all_or_nothing(self, tmp_path, import_folder):
        write_llmfao(tmp_path, votes=[*LLMFAO_VOTES, llmfao_vote(9, 10, 11, "perhaps")])
        with pytest.raises(ImportRefused) as refused:
            import_folder(tmp_path, "llmfao", is_strict=True)
        assert len(refused.value.report.rejected) == 1
        assert not Arena.objects.exists()

    def test_arena_of_another_origin_is_not_taken_over(self, tmp_path, import_folder):
        factories.arena(slug="llmfao", name="Mine")
        write_llmfao(tmp_path)
        with pytest.raises(ImportRefused, match="this importer did not make it"):
            import_folder(tmp_path, "llmfao")

    def test_what_an_admin_changed_survives_the_next_import(self, tmp_path, import_folder):
        write_llmfao(tmp_path)
        arena = import_folder(tmp_path, "llmfao").arena
        Arena.objects.filter(pk=arena.pk).update(slug="old-models", name="Old models", is_open=False)
        arena.boards.filter(slug="people").update(name="Crowd")
        again = import_folder(tmp_path, "llmfao").arena
        assert (again.pk, again.slug, again.is_open) == (arena.pk, "old-models", False)
        assert again.boards.get(slug="people").name == "Crowd"
        assert again.boards.count() == 3

    def test_boards_are_fitted_and_the_first_rows_reported(self, tmp_path, import_folder):
        write_llmfao(tmp_path)
        imported = import_folder(tmp_path, "llmfao")
        assert imported.systems_rated == 3
        assert all(board.snapshots.exists() for board in imported.arena.boards.all())
        scores = [row.score for row in imported.first_rows]
        assert scores == sorted(scores, reverse=True)

    def test_new_battles_can_be_opened_on_imported_answers(self, tmp_path, import_folder):
        write_llmfao(tmp_path)
        arena = import_folder(tmp_path, "llmfao").arena
        battle = factories.battle(arena, factories.voter())
        assert all(slot.response is not None for slot in battle.slots.all())


class TestMtBench:
    def test_votes_without_answers_make_an_arena_that_takes_none(self, tmp_path, import_folder):
        write_mtbench(tmp_path)
        arena = import_folder(tmp_path, "mtbench").arena
        assert not arena.is_open
        assert list(arena.boards.values_list("slug", flat=True)) == ["people", "mtbench-gpt4_pair"]
        assert set(Voter.objects.values_list("source", "source_name")) == {
            ("mtbench", "expert_1"),
            ("mtbench", "expert_2"),
            ("mtbench", "author_1"),
        }
        assert not Slot.objects.filter(response__isnull=False).exists()

    def test_prompt_says_that_its_text_is_not_at_hand(self, tmp_path, import_folder):
        write_mtbench(tmp_path)
        import_folder(tmp_path, "mtbench")
        assert Prompt.objects.count() == 4
        prompt = Prompt.objects.get(external_id="81-turn-2")
        assert prompt.category.slug == "writing"
        assert prompt.text == (
            "MT-bench question 81 (writing), turn 2. The published votes come without the question's text."
        )

    def test_inconsistent_tie_of_the_judge_is_a_tie_with_a_flag(self, tmp_path, import_folder):
        write_mtbench(tmp_path)
        import_folder(tmp_path, "mtbench")
        flagged = Verdict.objects.get(detail__inconsistent=True)
        assert flagged.ranks == [1, 1]
        assert Verdict.objects.filter(detail={}).count() == 2

    @pytest.mark.parametrize(
        ("vote", "reason"),
        [
            ([81, "writing", 3, "one", "two", "tie", "expert_1", "human"], "turn is not 1 or 2: '3'"),
            (["x", "writing", 1, "one", "two", "tie", "expert_1", "human"], "question_id is not a number"),
            ([81, "", 1, "one", "two", "tie", "expert_1", "human"], "“category” is empty"),
            ([81, "writing", 1, "one", "one", "tie", "expert_1", "human"], "'one' against itself"),
            ([81, "writing", 1, "one", "two", "draw", "expert_1", "human"], "unknown outcome 'draw'"),
        ],
    )
    def test_bad_row_is_rejected_with_line_and_reason(self, tmp_path, import_folder, vote, reason):
        write_mtbench(tmp_path, votes=[vote, *MTBENCH_VOTES])
        report = import_folder(tmp_path, "mtbench").report
        assert [rejected.line for rejected in report.rejected] == [2]
        assert reason in report.rejected[0].reason
        assert Vote.objects.count() == 4

    def test_second_import_adds_nothing(self, tmp_path, import_folder):
        write_mtbench(tmp_path)
        import_folder(tmp_path, "mtbench")
        before = everything()
        assert import_folder(tmp_path, "mtbench").report.added == 0
        assert everything() == before

    def test_same_name_in_two_sources_is_one_system_only_when_nothing_speaks_against_it(
        self, tmp_path, import_folder
    ):
        texts = [json.loads(json.dumps(row).replace('"Ten"', '"one"')) for row in LLMFAO_TEXTS]
        votes = [[("one" if cell == "Ten" else cell) for cell in vote] for vote in LLMFAO_VOTES]
        write_llmfao(tmp_path, texts=texts, votes=votes)
        write_mtbench(tmp_path)
        import_folder(tmp_path, "llmfao")
        import_folder(tmp_path, "mtbench")
        assert System.objects.get(name="one").arenas.count() == 2

import pytest

from arena.exports.importers.folder import Layout, recognise
from tests.exports.builders import (
    LLMFAO_COLUMNS,
    LLMFAO_VOTES,
    MTBENCH_COLUMNS,
    csv_text,
    write,
    write_llmfao,
    write_mtbench,
)


def test_files_are_recognised_by_content_whatever_their_names(tmp_path):
    texts, votes = write_llmfao(tmp_path)
    texts, votes = texts.rename(tmp_path / "b.gz"), votes.rename(tmp_path / "a.gz")
    experts = write_mtbench(tmp_path)
    found = recognise(tmp_path)
    assert [file_set.source for file_set in found.sets] == ["llmfao", "mtbench"]
    assert found.sets[0].files == {Layout.LLMFAO_TEXTS: (texts,), Layout.LLMFAO_VOTES: (votes,)}
    assert found.sets[1].paths == [experts]
    assert not found.skipped


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("README.md", "# Votes, and more\n", "is neither JSON Lines nor CSV"),
        (
            "other.csv",
            "task,idx,human_vote\n1,2,3\n",
            "no importer reads its columns (task, idx, human_vote)",
        ),
        ("kwise.jsonl", '{"id": 1, "rank": [1]}\n', "no importer reads its fields (id, rank)"),
    ],
)
def test_other_files_are_skipped_with_the_reason(tmp_path, name, content, reason):
    write(tmp_path / name, content)
    (skipped,) = recognise(tmp_path).skipped
    assert reason in skipped.reason
    assert not skipped.is_broken


@pytest.mark.parametrize("name", ["empty.csv", "empty.csv.gz"])
def test_empty_file_is_broken(tmp_path, name):
    write(tmp_path / name, "")
    (skipped,) = recognise(tmp_path).skipped
    assert skipped.is_broken
    assert str(skipped) == f"{name}: the file is empty."


def test_missing_columns_are_named(tmp_path):
    columns = [column for column in MTBENCH_COLUMNS if column not in ("turn", "judge_kind")]
    write(tmp_path / "votes.csv", csv_text(columns, []))
    (skipped,) = recognise(tmp_path).skipped
    assert skipped.is_broken
    assert skipped.reason == "looks like MT-bench votes, but these columns are missing: judge_kind, turn"


def test_doubled_column_is_refused(tmp_path):
    write(tmp_path / "votes.csv", csv_text([*LLMFAO_COLUMNS, "winner"], []))
    (skipped,) = recognise(tmp_path).skipped
    assert "has winner twice" in skipped.reason


def test_votes_without_their_texts_are_not_imported(tmp_path):
    write(tmp_path / "votes.csv", csv_text(LLMFAO_COLUMNS, LLMFAO_VOTES))
    found = recognise(tmp_path)
    assert not found.sets
    assert "the file of llmfao prompts, models and responses that belongs to it is missing" in str(
        found.skipped[0]
    )


def test_folders_inside_are_skipped(tmp_path):
    (tmp_path / "more").mkdir()
    assert str(recognise(tmp_path).skipped[0]) == "more: is a folder"

import io

import pytest
from django.core.management import CommandError, call_command

from arena.catalog.models import Arena
from arena.exports.selectors import export_folder
from arena.votes.models import Vote
from tests import factories
from tests.exports.builders import LLMFAO_VOTES, llmfao_vote, write, write_llmfao, write_mtbench

pytestmark = pytest.mark.django_db


def run(*arguments, **options) -> str:
    out = io.StringIO()
    call_command(*[str(argument) for argument in arguments], stdout=out, **options)
    return out.getvalue()


def test_folder_import_says_what_it_recognised_imported_and_skipped(tmp_path):
    write_llmfao(tmp_path)
    write_mtbench(tmp_path)
    write(tmp_path / "README.md", "# Votes\n")
    out = run("votes_import_folder", tmp_path)
    assert "Recognised llmfao: some-answers.jsonl.gz + some-votes.csv.gz" in out
    assert "Recognised mtbench: experts.csv" in out
    assert "Skipped README.md: is neither JSON Lines nor CSV" in out
    assert "3 systems rated by people; the first 3:" in out
    assert "Imported in" in out
    assert set(Arena.objects.values_list("slug", flat=True)) == {"llmfao", "mtbench"}


def test_bad_rows_alone_are_reported_and_no_failure(tmp_path):
    write_llmfao(tmp_path, votes=[*LLMFAO_VOTES, llmfao_vote(9, 10, 11, "perhaps")])
    out = run("votes_import_folder", tmp_path)
    assert "Rejected rows: 1" in out
    assert "some-votes.csv.gz, line 10: unknown outcome 'perhaps'" in out
    assert Vote.objects.count() == 5


def test_bad_rows_are_a_failure_when_strict(tmp_path):
    write_llmfao(tmp_path, votes=[*LLMFAO_VOTES, llmfao_vote(9, 10, 11, "perhaps")])
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 of the above could not be imported"):
        call_command("votes_import_folder", str(tmp_path), "--strict", stdout=out)
    assert "line 10: unknown outcome 'perhaps'" in out.getvalue()
    assert not Arena.objects.exists()


def test_broken_set_fails_the_command_after_the_good_ones_are_in(tmp_path):
    _, votes = write_llmfao(tmp_path, votes=[llmfao_vote(n, 10, 11, "tie", f"w{n}") for n in range(3000)])
    votes.write_bytes(votes.read_bytes()[:-500])
    write_mtbench(tmp_path)
    with pytest.raises(CommandError):
        call_command("votes_import_folder", str(tmp_path), stdout=io.StringIO())
    assert list(Arena.objects.values_list("slug", flat=True)) == ["mtbench"]


def test_unknown_file_in_a_folder_is_skipped_but_a_named_one_is_a_failure(tmp_path):
    other = write(tmp_path / "other.csv", "task,idx\n1,2\n")
    assert "Skipped other.csv: no importer reads its columns (task, idx)" in run(
        "votes_import_folder", tmp_path
    )
    with pytest.raises(CommandError):
        run("votes_import", other)


def test_named_files_that_belong_together_are_one_set(tmp_path):
    texts, votes = write_llmfao(tmp_path)
    assert "people's votes:            5 added" in run("votes_import", votes, texts)


def test_missing_folder_is_a_sentence(tmp_path):
    with pytest.raises(CommandError, match="cannot be read as a folder: No such file"):
        run("votes_import_folder", tmp_path / "none")


def test_logs_stay_free_of_progress_bars(tmp_path, capfd):
    write_llmfao(tmp_path)
    run("votes_import_folder", tmp_path)
    assert capfd.readouterr().err == ""


@pytest.mark.django_db(transaction=True)
def test_release_is_built_here_and_now(voted, sent):
    out = run("export_build", "--arena", "kitchen")
    export = voted.exports.get()
    assert "6 ballots, 6 of them counted" in out
    assert out.splitlines()[-1] == str(export_folder(export=export))
    assert (export_folder(export=export) / "manifest.json").is_file()
    assert sent == []
    assert run("export_build", "--arena", "kitchen") == out


def test_release_of_an_unknown_or_empty_arena_is_refused():
    factories.arena(slug="cellar")
    with pytest.raises(CommandError, match=r"There is no arena “none”\. Arenas: cellar"):
        run("export_build", "--arena", "none")
    with pytest.raises(CommandError, match="Nobody has voted here yet"):
        run("export_build", "--arena", "cellar")

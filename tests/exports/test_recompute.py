import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

from arena.exports import recompute
from arena.exports.selectors import export_folder
from arena.exports.services import export_build, export_queue
from arena.generation.models import Response
from arena.votes.models import Vote, VoteExclusion
from tests import factories
from tests.exports.builders import cast
from tests.exports.conftest import NOW

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(voted):
    """A release with an excluded vote, a skip and two boards, so that filters matter."""
    VoteExclusion.objects.create(vote=Vote.objects.earliest("id"), reason="admin")
    one, two, three = voted.systems.order_by("pk")
    prompt = voted.prompt_sets.get().prompts.first()
    cast(voted, [one, two], [None, None], prompt=prompt, voter=factories.voter(), is_skip=True)
    for ranks in ([1, 2], [2, 1], [1, 2]):
        cast(
            voted,
            [two, one],
            ranks,
            prompt=prompt,
            voter=factories.voter(),
            source="imported",
            input="import",
        )
        cast(
            voted,
            [one, three],
            ranks,
            prompt=prompt,
            voter=factories.voter(),
            source="imported",
            input="import",
        )
    factories.board(voted, slug="published", vote_source="imported", position=2)
    factories.board(voted, slug="own", vote_source="own", position=3)
    for number, response in enumerate(Response.objects.order_by("pk")):
        Response.objects.filter(pk=response.pk).update(text="word " * (1 + number % 5))
    styled = {"model": "contextual-bradley-terry", "covariates": ["words"], "interval": "none"}
    factories.board(voted, slug="styled", ranking=styled, position=4)
    export = export_build(export=export_queue(arena=voted, now=NOW))
    assert export.error == ""
    return export_folder(export=export)


def run(*arguments, capsys):
    status = recompute.main([str(argument) for argument in arguments])
    return status, capsys.readouterr().out


def edit(folder, change, *, name="snapshot.json", fix_checksum=True):
    path = folder / name
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
    if fix_checksum:
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["files"][name]["sha256"] = recompute.hashlib.sha256(path.read_bytes()).hexdigest()
        (folder / "manifest.json").write_text(json.dumps(manifest))


def test_every_board_comes_out_to_the_last_bit(folder, capsys):
    status, out = run(folder, capsys=capsys)
    assert status == 0
    assert "All published numbers come out again." in out
    boards = recompute.recompute(folder)
    assert [(board.board, board.ballot_count) for board in boards] == [
        ("people", 11),
        ("published", 6),
        ("own", 5),
        ("styled", 11),
    ]
    assert [board.largest_difference for board in boards] == [0.0] * 4


def test_one_board_can_be_chosen(folder, capsys):
    status, out = run(folder, "--board", "own", capsys=capsys)
    assert status == 0
    assert "Board “own”, 5 ballots" in out
    assert "people" not in out
    assert run(folder, "--board", "none", capsys=capsys) == (
        1,
        "This release has no board “none”; it has people, published, own, styled.\n",
    )


@pytest.mark.parametrize("name", ["score", "low", "high"])
def test_published_number_that_is_off_by_more_than_a_hundredth_fails(folder, capsys, name):
    def change(value):
        value["snapshots"][0]["ratings"][0][name] += 0.011

    edit(folder, change)
    status, out = run(folder, capsys=capsys)
    assert status == 1
    assert "Board “people” does not come out as published" in out
    assert name in out.splitlines()[-1]


def test_rounding_below_a_hundredth_is_fine(folder, capsys):
    def change(value):
        value["snapshots"][0]["ratings"][0]["score"] += 0.009

    edit(folder, change)
    status, out = run(folder, capsys=capsys)
    assert status == 0
    assert "Largest difference of a score or bound: 0.009000" in out


def test_another_rank_fails(folder, capsys):
    def change(value):
        value["snapshots"][0]["ratings"][0]["rank_high"] += 1

    edit(folder, change)
    assert run(folder, capsys=capsys)[0] == 1


@pytest.mark.parametrize("name", ["votes.jsonl.gz", "votes.csv.gz", "snapshot.json", "README.md"])
def test_changed_file_fails_by_its_checksum(folder, capsys, name):
    with (folder / name).open("ab") as stream:
        stream.write(b"\n")
    assert run(folder, capsys=capsys) == (
        1,
        f"The checksum of {name} is wrong: the file was changed or cut off.\n",
    )


def test_removed_ballot_fails_even_with_a_matching_checksum(folder, capsys):
    path = folder / "votes.jsonl.gz"
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:-1])))

    def change(value):
        value["files"]["votes.jsonl.gz"]["sha256"] = recompute.hashlib.sha256(path.read_bytes()).hexdigest()

    edit(folder, change, name="manifest.json", fix_checksum=False)
    status, out = run(folder, capsys=capsys)
    assert status == 1
    assert "10 ballots in the files, 11 published" in out


def test_missing_pieces_are_sentences(folder, capsys, tmp_path):
    status, out = run(tmp_path / "nowhere", capsys=capsys)
    assert status == 1
    assert out.endswith("manifest.json cannot be read: No such file or directory.\n")
    (folder / "prompts.jsonl.gz").unlink()
    assert run(folder, capsys=capsys)[1] == "prompts.jsonl.gz cannot be read: No such file or directory.\n"


def test_names_that_leave_the_folder_are_refused(folder, capsys):
    def change(value):
        value["files"]["../../etc/passwd"] = {"sha256": "0", "size_bytes": 0}

    edit(folder, change, name="manifest.json", fix_checksum=False)
    assert "which is not a plain file name" in run(folder, capsys=capsys)[1]


def test_newer_schema_is_refused(folder, capsys):
    edit(folder, lambda value: value.update(schema_version="2.0"), name="manifest.json", fix_checksum=False)
    assert "this program reads schema 1.x, not 2.0" in run(folder, capsys=capsys)[1]


def test_it_runs_without_django_settings_and_database(folder):
    """In a fresh interpreter in which Django cannot be imported at all."""
    code = (
        "import sys; sys.modules['django'] = None; import runpy; sys.argv = ['recompute', sys.argv[1]]; "
        "runpy.run_module('arena.exports.recompute', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "All published numbers come out again." in done.stdout


def test_command_is_the_same_program(folder, capsys):
    call_command("snapshot_recompute", str(folder), "--board", "people")
    assert "All published numbers come out again." in capsys.readouterr().out
    (folder / "README.md").write_text("")
    with pytest.raises(SystemExit) as left:
        call_command("snapshot_recompute", str(folder))
    assert left.value.code == 1


def test_unknown_voters_are_clusters_of_their_own(voted):
    Vote.objects.earliest("id").voter.delete()
    export = export_build(export=export_queue(arena=voted, now=NOW))
    assert export.error == ""
    assert recompute.main([str(export_folder(export=export))]) == 0

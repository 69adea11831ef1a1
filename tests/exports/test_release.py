import csv
import gzip
import io
import json
import tracemalloc
from datetime import timedelta
from pathlib import Path

import pytest

from arena.exports.ballots import release_prompts, release_rows
from arena.exports.columns import CSV_COLUMNS, JSON_COLUMNS, PROMPT_COLUMNS
from arena.exports.pseudonyms import Pseudonyms, new_salt
from arena.exports.release import csv_values, gzip_text, write_rows
from arena.ranking.covariates.style import text_style
from arena.votes.models import Vote, VoteExclusion
from tests import factories
from tests.exports.builders import cast
from tests.exports.conftest import NOW

pytestmark = pytest.mark.django_db

SALT = b"a salt of the tests"


def rows_of(arena, salt=SALT):
    return list(release_rows(arena=arena, pseudonyms=Pseudonyms(salt=salt)))


def test_every_vote_is_a_row_with_every_documented_column(voted):
    rows = rows_of(voted)
    assert [row["ballot_id"] for row in rows] == list(
        Vote.objects.order_by("id").values_list("id", flat=True)
    )
    for row in rows:
        assert list(row) == [column.name for column in (*JSON_COLUMNS,)]


def test_row_says_what_was_shown_and_chosen(voted):
    vote = Vote.objects.order_by("id").first()
    slots = list(vote.battle.slots.order_by("position"))
    row = rows_of(voted)[0]
    assert row["items"] == [
        {
            "position": position,
            "system": slot.system.name,
            "rank": rank,
            "response_id": slot.response_id,
            "style": text_style(slot.response.text),
        }
        for position, (slot, rank) in enumerate(zip(slots, [1, 2], strict=True))
    ]
    assert (row["arena"], row["criterion"], row["source"]) == ("kitchen", "overall", "stock")
    assert (row["outcome"], row["all_bad"], row["counted"], row["exclusion_reasons"]) == (
        "model_a",
        False,
        True,
        [],
    )
    assert (row["draw_probability"], row["pairing_rule"]) == (0.25, "least-compared")
    assert (row["latency_ms"], row["input"], row["language"]) == (1200, "form", "en")
    assert row["voted_at"].endswith("Z")
    prompt_set = voted.prompt_sets.get()
    assert row["prompt_set"] == f"{prompt_set.slug} {prompt_set.version}"
    assert row["prompt_id"].startswith(f"{prompt_set.slug}-{prompt_set.version}/")


def test_outcomes_are_spelled_as_in_published_dumps(voted):
    assert [row["outcome"] for row in rows_of(voted)] == [
        *("model_a", "model_a", "model_a", "model_a", "tie", "both_bad"),
    ]


def test_skip_is_a_row_that_does_not_count(voted):
    one, two, _ = voted.systems.order_by("pk")
    prompt = voted.prompt_sets.get().prompts.first()
    cast(voted, [one, two], [None, None], prompt=prompt, voter=factories.voter(), is_skip=True)
    row = rows_of(voted)[-1]
    assert (row["outcome"], row["counted"]) == ("skip", False)
    assert [item["rank"] for item in row["items"]] == [None, None]
    assert csv_values(row)["winner"] == ""


def test_excluded_vote_is_a_row_with_its_reasons(voted):
    vote = Vote.objects.order_by("id").first()
    for reason in ("identity_leak", "admin"):
        VoteExclusion.objects.create(vote=vote, reason=reason)
    row = rows_of(voted)[0]
    assert row["counted"] is False
    assert row["exclusion_reasons"] == ["admin", "identity_leak"]
    assert csv_values(row)["exclusion_reasons"] == "admin identity_leak"
    assert csv_values(row)["counted"] == "false"


def test_pseudonym_is_the_same_for_one_voter_and_another_in_the_next_release(voted):
    first, again, other = rows_of(voted), rows_of(voted), rows_of(voted, salt=new_salt())
    names = [row["voter"] for row in first]
    assert names[0] == names[2] != names[1]
    assert all(len(name) == 16 and int(name, 16) >= 0 for name in names)
    assert names == [row["voter"] for row in again]
    assert not set(names) & {row["voter"] for row in other}


def test_deleted_voter_leaves_the_bare_row(voted):
    Vote.objects.order_by("id").first().voter.delete()
    rows = rows_of(voted)
    assert len(rows) == 6
    assert rows[0]["voter"] is None
    assert rows[1]["voter"] is not None


def test_imported_vote_has_no_time_because_its_file_gives_none(voted):
    one, two, _ = voted.systems.order_by("pk")
    prompt = voted.prompt_sets.get().prompts.first()
    cast(voted, [one, two], [1, 2], prompt=prompt, source="imported", input="import", latency_ms=None)
    row = rows_of(voted)[-1]
    assert (row["voted_at"], row["latency_ms"], row["source"]) == (None, None, "imported")


def test_prompt_of_a_voter_is_named_and_never_shown(voted):
    author = factories.voter()
    own = factories.prompt("My secret wish", author=author, external_id="", language="")
    cast(voted, list(voted.systems.order_by("pk")[:2]), [1, 2], prompt=own, voter=author, source="live")
    row = rows_of(voted)[-1]
    assert (row["prompt_id"], row["prompt_set"], row["language"]) == (f"voter/{own.pk}", None, None)
    prompts = list(release_prompts(arena=voted))
    assert len(prompts) == 2
    assert "My secret wish" not in json.dumps([*rows_of(voted), *prompts])
    assert {prompt["prompt_id"] for prompt in prompts} == {r["prompt_id"] for r in rows_of(voted)[:-1]}
    assert all(list(prompt) == [column.name for column in PROMPT_COLUMNS] for prompt in prompts)


def test_response_made_live_is_found_through_its_job(voted):
    from arena.generation.models import Job

    one, two, _ = voted.systems.order_by("pk")
    own = factories.prompt("Now?")
    vote = cast(voted, [one, two], [1, 2], prompt=own, voter=factories.voter(), source="live")
    slot = vote.battle.slots.get(position=0)
    slot.job = Job.objects.create(system=one, prompt=own, purpose="live", seed=1)
    slot.save()
    response = factories.response(system=one, prompt=own, job=slot.job)
    assert [item["response_id"] for item in rows_of(voted)[-1]["items"]] == [response.pk, None]


def test_other_arenas_votes_stay_out(voted):
    other = factories.arena(systems=2, prompts=1, answered=True)
    cast(other, list(other.systems.all()), [1, 2], prompt=other.prompt_sets.get().prompts.get())
    assert len(rows_of(voted)) == 6
    assert len(rows_of(other)) == 1


def written(rows, positions):
    as_json, as_csv = io.StringIO(), io.StringIO(newline="")
    write_rows(rows, as_json=as_json, as_csv=as_csv, positions=positions)
    return as_json.getvalue(), as_csv.getvalue()


def test_flat_file_holds_the_pair_as_common_tools_read_it(voted):
    _, flat = written(rows_of(voted), 2)
    table = list(csv.DictReader(io.StringIO(flat)))
    assert [row["winner"] for row in table] == ["model_a"] * 4 + ["tie", "tie (bothbad)"]
    assert all(row["model_a"] == row["position_1_system"] for row in table)
    assert all(row["model_b"] == row["position_2_system"] for row in table)
    expected = {column.name.replace("_N_", f"_{n}_") for n in (1, 2) for column in CSV_COLUMNS}
    assert set(table[0]) == expected


def test_flat_file_holds_any_number_of_answers(voted):
    prompt = voted.prompt_sets.get().prompts.first()
    cast(voted, list(voted.systems.order_by("pk")), [2, 1, None], prompt=prompt, voter=factories.voter())
    _, flat = written(rows_of(voted), 3)
    *pairs, triple = csv.DictReader(io.StringIO(flat))
    assert (triple["outcome"], triple["model_a"], triple["winner"]) == ("ranking", "", "")
    assert [triple[f"position_{n}_rank"] for n in (1, 2, 3)] == ["2", "1", ""]
    assert pairs[0]["position_3_system"] == ""


def test_same_rows_are_the_same_bytes(voted, tmp_path: Path, monkeypatch):
    contents = []
    for name in ("a.gz", "b.gz"):
        monkeypatch.setattr("time.time", lambda: (NOW + timedelta(days=len(contents))).timestamp())
        with gzip_text(tmp_path / name) as stream:
            stream.write(written(rows_of(voted), 2)[0])
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    assert len(gzip.decompress(contents[0]).splitlines()) == 6


def peak_kb(arena) -> float:
    """Of writing all rows, without the database library's own C buffers."""
    tracemalloc.start()
    with open("/dev/null", "w") as as_json, open("/dev/null", "w") as as_csv:
        rows = release_rows(arena=arena, pseudonyms=Pseudonyms(salt=SALT))
        write_rows(rows, as_json=as_json, as_csv=as_csv, positions=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1024


def test_memory_does_not_grow_with_the_number_of_votes(voted):
    template = Vote.objects.order_by("id").first()

    def add(count):
        Vote.objects.bulk_create(
            (
                Vote(battle=template.battle, criterion=voted.criterion, ranks=[1, 2], input="form")
                for _ in range(count)
            ),
            batch_size=5000,
        )

    add(2_500)
    peak_kb(voted)
    small = peak_kb(voted)
    add(20_000)
    assert peak_kb(voted) < small * 1.2 + 100

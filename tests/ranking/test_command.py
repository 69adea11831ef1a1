import builtins
import csv
import gzip
import io
import json
import math
import subprocess
import sys

import numpy as np
import pytest

from arena.ranking import BradleyTerry, MissingClusters, PlackettLuce, Sandwich
from arena.ranking.__main__ import main
from arena.ranking.registry import MODELS
from arena.ranking.votes_file import MissingPyarrow, UnreadableVotes, read_votes
from tests.ranking.boards import board_of, scores_of

ROWS = [
    ("x", "y", "a", 30),
    ("y", "x", "a", 20),
    ("y", "z", "a", 25),
    ("z", "x", "a", 15),
    ("x", "z", "tie", 9),
]
SPELLED = {"a": "model_a", "b": "model_b", "tie": "tie", "both_bad": "tie (bothbad)"}


def written(path, rows, text=None, header="model_a,model_b,winner,judge,prompt_id,colour"):
    lines = [header]
    for k, (a, b, outcome) in enumerate(row[:3] for row in rows for _ in range(row[3])):
        lines.append(f"{a},{b},{SPELLED[outcome]},voter{k % 25},p{k % 30},blue")
    path.write_text("\n".join(lines + (text or [])) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def votes(tmp_path):
    return written(tmp_path / "votes.csv", ROWS)


def ranked(capsys, *arguments):
    status = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_defaults_are_davidson_ties_and_both_bad_as_tie(votes, capsys):
    status, out, _ = ranked(capsys, votes, "--format", "json")
    found = json.loads(out)
    wanted = BradleyTerry(ties="davidson").fit(board_of(*ROWS), interval=Sandwich())
    assert status == 0
    assert {r["item"]: r["score"] for r in found["ratings"]} == pytest.approx(scores_of(wanted))
    assert found["ratings"][0]["low"] == pytest.approx(wanted.ratings[0].low)
    assert (found["settings"]["ties"], found["settings"]["both_bad"]) == ("davidson", "tie")
    assert {"item", "score", "low", "high", "rank_low", "rank_high", "n"} <= set(found["ratings"][0])
    assert found["diagnostics"]["self_battles"] == found["diagnostics"]["bad_rows"] == 0


def test_it_runs_as_a_module(votes):
    run = subprocess.run(
        [sys.executable, "-m", "arena.ranking", str(votes)], capture_output=True, text=True, check=True
    )
    assert run.stdout.split("\n")[1].split()[1] == "y"
    assert "ties davidson" in run.stdout
    assert "clustered by ballot" in run.stdout
    assert run.stderr == ""


def test_the_library_needs_neither_django_nor_pandas(votes):
    code = "import sys, arena.ranking.__main__; print({'django', 'celery', 'pandas'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_csv_comes_out_with_a_header(votes, capsys):
    status, out, _ = ranked(capsys, votes, "--format", "csv", "--interval", "none")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0
    assert rows[0]["item"] == "y"
    assert rows[0]["low"] == ""


@pytest.mark.parametrize("winner", ["nobody", "", "Model_C"])
def test_an_unknown_outcome_is_named_by_its_line_and_stops_the_board(winner, tmp_path, capsys):
    path = written(tmp_path / "v.csv", ROWS[:1], [f"x,y,{winner},u,p,red"])
    status, out, err = ranked(capsys, path)
    assert status != 0
    assert out == ""
    assert "line 32:" in err
    assert repr(winner) in err


def test_bad_rows_can_be_skipped(tmp_path, capsys):
    text = ["x,y,nobody,u,p,red", ",y,tie,u,p,red", "x,y"]
    path = written(tmp_path / "v.csv", ROWS, text)
    status, out, err = ranked(capsys, path, "--skip-bad-rows", "--format", "json")
    assert status == 0
    assert json.loads(out)["diagnostics"]["bad_rows"] == 3
    assert "line 101:" in err
    assert "line 102: model_a is missing" in err
    assert "line 103: 2 fields where the header has 6" in err


def test_a_line_number_counts_quoted_line_breaks(tmp_path):
    path = tmp_path / "v.csv"
    path.write_text('model_a,model_b,winner,note\nx,y,tie,"two\nlines"\nx,y,what,\n', encoding="utf-8")
    assert [row.line for row in read_votes(path).bad_rows] == [4]


def test_self_battles_are_dropped_and_counted(tmp_path, capsys):
    path = written(tmp_path / "v.csv", ROWS, ["x,x,tie,u,p,red", "y,y,model_a,u,p,red"])
    status, out, _ = ranked(capsys, path, "--format", "json")
    found = json.loads(out)
    assert status == 0
    assert found["diagnostics"]["self_battles"] == 2
    assert found["diagnostics"]["n_ballots"] == 99


@pytest.mark.parametrize("zipped", [False, True])
def test_json_lines_plain_or_gzip(zipped, tmp_path, capsys):
    lines = [
        json.dumps({"model_a": a, "model_b": b, "winner": SPELLED[o], "voter": f"v{k % 9}", "extra": [1]})
        for k, (a, b, o) in enumerate(row[:3] for row in ROWS for _ in range(row[3]))
    ]
    path = tmp_path / ("v.jsonl.gz" if zipped else "v.jsonl")
    content = ("\n\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(content) if zipped else content)
    status, out, _ = ranked(capsys, path, "--ties", "half", "--cluster", "voter", "--format", "json")
    assert status == 0
    found = json.loads(out)
    assert {r["item"]: r["score"] for r in found["ratings"]} == pytest.approx(
        scores_of(BradleyTerry().fit(board_of(*ROWS)))
    )
    assert found["diagnostics"]["clusters"] == 9


KWISE = [
    {
        "items": [{"item": "x", "rank": 1}, {"item": "y", "rank": 2}, {"item": "z", "rank": None}],
        "voter": "u",
    },
    {"items": ["z", "x", "y"], "rank": [1, 2, 2], "voter": "v"},
    {"items": ["y", "z", "x"], "rank": [1, 2, 3], "voter": "w"},
    {"model_a": "z", "model_b": "y", "winner": "tie", "voter": "u"},
    {"items": ["x", "y", "z"], "rank": [1, 1, 1], "all_bad": True},
]


def test_kwise_rows_of_either_form_reach_plackett_luce(tmp_path, capsys):
    path = tmp_path / "k.jsonl"
    path.write_text("\n".join(map(json.dumps, KWISE)), encoding="utf-8")
    ballots = read_votes(path).ballots
    assert [ballots.items[i] for i in ballots.slot_item[3:6]] == ["z", "x", "y"]
    assert ballots.slot_rank.tolist() == [1, 2, -1, 1, 2, 2, 1, 2, 3, 1, 1, 1, 1, 1]
    assert ballots.all_bad.tolist() == [False] * 4 + [True]
    assert ballots.voter.tolist() == [0, 1, 2, 0, -1]
    status, out, _ = ranked(capsys, path, "--model", "plackett-luce", "--format", "json")
    assert status == 0
    assert {r["item"]: r["score"] for r in json.loads(out)["ratings"]} == pytest.approx(
        scores_of(PlackettLuce().fit(ballots))
    )


def test_kwise_csv_holds_json_lists(tmp_path):
    path = tmp_path / "k.csv"
    path.write_text('items,rank\n"[""x"", ""y""]","[1, null]"\n"[""x"", ""x""]","[1, 2]"\n', encoding="utf-8")
    found = read_votes(path)
    assert found.ballots.slot_rank.tolist() == [1, -1]
    assert found.self_battles == 1


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"items": ["x", "y"], "rank": [1]}, "2 items but 1 ranks"),
        ({"items": ["x", "y"], "rank": [1, 0]}, "does not lie in"),
        ({"items": ["x", "y"], "rank": [1, 1.5]}, "neither null nor an integer"),
        ({"items": ["x", "y", "x"], "rank": [1, 2, 3]}, "stands twice"),
        ({"items": ["x", "y"]}, "must be"),
        ({"items": 3}, "must be a list"),
        ({"items": [], "rank": []}, "without items"),
        ({"items": ["x", "y"], "rank": [1, 2], "all_bad": "maybe"}, "all_bad"),
        ({"model_a": "x", "model_b": "y", "winner": "tie", "weight": -1}, "weight"),
        ({"model_a": "x", "model_b": "y", "winner": "tie", "weight": "NaN"}, "weight"),
        ({"model_a": "x", "model_b": "y", "winner": None}, "unknown outcome None"),
        ([1, 2], "no JSON object"),
    ],
)
def test_a_bad_row_says_why(row, reason, tmp_path):
    path = tmp_path / "v.jsonl"
    path.write_text(json.dumps(KWISE[0]) + "\n" + json.dumps(row) + "\n", encoding="utf-8")
    (bad,) = read_votes(path).bad_rows
    assert bad.line == 2
    assert reason in bad.reason


@pytest.mark.parametrize("cluster", ["ballot", "vote", "voter", "prompt", "voter,prompt"])
def test_every_cluster_is_taken_and_said(cluster, votes, capsys):
    status, out, _ = ranked(capsys, votes, "--cluster", cluster)
    assert status == 0
    assert f"clustered by {cluster}" in out


def test_a_missing_column_of_clusters_is_an_error_not_a_guess(tmp_path, capsys):
    path = tmp_path / "v.csv"
    path.write_text("model_a,model_b,winner\nx,y,model_a\ny,x,model_a\n", encoding="utf-8")
    status, _, err = ranked(capsys, path, "--cluster", "voter")
    assert status == 1
    assert MissingClusters.__name__ in err


def test_grounded_with_davidson_is_a_named_error(votes, capsys):
    status, _, err = ranked(capsys, votes, "--both-bad", "grounded")
    assert status == 1
    assert "IncompatibleTies" in err
    status, out, _ = ranked(capsys, votes, "--both-bad", "grounded", "--ties", "rao-kupper")
    assert status == 0
    assert "phi" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--covariates", "length", "--model", "elo"],
        ["--ties", "half", "--model", "elo"],
        ["--weights", "heavy"],
    ],
)
def test_what_is_not_built_or_does_not_fit_is_refused(arguments, votes):
    with pytest.raises(SystemExit) as stop:
        main([str(votes), *arguments])
    assert stop.value.code == 2


def test_parquet_without_pyarrow_is_one_clear_sentence(tmp_path, monkeypatch, capsys):
    path = tmp_path / "v.parquet"
    path.write_bytes(b"PAR1....PAR1")
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPyarrow):
        read_votes(path)
    status, _, err = ranked(capsys, path)
    assert status == 1
    assert err.count("\n") == 1
    assert "pip install pyarrow" in err


def test_parquet_is_read_where_pyarrow_is_installed(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "v.parquet"
    table = pyarrow.table({"model_a": ["x", "y"], "model_b": ["y", "x"], "winner": ["model_a", "what"]})
    parquet.write_table(table, path)
    found = read_votes(path)
    assert len(found.ballots) == 1
    assert found.bad_rows[0].line == 2


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"\xff\xfe\x00", b"\x1f\x8bbroken"])
def test_a_file_that_holds_no_votes_is_refused(content, tmp_path, capsys):
    path = tmp_path / "v.csv"
    path.write_bytes(content)
    with pytest.raises(UnreadableVotes):
        read_votes(path)
    status, out, err = ranked(capsys, path)
    assert (status, out) == (1, "")
    assert "UnreadableVotes" in err


def test_a_file_that_is_not_there_is_one_sentence(tmp_path, capsys):
    status, _, err = ranked(capsys, tmp_path / "none.csv")
    assert status == 1
    assert "none.csv" in err


STYLED = "model_a,model_b,winner,words_a,words_b,open_a,open_b,judge"


@pytest.fixture
def styled(tmp_path):
    """Longer answers win two thirds of the time, whatever the system."""
    rng = np.random.default_rng(4)
    lines = [STYLED]
    for k in range(600):
        a, b = rng.choice(3, size=2, replace=False)
        words = rng.integers(10, 200, size=2)
        winner = "model_a" if (rng.random() < 2 / 3) == (words[0] > words[1]) else "model_b"
        lines.append(f"s{a},s{b},{winner},{words[0]},{words[1]},{int(a == 0)},{int(b == 1)},{k % 25}")
    path = tmp_path / "styled.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_covariates_and_position_are_read_from_the_file_and_reported(styled, capsys):
    status, out, _ = ranked(
        capsys, styled, "--covariates", "words,open:difference", "--position", "--format", "json"
    )
    found = json.loads(out)
    rows = {row["name"]: row for row in found["diagnostics"]["covariates"]}
    assert status == 0
    assert found["settings"]["model"] == "contextual-bradley-terry"
    assert set(rows) == {"words", "open", "position"}
    assert rows["words"]["low"] > 0
    _, out, _ = ranked(capsys, styled, "--covariates", "words")
    assert "Elo per standard deviation" in out


def test_a_covariate_that_no_row_tells_is_named(styled, capsys):
    status, _, err = ranked(capsys, styled, "--covariates", "charm")
    assert status == 1
    assert "charm_a" in err


def test_covariates_of_kwise_ballots_stand_in_the_items_or_beside_them(tmp_path, capsys):
    rng = np.random.default_rng(1)
    rows = []
    for k in range(200):
        words = rng.integers(10, 99, size=3).tolist()
        order = rng.permutation(3).tolist()
        if k % 2:
            items = [{"item": f"s{i}", "rank": order[i] + 1, "words": words[i]} for i in range(3)]
            rows.append({"items": items})
        else:
            rows.append({"items": ["s0", "s1", "s2"], "rank": [r + 1 for r in order], "words": words})
    path = tmp_path / "votes.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    status, out, _ = ranked(capsys, path, "--covariates", "words", "--format", "json")
    assert status == 0
    assert json.loads(out)["diagnostics"]["n_comparisons"] == 600


@pytest.mark.parametrize("column", ["share", "chance"])
def test_an_impossible_share_or_chance_is_a_bad_row(tmp_path, capsys, column):
    path = tmp_path / "votes.csv"
    path.write_text(f"model_a,model_b,winner,{column}\nx,y,model_a,1.5\n", encoding="utf-8")
    status, _, err = ranked(capsys, path)
    assert status == 1
    assert f"line 2: {column} '1.5'" in err


def test_graded_votes_and_weights_by_draw_chance_are_read(tmp_path, capsys):
    lines = ["model_a,model_b,winner,share,chance"]
    lines += ["x,y,model_a,0.75,0.5"] * 3 + ["y,x,model_a,,0.25"]
    path = tmp_path / "votes.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    arguments = ["--interval", "none", "--ties", "half", "--weights", "inverse-draw-probability"]
    status, out, _ = ranked(capsys, path, *arguments, "--format", "json")
    scores = {row["item"]: row["score"] for row in json.loads(out)["ratings"]}
    assert status == 0
    share = (3 * 2 * 0.75 + 0) / (3 * 2 + 4)
    assert scores["x"] - scores["y"] == pytest.approx(400 * math.log10(share / (1 - share)), abs=1e-4)


def test_settings_of_any_model_can_be_given(votes, capsys):
    arguments = [
        "--model",
        "social-choice",
        "--set",
        "rule=copeland",
        "--set",
        "alpha=0.5",
        "--interval",
        "none",
    ]
    status, out, _ = ranked(capsys, votes, *arguments, "--format", "json")
    assert status == 0
    assert json.loads(out)["settings"]["rule"] == "copeland"
    status, _, err = ranked(capsys, votes, "--set", "rule")
    assert status == 1
    assert "NAME=VALUE" in err


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_model_prints_a_table(styled, capsys, model):
    own = ["--position"] if model == "contextual-bradley-terry" else []
    status, out, err = ranked(capsys, styled, "--model", model, "--interval", "none", "--seed", 1, *own)
    assert (status, err) == (0, "")
    assert out.splitlines()[0].split()[:3] == ["rank", "item", "score"]


@pytest.mark.parametrize(
    "row",
    [
        '{"items": ["a", "b"], "rank": [Infinity, 1]}',
        '{"items": ["a", "b"], "rank": [1e400, 1]}',
        '{"model_a": "a", "model_b": "b", "winner": "tie", "weight": 1' + "0" * 400 + "}",
        '{"a": ' + "[" * 100_000,
        '{"model_a": "\\ud800", "model_b": "b", "winner": "tie"}',
        json.dumps({"items": [f"s{i}" for i in range(600)], "rank": list(range(1, 601))}),
    ],
    ids=["infinite", "huge", "heavy", "deep", "surrogate", "wide"],
)
def test_a_row_that_no_one_can_read_is_named_and_can_be_skipped(tmp_path, capsys, row):
    path = tmp_path / "votes.jsonl"
    path.write_text(json.dumps({"model_a": "a", "model_b": "b", "winner": "tie"}) + "\n" + row + "\n")
    status, _, err = ranked(capsys, path)
    assert (status, "line 2" in err) == (1, True)
    status, _, _ = ranked(capsys, path, "--skip-bad-rows", "--interval", "none")
    assert status == 0


def test_a_broken_gzip_or_parquet_file_is_said_to_be_broken(tmp_path, capsys, votes):
    packed = bytearray(gzip.compress(votes.read_bytes()))
    packed[len(packed) // 2] ^= 0xFF
    for content in (bytes(packed), b"PAR1", b"PAR1junk"):
        path = tmp_path / "broken"
        path.write_bytes(content)
        status, _, err = ranked(capsys, path)
        assert status == 1
        assert "Unreadable" in err or "no valid" in err or "line" in err


def test_what_is_set_is_what_is_reported(votes, capsys):
    arguments = ["--interval", "bootstrap", "--set", "seed=5", "--format", "json"]
    status, out, _ = ranked(capsys, votes, *arguments)
    assert (status, json.loads(out)["settings"]["seed"]) == (0, 5)
    status, _, err = ranked(capsys, votes, "--set", "rule=copeland")
    assert status == 1
    assert "bradley-terry has no setting rule" in err


def test_a_negative_seed_is_a_misused_option(votes, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([str(votes), "--seed", "-1"])
    assert stopped.value.code == 2

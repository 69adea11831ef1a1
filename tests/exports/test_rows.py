import gzip

import pytest

from arena.exports.importers.report import FileProblem, Report, RowRefused
from arena.exports.importers.rows import MAX_LINE_BYTES, Row, csv_rows, json_rows, lines
from tests.exports.builders import write


@pytest.fixture
def report():
    return Report()


def test_plain_and_gzipped_files_read_the_same(tmp_path):
    text = "a,b\n1,ü\n"
    plain, zipped = write(tmp_path / "t.csv", text), write(tmp_path / "t.csv.gz", text)
    assert list(lines(plain)) == list(lines(zipped)) == ["a,b\n", "1,ü\n"]


def test_gzip_is_known_by_its_content(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(gzip.compress(b"a,b\n"))
    assert list(lines(path)) == ["a,b\n"]


def test_byte_order_mark_is_no_part_of_the_first_column(tmp_path, report):
    path = write(tmp_path / "t.csv", b"\xef\xbb\xbfa,b\n1,2\n")
    assert next(csv_rows(path, report=report)).values == {"a": "1", "b": "2"}


def test_truncated_gzip_is_a_problem_of_the_file_with_its_line(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(
        gzip.compress("".join(f"{n},{n * 7919 % 1000}\n" for n in range(20_000)).encode())[:-4000]
    )
    with pytest.raises(FileProblem, match=r"t\.csv\.gz, line \d+: the gzip file ends too early"):
        list(lines(path))


def test_damaged_gzip_is_a_problem_of_the_file(tmp_path):
    content = bytearray(gzip.compress(b"a,b\n" * 1000))
    content[-6] ^= 0xFF
    path = tmp_path / "t.csv.gz"
    path.write_bytes(content)
    with pytest.raises(FileProblem, match="damaged"):
        list(lines(path))


def test_name_that_claims_gzip_is_checked(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(b"<html>Not found</html>")
    with pytest.raises(FileProblem, match=r"ends in \.gz, but it is not a gzip file"):
        list(lines(path))


def test_latin_1_is_refused_with_line_and_byte(tmp_path):
    path = write(tmp_path / "t.csv", "a,b\n1,2\n3,café\n".encode("latin-1"))
    with pytest.raises(FileProblem, match=r"t\.csv, line 3: not UTF-8 text \(byte 0xe9\)"):
        list(lines(path))


def test_empty_file_is_said_to_be_empty(tmp_path):
    with pytest.raises(FileProblem, match=r"t\.csv: the file is empty"):
        list(lines(write(tmp_path / "t.csv", "")))
    with pytest.raises(FileProblem, match=r"t\.csv\.gz: the file is empty"):
        list(lines(write(tmp_path / "t.csv.gz", "")))


def test_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(FileProblem, match=r"none\.csv: cannot be read: No such file"):
        list(lines(tmp_path / "none.csv"))


def test_endless_line_is_refused(tmp_path):
    path = write(tmp_path / "t.csv.gz", b"x" * (MAX_LINE_BYTES + 10))
    with pytest.raises(FileProblem, match="line 1: the line is longer than"):
        list(lines(path))


def test_rows_of_a_wrong_length_are_rejected_with_their_line(tmp_path, report):
    path = write(tmp_path / "t.csv", 'a,b\n1,2\n3\n"4\n5",6\n\n7,8,9\n')
    rows = list(csv_rows(path, report=report))
    assert [(row.line, dict(row.values)) for row in rows] == [
        (2, {"a": "1", "b": "2"}),
        (4, {"a": "4\n5", "b": "6"}),
    ]
    assert [str(rejected) for rejected in report.rejected] == [
        "t.csv, line 3: 1 fields where the header has 2",
        "t.csv, line 7: 3 fields where the header has 2",
    ]


def test_open_quote_is_a_problem_of_the_file(tmp_path, report):
    with pytest.raises(FileProblem, match="broken CSV"):
        list(csv_rows(write(tmp_path / "t.csv", 'a,b\n1,"2\n'), report=report))


def test_lines_that_are_no_json_object_are_rejected(tmp_path, report):
    path = write(tmp_path / "t.jsonl", '{"a":1}\nnope\n[1]\n\n{"a":2}\n')
    assert [row.line for row in json_rows(path, report=report)] == [1, 5]
    assert [rejected.line for rejected in report.rejected] == [2, 3]


@pytest.mark.parametrize(
    ("value", "reason"),
    [("", "is empty"), ("a\0b", "NUL"), ("x" * 11, "the limit is 10"), ("\ud800", "surrogate")],
)
def test_text_the_database_cannot_hold_is_refused(value, reason):
    with pytest.raises(RowRefused, match=reason):
        Row(1, {"name": value}).text("name", limit=10)


def test_progress_adds_up_to_the_size_of_the_file(tmp_path):
    path = write(tmp_path / "t.csv.gz", "".join(f"{n},{n * 7919 % 1000}\n" for n in range(50_000)))
    steps: list[int] = []
    list(lines(path, progress=steps.append))
    assert sum(steps) == path.stat().st_size

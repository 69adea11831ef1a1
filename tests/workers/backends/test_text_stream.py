from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.backends.text_stream import TextStream

PIECES = st.lists(st.text(alphabet="ab \n\0\ud800é", max_size=4))


def run(pieces: list[str], stop: tuple[str, ...] = ()) -> tuple[str, list[str], TextStream]:
    deltas: list[str] = []
    stream = TextStream(deltas.append, stop)
    for piece in pieces:
        stream.push(piece)
    return stream.finish(), deltas, stream


@given(pieces=PIECES, stop=st.lists(st.text(alphabet="ab \n", min_size=1, max_size=3), max_size=2))
def test_however_the_text_is_cut_into_pieces_the_result_is_the_same(
    pieces: list[str], stop: list[str]
) -> None:
    text, deltas, _ = run(pieces, tuple(stop))
    whole = "".join(pieces).replace("\0", "\ufffd").replace("\ud800", "\ufffd")
    ends = [at for at in (whole.find(mark) for mark in stop) if at >= 0]
    assert text == whole[: min(ends, default=len(whole))].strip()
    assert "".join(deltas) == text
    assert all(deltas)


def test_beginning_of_a_stop_string_is_held_back() -> None:
    deltas: list[str] = []
    stream = TextStream(deltas.append, ("\nQuestion:",))
    stream.push("Blue.\nQuest")
    assert deltas == ["Blue."]
    stream.push("s are long.")
    assert "".join(deltas) == "Blue.\nQuests are long."


def test_nothing_is_read_after_the_stop_string() -> None:
    text, _, stream = run(["one STOP two", " three"], ("STOP",))
    assert text == "one"
    assert stream.is_stopped


@pytest.mark.parametrize("pieces", [[], [""], [" ", "\n"]])
def test_white_space_alone_is_no_text(pieces: list[str]) -> None:
    assert run(pieces)[:2] == ("", [])

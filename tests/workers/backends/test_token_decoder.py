from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from workers.backends.token_decoder import TokenDecoder


def decode_bytes(tokens: Sequence[int]) -> str:
    """A vocabulary of single bytes, the hardest case: most letters need several tokens."""
    return bytes(tokens).decode("utf-8", errors="replace")


def decode_words(tokens: Sequence[int]) -> str:
    """A vocabulary that drops the space before the first word, as SentencePiece's decoders do."""
    return "".join(f" w{token}" for token in tokens).removeprefix(" ")


@given(st.text())
def test_letters_of_several_tokens_come_out_whole(text: str) -> None:
    decoder = TokenDecoder(decode_bytes)
    pieces = [decoder.push(token) for token in text.encode()]
    assert "".join([*pieces, decoder.finish()]) == text


@given(st.lists(st.integers(0, 9)))
def test_spaces_between_words_are_kept(tokens: list[int]) -> None:
    decoder = TokenDecoder(decode_words)
    pieces = [decoder.push(token) for token in tokens]
    assert "".join([*pieces, decoder.finish()]) == decode_words(tokens)


def test_unfinished_letter_at_the_end_is_shown_as_such() -> None:
    decoder = TokenDecoder(decode_bytes)
    assert [decoder.push(token) for token in b"a\xc3"] == ["a", ""]
    assert decoder.finish() == "\ufffd"

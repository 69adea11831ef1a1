import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.ranking import LengthMismatch
from arena.ranking.covariates.style import TEXT_FEATURES, measured_table, text_style, text_table
from arena.ranking.errors import InvalidFeature

ANSWER = """\
# Title

Here is **bold** and __also bold__, not `**this**`.

1. one
2. two
   - nested
* three

```python
# not a header
- not an item
**not bold**
```

See [the docs](https://example.org/a) and https://example.org/b [1][2, 3].
![chart](chart.png) 🎉
"""


def test_an_answer_is_counted_as_by_hand():
    found = text_style(ANSWER)
    assert found["characters"] == len(ANSWER)
    assert {name: found[name] for name in TEXT_FEATURES[2:]} == {
        "headers": 1,
        "ordered_items": 2,
        "unordered_items": 2,
        "list_items": 4,
        "bold": 2,
        "code_blocks": 1,
        "emoji": 1,
        "links": 2,
        "images": 1,
        "citations": 5,  # 1, 2, 3 and the two links
    }


def test_an_empty_text_has_nothing():
    assert set(text_style("").values()) == {0.0}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("three short words", 3),
        ("naïve café 42", 3),
        ("don't", 2),
        ("東京 tower", 3),
        ("ひらがな", 4),
        ("... !?", 0),
        ("한국어 문장", 2),
    ],
)
def test_words_are_runs_of_word_characters_and_single_ideographs(text, words):
    assert text_style(text)["words"] == words


@pytest.mark.parametrize(
    ("line", "headers"),
    [
        ("# a", 1),
        ("###### a", 1),
        ("####### a", 0),
        ("#a", 0),
        ("#", 1),
        ("   ## a", 1),
        ("    ## a", 0),
        ("a # b", 0),
    ],
)
def test_headers_are_one_to_six_signs_and_a_space(line, headers):
    assert text_style(line)["headers"] == headers


@pytest.mark.parametrize(
    ("line", "ordered", "unordered"),
    [
        ("1. a", 1, 0),
        ("12) a", 1, 0),
        ("1.a", 0, 0),
        ("1234567890. a", 0, 0),
        ("- a", 0, 1),
        ("      + a", 0, 1),
        ("-a", 0, 0),
        ("- ", 0, 0),
        ("* * *", 0, 0),
        ("- - - -", 0, 0),
        ("- - a", 0, 1),
    ],
)
def test_list_items_are_a_mark_and_text(line, ordered, unordered):
    found = text_style(line)
    assert (found["ordered_items"], found["unordered_items"]) == (ordered, unordered)
    assert found["list_items"] == ordered + unordered


@pytest.mark.parametrize(
    ("text", "bold"),
    [
        ("**a** **b c**", 2),
        ("***a***", 1),
        ("** a **", 0),
        ("**a\nb**", 0),
        ("**", 0),
        ("****", 0),
        ("__a__", 1),
        ("snake__case__name", 0),
        ("2 ** 3 ** 4", 0),
        ("`**a**` **b**", 1),
        ("``a ` **b** `` **c**", 1),
        ("` **a**", 1),
    ],
)
def test_bold_spans_hug_their_text_on_one_line_outside_of_code(text, bold):
    assert text_style(text)["bold"] == bold


@pytest.mark.parametrize(
    ("text", "blocks", "headers"),
    [
        ("```\n# a\n```\n# b", 1, 1),
        ("~~~\n```\n# a\n~~~\n# b", 1, 1),
        ("````\n```\n# a\n````\n# b", 1, 1),
        ("```\n# a", 1, 0),
        ("```\n# a\n``` x\n# b\n```\n# c", 1, 1),
        ("```a```\n# b", 0, 1),
        ("    ```\n# b", 0, 1),
        ("```\r\n# a\r\n```\r\n# b\r\n", 1, 1),
    ],
)
def test_fences_hide_their_lines(text, blocks, headers):
    found = text_style(text)
    assert (found["code_blocks"], found["headers"]) == (blocks, headers)


@pytest.mark.parametrize(
    ("text", "links", "citations"),
    [
        ("[1](https://a.b)", 1, 1),
        ("[1] [2]", 0, 2),
        ("[1, 2; 3] [4-6]", 0, 5),
        ("[^1]", 0, 1),
        ("[0] [1000] [a] []", 0, 0),
        ("https://a.b/c_(d) http://e.f", 2, 2),
        ("[https://a.b](https://a.b)", 1, 1),
        ("xhttps://a.b", 0, 0),
        ("[a]( b)", 0, 0),
        ("`[1] https://a.b`", 0, 0),
    ],
)
def test_links_and_citations_are_counted_once(text, links, citations):
    found = text_style(text)
    assert (found["links"], found["citations"]) == (links, citations)


@pytest.mark.parametrize(
    ("text", "emoji"), [("🎉🎉", 2), ("👩🏽‍💻", 1), ("🇩🇪🇫🇷", 2), ("✔️", 1), ("a → b © 1", 0), ("👍🏿 ok", 1)]
)
def test_joined_and_tinted_emoji_count_once(text, emoji):
    assert text_style(text)["emoji"] == emoji


@given(st.text(alphabet="*_`#[]()!-+1. \n~ahtps:/🎉", max_size=80))
def test_any_text_has_finite_counts_that_do_not_exceed_its_length(text):
    found = text_style(text)
    assert tuple(found) == TEXT_FEATURES
    assert all(0 <= value <= len(text) for value in found.values())


@pytest.mark.parametrize("piece", ["**a ", "[", "[a](", "`", "`` ` ", "- - ", "#", "__a ", "[1, "])
def test_time_grows_with_the_text_and_no_faster(piece):
    def seconds(size):
        text = (piece * size)[:size]
        start = time.process_time()
        text_style(text)
        return time.process_time() - start

    small = min(seconds(20_000) for _ in range(3))
    assert seconds(200_000) < 40 * small + 0.05  # a quadratic count takes 100 times as long


def test_a_table_has_a_row_of_nan_for_a_missing_answer():
    names, values = text_table(["a b", None])
    assert names == TEXT_FEATURES
    assert values[0, names.index("words")] == 2
    assert np.isnan(values[1]).all()


def test_measured_columns_stand_side_by_side():
    names, values = measured_table({"duration_s": [1.5, None], "is_splat": [True, False]})
    assert names == ("duration_s", "is_splat")
    np.testing.assert_array_equal(values, [[1.5, 1.0], [np.nan, 0.0]])


@pytest.mark.parametrize(
    ("columns", "error"),
    [
        ({"a": [1.0], "b": [1.0, 2.0]}, LengthMismatch),
        ({"a": ["x"]}, InvalidFeature),
        ({"a": [float("inf")]}, InvalidFeature),
    ],
)
def test_measured_columns_that_cannot_be_read_are_refused(columns, error):
    with pytest.raises(error):
        measured_table(columns)

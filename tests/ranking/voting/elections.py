"""Elections for the tests of voting rules: textbook ones, and random partial ballots with ties."""

from __future__ import annotations

from hypothesis import strategies as st

from arena.ranking import Ballots

NAMES = ("a", "b", "c", "d", "e")


def election(*lines, **columns):
    """Ballots from lines `(weight, "a>b=c")`; items left out are not compared."""
    rankings = [
        [(name, place) for place, level in enumerate(line.split(">"), start=1) for name in level.split("=")]
        for _, line in lines
    ]
    return Ballots.from_rankings(rankings, weight=[weight for weight, _ in lines], **columns)


# The capital of Tennessee: by distance Nashville beats everybody, Memphis has the most first places.
TENNESSEE = (
    (42, "Memphis>Nashville>Chattanooga>Knoxville"),
    (26, "Nashville>Chattanooga>Knoxville>Memphis"),
    (15, "Chattanooga>Knoxville>Nashville>Memphis"),
    (17, "Knoxville>Chattanooga>Nashville>Memphis"),
)
# a beats b 8 to 3 of 11, b beats c 9 to 2, c beats a 6 to 5.
CYCLE = ((5, "a>b>c"), (3, "b>c>a"), (3, "c>a>b"))

RANKS = st.lists(st.none() | st.integers(1, 5), min_size=len(NAMES), max_size=len(NAMES))
ELECTIONS = st.lists(st.tuples(RANKS, st.integers(1, 3)), min_size=1, max_size=8)


def drawn(rows, names=NAMES, weighted=True):
    """Ballots from rows of (ranks or None by item, weight); a weight may be spelt out as repeated ballots."""
    flat = rows if weighted else [(ranks, 1) for ranks, weight in rows for _ in range(weight)]
    return Ballots.from_rankings(
        [list(zip(names, ranks, strict=True)) for ranks, _ in flat],
        weight=[weight for _, weight in flat],
        items=names,
    )

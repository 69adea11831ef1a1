"""Markdown tables of a results file: python -m benchmarks.coverage.table benchmarks/coverage/results.json

Knows the files of `run.py` and of `corrections.py`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Row = dict[str, Any]

LEVEL, TOLERATED = 0.95, 0.015
MANY = 40
"""From this number of clusters on Student's quantile is close to the normal one."""

ENOUGH = [
    *(("ballot", count) for count in (1000, 5000)),
    *(("voter", count) for count in (40, 100, 400)),
    ("prompt", 100),
    *(("voter,prompt", count) for count in (40, 100, 400)),
]
FEW = [(kind, count) for kind in ("voter", "voter,prompt") for count in (5, 10, 20)]
JOINT = [
    ("ballot", 1000),
    *((kind, count) for kind in ("voter", "voter,prompt") for count in (5, 10, 20, 40, 400)),
]
OTHERS = [
    ("ballot", 5000),
    *((kind, n) for kind in ("voter", "voter,prompt") for n in (5, 10, 20, 40, 400)),
]
ZIPF = [("voter", 40), ("voter", 400)]
STATEMENTS = ("single", "difference", "joint", "ranks")


def percent(row: Row, *statements: str) -> str:
    return " / ".join(f"{100 * row[name]:.1f}" for name in statements if name in row) or "refused"


def grid(rows: list[Row], columns: list[tuple[str, int]], cell: Callable[[Row], str], *, zipf: bool) -> None:
    uneven = ZIPF if zipf else []
    heads = [f"{count:,} {kind}" for kind, count in columns]
    heads += [f"{count:,} {kind}, Zipf" for kind, count in uneven]
    print(f"\n| model | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}")
    for model in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == model and not row.get("newcomer_met")]
        found = {(row["cluster"], row["clusters"], row["zipf"]): row for row in own}
        keys = [(*column, False) for column in columns] + [(*column, True) for column in uneven]
        print(f"| {model} | {' | '.join(cell(found[key]) if key in found else '' for key in keys)} |")


def scalars(row: Row) -> Iterable[str]:
    """Names of the parameters beside the scores."""
    for key in row:
        name = key.removesuffix("_width")
        if key.endswith("_width") and name not in STATEMENTS:
            yield name


def outside(rows: list[Row]) -> list[Row]:
    return [row for row in rows if abs(row.get("single", LEVEL) - LEVEL) > TOLERATED]


PAIRS = ("plain normal", "plain C-1", "plain own", "own own", "cr2 own", "cr3 C-1", "cr3 own")


def corrections(rows: list[Row]) -> None:
    """Of a file of `benchmarks.coverage.corrections`: variance and quantile in each head."""
    print(f"| votes | model | {' | '.join(PAIRS)} | at once, own |\n|---|---|{'---|' * (len(PAIRS) + 1)}")
    rows = sorted(rows, key=lambda row: (row["newcomer"], row["zipf"], row["cluster"], row["clusters"]))
    for row in rows:
        label = f"{row['clusters']} {row['cluster']}{', Zipf' * row['zipf']}"
        second = "newcomer" if row["newcomer"] else "difference"
        label += f", {row['newcomer']} met the newcomer" if row["newcomer"] else ""
        cells = (percent(row["coverage"][pair], "single", second) for pair in PAIRS)
        print(f"| {label} | {row['model']} | {' | '.join(cells)} | {100 * row['joint_own']:.1f} |")


def coverage(rows: list[Row]) -> None:
    """Of a file of `benchmarks.coverage.run`."""
    likely = [row for row in rows if "joint" in row]
    print("Scores / differences of neighbours, % of intervals that hold the truth")
    grid(rows, ENOUGH, lambda row: percent(row, "single", "difference"), zipf=False)
    print("\nScores / differences: few or uneven clusters")
    grid(rows, FEW, lambda row: percent(row, "single", "difference"), zipf=True)
    print("\nScores, the same standard error with the normal quantile")
    grid(likely, FEW, lambda row: percent(row, "single_normal"), zipf=True)
    print("\nAll scores at once: the library / with the normal quantile")
    grid(likely, JOINT, lambda row: percent(row, "joint", "joint_normal"), zipf=True)
    for row in rows:
        if row.get("newcomer_met"):
            found = percent(row, "single", "newcomer", "joint")
            print(f"\n{row['model']}, {row['newcomer_met']} met the newcomer: scores / it / at once {found}")
    print("\nOther parameters")
    named = [
        row | {"model": f"{row['model']}: {name}", "it": row[name]} for row in likely for name in scalars(row)
    ]
    named.sort(key=lambda row: str(row["model"]))
    grid(named, OTHERS, lambda row: percent(row, "it"), zipf=True)
    many = [
        row for row in likely if row["clusters"] >= MANY and not row["zipf"] and not row.get("newcomer_met")
    ]
    for name in ("single", "difference"):
        widths = [row[f"{name}_width"] for row in many]
        print(f"\nWidth over that of estimate +- 1.96 sd, {name}: {min(widths)} to {max(widths)}")
    worst = max(row["single_error"] for row in rows if "single_error" in row)
    print(f"Largest Monte Carlo error of a score's coverage: {100 * worst:.2f} points")
    print(
        "Outside of 95 +- 1.5: "
        + "; ".join(
            f"{r['model']} {r['clusters']} {r['cluster']}{', Zipf' * r['zipf']} {100 * r['single']:.1f}"
            for r in outside(rows)
        )
    )


def main() -> None:
    rows: list[Row] = json.loads(Path(sys.argv[1]).read_text())
    if rows and "coverage" in rows[0]:
        corrections(rows)
    else:
        coverage(rows)


if __name__ == "__main__":
    main()

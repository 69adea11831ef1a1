"""The results as Markdown tables, for the README.

python -m benchmarks.convergence.table
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NAMES = {
    "active": "**ActiveRanker**",
    "luce-information": "Plackett-Luce + information",
    "luce-random": "Plackett-Luce + random",
    "ksort-adjacent": "K-Sort, adjacent only",
    "ksort": "K-Sort's equations",
    "elo": "Elo, random pairs",
}


def exact(results: dict[str, Any]) -> list[str]:
    """Ballots until exact: median and worst seed by noise."""
    lines = [
        "| method | K | seeds | no noise: median (quartiles), worst | 5 % noise | 10 % noise | clicks |",
        "|---|---:|---:|---|---|---|---|",
    ]
    rows = results["exact"]
    for name, label in NAMES.items():
        for size in sorted({row["k"] for row in rows if row["method"] == name}):
            cells = [row for row in rows if row["method"] == name and row["k"] == size]
            cells.sort(key=lambda row: row["noise"])
            clicks = " / ".join(_number(row["median_clicks"]) for row in cells)
            seeds = sorted({row["seeds"] for row in cells})
            shown = "–".join(str(count) for count in sorted({seeds[0], seeds[-1]}))
            spans = " | ".join(_span(row) for row in cells)
            lines.append(f"| {label} | {size} | {shown} | {spans} | {clicks} |")
    return lines


def newcomers(results: dict[str, Any]) -> list[str]:
    """Ballots until a newcomer stands right."""
    lines = ["| method | K | noise | seeds | median (quartiles), worst |", "|---|---:|---:|---:|---|"]
    for row in results["newcomer"]:
        label = NAMES[row["method"]]
        lines.append(f"| {label} | {row['k']} | {row['noise']:.0%} | {row['seeds']} | {_span(row)} |")
    return lines


def kendall(results: dict[str, Any]) -> list[str]:
    """Share of wrong pairs by budget."""
    budgets = results["budgets"]
    lines = [
        "| strengths | K | method | " + " | ".join(str(budget) for budget in budgets) + " |",
        "|---|---:|---|" + "---:|" * len(budgets),
    ]
    for row in sorted(results["kendall"], key=lambda row: (row["spread"], row["k"])):
        for key, suffix in (("wrong", ""), ("wrong_fitted", ": Plackett-Luce on its ballots")):
            if key in row:
                values = " | ".join(f"{100 * share:.1f}" for share in row[key])
                lines.append(f"| {row['spread']} | {row['k']} | {NAMES[row['method']]}{suffix} | {values} |")
    return lines


def _span(row: dict[str, Any]) -> str:
    if row["converged"] == 0:
        return "never"
    quartiles = f"{_number(row['lower_quartile'])}–{_number(row['upper_quartile'])}"
    text = f"{_number(row['median'])} ({quartiles}), {_number(row['worst'])}"
    given_up = row["seeds"] - row["converged"]
    return f"{text}; {given_up} of {row['seeds']} never" if given_up else text


def _number(value: float | None) -> str:
    return "given up" if value is None else f"{value:,.0f}"


if __name__ == "__main__":
    found = json.loads((Path(__file__).parent / "results.json").read_text())
    for section in (exact, newcomers, kendall):
        print("\n".join(section(found)), end="\n\n")

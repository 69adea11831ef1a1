"""Markdown tables and the list of aims from the results of a run; it times nothing."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.ranking.groups import AIMS, CURVES, GROUPS, Aim

_COLUMNS = "| | CPU ms, least | median | wall ms, least | x ours | peak MB | {} |"
_RULE = "|---|---:|---:|---:|---:|---:|---:|"
_COMPARED = {"difference": "largest difference, Elo", "spread": "standard errors, median x ours"}


def tables(results: dict[str, Any]) -> str:
    parts = [_group(group) for group in results["groups"]]
    if "incremental" in results:
        parts.append("\n".join(["### Incremental", "", *results["incremental"]]))
    if "curves" in results:
        parts += [_curve(results["curves"][axis], axis) for axis in ("votes", "systems")]
    parts.append(_aims(results["groups"]))
    parts.append(_circumstances(results))
    return "\n\n".join(part for part in parts if part)


def _group(group: dict[str, Any]) -> str:
    base = least(group["rows"][0])
    what = {"votes": "votes", "rankings": "ballots"}[group["kind"]]
    lines = [
        f"### {group['title']}: {group['systems']} systems, {group['size']:,} {what}",
        "",
        _COLUMNS.format(_COMPARED[group["compared"]]),
        _RULE,
    ]
    return "\n".join([*lines, *(_row(row, base, group["compared"]) for row in group["rows"])])


def _row(row: dict[str, Any], base: float | None, compared: str) -> str:
    seconds = least(row)
    if seconds is None:
        why = row.get("failed") or f"{row['missing']} is not installed"
        return f"| {row['label']} | {why} | | | | | |"
    agrees = ""
    if compared == "difference" and "off_elo" in row:
        agrees = f"{row['off_elo']:.1g}"
    if compared == "spread" and "spread_ratio" in row:
        agrees = f"{row['spread_ratio']:.2f}"
    times = "" if base is None else _ratio(seconds / base)
    figures = (seconds, median(row["cpu_s"]), min(row["wall_s"]))
    shown = " | ".join(_ms(figure) for figure in figures)
    return f"| {row['label']} | {shown} | {times} | {row['peak_mb']:.0f} | {agrees} |"


def _curve(points: list[dict[str, Any]], axis: str) -> str:
    other = "systems" if axis == "votes" else "size"
    fixed = points[0][other]
    title = f"over votes, {fixed} systems" if axis == "votes" else f"over systems, {fixed:,} votes or ballots"
    head = " | ".join(f"{label}" for label in CURVES.values())
    lines = [f"### Cost {title}: CPU ms, least (peak MB)", "", f"| {axis} | {head} |"]
    lines.append("|---:|" + "---:|" * len(CURVES))
    place = "size" if axis == "votes" else "systems"
    for size in dict.fromkeys(point[place] for point in points):
        cells = []
        for case in CURVES:
            found = [point for point in points if point[place] == size and point["case"] == case]
            seconds = least(found[0]) if found else None
            if seconds is None:
                cells.append(found[0].get("failed", "") if found else "")
            else:
                cells.append(f"{_ms(seconds)} ({found[0]['peak_mb']:.0f})")
        lines.append(f"| {size:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _aims(groups: list[dict[str, Any]]) -> str:
    """Of groups at their full size; smaller ones have no aims."""
    full = {(group.title, group.systems, group.size) for group in GROUPS}
    groups = [group for group in groups if (group["title"], group["systems"], group["size"]) in full]
    lines = ["### Aims", "", "| | aim | alarm | reached | |", "|---|---:|---:|---:|---|"]
    judged = [line for aim in AIMS if (line := _aim(aim, groups)) is not None]
    return "\n".join([*lines, *judged]) if judged else ""


def _aim(aim: Aim, groups: list[dict[str, Any]]) -> str | None:
    rows = {row["case"]: row for group in groups if group["title"] == aim.group for row in group["rows"]}
    seconds = [least(rows[case]) if case in rows else None for case in (aim.slow, aim.fast)]
    if seconds[0] is None or seconds[1] is None:
        return None
    reached = seconds[0] / seconds[1]
    is_met = reached <= aim.aim if aim.is_at_most else reached >= aim.aim
    verdict = "met" if is_met else "not met"
    if not is_met and aim.alarm is not None:
        verdict += ", above the alarm" if reached >= aim.alarm else ", **below the alarm**"
    sign = "at most " if aim.is_at_most else ""
    alarm = "" if aim.alarm is None else f"{aim.alarm:g}"
    return f"| {aim.text} | {sign}{aim.aim:g} | {alarm} | {_ratio(reached)} | {verdict} |"


def _circumstances(results: dict[str, Any]) -> str:
    rows = [row for group in results["groups"] for row in group["rows"] if "probe_ms" in row]
    if not rows:
        return ""
    probes = [value for row in rows for value in row["probe_ms"]]
    loads = [value for row in rows for value in row["load"]]
    return (
        f"The fixed probe took {min(probes):.2f} to {max(probes):.2f} ms, "
        f"{median(probes):.2f} at the median; "
        f"the load was {min(loads):.1f} to {max(loads):.1f}, {median(loads):.1f} at the median."
    )


def least(row: dict[str, Any]) -> float | None:
    """Seconds of CPU of the fastest run."""
    return min(row["cpu_s"]) if "cpu_s" in row else None


def _ms(seconds: float) -> str:
    value = 1000 * seconds
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value < 2 else f"{value:.1f}" if value < 20 else f"{value:,.0f}"

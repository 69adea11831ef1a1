"""`python -m arena.ranking VOTES`: rank the votes of a file and say what was assumed."""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO, get_args

from arena.ranking.bradley_terry import Ties
from arena.ranking.counts import BothBad
from arena.ranking.errors import InvalidSetting, MissingClusters, RankingError
from arena.ranking.registry import INTERVALS, MODELS, features_asked, fit_from_settings
from arena.ranking.result import Ranking
from arena.ranking.votes_file import VotesFile, read_votes
from arena.ranking.weights import SCHEMES

CONTEXTUAL = "contextual-bradley-terry"
CLUSTERS = ("ballot", "vote", "voter", "prompt", "voter,prompt")
COLUMNS = (
    "item",
    "score",
    "low",
    "high",
    "rank_low",
    "rank_high",
    "n",
    "wins",
    "ties",
    "losses",
    "component",
    "separated",
    "provisional",
)
_LISTED = 20  # bad rows named one by one


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="python -m arena.ranking",
        description="Rank systems from votes: CSV, JSON Lines (plain or gzip) or Parquet; pairwise (model_a, "
        "model_b, winner) or K-wise (items with ranks). Optional columns: voter or judge, prompt_id, weight, "
        "share (of graded votes), chance (of the draw), and NAME_a, NAME_b for each covariate NAME.",
    )
    found.add_argument("votes", metavar="VOTES", type=Path)
    found.add_argument("--model", choices=list(MODELS), default="bradley-terry")
    found.add_argument("--ties", choices=get_args(Ties), help="Bradley-Terry alone; davidson unless told")
    found.add_argument("--both-bad", choices=get_args(BothBad), default="tie")
    found.add_argument("--cluster", choices=CLUSTERS, default="ballot", help="what was drawn independently")
    found.add_argument(
        "--interval",
        choices=INTERVALS,
        help="sandwich unless told, bootstrap for models without a likelihood",
    )
    found.add_argument("--level", type=float, default=0.95)
    found.add_argument("--anchor-mean", type=float, default=1000.0)
    found.add_argument(
        "--covariates",
        metavar="A,B",
        help="board as if equal in these properties of the answers; A:difference for indicators",
    )
    found.add_argument("--position", action="store_true", help="board as if equal in position")
    found.add_argument("--weights", choices=("none", *SCHEMES), default="none")
    found.add_argument(
        "--set",
        dest="own",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="any other setting of the model, as JSON or plain text: --set rule=copeland",
    )
    found.add_argument("--seed", type=_seed, default=0)
    found.add_argument("--format", choices=("table", "json", "csv"), default="table")
    found.add_argument("--skip-bad-rows", action="store_true", help="leave bad rows out instead of stopping")
    return found


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no integer of 0 or more")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0: a board; 1: bad rows, an unreadable file or a refused fit; 2: an option misused."""
    options = parser().parse_args(arguments)
    covariates = [name for name in (options.covariates or "").split(",") if name]
    if covariates or options.position:
        if options.model not in ("bradley-terry", CONTEXTUAL):
            parser().error(f"--covariates and --position belong to bradley-terry, not to {options.model}")
        options.model = CONTEXTUAL
    if options.ties not in (None, "davidson") and options.model not in ("bradley-terry", CONTEXTUAL):
        parser().error(f"--ties {options.ties} belongs to bradley-terry, not to {options.model}")
    try:
        settings = {"covariates": covariates, "position": options.position, **_own_settings(options.own)}
        found = read_votes(options.votes, features=features_asked({"model": options.model, **settings}))
        _report_bad_rows(options.votes, found)
        if found.bad_rows and not options.skip_bad_rows:
            _say("No board: mend these rows, or leave them out with --skip-bad-rows.")
            return 1
        ranking = _fit(options, found, settings)
    except (RankingError, OSError) as problem:
        _say(f"{type(problem).__name__}: {problem}")
        return 1
    _print(ranking, options.format, sys.stdout)
    return 0


def _own_settings(pairs: Sequence[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise InvalidSetting(f"--set needs NAME=VALUE, not {pair!r}")
        try:
            settings[name] = json.loads(text)
        except ValueError:
            settings[name] = text
    return settings


def _fit(options: argparse.Namespace, found: VotesFile, own: dict[str, Any]) -> Ranking:
    settings: dict[str, Any] = {
        "model": options.model,
        "ties": options.ties or "davidson",
        "both_bad": options.both_bad,
        "cluster": options.cluster,
        "level": options.level,
        "anchor_mean": options.anchor_mean,
        "seed": options.seed,
        # Who asks for voters gets voters or an error; only a board chooses for itself.
        "min_clusters": 0,
        "weights": options.weights,
        **own,
    }
    if options.interval:
        settings["interval"] = options.interval
    asked = str(settings["cluster"])
    for way, known in (("voter", found.has_voters), ("prompt", found.has_prompts)):
        if way in asked.split(",") and not known:
            raise MissingClusters(f"--cluster {asked} needs a {way} column (or judge, prompt_id)")
    ranking = fit_from_settings(settings, found.ballots)
    unused = sorted(set(ranking.diagnostics["settings_unused"]) & {key for key in own if own[key]})
    if unused:
        raise InvalidSetting(f"{options.model} has no setting {', '.join(unused)}")
    of_file = {"bad_rows": len(found.bad_rows), "self_battles": found.self_battles}
    return replace(
        ranking,
        diagnostics={**ranking.diagnostics, **of_file},
        settings={**ranking.settings, "seed": settings["seed"]},
    )


def _report_bad_rows(path: Path, found: VotesFile) -> None:
    for row in found.bad_rows[:_LISTED]:
        _say(f"{path}, line {row.line}: {row.reason}")
    if len(found.bad_rows) > _LISTED:
        _say(f"… and {len(found.bad_rows) - _LISTED} more bad rows, up to line {found.bad_rows[-1].line}")


def _print(ranking: Ranking, form: str, out: TextIO) -> None:
    if form == "json":
        json.dump(ranking.as_dict(), out, allow_nan=False, ensure_ascii=False, indent=1)
        out.write("\n")
        return
    rows = [[row[column] for column in COLUMNS] for row in ranking.as_dict()["ratings"]]
    if form == "csv":
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(["" if value is None else value for value in row] for row in rows)
        return
    out.write(_table(ranking))
    out.write("\n".join(["", *assumptions(ranking), ""]))


def _table(ranking: Ranking) -> str:
    scores = [r.score for r in ranking.ratings if r.score is not None]
    span = max(scores, default=0.0) - min(scores, default=0.0)
    digits = 1 if span >= 20 or span == 0 else min(8, max(1, 3 - math.floor(math.log10(span))))
    several = len(ranking.diagnostics["components"]) > 1
    head = ["rank", "item", "score", "interval", "ballots", "wins", "ties", "losses", "remarks"]
    lines = [head]
    for rating in ranking.ratings:
        remarks = [
            *(["unrated"] if rating.score is None else []),
            *([f"component {rating.component}"] if several and rating.component is not None else []),
            *(["separated"] if rating.separated else []),
            *(["provisional"] if rating.provisional else []),
        ]
        rank = "" if rating.rank_low is None else f"{rating.rank_low}-{rating.rank_high}"
        interval = "" if rating.low is None else f"{rating.low:.{digits}f} … {rating.high:.{digits}f}"
        score = "" if rating.score is None else f"{rating.score:.{digits}f}"
        counts = [str(n) for n in (rating.n, rating.wins, rating.ties, rating.losses)]
        lines.append([rank, rating.item, score, interval, *counts, ", ".join(remarks)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    left = {1, 8}
    return "".join(
        "  ".join(
            cell.ljust(widths[k]) if k in left else cell.rjust(widths[k]) for k, cell in enumerate(line)
        ).rstrip()
        + "\n"
        for line in lines
    )


def assumptions(ranking: Ranking) -> list[str]:
    """What the board rests on, one sentence a line."""
    settings, facts = ranking.settings, ranking.diagnostics
    said = [f"Model: {settings['model']}" + (f", ties {settings['ties']}." if "ties" in settings else ".")]
    if facts["unit"]:
        said.append(f"A score is: {facts['unit']}.")
    said.append(
        f"A ballot called all bad is read as: {settings['both_bad']} (ballots: {facts['n_all_bad']})."
    )
    if facts["weights"] != "none":
        said.append(f"Ballots are weighted by: {facts['weights']}.")
    for row in facts.get("covariates") or []:
        if row["elo_per_sd"] is not None:
            bounds = "" if row["low"] is None else f" ({row['low']:.1f} … {row['high']:.1f})"
            said.append(f"{row['name']}: {row['elo_per_sd']:+.1f} Elo per standard deviation{bounds}.")
    interval = settings["interval"]
    if interval is None:
        said.append("No intervals.")
    else:
        said.append(
            f"{100 * interval['level']:g} % intervals by {interval['kind']}, clustered by "
            f"{interval['cluster']} ({facts['clusters']} clusters)."
        )
    if "anchor_mean" in settings:
        said.append(f"The mean of each component is {settings['anchor_mean']:g} by convention.")
    said.append(f"Ballots used: {facts['n_ballots']}; comparisons: {facts['n_comparisons']}.")
    left_out = {"self-battle": facts["self_battles"], "bad row": facts["bad_rows"], **facts["dropped"]}
    reasons = [f"{count} {name.replace('_', ' ')}" for name, count in left_out.items() if count]
    if reasons:
        said.append(f"Left out: {', '.join(reasons)}.")
    tie = facts.get("tie_parameter")
    if tie is not None:
        bounds = "" if tie["low"] is None else f" ({tie['low']:.4g} … {tie['high']:.4g})"
        said.append(f"Tie parameter {tie['name']} = {tie['estimate']:.4g}{bounds}.")
    for row in facts.get("tie_parameters") or []:
        bounds = "" if row["low"] is None else f" ({row['low']:.4g} … {row['high']:.4g})"
        said.append(f"Ties of {row['size']}: delta = {row['delta']:.4g}{bounds}.")
    ground = facts.get("ground")
    if ground is not None:
        said.append(f"The line of usefulness lies at {ground['score']:.1f}.")
    if facts["kwise_as_pairs"]:
        said.append(f"{facts['kwise_as_pairs']} ballots of more than two were read as their pairs.")
    if len(facts["components"]) > 1:
        said.append("Systems of different components were never compared, not even through others.")
    if facts["phantom_pairs"]:
        said.append(
            f"{facts['phantom_pairs']} pairs got half a drawn battle: without it no finite score exists."
        )
    return said


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())

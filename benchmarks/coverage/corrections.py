"""Small-sample corrections of the clustered sandwich, side by side on the same boards. A prototype: dense,
slow, and for three models only.

    python -m benchmarks.coverage.corrections [--simulations 400] [--models half davidson plackett-luce]
        [--clusters voter:40 "voter:400 Zipf"] [--json FILE]

S_g is the score of cluster g at the estimate, H_g its information, H their sum over the C clusters. For a
contrast c of the parameters u = H^+ c, and q_g = (u . S_g)^2 is the cluster's part of the variance.

variance    plain   C / (C - 1) sum q_g: the textbook's, and once the library's
            share   sum q_g / (1 - h_g), h_g = tr(H^+ H_g) / rank H, the cluster's share of all information;
                    clusters of one size give C / (C - 1)
            share2  (1 - sum h_g^2) sum q_g / (1 - h_g)^2: the same after the jackknife
            own     S_gk / sqrt(1 - h_gk) for S_gk, h_gk = H_g,kk / H_kk, shares of one parameter: what the
                    library does now, with the quantile of the same name
            cr2     S_g replaced by H^(1/2) (I - H^(-1/2) H_g H^(-1/2))^(-1/2) H^(-1/2) S_g (Bell & McCaffrey
                    2002; Pustejovsky & Tipton 2018, JBES 36:672-683): unbiased where ballots are independent
            cr3     the same with exponent -1, times (C - 1) / C: the jackknife, to first order
quantile    normal
            C-1     Student's t with C - 1 degrees of freedom
            share   C - 1 with the effective number of clusters 1 / sum h_g^2 for C
            own     (sum d_g)^2 / sum d_g^2 - 1, d_g = H_g,kk: the effective number of clusters of one system;
                    a difference takes the smaller of two, which by Cauchy-Schwarz is never too many
            bm      Satterthwaite's, (sum v_g)^2 / sum v_g^2 - 1, v_g = u' H_g u: independent ballots (after
                    Bell & McCaffrey 2002, without their off-diagonal terms)
            ik      the same with v_g = f u' H_g u + t u' H_g H_g u: ballots that share a taste of variance t
                    (after Imbens & Kolesar 2016, REStat 98:701-712); f and t by moments of the whole board
            trace   one for the whole board, with v_g = sum of q_g over the centred scores, and
                    E (sum of r squares)^2 = (1 + 2 / r) v^2 for r parameters
"""
# ruff: noqa: E402 - the number of threads must be set before numpy is imported

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from arena.ranking.ballots import Ballots
from arena.ranking.result import SCALE, Ranking
from benchmarks.coverage.cases import NAMES, SYSTEMS, Case, Truth, all_cases, scalars_of
from benchmarks.coverage.laws import Floats, Ints, Rng
from benchmarks.coverage.layouts import Layout

LEVEL = 0.95
MODELS = ("half", "davidson", "plackett-luce")
LAYOUTS = [
    *(Layout("voter", count, 5000) for count in (10, 20, 40)),
    *(Layout("voter", count, 5000, zipf=True) for count in (40, 400)),
    *(Layout("voter,prompt", count, 5000) for count in (10, 20, 40)),
    Layout("voter,prompt", 400, 5000, zipf=True),
    Layout("voter", 400, 20000, newcomer=8),
    Layout("ballot", 400, 400),
]

VARIANCES = ("plain", "share", "share2", "own", "cr2", "cr3")
QUANTILES = ("normal", "C-1", "share", "own", "bm", "ik", "trace")


NEWCOMER = SYSTEMS // 2
"""The system that only some voters met, where the layout says so."""


class Blocks(NamedTuple):
    """Every ballot's own derivatives: parameters int64[B, k], score float64[B, k], information
    float64[B, k, k]; a ballot touches k of the p parameters.
    """

    place: Ints
    score: Floats
    information: Floats
    p: int


def blocks_of(case: Case, ballots: Ballots, ranking: Ranking) -> Blocks:
    theta = (np.array([ranking[name].score for name in NAMES], dtype=np.float64) - 1000.0) / SCALE
    width = ballots.size_shared
    assert width is not None  # all ballots of a case have one width
    item = ballots.slot_item.reshape(-1, width).astype(np.int64)
    rank = ballots.slot_rank.reshape(-1, width)
    if case.name == "plackett-luce":
        return _choices(theta, item, rank)
    won = np.where(rank[:, 0] < rank[:, 1], 1.0, np.where(rank[:, 0] > rank[:, 1], 0.0, 0.5))
    gap = theta[item[:, 0]] - theta[item[:, 1]]
    sign = np.array([1.0, -1.0])
    if case.name == "half":
        chance = 1 / (1 + np.exp(-gap))
        bend = (chance * (1 - chance))[:, None, None] * np.outer(sign, sign)
        return Blocks(item, (won - chance)[:, None] * sign, bend, SYSTEMS)
    # Davidson: log chances are linear in (gap / 2, beta) but for the total, so derivatives are moments.
    beta = scalars_of(ranking)["nu"].estimate
    parts = np.stack([np.exp(gap / 2), np.exp(-gap / 2), np.full_like(gap, np.exp(beta))])
    share = parts / parts.sum(axis=0)
    feature = np.array([[0.5, -0.5, 0.0], [-0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])  # parameter x outcome
    outcome = np.where(won == 1.0, 0, np.where(won == 0.0, 1, 2))
    mean = (feature @ share).T
    second = np.einsum("ao,co,ob->bac", feature, feature, share)
    place = np.column_stack([item, np.full(len(item), SYSTEMS)])
    information = second - mean[:, :, None] * mean[:, None, :]
    return Blocks(place, feature[:, outcome].T - mean, information, SYSTEMS + 1)


def _choices(theta: Floats, item: Ints, rank: Any) -> Blocks:
    order = np.argsort(rank, axis=1)
    item = np.take_along_axis(item, order, axis=1)
    power = np.exp(theta[item])
    count, width = item.shape
    score, information = np.zeros((count, width)), np.zeros((count, width, width))
    for stage in range(width - 1):
        share = np.where(np.arange(width) >= stage, power, 0.0)
        share /= share.sum(axis=1, keepdims=True)
        score -= share
        score[:, stage] += 1.0
        information -= share[:, :, None] * share[:, None, :]
        information[:, np.arange(width), np.arange(width)] += share
    return Blocks(item, score, information, SYSTEMS)


class Parts(NamedTuple):
    """By correction: float64[contrasts] variance, and degrees of freedom by name; the covariance of the
    scores by "own".
    """

    variance: dict[str, Floats]
    freedom: dict[str, Floats]
    covariance: Floats


class Board(NamedTuple):
    """H's square root and inverse on its range, float64[p, r] both, and the contrasts' u float64[p, c]."""

    root: Floats
    inverse: Floats
    u: Floats


def board_of(blocks: Blocks, contrasts: Floats) -> Board:
    total = np.zeros((blocks.p, blocks.p))
    k = blocks.place.shape[1]
    np.add.at(total, (np.repeat(blocks.place, k, axis=1), np.tile(blocks.place, k)), _flat(blocks))
    value, vector = np.linalg.eigh(total)
    kept = value > 1e-9 * value[-1]
    root = vector[:, kept] * np.sqrt(value[kept])
    inverse = vector[:, kept] / np.sqrt(value[kept])
    return Board(root, inverse, inverse @ (inverse.T @ contrasts))


def parts_of(blocks: Blocks, board: Board, code: Ints) -> Parts:
    _, code = np.unique(code, return_inverse=True)
    count, k, p = int(code.max()) + 1, blocks.place.shape[1], blocks.p
    rank = board.root.shape[1]
    score = np.zeros((count, p))
    np.add.at(score, (code[:, None], blocks.place), blocks.score)
    own = np.zeros((count, p, p))
    cell = (code[:, None], np.repeat(blocks.place, k, axis=1), np.tile(blocks.place, k))
    np.add.at(own, cell, _flat(blocks))
    scaled = board.inverse.T @ own @ board.inverse  # [C, r, r]
    value, vector = np.linalg.eigh(scaled)
    room = np.clip(1 - value, 1e-3, None)
    short = score @ board.inverse  # H^(-1/2) S
    short_u = board.root.T @ board.u  # u . S = (root' u) . short

    def adjusted(power: float) -> Floats:
        along = np.einsum("gab,ga->gb", vector, short) * room**power
        found: Floats = np.einsum("gab,gb->ga", vector, along)
        return found

    share = np.trace(scaled, axis1=1, axis2=2) / rank
    diagonal = np.einsum("gpp->gp", own)
    precise = np.maximum(diagonal.sum(axis=0), 1e-300)
    own_share = np.clip(diagonal / precise, 0.0, 0.999)
    raised = score / np.sqrt(1 - own_share)
    q = {
        "share2": (short @ short_u) ** 2 / (1 - share)[:, None] ** 2 * (1 - (share**2).sum()),
        "own": (raised @ board.u) ** 2,
        "plain": (short @ short_u) ** 2 * count / (count - 1),
        "share": (short @ short_u) ** 2 / (1 - share)[:, None],
        "cr2": (adjusted(-0.5) @ short_u) ** 2,
        "cr3": (adjusted(-1.0) @ short_u) ** 2 * (count - 1) / count,
    }
    single = np.einsum("bk,bkl,bl->", blocks.score, _inverse_blocks(blocks, board), blocks.score)
    noise = float(single) / rank
    twice = own @ own
    norm = float((adjusted(-0.5) ** 2).sum())
    taste = max(norm - noise * rank, 0.0) / float(
        np.einsum("pr,gpq,qr->", board.inverse, twice, board.inverse)
    )
    independent = np.einsum("pc,gpq,qc->gc", board.u, own, board.u)
    alike = np.einsum("pc,gpq,qc->gc", board.u, twice, board.u)
    trace = q["share"][:, :SYSTEMS].sum(axis=1, keepdims=True) * np.ones(board.u.shape[1])
    single_own = _satterthwaite(diagonal[:, :SYSTEMS]) - 1
    mine = np.append(single_own, np.minimum(single_own[:-1], single_own[1:]))
    freedom = {
        "share": np.full(board.u.shape[1], 1 / (share**2).sum() - 1),
        "own": mine,
        "C-1": np.full(board.u.shape[1], count - 1.0),
        "bm": _satterthwaite(independent) - 1,
        "ik": _satterthwaite(noise * independent + taste * alike) - 1,
        "trace": _satterthwaite(trace) * (1 + 2 / rank) - 1,
    }
    freedom = {name: np.clip(value, 1.0, count - 1.0) for name, value in freedom.items()}
    along = raised @ board.u[:, :SYSTEMS]
    return Parts({name: value.sum(axis=0) for name, value in q.items()}, freedom, along.T @ along)


def combined(voter: Parts, prompt: Parts, both: Parts) -> Parts:
    """Two ways: variances add and subtract; the two ways' degrees of freedom by Satterthwaite."""
    variance, freedom = {}, {}
    for name in VARIANCES:
        variance[name] = voter.variance[name] + prompt.variance[name] - both.variance["plain"]
    for name in voter.freedom:
        noise = voter.variance["plain"] ** 2 / voter.freedom[name]
        noise = noise + prompt.variance["plain"] ** 2 / prompt.freedom[name]
        freedom[name] = np.maximum(variance["plain"], 1e-12) ** 2 / noise
    covariance = voter.covariance + prompt.covariance - both.covariance
    return Parts(variance, freedom, covariance)


def _flat(blocks: Blocks) -> Floats:
    return blocks.information.reshape(len(blocks.place), -1)


def _inverse_blocks(blocks: Blocks, board: Board) -> Floats:
    inverse = board.inverse @ board.inverse.T
    found: Floats = inverse[blocks.place[:, :, None], blocks.place[:, None, :]]
    return found


def _satterthwaite(v: Floats) -> Floats:
    found: Floats = v.sum(axis=0) ** 2 / (v**2).sum(axis=0)
    return found


def contrasts_for(p: int) -> Floats:
    """float64[p, 2 n - 1]: centred scores, then differences of neighbours."""
    found = np.zeros((p, 2 * SYSTEMS - 1))
    found[:SYSTEMS, :SYSTEMS] = np.eye(SYSTEMS) - 1 / SYSTEMS
    for k in range(SYSTEMS - 1):
        found[k, SYSTEMS + k], found[k + 1, SYSTEMS + k] = 1.0, -1.0
    return found


def holds_together(error: Floats, found: Parts, rng: Rng, draws: int = 1000) -> bool:
    """Whether the max-t bounds of all scores hold at once: the normal law's quantile, then for each system
    the Student quantile of its own degrees of freedom that is as rare.
    """
    value, vector = np.linalg.eigh(found.covariance)
    noise = rng.standard_normal((draws, SYSTEMS)) @ (vector * np.sqrt(np.maximum(value, 0.0))).T
    sd = np.sqrt(np.maximum(np.diag(found.covariance), 1e-12))
    quantile = np.quantile(np.abs(noise / sd).max(axis=1), LEVEL)
    bound = stdtrit(found.freedom["own"][:SYSTEMS], ndtr(quantile))
    return bool((np.abs(error) <= bound * sd).all())


def compare(case: Case, layout: Layout, truth: Truth, simulations: int) -> dict[str, Any]:
    rng = np.random.default_rng([7, crc32(case.name.encode()), crc32(repr(layout).encode())])
    held: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    spread: dict[str, list[Floats]] = defaultdict(list)
    errors: list[Floats] = []
    joint: list[bool] = []
    freedoms: dict[str, list[float]] = defaultdict(list)
    target = (truth.score - 1000.0) / SCALE
    for _ in range(simulations):
        ballots = case.draw(layout, rng)
        ranking = case.model.fit(ballots)
        blocks = blocks_of(case, ballots, ranking)
        contrasts = contrasts_for(blocks.p)
        board = board_of(blocks, contrasts)
        ways = [getattr(ballots, way) for way in layout.ways] or [np.arange(len(ballots))]
        parts = [parts_of(blocks, board, code) for code in ways]
        if len(ways) == 2:
            meeting = ways[0] * (int(ways[1].max()) + 1) + ways[1]
            found = combined(parts[0], parts[1], _meeting(blocks, board, meeting))
        else:
            found = parts[0]
        theta = (np.array([ranking[name].score for name in NAMES], dtype=np.float64) - 1000.0) / SCALE
        error = contrasts[:SYSTEMS].T @ (theta - target)
        errors.append(error)
        joint.append(holds_together(error[:SYSTEMS], found, rng))
        for name, variance in found.variance.items():
            spread[name].append(variance)
            sd = np.sqrt(np.maximum(variance, 0.0))
            for quantile in QUANTILES:
                z = ndtri(0.5 + LEVEL / 2)
                if quantile != "normal":
                    z = stdtrit(found.freedom[quantile], 0.5 + LEVEL / 2)
                    freedoms[quantile].append(float(np.median(found.freedom[quantile])))
                holds = np.abs(error) <= z * sd
                held[f"{name} {quantile}"].append(
                    (holds[:SYSTEMS].mean(), holds[SYSTEMS:].mean(), float(holds[NEWCOMER]))
                )
    sd = np.std(errors, axis=0, ddof=1)
    coverage = {}
    for name, rows in held.items():
        single, difference, newcomer = np.array(rows).T
        coverage[name] = {
            "single": round(float(single.mean()), 4),
            "single_error": round(float(single.std(ddof=1) / simulations**0.5), 4),
            "difference": round(float(difference.mean()), 4),
            "newcomer": round(float(newcomer.mean()), 4),
        }
    return {
        "model": case.name,
        "cluster": layout.kind,
        "clusters": layout.clusters,
        "zipf": layout.zipf,
        "newcomer": layout.newcomer,
        "simulations": simulations,
        "width": {
            name: round(float((np.sqrt(np.mean(rows, axis=0)) / sd)[:SYSTEMS].mean()), 3)
            for name, rows in spread.items()
        },
        "freedom": {name: round(float(np.median(rows)), 1) for name, rows in freedoms.items()},
        "joint_own": round(float(np.mean(joint)), 4),
        "coverage": coverage,
    }


def _meeting(blocks: Blocks, board: Board, code: Ints) -> Parts:
    """Only the plain variance is read of it."""
    _, code = np.unique(code, return_inverse=True)
    count = int(code.max()) + 1
    score = np.zeros((count, blocks.p))
    np.add.at(score, (code[:, None], blocks.place), blocks.score)
    along = score @ board.u
    factor = count / (count - 1)
    covariance = factor * along[:, :SYSTEMS].T @ along[:, :SYSTEMS]
    return Parts({"plain": factor * (along**2).sum(axis=0)}, {}, covariance)


def show(row: dict[str, Any]) -> None:
    label = f"{row['model']}, {row['clusters']} {row['cluster']}{', Zipf' if row['zipf'] else ''}"
    print(f"\n{label}; median degrees of freedom {row['freedom']}; all at once {row['joint_own']}\n")
    print(f"| variance | width | {' | '.join(QUANTILES)} |\n|---|---|{'---|' * len(QUANTILES)}")
    for name in VARIANCES:
        cells = [row["coverage"][f"{name} {quantile}"] for quantile in QUANTILES]
        second = "newcomer" if row["newcomer"] else "difference"
        shown = (f"{100 * cell['single']:.1f} ({100 * cell[second]:.1f})" for cell in cells)
        print(f"| {name} | {row['width'][name]} | {' | '.join(shown)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Small-sample corrections of the clustered sandwich.")
    parser.add_argument("--simulations", type=int, default=400)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--clusters", nargs="+", help='kinds, or one layout: "voter:40"')
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for name in arguments.models:
        case = all_cases()[name]
        truths: dict[tuple[float, float], Truth] = {}
        for layout in LAYOUTS:
            if not layout.is_chosen(arguments.clusters) or (layout.newcomer and name == "plackett-luce"):
                continue
            if layout.population not in truths:
                truths[layout.population] = case.truth(layout)
            rows.append(compare(case, layout, truths[layout.population], arguments.simulations))
            show(rows[-1])
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()

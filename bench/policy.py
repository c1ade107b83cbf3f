"""Decisions of the policy language: what one costs by the number of statements, beside other evaluators on the same policies and requests.

    --svg=FILE      draw the curves
    --json=FILE     keep every figure
    --shapes=a,b    only shapes whose name has one of these words
    --sizes=1,10    only these numbers of statements
    --rounds=5

Each evaluator first answers the requests; one that is wrong is listed and left out of the ratios. Then all take turns, in rounds, and the
median counts. A slow one answers and is timed on fewer requests, of all kinds. Of Sekisho there are two: `evaluate` asks one compiled
policy, `decide` is the whole decision with its reasons.
"""

import argparse
import contextlib
import gc
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import bounds, chart, peers, summary, workload
from bench.peers import sekisho
from bench.summary import Row, Summary

CHECKED = 0.5  # seconds of CPU that checking an evaluator's answers may take
TURN = 0.05  # of one round of one evaluator
_STRIDED = [i * 7 % workload.REQUESTS for i in range(workload.REQUESTS)]  # every kind of request comes up soon
_CHECKED_AT_LEAST, _TIMED_AT_LEAST = 5, 3  # requests, however slow


@dataclass(frozen=True, slots=True)
class Figure:
    """The cost of one workload to one evaluator, in µs of CPU a decision."""

    shape: str
    size: int
    peer: str
    writing: str
    conditions: bool
    median: float
    lowest: float
    highest: float
    wrong: int
    checked: int

    @property
    def name(self) -> str:
        """Peer and writing."""
        return f"{self.peer} {self.writing}"


def run() -> Summary:
    """Print a table a shape, then the targets; draw and keep where that is asked for."""
    asked = _asked()
    shapes = [shape for shape in workload.SHAPES if not asked.shapes or str(shape) in asked.shapes]
    figures: list[Figure] = []
    absent: dict[str, str] = {}
    for shape in shapes:
        print(f"\n{shape}: µs of CPU a decision, medians of {asked.rounds} rounds; ! gives wrong answers", flush=True)
        for i, size in enumerate(asked.sizes):
            found = _measured(workload.made(shape, size), asked.rounds, absent)
            if i == 0:
                print(_line("statements", [figure.name for figure in found]), "best peer")
            print(_line(f"{size:,}", [f"{figure.median:,.2f}{'!' if figure.wrong else ''}" for figure in found]), _best(found), flush=True)
            figures += found
    print()
    for peer, reason in absent.items():
        print(f"NOT MEASURED: {peer}: {reason}")
    wrong: dict[str, list[str]] = {}
    for figure in figures:
        if figure.wrong:
            wrong.setdefault(figure.name, []).append(f"{figure.shape} {figure.size:,}: {figure.wrong}/{figure.checked}")
    for name, cases in wrong.items():
        print(f"WRONG ANSWERS, left out of the ratios: {name}: {', '.join(cases)}")
    parts = bounds.measured(asked.rounds)
    slowest, milliseconds = bounds.worst(asked.rounds)
    last = bounds.target(f"worst decision found: {slowest}", milliseconds, 10.0, "ms")
    for text in [*_targets(figures), *bounds.targets(parts), last]:
        print(text)
    summary.chart("policy", chart.drawn([_panel(figures, str(shape)) for shape in shapes]), asked.svg)
    if asked.json:
        worst = {"question": slowest, "milliseconds": milliseconds}
        kept = {"figures": [asdict(figure) for figure in figures], "absent": absent, "parts": parts, "worst": worst}
        asked.json.write_text(json.dumps(kept, indent=1) + "\n")
    return Summary(_rows(figures), absent)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench policy")
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--shapes", type=lambda text: text.split(","))
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")], default=list(workload.SIZES))
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_known_args(sys.argv[1:])[0]


def _measured(work: workload.Workload, rounds: int, absent: dict[str, str]) -> list[Figure]:
    with contextlib.ExitStack() as stack:
        arms: list[tuple[peers.Peer, str, peers.Arm]] = []
        for peer in (sekisho, *peers.all_of_them()):
            try:
                for writing, arm in peer.writings(work):
                    stack.callback(arm.close)
                    arms.append((peer, writing, arm))
            except (ImportError, peers.Absent) as error:
                absent[peer.NAME] = str(error)
        gc.collect()
        gc.freeze()  # what is loaded is not walked again by collections that fall into somebody's turn
        stack.callback(gc.unfreeze)
        checked = [_checked(arm) for _, _, arm in arms]
        wrong = [_wrong(work, arm, indices) for (_, _, arm), indices in zip(arms, checked, strict=True)]
        timed = [_timed(arm, indices) for (_, _, arm), indices in zip(arms, checked, strict=True)]
        costs: list[list[float]] = [[] for _ in arms]
        for turn in range(rounds):
            for i in range(len(arms))[:: 1 if turn % 2 == 0 else -1]:
                costs[i].append(arms[i][2].cost(timed[i]))
    return [
        Figure(
            shape=str(work.shape),
            size=len(work.statements),
            peer=peer.NAME,
            writing=writing,
            conditions=peer.CONDITIONS,
            median=statistics.median(costs[i]),
            lowest=min(costs[i]),
            highest=max(costs[i]),
            wrong=wrong[i],
            checked=len(checked[i]),
        )
        for i, (peer, writing, _) in enumerate(arms)
    ]


def _checked(arm: peers.Arm) -> Sequence[int]:
    """The requests to check, of all kinds; asking them also builds whatever is built at a first request."""
    arm.cost(_STRIDED[:_TIMED_AT_LEAST])
    one = max(arm.cost(_STRIDED[:_TIMED_AT_LEAST]), 0.01) / 1e6
    return _STRIDED[: max(_CHECKED_AT_LEAST, int(CHECKED / one))]


def _timed(arm: peers.Arm, checked: Sequence[int]) -> Sequence[int]:
    """The requests of one turn."""
    one = max(arm.cost(checked[:20]), 0.01) / 1e6
    calls = max(_TIMED_AT_LEAST, int(TURN / one))
    return _STRIDED * (calls // len(_STRIDED)) if calls >= len(_STRIDED) else _STRIDED[:calls]


def _wrong(work: workload.Workload, arm: peers.Arm, indices: Sequence[int]) -> int:
    return sum(answer is not work.requests[i].allowed for answer, i in zip(arm.answers(indices), indices, strict=True))


def _line(first: str, cells: Sequence[str]) -> str:
    return f"{first:>10}" + "".join(f"{cell:>15}" for cell in cells)


def _ratios(found: Sequence[Figure]) -> tuple[Figure, dict[str, float]] | None:
    """The best peer for one workload, and how many times as long it takes as each of ours."""
    others = [figure for figure in found if figure.peer != sekisho.NAME and figure.conditions and not figure.wrong]
    if not others:
        return None
    best = min(others, key=lambda figure: figure.median)
    return best, {figure.writing: best.median / figure.median for figure in found if figure.peer == sekisho.NAME}


def _rows(figures: Sequence[Figure]) -> list[Row]:
    """A whole decision beside the best peer, for the smallest and the largest policies of each shape."""
    made = []
    for shape in dict.fromkeys(figure.shape for figure in figures):
        sizes = sorted({figure.size for figure in figures if figure.shape == shape})
        for size in dict.fromkeys((sizes[0], sizes[-1])):
            found = [figure for figure in figures if (figure.shape, figure.size) == (shape, size)]
            if (ratios := _ratios(found)) is not None:
                best, times = ratios
                what = f"a decision, {size:,} statements, {shape}"
                made.append(Row(what, "µs", best.median / times["decide"], best.name, best.median, times["decide"]))
    return made


def _best(found: Sequence[Figure]) -> str:
    ratios = _ratios(found)
    if ratios is None:
        return "  -"
    best, times = ratios
    return f"  {best.name}: " + ", ".join(f"{ratio:.1f} × {writing}" for writing, ratio in times.items())


def _targets(figures: Sequence[Figure]) -> list[str]:
    """The targets that the tables tell about."""
    texts = []
    ours = {(figure.shape, figure.size): figure.median for figure in figures if figure.name == "sekisho evaluate"}
    for shape in ("spread resource", "one resource"):
        if (shape, 1_000) in ours:
            texts.append(bounds.target(f"evaluate, 1,000 indexable, {shape}", ours[shape, 1_000], 2.0, "µs"))
        if {(shape, 1), (shape, 1_000)} <= ours.keys():
            texts.append(bounds.target(f"... times its cost for one, {shape}", ours[shape, 1_000] / ours[shape, 1], 3.0, "×"))
    texts += [
        bounds.target(f"evaluate, 1,000 un-indexable, {shape}", ours[shape, 1_000], 80.0, "µs")
        for shape in ("one star", "one pattern")
        if (shape, 1_000) in ours
    ]
    for writing in ("evaluate", "decide"):
        least = [
            (ratios[1][writing], shape, size)
            for shape, size in ours
            if (ratios := _ratios([figure for figure in figures if (figure.shape, figure.size) == (shape, size)]))
        ]
        if least:
            ratio, shape, size = min(least)
            label = f"the best peer by {writing}, least at {size:,} of {shape}"
            texts.append(bounds.target(label, ratio, 5.0, "×", at_least=True))
    return texts


def _panel(figures: Sequence[Figure], shape: str) -> chart.Panel:
    curves: dict[str, list[tuple[float, float]]] = {}
    for figure in figures:
        if figure.shape == shape:
            curves.setdefault(figure.name + ("" if figure.conditions else " (no conditions)"), []).append((figure.size, figure.median))
    return chart.Panel(shape, curves)

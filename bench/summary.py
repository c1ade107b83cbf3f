"""One table at the end of a run: each figure of ours, the best peer beside it, and which peers could not be had."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

CHARTS = Path("build/bench")
"""Where charts are written that nobody wants elsewhere."""


@dataclass(frozen=True, slots=True)
class Row:
    """A figure: of ours, and of a peer. `better` is how many times as good ours is."""

    what: str
    unit: str
    ours: float
    peer: str
    theirs: float
    better: float


@dataclass(slots=True)
class Summary:
    """The rows that a benchmark has for the table; `absent` are peers with the reason."""

    rows: list[Row] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)


def lines(summaries: Iterable[tuple[str, Summary]]) -> list[str]:
    """The table, in Markdown."""
    found = list(summaries)
    made = ["| benchmark | figure | Sekisho | peer | its figure | Sekisho is better by |", "| --- | --- | ---: | --- | ---: | ---: |"]
    for name, summary in found:
        for row in summary.rows:
            ours, theirs = f"{_number(row.ours)} {row.unit}", f"{_number(row.theirs)} {row.unit}"
            made.append(f"| {name} | {row.what} | {ours} | {row.peer} | {theirs} | {row.better:.2f} × |")
    made += [
        f"| {name} | – | – | {peer} | NOT MEASURED: {reason} | – |" for name, summary in found for peer, reason in summary.absent.items()
    ]
    return made


def chart(name: str, text: str, path: Path | None) -> None:
    """Write a chart where it is wanted, or where charts are."""
    path = path or CHARTS / f"{name}.svg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    print(f"chart: {path}")


def _number(value: float) -> str:
    return f"{value:,.2f}" if value < 10 else f"{value:,.0f}"

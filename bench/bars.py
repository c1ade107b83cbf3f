"""Bars as an SVG of our own: a panel for each figure, a bar for each name, the shorter the better or the longer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LABELS, _BAR, _GAP = 560, 190, 18, 8


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars under one title; `ours` are the names that begin so."""

    title: str
    bars: Mapping[str, float]
    ours: str = "sekisho"


def drawn(panels: Sequence[Panel]) -> str:
    """The SVG, one panel beneath the other."""
    height = sum(_height(panel) for panel in panels)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}">',
        '<g font-family="system-ui, sans-serif" font-size="12" fill="#222">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
    ]
    top = 0
    for panel in panels:
        lines.append(f'<text x="12" y="{top + 22}" font-size="13" font-weight="600">{escape(panel.title)}</text>')
        most = max(panel.bars.values(), default=0.0) or 1.0
        for place, (name, value) in enumerate(panel.bars.items()):
            y = top + 34 + place * (_BAR + _GAP)
            length = value / most * (_WIDTH - _LABELS - 80)
            colour = "#b3261e" if name.startswith(panel.ours) else "#7f8c8d"
            lines.append(f'<text x="{_LABELS - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>')
            lines.append(f'<rect x="{_LABELS}" y="{y}" width="{length:.1f}" height="{_BAR}" fill="{colour}"/>')
            lines.append(f'<text x="{_LABELS + length + 6:.1f}" y="{y + 13}">{value:,.0f}</text>')
        top += _height(panel)
    return "\n".join((*lines, "</g>", "</svg>")) + "\n"


def _height(panel: Panel) -> int:
    return 46 + len(panel.bars) * (_BAR + _GAP)

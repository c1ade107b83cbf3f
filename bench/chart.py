"""Curves on logarithmic axes as an SVG of our own: a panel a shape, one legend, a colour for each name wherever it appears."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

Curve = Sequence[tuple[float, float]]

_COLUMNS = 3
_WIDTH, _HEIGHT = 360, 300  # of a panel with its margins
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 24, 34, 44
_COLOURS = ("#b3261e", "#e2725b", "#1f5fa8", "#6fa8dc", "#2e7d32", "#8e44ad", "#b7791f", "#dfb25c", "#7f8c8d", "#00838f", "#424242")


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves under one title; x and y are positive."""

    title: str
    curves: Mapping[str, Curve]


def drawn(panels: Sequence[Panel], *, x_label: str = "statements", y_label: str = "µs of CPU a decision") -> str:
    """The SVG; the legend takes the place after the last panel. All panels have the same axes."""
    names = list(dict.fromkeys(name for panel in panels for name in panel.curves))
    colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(names)}
    points = [point for panel in panels for curve in panel.curves.values() for point in curve]
    axes = _Axes(_decades([x for x, _ in points]), _decades([y for _, y in points]))
    rows = math.ceil((len(panels) + 1) / _COLUMNS)
    width, height = _WIDTH * min(_COLUMNS, len(panels) + 1), _HEIGHT * rows
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        '<g font-family="system-ui, sans-serif" font-size="11" fill="#222">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for i, panel in enumerate(panels):
        lines.append(_placed(i))
        lines += axes.grid()
        lines.append(f'<text x="{_LEFT}" y="20" font-size="13" font-weight="600">{escape(panel.title)}</text>')
        lines.append(f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2:g}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>')
        middle = (_TOP + _HEIGHT - _BOTTOM) / 2
        lines.append(f'<text transform="translate(14 {middle:g}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>')
        for name in reversed(list(panel.curves)):  # the first names are ours, drawn above
            lines += axes.curve(panel.curves[name], colours[name], wide=names.index(name) < 2)
        lines.append("</g>")
    lines += [_placed(len(panels)), *_legend(colours, names), "</g>", "</g>", "</svg>"]
    return "\n".join(lines) + "\n"


def _placed(i: int) -> str:
    return f'<g transform="translate({_WIDTH * (i % _COLUMNS)} {_HEIGHT * (i // _COLUMNS)})">'


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten between which all values lie."""
    least, most = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return least, max(most, least + 1)


@dataclass(frozen=True, slots=True)
class _Axes:
    """From values to places in a panel."""

    x_decades: tuple[int, int]
    y_decades: tuple[int, int]

    def x(self, value: float) -> float:
        first, last = self.x_decades
        return _LEFT + (math.log10(value) - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        first, last = self.y_decades
        return _HEIGHT - _BOTTOM - (math.log10(value) - first) / (last - first) * (_HEIGHT - _TOP - _BOTTOM)

    def grid(self) -> Iterator[str]:
        """A line and a label for each power of ten."""
        bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
        for power in range(self.x_decades[0], self.x_decades[1] + 1):
            at = self.x(10**power)
            yield f'<path d="M{at:.1f} {_TOP}V{bottom}" stroke="#e4e4e4"/>'
            yield f'<text x="{at:.1f}" y="{bottom + 15}" text-anchor="middle">{_number(power)}</text>'
        for power in range(self.y_decades[0], self.y_decades[1] + 1):
            at = self.y(10.0**power)
            yield f'<path d="M{_LEFT} {at:.1f}H{right}" stroke="#e4e4e4"/>'
            yield f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{_number(power)}</text>'

    def curve(self, points: Curve, colour: str, *, wide: bool) -> Iterator[str]:
        """A line through the points, and the points."""
        places = [(self.x(x), self.y(y)) for x, y in points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{3 if wide else 1.5}" stroke-linejoin="round"/>'
        for x, y in places:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3.5 if wide else 2.5}" fill="{colour}"/>'


def _legend(colours: Mapping[str, str], names: Sequence[str]) -> Iterator[str]:
    for i, name in enumerate(names):
        y = _TOP + 10 + 20 * i
        yield f'<path d="M{_LEFT} {y}h24" stroke="{colours[name]}" stroke-width="{3 if i < 2 else 1.5}"/>'
        yield f'<circle cx="{_LEFT + 12}" cy="{y}" r="3" fill="{colours[name]}"/>'
        yield f'<text x="{_LEFT + 32}" y="{y + 4}" font-size="12">{escape(name)}</text>'


def _number(power: int) -> str:
    return f"{10**power:,}" if power >= 0 else f"{10.0**power:g}"

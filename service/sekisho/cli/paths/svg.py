"""A picture of paths as an SVG of our own: a box for each cluster, the administrators at the right, what leads to them to the left.

Names come from an account, and are escaped; a picture has at most so many boxes, and says how many it leaves out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from sekisho.analysis.escalation import Found
from sekisho.cli.paths.clusters import END, Cluster, clusters, columns, short

MOST_COLUMNS, MOST_BOXES = 8, 40
"""Levels of a picture, and boxes of one of them."""
MOST_NAMES = 3
LEGEND = "A box is of principals that do the same; blue are users, green are roles. Its lines say what they do, and who they are."
_WIDTH, _GAP, _LEFT, _TOP = 330, 90, 20, 112
_LEAST = 790  # of a whole picture, so that its headline has room
_LINE, _PAD, _SPACE = 16, 10, 14
_CHARACTERS = 46
_FILL = {"user": ("#eaf1fb", "#1f5fa8"), "role": ("#eaf4ea", "#2e7d32"), "end": ("#fdecea", "#b3261e"), "more": ("#f4f4f4", "#7f8c8d")}
_TITLE = ' font-weight="600" font-size="13"'
_METHOD = ' font-family="ui-monospace, monospace" font-size="11"'
_NAME = ' fill="#666"'


@dataclass(slots=True)
class Box:
    """A box: its lines of text, the first of which is its title, and where it stands."""

    number: int
    kind: str
    lines: list[str]
    names: int = 0  # of the lines, the last ones, which are names
    to: int | None = None
    x: float = 0.0
    y: float = 0.0

    @property
    def height(self) -> float:
        """Of all its lines."""
        return 2 * _PAD + _LINE * len(self.lines) - 2

    @property
    def middle(self) -> float:
        """Where lines end."""
        return self.y + self.height / 2


def drawn(found: Found) -> str:
    """The SVG of what was found."""
    made = clusters(found)
    by_level = columns(made)
    levels = min(max(by_level, default=0), MOST_COLUMNS)
    ends = _names([short(one) for one in found.administrators]) if not found.goal else []
    boxes = {END: Box(END, "end", [_end(found), *ends], len(ends))}
    boxes[END].x = _left(levels)
    boxes[END].y = _TOP
    lowest = _TOP + boxes[END].height
    for level in range(1, levels + 1):
        y: float = _TOP
        some = sorted(by_level[level], key=lambda one: (boxes[one.to].y if one.to in boxes else 0.0, -len(one.members)))
        for box in _boxes(some, level):
            box.x, box.y = _left(levels - level), y
            y += box.height + _SPACE
            boxes[box.number] = box
        lowest = max(lowest, y)
    width, height = max(_LEAST, boxes[END].x + _WIDTH + _LEFT), lowest + 30
    left_out = sum(len(one.members) for one in made if one.level > levels)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}" role="img">',
        f"<title>{escape(headline(found))}</title>",
        '<g font-family="system-ui, sans-serif" font-size="12" fill="#222">',
        f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="32" font-size="17" font-weight="600">{escape(headline(found))}</text>',
        f'<text x="{_LEFT}" y="54" fill="#555">{LEGEND}</text>',
        *([f'<text x="{_LEFT}" y="72" fill="#555">{left_out} principals are further away, and not drawn.</text>'] if left_out else []),
        *(
            f'<text x="{_LEFT + (levels - level) * (_WIDTH + _GAP)}" y="98" fill="#555">{_hops(level)}</text>'
            for level in range(levels + 1)
        ),
    ]
    for box in boxes.values():
        lines += _line(box, boxes)
    for box in boxes.values():
        lines += _drawn(box)
    return "\n".join([*lines, "</g>", "</svg>"]) + "\n"


def _left(column: int) -> int:
    return _LEFT + column * (_WIDTH + _GAP)


def headline(found: Found) -> str:
    """What was found, in a sentence."""
    goal = short(found.goal) if found.goal else "an administrator"
    return f"{len(found.paths)} of {found.principals} principals of {found.account_id} can become {goal}"


def _end(found: Found) -> str:
    if found.goal:
        return short(found.goal)
    return f"{len(found.administrators)} administrator{'s' if len(found.administrators) != 1 else ''}"


def _hops(level: int) -> str:
    return "there" if not level else f"{level} principal{'s' if level > 1 else ''} away"


def _boxes(some: Sequence[Cluster], level: int) -> Iterator[Box]:
    for one in some[:MOST_BOXES]:
        said = [line for method in one.methods for line in _wrapped(method)]
        target = [f"→ {_cut(one.target)}"] if one.target else ["→ itself, with other permissions"]
        names = _names(one.members) if len(one.members) > 1 else []
        yield Box(one.number, one.kind, [_cut(one.title), *said, *target, *names], len(names), one.to)
    if len(some) > MOST_BOXES:
        rest = some[MOST_BOXES:]
        yield Box(-1 - level, "more", [f"{len(rest)} more clusters", f"of {sum(len(one.members) for one in rest)} principals"])


def _names(members: Sequence[str]) -> list[str]:
    shown = [_cut(one) for one in members[:MOST_NAMES]]
    return [*shown, f"and {len(members) - MOST_NAMES} more"] if len(members) > MOST_NAMES else shown


def _cut(text: str) -> str:
    return text if len(text) <= _CHARACTERS else text[: _CHARACTERS - 1] + "…"


def _wrapped(method: str) -> list[str]:
    """The actions of a method, as many on a line as there is room for."""
    lines = [""]
    for action in method.split(" + "):
        more = f"{lines[-1]} + {action}" if lines[-1] else action
        if len(more) > _CHARACTERS and lines[-1]:
            lines.append(f"+ {action}")
        else:
            lines[-1] = more
    return [_cut(line) for line in lines]


def _line(box: Box, boxes: dict[int, Box]) -> Iterator[str]:
    """The line from a box to the one that it leads to."""
    to = boxes.get(box.to) if box.to is not None else None
    if to is not None:
        x, y, end, at = box.x + _WIDTH, box.middle, to.x, to.middle
        bend = (end - x) / 2
        path = f"M{x:g} {y:g}C{x + bend:g} {y:g} {end - bend:g} {at:g} {end:g} {at:g}"
        yield f'<path d="{path}" fill="none" stroke="#b3261e" stroke-opacity=".45" data-from="{box.number}"/>'


def _drawn(box: Box) -> Iterator[str]:
    fill, stroke = _FILL[box.kind]
    yield f'<g class="box" data-cluster="{box.number}">'
    place = f'x="{box.x:g}" y="{box.y:g}" width="{_WIDTH}" height="{box.height:g}"'
    yield f'<rect {place} rx="6" fill="{fill}" stroke="{stroke}"/>'
    for index, line in enumerate(box.lines):
        weight = _TITLE if not index else _NAME if index >= len(box.lines) - box.names else _METHOD
        y = box.y + _PAD + _LINE * index + 11
        yield f'<text x="{box.x + _PAD:g}" y="{y:g}"{weight}>{escape(line)}</text>'
    yield "</g>"

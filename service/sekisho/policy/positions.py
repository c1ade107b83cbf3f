"""Where each part of a policy's text stands, so that a finding can point at it.

A JSON path is a tuple, `("Statement", 0, "Action", 1)`; it is shown as `$.Statement[0].Action[1]`.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from sekisho.policy import steps
from sekisho.policy.strict_json import MAX_DEPTH, MAX_TEXT, Path

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Position:
    """A point of the text: line and column count from 1, offset from 0."""

    line: int
    column: int
    offset: int


@dataclass(frozen=True, slots=True)
class Positions:
    """The starts of all values, and of the keys of all members, by JSON path."""

    values: dict[Path, int]
    keys: dict[Path, int]
    line_starts: Sequence[int] = field(repr=False)
    repeated: int | None = None  # where a key first stands a second time in its object

    def resolve(self, path: Path) -> Path:
        """The longest part of the path that the text has; an index into what the text has as a single value is left out.

        So `("Statement", 0, "Action", 0)` finds its place whether or not the author wrote the lists.
        """
        found: Path = ()
        for step in path:
            longer = (*found, step)
            if longer in self.values:
                found = longer
            elif not isinstance(step, int):
                break
        return found

    def at(self, path: Path, *, key: bool = False) -> Position:
        """Where the value at the path begins, or its nearest ancestor that exists; with `key`, where the member's key begins."""
        found = self.resolve(path)
        offset = self.keys.get(found) if key else None
        return self.point(self.values.get(found, 0) if offset is None else offset)

    def point(self, offset: int) -> Position:
        """Line and column of an offset."""
        line = bisect_right(self.line_starts, offset)
        return Position(line, offset - self.line_starts[line - 1] + 1, offset)


@dataclass(slots=True)
class _Level:
    path: Path
    index: int | None  # the next item's index in a list; None in an object
    key: str | None = None


def locate(text: str) -> Positions:
    """Find every value of a JSON text. In a text that `strict_json` refuses it finds what precedes the first oddity; it never raises."""
    text = text[:MAX_TEXT]
    line_starts = [0, *(mark.end() for mark in re.finditer("\n", text))]
    values: dict[Path, int] = {}
    keys: dict[Path, int] = {}
    levels: list[_Level] = []
    repeated: int | None = None
    for token in _TOKEN.finditer(text):
        mark = token[0][0]
        level = levels[-1] if levels else None
        if mark == "," and level is not None:
            level.key = None
        elif mark in "]}":
            if not levels:
                break
            levels.pop()
        elif len(levels) > MAX_DEPTH:
            break
        elif mark not in ":,":
            if level is not None and level.index is None and level.key is None:  # a key: its value follows
                name = _string(token[0])
                if name is None:
                    break
                level.key = name
                if keys.setdefault((*level.path, name), token.start()) != token.start() and repeated is None:
                    repeated = token.start()
                continue
            path = _next(level)
            values.setdefault(path, token.start())
            if mark in "[{":
                steps.step()
                levels.append(_Level(path, 0 if mark == "[" else None))
    return Positions(values, keys, line_starts, repeated)


class Extents:
    """Where values of one JSON text begin and end. The text is read once, and each value once, however often it is asked for."""

    __slots__ = ("_ends", "_places", "_text")

    def __init__(self, text: str) -> None:
        self._text, self._places = text, locate(text)
        self._ends: dict[int, int] = {}

    def begin(self, path: Path) -> int:
        """The offset at which the value begins, or its nearest ancestor that exists."""
        return self._places.at(path).offset

    def end(self, path: Path) -> int:
        """The offset behind the same value."""
        begin = self.begin(path)
        end = self._ends.get(begin)
        if end is None:
            end = self._ends[begin] = json.JSONDecoder().raw_decode(self._text, begin)[1]
        return end

    def point(self, offset: int) -> Position:
        """Line and column of an offset."""
        return self._places.point(offset)


def show(path: Path) -> str:
    """`$.Statement[0].Condition["ForAnyValue:StringLike"]`: a name that is no plain word stands in brackets."""
    shown = "$"
    for step in path:
        if isinstance(step, int):
            shown += f"[{step}]"
        else:
            shown += f".{step}" if _PLAIN.fullmatch(step) else f"[{json.dumps(step)}]"
    return shown


def _next(level: _Level | None) -> Path:
    if level is None:
        return ()
    if level.index is None:
        return (*level.path, level.key or "")
    level.index += 1
    return (*level.path, level.index - 1)


def _string(literal: str) -> str | None:
    try:
        value = json.loads(literal)
    except ValueError:
        return None
    return value if isinstance(value, str) else None

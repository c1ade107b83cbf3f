"""Which rule a request is under: a table of methods and paths, `/orders/{order_id}/ship`, `/files/{key:path}`.

Where two routes match the same path, the narrower stands first, as it has to in the application too; anything else is a ValueError.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(:path)?\}")


@dataclass(frozen=True, slots=True)
class Path:
    """A path template by its segments: a literal text, or None for a parameter; `rest` when the last takes further segments."""

    text: str
    segments: tuple[str | None, ...]
    names: tuple[str, ...]
    rest: bool

    def match(self, segments: tuple[str, ...]) -> Mapping[str, str] | None:
        """The parameters of a path, or None; a parameter is never empty."""
        if len(segments) < len(self.segments) or (len(segments) > len(self.segments) and not self.rest):
            return None
        if self.rest:
            last = len(self.segments) - 1
            segments = (*segments[:last], "/".join(segments[last:]))
        values = []
        for wanted, found in zip(self.segments, segments, strict=True):
            if wanted is None and found:
                values.append(found)
            elif wanted != found:
                return None
        return dict(zip(self.names, values, strict=True))

    def covers(self, other: "Path") -> bool:
        """Whether every path of the other is one of ours."""
        longer = len(other.segments) - len(self.segments)
        alike = longer >= 0 if self.rest else longer == 0 and not other.rest
        return alike and all(mine is None or mine == theirs for mine, theirs in zip(self.segments, other.segments, strict=False))

    def meets(self, other: "Path") -> bool:
        """Whether some path is both ours and the other's."""
        shorter, longer = sorted((self, other), key=lambda path: len(path.segments))
        if len(shorter.segments) != len(longer.segments) and not shorter.rest:
            return False
        pairs = zip(shorter.segments, longer.segments, strict=False)
        return all(mine is None or theirs is None or mine == theirs for mine, theirs in pairs)


def parse(text: str) -> Path:
    """Read a path template."""
    if not text.startswith("/"):
        raise ValueError(f"the path `{text}` does not begin with a slash")
    segments: list[str | None] = []
    names: list[str] = []
    rest = False
    for segment in text[1:].split("/"):
        parameter = _PARAMETER.fullmatch(segment)
        if rest or (parameter is None and ("{" in segment or "}" in segment)):
            raise ValueError(f"`{text}`: a parameter is a whole segment, {{name}}, or the last one, {{name:path}}")
        segments.append(segment if parameter is None else None)
        if parameter is not None:
            rest = parameter[2] is not None
            names.append(parameter[1])
    if len(set(names)) != len(names):
        raise ValueError(f"`{text}` has a parameter twice")
    return Path(text, tuple(segments), tuple(names), rest)


class Routes(Generic[T]):
    """Routes in their order, each with what it stands for."""

    def __init__(self, routes: Iterable[tuple[str, Path, T]]) -> None:
        self._routes: dict[str, list[tuple[Path, T]]] = {}
        for method, path, target in routes:
            earlier = self._routes.setdefault(method, [])
            for other, _ in earlier:
                if other.meets(path) and (not path.covers(other) or other.covers(path)):
                    raise ValueError(f"`{method} {other.text}` and `{method} {path.text}` match the same path; the narrower stands first")
            earlier.append((path, target))

    def find(self, method: str, path: str) -> tuple[T, Mapping[str, str]] | None:
        """What a request is under, with the parameters of its path."""
        segments = tuple(path.split("/")[1:]) if path.startswith("/") else ()
        for route, target in self._routes.get(method, ()):
            parameters = route.match(segments)
            if parameters is not None:
                return target, parameters
        return None

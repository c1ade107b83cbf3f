"""Shapes: patterns whose wildcards say by themselves where they stop, so that one kind of pattern says what all elements of policies say.

    ANY     any run of characters
    ONE     any character
    RUN     any run without a colon
    ATOM    any character but a colon

A star of a Resource element is ANY where it ends a segment, else RUN, and a question mark ATOM; `*` and `?` of StringLike are ANY and ONE;
of the six segments that ArnLike compares, the first five have RUN and ATOM. What a variable put in is literal text.

An Automaton tells of a shape which texts match, whether it covers all that another one matches, and whether no text matches both: each is
a walk over bits, one step a character, however the wildcards stand.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

import enum
from collections.abc import Iterable, Sequence
from functools import lru_cache

from sekisho.policy import patterns


class Gap(enum.Enum):
    """The wildcards of shapes."""

    ANY = "any"
    ONE = "one"
    RUN = "run"
    ATOM = "atom"


ANY, ONE, RUN, ATOM = Gap
Shape = tuple[str | Gap, ...]

ARN: Shape = ("arn:", ANY, ":", ANY, ":", ANY, ":", ANY, ":", ANY)
"""Every text that has the six segments of an ARN."""


def text(literal: str) -> Shape:
    """The shape of one text."""
    return (literal,) if literal else ()


def normal(parts: Iterable[str | Gap]) -> Shape:
    """Join neighbouring literals and runs, drop empty literals, and say ANY for each RUN of an end that only asks for colons."""
    joined: list[str | Gap] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, str):
            if part and isinstance(last, str):
                joined[-1] = last + part
            elif part:
                joined.append(part)
        elif part is ANY and (last is ANY or last is RUN):
            joined[-1] = ANY
        elif not (part is RUN and (last is ANY or last is RUN)):
            joined.append(part)
    at = len(joined) - 1
    while at >= 2 and joined[at] is ANY and joined[at - 1] == ":" and (joined[at - 2] is RUN or joined[at - 2] is ANY):
        at -= 2
        joined[at] = ANY  # `RUN : ANY` is whatever has a colon, as `ANY : ANY` is; databases match that without counting
    return tuple(joined)


def of_text(tokens: Sequence[patterns.Token]) -> Shape:
    """The shape of a pattern whose wildcards match every character."""
    return normal(token if isinstance(token, str) else ANY if token is patterns.ANY else ONE for token in tokens)


def of_resource(tokens: Sequence[patterns.Token]) -> Shape:
    """The shape of a pattern of a Resource element: a star crosses colons only where it ends a segment."""
    pattern = patterns.normal(tokens)
    made: list[str | Gap] = []
    for i, token in enumerate(pattern):
        if isinstance(token, str):
            made.append(token)
        elif token is patterns.ONE:
            made.append(ATOM)
        else:
            following = pattern[i + 1] if i + 1 < len(pattern) else ":"
            made.append(ANY if isinstance(following, str) and following.startswith(":") else RUN)
    return normal(made)


def of_arn(tokens: Sequence[patterns.Token]) -> Shape | None:
    """The shape of a pattern that ArnLike compares segment by segment; None when it has not six."""
    colons, made = 0, list[str | Gap]()
    for token in tokens:
        if isinstance(token, str):
            colons += token.count(":")
            made.append(token)
        elif colons < 5:
            made.append(RUN if token is patterns.ANY else ATOM)
        else:
            made.append(ANY if token is patterns.ANY else ONE)
    return normal(made) if colons >= 5 else None


def literal(shape: Shape) -> str | None:
    """The only text that matches, where a shape has no wildcard."""
    if not shape:
        return ""
    return shape[0] if len(shape) == 1 and isinstance(shape[0], str) else None


def least(shape: Shape) -> int:
    """The characters of the shortest text that can match."""
    return sum(len(part) if isinstance(part, str) else part is ONE or part is ATOM for part in shape)


def gaps(shape: Shape) -> int:
    """How many wildcards a shape has."""
    return sum(not isinstance(part, str) for part in shape)


class Automaton:
    """A shape made ready: bit i of a state is set while the first i characters of the shape match what was read; bits in `_loops` stay."""

    __slots__ = ("_all", "_any", "_atoms", "_colons", "_masks", "_ones", "_run", "_shape", "size")

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._masks: dict[str, int] = {}
        self._ones = self._atoms = self._any = self._run = size = 0
        for part in shape:
            if isinstance(part, str):
                for character in part:
                    self._masks[character] = self._masks.get(character, 0) | 1 << size
                    size += 1
            elif part is ANY:
                self._any |= 1 << size
            elif part is RUN:
                self._run |= 1 << size
            else:
                if part is ONE:
                    self._ones |= 1 << size
                else:
                    self._atoms |= 1 << size
                size += 1
        self.size = size
        self._all = (1 << size) - 1
        self._colons = self._masks.get(":", 0)

    def matches(self, text: str) -> bool:
        """Whether the whole text matches."""
        live = 1
        for character in text:
            live = self._read(live, character)
            if not live:
                return False
        return live >> self.size & 1 == 1

    def covers(self, other: Shape) -> bool:
        """Whether every text that matches the other shape matches this one: a wildcard there is read by one here that is as wide."""
        live = 1
        for part in other:
            if isinstance(part, str):
                for character in part:
                    live = self._read(live, character)
            elif part is ANY:
                live &= self._any
            elif part is RUN:
                live &= self._any | self._run
            elif part is ONE:
                live = (live & self._ones) << 1 | live & self._any
            else:
                live = (live & (self._ones | self._atoms)) << 1 | live & (self._any | self._run)
            if not live:
                return False
        return live >> self.size & 1 == 1

    def meets(self, other: Shape) -> bool:
        """Whether some text matches both."""
        live = 1
        for part in other:
            if isinstance(part, str):
                for character in part:
                    live = self._read(live, character)
            elif part is ONE or part is ATOM:
                live = self._read_some(live, colon=part is ONE)
            else:
                while (more := live | self._read_some(live, colon=part is ANY)) != live:
                    live = more
            if not live:
                return False
        return live >> self.size & 1 == 1

    def _read(self, live: int, character: str) -> int:
        """The state after one character."""
        mask = self._masks.get(character, 0) | self._ones
        if character == ":":
            return (live & mask) << 1 | live & self._any
        return (live & (mask | self._atoms)) << 1 | live & (self._any | self._run)

    def _read_some(self, live: int, *, colon: bool) -> int:
        """All states that some character leads to; without `colon`, some character that is none."""
        steps = self._all if colon else self._all & ~self._colons
        return (live & steps) << 1 | live & (self._any | self._run)


@lru_cache(maxsize=1024)
def automaton(shape: Shape) -> Automaton:
    """The automaton of a shape, kept for the next who asks."""
    return Automaton(shape)

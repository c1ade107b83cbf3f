"""Wildcards without backtracking: `*` is any run of characters, `?` exactly one; everything else stands for itself.

A pattern is a tuple of tokens: literal text, ANY (`*`) and ONE (`?`). Values that a variable put in are literal text, whatever they hold.
Common shapes become a string method; literals between stars are searched from left to right, each once; what mixes both wildcards runs as a
bit-parallel automaton, one step a character. Nothing here is exponential or quadratic in the pattern.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

import enum
import re
from collections.abc import Callable, Sequence
from functools import lru_cache


class Wildcard(enum.Enum):
    """The two wildcards."""

    ANY = "*"
    ONE = "?"


MAX_TEXT = 16_384  # characters that the automaton reads; AWS's ARNs have at most 2,048, tags 256

ANY, ONE = Wildcard.ANY, Wildcard.ONE
Token = str | Wildcard
Matcher = Callable[[str], bool]

_WILDCARDS = re.compile(r"(\*+|\?)")


def tokens(text: str) -> tuple[Token, ...]:
    """Split a pattern as it is written."""
    if "*" not in text and "?" not in text:
        return (text,) if text else ()
    return tuple(ONE if part == "?" else ANY if part[0] == "*" else part for part in _WILDCARDS.split(text) if part)


def text_of(pattern: Sequence[Token]) -> str:
    """The pattern as it would be written, for people to read."""
    return "".join(token.value if isinstance(token, Wildcard) else token for token in pattern)


def normal(pattern: Sequence[Token]) -> tuple[Token, ...]:
    """Join neighbouring literals and stars, drop empty literals."""
    joined: list[Token] = []
    literal: list[str] = []  # joined at once: one after another would copy what variables brought again and again
    for token in pattern:
        if isinstance(token, str):
            if token:
                literal.append(token)
            continue
        if literal:
            joined.append("".join(literal))
            literal.clear()
        if token is ONE or not joined or joined[-1] is not ANY:
            joined.append(token)
    return (*joined, "".join(literal)) if literal else tuple(joined)


def least(pattern: Sequence[Token]) -> int:
    """The characters of the shortest text that can match."""
    return sum(0 if token is ANY else 1 if isinstance(token, Wildcard) else len(token) for token in pattern)


@lru_cache(maxsize=512)
def matcher(pattern: tuple[Token, ...]) -> Matcher:
    """What tells whether a whole text matches a pattern whose wildcards match any character."""
    pattern = normal(pattern)
    shape = tuple(token if isinstance(token, Wildcard) else str for token in pattern)
    texts = [token for token in pattern if isinstance(token, str)]
    if shape in _SHAPES:
        return _SHAPES[shape](*texts)
    if ONE not in pattern:
        return _pieces(pattern)
    return _fixed(pattern) if ANY not in pattern else _automaton(pattern, segmented=False)


@lru_cache(maxsize=512)
def resource_matcher(pattern: tuple[Token, ...]) -> Matcher:
    """The same for the Resource element: a star crosses colons only where it ends a colon-separated segment, and `?` never is a colon."""
    pattern = normal(pattern)
    if is_flat(pattern):
        return matcher(pattern)
    first, rest = (pattern[0], pattern[1:]) if isinstance(pattern[0], str) else ("", pattern)
    if not any(":" in token for token in rest if isinstance(token, str)):
        return _within_segment(first, matcher(rest), open_end=rest[-1] is ANY)
    return _automaton(pattern, segmented=True)


def is_flat(pattern: tuple[Token, ...]) -> bool:
    """Whether in a normal resource pattern every wildcard may match every character: only stars at the ends of segments."""
    return ONE not in pattern and all(_crosses(pattern, i) for i, token in enumerate(pattern) if token is ANY)


def is_slow(pattern: tuple[Token, ...]) -> bool:
    """Whether matching may take a step of the automaton for each character of the text (true a little too often)."""
    pattern = normal(pattern)
    if is_flat(pattern):
        return False
    return (ONE in pattern and ANY in pattern) or any(":" in token for token in pattern[1:] if isinstance(token, str))


def literal_prefix(pattern: tuple[Token, ...]) -> str:
    """The text before the first wildcard."""
    return pattern[0] if pattern and isinstance(pattern[0], str) else ""


def _crosses(pattern: tuple[Token, ...], i: int) -> bool:
    following = pattern[i + 1] if i + 1 < len(pattern) else ":"
    return isinstance(following, str) and following.startswith(":")


def _anything(_text: str) -> bool:
    return True


def _surrounded(first: str, last: str) -> Matcher:
    least = len(first) + len(last)
    return lambda text: len(text) >= least and text.startswith(first) and text.endswith(last)


_SHAPES: dict[tuple[object, ...], Callable[..., Matcher]] = {
    (): lambda: frozenset(("",)).__contains__,
    (str,): lambda text: frozenset((text,)).__contains__,  # not `text.__eq__`, which answers NotImplemented for what is no text
    (ANY,): lambda: _anything,
    (str, ANY): lambda first: lambda text: text.startswith(first),
    (ANY, str): lambda last: lambda text: text.endswith(last),
    (ANY, str, ANY): lambda inner: lambda text: inner in text,
    (str, ANY, str): _surrounded,
}


def _pieces(pattern: tuple[Token, ...]) -> Matcher:
    first = literal_prefix(pattern)
    last = pattern[-1] if isinstance(pattern[-1], str) else ""
    middle = [token for token in pattern[bool(first) : len(pattern) - bool(last)] if isinstance(token, str)]
    start, ending = len(first), len(last)

    def match(text: str) -> bool:
        at, end = start, len(text) - ending
        if not text.startswith(first) or not text.endswith(last):
            return False
        for piece in middle:
            at = text.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True

    return match


def _fixed(pattern: tuple[Token, ...]) -> Matcher:
    length, parts = 0, []
    for token in pattern:
        if isinstance(token, str):
            parts.append((token, length))
        length += len(token) if isinstance(token, str) else 1
    return lambda text: len(text) == length and all(text.startswith(part, at) for part, at in parts)


def _within_segment(first: str, inner: Matcher, *, open_end: bool) -> Matcher:
    start = len(first)

    def match(text: str) -> bool:
        if not text.startswith(first):
            return False
        segment, colon, _ = text[start:].partition(":")
        return (open_end or not colon) and inner(segment)

    return match


def _automaton(pattern: tuple[Token, ...], *, segmented: bool) -> Matcher:
    """Shift-and with self-loops (Baeza-Yates and Gonnet, 1992): bit i is set while the first i characters match what was read."""
    first = literal_prefix(pattern)
    masks: dict[str, int] = {}
    ones = loops = crossing = size = 0
    for i, token in enumerate(pattern[1:] if first else pattern, start=bool(first)):
        if token is ANY:
            loops |= 1 << size
            crossing |= (1 << size) * (not segmented or _crosses(pattern, i))
        elif token is ONE:
            ones |= 1 << size
            size += 1
        elif isinstance(token, str):
            for character in token:
                masks[character] = masks.get(character, 0) | 1 << size
                size += 1
    steps = {character: (mask | ones, loops) for character, mask in masks.items()}
    if segmented:
        steps[":"] = (masks.get(":", 0), crossing)
    other, start, accept = (ones, loops), len(first), 1 << size
    done = accept & crossing  # a star at the very end: nothing after can undo the match

    def match(text: str) -> bool:
        if len(text) > MAX_TEXT:
            raise ValueError(f"a text of {len(text)} characters is too long for the pattern; at most {MAX_TEXT} are allowed")
        if not text.startswith(first):
            return False
        live = 1
        for character in text[start:]:
            mask, loop = steps.get(character, other)
            live = (live & mask) << 1 | live & loop
            if not live or live & done:
                break
        return live & accept != 0

    return match

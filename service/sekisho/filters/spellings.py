"""Shapes in the languages of databases: GLOB, LIKE, and the regular expressions of PostgreSQL and of Python.

GLOB and LIKE let RUN, and LIKE lets ATOM, cross colons; the regular expressions say all that a shape says.
"""

import functools
import re
from collections.abc import Iterable, Sequence

from sekisho.policy.residual import ANY, ATOM, ONE, RUN, Gap, Shape

_CASED = 0x1E944
"""All letters that have a lower case come before this one."""

_GLOB = {ANY: "*", RUN: "*", ONE: "?", ATOM: "[^:]"}
_LIKE = {ANY: "%", RUN: "%", ONE: "_", ATOM: "_"}
_REGULAR = {ANY: ".*", RUN: "[^:]*", ONE: ".", ATOM: "[^:]"}


def glob(shape: Shape) -> str:
    """In SQLite's GLOB, which minds the case."""
    return "".join(_globbed(part) if isinstance(part, str) else _GLOB[part] for part in shape)


def like(shape: Shape) -> str:
    """In PostgreSQL's LIKE, with its backslash."""
    return "".join(_liked(part) if isinstance(part, str) else _LIKE[part] for part in shape)


def posix(shape: Shape) -> str:
    """In PostgreSQL's regular expressions."""
    return f"^{''.join(_quoted(part) if isinstance(part, str) else _REGULAR[part] for part in shape)}$"


def python(shape: Shape) -> str:
    """In Python's, without ever going back: what stands between two wildcards is taken where it first fits, for that leaves most to what
    follows. Only what stands between the last ANY and the end fits at one place alone. ValueError where ONE stands before RUN, as it does
    in no pattern of a policy: whether it takes a colon would decide how far RUN reaches.
    """
    *blocks, last = _split(shape, ANY)
    if any(ONE in block and RUN in block[block.index(ONE) :] for block in (*blocks, last)):
        raise ValueError("a pattern in which a wildcard for any character stands before one that stops at colons")
    if not blocks:
        return rf"(?s)\A{_block(last, end=True)}"
    first, *others = (_block(block, end=False) for block in blocks)
    ending = f"(?>.*?{_block(last, end=True)})" if last else ""
    return rf"(?s)\A{first}{''.join(f'(?>.*?{block})' for block in others)}{ending}"


def _block(block: Sequence[str | Gap], *, end: bool) -> str:
    """What has no ANY: its pieces are as long as they stand there, and what is between them has no colon."""
    first, *others = ("".join(_quoted(part) if isinstance(part, str) else _REGULAR[part] for part in piece) for piece in _split(block, RUN))
    closing = r"\Z" if end else ""
    if not others:
        return f"{first}{closing}"
    *between, last = others
    return f"(?>{first}{''.join(f'(?>[^:]*?{piece})' for piece in between)}(?>[^:]*?{last}{closing}))"


def _split(parts: Iterable[str | Gap], gap: Gap) -> list[list[str | Gap]]:
    split: list[list[str | Gap]] = [[]]
    for part in parts:
        if part is gap:
            split.append([])
        else:
            split[-1].append(part)
    return split


def letters(text: str) -> list[str]:
    """Of each letter of a text in lower case, all letters that have it as their lower case, itself among them."""
    known = _spellings()
    return [known.get(character, character) for character in text]


def of_letters(letters: Iterable[str]) -> tuple[str, str, str]:
    """A text whose letters are among these, in GLOB, in LIKE as far as it goes, and in PostgreSQL's regular expressions."""
    found = list(letters)
    return (
        "".join(f"[{one}]" if len(one) > 1 else _globbed(one) for one in found),
        "".join("_" if len(one) > 1 else _liked(one) for one in found),
        f"^{''.join(f'[{one}]' if len(one) > 1 else _quoted(one) for one in found)}$",
    )


@functools.cache
def _spellings() -> dict[str, str]:
    found: dict[str, str] = {}
    for number in range(_CASED):
        character = chr(number)
        lowered = character.lower()
        if lowered != character and len(lowered) == 1:
            found[lowered] = found.get(lowered, lowered) + character
    return found


def _globbed(text: str) -> str:
    return re.sub(r"[*?\[]", lambda found: f"[{found[0]}]", text)


def _liked(text: str) -> str:
    return re.sub(r"[%_\\]", lambda found: f"\\{found[0]}", text)


def _quoted(text: str) -> str:
    """Literal text: both languages take a backslash before whatever is not a letter or a digit, and letters beyond ASCII as they are."""
    return re.sub(r"[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]", lambda found: f"\\{found[0]}", text)

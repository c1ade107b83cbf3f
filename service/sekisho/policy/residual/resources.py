"""The resources that a plan is about, and the leaves about them, settled as far as what all of them have in common settles them.

They are those whose ARN matches a scope. An ARN has at most 2,048 characters, a resource at most 50 tags of AWS's sizes, whose keys
differ by more than their case: of others nothing is said. No text holds U+0000, which databases do not have.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from sekisho.policy.residual import shapes
from sekisho.policy.residual.nodes import ArnIn, ArnIs, ArnLike, Node, TagIn, TagLike, TagText, Unsaid, some_of
from sekisho.policy.residual.shapes import ARN, Shape, automaton

MAX_ARN = 2_048
MAX_TAGS = 50
MAX_TAG_KEY, MAX_TAG_VALUE = 128, 256  # characters
MAX_GAPS = 64
"""Wildcards of one pattern: databases match them by trying."""

_STEM = ":resourcetag/"


class Inexpressible(Exception):  # noqa: N818  # says what happened, as `StopIteration` does
    """A condition that no tree says exactly, and why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Resources:
    """Those whose ARN matches one of the scopes; `prefixes` are the services whose `…:ResourceTag/` their tags are, in lower case."""

    scopes: tuple[Shape, ...]
    prefixes: tuple[str, ...] = ("aws",)

    def __post_init__(self) -> None:
        if not all(automaton(ARN).covers(scope) for scope in self.scopes):
            raise ValueError("a scope matches what is not an ARN")

    def tag(self, key: str) -> str | None:
        """The key of the tag that a condition key, which is in lower case, stands for; None for a key that is not a tag of the resource."""
        prefix, stem, tag = key.partition(_STEM)
        return tag if stem and tag and prefix in self.prefixes else None

    def arn(self, shape: Shape) -> Node:
        """The resources whose ARN matches a shape."""
        first = _start(shape)
        near = [scope for scope in self.scopes if first.startswith(start := _start(scope)) or start.startswith(first)]
        if not near or shapes.least(shape) > MAX_ARN:
            return False  # by far the most are of other services
        made, text = automaton(shape), shapes.literal(shape)
        if len(near) == len(self.scopes) and all(map(made.covers, near)):
            return True
        if text is not None:
            return _said(ArnIn((text,)), text) if any(automaton(scope).matches(text) for scope in near) else False
        return _said(ArnLike(shape), *shape) if any(map(made.meets, near)) else False

    def arn_of_tags(self, parts: tuple[str | TagText, ...], *, open_end: bool) -> Node:
        """The resources whose ARN is, or begins with, text that is made with their own tags."""
        return _said(ArnIs(parts, open_end), *(part if isinstance(part, str) else part.default or "" for part in parts))


def _start(shape: Shape) -> str:
    """The text before the first wildcard."""
    return shape[0] if shape and isinstance(shape[0], str) else ""


def tag_like(key: str, shape: Shape) -> Node:
    """The resources with a tag whose value matches a shape."""
    text = shapes.literal(shape)
    if text is not None:
        return tag_in(key, (text,))
    return _said(TagLike(key, shape), *shape) if shapes.least(shape) <= MAX_TAG_VALUE and len(key) <= MAX_TAG_KEY else False


def tag_in(key: str, texts: Iterable[str]) -> Node:
    """The resources with a tag that has one of these values."""
    found = tuple(sorted({text for text in texts if len(text) <= MAX_TAG_VALUE}))
    return _said(TagIn(key, found), *found) if found and len(key) <= MAX_TAG_KEY else False


def tag_in_any_case(key: str, texts: Iterable[str]) -> Node:
    """The same in whatever case. Of which texts one is the lower case can be said letter by letter, but for two letters: a sigma is another
    at the end of a word, and a Turkish letter becomes two.
    """
    found = tuple(sorted({lowered for text in texts if len(lowered := text.lower()) <= MAX_TAG_VALUE}))
    for text in found:
        if "σ" in text or "ς" in text or "i\u0307" in text:
            return Unsaid(f"`{text[:64]}` has a letter that becomes another in lower case by what stands beside it")
    return _said(TagIn(key, found, ignoring_case=True), *found) if found and len(key) <= MAX_TAG_KEY else False


def either(*nodes: Node) -> Node:
    """True where some node is."""
    return some_of(nodes)


def refuse(reason: str) -> NoReturn:
    """Raise Inexpressible."""
    raise Inexpressible(reason)


def _said(leaf: Node, *parts: object) -> Node:
    """The leaf, if a database can hold and match its texts."""
    wildcards = 0
    for part in parts:
        if not isinstance(part, str):
            wildcards += 1
        elif "\0" in part or any("\ud800" <= character <= "\udfff" for character in part):
            return Unsaid("a text holds a character that databases do not have")
    return leaf if wildcards <= MAX_GAPS else Unsaid(f"a pattern has {wildcards} wildcards; at most {MAX_GAPS} are said")

"""Trees of conditions over a resource: its ARN, and its tags by key in lower case. Everything in a tree is true or false of a resource.

    True, False                 of every resource, of none
    All, Some, Not              of all the children, of some of them, not of the child
    ArnLike, ArnIn              the ARN matches a shape, is one of some texts
    ArnIs                       the ARN is, or begins with, text that is put together from tags; false where such a tag is missing
    TagExists                   the resource has a tag, be it empty
    TagLike, TagIn              it has a tag whose value matches a shape, is one of some texts

`all_of`, `some_of` and `negated` are the only makers of the first three: they keep trees flat, without doubles and without what follows
from what else is there. `Unsaid` stands for what no tree can say; whatever hangs on it cannot be said either.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Union

from sekisho.policy.residual.shapes import Shape


@dataclass(frozen=True, slots=True)
class All:
    """True where all children are."""

    children: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """True where a child is."""

    children: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True where the child is not."""

    child: "Node"


@dataclass(frozen=True, slots=True)
class ArnLike:
    """The ARN matches."""

    shape: Shape


@dataclass(frozen=True, slots=True)
class ArnIn:
    """The ARN is one of these, which are in order."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TagText:
    """The value of a tag, within other text; `default` stands in where the resource lacks the tag."""

    key: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class ArnIs:
    """The ARN is these parts one after another, with `open_end` followed by whatever."""

    parts: tuple[str | TagText, ...]
    open_end: bool


@dataclass(frozen=True, slots=True)
class TagExists:
    """The resource has the tag."""

    key: str


@dataclass(frozen=True, slots=True)
class TagLike:
    """It has the tag, whose value matches."""

    key: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class TagIn:
    """It has the tag, whose value is one of these, which are in order; `ignoring_case`: its lower case is."""

    key: str
    texts: tuple[str, ...]
    ignoring_case: bool = False


@dataclass(frozen=True, slots=True)
class Unsaid:
    """What cannot be said, and why."""

    reason: str


Leaf = ArnLike | ArnIn | ArnIs | TagExists | TagLike | TagIn
Node = Union[bool, All, Some, Not, Leaf, Unsaid]  # noqa: UP007  # names classes that name it


def negated(node: Node) -> Node:
    """The node turned round."""
    if isinstance(node, bool):
        return not node
    if isinstance(node, Not):
        return node.child
    if isinstance(node, All):
        return some_of(map(negated, node.children))
    if isinstance(node, Some):
        return all_of(map(negated, node.children))
    return node if isinstance(node, Unsaid) else Not(node)


def all_of(nodes: Iterable[Node]) -> Node:
    """True where all nodes are."""
    return _joined(nodes, All, Some, neutral=True)


def some_of(nodes: Iterable[Node]) -> Node:
    """True where some node is."""
    return _joined(nodes, Some, All, neutral=False)


def _joined(nodes: Iterable[Node], kind: type[All] | type[Some], other: type[All] | type[Some], *, neutral: bool) -> Node:
    found: dict[Node, None] = {}
    unsaid: Unsaid | None = None
    for node in _flat(nodes, kind):
        if isinstance(node, bool):
            if node is not neutral:
                return node
        elif isinstance(node, Unsaid):
            unsaid = unsaid or node
        else:
            found[node] = None
    if _is_settled(found, neutral=neutral):
        return not neutral
    if unsaid is not None:
        return unsaid
    children = _without_implied(_merged(found) if not neutral else list(found), other, neutral=neutral)
    if not children:
        return neutral
    return children[0] if len(children) == 1 else kind(tuple(children))


def _flat(nodes: Iterable[Node], kind: type[All] | type[Some]) -> Iterator[Node]:
    for node in nodes:
        if isinstance(node, (All, Some)) and isinstance(node, kind):
            yield from node.children
        else:
            yield node


def _is_settled(found: dict[Node, None], *, neutral: bool) -> bool:
    """Whether two of the nodes exclude each other, of All; whether one of two always holds, of Some."""
    for node in found:
        if isinstance(node, Not) and node.child in found:
            return True
    # A tag that is missing has no value: `not exists` and `is x` exclude each other, `exists` or `is not x` always holds.
    for node in found:
        leaf = node if neutral else node.child if isinstance(node, Not) else None
        if isinstance(leaf, (TagLike, TagIn)):
            exists = TagExists(leaf.key)
            if (Not(exists) if neutral else exists) in found:
                return True
    return False


def _without_implied(nodes: list[Node], other: type[All] | type[Some], *, neutral: bool) -> list[Node]:
    """Leave out what says no more than what else is there."""
    known = set(nodes)
    keys = {
        leaf.key
        for node in nodes
        if isinstance(leaf := node if neutral else node.child if isinstance(node, Not) else None, (TagLike, TagIn))
    }
    kept = []
    for node in nodes:
        exists = node if neutral else node.child if isinstance(node, Not) else None
        if isinstance(exists, TagExists) and exists.key in keys:
            continue
        if isinstance(node, (All, Some)) and isinstance(node, other) and not known.isdisjoint(node.children):
            continue  # a and (a or b) is a; so is a or (a and b)
        kept.append(node)
    return kept


def _merged(found: dict[Node, None]) -> list[Node]:
    """The nodes of a Some with their lists of texts put together."""
    texts: dict[tuple[str | None, bool], set[str]] = {}
    kept: list[Node] = []
    for node in found:
        if isinstance(node, ArnIn):
            texts.setdefault((None, False), set()).update(node.texts)
        elif isinstance(node, TagIn):
            texts.setdefault((node.key, node.ignoring_case), set()).update(node.texts)
        else:
            kept.append(node)
    for (key, ignoring_case), wanted in texts.items():
        listed = tuple(sorted(wanted))
        kept.append(ArnIn(listed) if key is None else TagIn(key, listed, ignoring_case))
    return kept


def leaves(node: Node) -> Iterator[Leaf]:
    """The leaves of a tree, each as often as it stands there."""
    if isinstance(node, (All, Some)):
        for child in node.children:
            yield from leaves(child)
    elif isinstance(node, Not):
        yield from leaves(node.child)
    elif not isinstance(node, (bool, Unsaid)):
        yield node


def size(node: Node) -> int:
    """How many nodes and listed texts a tree has."""
    if isinstance(node, (All, Some)):
        return 1 + sum(map(size, node.children))
    if isinstance(node, Not):
        return 1 + size(node.child)
    return len(node.texts) if isinstance(node, (ArnIn, TagIn)) else 1

"""Inheritance: what the policies on the way from the root to an account come to together. Pure.

An element of a policy is an object of elements, or a setting: a value, or operators on it.

    @@assign    the value, whatever it was above
    @@append    further items of a list
    @@remove    items that the list is not to have
    @@operators_allowed_for_child_policies    which of these three policies further down may use on this element; it stands in objects
        of elements, too, where `@@none` keeps them from adding elements. Further down it can only become narrower.

An operator that is not allowed is passed over, as AWS does it. Policies of one level are no children of each other, and take effect in
the order in which they were attached.
Source: https://docs.aws.amazon.com/organizations/latest/userguide/policy-operators.html
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

OPERATOR = "@@"
ASSIGN, APPEND, REMOVE, CONTROL = "@@assign", "@@append", "@@remove", "@@operators_allowed_for_child_policies"
OPERATORS = frozenset((ASSIGN, APPEND, REMOVE, CONTROL))

_ALL = frozenset((ASSIGN, APPEND, REMOVE))
_CONTROLS = {"@@all": _ALL, "@@none": frozenset[str](), **{name: frozenset((name,)) for name in _ALL}}

Level = Sequence[tuple[str, dict[str, Any]]]
"""The policies of one level, each with its id."""


class Invalid(NamedTuple):
    """An element that the policies make senseless together, and the policies that had a part in it."""

    path: str
    message: str
    policies: tuple[str, ...]


@dataclass(slots=True)
class _Element:
    """An element while policies are put together: its value, or its elements; `allowed` and `next` are the operators that the policies of
    this level, and those further down, may use.
    """

    value: Any = None
    elements: dict[str, "_Element"] = field(default_factory=dict)
    allowed: frozenset[str] = _ALL
    next: frozenset[str] = _ALL
    policies: list[str] = field(default_factory=list)
    wrong: str = ""


def effective(levels: Sequence[Level]) -> tuple[dict[str, Any], list[Invalid]]:
    """The policy that those of all levels, the root's first, come to; and what is wrong with it."""
    root = _Element()
    for level in levels:
        for id_, document in level:
            _apply(root, document, id_)
        _descend(root)
    return _shown(root) or {}, sorted(_invalid(root, ""))


def faults(document: Any) -> list[str]:
    """The paths of what stands in a document and cannot be meant."""
    return list(_faults(document, ""))


def _faults(value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    named = {key for key in value if key.startswith(OPERATOR)}
    if named - OPERATORS or (named - {CONTROL} and set(value) - named):
        yield path
    for key in named & {APPEND, REMOVE}:
        if not isinstance(value[key], list):
            yield f"{path}/{key}"
    control = value.get(CONTROL, [])
    if not isinstance(control, list) or any(not isinstance(item, str) or item not in _CONTROLS for item in control):
        yield f"{path}/{CONTROL}"
    for key in set(value) - named:
        yield from _faults(value[key], f"{path}/{key}")


def _apply(at: _Element, said: Any, id_: str) -> None:
    """Put what one policy says of an element into it."""
    if not isinstance(said, dict):
        said = {ASSIGN: said}
    at.policies.append(id_)
    if CONTROL in said:
        at.next &= frozenset().union(*(_CONTROLS[item] for item in said[CONTROL]))
    if ASSIGN in said and ASSIGN in at.allowed:
        at.value, at.wrong = said[ASSIGN], ""
    if APPEND in said and APPEND in at.allowed:
        _append(at, said[APPEND])
    if REMOVE in said and REMOVE in at.allowed and isinstance(at.value, list):
        at.value = [item for item in at.value if item not in said[REMOVE]]
    for key, inner in said.items():
        if key in OPERATORS or (key not in at.elements and not at.allowed):
            continue
        _apply(at.elements.setdefault(key, _Element()), inner, id_)


def _append(at: _Element, items: list[Any]) -> None:
    if at.value is None:
        at.value = []
    if isinstance(at.value, list):
        at.value = [*at.value, *(item for item in items if item not in at.value)]
    else:
        at.wrong = "Items are appended to a value that is not a list."


def _descend(at: _Element) -> None:
    """The next policies are children of those so far."""
    at.allowed = at.next
    for inner in at.elements.values():
        _descend(inner)


def _shown(at: _Element) -> Any:
    """The value of an element, or its elements that have any."""
    if not at.elements:
        return at.value
    shown = {key: _shown(inner) for key, inner in at.elements.items()}
    return {key: value for key, value in shown.items() if value is not None}


def _invalid(at: _Element, path: str) -> Iterator[Invalid]:
    if at.wrong:
        yield Invalid(path, at.wrong, tuple(dict.fromkeys(at.policies)))
    if at.elements and at.value is not None:
        yield Invalid(path, "An element has both a value and elements.", tuple(dict.fromkeys(at.policies)))
    for key, inner in at.elements.items():
        yield from _invalid(inner, f"{path}/{key}")

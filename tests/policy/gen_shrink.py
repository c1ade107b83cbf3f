"""Makes a failing case small: takes away documents, statements, conditions, values and keys while it still fails."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

Case = dict[str, Any]


def shrink(case: Case, fails: Callable[[Case], bool]) -> Case:
    """A smallest case, by single steps, of which `fails` still holds."""
    current = plain(case)
    moved = True
    while moved:
        moved = False
        for smaller in steps(current):
            if fails(smaller):
                current, moved = smaller, True
                break
    return current


def plain(case: Case) -> Case:
    """A copy that shares nothing, each document's statements a list."""
    copied = copy.deepcopy(case)
    for holder, key in documents(copied):
        statements = holder[key]["Statement"]
        holder[key]["Statement"] = statements if isinstance(statements, list) else [statements]
    return copied


def documents(case: Case) -> Iterator[tuple[Any, Any]]:
    """Every place that holds a document, as container and key."""
    if case.get("resource_policy"):
        yield case, "resource_policy"
    for layer in ("identity_policies", "permission_boundary", "session_policies"):
        yield from ((case[layer], index) for index in range(len(case.get(layer) or [])))
    for layer in ("scps", "rcps"):
        yield from ((level, index) for level in case.get(layer) or [] for index in range(len(level)))


def steps(case: Case) -> Iterator[Case]:
    """Every case that is one step smaller."""
    for layer in ("resource_policy", "permission_boundary", "session_policies", "scps", "rcps"):
        if case.get(layer) is not None:
            yield {**copy.deepcopy(case), layer: None}
    for key in case["request"]["context"]:
        smaller = copy.deepcopy(case)
        del smaller["request"]["context"][key]
        yield smaller
    for path in lists(case):
        for index in range(len(at(case, path))):
            smaller = copy.deepcopy(case)
            del at(smaller, path)[index]
            if at(smaller, path) or path[-1] in ("identity_policies", "scps", "rcps") or path[:1] == ["request"]:
                yield smaller
    for path in blocks(case):
        smaller = copy.deepcopy(case)
        holder = at(smaller, path[:-1])
        del holder[path[-1]]
        if path[-2] == "Condition" and not holder:
            continue
        yield smaller


def lists(value: Any, path: list[Any] | None = None) -> Iterator[list[Any]]:
    """The paths of all lists within."""
    path = path or []
    if isinstance(value, list):
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from lists(inner, [*path, key])


def blocks(value: Any, path: list[Any] | None = None) -> Iterator[list[Any]]:
    """The paths of Condition elements and of the operators in them."""
    path = path or []
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if key == "Condition" or (path and path[-1] == "Condition"):
            yield [*path, key]
        yield from blocks(inner, [*path, key])


def at(value: Any, path: list[Any]) -> Any:
    """What stands at a path."""
    for key in path:
        value = value[key]
    return value

"""Plans as JSON, to be kept or sent, and back.

    {"scopes": [pattern, ...], "condition": node, "longest": number}
    node     = true | false | {"all_of": [node, ...]} | {"some_of": [node, ...]} | {"negated": node}
             | {"arn_like": pattern} | {"arn_in": [text, ...]} | {"arn_is": {"parts": [text | {"tag", "default"?}, ...], "open_end"}}
             | {"tag_exists": key} | {"tag_like": {"key", "pattern"}} | {"tag_in": {"key", "texts", "ignoring_case"}}
    pattern  = [text | {"wildcard": "any" | "one" | "run" | "atom"}, ...]

What is read is checked as far as that it is a plan: whoever keeps one keeps it where nobody else writes.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from sekisho.policy.residual.nodes import All, ArnIn, ArnIs, ArnLike, Node, Not, Some, TagExists, TagIn, TagLike, TagText, Unsaid
from sekisho.policy.residual.planning import Plan
from sekisho.policy.residual.resources import MAX_ARN
from sekisho.policy.residual.shapes import Gap, Shape

MAX_DEPTH = 32
MAX_TEXT = 4 * 1024 * 1024
"""Characters of a plan."""


def to_json(plan: Plan) -> str:
    """The text of a plan."""
    scopes = [_pattern(scope) for scope in plan.scopes]
    return json.dumps({"scopes": scopes, "condition": _node(plan.condition), "longest": plan.longest}, separators=(",", ":"))


def from_json(text: str) -> Plan:
    """The plan of a text; ValueError for a text that is no plan."""
    if len(text) > MAX_TEXT:
        raise ValueError(f"a plan has at most {MAX_TEXT} characters")
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("the text is nested too deeply") from None
    members = _object(value, {"scopes", "condition", "longest"})
    scopes = tuple(_shape(one) for one in _list(members["scopes"]))
    if not scopes:
        _refuse("a plan without a scope")
    longest = members["longest"]
    if isinstance(longest, bool) or not isinstance(longest, int) or longest > MAX_ARN:
        _refuse(longest)
    return Plan(scopes, _read(members["condition"], 0), longest)


def _node(node: Node) -> Any:
    if isinstance(node, bool):
        return node
    if isinstance(node, (All, Some)):
        return {"all_of" if isinstance(node, All) else "some_of": [_node(child) for child in node.children]}
    if isinstance(node, Not):
        return {"negated": _node(node.child)}
    if isinstance(node, Unsaid):
        raise TypeError(node.reason)
    return _leaf(node)


def _leaf(node: ArnLike | ArnIn | ArnIs | TagExists | TagLike | TagIn) -> Any:
    if isinstance(node, ArnLike):
        return {"arn_like": _pattern(node.shape)}
    if isinstance(node, ArnIn):
        return {"arn_in": list(node.texts)}
    if isinstance(node, ArnIs):
        return {"arn_is": {"parts": [part if isinstance(part, str) else _tag_text(part) for part in node.parts], "open_end": node.open_end}}
    if isinstance(node, TagExists):
        return {"tag_exists": node.key}
    if isinstance(node, TagLike):
        return {"tag_like": {"key": node.key, "pattern": _pattern(node.shape)}}
    return {"tag_in": {"key": node.key, "texts": list(node.texts), "ignoring_case": node.ignoring_case}}


def _pattern(shape: Shape) -> list[Any]:
    return [part if isinstance(part, str) else {"wildcard": part.value} for part in shape]


def _tag_text(part: TagText) -> Any:
    return {"tag": part.key} if part.default is None else {"tag": part.key, "default": part.default}


def _read(value: Any, depth: int) -> Node:
    if isinstance(value, bool):
        return value
    if depth > MAX_DEPTH:
        _refuse("a condition that is nested too deeply")
    if not isinstance(value, dict) or len(value) != 1:
        _refuse(value)
    ((name, content),) = value.items()
    if name in ("all_of", "some_of"):
        children = tuple(_read(one, depth + 1) for one in _list(content))
        return All(children) if name == "all_of" else Some(children)
    if name == "negated":
        return Not(_read(content, depth + 1))
    if name not in _LEAVES:
        _refuse(value)
    return _LEAVES[name](content)


def _shape(value: Any) -> Shape:
    return tuple(one if isinstance(one, str) else Gap(_text(_object(one, {"wildcard"})["wildcard"])) for one in _list(value))


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(one) for one in _list(value))


def _arn_is(value: Any) -> Node:
    members = _object(value, {"parts", "open_end"})
    parts = tuple(one if isinstance(one, str) else _read_tag_text(one) for one in _list(members["parts"]))
    return ArnIs(parts, _flag(members["open_end"]))


def _read_tag_text(value: Any) -> TagText:
    members = _object(value, {"tag"}, frozenset(("default",)))
    return TagText(_text(members["tag"]), _text(members["default"]) if "default" in members else None)


def _tag_like(value: Any) -> Node:
    members = _object(value, {"key", "pattern"})
    return TagLike(_text(members["key"]), _shape(members["pattern"]))


def _tag_in(value: Any) -> Node:
    members = _object(value, {"key", "texts", "ignoring_case"})
    return TagIn(_text(members["key"]), _texts(members["texts"]), _flag(members["ignoring_case"]))


_LEAVES: Mapping[str, Callable[[Any], Node]] = {
    "arn_like": lambda value: ArnLike(_shape(value)),
    "arn_in": lambda value: ArnIn(_texts(value)),
    "arn_is": _arn_is,
    "tag_exists": lambda value: TagExists(_text(value)),
    "tag_like": _tag_like,
    "tag_in": _tag_in,
}


def _object(value: Any, needed: set[str], possible: frozenset[str] = frozenset()) -> dict[str, Any]:
    if not isinstance(value, dict) or not needed <= value.keys() or not value.keys() <= needed | possible:
        _refuse(value)
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        _refuse(value)
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        _refuse(value)
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        _refuse(value)
    return value


def _refuse(value: Any) -> NoReturn:
    raise ValueError(f"`{str(value)[:128]}` is not a part of a plan")

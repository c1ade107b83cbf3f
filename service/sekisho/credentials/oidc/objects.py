"""JSON of strangers: UTF-8, each key once in an object, numbers that are numbers, not deep. Source: RFC 8259 and RFC 7519, section 4"""

import json
import math
from typing import Any, NoReturn

from sekisho.errors import InvalidArgument

MAX_DEPTH = 32
"""Objects and lists within each other, the outermost counted."""


class NotAnObject(InvalidArgument):
    """The bytes are not one JSON object that reads the same to everybody."""


def read_object(text: bytes) -> dict[str, Any]:
    """The object, or NotAnObject. Its length is the caller's to bound."""
    try:
        found = json.loads(text.decode(), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
        if b"\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()  # a ValueError where half a character is left alone
    except (ValueError, RecursionError):
        raise NotAnObject("not JSON") from None
    if not isinstance(found, dict):
        raise NotAnObject("not an object")
    if _is_deep(found):
        raise NotAnObject(f"more than {MAX_DEPTH} objects and lists within each other")
    return found


def _is_deep(found: dict[str, Any]) -> bool:
    level: list[Any] = [found]
    for _ in range(MAX_DEPTH):
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotAnObject("a key stands twice in one object")
    return members


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise NotAnObject("a number is too large")
    return number


def _refuse(literal: str) -> NoReturn:
    raise NotAnObject(f"{literal} is not a JSON value")

"""JSON of strangers: UTF-8, each key once in an object, numbers that are numbers. Source: RFC 8259 and RFC 7519, section 4"""

import json
import math
from typing import Any, NoReturn

from sekisho.errors import InvalidArgument


class NotAnObject(InvalidArgument):
    """The bytes are not one JSON object that reads the same to everybody."""


def read_object(text: bytes) -> dict[str, Any]:
    """The object, or NotAnObject. Its length is the caller's to bound, and bounds its depth."""
    try:
        found = json.loads(text.decode(), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
        if b"\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()  # a ValueError where half a character is left alone
    except (ValueError, RecursionError):
        raise NotAnObject("not JSON") from None
    if not isinstance(found, dict):
        raise NotAnObject("not an object")
    return found


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

"""JSON as a policy document may use it: small, shallow, unambiguous.

Refused, each before it can cost anything: more than 131,072 characters, characters outside U+0009, U+000A, U+000D and U+0020-U+00FF,
more than 32 levels, a key twice in one object, NaN and Infinity, numbers of more than 40 characters, control characters and lone
surrogates written as escapes. Characters above U+00FF may be written as escapes: the limit is on the text that is sent.

Source of the characters and the length: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html
"""

import json
import re
from typing import NoReturn

from sekisho.policy import steps

MAX_TEXT = 131_072
MAX_DEPTH = 32
MAX_NUMBER = 40

Path = tuple[str | int, ...]

_FOREIGN = re.compile(r"[^\t\n\r\x20-\xff]")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_COUNTED = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[^\s"]+', re.DOTALL)
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)


class Number(str):
    """A JSON number, as the text that was written: a policy compares `10` and `"10"` alike, so nothing is gained by converting."""

    __slots__ = ()


class JsonError(Exception):
    """The text is not JSON of the permitted kind; `offset` is the character where that shows, where it is known."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


def decode(text: str, *, most: int = MAX_TEXT) -> object:
    """Turn the text into dicts, lists, strings, Numbers, booleans and None, or raise JsonError; `most` are its characters at most."""
    if len(text) > most:
        raise JsonError(f"the document has {len(text)} characters; at most {most} are allowed")
    if foreign := _FOREIGN.search(text):
        raise JsonError(f"character U+{ord(foreign[0]):04X} is not allowed", foreign.start())
    _require_shallow(text)
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_int=_number, parse_float=_number, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise JsonError(error.msg.lower(), error.pos) from None


def statement_offsets(text: str) -> tuple[int, ...]:
    """Where the `{` of each statement stands in a text that `decode` accepted: the value of the root's `Statement`, or its items."""
    offsets: list[int] = []
    depth, key, inside = 0, "", False
    for token in _TOKEN.finditer(text):
        mark = token[0][0]
        if mark == '"':
            if depth == 1:  # the last string before a bracket is the bracket's key
                key = token[0]
        elif mark in "[{":
            if depth == 1:
                inside = json.loads(key) == "Statement" if key else False
            if inside and mark == "{" and depth <= 2:
                steps.step()
                offsets.append(token.start())
            depth += 1
            if inside and depth == 2 and mark == "{":  # one statement without a list: objects within it are not statements
                inside = False
        else:
            depth -= 1
    return tuple(offsets)


def size(text: str) -> int:
    """How many characters of a document count for its quota: all but the white space outside strings."""
    return sum(len(part) for part in _COUNTED.findall(text))


def is_printable(text: str) -> bool:
    """Whether a decoded string has neither control characters (tab and line ends aside) nor lone surrogates."""
    return _UNPRINTABLE.search(text) is None


def _require_shallow(text: str) -> None:
    depth = 0
    for token in _TOKEN.finditer(text):
        mark = token[0][0]
        if mark in "[{":
            steps.step()
            depth += 1
            if depth > MAX_DEPTH:
                raise JsonError(f"more than {MAX_DEPTH} levels of nesting", token.start())
        elif mark in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    steps.step()
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise JsonError(f"key `{key}` stands twice in one object")
            seen.add(key)
    return members


def _number(literal: str) -> Number:
    if len(literal) > MAX_NUMBER:
        raise JsonError(f"a number has {len(literal)} characters; at most {MAX_NUMBER} are allowed")
    return Number(literal)


def _refuse_constant(literal: str) -> NoReturn:
    raise JsonError(f"`{literal}` is not a JSON value")

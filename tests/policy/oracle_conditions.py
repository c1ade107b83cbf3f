"""The oracle's condition operators.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.policy.oracle_patterns import ANY, Context, Pieces, read, regex

NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}


class UnknownOperatorError(Exception):
    """The policy names an operator that does not exist."""


def holds(operator: str, key: str, wanted: list[str], context: Context, variables: bool) -> bool:
    """Whether one operator over one key is satisfied.

    Absent keys: `…IfExists` and ForAllValues true, ForAnyValue false, otherwise a positive operator false and a negated one true.
    Several wanted values: any of them for a positive operator, none of them for a negated one.
    """
    quantifier, colon, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if colon and quantifier not in ("ForAllValues", "ForAnyValue"):
        raise UnknownOperatorError(operator)
    negated = name in NEGATED
    positive = NEGATED.get(name, name)
    values = context.values.get(key.lower(), [])
    if positive == "Null":
        return any(want == ("false" if values else "true") for want in map(str.lower, wanted))
    if positive not in POSITIVE:
        raise UnknownOperatorError(operator)
    compare = POSITIVE[positive]
    patterns: list[Pieces] = []
    for want in wanted:
        # "You can't use a policy variable with other operators, such as Numeric, Date, Boolean, Binary, IP Address, or Null"
        pieces = read(want, context, variables) if positive.startswith(("String", "Arn")) else (want,)
        if pieces is None:
            return False  # the whole statement does not match
        patterns.append(pieces)

    def test(value: str) -> bool:
        return any(compare(value, pattern) for pattern in patterns) != negated

    if not values:
        return if_exists or quantifier == "ForAllValues" or (negated and not quantifier)
    if quantifier == "ForAllValues":
        return all(test(value) for value in values)
    if quantifier == "ForAnyValue":
        return any(test(value) for value in values)
    return plain_over_many() if key.lower() in context.many else test(values[0])


def plain_over_many() -> bool:
    """A plain operator over a multivalued key: such keys "require a condition set operator", so the statement does not match."""
    return False


def pins_the_caller(condition: dict[str, Any]) -> bool:
    """Whether the block requires `aws:PrincipalArn` to be one of the listed ones: a positive operator that an absent key fails."""
    return any(
        operator.removeprefix("ForAnyValue:") in ("ArnEquals", "ArnLike", "StringEquals", "StringLike", "StringEqualsIgnoreCase")
        and any(key.lower() == "aws:principalarn" for key in block)
        for operator, block in condition.items()
    )


def literal(pattern: Pieces) -> str:
    """The pattern as written, for operators in which wildcards are ordinary characters."""
    return "".join(piece if isinstance(piece, str) else "*" if piece is ANY else "?" for piece in pattern)


def string_like(value: str, pattern: Pieces) -> bool:
    """Wildcards over the whole text, colons and slashes included."""
    return regex(pattern).fullmatch(value) is not None


def arn_like(value: str, pattern: Pieces) -> bool:
    """Six parts, each compared by itself; a pattern or a value of fewer parts matches nothing."""
    parts: list[list[object]] = [[]]
    for piece in pattern:
        if isinstance(piece, str):
            first, *rest = piece.split(":", 6 - len(parts))
            parts[-1].append(first)
            parts.extend([more] for more in rest)
        else:
            parts[-1].append(piece)
    segments = value.split(":", 5)
    return len(parts) == 6 == len(segments) and all(string_like(s, tuple(p)) for s, p in zip(segments, parts, strict=True))


def number(text: str) -> Decimal | None:
    """An integer or a decimal in ASCII digits."""
    return Decimal(text) if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text) else None


DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)


def date(text: str) -> Decimal | None:
    """Seconds since 1970 of an ISO 8601 date (W3C profile) or of epoch seconds."""
    if number(text) is not None:
        return number(text)
    found = DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        moment = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC)
    except ValueError:
        return None
    seconds = Decimal((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)) + Decimal(fraction or 0)
    if zone and zone != "Z":
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        if hours > 23 or minutes > 59:
            return None
        seconds -= Decimal(zone[0] + "1") * (hours * 3600 + minutes * 60)
    return seconds


def boolean(text: str) -> str | None:
    """`true` or `false`, whatever the case."""
    return text.lower() if text.lower() in ("true", "false") else None


def binary(text: str) -> bytes | None:
    """The bytes of a base64 text."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def in_network(value: str, pattern: Pieces) -> bool:
    """Whether the address lies in the range; host bits of the range are ignored, a bare address is a range of one."""
    wanted, slash, prefix = literal(pattern).partition("/")
    if "%" in value + wanted or (slash and not re.fullmatch(r"[0-9]{1,3}", prefix)):
        return False
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(wanted + slash + prefix, strict=False)
    except ValueError:
        return False


def ordered(parse: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Callable[[str, Pieces], bool]:
    """A comparison of parsed values; false when either side cannot be parsed."""

    def test(value: str, pattern: Pieces) -> bool:
        left, right = parse(value), parse(literal(pattern))
        return left is not None and right is not None and compare(left, right)

    return test


POSITIVE: dict[str, Callable[[str, Pieces], bool]] = {
    "StringEquals": lambda value, pattern: value == literal(pattern),
    "StringEqualsIgnoreCase": lambda value, pattern: value.lower() == literal(pattern).lower(),
    "StringLike": string_like,
    "ArnEquals": arn_like,
    "ArnLike": arn_like,
    "IpAddress": in_network,
    "Bool": ordered(boolean, lambda a, b: a == b),
    "BinaryEquals": ordered(binary, lambda a, b: a == b),
    "NumericEquals": ordered(number, lambda a, b: a == b),
    "NumericLessThan": ordered(number, lambda a, b: a < b),
    "NumericLessThanEquals": ordered(number, lambda a, b: a <= b),
    "NumericGreaterThan": ordered(number, lambda a, b: a > b),
    "NumericGreaterThanEquals": ordered(number, lambda a, b: a >= b),
    "DateEquals": ordered(date, lambda a, b: a == b),
    "DateLessThan": ordered(date, lambda a, b: a < b),
    "DateLessThanEquals": ordered(date, lambda a, b: a <= b),
    "DateGreaterThan": ordered(date, lambda a, b: a > b),
    "DateGreaterThanEquals": ordered(date, lambda a, b: a >= b),
}

"""The oracle's condition operators.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterable
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


Truth = bool | None  # None: cannot be told


def met(condition: dict[str, Any], context: Context, variables: bool) -> Truth:
    """Whether a Condition element is satisfied."""
    found: list[Truth] = []
    for operator, block in condition.items():
        for key, wanted in block.items():
            found.append(holds(operator, key, [text(value) for value in as_list(wanted)], context, variables))
    return conjunction(found)


def conjunction(parts: Iterable[Truth]) -> Truth:
    """False if any part is false, else unknown if any is unknown, else true."""
    seen = set(parts)
    return False if False in seen else None if None in seen else True


def negation(truth: Truth) -> Truth:
    """What cannot be told cannot be told negated."""
    return None if truth is None else not truth


def disjunction(parts: Iterable[Truth]) -> Truth:
    """True if any part is true, else unknown if any is unknown, else false."""
    return negation(conjunction(negation(part) for part in parts))


def split(operator: str) -> tuple[str, str, bool]:
    """Set operator, bare operator, and whether it is an IfExists."""
    quantifier, _, name = operator.rpartition(":")
    return quantifier, name.removesuffix("IfExists"), name.endswith("IfExists")


def takes_variables(operator: str) -> bool:
    """ "You can't use a policy variable with other operators, such as Numeric, Date, Boolean, Binary, IP Address, or Null"."""
    return split(operator)[1].startswith(("String", "Arn"))


def holds(operator: str, key: str, wanted: list[str], context: Context, variables: bool) -> Truth:
    """Whether one operator over one key is satisfied.

    Absent keys: `…IfExists` and ForAllValues true, ForAnyValue false, otherwise a positive operator false and a negated one true.
    Several wanted values: any of them for a positive operator, none of them for a negated one.
    """
    quantifier, name, if_exists = split(operator)
    negated = name in NEGATED
    positive = NEGATED.get(name, name)
    values = context.values.get(key.lower(), [])
    # ForAllValues "returns true if there are no keys in the request, or if the key values resolve to a null data set, such as an empty
    # string"; the page has such keys caught by a Null condition beside it.
    null = not values or values == [""]
    if name == "Null" and not if_exists and not quantifier:
        return disjunction({"true": null, "false": not null}.get(want.lower()) for want in wanted)
    if positive not in POSITIVE or quantifier not in ("", "ForAllValues", "ForAnyValue"):
        return None
    compare = POSITIVE[positive]
    patterns: list[Pieces] = [(want,) for want in wanted]
    if takes_variables(operator):
        # "There is no equal or like value": what has no value is left out, since no value of the request is equal to it or like it.
        patterns = [pieces for want in wanted if (pieces := read(want, context, variables)) is not None]

    def test(value: str) -> Truth:
        found = disjunction(compare(value, pattern) for pattern in patterns)
        return negation(found) if negated else found

    if null and quantifier == "ForAllValues":
        return True
    if not values:
        return if_exists or (negated and not quantifier)
    each = [test(value) for value in values]
    if quantifier == "ForAllValues":
        return conjunction(each)
    if quantifier == "ForAnyValue":
        return disjunction(each)
    if key.lower() in context.many:
        # "Multivalued context keys require a condition set operator": one that is missing cannot make true what it could not have made so.
        return False if disjunction(each) is False else None
    return each[0]


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


def arn_like(value: str, pattern: Pieces) -> Truth:
    """Six parts, each compared by itself; a pattern of fewer parts, or a value that is no ARN, cannot be compared."""
    parts: list[list[object]] = [[]]
    for piece in pattern:
        if isinstance(piece, str):
            first, *rest = piece.split(":", 6 - len(parts))
            parts[-1].append(first)
            parts.extend([more] for more in rest)
        else:
            parts[-1].append(piece)
    segments = value.split(":", 5)
    if len(parts) != 6 or len(segments) != 6 or segments[0] != "arn":
        return None
    return all(string_like(segment, tuple(part)) for segment, part in zip(segments, parts, strict=True))


NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")


def number(text: str) -> Decimal | None:
    """An integer or a decimal in ASCII digits, exactly; no more than 64 characters of it."""
    return Decimal(text) if len(text) <= 64 and NUMBER.fullmatch(text) else None


NUMERAL = re.compile(r"\d{1,2}", re.ASCII)
OFFSET = re.compile(r"([+-])(\d\d)(?::?(\d\d))?$|Z$", re.ASCII)


def date(text: str) -> Decimal | None:
    """Seconds since 1970 of an ISO 8601 date or of epoch seconds, of which four digits may be a year and sixteen no time.

    The parts of date and time may lack leading zeros, and those on the right may be left out, after a `T` all of them. Before a time a
    space is as good as the `T`.
    """
    if re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,9})?", text) and not re.fullmatch(r"[0-9]{4}", text):
        return Decimal(text)
    day_text, separator, time_text = re.sub(r" (?=[0-9])", "T", text.upper(), count=1).partition("T")
    shift = 0
    offset = OFFSET.search(time_text)
    if offset:
        time_text = time_text[: offset.start()]
        hours, minutes = int(offset[2] or 0), int(offset[3] or 0)
        if hours > 23 or minutes > 59:
            return None
        shift = (hours * 60 + minutes) * (-60 if offset[1] == "-" else 60)
    time_text, dot, fraction = time_text.partition(".")
    year, *rest = day_text.split("-")
    clock = time_text.split(":") if time_text else []
    if len(rest) > 2 or len(clock) > 3 or not re.fullmatch(r"[0-9]{1,4}", year) or not all(map(NUMERAL.fullmatch, [*rest, *clock])):
        return None
    if (not rest and not separator) or (dot and (len(clock) < 3 or not re.fullmatch(r"[0-9]{1,9}", fraction))):
        return None
    month, day = (int(part) for part in [*rest, "1", "1"][:2])
    hour, minute, second = (int(part) for part in [*clock, "0", "0", "0"][:3])
    try:
        moment = datetime(int(year), month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return Decimal((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) - shift) + Decimal(f"0.{fraction or 0}")


def boolean(text: str) -> str | None:
    """`true` or `false`, whatever the case."""
    return text.lower() if text.lower() in ("true", "false") else None


def binary(text: str) -> bytes | None:
    """The bytes of a base64 text."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def in_network(value: str, pattern: Pieces) -> Truth:
    """Whether the address lies in the range; host bits of the range are ignored, a bare address is a range of one."""
    wanted, slash, prefix = literal(pattern).partition("/")
    if "%" in value + wanted or (slash and not re.fullmatch(r"[0-9]{1,3}", prefix)):
        return None
    try:
        address, network = ipaddress.ip_address(value), ipaddress.ip_network(wanted + slash + prefix, strict=False)
    except ValueError:
        return None
    # `::ffff:10.0.0.1` is the address 10.0.0.1, so ranges of such addresses are ranges of IPv4, and other ranges of IPv6 have none of them.
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96 and network.network_address.ipv4_mapped:
        network = ipaddress.IPv4Network((int(network.network_address.ipv4_mapped), network.prefixlen - 96))
    return (getattr(address, "ipv4_mapped", None) or address) in network


def ordered(parse: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Callable[[str, Pieces], Truth]:
    """A comparison of parsed values; unknown when either side cannot be parsed."""

    def test(value: str, pattern: Pieces) -> Truth:
        left, right = parse(value), parse(literal(pattern))
        return None if left is None or right is None else compare(left, right)

    return test


POSITIVE: dict[str, Callable[[str, Pieces], Truth]] = {
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


def as_list(value: Any) -> list[Any]:
    """A scalar is a list of one."""
    return value if isinstance(value, list) else [value]


def text(value: Any) -> str:
    """A condition value as text: JSON numbers and booleans stand for their spelling."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)

"""Texts of numbers, dates, booleans, binary data, addresses and ARNs, as conditions compare them; None is a text that is none of the kind.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html,
https://www.w3.org/TR/NOTE-datetime
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from sekisho.policy import patterns
from sekisho.policy.patterns import Token

MAX_LENGTH = 64  # of a number, date or address: longer ones are not parsed

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")
_EPOCH = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?")
_DATE = re.compile(
    r"([0-9]{1,4})(?:-([0-9]{1,2}))?(?:-([0-9]{1,2}))?"
    r"(?:(?:[Tt]| (?=[0-9]))(?:([0-9]{1,2})(?::([0-9]{1,2}))?(?::([0-9]{1,2})(?:\.([0-9]{1,9}))?)?)?([Zz]|[+-][0-9]{2}(?::?[0-5][0-9])?)?)?"
)
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_IPV4 = 1 << 128
_ALL = (1 << 129) - 1


@lru_cache(maxsize=4096)
def number(text: str) -> Decimal | None:
    """A decimal number, exactly; no NaN, no infinity."""
    if len(text) > MAX_LENGTH or not _NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


@lru_cache(maxsize=4096)
def date(text: str) -> Decimal | None:
    """Seconds since 1970 of an ISO 8601 date or of epoch seconds; UTC where there is no offset.

    As AWS reads them in policies, parts may be left out from the right, and leading zeros: `01T` is the beginning of the year 1, and `+23`
    an offset of hours. Years have at most four digits, so that `20260101T00` is no date. Four digits could be a year or seconds: they are
    neither, so that nobody is let in by the wrong reading.
    """
    if len(text) > MAX_LENGTH:
        return None
    if _EPOCH.fullmatch(text):
        return None if len(text) == 4 and text.isdigit() else Decimal(text)
    found = _DATE.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        local = datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=_zone(offset)
        )
    except ValueError:
        return None
    whole = local - _UNIX
    return Decimal(whole.days * 86400 + whole.seconds) + Decimal(f"0.{fraction or 0}")


def _zone(offset: str | None) -> timezone:
    if offset is None or offset in "Zz":
        return UTC
    shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:].lstrip(":") or 0))
    return timezone(-shift if offset[0] == "-" else shift)


def boolean(text: str) -> bool | None:
    """`true` or `false`, in whatever case."""
    return {"true": True, "false": False}.get(text.lower()) if len(text) <= 5 else None


def binary(text: str) -> bytes | None:
    """The bytes of base64, padded."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


@lru_cache(maxsize=16384)
def address(text: str) -> int | None:
    """An IP address as a number; IPv4 has a bit of its own, so that no IPv6 range holds it. `::ffff:10.0.0.1` is 10.0.0.1."""
    if len(text) > MAX_LENGTH or "%" in text:
        return None
    try:
        found = int(ipaddress.ip_address(text))
    except ValueError:
        return None
    if ":" not in text:
        return _IPV4 | found
    return _IPV4 | found & 0xFFFFFFFF if found >> 32 == 0xFFFF else found


def network(text: str) -> tuple[int, int] | None:
    """A CIDR range as (address, mask) over the numbers of `address`; an address alone is a range of one, host bits are ignored."""
    base, slash, prefix = text.partition("/")
    first = address(base)
    width = 128 if ":" in base else 32
    if first is None or (slash and not (prefix.isascii() and prefix.isdigit() and len(prefix) <= 3 and int(prefix) <= width)):
        return None
    free = width - int(prefix) if slash else 0
    if free > 32 and first & _IPV4:  # wider than the IPv4 addresses, so a range of IPv6
        first = 0xFFFF << 32
    mask = _ALL >> free << free
    return first & mask, mask


def arn_segments(text: str) -> list[str] | None:
    """The six segments of an ARN; None of a text that is none."""
    segments = text.split(":", 5)
    return segments if len(segments) == 6 and segments[0] == "arn" else None


def arn_matcher(pattern: Sequence[Token]) -> Callable[[Sequence[str]], bool] | None:
    """What tells whether the segments of an ARN match, one by one; None when the pattern has not six."""
    segments = _segments(pattern)
    if segments is None:
        return None
    literals = [(i, patterns.text_of(segment)) for i, segment in enumerate(segments) if all(isinstance(token, str) for token in segment)]
    wild = [(i, patterns.matcher(segment)) for i, segment in enumerate(segments) if any(not isinstance(token, str) for token in segment)]

    def match(parts: Sequence[str]) -> bool:
        for i, literal in literals:
            if parts[i] != literal:
                return False
        for i, matches in wild:
            if not matches(parts[i]):
                return False
        return True

    return match


def _segments(pattern: Sequence[Token]) -> list[tuple[Token, ...]] | None:
    segments: list[list[Token]] = [[]]
    for token in pattern:
        if isinstance(token, str):
            first, *others = token.split(":", 6 - len(segments))
            segments[-1].append(first)
            segments.extend([other] for other in others)
        else:
            segments[-1].append(token)
    return [patterns.normal(segment) for segment in segments] if len(segments) == 6 else None

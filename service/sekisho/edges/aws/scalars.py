"""Scalars as text: times, blobs, numbers and booleans as AWS's protocols write them. A text that is none raises ValueError."""

import re
from base64 import b64decode, b64encode
from calendar import timegm
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from math import isfinite
from types import MappingProxyType
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:?[0-9]{2})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BOOLEANS = {"true": True, "false": False}


def integer(text: str) -> int:
    """A decimal integer."""
    if _INTEGER.fullmatch(text) is None:
        raise ValueError
    return int(text)


def number(text: str) -> float:
    """A decimal number; no infinity, no NaN."""
    if _NUMBER.fullmatch(text) is None or not isfinite(value := float(text)):
        raise ValueError
    return value


def boolean(text: str) -> bool:
    """`true` or `false`."""
    if text not in _BOOLEANS:
        raise ValueError
    return _BOOLEANS[text]


def blob(text: str) -> bytes:
    """Base64, with padding and nothing else."""
    return b64decode(text, validate=True)


def moment(text: str) -> Timestamp:
    """ISO 8601, or seconds since 1970."""
    found = _ISO.fullmatch(text)
    if found is None:
        return seconds(number(text))
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    whole = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    if zone != "Z":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
        try:
            whole = whole - offset if zone[0] == "+" else whole + offset
        except OverflowError:
            raise ValueError from None
    return Timestamp(seconds=timegm(whole.utctimetuple()), nanos=int((fraction or "").ljust(9, "0")))


def seconds(value: float) -> Timestamp:
    """Seconds since 1970, with a fraction perhaps."""
    made = Timestamp()
    try:
        made.FromDatetime(_EPOCH + timedelta(seconds=value))
    except OverflowError:
        raise ValueError from None
    return made


def http_date(text: str) -> Timestamp:
    """The date format of HTTP headers."""
    return seconds(parsedate_to_datetime(text).timestamp())


@lru_cache(maxsize=1024)
def iso(epoch: int) -> str:
    """Whole seconds since 1970 as ISO 8601 with Z; kept, for the entries of one list are often of the same second."""
    return (_EPOCH + timedelta(seconds=epoch)).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc822(epoch: int) -> str:
    """Whole seconds since 1970 as HTTP headers write them."""
    return format_datetime(_EPOCH + timedelta(seconds=epoch), usegmt=True)


def base64(data: bytes) -> str:
    """As text."""
    return b64encode(data).decode()


PARSERS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "string": str,
        "character": str,
        "integer": integer,
        "long": integer,
        "boolean": boolean,
        "double": number,
        "float": number,
        "blob": blob,
        "timestamp": moment,
    }
)
"""By botocore's type name: from text to what a field takes."""

_FORMATS: Mapping[str, Callable[[int], str]] = {"iso8601": iso, "rfc822": rfc822, "unixTimestamp": str}


def writer(kind: str, traits: Mapping[str, Any], default_time: str = "iso8601") -> Callable[[Any], str]:
    """From a field's value to text."""
    if kind == "timestamp":
        form = _FORMATS[traits.get("timestampFormat", default_time)]
        return lambda value: form(value.seconds)
    return _WRITERS[kind]


_WRITERS: Mapping[str, Callable[[Any], str]] = {
    "string": str,
    "character": str,
    "integer": str,
    "long": str,
    "boolean": lambda value: "true" if value else "false",
    "double": repr,
    "float": repr,
    "blob": base64,
}

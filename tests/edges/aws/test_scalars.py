"""Scalars as text: what is read, what is refused, and what is written."""

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from sekisho.edges.aws import scalars

READ: list[tuple[str, str, Any]] = [
    ("integer", "0", 0),
    ("integer", "-12", -12),
    ("long", "9223372036854775807", 2**63 - 1),
    ("double", "1.5", 1.5),
    ("double", "-2", -2.0),
    ("float", "1e3", 1000.0),
    ("float", "1.25E-2", 0.0125),
    ("boolean", "true", True),
    ("boolean", "false", False),
    ("blob", "AP8=", b"\x00\xff"),
    ("blob", "", b""),
    ("string", " a ", " a "),
    ("character", "c", "c"),
]


@pytest.mark.parametrize(("kind", "text", "value"), READ)
def test_text_is_read(kind: str, text: str, value: object) -> None:
    read = scalars.PARSERS[kind](text)
    assert (read, type(read)) == (value, type(value))


MOMENTS = [
    ("2026-01-02T03:04:05Z", 1_767_323_045, 0),
    ("2026-01-02T03:04:05.5Z", 1_767_323_045, 500_000_000),
    ("2026-01-02T03:04:05.123456789Z", 1_767_323_045, 123_456_789),
    ("2026-01-02T03:04:05.000000001Z", 1_767_323_045, 1),
    ("2026-01-02T03:04:05+00:00", 1_767_323_045, 0),
    ("2026-01-02T05:34:05+02:30", 1_767_323_045, 0),
    ("2026-01-02T05:34:05+0230", 1_767_323_045, 0),
    ("2026-01-01T16:04:05-11:00", 1_767_323_045, 0),
    ("2026-01-02T02:49:05-00:15", 1_767_323_045, 0),
    ("1767323045", 1_767_323_045, 0),
    ("1767323045.25", 1_767_323_045, 250_000_000),
    ("-1", -1, 0),
    ("0", 0, 0),
]


@pytest.mark.parametrize(("text", "seconds", "nanos"), MOMENTS)
def test_moment_is_read(text: str, seconds: int, nanos: int) -> None:
    assert scalars.PARSERS["timestamp"](text) == Timestamp(seconds=seconds, nanos=nanos)


REFUSED = [
    ("integer", ("", " 1", "1 ", "+1", "1.0", "0x1", "1_0", "\u0661", "12345678901234567890", "--1")),
    ("long", ("", "one")),
    ("double", ("", "nan", "inf", "-inf", "1.", ".5", "1e", "1_0", "1e999", "-1e999", "1e1000", " 1", "\u0661")),
    ("boolean", ("", "True", "TRUE", "1", "yes", " true")),
    ("blob", ("A", "AA=", "AA==\n", "A A==", "AA==AA==", "_-==")),
    ("timestamp", ("", "now", "2026-13-01T00:00:00Z", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04:05.Z", "1e300", "-1e300")),
    (
        "timestamp",
        (
            "2026-01-02T03:04:05+1",
            "2026-02-30T00:00:00Z",
            "2026-01-02T24:00:00Z",
            "nan",
            "0001-01-01T00:00:00+10:00",
            "9999-12-31T23:59:59-10:00",
        ),
    ),
]


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in REFUSED for text in texts])
def test_text_that_is_none_is_refused(kind: str, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whose text nobody reads
        scalars.PARSERS[kind](text)


def test_date_of_http() -> None:
    assert scalars.http_date("Sun, 06 Nov 1994 08:49:37 GMT") == Timestamp(seconds=784_111_777)
    assert scalars.rfc822(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT"
    for text in ("", "1994", "Sun, 99 Nov 1994 08:49:37 GMT"):
        with pytest.raises(ValueError):  # noqa: PT011
            scalars.http_date(text)


WRITTEN: list[tuple[str, dict[str, str], Any, str]] = [
    ("string", {}, "<é>", "<é>"),
    ("character", {}, "c", "c"),
    ("integer", {}, -5, "-5"),
    ("long", {}, 2**40, "1099511627776"),
    ("boolean", {}, True, "true"),
    ("boolean", {}, False, "false"),
    ("double", {}, 1.5, "1.5"),
    ("float", {}, 0.1, "0.1"),
    ("blob", {}, b"\x00\xff", "AP8="),
    ("timestamp", {}, Timestamp(seconds=1_767_323_045, nanos=5), "2026-01-02T03:04:05Z"),
    ("timestamp", {"timestampFormat": "iso8601"}, Timestamp(seconds=0), "1970-01-01T00:00:00Z"),
    ("timestamp", {"timestampFormat": "rfc822"}, Timestamp(seconds=784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT"),
    ("timestamp", {"timestampFormat": "unixTimestamp"}, Timestamp(seconds=7), "7"),
]


@pytest.mark.parametrize(("kind", "traits", "value", "text"), WRITTEN)
def test_value_is_written(kind: str, traits: dict[str, str], value: object, text: str) -> None:
    assert scalars.writer(kind, traits)(value) == text


def test_a_protocol_has_a_format_of_its_own_for_times() -> None:
    assert scalars.writer("timestamp", {}, "rfc822")(Timestamp(seconds=0)) == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert scalars.writer("timestamp", {"timestampFormat": "iso8601"}, "rfc822")(Timestamp(seconds=0)) == "1970-01-01T00:00:00Z"

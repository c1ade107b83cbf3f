"""The head of a call: what of its fields is the call's, and what is no call of gRPC."""

import pytest

from sekisho.edges.grpc.lean.heads import Malformed, head
from sekisho.edges.grpc.lean.hpack import Field

PSEUDO: tuple[Field, ...] = ((":method", "POST"), (":scheme", "http"), (":path", "/a.B/C"), (":authority", "here"))
OWN: tuple[Field, ...] = (("te", "trailers"), ("content-type", "application/grpc"))


def test_all_of_a_head() -> None:
    """What is gRPC's own is no metadata; the rest is, in its order, and as often as it comes."""
    found = head(
        (
            *PSEUDO,
            *OWN,
            ("b", "1"),
            ("grpc-timeout", "20S"),
            ("grpc-encoding", "gzip"),
            ("grpc-accept-encoding", "identity"),
            ("grpc-previous-rpc-attempts", "1"),
            ("a_0-9.z", ""),
            ("b", " ~"),
        )
    )
    assert found == ("/a.B/C", (("b", "1"), ("a_0-9.z", ""), ("b", " ~")), 20.0, "gzip", "")


def test_as_little_as_there_has_to_be() -> None:
    assert head((*PSEUDO[:3], *OWN)) == ("/a.B/C", (), None, "", "")


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("2H", 7200.0), ("3M", 180.0), ("4S", 4.0), ("5m", 0.005), ("6u", 0.000006), ("7n", 7e-9), ("0S", 0.0), ("99999999S", 99_999_999.0),
    ],
)  # fmt: skip
def test_deadlines(said: str, seconds: float) -> None:
    assert head((*PSEUDO, *OWN, ("grpc-timeout", said))).seconds == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (("content-type", "application/grpc"), ""),
        (("content-type", "application/grpc+proto"), ""),
        (("content-type", "application/json"), "415"),
        (("content-type", "x/application/grpc"), "415"),
        (("x-content-type", "application/grpc"), "415"),
    ],
)
def test_another_kind_of_content_is_answered_by_http(kind: Field, status: str) -> None:
    assert head((*PSEUDO, OWN[0], kind)).http_status == status


@pytest.mark.parametrize(
    ("said", "value"),
    [("", b""), ("YQ", b"a"), ("YQ==", b"a"), ("YWI", b"ab"), ("YWI=", b"ab"), ("YWJj", b"abc"), ("+/+/", b"\xfb\xff\xbf")],
)
def test_binary_metadata_with_and_without_padding(said: str, value: bytes) -> None:
    assert head((*PSEUDO, *OWN, ("x-bin", said))).metadata == (("x-bin", value),)


MALFORMED: dict[str, tuple[Field, ...]] = {
    "another method": ((":method", "GET"), *PSEUDO[1:], *OWN),
    "no method": (*PSEUDO[1:], *OWN),
    "no scheme": (PSEUDO[0], *PSEUDO[2:], *OWN),
    "no path": (*PSEUDO[:2], *OWN),
    "an empty path": (*PSEUDO[:2], (":path", ""), *OWN),
    "no te": (*PSEUDO, OWN[1]),
    "another te": (*PSEUDO, ("te", "gzip"), OWN[1]),
    "a pseudo field twice": (*PSEUDO, PSEUDO[3], *OWN),
    "a pseudo field that nobody knows": (*PSEUDO, (":status", "200"), *OWN),
    "a pseudo field behind metadata": (*PSEUDO[:3], ("a", "b"), PSEUDO[3], *OWN),
    "a pseudo field behind gRPC's own": (*PSEUDO[:3], *OWN, PSEUDO[3]),
    "a field of gRPC twice": (*PSEUDO, *OWN, OWN[0]),
    "no name": (*PSEUDO, *OWN, ("", "x")),
    "a name in capitals": (*PSEUDO, *OWN, ("aB", "x")),
    "a name with a space": (*PSEUDO, *OWN, ("a b", "x")),
    "a value with a line break": (*PSEUDO, *OWN, ("a", "x\r\ny")),
    "a value with a zero": (*PSEUDO, *OWN, ("a", "x\0")),
    "a value that is not ASCII": (*PSEUDO, *OWN, ("a", "\xe4")),
    "binary with other characters": (*PSEUDO, *OWN, ("a-bin", "YW-j")),
    "binary that ends too early": (*PSEUDO, *OWN, ("a-bin", "YWJjY")),
    "a deadline of nine digits": (*PSEUDO, *OWN, ("grpc-timeout", "123456789S")),
    "a deadline without digits": (*PSEUDO, *OWN, ("grpc-timeout", "S")),
    "an empty deadline": (*PSEUDO, *OWN, ("grpc-timeout", "")),
    "a deadline without a unit": (*PSEUDO, *OWN, ("grpc-timeout", "12")),
    "a deadline below nothing": (*PSEUDO, *OWN, ("grpc-timeout", "-1S")),
    "a deadline with a point": (*PSEUDO, *OWN, ("grpc-timeout", "1.5S")),
    "a deadline in other digits": (*PSEUDO, *OWN, ("grpc-timeout", "٣S")),
    **{
        f"{name}, which is a connection's": (*PSEUDO, *OWN, (name, "x"))
        for name in ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade")
    },
}


@pytest.mark.parametrize("case", MALFORMED)
def test_no_call_of_grpc(case: str) -> None:
    with pytest.raises(Malformed):
        head(MALFORMED[case])

"""The same calls on the listener of grpcio and on the lean one: each ends as is written here, whichever way it took."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from tests.edges.grpc import frames
from tests.edges.grpc.ways import (
    BESIDE,
    CLIENT,
    PATIENCE,
    POLLED,
    Lean,
    Ways,
    ended,
    framed,
    heard,
    leanly,
    opening,
    said,
    stock,
    sync,
    until,
    whole,
)

NOT_ONE = f'"{POLLED}" requires exactly one request message.'


@pytest.fixture(scope="module", params=[stock, leanly])
def ways(request: pytest.FixtureRequest) -> Iterator[Ways]:
    with request.param() as made:
        yield made


@pytest.fixture(scope="module")
def channel(ways: Ways) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(ways.endpoint, CLIENT) as made:
        yield made


Case = tuple[Callable[[grpc.Channel], list[Any]], list[Any]]
GZIP, DEFLATE = grpc.Compression.Gzip, grpc.Compression.Deflate


def many(channel: grpc.Channel, kind: str, messages: Any) -> list[Any]:
    """A call of another kind than the method's."""
    try:
        answer = getattr(channel, kind)(POLLED, None, None)(messages, timeout=PATIENCE)
        return ["OK", answer.decode() if isinstance(answer, bytes) else [one.decode() for one in answer]]
    except grpc.RpcError as error:
        return ended(error)[:2]


PLAIN = {"security_level": ["TSI_SECURITY_NONE"], "transport_security_type": ["insecure"]}
CALLS: dict[str, Case] = {
    "an echo": (lambda c: said(c, b"hello"), ["OK", "hello", {}]),
    "an empty message": (lambda c: said(c, b""), ["OK", "", {}]),
    "one that has to wait": (lambda c: said(c, b"cold:later"), ["OK", "later", {}]),
    "the method beside": (lambda c: said(c, b"hello", path=BESIDE), ["OK", "hello", {}]),
    "an exception": (lambda c: said(c, b"fail:"), ["UNKNOWN", "Exception calling application: boom", {}]),
    "an error": (
        lambda c: said(c, b"deny:not you"),
        ["PERMISSION_DENIED", "not you", {"grpc-status-details-bin": "122 bytes", "sekisho-request-id": "r-1"}],
    ),
    "an error in other letters": (
        lambda c: said(c, "deny:nein – no".encode()),
        ["PERMISSION_DENIED", "nein – no", {"grpc-status-details-bin": "126 bytes", "sekisho-request-id": "r-1"}],
    ),
    "an error as long as fits": (
        lambda c: [*said(c, b"deny:" + b"x" * 9000)[:1], len(said(c, b"deny:" + b"x" * 9000)[1])],
        ["PERMISSION_DENIED", 2781],
    ),
    "trailing metadata": (
        lambda c: said(c, b"trailing:42"), ["OK", "42", {"sekisho-revision": "42", "sekisho-request-id": "r-2"}],
    ),
    "trailing metadata that cannot be sent": (lambda c: said(c, b"trailing:\n", timeout=1.0)[:1], ["INTERNAL"]),
    "metadata, twice and binary": (
        lambda c: said(c, b"metadata:", metadata=(("a", "1"), ("a", "2"), ("b-bin", b"\0\1"), ("authorization", "x"))),
        ["OK", '[["a", "1"], ["a", "2"], ["b-bin", "0001"], ["authorization", "x"]]', {}],
    ),
    "metadata that is too large": (lambda c: said(c, b"metadata:", metadata=(("a", "x" * 20_000),))[:1], ["RESOURCE_EXHAUSTED"]),
    "the peer": (lambda c: said(c, b"peer:"), ["OK", '["ipv4:127.0.0.1", ' + str(PLAIN).replace("'", '"') + ", true]", {}]),
    "the peer without a deadline": (
        lambda c: said(c, b"peer:", timeout=None), ["OK", '["ipv4:127.0.0.1", ' + str(PLAIN).replace("'", '"') + ", false]", {}],
    ),
    "a message of the thread's size": (lambda c: said(c, b"length:" + b"x" * 16_377), ["OK", "16384", {}]),
    "a message of a byte more": (lambda c: said(c, b"length:" + b"x" * 16_378), ["OK", "16385", {}]),
    "a message of a megabyte": (lambda c: said(c, b"length:" + b"x" * 1_000_000), ["OK", "1000007", {}]),
    "a message of the largest size": (lambda c: said(c, b"length:" + b"x" * (1_310_720 - 7)), ["OK", "1310720", {}]),
    "a message that is too large": (
        lambda c: said(c, b"length:" + b"x" * 1_310_720)[:2],
        ["RESOURCE_EXHAUSTED", "SERVER: Received message larger than max (1310727 vs. 1310720)"],
    ),
    "an answer of four megabytes": (lambda c: [len(said(c, b"big:4194304")[1])], [4_194_304]),
    "an answer that is too large": (lambda c: said(c, b"big:4194305")[:1], ["RESOURCE_EXHAUSTED"]),
    "a gzipped message": (lambda c: said(c, b"length:" + b"z" * 2000, compression=GZIP), ["OK", "2007", {}]),
    "a deflated message": (lambda c: said(c, b"length:" + b"z" * 2000, compression=DEFLATE), ["OK", "2007", {}]),
    "a gzipped message that becomes too large": (
        lambda c: said(c, b"length:" + b"\0" * (6 << 20), compression=GZIP)[:1], ["RESOURCE_EXHAUSTED"],
    ),
    "a method that there is not": (lambda c: said(c, b"x", path="/test.Ways/None"), ["UNIMPLEMENTED", "Method not found!", {}]),
    "a service that there is not": (lambda c: said(c, b"x", path="/test.None/Polled"), ["UNIMPLEMENTED", "Method not found!", {}]),
    "a path in other letters": (lambda c: said(c, b"x", path="/test.Ways/polled"), ["UNIMPLEMENTED", "Method not found!", {}]),
    "a path with a slash more": (lambda c: said(c, b"x", path=POLLED + "/"), ["UNIMPLEMENTED", "Method not found!", {}]),
    "a path with a query": (lambda c: said(c, b"x", path=POLLED + "?x=1"), ["UNIMPLEMENTED", "Method not found!", {}]),
    "asked for a stream of answers": (lambda c: many(c, "unary_stream", b"hello"), ["OK", ["hello"]]),
    "a stream of three messages": (lambda c: many(c, "stream_stream", iter([b"a", b"b", b"c"])), ["OK", ["a"]]),
    "two messages": (lambda c: many(c, "stream_unary", iter([b"a", b"b"])), ["OK", "a"]),
    "no message": (lambda c: many(c, "stream_unary", iter(())), ["UNIMPLEMENTED", NOT_ONE]),
    "a deadline in a while": (lambda c: said(c, b"wait:", timeout=0.1)[:1], ["DEADLINE_EXCEEDED"]),
}  # fmt: skip


UNSUPPORTED = f"HTTP {frames.literal(b':status', b'415')!r}"
LEAN: dict[str, Any] = {
    "the peer": ["OK", '["ipv4:127.0.0.1", {"transport_security_type": ["insecure"]}, true]', {}],
    "the peer without a deadline": ["OK", '["ipv4:127.0.0.1", {"transport_security_type": ["insecure"]}, false]', {}],
    "a message that is too large": ["RESOURCE_EXHAUSTED", "a message has at most 1310720 bytes"],
    "a stream of three messages": ["UNIMPLEMENTED", NOT_ONE],
    "two messages": ["UNIMPLEMENTED", NOT_ONE],
    "another content type": UNSUPPORTED,
    "no content type": UNSUPPORTED,
    "broken gzip": "13 the message cannot be unpacked",
    "an encoding that nobody has": "12 nobody here unpacks `br`",
    "flags that nobody knows": "13 Compression bit set but no encoding configured",
    "two messages in a frame": f"12 {NOT_ONE}",
    "a deadline that is none": "RESET",
    "a length of four gigabytes": "8 a message has at most 1310720 bytes",
}
"""Where the lean listener answers otherwise: it is told less by TLS, and takes nothing for a call that gRPC does not call one."""


@pytest.mark.parametrize("case", CALLS)
def test_a_call_of_a_library(ways: Ways, channel: grpc.Channel, case: str) -> None:
    call, expected = CALLS[case]
    assert call(channel) == (LEAN.get(case, expected) if isinstance(ways, Lean) else expected)


def rest(ways: Ways) -> None:
    """Wait until no call is open."""
    until(lambda: not ways.budget.taken and not (isinstance(ways, Lean) and ways.port._line.waiting), "something is left of calls")


def bare(*pairs: tuple[bytes, bytes]) -> bytes:
    """A header frame with these headers alone."""
    return frames.headers(1, b"".join(frames.literal(name, value) for name, value in pairs))


HEAD = ((b":method", b"POST"), (b":scheme", b"http"), (b":path", POLLED.encode()), (b":authority", b"x"))
GRPC = (b"content-type", b"application/grpc")
NO_TE, TE = (*HEAD, GRPC), (*HEAD, (b"te", b"trailers"))
SMALL = tuple(frames.data(1, frames.message(b"hello")[at : at + 1]) for at in range(10))
FRAMES: dict[str, tuple[tuple[bytes, ...], str]] = {
    "a call": ((opening(), whole(b"hello")), "0"),
    "a message in pieces": ((opening(), *SMALL, frames.data(1, b"", flags=1)), "0"),
    "no te": ((bare(*NO_TE), whole(b"hello")), "RESET"),
    "another content type": ((bare(*TE, (b"content-type", b"application/json")), whole(b"hello")), "0"),
    "a content type of gRPC's kind": ((bare(*TE, (b"content-type", b"application/grpc+json")), whole(b"hello")), "0"),
    "no content type": ((bare(*TE), whole(b"hello")), "0"),
    "a GET": ((bare((b":method", b"GET"), *HEAD[1:], GRPC), whole(b"hello")), "RESET"),
    "the end within the headers": ((opening(flags=frames.END_STREAM),), f"12 {NOT_ONE}"),
    "a message that is cut off": ((opening(), frames.data(1, frames.message(b"short", length=100), flags=1)), f"12 {NOT_ONE}"),
    "compressed without a way to": (
        (opening(), frames.data(1, b"\1\0\0\0\5hello", flags=1)), "13 Compression bit set but no encoding configured",
    ),
    "broken gzip": (
        (opening(headers=((b"grpc-encoding", b"gzip"),)), frames.data(1, b"\1\0\0\0\5hello", flags=1)),
        "13 Decompression failed due to zlib error",
    ),
    "an encoding that nobody has": (
        (opening(headers=((b"grpc-encoding", b"br"),)), frames.data(1, b"\1\0\0\0\1x", flags=1)),
        "13 Error parsing 'grpc-encoding' metadata",
    ),
    "flags that nobody knows": ((opening(), frames.data(1, b"\7\0\0\0\3abc", flags=1)), "0"),
    "two messages in a frame": ((opening(), frames.data(1, frames.message(b"one") * 2, flags=1)), "0"),
    "a deadline that has passed": ((opening(headers=((b"grpc-timeout", b"0n"),)), whole(b"hello")), "4 Deadline Exceeded"),
    "a deadline that is none": (
        (opening(headers=((b"grpc-timeout", b"soon"),)), whole(b"hello")), "13 Error parsing 'grpc-timeout' metadata",
    ),
    "a length of four gigabytes": (
        (opening(), frames.data(1, frames.message(b"x", length=2**32 - 1))),
        "8 SERVER: Received message larger than max (4294967295 vs. 1310720)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FRAMES)
def test_a_call_in_frames(ways: Ways, case: str) -> None:
    sent, expected = FRAMES[case]
    assert framed(ways.endpoint, *sent) == (LEAN.get(case, expected) if isinstance(ways, Lean) else expected)


def test_a_deadline_between_headers_and_message(ways: Ways) -> None:
    with frames.Peer(ways.endpoint) as peer:
        peer.send(opening(headers=((b"grpc-timeout", b"100m"),)))
        assert heard(peer, 1).startswith("4")


def test_a_message_that_comes_late_is_answered(ways: Ways) -> None:
    with frames.Peer(ways.endpoint) as peer:
        peer.send(opening())
        sync(peer)
        time.sleep(0.2)
        peer.send(whole(b"hello"))
        assert heard(peer, 1) == "0"


def test_a_call_that_is_cancelled(ways: Ways, channel: grpc.Channel) -> None:
    ways.gate.clear()
    call: Any = channel.unary_unary(POLLED, None, None).future(b"wait:")
    assert ways.entered.acquire(timeout=PATIENCE)
    call.cancel()
    assert call.code() is grpc.StatusCode.CANCELLED
    ways.gate.set()
    assert said(channel, b"hello")[0] == "OK"


def test_streams_that_are_reset(ways: Ways) -> None:
    """Before their message, after it, and while the handler is at it; the connection goes on."""
    with frames.Peer(ways.endpoint) as peer:
        for index in range(90):
            stream = 2 * index + 1
            peer.send(frames.headers(stream, frames.opening(POLLED)))
            if index % 3:
                peer.send(frames.data(stream, frames.message((b"hello", b"cold:hello")[index % 2]), flags=frames.END_STREAM))
            peer.send(frames.frame(frames.RESET, 0, stream, b"\0\0\0\x08"))
        sync(peer)
        peer.send(frames.headers(301, frames.opening(POLLED)), frames.data(301, frames.message(b"hello"), flags=frames.END_STREAM))
        assert heard(peer, 301) == "0"


def test_connections_that_are_cut(ways: Ways, channel: grpc.Channel) -> None:
    for index in range(50):
        peer = frames.Peer(ways.endpoint)
        peer.send(*(frames.headers(2 * number + 1, frames.opening(POLLED)) for number in range(5)))
        sync(peer)  # else they might come when the next test has begun, and be too many of one address
        peer.send(*(frames.data(2 * number + 1, frames.message(b"cold:hello"), flags=1) for number in range(index % 5)))
        peer.__exit__(None, None, None)
    limit = time.monotonic() + PATIENCE
    while said(channel, b"hello") != ["OK", "hello", {}]:
        assert time.monotonic() < limit
        time.sleep(0.02)
    rest(ways)


def test_a_burst_is_answered_whole(ways: Ways) -> None:
    """Of more calls than may wait for their message at once."""
    with grpc.insecure_channel(ways.endpoint, CLIENT) as first, grpc.insecure_channel(ways.endpoint, (*CLIENT, ("one", 1))) as second:
        methods = [one.unary_unary(POLLED, None, None) for one in (first, second)]
        bodies = [(b"hello %d" if number % 5 else b"cold:%d") % number for number in range(40)]
        futures = [methods[number % 2].future(body, timeout=PATIENCE) for number, body in enumerate(bodies)]
        assert [future.result() for future in futures] == [body.removeprefix(b"cold:") for body in bodies]


@pytest.mark.parametrize("word", [b"hello", b"cold:hello", b"wait:"])
def test_nothing_is_left_of_calls(ways: Ways, channel: grpc.Channel, word: bytes) -> None:
    ways.gate.set()
    for _ in range(20):
        assert said(channel, word)[0] == "OK"
    rest(ways)


def test_threads_that_answer(ways: Ways, channel: grpc.Channel) -> None:
    """That the lean listener's own is what the cases above go through."""
    ways.answered_by.clear()
    for body in (b"hello", b"cold:hello"):
        said(channel, body)
    assert ways.answered_by == (["grpc-lean", "grpc-lean", "ways"] if isinstance(ways, Lean) else ["ways", "ways"])
    assert threading.active_count() < 60

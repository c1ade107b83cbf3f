"""Metadata is bounded as a whole, frame by frame (RFC 9113): by gRPC once a connection has acknowledged our settings, before that by us."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from sekisho.edges.grpc import server, sizes
from tests.edges.grpc import frames
from tests.edges.grpc.echo import METHOD, Echo
from tests.edges.grpc.frames import Peer

OPENING = frames.opening(METHOD)
TOO_LARGE = b"the metadata of a call has at most 64 entries and 16384 bytes"


@pytest.fixture
def echo() -> Iterator[Echo]:
    """A new one for each test."""
    with ExitStack() as stack:
        yield Echo(stack)


def settled(echo: Echo) -> Peer:
    """A connection that has acknowledged the server's settings, and knows that the server has heard of it."""
    peer = Peer(echo.endpoint)
    peer.settings()
    peer.send(frames.frame(frames.PING, 0, 0, b"12345678"))
    while peer.receive()[:2] != (frames.PING, frames.ACK):
        pass
    return peer


def asked(peer: Peer, block: bytes, stream: int = 1) -> bytes:
    """How a call with these headers ends."""
    peer.send(frames.headers(stream, OPENING + block), frames.data(stream, frames.message(b"hello"), flags=frames.END_STREAM))
    return peer.ended(stream)


def never(name: bytes, value: bytes) -> bytes:
    """A header that is written out, and that no proxy may put into a table."""
    return b"\x10" + frames.literal(name, value)[1:]


BLOCKS: dict[str, bytes] = {
    "one_value_of_20_kb": frames.literal(b"a", b"b" * 20_000),
    "a_thousand_of_a_hundred_bytes": frames.literal(b"a", b"b" * 100) * 1000,
    "sixteen_thousand_of_one_byte": frames.literal(b"a", b"b") * 16_001,
    "never_indexed": never(b"a", b"b" * 100) * 1000,
    "put_into_the_table_again_and_again": frames.literal(b"a", b"b" * 100, kept=True) * 1000,
    "names_by_index": frames.literal(b"a", b"b", kept=True) + (b"\x0f\x2f" + frames.number(100, 7) + b"b" * 100) * 1000,
    "a_byte_each_from_the_table": frames.literal(b"a", b"b", kept=True) + frames.newest(1000),
    "a_byte_each_from_the_standard_table": b"\x90" * 1000,
    "five_hundred_names": b"".join(frames.literal(b"x%d" % index, b"") for index in range(500)),
    "nine_megabytes": frames.literal(b"a", b"b" * 1000) * 9000,
}


SIXTY_FIVE = frames.literal(b"a", b"") * 65
"""Not too large for gRPC."""


@pytest.mark.parametrize("name", BLOCKS)
def test_a_connection_that_settled_is_refused_by_grpc(echo: Echo, name: str) -> None:
    with settled(echo) as peer:
        said = asked(peer, BLOCKS[name])
        assert b"grpc-status\x018" in said
        assert TOO_LARGE not in said
        assert b"grpc-status\x010" in asked(peer, b"", 3)
    assert echo.said == [b"hello"]


@pytest.mark.parametrize("name", BLOCKS)
def test_a_connection_that_did_not_settle_is_refused_by_us(echo: Echo, name: str) -> None:
    with Peer(echo.endpoint, settles=False) as peer:
        assert b"grpc-status\x018" in asked(peer, BLOCKS[name])  # by gRPC itself now and then, by chance
        assert b"grpc-status\x010" in asked(peer, b"", 3)
    assert echo.said == [b"hello"]


def test_too_many_entries_are_refused_on_any_connection(echo: Echo) -> None:
    with settled(echo) as peer:
        assert TOO_LARGE in asked(peer, SIXTY_FIVE)
        assert b"grpc-status\x010" in asked(peer, SIXTY_FIVE[: len(SIXTY_FIVE) // 65 * 60], 3)  # with those that gRPC itself adds
    assert echo.said == [b"hello"]


def test_no_message_of_a_refused_call_is_asked_for(echo: Echo) -> None:
    with Peer(echo.endpoint, settles=False) as peer:
        peer.send(frames.headers(1, OPENING + SIXTY_FIVE))  # and no more
        assert TOO_LARGE in peer.ended(1)
    assert echo.budget.taken == 0


def test_a_connection_that_does_not_settle_is_closed() -> None:
    assert dict(server.OPTIONS)["grpc.http2.settings_timeout"] == 5000
    with ExitStack() as stack:
        echo = Echo(stack, {"grpc.http2.settings_timeout": 500})
        with Peer(echo.endpoint, settles=False) as peer, settled(echo) as other:
            assert b"settings_timeout" in peer.ended(1)
            with pytest.raises(EOFError):
                peer.receive()
            assert b"grpc-status\x010" in asked(other, b"")


def test_a_connection_beyond_the_last_is_closed() -> None:
    assert dict(server.OPTIONS)["grpc.max_allowed_incoming_connections"] == 10_000
    with ExitStack() as stack:
        echo = Echo(stack, {"grpc.max_allowed_incoming_connections": 3})
        peers = [stack.enter_context(settled(echo)) for _ in range(3)]
        with pytest.raises((EOFError, ConnectionError)):
            settled(echo)
        assert [b"grpc-status\x010" in asked(peer, b"") for peer in peers] == [True, True, True]
        peers[0].__exit__(None, None, None)
        while True:  # gRPC hears of it a moment later
            try:
                last = settled(echo)
            except (EOFError, ConnectionError):
                continue
            break
        assert b"grpc-status\x010" in asked(stack.enter_context(last), b"")


@pytest.mark.parametrize(
    ("metadata", "fits"),
    [
        ([("a", "b")] * 64, True),
        ([("a", "b")] * 65, False),
        ([("a", "b" * 16_351)], True),
        ([("a", "b" * 16_352)], False),
        ([("a-bin", b"b" * 8_155), ("b-bin", b"b" * 8_155)], True),
        ([("a-bin", b"b" * 8_155), ("b-bin", b"b" * 8_156)], False),
        ([], True),
    ],
)
def test_what_metadata_may_be(metadata: list[tuple[str, str | bytes]], fits: bool) -> None:
    if fits:
        sizes.check_metadata(metadata)
    else:
        with pytest.raises(sizes.MetadataTooLarge):
            sizes.check_metadata(metadata)

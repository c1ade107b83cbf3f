"""What a client sets for its connection. Source: RFC 9113, 6.5."""

from collections.abc import Iterator

from sekisho.edges.grpc.lean import frames
from sekisho.edges.grpc.lean.stream import Ended


def windows(payload: bytes) -> Iterator[int]:
    """The windows that streams are to begin with, in their order; Ended where a setting has no such value."""
    if len(payload) % 6:
        raise Ended(frames.SIZE, "settings of another size")
    for name, value in frames.read_settings(payload):
        if name == frames.INITIAL:
            if value > frames.MOST_WINDOW:
                raise Ended(frames.FLOW, "a window is too large")
            yield value
        elif (name == frames.FRAME and not frames.LENGTH <= value < 1 << 24) or (name == frames.ENABLE_PUSH and value > 1):
            raise Ended(frames.PROTOCOL, "a setting has no such value")


def shrinks(payload: bytes) -> bool:
    """True where the client wants a smaller table of header fields than all have."""
    return any(name == frames.TABLE and value < frames.TABLE_SIZE for name, value in frames.read_settings(payload))

"""The time that clients have for what they do, and the end of their connections."""

from collections.abc import Iterator

from sekisho.edges.grpc.lean.peers import Gone, Peer
from sekisho.edges.grpc.lean.stream import Stream

PATIENCE = 10.0
"""Seconds that a client has to begin, to send all of a message or a frame, to take what was sent, and to go."""
TAKING = 30.0
"""Seconds that it has to take an answer that is larger than its window."""


def look(peer: Peer, now: float, *, stopping: bool) -> Iterator[Stream]:
    """End what has had its time; the calls that have to be told that they are late. Gone where it is the client's own end."""
    open_ = peer.connection
    open_.now = now
    if (peer.stuck and now - peer.stuck > PATIENCE) or (open_.settled and open_.partial and now - open_.moved > PATIENCE):
        raise Gone
    if peer.parted:
        if now - peer.parted > PATIENCE / 2:
            raise Gone
    elif peer.shaking or not open_.settled:
        if now - peer.began > (PATIENCE / 5 if stopping else PATIENCE):
            raise Gone
    else:
        yield from _streams(peer, now)
        if now > peer.ends or stopping:
            _leave(peer, now, stopping=stopping)


def _streams(peer: Peer, now: float) -> Iterator[Stream]:
    for stream in list(peer.connection.streams.values()):
        if not stream.whole and now - stream.began > min(PATIENCE, stream.head.seconds or PATIENCE):
            yield stream
        elif stream.rest is not None and now - stream.began > TAKING:
            peer.connection.abandon(stream)


def _leave(peer: Peer, now: float, *, stopping: bool) -> None:
    open_ = peer.connection
    if not open_.warned:
        open_.leave()
        peer.ends = now
    elif now > peer.ends + PATIENCE / 2:
        open_.part()
    if open_.leaving and not open_.streams:
        if not peer.unsent and not open_.out and (stopping or now > peer.ends + PATIENCE / 2):
            peer.part(now)
        elif now > peer.ends + PATIENCE + TAKING:  # what was sent is taken in drops
            raise Gone

"""The time that clients have for what they do, and the end of their connections."""

import select
from collections.abc import Iterator

from sekisho.edges.grpc.lean.peers import Gone, Peer
from sekisho.edges.grpc.lean.stream import Stream

PATIENCE = 10.0
"""Seconds that a client has to begin, to send all of a message or a frame, to take what was sent, and to go."""
TAKING = 30.0
"""Seconds that it has to take an answer that is larger than its window."""
STALLING = 300.0
"""Seconds that it has to take a message of a stream: its reader may be busy with the one before."""
STILL = 5.0
"""Seconds between two looks after which nobody is judged by the second: our thread stood still, and what clients have sent is not read."""
QUIET, REPLYING = 60.0, 20.0
"""Seconds after which a client that has calls open and sends nothing is asked whether it is still there, and those that it has to reply."""


def look(peer: Peer, now: float, *, stopping: bool) -> Iterator[Stream]:
    """End what has had its time; the calls that have to be told that they are late. Gone where it is the client's own end."""
    open_ = peer.connection
    open_.now = now
    if not peer.mask & select.EPOLLIN:  # it has enough to take, and is not read meanwhile: what it has begun to send may be there
        open_.moved = now
    if (peer.stuck and now - peer.stuck > PATIENCE) or (open_.settled and open_.partial and now - open_.moved > PATIENCE):
        raise Gone
    if peer.parted:
        if now - peer.parted > PATIENCE / 2:
            raise Gone
    elif peer.shaking or not open_.settled:
        if now - peer.began > (PATIENCE / 5 if stopping else PATIENCE):
            raise Gone
    else:
        if open_.streams:
            _ask(peer, now)
        yield from _streams(peer, now, stopping=stopping)
        if now > peer.ends or stopping:
            _leave(peer, now, stopping=stopping)


def _ask(peer: Peer, now: float) -> None:
    """Ask a client that has been quiet whether it is still there; Gone where it does not say so. Without that, a stream to a machine that
    has lost its power would be kept for as long as there is nothing to tell it.
    """
    open_ = peer.connection
    if peer.asked <= open_.moved:
        peer.asked = 0.0
    if peer.asked:
        if now - peer.asked > REPLYING:
            raise Gone
    elif now - open_.moved > QUIET:
        peer.asked = now
        open_.ping()


def _streams(peer: Peer, now: float, *, stopping: bool) -> Iterator[Stream]:
    for stream in list(peer.connection.streams.values()):
        if now > stream.ends or _dawdles(stream, now) or (stream.talks and stopping and not stream.busy):
            yield stream
        elif stream.rest is not None and now - stream.began > (STALLING if stream.call is not None else TAKING):
            peer.connection.abandon(stream)


def _dawdles(stream: Stream, now: float) -> bool:
    """Whether the message of a call should have come; one that talks has `ends`, once it has said something."""
    if stream.whole or stream.call is not None:
        return False
    return now - stream.began > min(PATIENCE, stream.head.seconds or PATIENCE)


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

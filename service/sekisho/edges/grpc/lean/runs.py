"""Runs of calls that are alike: header blocks of the same bytes, each with a message in one frame, as a client that floods sends them.

All of a run is refused by what its first call said, and none of it becomes a call: what that costs is taken from those that are answered.
"""

from collections.abc import Iterable
from functools import lru_cache
from struct import Struct

from sekisho.edges.grpc.lean import frames


@lru_cache(maxsize=256)  # of blocks that are remembered, 2 KiB at the most (`hpack`)
def _form(size: int) -> Struct:
    """A header block of so many bytes in a frame of its own, and the head of the frame behind it."""
    return Struct(f">5sL{size}sHBHL")


def read(buffer: bytes, at: int, block: bytes, seen: int) -> tuple[list[int], int, int]:
    """The streams of calls with this block that begin here, in their order, all beyond the one that was `seen` last; the bytes of their
    frames of data, and where they end. A call that is not whole, or of another form, is not one of them, nor is what follows it.
    """
    size, form = len(block), _form(len(block))
    unpack, step, end = form.unpack_from, form.size, len(buffer)
    begins = frames.HEADER.pack(size >> 8, size & 255, frames.HEADERS, frames.END_HEADERS, 0)[:5]
    ids: list[int] = []
    total = 0
    while end - at >= step:
        first, id_, found, high, low, kind, id_of_data = unpack(buffer, at)
        length = high << 8 | low
        after = at + step + length
        if (
            found != block
            or first != begins
            or kind != _LAST
            or id_of_data != id_
            or id_ <= seen
            or not id_ & 1
            or id_ > frames.MOST_WINDOW
            or length > frames.LENGTH
            or after > end
        ):
            break
        ids.append(id_)
        seen, at, total = id_, after, total + length
    return ids, total, at


def refused(ids: Iterable[int], blocks: Iterable[bytes]) -> bytes:
    """The frames that end these streams, each with its header block."""
    pack = frames.HEADER.pack
    return b"".join(
        [pack(len(block) >> 8, len(block) & 255, frames.HEADERS, _END, id_) + block for id_, block in zip(ids, blocks, strict=True)]
    )


_LAST = frames.DATA << 8 | frames.END_STREAM
"""Type and flags of a frame that is all of a message, without padding."""
_END = frames.END_HEADERS | frames.END_STREAM

"""The end of a call of which there is too much, as the bytes that say it: made once, but for the call's id.

There may be any number of such calls, and what a refusal costs is taken from those that are answered. The id stands twice in it, as a field
and within the details, which are in base64: of those, only the group of characters is made anew in which the id stands.
"""

from binascii import b2a_base64
from typing import Any

from sekisho.edges import request_ids

ID = "0" * len(request_ids.new())
"""The place of an id."""
_DETAILS = "grpc-status-details-bin"


class Excess:
    """Of one kind. `block` makes the header block that a status is; that of `given` has ID in its details and as its last field."""

    def __init__(self, given: Any, block: bytes) -> None:
        place = ID.encode()
        raw = next(value for name, value in given.trailing_metadata if name == _DETAILS)
        at = raw.index(place)
        begins, ends = at // 3 * 3, -(-(at + len(place)) // 3) * 3  # three bytes are four characters
        text = b2a_base64(raw, newline=False).rstrip(b"=")
        before, found, after = block.partition(text)
        if not found or not block.endswith(place) or raw.count(place) != 1:
            raise ValueError("the block has not the form of an excess")
        self._first, self._last = before + text[: begins // 3 * 4], text[ends // 3 * 4 :] + after[: -len(place)]
        self._before, self._after = raw[begins:at], raw[at + len(place) : ends]

    def of(self, id_: str) -> bytes:
        """The block with this id."""
        named = id_.encode()
        return self._first + b2a_base64(self._before + named + self._after, newline=False).rstrip(b"=") + self._last + named

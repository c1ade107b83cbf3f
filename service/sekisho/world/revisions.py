"""Places in the history of the world, and how callers write them."""

import base64
import struct
from dataclasses import dataclass, field

from sekisho.errors import InvalidArgument

_TOKEN = struct.Struct(">Q8s")


class InvalidRevision(InvalidArgument):
    """A revision that is none: revisions are handed back as they were received."""


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A place in the history of the database; `nonce` (16 hex digits) names the history."""

    number: int
    nonce: str
    _token: str = field(default="", init=False, repr=False, compare=False)

    @property
    def token(self) -> str:
        """The revision as callers see it: opaque. Made once, since nearly every answer names it."""
        if not self._token:
            made = base64.urlsafe_b64encode(_TOKEN.pack(self.number, bytes.fromhex(self.nonce))).decode().rstrip("=")
            object.__setattr__(self, "_token", made)
        return self._token


ORIGIN = Point(0, "0" * 16)
"""Before the first write."""


def parse(token: str) -> Point:
    """The point that a token names, or InvalidRevision."""
    try:
        number, nonce = _TOKEN.unpack(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, struct.error):
        raise InvalidRevision(f"`{token[:64]}` is not a revision") from None
    return Point(number, nonce.hex())

"""Lists, a page at a time, with markers that only this server can make.

A marker holds the key of the last row and is authenticated together with the operation, the account and the filters of the request:
one from another list, another account or other filters is refused.
"""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, tuple_
from sqlalchemy.orm import Session

from sekisho.errors import InvalidArgument

PAGE = 100
MOST = 1000
_TAG = 20
T = TypeVar("T")


class InvalidMarker(InvalidArgument):
    """A marker that this list did not give, or gave for other parameters."""

    @property
    def code(self) -> str:
        """AWS has no code of its own for it."""
        return "ValidationError"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows, and the marker of the next page; None on the last."""

    rows: Sequence[T]
    marker: str | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Makes and opens the markers of one list; `scope` is all that a marker is bound to.

    `tag` makes the tag of 20 bytes that shows that a marker is ours, `is_tag` says of data and a tag whether it is.
    """

    tag: Callable[[bytes], bytes]
    is_tag: Callable[[bytes, bytes], bool]
    scope: str

    def marker(self, last: Sequence[Any]) -> str:
        """The marker behind the row with this key."""
        body = json.dumps(list(last), separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self.tag(self._bound(body)) + body).decode().rstrip("=")

    def open(self, marker: str) -> list[Any]:
        """The key in a marker, or InvalidMarker."""
        try:
            raw = base64.urlsafe_b64decode(marker + "=" * (-len(marker) % 4))
        except ValueError:
            raw = b""
        tag, body = raw[:_TAG], raw[_TAG:]
        if len(tag) < _TAG or not self.is_tag(self._bound(body), tag):
            raise InvalidMarker("Invalid Marker.")
        return list(json.loads(body))

    def _bound(self, body: bytes) -> bytes:
        return self.scope.encode() + b"\0" + body


def page(
    session: Session,
    query: Select[T],
    cursor: Cursor,
    *,
    key: Sequence[ColumnElement[Any] | Any],
    of: Callable[[T], Sequence[Any]],
    marker: str = "",
    most: int = 0,
) -> Page[T]:
    """A page of a query, in the order of `key`, which is unique; `of` reads the same key from a row. `most` 0: a hundred."""
    limit = min(most or PAGE, MOST)
    if marker:
        query = query.where(tuple_(*key) > tuple_(*cursor.open(marker)))
    rows = session.scalars(query.order_by(*key).limit(limit + 1)).all()
    more = len(rows) > limit
    return Page(rows[:limit], cursor.marker(of(rows[limit - 1])) if more else None)

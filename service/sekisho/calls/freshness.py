"""The revisions that a call must not be older than: those in its fields with `(at_least)`, wherever they stand.

It is waited for before the caller's own permission is: the revision may have given that, or taken it away.
"""

from collections.abc import Callable
from functools import cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from sekisho.calls.call import Call
from sekisho.operations import annotations

Read = Callable[[Message, set[str]], None]
"""Adds the revisions of one message."""


def wait(call: Call, request: Message) -> None:
    """Return when the world is not older than every revision that the request names; NotYet at the call's deadline."""
    read = _reader(request.DESCRIPTOR)
    if read is not None:
        named: set[str] = set()
        read(request, named)
        for token in named:
            call.node.feed.wait_for(token, call.deadline)


@cache
def _reader(message: Descriptor, above: frozenset[str] = frozenset()) -> Read | None:
    """Reads what the fields with `(at_least)` say, those of inner messages too; None where there are none. `above` is what it is in."""
    own = tuple(field.name for field in message.fields if annotations.at_least(field))
    around = above | {message.full_name}  # a message may be of its own kind inside
    inner = tuple(
        (field.name, field.is_repeated, read)
        for field in message.fields
        if field.message_type is not None
        and field.message_type.full_name not in around
        and (read := _reader(field.message_type, around)) is not None
    )
    if not own and not inner:
        return None

    def add(given: Message, named: set[str]) -> None:
        for name in own:
            if token := getattr(given, name):
                named.add(token)
        for name, repeated, read in inner:
            for one in getattr(given, name) if repeated else (getattr(given, name),):
                read(one, named)

    return add

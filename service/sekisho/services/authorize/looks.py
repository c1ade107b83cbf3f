"""What questions about many at once have in common: their parts that are Authorize's own, and a look at memory and database together."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from google.protobuf.message import Message
from sqlalchemy.orm import Session

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.calls.call import Call
from sekisho.errors import Unavailable
from sekisho.memory.places import Busy
from sekisho.memory.reader import Reader
from sekisho.services.authorize.decisions import InvalidContext
from sekisho.store import changes
from sekisho.store.changes import Point
from sekisho.store.db import remaining

T = TypeVar("T")

MOST = 100
"""Entries of a page, where the caller does not say."""
_TRIES = 5


class WorldMoved(Unavailable):
    """The world changed faster than it could be looked at."""


def question(request: Message, *, action: str = "", resource: str = "", resource_account: str = "") -> pb.AuthorizeRequest:
    """The question of Authorize that has all that a request has of one, and what is said beside."""
    made = pb.AuthorizeRequest(action=action, resource=resource, resource_account=resource_account)
    for field, value in request.ListFields():
        if field.name not in made.DESCRIPTOR.fields_by_name:
            continue
        if field.is_repeated or field.message_type is not None:
            getattr(made, field.name).MergeFrom(value)
        else:
            setattr(made, field.name, value)
    return made


def refuse_tags(context: Mapping[str, object]) -> None:
    """Raise InvalidContext for a context that says something of the tags of resources, which are what is asked about."""
    for key in context:
        if ":resourcetag/" in key:
            raise InvalidContext(f"the condition key `{key}` is a tag of the resources, which are what is asked about")


def both(call: Call, wanted: str, look: Callable[[Session, Reader], T]) -> tuple[T, Point]:
    """What a function finds in one snapshot of the database and in memory, which are of one world; and the revision of that.

    It computes nothing that takes long: whoever waits for the database has one of few places.
    """
    world = call.node.world
    world.confirmed.refuse_stale()
    for _ in range(_TRIES):
        remaining(call.deadline)
        try:
            with world.snapshot(wanted=wanted) as session:
                point = changes.begun_at(session)
                if world.point != point:
                    continue
                with Reader(world, session) as reader:
                    found = look(session, reader)
                if world.point == point:
                    return found, point
        except Busy:
            remaining(call.deadline)  # which says so where the call's own time is over, not that of the database
            raise
    raise WorldMoved("The world changed faster than it could be looked at. Nothing was decided; the call may be made again.")

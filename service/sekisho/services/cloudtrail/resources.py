"""The resources that policies see of CloudTrail: by ARN, with their tags.

They count as the caller's account's own: an ARN of another account leads to nothing but an organization's trail, which the functions see
to.
"""

from google.protobuf.message import Message
from sqlalchemy import select

from sekisho.calls.call import Call
from sekisho.operations import Resource, resource
from sekisho.services.cloudtrail import names
from sekisho.services.cloudtrail.names import Named
from sekisho.store.tables import EventDataStore, Trail, TrailTag


def of(call: Call, text: str, kind: str) -> Resource:
    """The resource of an ARN or a name; what is not one of either is a resource of that name, which the function refuses."""
    named = names.get_named(text) or Named(call.account_id, kind, text.rpartition("/")[2])
    return Resource(named.arn, _tags(call, named), owner=call.account_id)


def _tags(call: Call, named: Named) -> dict[str, str]:
    """The tags of what the caller's account itself has."""
    if named.account_id != call.account_id:
        return {}
    id_ = get_id(call, named)
    rows = call.session.execute(select(TrailTag.key, TrailTag.value).where(TrailTag.resource_id == id_)) if id_ else ()
    return {row.key: row.value or "" for row in rows}


def get_id(call: Call, named: Named) -> str | None:
    """The id by which tags are kept."""
    if named.kind == "trail":
        return call.session.scalar(select(Trail.id).where(Trail.account_id == named.account_id, Trail.name == named.name))
    query = select(EventDataStore.id).where(EventDataStore.account_id == named.account_id, EventDataStore.id == named.name)
    return call.session.scalar(query) if named.kind == "eventdatastore" else None


@resource("trail")
def trail(call: Call, request: Message, field: str) -> Resource:
    """A trail by name or ARN."""
    return of(call, getattr(request, field), "trail")


@resource("eventdatastore")
def event_data_store(call: Call, request: Message, field: str) -> Resource:
    """An event data store by ARN, or by the id at its end."""
    return of(call, getattr(request, field), "eventdatastore")


@resource("tagged")
def tagged(call: Call, request: Message, field: str) -> Resource:
    """Whatever has tags, by ARN; of a list, the first: the function asks for the others."""
    value = getattr(request, field)
    return of(call, value if isinstance(value, str) else next(iter(value), ""), "trail")

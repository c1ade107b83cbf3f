"""Whose device it is, or is to be: a user, by name or as the caller, or the root user who calls."""

from google.protobuf.message import Message

from sekisho import arn
from sekisho.calls import devices
from sekisho.calls.call import Call
from sekisho.calls.devices import Owner
from sekisho.errors import ValidationError
from sekisho.operations import Resource, resource
from sekisho.services.mfa.errors import LimitExceeded, NoSuchEntity
from sekisho.store.tables import Root, User


@resource("user")
def user(call: Call, request: Message, field: str) -> Resource:
    """The user whom the request names, or who calls; of one who does not exist, the ARN without a path."""
    name = getattr(request, field) or _own_name(call)
    if not name and call.caller.principal.kind == "root":
        return Resource(call.caller.arn)
    found = call.entity("user", name)
    named = arn.iam(call.account_id, "user", name)
    return Resource(found.arn, found.tags, {}, named) if found is not None else Resource(named)


def find(call: Call, name: str) -> Owner:
    """The user of this name, or without one the user or root user who calls; NoSuchEntity, ValidationError."""
    if name or (name := _own_name(call)):
        row = call.row(User, name)
        if row is None:
            raise NoSuchEntity(f"The user with name {name} cannot be found.")
        return row
    root = call.session.get(Root, call.account_id) if call.caller.principal.kind == "root" else None
    if root is None:
        raise ValidationError("Must specify userName when calling with non-User credentials")
    return root


def refuse_more(call: Call, owner: Owner) -> None:
    """LimitExceeded when the owner has as many devices as anybody can."""
    if len(devices.load_of(call.session, call.account_id, owner.id)) >= devices.MOST:
        raise LimitExceeded(f"Cannot exceed quota for MFADevicesPerUser: {devices.MOST}")


def _own_name(call: Call) -> str:
    """The name of the user who calls; a root user or a session of a role has none."""
    name = call.caller.keys.get("aws:username", "")
    return name if isinstance(name, str) else ""

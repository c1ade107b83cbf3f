"""Holds the tags that a call brings to the tag policies of the caller's account, for whatever operation has a field of tags.

What is tagged is told by the resource of the call's first check, or, where that is something else, by `tagged` of its `(access)`.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from sekisho import arn
from sekisho.calls import permission, request_keys
from sekisho.calls.call import Call
from sekisho.errors import InvalidArn, TagPolicyViolation
from sekisho.memory.reader import Reader
from sekisho.operations import TAG_VIOLATIONS
from sekisho.world import AccountRecord, tag_policies


def refuse(call: Call, request: Message) -> None:
    """Raise, as the service says it, for a tag that a policy does not allow."""
    if call.acting is None or not (field := _field(request.DESCRIPTOR)) or not (given := getattr(request, field)):
        return
    if call.operation.access.untags:
        return
    found = rules(call)
    said = tag_policies.fault(found, _type(call, request), [(tag.key, tag.value) for tag in given]) if found else ""
    if said:
        raise TAG_VIOLATIONS.get(call.operation.service.package, TagPolicyViolation)(said)


def rules(call: Call) -> Mapping[str, Any]:
    """The tag policies of the caller's account, by the key that they are about, in lower case."""

    def compose(reader: Reader) -> Mapping[str, Any]:
        account = reader.get_record(call.account_id)
        return tag_policies.effective(account, reader.get_record) if isinstance(account, AccountRecord) else {}

    return call.node.world.consistent(compose)[0]


def fault(call: Call, type_: str, given: Iterable[tuple[str, str]]) -> str:
    """The sentence about the first of these tags that the account's tag policies do not allow a resource of a type; empty for none."""
    found = rules(call)
    return tag_policies.fault(found, type_, given) if found else ""


def type_of(text: str) -> str:
    """The type of what an ARN names, as tag policies say it: `iam:role`; empty for what is no ARN."""
    try:
        named = arn.parse(text)
    except InvalidArn:
        return ""
    return f"{named.service}:{named.resource.replace(':', '/').partition('/')[0]}"


@cache
def _field(message: Descriptor) -> str:
    """The field of a request in which it has tags; empty where it has none."""
    for name in request_keys.TAGS:
        field = message.fields_by_name.get(name)
        inner = field.message_type if field is not None and field.is_repeated else None
        if inner is not None and not inner.GetOptions().map_entry and {"key", "value"} <= set(inner.fields_by_name):
            return name
    return ""


def _type(call: Call, request: Message) -> str:
    """The type of what is tagged: `iam:role`."""
    if call.operation.access.tagged:
        return f"{call.operation.service.prefix}:{call.operation.access.tagged}"
    for _, resource, _ in permission.demands(call, request):
        if type_ := type_of(resource.arn):
            return type_
    return ""

"""Holds the tags that a call brings to the tag policies of the caller's account, for whatever operation has a field of tags.

What is tagged is told by the resource of the call's first check, or, where that is something else, by `tagged` of its `(access)`.
"""

from functools import cache

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

    def compose(reader: Reader) -> dict[str, object]:
        account = reader.get_record(call.account_id)
        return dict(tag_policies.effective(account, reader.get_record)) if isinstance(account, AccountRecord) else {}

    rules, _ = call.node.world.consistent(compose)
    if not rules:
        return
    said = tag_policies.fault(rules, _type(call, request), [(tag.key, tag.value) for tag in given])
    if said:
        raise TAG_VIOLATIONS.get(call.operation.service.package, TagPolicyViolation)(said)


@cache
def _field(message: Descriptor) -> str:
    """The field of a request in which it has tags; empty where it has none."""
    for name in request_keys.TAGS:
        field = message.fields_by_name.get(name)
        inner = field.message_type if field is not None and field.is_repeated else None
        if inner is not None and {"key", "value"} <= set(inner.fields_by_name):
            return name
    return ""


def _type(call: Call, request: Message) -> str:
    """The type of what is tagged: `iam:role`."""
    if call.operation.access.tagged:
        return f"{call.operation.service.prefix}:{call.operation.access.tagged}"
    for _, resource, _ in permission.demands(call, request):
        try:
            named = arn.parse(resource.arn)
        except InvalidArn:
            continue
        return f"{named.service}:{named.resource.replace(':', '/').partition('/')[0]}"
    return ""

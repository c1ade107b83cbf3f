"""The condition keys that a call carries: those of its environment, of its request's fields, and of the resource.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from sekisho import policy
from sekisho.calls.call import Peer
from sekisho.operations import Resource, annotations

Keys = dict[str, str | tuple[str, ...]]


def context(keys: Keys) -> policy.Context:
    """The keys as the evaluator takes them: what is a list here is one there, also with one value or none."""
    return policy.context(keys, multivalued=[name for name, value in keys.items() if isinstance(value, tuple)])


def of_environment(now: datetime, peer: Peer) -> Keys:
    """When and from where."""
    keys: Keys = {
        "aws:currenttime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:epochtime": str(int(now.timestamp())),
        "aws:securetransport": "true" if peer.secure else "false",
        "aws:viaawsservice": "false",
        "aws:principalisawsservice": "false",
    }
    if peer.source_ip:
        keys["aws:sourceip"] = peer.source_ip
    if peer.user_agent:
        keys["aws:useragent"] = peer.user_agent
    return keys


@cache
def _annotated(message: Descriptor) -> tuple[tuple[str, str, bool], ...]:
    """The fields of a request that are condition keys: field, key in lower case, whether it is a list."""
    return tuple((field.name, key, field.is_repeated) for field in message.fields if (key := annotations.key(field)))


def of_request(request: Message) -> Keys:
    """What the fields say: those with a `(key)`, and tags wherever a request has them."""
    keys: Keys = {}
    for name, key, repeated in _annotated(request.DESCRIPTOR):
        value = getattr(request, name)
        if repeated and len(value):
            keys[key] = tuple(str(item) for item in value)
        elif not repeated and request.HasField(name):
            keys[key] = str(value)
    fields = request.DESCRIPTOR.fields_by_name
    if "tags" in fields and fields["tags"].is_repeated and len(tags := getattr(request, "tags")):  # noqa: B009  # a message of any type
        keys["aws:tagkeys"] = tuple(tag.key for tag in tags)
        keys |= {f"aws:requesttag/{tag.key.lower()}": tag.value for tag in tags}
    if "tag_keys" in fields and len(removed := getattr(request, "tag_keys")):  # noqa: B009  # likewise
        keys["aws:tagkeys"] = tuple(removed)
    return keys


def of_resource(resource: Resource, service: str) -> Keys:
    """The resource's tags, as the global key and as the service's own, and the keys that its resolver gave."""
    keys: Keys = {key.lower(): value for key, value in resource.keys.items()}
    keys |= tags_of_resource(resource.tags, "aws")
    return keys | tags_of_resource(resource.tags, service)


def tags_of_resource(tags: Mapping[str, str], prefix: str) -> Keys:
    """`aws:ResourceTag/KEY` for each tag."""
    return {f"{prefix}:resourcetag/{key.lower()}": value for key, value in tags.items()}

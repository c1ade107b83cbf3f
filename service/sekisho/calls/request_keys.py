"""The condition keys that a call carries: those of its connection, of its request's fields, and those that the resource's kind has.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from functools import cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from sekisho import world
from sekisho.calls.call import Peer
from sekisho.operations import Resource, annotations

Keys = dict[str, str | tuple[str, ...]]


OF_SERVICE: Keys = dict(world.OF_SERVICE)
TAGS = ("tags", "tags_list")
"""Where requests have tags: CloudTrail calls them `TagsList`."""


def of_connection(peer: Peer) -> Keys:
    """From where a call comes, and how."""
    keys = {**OF_SERVICE, "aws:securetransport": "true" if peer.secure else "false"}
    if peer.source_ip:
        keys["aws:sourceip"] = peer.source_ip
    if peer.user_agent:
        keys["aws:useragent"] = peer.user_agent
    return keys


@cache
def _annotated(message: Descriptor) -> tuple[tuple[tuple[str, str, bool], ...], bool]:
    """The fields of a request that are condition keys: field, key in lower case, whether it is a list; and whether the request has tags."""
    named = tuple((field.name, key, field.is_repeated) for field in message.fields if (key := annotations.key(field)))
    return named, not {*TAGS, "tag_keys"}.isdisjoint(message.fields_by_name)


def of_request(request: Message) -> Keys:
    """The keys that fields give: those with a `(key)`, and tags wherever a request has them."""
    annotated, tagged = _annotated(request.DESCRIPTOR)
    keys: Keys = {}
    for name, key, repeated in annotated:
        value = getattr(request, name)
        if repeated and len(value):
            keys[key] = tuple(str(item) for item in value)
        elif not repeated and request.HasField(name):
            keys[key] = str(value)
    if not tagged:
        return keys
    fields = request.DESCRIPTOR.fields_by_name
    for name in TAGS:
        if name in fields and fields[name].is_repeated and len(tags := getattr(request, name)):
            is_map = fields[name].message_type.GetOptions().map_entry
            pairs = list(tags.items()) if is_map else [(tag.key, tag.value) for tag in tags]
            keys["aws:tagkeys"] = tuple(key for key, _ in pairs)
            keys |= {f"aws:requesttag/{key.lower()}": value for key, value in pairs}
    if "tag_keys" in fields and len(removed := getattr(request, "tag_keys")):  # noqa: B009  # as above
        keys["aws:tagkeys"] = tuple(removed)
    return keys


def of_resource(resource: Resource) -> Keys:
    """The keys that the resolver of the resource gave."""
    return {key.lower(): value for key, value in resource.keys.items()}

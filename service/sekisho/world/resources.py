"""Registered resources in a question: owner, tags and policy of what an account has left with us, found by the ARN alone.

A resource is its account's by the ARN: the account that stands there, and where none does (`arn:aws:s3:::photos`) the account that
registered it, for questions about that account's resources. So each account has ARNs without an account for itself, and nobody can take
one from another. Only ARNs whose service the account registers (`AccountRecord.registers`) are looked up; for all others a question costs
nothing.

What is asked must not contradict what is registered: which of the two is right cannot be told from here, so it is an error.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping

from sekisho import arn, policy
from sekisho.errors import InvalidArgument, Unavailable
from sekisho.world.records import Lookup, ResourceRecord

MAX_ARN = 1_011
"""Characters of the ARN of a registered resource; the Resource Groups Tagging API takes no longer ones."""

LARGEST_TAGS: Mapping[str, str] = {f"{number:0128}": "x" * 256 for number in range(50)}
"""No registered resource has more tags, nor longer ones."""

_REGISTRABLE = re.compile(r"arn:[a-z][a-z-]{0,31}:([A-Za-z0-9][A-Za-z0-9.-]{0,62}):[A-Za-z0-9-]{0,63}:([0-9]{12})?:(?:(?![*?])[!-~])+")
_TYPE = re.compile(r"[A-Za-z0-9._-]{1,128}(?=[/:])")


class ResourceMismatch(InvalidArgument):
    """A question says of a registered resource what is not registered of it."""


UNTOLD = "the resource is registered by another account, which does not tell this one whether what the question says of it is right"
"""The same to whomever nothing of the resource is told, whether it is so or not."""

_DENIAL = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}'


def is_registrable(text: str) -> bool:
    """True of the ARN of one resource: in printable ASCII, without wildcards, with an account of twelve digits or none."""
    return len(text) <= MAX_ARN and _REGISTRABLE.fullmatch(text) is not None


def key(account_id: str, text: str) -> str:
    """Under what a resource of an account is kept and looked up: its ARN, with the account behind an ARN that has none. No two resources
    have one key: a key without an account in its fifth segment always ends with a mark of ours and twelve digits.
    """
    return text if arn.account_of(text) else f"{text}#{account_id}"


def type_of(text: str) -> str:
    """The type that an ARN says: `order` of `…:order/7` and of `…:order:7`; empty where it says none."""
    found = _TYPE.match(text.split(":", 5)[5])
    return found[0] if found is not None else ""


def get(account_id: str, text: str, registers: Collection[str], lookup: Lookup) -> ResourceRecord | None:
    """The registered resource of an account that has this ARN. Unavailable when a record of another kind stands in its place."""
    segments = text.split(":", 3)
    if len(segments) < 4 or segments[2] not in registers or not is_registrable(text):
        return None
    record = lookup(key(account_id, text))
    if record is None:
        return None
    if not isinstance(record, ResourceRecord) or record.account_id != account_id:
        raise Unavailable("The registered resource could not be loaded.")
    return record


def refuse_contradiction(
    record: ResourceRecord,
    *,
    account: str,
    tags: Mapping[str, str],
    keys: Mapping[str, str | tuple[str, ...]],
    prefixes: Iterable[str],
    given: policy.Attached | None,
    told: bool,
) -> None:
    """Raise ResourceMismatch where a question says otherwise than the record; what it says and what it is silent about may be equal. An
    asker who is not `told` of the record learns no more than that.

    `keys` are the condition keys of the request, in lower case, among which a tag can be, too: `…:ResourceTag/` of any of the `prefixes`.
    The messages name what the asker said, never what is registered.
    """
    if account and account != record.account_id:
        raise ResourceMismatch(f"the resource is registered, and account {account} does not own it")
    try:
        _refuse_contents(record, tags, keys, prefixes, given)
    except ResourceMismatch:
        if told:
            raise
        raise ResourceMismatch(UNTOLD) from None


def _refuse_contents(
    record: ResourceRecord,
    tags: Mapping[str, str],
    keys: Mapping[str, str | tuple[str, ...]],
    prefixes: Iterable[str],
    given: policy.Attached | None,
) -> None:
    registered = {name.lower(): value for name, value in record.tags.items()}
    for name, value in tags.items():
        if registered.get(name.lower()) != value:
            raise ResourceMismatch(f"the resource is registered, and its tag `{name[:128]}` is not as the question says")
    for prefix in prefixes:
        stem = f"{prefix.lower()}:resourcetag/"
        for name, said in keys.items():
            if name.startswith(stem) and said not in (registered.get(name[len(stem) :]), (registered.get(name[len(stem) :]),)):
                raise ResourceMismatch(f"the resource is registered, and the condition key `{name[:256]}` is not as the question says")
    if given is not None and not (record.policy is not None and _same(given.program.text, record.policy.program.text)):
        raise ResourceMismatch("the resource is registered, and its policy is not the one in the question")


def is_granted(request: policy.Request, layers: policy.Layers) -> bool:
    """Whether the policy of the resource, taken by itself, allows the request."""
    return _alone(request, layers).outcome is policy.Outcome.ALLOWED


def untold(request: policy.Request, layers: policy.Layers) -> policy.Attached | None:
    """What stands for the policy of a resource that does not allow the request, without the tags that it may read: nothing, or a denial."""
    if layers.resource is None or _alone(request, layers).outcome is not policy.Outcome.EXPLICITLY_DENIED:
        return None
    return policy.Attached(policy.compiled(_DENIAL), arn=layers.resource.arn, name=layers.resource.name)


def _alone(request: policy.Request, layers: policy.Layers) -> policy.Standing:
    return policy.standing((layers.resource,) if layers.resource is not None else (), request, layer=policy.Layer.RESOURCE)


def _same(one: str, other: str) -> bool:
    return one == other or bool(json.loads(one) == json.loads(other))

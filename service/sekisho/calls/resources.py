"""Registered resources as calls change them: one by one, in the caller's own account, each change told by the resource's key.

A call that writes is alone in its account, so that counts are right and a resource is registered once.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sekisho import arn, operations
from sekisho.calls.call import Call
from sekisho.errors import AccessDenied, InvalidArgument, NotFound, ResourceExhausted
from sekisho.operations import Resource
from sekisho.operations.annotations import Rules
from sekisho.operations.patterns import PATTERNS
from sekisho.store.tables import QuotaOverride, RegisteredResource, ResourceCount, ResourceService, ResourceTag
from sekisho.world import resources

MOST_TAGS = 50
MOST_SERVICES = 100
"""Services of which one account registers resources: each node has them in the account's record."""

QUOTA = "ResourcesQuota"
"""The quota that an operator may set to another number for an account."""
MOST = 1_000_000
"""Resources of an account, where nobody has said otherwise."""

_ALSO_OURS = frozenset(("accessanalyzer", "kms", "signin"))
"""Services whose ARNs are decided in ways of their own, whether they are served here or not."""


class InvalidResource(InvalidArgument):
    """The ARN is not that of a resource which can be registered."""


class NoSuchResource(NotFound):
    """The account has not registered a resource with this ARN."""


class InvalidTag(InvalidArgument):
    """A tag that no resource can have."""


class TooManyTags(ResourceExhausted):
    """A resource has fifty tags at the most."""


class LimitExceeded(ResourceExhausted):
    """The account has registered as many resources as it may."""


@cache
def own_services() -> frozenset[str]:
    """The services, by the third segment of ARNs, whose resources are ours: what is to be known of them is known already."""
    return frozenset(operations.service(package).prefix for package in operations.packages()) | _ALSO_OURS


def key(call: Call, text: str) -> str:
    """The key of a resource of the caller's account; InvalidResource or AccessDenied for an ARN that cannot be one of these."""
    if not resources.is_registrable(text):
        raise InvalidResource(
            f"`{text[:128]}` is not the ARN of a resource: six segments of ASCII, no blanks and wildcards, its account in digits or none"
        )
    parsed = arn.parse(text)
    if parsed.account not in ("", call.account_id):
        raise AccessDenied(f"The resource {text} is of account {parsed.account}, and only that can register it.")
    if parsed.service in own_services():
        raise InvalidResource(f"resources of `{parsed.service}` cannot be registered: they are known already")
    return resources.key(call.account_id, text)


def as_resource(call: Call, text: str) -> Resource:
    """The resource that policies see; of what is not registered, or is another account's, the ARN alone."""
    owner = arn.account_of(text) or call.account_id
    if owner != call.account_id or not resources.is_registrable(text):
        return Resource(text, owner=owner)
    query = select(ResourceTag.key, ResourceTag.value).where(ResourceTag.resource_id == resources.key(owner, text))
    return Resource(text, {row.key: row.value for row in call.session.execute(query)}, owner=owner)


def get(call: Call, text: str) -> RegisteredResource | None:
    """The caller's registered resource of an ARN."""
    return call.session.get(RegisteredResource, key(call, text))


def find(call: Call, text: str) -> RegisteredResource:
    """The caller's registered resource of an ARN, or NoSuchResource."""
    row = get(call, text)
    if row is None:
        raise NoSuchResource(f"The resource {text} is not registered.")
    return row


def register(call: Call, text: str) -> RegisteredResource:
    """A new row for a resource; LimitExceeded where the account has as many as it may."""
    id_, parsed = key(call, text), arn.parse(text)
    counts = {row.service: row for row in call.session.scalars(select(ResourceCount).where(ResourceCount.account_id == call.account_id))}
    override = call.session.get(QuotaOverride, (call.account_id, QUOTA))
    most = override.value if override is not None else MOST
    if sum(row.held for row in counts.values()) >= most:
        raise LimitExceeded(f"the account has registered {most} resources, which is its {QUOTA}")
    count = counts.get(parsed.service)
    if count is None:
        if len(counts) >= MOST_SERVICES:
            raise LimitExceeded(f"the account has registered resources of {MOST_SERVICES} services; no account has more")
        call.add(ResourceCount(account_id=call.account_id, service=parsed.service, held=1))
        call.add(ResourceService(account_id=call.account_id, service=parsed.service))
    else:
        count.held += 1
    row = RegisteredResource(
        id=id_,
        account_id=call.account_id,
        arn=text,
        service=parsed.service,
        type=resources.type_of(text),
        policy=None,
        created_at=call.now,
        updated_at=call.now,
    )
    call.add(row)
    call.session.flush()
    return row


def remove(call: Call, row: RegisteredResource) -> None:
    """Take a resource away, with its tags; and the service from those that the account registers, if it was the last."""
    for tag in _rows(call.session, row):
        call.session.delete(tag)
    count = call.session.get_one(ResourceCount, (row.account_id, row.service))
    count.held -= 1
    if count.held == 0:
        call.session.delete(count)
        call.session.delete(call.session.get_one(ResourceService, (row.account_id, row.service)))
    call.session.flush()
    call.session.delete(row)


def tags(session: Session, rows: Iterable[RegisteredResource]) -> Mapping[str, Mapping[str, str]]:
    """The tags of resources by the resource's key, each in the order of its keys."""
    found: dict[str, dict[str, str]] = {row.id: {} for row in rows}
    query = select(ResourceTag.resource_id, ResourceTag.key, ResourceTag.value).where(ResourceTag.resource_id.in_(found))
    for tag in session.execute(query.order_by(ResourceTag.key)):
        found[tag.resource_id][tag.key] = tag.value
    return found


def put_tags(call: Call, row: RegisteredResource, given: Mapping[str, str], *, whole: bool = False) -> None:
    """Give a resource tags, or other values of those that it has; as a `whole`, it has no others then. A key that is there in another case
    gives way to the new one.
    """
    refuse_wrong(given)
    new = {name.lower(): name for name in given}
    old = {tag.key_key: tag for tag in _rows(call.session, row)}
    if len(new.keys() if whole else old.keys() | new.keys()) > MOST_TAGS:
        raise TooManyTags(f"The resource {row.arn} would have more than {MOST_TAGS} tags.")
    for key_key, name in new.items():
        if key_key in old:
            old[key_key].key, old[key_key].value = name, given[name]
        else:
            call.add(ResourceTag(resource_id=row.id, key_key=key_key, account_id=row.account_id, key=name, value=given[name]))
    for key_key in (old.keys() - new.keys()) if whole else ():
        call.session.delete(old[key_key])
    row.updated_at = call.now


def remove_tags(call: Call, row: RegisteredResource, keys: Iterable[str]) -> None:
    """Take tags from a resource; a key that is not there is no error."""
    gone = {name.lower() for name in keys}
    for tag in _rows(call.session, row):
        if tag.key_key in gone:
            call.session.delete(tag)
    row.updated_at = call.now


def refuse_wrong(given: Mapping[str, str]) -> None:
    """InvalidTag for tags that no resource can have.

    Source: https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html#tag-conventions. Keys that differ by case alone are
    refused, too: conditions could not tell them apart.
    """
    for name, value in given.items():
        if not (1 <= len(name) <= 128 and PATTERNS[Rules.TAG_KEY][0](name)):
            raise InvalidTag(f"`{name[:128]}` is not the key of a tag: 1 to 128 letters, digits, blanks and characters of _.:/=+-@")
        if not (len(value) <= 256 and PATTERNS[Rules.TAG][0](value)):
            raise InvalidTag(
                f"The value of the tag `{name}` has more than 256 characters, or others than letters, digits, blanks and _.:/=+-@"
            )
        if name.lower().startswith("aws:"):
            raise InvalidTag("Tag keys that begin with aws: are reserved.")
    if len({name.lower() for name in given}) != len(given):
        raise InvalidTag("A tag key is given twice; the case of a key makes no difference.")


def _rows(session: Session, row: RegisteredResource) -> Sequence[ResourceTag]:
    return session.scalars(select(ResourceTag).where(ResourceTag.resource_id == row.id).order_by(ResourceTag.key_key)).all()


def held(session: Session, account_id: str) -> int:
    """How many resources an account has registered."""
    return session.scalar(select(func.coalesce(func.sum(ResourceCount.held), 0)).where(ResourceCount.account_id == account_id)) or 0

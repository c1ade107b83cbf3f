"""Entities of IAM that have tags: found by their ARNs and tags, and tagged as IAM's own operations would.

What is permitted, and how keys are compared, is IAM's: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html. AWS's Tagging API
leaves out users and roles, which have tags as all others here.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from sekisho import arn
from sekisho.calls import resources as registered
from sekisho.calls.call import Call
from sekisho.operations import Resource
from sekisho.store.tables import Entity, Tag

ACTIONS: Mapping[str, str] = {
    "instance-profile": "InstanceProfile",
    "mfa": "MFADevice",
    "oidc-provider": "OpenIDConnectProvider",
    "policy": "Policy",
    "role": "Role",
    "saml-provider": "SAMLProvider",
    "server-certificate": "ServerCertificate",
    "user": "User",
}
"""The kinds of entities that have tags, with what IAM's actions call them: `iam:TagMFADevice`."""

_FOLDED = ("user", "role")
"""The kinds whose tag keys are one whatever their case."""


def arn_of(row: Entity) -> str:
    """The ARN of an entity, with its path."""
    return arn.iam(row.account_id, row.kind, row.name, row.path)


def find(call: Call, text: str) -> Entity:
    """The entity of an ARN in the caller's account, which must be its own; NoSuchResource."""
    named = arn.entity(text)
    if named is not None and named.kind in ACTIONS and named.account == call.account_id:
        query = select(Entity).where(Entity.account_id == named.account, Entity.kind == named.kind, Entity.name_key == named.key)
        row = call.session.scalars(query).one_or_none()
        if row is not None and arn_of(row) == text:
            return row
    raise registered.NoSuchResource(f"The resource {text} does not exist, or has no tags.")


def as_resource(call: Call, row: Entity) -> Resource:
    """The resource that policies see."""
    found = call.entity(row.kind, arn_of(row))
    keys = {"iam:PermissionsBoundary": found.boundary_arn} if found is not None and found.boundary_arn is not None else {}
    return Resource(arn_of(row), tags(call.session, [row])[row.id], keys)


def tags(session: Session, rows: Iterable[Entity]) -> Mapping[str, Mapping[str, str]]:
    """The tags of entities by id, each in the order of its keys."""
    found: dict[str, dict[str, str]] = {row.id: {} for row in rows}
    for tag in session.execute(select(Tag.owner_id, Tag.key, Tag.value).where(Tag.owner_id.in_(found)).order_by(Tag.key_key)):
        found[tag.owner_id][tag.key] = tag.value
    return found


def put_tags(call: Call, row: Entity, given: Mapping[str, str]) -> None:
    """Give an entity tags, or other values of those that it has."""
    registered.refuse_wrong(given)
    old = {tag.key_key: tag for tag in _rows(call.session, row)}
    new = {_key(row, name): name for name in given}
    if len(old.keys() | new.keys()) > registered.MOST_TAGS:
        raise registered.TooManyTags(f"The resource {arn_of(row)} would have more than {registered.MOST_TAGS} tags.")
    for key_key, name in new.items():
        if key_key in old:
            old[key_key].key, old[key_key].value = name, given[name]
        else:
            call.add(Tag(owner_id=row.id, key=name, key_key=key_key, value=given[name]))
    call.session.flush()


def remove_tags(call: Call, row: Entity, keys: Iterable[str]) -> None:
    """Take tags from an entity; a key that is not there is no error."""
    gone = {_key(row, name) for name in keys}
    for tag in _rows(call.session, row):
        if tag.key_key in gone:
            call.session.delete(tag)
    call.session.flush()


def taggable(account_id: str) -> Select[Entity]:
    """The query for all entities of an account that have tags, or could."""
    return select(Entity).where(Entity.account_id == account_id, Entity.kind.in_(sorted(ACTIONS)))


def _rows(session: Session, row: Entity) -> Sequence[Tag]:
    return session.scalars(select(Tag).where(Tag.owner_id == row.id)).all()


def _key(row: Entity, name: str) -> str:
    return name.lower() if row.kind in _FOLDED else name

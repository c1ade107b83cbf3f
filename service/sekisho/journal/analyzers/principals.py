"""Users and roles with all that can be unused of them, as a snapshot of the database has them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho import arn
from sekisho.store.tables import (
    Access,
    AccessKey,
    Attachment,
    Entity,
    InlinePolicy,
    LoginProfile,
    Membership,
    Policy,
    PolicyVersion,
    Role,
    Tag,
    User,
)

SERVICE_LINKED = "/aws-service-role/"


@dataclass(frozen=True, slots=True)
class Credential:
    """An access key, or, without an id, a password; `used_at` is None while it was never used."""

    id: str
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Document:
    """A policy that a principal has: `arn` is a managed policy's, empty of an inline one, which has a name alone; `owner` whose it is."""

    arn: str
    name: str
    text: str
    updated_at: datetime | None
    owner: str


@dataclass(frozen=True, slots=True)
class Principal:
    """A user or role. `uses` are the times at which it asked for actions last, by action in lower case."""

    id: str
    kind: str
    created_at: datetime
    used_at: datetime | None
    tags: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[Credential, ...] = ()
    password: Credential | None = None
    documents: tuple[Document, ...] = ()
    uses: Mapping[str, datetime] = field(default_factory=dict)


def load(session: Session, ids: Iterable[str]) -> dict[str, Principal]:
    """The principals of these ids that there are, but for service-linked roles, which are their services' to remove."""
    wanted = sorted(ids)
    entities = session.scalars(select(Entity).where(Entity.id.in_(wanted), Entity.kind.in_(("user", "role")))).all()
    rows = [row for row in entities if not row.path.startswith(SERVICE_LINKED)]
    held = [row.id for row in rows]
    groups = _grouped(session.execute(select(Membership.user_id, Membership.group_id).where(Membership.user_id.in_(held))).all())
    owners = sorted({*held, *(group for listed in groups.values() for group in listed)})
    keys, passwords = _keys(session, held), _passwords(session, rows)
    documents, tags, uses = _documents(session, owners), _tags(session, held), _uses(session, held)
    return {
        row.id: Principal(
            row.id,
            row.kind,
            row.created_at,
            row.last_used_at if isinstance(row, Role) else None,
            tags.get(row.id, {}),
            tuple(keys.get(row.id, ())),
            passwords.get(row.id),
            tuple(one for owner in (row.id, *groups.get(row.id, ())) for one in documents.get(owner, ())),
            uses.get(row.id, {}),
        )
        for row in rows
    }


def _grouped(rows: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for user_id, group_id in sorted(rows):
        found.setdefault(user_id, []).append(group_id)
    return found


def _keys(session: Session, ids: Sequence[str]) -> dict[str, list[Credential]]:
    query = select(AccessKey.id, AccessKey.owner_id, AccessKey.created_at, AccessKey.last_used_at)
    found: dict[str, list[Credential]] = {}
    for row in session.execute(query.where(AccessKey.owner_id.in_(ids), AccessKey.status == "Active").order_by(AccessKey.id)):
        found.setdefault(row.owner_id, []).append(Credential(row.id, row.created_at, row.last_used_at))
    return found


def _passwords(session: Session, rows: Sequence[Entity]) -> dict[str, Credential]:
    users = {row.id: row for row in rows if isinstance(row, User)}
    profiles = session.scalars(select(LoginProfile).where(LoginProfile.user_id.in_(sorted(users))))
    return {one.user_id: Credential("", one.created_at, users[one.user_id].password_last_used_at) for one in profiles}


def _documents(session: Session, owners: Sequence[str]) -> dict[str, list[Document]]:
    """Inline policies first, then managed ones in their default version."""
    found: dict[str, list[Document]] = {}
    inline = select(InlinePolicy).where(InlinePolicy.owner_id.in_(owners)).order_by(InlinePolicy.owner_id, InlinePolicy.name)
    for row in session.scalars(inline):
        found.setdefault(row.owner_id, []).append(Document("", row.name, row.document, None, row.owner_id))
    managed = (
        select(Attachment.owner_id, Policy.account_id, Policy.path, Policy.name, Policy.updated_at, PolicyVersion.document)
        .join(Policy, Policy.id == Attachment.policy_id)
        .join(PolicyVersion, (PolicyVersion.policy_id == Policy.id) & (PolicyVersion.number == Policy.default_version))
        .where(Attachment.owner_id.in_(owners))
    )
    for one in session.execute(managed.order_by(Attachment.owner_id, Policy.name)):
        named = arn.iam(one.account_id, "policy", one.name, one.path)
        found.setdefault(one.owner_id, []).append(Document(named, one.name, one.document, one.updated_at, one.owner_id))
    return found


def _tags(session: Session, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for row in session.scalars(select(Tag).where(Tag.owner_id.in_(ids))):
        found.setdefault(row.owner_id, {})[row.key] = row.value
    return found


def _uses(session: Session, ids: Sequence[str]) -> dict[str, dict[str, datetime]]:
    found: dict[str, dict[str, datetime]] = {}
    query = select(Access.principal_id, Access.service, Access.action, Access.at).where(Access.principal_id.in_(ids))
    for row in session.execute(query):
        action = row.action if ":" in row.action else f"{row.service}:{row.action}"
        found.setdefault(row.principal_id, {})[action.lower()] = row.at
    return found

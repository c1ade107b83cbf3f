"""Loads world records from the database, by immutable id.

These are the only reads that do not filter by the caller's account: a decision follows ids wherever they lead. What is not there takes the
same statements as what is, and an absent key opens as much as one that is there: who asks in vain does not learn from the time it takes.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import bindparam, func, inspect, select
from sqlalchemy.orm import Session

from sekisho import arn, policy
from sekisho.memory import organizations
from sekisho.memory.names import Name
from sekisho.store.tables import (
    AccessKey,
    Account,
    Attachment,
    Entity,
    Group,
    InlinePolicy,
    Membership,
    Policy,
    PolicyVersion,
    Role,
    Tag,
    User,
)
from sekisho.world import EntityRecord, GroupRecord, KeyRecord, PolicyRecord, PrincipalRecord, Record

Unseal = Callable[[AccessKey], str]

_ENTITIES, _USERS, _ROLES = (inspect(table).local_table for table in (Entity, User, Role))
_BOUNDARIES = _ENTITIES.alias("boundaries")
_ENTITY = (
    select(
        *(_ENTITIES.c[name] for name in ("id", "name", "path", "created_at")),
        _USERS.c.password_last_used_at,
        _BOUNDARIES.c.account_id.label("boundary_account"),
        _BOUNDARIES.c.name.label("boundary_name"),
        _BOUNDARIES.c.path.label("boundary_path"),
    )
    .select_from(
        _ENTITIES.outerjoin(_USERS, _USERS.c.id == _ENTITIES.c.id)
        .outerjoin(_ROLES, _ROLES.c.id == _ENTITIES.c.id)
        .outerjoin(_BOUNDARIES, _BOUNDARIES.c.id == func.coalesce(_USERS.c.boundary_id, _ROLES.c.boundary_id))
    )
    .where(*(_ENTITIES.c[name] == bindparam(name) for name in ("account_id", "kind", "name_key")))
)
# Columns, not objects: making one takes a time by which what is there would be told from what is not.
_KEY = select(AccessKey.id, AccessKey.account_id, AccessKey.owner_id, AccessKey.status, AccessKey.secret).where(
    AccessKey.id == bindparam("id")
)
_ROLE = select(Role.account_id, Role.name, Role.path, Role.boundary_id, Role.trust_policy, Role.max_session_seconds).where(
    Role.id == bindparam("id")
)
_TAGS = select(Tag.key, Tag.value).where(Tag.owner_id == bindparam("owner_id")).order_by(Tag.key_key)


def load_record(session: Session, id_: str, unseal: Unseal, decoy: AccessKey | None = None) -> Record | None:
    """The record of an id, or None when there is no such thing; then the secret of `decoy` is opened in the place of a key's own."""
    if arn.is_account_id(id_):
        return organizations.load_account(session, id_)
    loader = _LOADERS.get(id_[:4]) or _OF_ORGANIZATIONS.get(id_.partition("-")[0])
    if loader is not None:
        return loader(session, id_)
    key: Any = session.execute(_KEY, {"id": id_}).one_or_none()
    if key is None:
        if decoy is not None:
            unseal(decoy)
        return None
    return KeyRecord(key.id, key.account_id, key.owner_id, key.status, unseal(key))


def load_entity(session: Session, named: arn.Entity) -> EntityRecord | None:
    """The entity of this name, in any case, in its account."""
    account_id, kind = named.account, named.kind
    values = {"account_id": account_id, "kind": kind, "name_key": named.key}
    row = session.connection().execute(_ENTITY, values).one_or_none()
    tags = session.connection().execute(_TAGS, {"owner_id": row.id if row is not None else ""}).all()  # as often for what is not there
    if row is None:
        return None
    boundary = row.boundary_account
    return EntityRecord(
        id=row.id,
        account_id=account_id,
        kind=kind,
        name=row.name,
        path=row.path,
        arn=arn.root(account_id) if kind == "root" else arn.iam(account_id, kind, row.name, row.path),
        created_at=row.created_at,
        tags={tag.key: tag.value for tag in tags},
        boundary_arn=arn.iam(boundary, "policy", row.boundary_name, row.boundary_path) if boundary is not None else None,
        password_last_used_at=row.password_last_used_at,
    )


def load_name(session: Session, named: arn.Entity) -> Name | None:
    """The bearer of a name, in any case, in its account."""
    query = select(Entity.id, Entity.path, Entity.name)
    row = session.execute(
        query.where(Entity.account_id == named.account, Entity.kind == named.kind, Entity.name_key == named.key)
    ).one_or_none()
    return Name(*row) if row is not None else None


def load_id(session: Session, named: arn.Entity) -> str | None:
    """The unique id of what an ARN names now, in any account; path and spelling must be its own."""
    if named.kind == "root":
        return named.account if session.get(Account, named.account) is not None else None
    found = load_name(session, named)
    return found.id if found is not None and (found.name, found.path) == (named.name, named.path) else None


def _user(session: Session, id_: str) -> Record | None:
    row = session.get(User, id_, populate_existing=True)
    tags, inline, policy_ids = _tags(session, id_), _inline(session, id_), _attached(session, id_)
    groups = session.scalars(select(Membership.group_id).where(Membership.user_id == id_).order_by(Membership.group_id)).all()
    if row is None:
        return None
    return PrincipalRecord(
        id=id_,
        account_id=row.account_id,
        kind="user",
        name=row.name,
        arn=arn.iam(row.account_id, "user", row.name, row.path),
        tags=tags,
        inline=inline,
        policy_ids=policy_ids,
        group_ids=tuple(groups),
        boundary_id=row.boundary_id,
    )


def _role(session: Session, id_: str) -> Record | None:
    row = session.execute(_ROLE, {"id": id_}).one_or_none()
    tags, inline, policy_ids = _tags(session, id_), _inline(session, id_), _attached(session, id_)
    if row is None:
        return None
    return PrincipalRecord(
        id=id_,
        account_id=row.account_id,
        kind="role",
        name=row.name,
        arn=arn.iam(row.account_id, "role", row.name, row.path),
        tags=tags,
        inline=inline,
        policy_ids=policy_ids,
        boundary_id=row.boundary_id,
        trust=policy.Attached(program=policy.compiled(row.trust_policy), name="AssumeRolePolicyDocument"),
        max_session_seconds=row.max_session_seconds,
    )


def _group(session: Session, id_: str) -> Record | None:
    row = session.get(Group, id_, populate_existing=True)
    return GroupRecord(id_, _inline(session, id_), _attached(session, id_)) if row is not None else None


def _policy(session: Session, id_: str) -> Record | None:
    row = session.get(Policy, id_, populate_existing=True)
    if row is None:
        return None
    named = arn.iam(row.account_id, "policy", row.name, row.path)
    document = session.scalars(
        select(PolicyVersion.document).where(PolicyVersion.policy_id == id_, PolicyVersion.number == row.default_version)
    ).one()
    return PolicyRecord(id_, named, policy.Attached(policy.compiled(document), arn=named, version=f"v{row.default_version}"))


_LOADERS: dict[str, Callable[[Session, str], Record | None]] = {"AIDA": _user, "AROA": _role, "AGPA": _group, "ANPA": _policy}
_OF_ORGANIZATIONS: dict[str, Callable[[Session, str], Record | None]] = {
    "r": organizations.load_unit,
    "ou": organizations.load_unit,
    "p": organizations.load_policy,
}
"""By what stands before the dash of an id."""


def _tags(session: Session, owner_id: str) -> dict[str, str]:
    rows = session.execute(select(Tag.key, Tag.value).where(Tag.owner_id == owner_id).order_by(Tag.key)).all()
    return {row.key: row.value for row in rows}


def _inline(session: Session, owner_id: str) -> tuple[policy.Attached, ...]:
    query = select(InlinePolicy.name, InlinePolicy.document).where(InlinePolicy.owner_id == owner_id).order_by(InlinePolicy.name_key)
    return tuple(policy.Attached(policy.compiled(row.document), name=row.name) for row in session.execute(query))


def _attached(session: Session, owner_id: str) -> tuple[str, ...]:
    rows: Sequence[str] = session.scalars(
        select(Attachment.policy_id).where(Attachment.owner_id == owner_id).order_by(Attachment.created_at, Attachment.policy_id)
    ).all()
    return tuple(rows)

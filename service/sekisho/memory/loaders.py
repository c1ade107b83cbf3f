"""Loads world records from the database, by immutable id.

These are the only reads that do not filter by the caller's account: a decision follows ids wherever they lead. What is not there takes the
same statements as what is, and an absent key opens as much as one that is there: who asks in vain does not learn from the time it takes.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import bindparam, func, inspect, select
from sqlalchemy.orm import Session

from sekisho import arn, policy
from sekisho.memory import issuers, organizations, providers, resources
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
_USER = select(User.account_id, User.name, User.path, User.boundary_id).where(User.id == bindparam("id"))
_GROUP_IDS = select(Membership.group_id).where(Membership.user_id == bindparam("id")).order_by(Membership.group_id)
_NAME = select(Entity.id, Entity.path, Entity.name).where(
    *(
        column == bindparam(name)
        for column, name in ((Entity.account_id, "account_id"), (Entity.kind, "kind"), (Entity.name_key, "name_key"))
    )
)
# By many ids at once: a statement for each of ten groups and their hundred policies would make a cold decision as slow as they are many.
_GROUPS = select(inspect(Group).local_table.c.id).where(inspect(Group).local_table.c.id.in_(bindparam("ids", expanding=True)))
_INLINE = (
    select(InlinePolicy.owner_id, InlinePolicy.name, InlinePolicy.document)
    .where(InlinePolicy.owner_id.in_(bindparam("ids", expanding=True)))
    .order_by(InlinePolicy.name_key)
)
_ATTACHED = (
    select(Attachment.owner_id, Attachment.policy_id)
    .where(Attachment.owner_id.in_(bindparam("ids", expanding=True)))
    .order_by(Attachment.created_at, Attachment.policy_id)
)
_POLICIES = (
    select(Policy.id, Policy.account_id, Policy.name, Policy.path, Policy.default_version, PolicyVersion.document)
    .join(PolicyVersion, (PolicyVersion.policy_id == Policy.id) & (PolicyVersion.number == Policy.default_version))
    .where(Policy.id.in_(bindparam("ids", expanding=True)))
)
_TAGS = select(Tag.key, Tag.value).where(Tag.owner_id == bindparam("owner_id")).order_by(Tag.key_key)


def load_record(session: Session, id_: str, unseal: Unseal, decoy: AccessKey | None = None, *, private: bool = True) -> Record | None:
    """The record of an id, or None when there is no such thing; then the secret of `decoy` is opened in the place of a key's own. Private
    keys of issuers and SAML providers are loaded for a node that may read them.
    """
    if arn.is_account_id(id_):
        return organizations.load_account(session, id_)
    if id_.startswith(resources.PREFIX):
        return resources.load_resource(session, id_)
    if id_.startswith(f"{issuers.PREFIX}-"):
        return issuers.load_issuer(session, id_, private=private)
    loader = _LOADERS.get(id_[:4]) or _OF_ORGANIZATIONS.get(id_.partition("-")[0])
    if loader is not None:
        return loader(session, id_)
    if providers.is_id(id_):
        return providers.load_provider(session, id_, private=private)
    key: Any = session.execute(_KEY, {"id": id_}).one_or_none()
    if key is None:
        if decoy is not None:
            unseal(decoy)
        return None
    return KeyRecord(key.id, key.account_id, key.owner_id, key.status, unseal(key))


def load_followed(
    session: Session, record: Record | None, cached: Callable[[str], Record | None], is_known: Callable[[str], bool]
) -> dict[str, Record]:
    """What a decision about a principal follows from its record, by id: its groups, and the policies of both, in a number of statements
    that does not depend on how many there are. Without those that are known already, and those that are not there.
    """
    if not isinstance(record, PrincipalRecord):
        return {}
    groups = _groups(session, [id_ for id_ in record.group_ids if not is_known(id_)])
    wanted = dict.fromkeys((*record.policy_ids, *([record.boundary_id] if record.boundary_id is not None else ())))
    for id_ in record.group_ids:
        group = groups.get(id_) or cached(id_)
        wanted |= dict.fromkeys(group.policy_ids) if isinstance(group, GroupRecord) else {}
    return {**groups, **_policies(session, [id_ for id_ in wanted if not is_known(id_)])}


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
    values = {"account_id": named.account, "kind": named.kind, "name_key": named.key}
    row = session.connection().execute(_NAME, values).one_or_none()
    return Name(*row) if row is not None else None


def load_id(session: Session, named: arn.Entity) -> str | None:
    """The unique id of what an ARN names now, in any account; path and spelling must be its own."""
    if named.kind == "root":
        return named.account if session.get(Account, named.account) is not None else None
    found = load_name(session, named)
    return found.id if found is not None and (found.name, found.path) == (named.name, named.path) else None


def _user(session: Session, id_: str) -> Record | None:
    row = session.connection().execute(_USER, {"id": id_}).one_or_none()
    tags, inline, policy_ids = _tags(session, id_), _inline(session, [id_])[id_], _attached(session, [id_])[id_]
    groups = session.connection().execute(_GROUP_IDS, {"id": id_}).scalars().all()
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
    row = session.connection().execute(_ROLE, {"id": id_}).one_or_none()
    tags, inline, policy_ids = _tags(session, id_), _inline(session, [id_])[id_], _attached(session, [id_])[id_]
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
    return _groups(session, [id_]).get(id_)


def _groups(session: Session, ids: Sequence[str]) -> dict[str, GroupRecord]:
    """Groups by id."""
    if not ids:
        return {}
    there = session.connection().execute(_GROUPS, {"ids": ids}).scalars().all()
    inline, attached = _inline(session, ids), _attached(session, ids)
    return {id_: GroupRecord(id_, inline[id_], attached[id_]) for id_ in there}


def _policy(session: Session, id_: str) -> Record | None:
    return _policies(session, [id_]).get(id_)


def _policies(session: Session, ids: Sequence[str]) -> dict[str, PolicyRecord]:
    """Managed policies by id, each with its default version."""
    if not ids:
        return {}
    made = {}
    for row in session.connection().execute(_POLICIES, {"ids": ids}):
        named = arn.iam(row.account_id, "policy", row.name, row.path)
        attached = policy.Attached(policy.compiled(row.document), arn=named, version=f"v{row.default_version}")
        made[row.id] = PolicyRecord(row.id, named, attached)
    return made


_LOADERS: dict[str, Callable[[Session, str], Record | None]] = {"AIDA": _user, "AROA": _role, "AGPA": _group, "ANPA": _policy}
_OF_ORGANIZATIONS: dict[str, Callable[[Session, str], Record | None]] = {
    "r": organizations.load_unit,
    "ou": organizations.load_unit,
    "p": organizations.load_policy,
}
"""By what stands before the dash of an id."""


def _tags(session: Session, owner_id: str) -> dict[str, str]:
    return {row.key: row.value for row in session.connection().execute(_TAGS, {"owner_id": owner_id})}


def _inline(session: Session, ids: Sequence[str]) -> dict[str, tuple[policy.Attached, ...]]:
    """The inline policies of each owner, by name."""
    found: dict[str, list[policy.Attached]] = {id_: [] for id_ in ids}
    for owner_id, name, document in session.connection().execute(_INLINE, {"ids": ids}):
        found[owner_id].append(policy.Attached(policy.compiled(document), name=name))
    return {id_: tuple(made) for id_, made in found.items()}


def _attached(session: Session, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The ids of the managed policies of each owner, in the order in which they were attached."""
    found: dict[str, list[str]] = {id_: [] for id_ in ids}
    for owner_id, policy_id in session.connection().execute(_ATTACHED, {"ids": ids}):
        found[owner_id].append(policy_id)
    return {id_: tuple(made) for id_, made in found.items()}

"""What analyzers look at, as a snapshot of the database has it: roles with their trust policies and registered resources with theirs; users
and roles with what they use.

A role's policy names users and roles by their unique ids. Here it names them by their ARNs, as whoever reads a finding does, and no
longer names those who are gone: nobody can act as them.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session

from sekisho import arn
from sekisho.journal.analyzers import inclusions, principals
from sekisho.journal.analyzers.kinds import EXTERNAL, INTERNAL, UNUSED, kind_of, type_of
from sekisho.journal.analyzers.principals import Principal
from sekisho.store.tables import Analyzer, Entity, Member, RegisteredResource, Role
from sekisho.world import resources

ROLE, USER = "AWS::IAM::Role", "AWS::IAM::User"
TYPES = {"role": ROLE, "user": USER}
_ID = re.compile(r"A(?:ID|RO)A[A-Z2-7]{17}")


@dataclass(frozen=True, slots=True)
class Source:
    """A resource with its policy, or a user or role with all that can be unused of it. `id` is what the change log calls it."""

    id: str
    arn: str
    type: str
    owner: str
    document: str = ""
    principal: Principal | None = None


def by_id(session: Session, ids: Iterable[str], kind: str = EXTERNAL) -> list[Source]:
    """Those of these ids that analyzers of a kind look at, with their policies or with what can be unused; ids of anything else lead to
    nothing.
    """
    wanted = sorted(ids)
    if kind == UNUSED:
        return _principals(session, select(*_ENTITY).where(Entity.id.in_([id_ for id_ in wanted if id_.startswith(("AROA", "AIDA"))])))
    if kind == INTERNAL:
        return _bare(session, select(*_RESOURCE).where(RegisteredResource.id.in_([id_ for id_ in wanted if id_.startswith("arn:")])))
    roles = _roles(session, select(*_ROLE).where(Role.id.in_([id_ for id_ in wanted if id_.startswith("AROA")])))
    registered = RegisteredResource.id.in_([id_ for id_ in wanted if id_.startswith("arn:")])
    return roles + _resources(session, select(*_RESOURCE).where(registered))


def get_named(session: Session, text: str, owner: str, kind: str = EXTERNAL) -> Source | None:
    """The resource of an account that has this ARN, if there is one that analyzers of a kind look at."""
    named = arn.entity(text)
    if kind == UNUSED:
        if named is None or named.kind not in ("user", "role"):
            return None
        wanted = Entity.account_id == named.account, Entity.kind == named.kind, Entity.name_key == named.key
        held = _principals(session, select(*_ENTITY).where(*wanted))
    elif named is not None and named.kind == "role":
        held = _roles(session, select(*_ROLE).where(Role.account_id == named.account, Role.kind == "role", Role.name_key == named.key))
    else:
        load = _bare if kind == INTERNAL else _resources
        held = load(session, select(*_RESOURCE).where(RegisteredResource.id == resources.key(owner, text)))
    return held[0] if held and held[0].arn == text else None


def after(session: Session, row: Analyzer, last: str, most: int) -> tuple[list[Source], str | None]:
    """The next of those that an analyzer looks at, and behind what the rest is, None when there is no rest: first roles, or users and
    roles, by id; then registered resources, of which some have no policy, so that a page of them may be empty.
    """
    kind = kind_of(row)
    if kind == INTERNAL:
        return _included_after(session, row, last.removeprefix(_REGISTERED), most)
    if not last.startswith(_REGISTERED):
        own = _principals_after if kind == UNUSED else _roles_after
        found = own(session, row, last, most)
        if found:
            return found, found[-1].id
        return [], None if kind == UNUSED else _REGISTERED
    return _resources_after(session, row, last.removeprefix(_REGISTERED))


def trusting(document: str, arns: Mapping[str, str]) -> str:
    """A trust policy with ARNs for the ids that it names, and without those that have none; empty when nobody is named any more."""
    value = json.loads(document)
    listed = value["Statement"] if isinstance(value["Statement"], list) else [value["Statement"]]
    kept = [statement for statement in listed if _renamed(statement, arns)]
    return json.dumps({**value, "Statement": kept}) if kept else ""


def ids_in(document: str) -> list[str]:
    """The unique ids that a text has."""
    return _ID.findall(document)


_REGISTERED = "resource:"
"""Before the place in the walk along registered resources, which is JSON."""
_WALKED = 200
"""Registered resources that are walked along at once, with or without a policy."""
_RESOURCE = (
    RegisteredResource.id,
    RegisteredResource.account_id,
    RegisteredResource.arn,
    RegisteredResource.service,
    RegisteredResource.policy,
)
_ENTITY = (Entity.id, Entity.account_id, Entity.kind, Entity.path, Entity.name)
_ROLE = (Role.id, Role.account_id, Role.path, Role.name, Role.trust_policy)


def _principals(session: Session, query: Select[*tuple[Any, ...]]) -> list[Source]:
    rows = session.execute(query).all()
    held = principals.load(session, [row.id for row in rows])
    return [
        Source(row.id, arn.iam(row.account_id, row.kind, row.name, row.path), TYPES[row.kind], row.account_id, "", held.get(row.id))
        for row in rows
    ]


def _principals_after(session: Session, row: Analyzer, last: str, most: int) -> list[Source]:
    kinds = Entity.kind.in_(("user", "role"))
    query = select(*_ENTITY).where(_within(Entity.account_id, row), kinds, Entity.id > last)
    return _principals(session, query.order_by(Entity.id).limit(most))


def _roles_after(session: Session, row: Analyzer, last: str, most: int) -> list[Source]:
    query = select(*_ROLE).where(_within(Role.account_id, row), Role.kind == "role", Role.id > last)
    return _roles(session, query.order_by(Role.id).limit(most))


def _resources_after(session: Session, row: Analyzer, last: str) -> tuple[list[Source], str | None]:
    """In the order of the index by which an account's are found."""
    key = (RegisteredResource.account_id, RegisteredResource.service, RegisteredResource.type, RegisteredResource.id)
    query = select(*key).where(_within(RegisteredResource.account_id, row))
    if last:
        query = query.where(tuple_(*key) > tuple_(*json.loads(last)))
    rows = session.execute(query.order_by(*key).limit(_WALKED)).all()
    if not rows:
        return [], None
    some = RegisteredResource.id.in_([one.id for one in rows])
    return _resources(session, select(*_RESOURCE).where(some)), _REGISTERED + json.dumps(list(rows[-1]))


def _included_after(session: Session, row: Analyzer, last: str, most: int) -> tuple[list[Source], str | None]:
    """The next of those that an analyzer of internal access is told to look at."""
    told = inclusions.of(row)
    key = (RegisteredResource.account_id, RegisteredResource.service, RegisteredResource.type, RegisteredResource.id)
    query = select(*_RESOURCE, RegisteredResource.type).where(_within(RegisteredResource.account_id, row), inclusions.narrowing(told))
    if last:
        query = query.where(tuple_(*key) > tuple_(*json.loads(last)))
    rows = session.execute(query.order_by(*key).limit(_WALKED)).all()
    found: list[Source] = []
    for one in rows:
        source = Source(one.id, one.arn, type_of(one.service, one.arn), one.account_id)
        if inclusions.includes(told, source.arn, source.type, source.owner):
            found.append(source)
        if len(found) == most:
            break
    if not rows:
        return [], None
    return found, _REGISTERED + json.dumps([one.account_id, one.service, one.type, one.id])


def _bare(session: Session, query: Select[*tuple[Any, ...]]) -> list[Source]:
    """Registered resources, without the policies that they may have."""
    rows = session.execute(query).all()
    return [Source(row.id, row.arn, type_of(row.service, row.arn), row.account_id) for row in rows]


def _resources(session: Session, query: Select[*tuple[Any, ...]]) -> list[Source]:
    """Those that have a policy: to the others nobody is let in by one."""
    rows = session.execute(query.where(RegisteredResource.policy.is_not(None))).all()
    arns = named(session, {id_ for row in rows for id_ in ids_in(row.policy)})
    return [
        Source(
            row.id,
            row.arn,
            type_of(row.service, row.arn),
            row.account_id,
            trusting(row.policy, arns) if ids_in(row.policy) else row.policy,
        )
        for row in rows
    ]


def _within(column: Any, row: Analyzer) -> Any:
    """A condition on the account of a resource: that the analyzer looks at it."""
    if row.organization_id is None:
        return column == row.account_id
    return column.in_(select(Member.account_id).where(Member.organization_id == row.organization_id))


def _roles(session: Session, query: Select[*tuple[Any, ...]]) -> list[Source]:
    rows = session.execute(query).all()
    arns = named(session, {id_ for row in rows for id_ in ids_in(row.trust_policy)})
    return [
        Source(row.id, arn.iam(row.account_id, "role", row.name, row.path), ROLE, row.account_id, trusting(row.trust_policy, arns))
        for row in rows
    ]


def named(session: Session, ids: Iterable[str]) -> dict[str, str]:
    """The ARNs of users and roles by their unique ids."""
    query = select(Entity.id, Entity.account_id, Entity.kind, Entity.name, Entity.path).where(Entity.id.in_(sorted(ids)))
    return {row.id: arn.iam(row.account_id, row.kind, row.name, row.path) for row in session.execute(query)}


def _renamed(statement: dict[str, Any], arns: Mapping[str, str]) -> bool:
    """Put ARNs into a statement; whether it still names anybody."""
    principal = statement.get("Principal")
    if not isinstance(principal, dict) or "AWS" not in principal:
        return True
    listed: Sequence[str] = [principal["AWS"]] if isinstance(principal["AWS"], str) else principal["AWS"]
    kept = [arns.get(one, one) for one in listed if one in arns or not _ID.fullmatch(one)]
    rest = {kind: names for kind, names in principal.items() if kind != "AWS"}
    statement["Principal"] = {**rest, "AWS": kept} if kept else rest
    return bool(statement["Principal"])

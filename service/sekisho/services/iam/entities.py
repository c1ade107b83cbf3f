"""Names, paths, unique ids, pages and dependents, which users, groups, roles and policies have in common."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from google.protobuf.message import Message
from sqlalchemy import ColumnElement, Select, bindparam, exists, func, select
from sqlalchemy.orm import InstrumentedAttribute

from sekisho import arn
from sekisho.calls import pages
from sekisho.calls.call import Call
from sekisho.credentials import key_ids
from sekisho.operations import Resource
from sekisho.services.iam import quotas
from sekisho.services.iam.errors import DeleteConflict, EntityAlreadyExists, NoSuchEntity, UnmodifiableEntity
from sekisho.services.iam.requests import Paged
from sekisho.store import paging
from sekisho.store.prepared import Prepared
from sekisho.store.tables import Entity, EntityCount, Group, QuotaOverride, Role, User
from sekisho.store.tables.entities import kind_of
from sekisho.world import EntityRecord

E = TypeVar("E", bound=Entity)
T = TypeVar("T")
Owner = User | Group | Role
"""The entities that can have policies."""

SERVICE_LINKED = "/aws-service-role/"
"""The beginning of the paths of service-linked roles, which are exempt from service control policies."""

# AWS's sentences about a name, by kind; the kinds that are not here share one.
_NOT_FOUND = {
    "instance-profile": "Instance Profile {} cannot be found.",
    "server-certificate": "The Server Certificate with name {} cannot be found.",
}
_TAKEN = {
    "instance-profile": "Instance Profile {} already exists.",
    "mfa": "MFA device already exists.",
    "policy": "A policy called {} already exists. Duplicate names are not allowed.",
    "server-certificate": "The Server Certificate with name {} already exists.",
    "oidc-provider": "Provider with url https://{} already exists.",
    "saml-provider": "Provider with name {} already exists.",
}

_OF_KIND = (Entity.account_id == bindparam("account_id"), Entity.kind == bindparam("kind"))
_ROOM = Prepared(
    select(
        exists(select(Entity.id).where(*_OF_KIND, Entity.name_key == bindparam("name_key"))),
        select(EntityCount.held)
        .where(EntityCount.account_id == bindparam("account_id"), EntityCount.kind == bindparam("kind"))
        .scalar_subquery(),
        select(QuotaOverride.value)
        .where(QuotaOverride.account_id == bindparam("account_id"), QuotaOverride.quota == bindparam("quota"))
        .scalar_subquery(),
    ),
    "account_id",
    "kind",
    "name_key",
    "quota",
)
"""All that is asked before something new is made: is the name taken, how many of the kind are there, what is the account's own quota."""


def find(call: Call, table: type[E], name: str) -> E:
    """The entity of this name, or NoSuchEntity in AWS's sentence."""
    row = call.row(table, name)
    if row is None:
        raise no_such(table, name)
    return row


def no_such(table: type[Entity], name: str) -> NoSuchEntity:
    """AWS's sentence about a name that nothing of the kind has."""
    return NoSuchEntity(_NOT_FOUND.get(kind_of(table), f"The {kind_of(table)} with name {{}} cannot be found.").format(name))


def find_to_change(call: Call, table: type[E], name: str) -> E:
    """As `find`, for a change of its policies: UnmodifiableEntity for a service-linked role."""
    row = find(call, table, name)
    refuse_protected(row)
    return row


def is_service_linked(row: Entity) -> bool:
    """True for a role that only its service changes."""
    return row.kind == "role" and row.path.startswith(SERVICE_LINKED)


def refuse_protected(row: Entity) -> None:
    """UnmodifiableEntity when it is a service-linked role."""
    if is_service_linked(row):
        raise UnmodifiableEntity(f"Cannot perform the operation on the protected role '{row.name}' - this role is only modifiable by AWS")


def arn_of(row: Entity | EntityRecord) -> str:
    """The entity's ARN, with its path."""
    return arn.root(row.account_id) if row.kind == "root" else arn.iam(row.account_id, row.kind, row.name, row.path)


def new_columns(call: Call, table: type[E], name: str, path: str, *, quota: str, id_: str = "") -> dict[str, Any]:
    """The columns that every new entity has; EntityAlreadyExists when the name is taken, LimitExceeded when the account has as many of the
    kind as its quota allows. `id_`: for kinds whose ids have no prefix.
    """
    key = arn.Entity(call.account_id, kind_of(table), path or "/", name).key
    call.session.flush()
    there, many, override = _ROOM.row(call.session.connection(), account_id=call.account_id, kind=kind_of(table), name_key=key, quota=quota)
    if there:
        raise already_exists(table, name)
    quotas.check_set(quota, (many or 0) + 1, override)
    return {
        "id": id_ or key_ids.unique_id(kind_of(table)),
        "account_id": call.account_id,
        "name": name,
        "name_key": key,
        "path": path or "/",
        "created_at": call.now,
    }


def refuse_taken(call: Call, table: type[E], name: str) -> None:
    """EntityAlreadyExists when there is an entity of this kind and name, in any case."""
    if call.row(table, name) is not None:
        raise already_exists(table, name)


def already_exists(table: type[Entity], name: str) -> EntityAlreadyExists:
    """AWS's sentence about a name that something of the kind has already."""
    return EntityAlreadyExists(_TAKEN.get(kind_of(table), f"{kind_of(table).capitalize()} with name {{}} already exists.").format(name))


def rename(call: Call, row: E, name: str, path: str) -> None:
    """Give an entity another name or path; empty ones stay as they are. The id, and all that refers to it, stays."""
    if name:
        if name.lower() != row.name_key:
            refuse_taken(call, type(row), name)
        row.name, row.name_key = name, name.lower()
    if path:
        row.path = path


def refuse_dependents(call: Call, dependents: Sequence[tuple[ColumnElement[bool], str]]) -> None:
    """DeleteConflict with the sentence of the first condition that some row meets."""
    for condition, sentence in dependents:
        if call.session.scalar(select(exists().where(condition))):
            raise DeleteConflict(sentence)


def page_by_name(call: Call, request: Paged, table: type[E], *conditions: ColumnElement[bool], path_prefix: str = "") -> paging.Page[E]:
    """A page of the account's entities of a kind, by name; of those alone whose paths begin with the prefix."""
    query = select(table).where(table.account_id == call.account_id, table.kind == kind_of(table), *conditions)
    return page(call, request, under(query, table.path, path_prefix), key=[table.name_key], of=lambda row: [row.name_key])


def under(query: Select[T], path: InstrumentedAttribute[str], prefix: str) -> Select[T]:
    """The query, narrowed to paths that begin with the prefix; an empty one and `/` leave it as it is."""
    if prefix in ("", "/"):
        return query
    # Not LIKE: SQLite's takes no notice of case.
    return query.where(func.substr(path, 1, len(prefix)) == prefix)


def page(call: Call, request: Paged, query: Select[T], *, key: Sequence[Any], of: Callable[[T], Sequence[object]]) -> paging.Page[T]:
    """A page of any query of the caller's, with a marker that is good for the same request only."""
    return paging.page(call.session, query, cursor(call, request), key=key, of=of, marker=request.marker, most=request.max_items)


def cursor(call: Call, request: Paged) -> paging.Cursor:
    """Makes and opens the markers of a request."""
    return pages.cursor(call, request, place="marker", size="max_items")


def resource(call: Call, table: type[E], request: Message, name: str) -> Resource:
    """The resource that policies see of an entity: its ARN, tags and boundary; for one that does not exist, the ARN without a path.

    A request with a `path` makes a new entity: then it is the ARN to be, and of what has the name already nothing is seen, since
    what exists must not lend its tags to what is asked for.
    """
    path: str | None = getattr(request, "path", None)
    if path is not None:
        return Resource(arn.iam(call.account_id, kind_of(table), name, path or "/"))
    found, named = call.entity(kind_of(table), name), arn.iam(call.account_id, kind_of(table), name)
    return resource_of_record(found, named=named) if found is not None else Resource(named)


def renamed_resource(call: Call, table: type[E], name: str, *, new_name: str, new_path: str) -> Resource:
    """The resource that policies see of an entity under the name and path that it is to have; tags and boundary are those it has."""
    found = call.entity(kind_of(table), name)
    if found is None:
        return Resource(arn.iam(call.account_id, kind_of(table), new_name or name, new_path or "/"))
    now, named = resource_of_record(found), arn.iam(call.account_id, kind_of(table), new_name or name, new_path or "/")
    return Resource(arn.iam(call.account_id, kind_of(table), new_name or found.name, new_path or found.path), now.tags, now.keys, named)


def resource_of_arn(call: Call, kind: str, text: str) -> Resource:
    """The resource that policies see of the entity of an ARN; one that does not exist has no tags."""
    found = call.entity(kind, text) if text.startswith("arn:") else None
    return resource_of_record(found) if found is not None else Resource(text)


def resource_of_record(found: EntityRecord, *, named: str = "") -> Resource:
    """The resource that policies see of an entity that exists: ARN, tags, and as `iam:PermissionsBoundary` the boundary that it has."""
    keys = {"iam:PermissionsBoundary": found.boundary_arn} if found.boundary_arn is not None else {}
    return Resource(found.arn, found.tags, keys, named)


def seconds(moment: datetime | None) -> datetime | None:
    """A moment as the API shows it: in whole seconds."""
    return moment.replace(microsecond=0) if moment is not None else None

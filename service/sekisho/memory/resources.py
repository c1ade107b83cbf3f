"""Loads registered resources, each with its tags and its policy, in one statement."""

from typing import Any

from sqlalchemy import CompoundSelect, bindparam, null, select, union_all
from sqlalchemy.orm import Session

from sekisho import policy
from sekisho.store.tables import RegisteredResource, ResourceService, ResourceTag
from sekisho.world import ResourceRecord

PREFIX = "arn:"
"""What the id of a registered resource begins with, and of nothing else."""

_RESOURCE: CompoundSelect[Any] = union_all(
    select(RegisteredResource.account_id, RegisteredResource.arn, RegisteredResource.policy, null(), null()).where(
        RegisteredResource.id == bindparam("id")
    ),
    select(null(), null(), null(), ResourceTag.key, ResourceTag.value).where(ResourceTag.resource_id == bindparam("id")),
)
_SERVICES = select(ResourceService.service).where(ResourceService.account_id == bindparam("id"))


def load_resource(session: Session, id_: str) -> ResourceRecord | None:
    """The resource of a key (`world.resources.key`); None when it is not registered."""
    found, tags = None, {}
    for account_id, named, document, key, value in session.connection().execute(_RESOURCE, {"id": id_}):
        if account_id is None:
            tags[key] = value
        else:
            found = account_id, named, document
    if found is None:
        return None
    account_id, named, document = found
    attached = policy.Attached(policy.compiled(document), arn=named, name="resource policy") if document is not None else None
    return ResourceRecord(named, account_id, dict(sorted(tags.items())), attached)


def load_registers(session: Session, account_id: str) -> frozenset[str]:
    """The services of which an account has registered resources."""
    return frozenset(session.connection().execute(_SERVICES, {"id": account_id}).scalars())

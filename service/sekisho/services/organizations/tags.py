"""Tags of accounts, units, roots, policies and the organization's own policy; the keys differ by case."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import func, select

from sekisho.api.organizations.v1 import tags_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.organizations import managed, membership, pages, quotas, tree
from sekisho.services.organizations.errors import InvalidInput, TargetNotFound
from sekisho.store.tables import Organization, OrganizationPolicy, OrganizationResourcePolicy, OrganizationTag


@operation
def tag_resource(call: Call, request: pb.TagResourceRequest) -> pb.TagResourceResponse:
    """A key that is there already gets the new value."""
    organization = membership.find_administered(call, request)
    _refuse_unknown(call, organization, request.resource_id)
    put(call, organization, request.resource_id, request.tags)
    return pb.TagResourceResponse()


@operation
def untag_resource(call: Call, request: pb.UntagResourceRequest) -> pb.UntagResourceResponse:
    """A key that is not there is no error."""
    organization = membership.find_administered(call, request)
    _refuse_unknown(call, organization, request.resource_id)
    for row in _rows(call, request.resource_id):
        if row.key in request.tag_keys:
            call.session.delete(row)
    return pb.UntagResourceResponse()


@operation
def list_tags_for_resource(call: Call, request: pb.ListTagsForResourceRequest) -> pb.ListTagsForResourceResponse:
    """By key."""
    organization = membership.find_readable(call, request)
    _refuse_unknown(call, organization, request.resource_id)
    query = select(OrganizationTag).where(OrganizationTag.resource_id == request.resource_id)
    found = pages.page(call, request, query, key=[OrganizationTag.key], of=lambda row: [row.key])
    return pb.ListTagsForResourceResponse(tags=[pb.Tag(key=row.key, value=row.value) for row in found.rows], next_token=found.marker)


def put(call: Call, organization: Organization, resource_id: str, given: Iterable[pb.Tag]) -> None:
    """Give a resource tags, or other values of those that it has."""
    new = refuse_wrong(given)
    old = {row.key: row for row in _rows(call, resource_id)}
    quotas.refuse(
        "MAX_TAG_LIMIT_EXCEEDED", reached=len(old.keys() | new.keys()) > quotas.MOST_TAGS, message="You have exceeded the limit of tags."
    )
    for key, value in new.items():
        if key in old:
            old[key].value = value
        else:
            call.add(OrganizationTag(resource_id=resource_id, key=key, organization_id=organization.id, value=value))


def refuse_wrong(given: Iterable[pb.Tag]) -> dict[str, str]:
    """The tags by key; InvalidInput for keys that are reserved or stand twice."""
    new: dict[str, str] = {}
    for tag in given:
        if tag.key.lower().startswith("aws:"):
            raise InvalidInput("INVALID_SYSTEM_TAGS_PARAMETER", "You specified a tag key that is a system tag.")
        if tag.key in new:
            raise InvalidInput("DUPLICATE_TAG_KEY", "Tag keys must be unique among the tags attached to the same entity.")
        new[tag.key] = tag.value
    return new


def clear(call: Call, resource_id: str) -> None:
    """Take all tags from a resource that is about to go."""
    for row in _rows(call, resource_id):
        call.session.delete(row)


def _rows(call: Call, resource_id: str) -> Sequence[OrganizationTag]:
    return call.session.scalars(select(OrganizationTag).where(OrganizationTag.resource_id == resource_id)).all()


def _refuse_unknown(call: Call, organization: Organization, id_: str) -> None:
    """TargetNotFound for what is not the organization's; AWS's own policies have no tags."""
    if id_ in managed.POLICIES:
        raise InvalidInput("TARGET_NOT_SUPPORTED", "You can't perform the specified operation on that target entity.")
    table: Any = {"p": OrganizationPolicy, "rp": OrganizationResourcePolicy}.get(id_.partition("-")[0])
    if table is not None:
        wanted = select(func.count()).select_from(table).where(table.id == id_, table.organization_id == organization.id)
        there = bool(call.session.scalar(wanted))
    elif "-" in id_:
        there = tree.get_unit(call, organization, id_) is not None
    else:
        there = tree.get_member(call, organization, id_) is not None
    if not there:
        raise TargetNotFound("You specified a target that doesn't exist.")

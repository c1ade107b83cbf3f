"""Units: the root of an organization, and the organizational units beneath it."""

from sqlalchemy import exists, func, select

from sekisho.api.organizations.v1 import units_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.organizations import ids, membership, pages, quotas, tags, targets, tree
from sekisho.services.organizations.errors import (
    ChildNotFound,
    DuplicateOrganizationalUnit,
    OrganizationalUnitNotEmpty,
    OrganizationalUnitNotFound,
    ParentNotFound,
)
from sekisho.services.organizations.tree import Tree
from sekisho.store.tables import Member, Organization, PolicyType, Unit

_NO_PARENT = "You specified parent that doesn't exist."


@operation
def list_roots(call: Call, request: pb.ListRootsRequest) -> pb.ListRootsResponse:
    """An organization has one."""
    organization = membership.find_readable(call, request)
    query = select(Unit).where(Unit.id == organization.root_id)
    found = pages.page(call, request, query, key=[Unit.id], of=lambda row: [row.id])
    return pb.ListRootsResponse(roots=[root(call, organization) for _ in found.rows], next_token=found.marker)


@operation
def create_organizational_unit(call: Call, request: pb.CreateOrganizationalUnitRequest) -> pb.CreateOrganizationalUnitResponse:
    """Names are unique beneath one parent; five levels beneath the root."""
    organization = membership.find_managed(call)
    where = tree.load(call, organization)
    if request.parent_id not in where.parents:
        raise ParentNotFound(_NO_PARENT)
    quotas.refuse(
        "OU_DEPTH_LIMIT_EXCEEDED",
        reached=where.depth(request.parent_id) >= quotas.DEEPEST,
        message="You have exceeded the allowed number of levels of organizational units.",
    )
    quotas.refuse(
        "OU_NUMBER_LIMIT_EXCEEDED",
        reached=len(where.parents) > quotas.MOST_UNITS,
        message="You have exceeded the allowed number of organizational units.",
    )
    _refuse_taken(call, request.parent_id, request.name)
    row = Unit(
        id=ids.unit(organization.root_id),
        organization_id=organization.id,
        parent_id=request.parent_id,
        name=request.name,
        created_at=call.now,
    )
    call.add(row)
    targets.attach_managed(call, organization, row.id)
    tags.put(call, organization, row.id, request.tags)
    where.parents[row.id] = row.parent_id
    return pb.CreateOrganizationalUnitResponse(organizational_unit=_message(where, row))


@operation
def describe_organizational_unit(call: Call, request: pb.DescribeOrganizationalUnitRequest) -> pb.DescribeOrganizationalUnitResponse:
    """With its path."""
    organization = membership.find_readable(call, request)
    row = _find(call, organization, request.organizational_unit_id)
    return pb.DescribeOrganizationalUnitResponse(organizational_unit=_message(tree.load(call, organization), row))


@operation
def update_organizational_unit(call: Call, request: pb.UpdateOrganizationalUnitRequest) -> pb.UpdateOrganizationalUnitResponse:
    """The id stays, and all that refers to it."""
    organization = membership.find_managed(call)
    row = _find(call, organization, request.organizational_unit_id)
    if request.HasField("name") and request.name != row.name:
        _refuse_taken(call, str(row.parent_id), request.name)
        row.name = request.name
    return pb.UpdateOrganizationalUnitResponse(organizational_unit=_message(tree.load(call, organization), row))


@operation
def delete_organizational_unit(call: Call, request: pb.DeleteOrganizationalUnitRequest) -> pb.DeleteOrganizationalUnitResponse:
    """Nothing may hang in it; policies on it are taken off."""
    organization = membership.find_managed(call)
    row = _find(call, organization, request.organizational_unit_id)
    within = (select(Unit.id).where(Unit.parent_id == row.id), select(Member.account_id).where(Member.unit_id == row.id))
    if any(call.session.scalar(select(exists(query))) for query in within):
        raise OrganizationalUnitNotEmpty("The specified OU is not empty. Move all accounts to another root or to other OUs first.")
    targets.detach_all(call, row.id)
    tags.clear(call, row.id)
    call.session.delete(row)
    return pb.DeleteOrganizationalUnitResponse()


@operation
def list_organizational_units_for_parent(
    call: Call, request: pb.ListOrganizationalUnitsForParentRequest
) -> pb.ListOrganizationalUnitsForParentResponse:
    """By id, without those further down."""
    organization = membership.find_readable(call, request)
    where = tree.load(call, organization)
    if request.parent_id not in where.parents:
        raise ParentNotFound(_NO_PARENT)
    query = select(Unit).where(Unit.parent_id == request.parent_id)
    found = pages.page(call, request, query, key=[Unit.id], of=lambda row: [row.id])
    return pb.ListOrganizationalUnitsForParentResponse(
        organizational_units=[_message(where, row) for row in found.rows], next_token=found.marker
    )


@operation
def list_parents(call: Call, request: pb.ListParentsRequest) -> pb.ListParentsResponse:
    """Everything has one parent."""
    organization = membership.find_readable(call, request)
    if "-" in request.child_id:
        unit = tree.get_unit(call, organization, request.child_id)
        parent = unit.parent_id if unit is not None else None
    else:
        member = tree.get_member(call, organization, request.child_id)
        parent = member.unit_id if member is not None else None
    if parent is None:
        raise ChildNotFound("You specified a child that doesn't exist.")
    query = select(Unit.id).where(Unit.id == parent)
    found = pages.page(call, request, query, key=[Unit.id], of=lambda id_: [id_])
    return pb.ListParentsResponse(parents=[pb.Parent(id=id_, type=tree.type_of(id_)) for id_ in found.rows], next_token=found.marker)


@operation
def list_children(call: Call, request: pb.ListChildrenRequest) -> pb.ListChildrenResponse:
    """By id."""
    organization = membership.find_readable(call, request)
    if tree.get_unit(call, organization, request.parent_id) is None:
        raise ParentNotFound(_NO_PARENT)
    id_, parent = (Member.account_id, Member.unit_id) if request.child_type == "ACCOUNT" else (Unit.id, Unit.parent_id)
    found = pages.page(call, request, select(id_).where(parent == request.parent_id), key=[id_], of=lambda found: [found])
    children = [pb.Child(id=child, type=request.child_type) for child in found.rows]
    return pb.ListChildrenResponse(children=children, next_token=found.marker)


def root(call: Call, organization: Organization) -> pb.Root:
    """The root as the API shows it, with the types of policies that are in force."""
    types = call.session.scalars(select(PolicyType.type).where(PolicyType.root_id == organization.root_id).order_by(PolicyType.type))
    return pb.Root(
        id=organization.root_id,
        arn=tree.arn_of(organization, organization.root_id),
        name="Root",
        policy_types=[pb.PolicyTypeSummary(type=type_, status="ENABLED") for type_ in types],
    )


def _find(call: Call, organization: Organization, id_: str) -> Unit:
    """The unit, or OrganizationalUnitNotFound."""
    row = tree.get_unit(call, organization, id_)
    if row is None:
        raise OrganizationalUnitNotFound("You specified an organizational unit that doesn't exist.")
    return row


def _refuse_taken(call: Call, parent_id: str, name: str) -> None:
    """DuplicateOrganizationalUnit when a unit beneath the parent has the name."""
    if call.session.scalar(select(func.count()).select_from(Unit).where(Unit.parent_id == parent_id, Unit.name == name)):
        raise DuplicateOrganizationalUnit("An OU with the same name already exists.")


def _message(where: Tree, row: Unit) -> pb.OrganizationalUnit:
    return pb.OrganizationalUnit(id=row.id, arn=tree.arn_of(where.organization, row.id), name=row.name, path=where.path(row.id))

"""Managed policies, and what they are attached to."""

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import aliased

from sekisho.api.iam.v1 import policies_pb2 as pb
from sekisho.api.iam.v1.tags_pb2 import Tag
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.policy import validate
from sekisho.services.iam import entities, policy_arns, quotas, tags
from sekisho.store.tables import Attachment, Entity, Policy, PolicyVersion, Role, User

_PERMISSIONS, _BOUNDARY = "PermissionsPolicy", "PermissionsBoundary"
_KINDS = {"": ("group", "role", "user"), "User": ("user",), "Group": ("group",), "Role": ("role",)}
"""By `entity_filter`; the kinds of policies, which it may name too, have policies neither attached nor as a boundary."""

_SCOPES: dict[str, Callable[[Call], Sequence[str]]] = {
    "": lambda call: (call.account_id, policy_arns.AWS),
    "All": lambda call: (call.account_id, policy_arns.AWS),
    "AWS": lambda _: (policy_arns.AWS,),
    "Local": lambda call: (call.account_id,),
}

_ATTACHED = "Cannot delete a policy attached to entities."
_MORE_VERSIONS = (
    "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
    "The default version is deleted with the policy."
)

Counts = dict[str | None, int]


@operation
def create_policy(call: Call, request: pb.CreatePolicyRequest) -> pb.CreatePolicyResponse:
    """The document becomes version v1, in force. The answer leaves out the description, as AWS's does."""
    check_document(request.policy_document)
    columns = entities.new_columns(call, Policy, request.policy_name, request.path, quota="PoliciesQuota")
    row = Policy(**columns, description=request.description or None, default_version=1, last_version=1, updated_at=call.now)
    given = tags.first(call, row, request.tags)
    version = PolicyVersion(policy_id=row.id, number=1, document=request.policy_document, created_at=call.now)
    call.add(version)
    return pb.CreatePolicyResponse(policy=_message(row, {}, {}, tags=given))


@operation
def get_policy(call: Call, request: pb.GetPolicyRequest) -> pb.GetPolicyResponse:
    """With description and tags, which ListPolicies leaves out."""
    row = policy_arns.find(call, request.policy_arn)
    attached, bounding = usage(call, [row.id])
    return pb.GetPolicyResponse(policy=_message(row, attached, bounding, description=row.description, tags=tags.messages(call, row)))


@operation
def delete_policy(call: Call, request: pb.DeletePolicyRequest) -> pb.DeletePolicyResponse:
    """It must be attached to nothing, be no boundary, and have only the version in force."""
    row = policy_arns.own(call, request.policy_arn)
    entities.refuse_dependents(
        call,
        [
            (Attachment.policy_id == row.id, _ATTACHED),
            (User.boundary_id == row.id, _ATTACHED),
            (Role.boundary_id == row.id, _ATTACHED),
            ((PolicyVersion.policy_id == row.id) & (PolicyVersion.number != row.default_version), _MORE_VERSIONS),
        ],
    )
    tags.clear(call, row)
    call.session.delete(call.session.get_one(PolicyVersion, (row.id, row.default_version)))
    call.session.flush()
    call.session.delete(row)
    return pb.DeletePolicyResponse()


@operation
def list_policies(call: Call, request: pb.ListPoliciesRequest) -> pb.ListPoliciesResponse:
    """By name, without descriptions and tags; the id makes the order complete where AWS has a policy of the same name."""
    query = select(Policy).where(Policy.account_id.in_(_SCOPES[request.scope](call)), Policy.kind == "policy")
    if request.only_attached or request.policy_usage_filter == _PERMISSIONS:
        query = query.where(_is_attached(call))
    if request.policy_usage_filter == _BOUNDARY:
        query = query.where(_bounds(call, User) | _bounds(call, Role))
    query = entities.under(query, Policy.path, request.path_prefix)
    found = entities.page(call, request, query, key=[Policy.name_key, Policy.id], of=lambda row: [row.name_key, row.id])
    attached, bounding = usage(call, [row.id for row in found.rows])
    shown = [_message(row, attached, bounding) for row in found.rows]
    return pb.ListPoliciesResponse(policies=shown, is_truncated=found.marker is not None, marker=found.marker)


@operation
def list_entities_for_policy(call: Call, request: pb.ListEntitiesForPolicyRequest) -> pb.ListEntitiesForPolicyResponse:
    """Of the caller's account, by kind and name."""
    row = policy_arns.find(call, request.policy_arn)
    uses: dict[str, ColumnElement[bool]] = {
        _PERMISSIONS: Entity.id.in_(select(Attachment.owner_id).where(Attachment.policy_id == row.id)),
        _BOUNDARY: or_(*(Entity.id.in_(select(t.c.id).where(t.c.boundary_id == row.id)) for t in (User.__table__, Role.__table__))),
    }
    use = uses[request.policy_usage_filter] if request.policy_usage_filter else or_(*uses.values())
    kinds = _KINDS.get(request.entity_filter, ())
    query = select(Entity).where(Entity.account_id == call.account_id, Entity.kind.in_(kinds), use)
    query = entities.under(query, Entity.path, request.path_prefix)
    found = entities.page(call, request, query, key=[Entity.kind, Entity.name_key], of=lambda row: [row.kind, row.name_key])
    return pb.ListEntitiesForPolicyResponse(
        policy_groups=[pb.PolicyGroup(group_name=row.name, group_id=row.id) for row in found.rows if row.kind == "group"],
        policy_users=[pb.PolicyUser(user_name=row.name, user_id=row.id) for row in found.rows if row.kind == "user"],
        policy_roles=[pb.PolicyRole(role_name=row.name, role_id=row.id) for row in found.rows if row.kind == "role"],
        is_truncated=found.marker is not None,
        marker=found.marker,
    )


def check_document(text: str) -> None:
    """MalformedPolicyDocument or LimitExceeded when a text cannot be a managed policy's."""
    validate.check(text, validate.Kind.MANAGED)
    quotas.check("PolicySizeQuota", validate.size(text))


def _is_attached(call: Call) -> ColumnElement[bool]:
    """The condition that the outer query's policy is attached to something of the account."""
    owner = aliased(Entity)
    attached = select(Attachment.owner_id).join(owner, owner.id == Attachment.owner_id)
    return exists(attached.where(Attachment.policy_id == Policy.id, owner.account_id == call.account_id))


def _bounds(call: Call, table: type[User] | type[Role]) -> ColumnElement[bool]:
    """The condition that the outer query's policy is the boundary of some user, or role, of the account."""
    bounded = aliased(table)
    return exists(select(bounded.id).where(bounded.boundary_id == Policy.id, bounded.account_id == call.account_id))


def usage(call: Call, ids: Sequence[str]) -> tuple[Counts, Counts]:
    """The numbers of entities of the account that have each policy attached, and of those that have it as their boundary."""
    attached = (
        select(Attachment.policy_id, func.count())
        .join(Entity, Entity.id == Attachment.owner_id)
        .where(Attachment.policy_id.in_(ids), Entity.account_id == call.account_id)
        .group_by(Attachment.policy_id)
    )
    bounding: Counts = {}
    for table in (User, Role):
        query = select(table.boundary_id, func.count()).where(table.boundary_id.in_(ids), table.account_id == call.account_id)
        for id_, count in call.session.execute(query.group_by(table.boundary_id)):
            bounding[id_] = bounding.get(id_, 0) + count
    return {id_: count for id_, count in call.session.execute(attached)}, bounding  # noqa: C416  # a Row is no tuple to mypy


def _message(row: Policy, attached: Counts, bounding: Counts, *, description: str | None = None, tags: Sequence[Tag] = ()) -> pb.Policy:
    return pb.Policy(
        policy_name=row.name,
        policy_id=row.id,
        arn=entities.arn_of(row),
        path=row.path,
        default_version_id=f"v{row.default_version}",
        attachment_count=attached.get(row.id, 0),
        permissions_boundary_usage_count=bounding.get(row.id, 0),
        is_attachable=True,
        description=description,
        create_date=entities.seconds(row.created_at),
        update_date=entities.seconds(row.updated_at),
        tags=tags,
    )

"""All that decides what the users, groups and roles of an account may do, a page at a time.

Users come first, then groups, roles, the account's policies and those of AWS that it uses; what belongs to a page is loaded at once for
all of it, so that a page costs the same few queries whoever is on it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, and_, case, or_, select

from sekisho.api.iam.v1 import account_summaries_pb2 as pb
from sekisho.api.iam.v1 import attachments_pb2, policy_versions_pb2
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.iam import boundaries, entities, instance_profiles, policies, policy_arns, roles, tags, trust
from sekisho.store.tables import Attachment, Entity, Group, InlinePolicy, Membership, Policy, PolicyVersion, Role, User

_ALL = ("User", "Group", "Role", "LocalManagedPolicy", "AWSManagedPolicy")


@dataclass(frozen=True, slots=True)
class _Belongings:
    """The belongings of the users, groups and roles of a page, by their ids."""

    inline: dict[str, list[pb.PolicyDetail]] = field(default_factory=lambda: defaultdict(list))
    attached: dict[str, list[attachments_pb2.AttachedPolicy]] = field(default_factory=lambda: defaultdict(list))
    groups: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


@operation
def get_account_authorization_details(
    call: Call, request: pb.GetAccountAuthorizationDetailsRequest
) -> pb.GetAccountAuthorizationDetailsResponse:
    """A page counts what it lists, not what belongs to that."""
    wanted = list(request.filter) or _ALL
    rank = case({"user": 0, "group": 1, "role": 2}, value=Entity.kind, else_=case((Entity.account_id == policy_arns.AWS, 4), else_=3))
    query = select(Entity).where(or_(*(_selections(call)[kind] for kind in wanted)))
    found = entities.page(call, request, query, key=[rank, Entity.name_key, Entity.id], of=_key)
    ids = [row.id for row in found.rows]
    owned = _belongings(call, ids)
    response = pb.GetAccountAuthorizationDetailsResponse(is_truncated=found.marker is not None, marker=found.marker)
    for row in found.rows:
        if isinstance(row, User):
            response.user_detail_list.append(_user(call, row, owned))
        elif isinstance(row, Group):
            response.group_detail_list.append(_group(row, owned))
        elif isinstance(row, Role):
            response.role_detail_list.append(_role(call, row, owned))
    response.policies.extend(_policies(call, [row for row in found.rows if isinstance(row, Policy)]))
    return response


def _selections(call: Call) -> dict[str, ColumnElement[bool]]:
    """The entities that each filter means, as a condition."""
    own = Entity.account_id == call.account_id
    users = select(Entity.id).where(own)
    used = or_(
        Entity.id.in_(select(Attachment.policy_id).where(Attachment.owner_id.in_(users))),
        *(Entity.id.in_(select(t.boundary_id).where(t.boundary_id.is_not(None), t.account_id == call.account_id)) for t in (User, Role)),
    )
    return {
        "User": and_(own, Entity.kind == "user"),
        "Group": and_(own, Entity.kind == "group"),
        "Role": and_(own, Entity.kind == "role"),
        "LocalManagedPolicy": and_(own, Entity.kind == "policy"),
        "AWSManagedPolicy": and_(Entity.account_id == policy_arns.AWS, Entity.kind == "policy", used),
    }


def _key(row: Entity) -> Sequence[int | str]:
    """As the query orders."""
    rank = {"user": 0, "group": 1, "role": 2}.get(row.kind, 4 if row.account_id == policy_arns.AWS else 3)
    return [rank, row.name_key, row.id]


def _belongings(call: Call, ids: Sequence[str]) -> _Belongings:
    owned = _Belongings()
    inline = select(InlinePolicy).where(InlinePolicy.owner_id.in_(ids)).order_by(InlinePolicy.name_key)
    for row in call.session.scalars(inline):
        owned.inline[row.owner_id].append(pb.PolicyDetail(policy_name=row.name, policy_document=row.document))
    attached = select(Attachment.owner_id, Policy).join(Policy, Policy.id == Attachment.policy_id).where(Attachment.owner_id.in_(ids))
    for owner_id, policy in call.session.execute(attached.order_by(Policy.name_key, Policy.id)):
        shown = attachments_pb2.AttachedPolicy(policy_name=policy.name, policy_arn=entities.arn_of(policy))
        owned.attached[owner_id].append(shown)
    groups = select(Membership.user_id, Group.name).join(Group, Group.id == Membership.group_id).where(Membership.user_id.in_(ids))
    for user_id, name in call.session.execute(groups.order_by(Group.name_key)):
        owned.groups[user_id].append(name)
    return owned


def _user(call: Call, row: User, owned: _Belongings) -> pb.UserDetail:
    return pb.UserDetail(
        path=row.path,
        user_name=row.name,
        user_id=row.id,
        arn=entities.arn_of(row),
        create_date=entities.seconds(row.created_at),
        user_policy_list=owned.inline[row.id],
        group_list=owned.groups[row.id],
        attached_managed_policies=owned.attached[row.id],
        permissions_boundary=boundaries.of(call, row),
        tags=tags.messages(call, row),
    )


def _group(row: Group, owned: _Belongings) -> pb.GroupDetail:
    return pb.GroupDetail(
        path=row.path,
        group_name=row.name,
        group_id=row.id,
        arn=entities.arn_of(row),
        create_date=entities.seconds(row.created_at),
        group_policy_list=owned.inline[row.id],
        attached_managed_policies=owned.attached[row.id],
    )


def _role(call: Call, row: Role, owned: _Belongings) -> pb.RoleDetail:
    return pb.RoleDetail(
        path=row.path,
        role_name=row.name,
        role_id=row.id,
        arn=entities.arn_of(row),
        create_date=entities.seconds(row.created_at),
        assume_role_policy_document=trust.shown(call.session, row.trust_policy),
        instance_profile_list=instance_profiles.of_role(call, row),
        role_policy_list=owned.inline[row.id],
        attached_managed_policies=owned.attached[row.id],
        permissions_boundary=boundaries.of(call, row),
        tags=tags.messages(call, row),
        role_last_used=roles.last_use(call, row),
    )


def _policies(call: Call, rows: Sequence[Policy]) -> list[pb.ManagedPolicyDetail]:
    ids = [row.id for row in rows]
    attached, bounding = policies.usage(call, ids)
    versions: dict[str, list[PolicyVersion]] = defaultdict(list)
    query = select(PolicyVersion).where(PolicyVersion.policy_id.in_(ids)).order_by(PolicyVersion.number.desc())
    for version in call.session.scalars(query):
        versions[version.policy_id].append(version)
    return [
        pb.ManagedPolicyDetail(
            policy_name=row.name,
            policy_id=row.id,
            arn=entities.arn_of(row),
            path=row.path,
            default_version_id=f"v{row.default_version}",
            attachment_count=attached.get(row.id, 0),
            permissions_boundary_usage_count=bounding.get(row.id, 0),
            is_attachable=True,
            description=row.description,
            create_date=entities.seconds(row.created_at),
            update_date=entities.seconds(row.updated_at),
            policy_version_list=[
                policy_versions_pb2.PolicyVersion(
                    document=version.document,
                    version_id=f"v{version.number}",
                    is_default_version=version.number == row.default_version,
                    create_date=entities.seconds(version.created_at),
                )
                for version in versions[row.id]
            ],
        )
        for row in rows
    ]

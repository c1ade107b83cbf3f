"""Permissions boundaries of users and roles: the managed policy that limits what they may do."""

from sekisho.api.iam.v1 import boundaries_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.iam import entities, policy_arns
from sekisho.services.iam.errors import InvalidInput
from sekisho.store.tables import Policy, Role, User

# AWS's own answers say so; its model names another word, which they never use.
_TYPE = "Policy"


@operation
def put_user_permissions_boundary(call: Call, request: pb.PutUserPermissionsBoundaryRequest) -> pb.PutUserPermissionsBoundaryResponse:
    """In place of the one that the user has."""
    _put(call, entities.find(call, User, request.user_name), request.permissions_boundary)
    return pb.PutUserPermissionsBoundaryResponse()


@operation
def delete_user_permissions_boundary(
    call: Call, request: pb.DeleteUserPermissionsBoundaryRequest
) -> pb.DeleteUserPermissionsBoundaryResponse:
    """A user without one is no error."""
    entities.find(call, User, request.user_name).boundary_id = None
    return pb.DeleteUserPermissionsBoundaryResponse()


@operation
def put_role_permissions_boundary(call: Call, request: pb.PutRolePermissionsBoundaryRequest) -> pb.PutRolePermissionsBoundaryResponse:
    """In place of the one that the role has."""
    _put(call, entities.find(call, Role, request.role_name), request.permissions_boundary)
    return pb.PutRolePermissionsBoundaryResponse()


@operation
def delete_role_permissions_boundary(
    call: Call, request: pb.DeleteRolePermissionsBoundaryRequest
) -> pb.DeleteRolePermissionsBoundaryResponse:
    """A role without one is no error."""
    row = entities.find(call, Role, request.role_name)
    entities.refuse_protected(row)
    row.boundary_id = None
    return pb.DeleteRolePermissionsBoundaryResponse()


def policy_id(call: Call, named: str) -> str | None:
    """The id of the policy that is to be a boundary; None when none is named."""
    if not named:
        return None
    return policy_arns.find(call, named, sentence="Scope ARN: {} does not exist or is not attachable.", wrong=InvalidInput).id


def of(call: Call, row: User | Role) -> pb.AttachedPermissionsBoundary | None:
    """The boundary of a user or role as the API shows it."""
    policy = call.session.get(Policy, row.boundary_id) if row.boundary_id is not None else None
    return message(entities.arn_of(policy) if policy is not None else None)


def message(arn: str | None) -> pb.AttachedPermissionsBoundary | None:
    """A boundary, by the ARN of its policy, as the API shows it."""
    return pb.AttachedPermissionsBoundary(permissions_boundary_type=_TYPE, permissions_boundary_arn=arn) if arn is not None else None


def _put(call: Call, row: User | Role, policy_arn: str) -> None:
    entities.refuse_protected(row)
    row.boundary_id = policy_id(call, policy_arn)

"""Every operation over gRPC and over HTTP, in two accounts that are alike: the same answer or the same error."""

import html
import re
from typing import Any
from urllib.parse import unquote

import pytest
from google.protobuf.json_format import MessageToDict

from sekisho.credentials import accounts
from sekisho.edges.aws.wire import Answer
from sekisho.errors import SekishoError
from sekisho.operations import Operation
from sekisho.operations.annotations import Access
from tests import harness
from tests.wire import shapes, world
from tests.wire.edge import Edge

SECRETS = {
    "secret_access_key", "session_token", "service_password", "certificate_id", "job_id", "key_id", "saml_provider_uuid", "valid_until",
    "issuer_identifier",
}  # fmt: skip
"""Members that are secret or drawn at random."""
ANSWERED = {
    "CreateUser", "GetUser", "UpdateUser", "DeleteUser", "ListUsers", "TagUser", "UntagUser", "ListUserTags",
    "CreateGroup", "GetGroup", "UpdateGroup", "DeleteGroup", "ListGroups", "AddUserToGroup", "RemoveUserFromGroup", "ListGroupsForUser",
    "CreateRole", "GetRole", "UpdateRole", "DeleteRole", "ListRoles", "UpdateAssumeRolePolicy", "TagRole", "UntagRole", "ListRoleTags",
    "CreatePolicy", "GetPolicy", "ListPolicies", "TagPolicy", "UntagPolicy", "ListPolicyTags", "ListEntitiesForPolicy",
    "CreatePolicyVersion", "GetPolicyVersion", "ListPolicyVersions", "SetDefaultPolicyVersion", "DeletePolicyVersion",
    "PutUserPolicy", "GetUserPolicy", "DeleteUserPolicy", "ListUserPolicies", "PutGroupPolicy", "GetGroupPolicy", "DeleteGroupPolicy",
    "ListGroupPolicies", "PutRolePolicy", "GetRolePolicy", "DeleteRolePolicy", "ListRolePolicies",
    "AttachUserPolicy", "DetachUserPolicy", "ListAttachedUserPolicies", "AttachGroupPolicy", "DetachGroupPolicy",
    "ListAttachedGroupPolicies", "AttachRolePolicy", "DetachRolePolicy", "ListAttachedRolePolicies",
    "PutUserPermissionsBoundary", "DeleteUserPermissionsBoundary", "PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary",
    "CreateAccessKey", "ListAccessKeys", "UpdateAccessKey", "DeleteAccessKey", "GetAccessKeyLastUsed",
    "AssumeRole", "GetCallerIdentity", "GetAccessKeyInfo",
}  # fmt: skip
"""What the world has an answer for; the others may say the same error twice."""


def plain(message: Any, account: str) -> Any:
    """A message without what differs from account to account and from call to call."""
    return _plain(MessageToDict(message, preserving_proto_field_name=True), account)


def _plain(value: Any, account: str) -> Any:
    if isinstance(value, dict):
        return {name: "secret" if name in SECRETS else _plain(inner, account) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(item, account) for item in value]
    if isinstance(value, str):
        value = value.replace(account, "ACCOUNT")
        value = re.sub(r"\b(A[A-Z]{3})[A-Z0-9]{16,17}\b", r"\1-id", value)
        return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "moment", value)
    return value


def over_http(made: world.World, edge: Edge, operation: Operation, caller: Any) -> Any:
    """The response message, or the code and message of the error."""
    reply = edge.call(operation.service.package, operation.name, world.members(operation, made.fields(operation)), caller)
    if reply.status != 200:
        return reply.code, _plain(html.unescape(reply.message), made.house.account_id)
    assert reply.headers["x-sekisho-revision"]
    answer = Answer(reply.status, reply.headers["content-type"].encode(), reply.body.encode())
    parsed = shapes.response(operation.service.model, operation.name, answer)
    assert parsed.pop("ResponseMetadata")["RequestId"] == reply.headers["x-amzn-requestid"]
    shape = shapes.model(operation.service.model).operation_model(operation.name).output_shape
    return plain(shapes.fill(operation.response(), _documents(parsed, shape)), made.house.account_id)


def _documents(value: Any, shape: Any) -> Any:
    """The policy documents decoded, as boto3's handlers do it."""
    if shape is None:
        return value
    if shape.name == "policyDocumentType":
        return unquote(value)
    if shape.type_name == "structure":
        return {member: _documents(inner, shape.members[member]) for member, inner in value.items()}
    return [_documents(item, shape.member) for item in value] if shape.type_name == "list" else value


def over_grpc(made: world.World, operation: Operation, caller: Any) -> Any:
    """The same over gRPC's pipeline."""
    try:
        message = made.house.call(operation.name, _as=caller, **made.fields(operation))
    except SekishoError as error:
        return error.code, _plain(error.message, made.house.account_id)
    return plain(message, made.house.account_id)


def pair(shared: Edge) -> tuple[world.World, world.World]:
    """Two accounts that are alike, on the same node."""
    node = shared.house.node
    first, second = (world.build(harness.House(node, accounts.create(node.database, node.ring))) for _ in range(2))
    return first, second


class Pairs:
    """Pairs of accounts, each used until an operation has changed it: one that reads or fails changes nothing."""

    def __init__(self, shared: Edge) -> None:
        self._shared = shared
        self._kept: tuple[world.World, world.World] | None = None

    def get(self) -> tuple[world.World, world.World]:
        """A pair in which nothing was changed."""
        self._kept = self._kept or pair(self._shared)
        return self._kept

    def forget(self) -> None:
        """Have the next one be new."""
        self._kept = None


@pytest.fixture(scope="module")
def pairs(shared: Edge) -> Pairs:
    """Those of this module."""
    return Pairs(shared)


@pytest.mark.parametrize("name", world.AWS_OPERATIONS)
def test_operation_says_the_same_over_grpc_and_http(name: str, shared: Edge, pairs: Pairs) -> None:
    operation = world.AWS_OPERATIONS[name]
    first, second = pairs.get()
    gateway = shared.of(second.house)
    callers = [made.alice if operation.service.package == "sts" else None for made in (first, second)]
    http, grpc = over_http(second, gateway, operation, callers[1]), over_grpc(first, operation, callers[0])
    if operation.access.level == Access.WRITE and (isinstance(http, dict) or isinstance(grpc, dict)):
        pairs.forget()
    assert http == grpc
    assert isinstance(http, dict) or name not in ANSWERED, http


def test_every_answered_operation_is_there() -> None:
    assert world.AWS_OPERATIONS.keys() >= ANSWERED

"""A small account in which every operation finds what it asks for, and what each operation is asked with."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import botocore

from sekisho.operations import OPERATIONS, Operation
from sekisho.sigv4 import Credentials
from tests.harness import House
from tests.services.iam import documents
from tests.wire import shapes

ORDERS = documents.allow("orders:*", "sts:*")
AWS_OPERATIONS = {operation.name: operation for operation in OPERATIONS.values() if operation.service.package in ("iam", "sts")}
"""The registry without our own services."""


@dataclass(frozen=True, slots=True)
class World:
    """An account: `alice` has an access key and is in `team`; `bob`, `empty`, `idle` and the spare policy are free of dependents."""

    house: House
    alice: Credentials
    policy_arn: str
    spare_arn: str
    role_arn: str

    def fields(self, operation: Operation) -> dict[str, Any]:
        """The fields of a request that the operation can answer; those that it needs and the tests do not know are left out."""
        values = self._values | _OVERRIDES.get(operation.name, {})
        if operation.name in _SPARE:
            values["policy_arn"] = self.spare_arn
        if operation.name == "UpdateAssumeRolePolicy":
            values["policy_document"] = values["assume_role_policy_document"]
        if operation.name == "AssumeRole":  # the trust policy lets nobody tag a session
            del values["tags"]
        names = {field.name for field in operation.request.DESCRIPTOR.fields}
        return {name: value for name, value in values.items() if name in names}

    @property
    def _values(self) -> dict[str, Any]:
        return {
            "user_name": "alice",
            "group_name": "team",
            "role_name": "deployer",
            "policy_name": "inline",
            "policy_arn": self.policy_arn,
            "access_key_id": self.alice.access_key_id,
            "policy_document": ORDERS,
            "assume_role_policy_document": documents.trust(self.house.account_id),
            "permissions_boundary": self.policy_arn,
            "version_id": "v1",
            "status": "Inactive",
            "tags": [{"key": "Cost Center", "value": "Research + Développement"}],
            "tag_keys": ["Department"],
            "role_arn": self.role_arn,
            "role_session_name": "session",
            "description": "what it is <for>",
        }


_OVERRIDES: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "CreateUser": {"user_name": "carol"},
        "CreateGroup": {"group_name": "others"},
        "CreateRole": {"role_name": "reader"},
        "CreatePolicy": {"policy_name": "Fresh"},
        "UpdateUser": {"user_name": "bob"},
        "UpdateGroup": {"group_name": "empty"},
        "DeleteUser": {"user_name": "bob"},
        "DeleteGroup": {"group_name": "empty"},
        "DeleteRole": {"role_name": "idle"},
        "AddUserToGroup": {"user_name": "bob"},
        "CreateAccessKey": {"user_name": "bob"},
        "SetDefaultPolicyVersion": {"version_id": "v2"},
        "DeletePolicyVersion": {"version_id": "v2"},
    }
)
_SPARE = {
    "AttachUserPolicy", "AttachGroupPolicy", "AttachRolePolicy", "CreatePolicyVersion", "SetDefaultPolicyVersion", "DeletePolicyVersion",
}  # fmt: skip


def build(house: House) -> World:
    """Fill an account."""
    tags = [{"key": "Department", "value": "Engineering"}]
    policy = house.call("CreatePolicy", policy_name="Orders", policy_document=ORDERS, tags=tags).policy.arn
    spare = house.call("CreatePolicy", policy_name="Spare", path="/team/", policy_document=ORDERS).policy.arn
    house.call("CreatePolicyVersion", policy_arn=spare, policy_document=ORDERS)
    alice = house.user("alice", tags=tags, path="/staff/", permissions_boundary=policy)
    house.call("PutUserPolicy", user_name="alice", policy_name="inline", policy_document=documents.allow("*"))
    house.call("CreateUser", user_name="bob")
    for name in ("team", "empty"):
        house.call("CreateGroup", group_name=name)
    house.call("AddUserToGroup", group_name="team", user_name="alice")
    house.call("PutGroupPolicy", group_name="team", policy_name="inline", policy_document=ORDERS)
    trust = documents.trust(house.account_id)
    role = house.call("CreateRole", role_name="deployer", assume_role_policy_document=trust, tags=tags, permissions_boundary=policy).role
    house.call("PutRolePolicy", role_name="deployer", policy_name="inline", policy_document=ORDERS)
    house.call("CreateRole", role_name="idle", assume_role_policy_document=trust)
    house.call("AttachUserPolicy", user_name="alice", policy_arn=policy)
    house.call("AttachGroupPolicy", group_name="team", policy_arn=policy)
    house.call("AttachRolePolicy", role_name="deployer", policy_arn=policy)
    return World(house, alice, policy, spare, role.arn)


def members(operation: Operation, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields by AWS's names, as boto3 is given them."""
    shape = shapes.model(operation.service.model).operation_model(operation.name).input_shape
    found: dict[str, Any] = _members(shape, fields) if shape is not None else {}
    return found


def _members(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure":
        named = {botocore.xform_name(member): (member, inner) for member, inner in shape.members.items()}
        return {named[name][0]: _members(named[name][1], inner) for name, inner in value.items()}
    return [_members(shape.member, item) for item in value] if shape.type_name == "list" else value

"""Roles to assume, and what their sessions may do."""

import json
from datetime import UTC, datetime
from typing import Any

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.credentials import accounts
from tests.harness import House
from tests.services.iam.documents import allow

ALL = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
SHIP = allow("orders:Ship")


def trusting(principal: Any, *actions: str, when: dict[str, Any] | None = None) -> str:
    """A trust policy; by default for AssumeRole alone."""
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions or "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | ({"Condition": when} if when else {})]})


def role(house: House, document: str | None = None, name: str = "clerk", **fields: Any) -> str:
    """A role that may ship orders; by default it trusts its account for everything. Its ARN."""
    document = document or trusting(house.account_id, *ALL)
    made: str = house.call("CreateRole", role_name=name, assume_role_policy_document=document, **fields).role.arn
    house.call("PutRolePolicy", role_name=name, policy_name="p", policy_document=SHIP)
    return made


def assumer(house: House, name: str = "ann") -> sigv4.Credentials:
    """A user that may do all that assuming takes."""
    return house.user(name, allow(*ALL))


def may(house: House, credentials: sigv4.Credentials, action: str = "orders:Ship", **fields: Any) -> bool:
    """Whether the holder of credentials may do something, now."""
    found = house.call("Authorize", bearer_token=token(credentials), action=action, resource="*", at_least=house.revision, **fields)
    return bool(found.outcome == pb.OUTCOME_ALLOWED)


def token(credentials: sigv4.Credentials) -> str:
    """A bearer token, as services hand it on."""
    return sigv4.bearer.make(credentials, "sekisho", datetime.now(UTC)).removeprefix("Bearer ")


def new_account(house: House) -> accounts.NewAccount:
    """Another account on the same node."""
    return accounts.create(house.node.database, house.node.ring)

"""Roles that trust an OpenID Connect provider, and calls with its tokens."""

import dataclasses
import json
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.credentials.oidc.key_sets import KeySets
from sekisho.errors import SekishoError
from tests.harness import House
from tests.providers import Provider
from tests.services.sts.roles import SHIP, new_account

ISSUER = "login.example.com/realms/Shop"
WEB = "sts:AssumeRoleWithWebIdentity"
ALL = (WEB, "sts:TagSession", "sts:SetSourceIdentity")
TAGS, SOURCE_IDENTITY = "https://aws.amazon.com/tags", "https://aws.amazon.com/source_identity"
DENIED = ("AccessDenied", f"Not authorized to perform {WEB}")


def knowing(shared: House, *known: Provider) -> House:
    """A new account on a node that knows where these providers are."""
    node = dataclasses.replace(shared.node, key_sets=KeySets({one.host: one.place for one in known}))
    return House(node, new_account(shared))


def register(house: House, provider: Provider, *client_ids: str) -> str:
    """The ARN of the provider in the account."""
    made: str = house.call(
        "CreateOpenIDConnectProvider",
        url=f"https://{provider.issuer}",
        client_id_list=client_ids or ("sts.amazonaws.com", "shop"),
        thumbprint_list=[provider.thumbprint],
    ).open_id_connect_provider_arn
    return made


def federated(principal: str, *actions: str, when: dict[str, Any] | None = None) -> str:
    """A trust policy for a provider."""
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"Federated": principal}, "Action": actions or WEB}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | ({"Condition": when} if when else {})]})


def role(house: House, document: str, name: str = "deployer", policy: str = SHIP, **fields: Any) -> str:
    """The ARN of a role that may ship orders."""
    made: str = house.call("CreateRole", role_name=name, assume_role_policy_document=document, **fields).role.arn
    house.call("PutRolePolicy", role_name=name, policy_name="p", policy_document=policy)
    return made


def assume(house: House, role_arn: str, web_identity_token: str, **fields: Any) -> Any:
    """The response of AssumeRoleWithWebIdentity, called by nobody."""
    given = {"role_arn": role_arn, "role_session_name": "s1", "web_identity_token": web_identity_token, **fields}
    return house.call("AssumeRoleWithWebIdentity", **given)


def refusal(house: House, *arguments: Any, **fields: Any) -> tuple[str, str]:
    with pytest.raises(SekishoError) as caught:
        assume(house, *arguments, **fields)
    return caught.value.code, caught.value.message


def keys_of(made: Any) -> sigv4.Credentials:
    given = made.credentials
    return sigv4.Credentials(given.access_key_id, given.secret_access_key, given.session_token)

"""AssumeRoleWithWebIdentity: whose token assumes which role."""

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from sekisho import sigv4
from sekisho.credentials import accounts
from sekisho.credentials.oidc.key_sets import KeySets
from sekisho.store.tables import AuditRecord
from tests import clock, nodes, providers
from tests.harness import House
from tests.providers import RSA, STRANGER, Provider
from tests.services.sts.roles import may, new_account
from tests.services.sts.test_oracles import counted
from tests.services.sts.web_identities import (  # fixtures, found by their names here
    ALL,
    DENIED,
    ISSUER,
    SOURCE_IDENTITY,
    TAGS,
    WEB,
    assume,
    federated,
    keys_of,
    knowing,
    refusal,
    register,
    role,
)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with providers.provider(ISSUER) as made:
        yield made


@pytest.fixture
def house(shared: House, provider: Provider) -> House:
    """A new account on the module's node, which knows where the provider is."""
    return knowing(shared, provider)


def test_a_token_in_the_place_of_a_signature(house: House, provider: Provider) -> None:
    principal = register(house, provider)
    arn = role(house, federated(principal), path="/ci/")
    made = assume(house, arn, provider.token(aud="shop", sub="alice"))
    assert (made.subject_from_web_identity_token, made.audience, made.provider) == ("alice", "shop", principal)
    assert made.assumed_role_user.arn == f"arn:aws:sts::{house.account_id}:assumed-role/deployer/s1"
    assert not made.HasField("packed_policy_size")
    session = keys_of(made)
    assert house.call("GetCallerIdentity", _as=session).arn == made.assumed_role_user.arn
    assert may(house, session)
    assert not may(house, session, "orders:Burn")


def test_nothing_is_asked_of_the_caller_but_the_token(house: House, provider: Provider) -> None:
    """The same without any proof, and with the signature of a key that nobody has."""
    arn = role(house, federated(register(house, provider)))
    nobody = sigv4.Credentials("AKIA" + "A" * 16, "x" * 40)
    assert assume(house, arn, provider.token(), _as=nobody).credentials.access_key_id.startswith("ASIA")


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ({"Principal": {"Federated": "PROVIDER"}}, True),
        ({"Principal": {"Federated": ["arn:aws:iam::123456789012:oidc-provider/x.example.com", "PROVIDER"]}}, True),
        ({"Principal": {"Federated": "OTHER"}}, False),
        ({"Principal": {"Federated": "PROVIDER"}, "Action": "sts:AssumeRole"}, False),
        ({"Principal": {"Federated": "PROVIDER"}, "Action": "sts:AssumeRoleWithSAML"}, False),
        ({"Principal": {"AWS": "ACCOUNT"}}, False),
    ],
)
def test_what_trust_takes(house: House, provider: Provider, statement: dict[str, Any], allowed: bool) -> None:
    principal = register(house, provider)
    other = house.call("CreateOpenIDConnectProvider", url="https://other.example.com", client_id_list=["shop"])
    text = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": WEB} | statement]})
    text = text.replace("PROVIDER", principal).replace("OTHER", other.open_id_connect_provider_arn).replace("ACCOUNT", house.account_id)
    arn = role(house, text)
    if allowed:
        assume(house, arn, provider.token())
    else:
        assert refusal(house, arn, provider.token()) == DENIED


CONDITIONS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "subject": ({"StringEquals": {f"{ISSUER}:sub": "alice"}}, {"sub": "alice"}, True),
    "another_subject": ({"StringEquals": {f"{ISSUER}:sub": "alice"}}, {"sub": "bob"}, False),
    "subject_in_capitals": ({"StringEquals": {f"{ISSUER}:sub": "alice"}}, {"sub": "Alice"}, False),
    "audience": ({"StringEquals": {f"{ISSUER}:aud": "shop"}}, {"aud": "shop"}, True),
    "another_audience": ({"StringEquals": {f"{ISSUER}:aud": "shop"}}, {"aud": "sts.amazonaws.com"}, False),
    "of_two_audiences_the_party": ({"StringEquals": {f"{ISSUER}:aud": "shop"}}, {"aud": ["till", "shop"], "azp": "shop"}, True),
    "party": ({"StringEquals": {f"{ISSUER}:azp": "shop"}}, {"aud": "shop", "azp": "shop"}, True),
    "no_party": ({"StringEquals": {f"{ISSUER}:azp": "shop"}}, {"aud": "shop"}, False),
    "methods": ({"ForAnyValue:StringEquals": {f"{ISSUER}:amr": "mfa"}}, {"amr": ["pwd", "mfa"]}, True),
    "other_methods": ({"ForAnyValue:StringEquals": {f"{ISSUER}:amr": "mfa"}}, {"amr": ["pwd"]}, False),
    "no_methods": ({"ForAnyValue:StringEquals": {f"{ISSUER}:amr": "mfa"}}, {}, False),
    "subject_of_another_provider": ({"StringEquals": {"login.example.com:sub": "alice"}}, {"sub": "alice"}, False),
    "session_name": ({"StringEquals": {"sts:RoleSessionName": "s1"}}, {}, True),
    "another_session_name": ({"StringEquals": {"sts:RoleSessionName": "s2"}}, {}, False),
    "tag": ({"StringEquals": {"aws:RequestTag/team": "blue"}}, {TAGS: {"principal_tags": {"Team": ["blue"]}}}, True),
    "another_tag": ({"StringEquals": {"aws:RequestTag/team": "blue"}}, {TAGS: {"principal_tags": {"Team": ["red"]}}}, False),
    "tag_keys": (
        {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}, {TAGS: {"principal_tags": {"team": ["red"], "cost": ["1"]}}}, False,
    ),
    "transitive_keys": (
        {"ForAllValues:StringEquals": {"sts:TransitiveTagKeys": ["team"]}, "Null": {"sts:TransitiveTagKeys": "false"}},
        {TAGS: {"principal_tags": {"team": ["blue"]}, "transitive_tag_keys": ["team"]}},
        True,
    ),
    "source_identity": ({"StringEquals": {"sts:SourceIdentity": "Alice"}}, {SOURCE_IDENTITY: "Alice"}, True),
    "another_source_identity": ({"StringEquals": {"sts:SourceIdentity": "Alice"}}, {SOURCE_IDENTITY: "Bob"}, False),
    "mfa_is_not_known": ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, {"amr": ["mfa"]}, False),
    "address": ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, {}, True),
    "another_address": ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {}, False),
}  # fmt: skip


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_of_the_trust_policy(house: House, provider: Provider, name: str) -> None:
    when, claims, allowed = CONDITIONS[name]
    arn = role(house, federated(register(house, provider), *ALL, when=when))
    if allowed:
        assume(house, arn, provider.token(**claims))
    else:
        assert refusal(house, arn, provider.token(**claims))[0] == "AccessDenied"


SHAPES: dict[str, tuple[str, dict[str, Any], dict[str, Any], list[dict[str, Any]]]] = {
    "github": (
        providers.GITHUB,
        {
            "sub": "repo:octo-org/octo-repo:environment:prod", "aud": "sts.amazonaws.com", "ref": "refs/heads/main", "sha": "a" * 40,
            "repository": "octo-org/octo-repo", "repository_owner": "octo-org", "actor_id": "12", "run_id": "1", "run_attempt": "2",
            "job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main", "jti": "0194", "nbf": 0,
        },
        {"StringLike": {f"{providers.GITHUB}:sub": "repo:octo-org/*"}, "StringEquals": {f"{providers.GITHUB}:aud": "sts.amazonaws.com"}},
        [
            {"sub": "repo:octo-org-evil/octo-repo:ref:refs/heads/main"}, {"sub": "repo:OCTO-ORG/octo-repo:ref:refs/heads/main"},
            {"sub": "xrepo:octo-org/octo-repo"}, {"sub": "repo:other/octo-org/x"}, {"aud": "https://github.com/octo-org"},
        ],
    ),
    "gitlab": (
        "gitlab.com",
        {
            "sub": "project_path:shop/till:ref_type:branch:ref:main", "aud": "https://gitlab.com", "namespace_path": "shop",
            "project_path": "shop/till", "user_login": "ann", "user_email": "ann@example.com", "pipeline_source": "push", "ref": "main",
            "ref_protected": "true", "jti": "3",
        },
        {"StringLike": {"gitlab.com:sub": "project_path:shop/*:ref_type:branch:ref:main"}},
        [
            {"sub": "project_path:shop/till:ref_type:branch:ref:feature"}, {"sub": "project_path:stop/till:ref_type:branch:ref:main"},
            {"aud": "https://gitlab.example.com"},
        ],
    ),
    "kubernetes": (
        "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF",
        {
            "sub": "system:serviceaccount:shop:till", "aud": ["sts.amazonaws.com"], "nbf": 0, "jti": "4",
            "kubernetes.io": {
                "namespace": "shop", "pod": {"name": "till-0", "uid": "5"}, "serviceaccount": {"name": "till", "uid": "6"},
                "node": {"name": "node-1", "uid": "7"},
            },
        },
        {"StringEquals": {"oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF:sub": "system:serviceaccount:shop:till"}},
        [
            {"sub": "system:serviceaccount:shop:tillage"}, {"sub": "system:serviceaccount:stop:till"}, {"aud": ["https://kubernetes.default.svc"]},
            {"aud": ["sts.amazonaws.com", "https://kubernetes.default.svc"]},
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_a_token_as_it_comes_from(shared: House, name: str) -> None:
    issuer, claims, when, others = SHAPES[name]
    with providers.provider(issuer) as made:
        node = dataclasses.replace(shared.node, key_sets=KeySets({made.host: made.place}))
        house = House(node, new_account(shared))
        audience = claims["aud"] if isinstance(claims["aud"], str) else claims["aud"][0]
        arn = role(house, federated(register(house, made, audience), when=when))
        header: dict[str, Any] = {"typ": None} if name == "kubernetes" else {}
        found = assume(house, arn, made.token(header=header, **claims))
        assert (found.subject_from_web_identity_token, found.audience) == (claims["sub"], audience)
        assert may(house, keys_of(found))
        for other in others:
            assert refusal(house, arn, made.token(**(claims | other)))[0] in ("AccessDenied", "InvalidIdentityToken")


def test_a_provider_that_is_not_there(house: House, provider: Provider) -> None:
    principal = f"arn:aws:iam::{house.account_id}:oidc-provider/{ISSUER}"
    arn = role(house, federated(principal))
    none = ("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for https://{ISSUER}")
    assert refusal(house, arn, provider.token()) == none
    register(house, provider)
    assume(house, arn, provider.token())
    house.call("DeleteOpenIDConnectProvider", open_id_connect_provider_arn=principal)
    assert refusal(house, arn, provider.token()) == none


def test_a_provider_of_another_account_vouches_for_nobody(shared: House, house: House, provider: Provider) -> None:
    other = House(house.node, new_account(shared))
    arn = role(house, federated(register(other, provider)))
    assert refusal(house, arn, provider.token())[0] == "InvalidIdentityToken"
    register(house, provider)
    assert refusal(house, arn, provider.token()) == DENIED


@pytest.mark.parametrize("claims", [{}, {"sub": "mallory"}])
def test_who_may_not_assume_a_role_does_not_learn_whether_it_exists(house: House, provider: Provider, claims: dict[str, Any]) -> None:
    arn = role(house, federated(register(house, provider), when={"StringEquals": {f"{ISSUER}:sub": "ann"}}))
    assert refusal(house, arn, provider.token(**claims)) == DENIED
    assert refusal(house, arn.replace("deployer", "nobody"), provider.token(**claims)) == DENIED
    assert refusal(house, arn.replace("role/deployer", "user/x"), provider.token(**claims)) == DENIED


def test_what_is_in_memory_needs_no_database(house: House, provider: Provider) -> None:
    arn = role(house, federated(register(house, provider), *ALL))
    assume(house, arn, provider.token())
    refusal(house, arn.replace("deployer", "nobody"), provider.token())
    with counted(house) as work:
        assume(house, arn, provider.token())
        assert refusal(house, arn.replace("deployer", "nobody"), provider.token()) == DENIED
    assert (work.snapshots, work.statements) == (0, 0)


@pytest.mark.parametrize("changed", ["removed", "trust", "permission"])
def test_another_node_refuses_what_was_taken_back(database_url: str, tmp_path: Path, provider: Provider, changed: str) -> None:
    with nodes.two(database_url, tmp_path) as (first, other):
        second = House(dataclasses.replace(other.node, key_sets=KeySets({provider.host: provider.place})), _account(other))
        principal = register(first, provider)
        arn = role(first, federated(principal))
        second.node.feed.wait_for(first.revision, time.monotonic() + 60)
        session = keys_of(assume(second, arn, provider.token()))
        if changed == "removed":
            first.call("DeleteOpenIDConnectProvider", open_id_connect_provider_arn=principal)
        elif changed == "trust":
            first.call("UpdateAssumeRolePolicy", role_name="deployer", policy_document=federated(principal, "sts:AssumeRole"))
        else:
            first.call("DeleteRolePolicy", role_name="deployer", policy_name="p")
        second.revision = first.revision
        assert may(second, session) is (changed != "permission")
        if changed != "permission":
            assert refusal(second, arn, provider.token())[0] == ("InvalidIdentityToken" if changed == "removed" else "AccessDenied")


def _account(house: House) -> accounts.NewAccount:
    return accounts.NewAccount(house.account_id, house.root.access_key_id, house.root.secret_access_key or "")


def test_a_strangers_token(house: House, provider: Provider) -> None:
    arn = role(house, federated(register(house, provider)))
    assert refusal(house, arn, provider.token(STRANGER)) == ("InvalidIdentityToken", "Invalid token signature")
    assert refusal(house, arn, "x" * 20_001)[0] == "ValidationError"
    assert refusal(house, arn, "x" * 20_000)[0] == "InvalidIdentityToken"
    expired = int(clock.now().timestamp()) - 1
    assert refusal(house, arn, provider.token(exp=expired))[0] == "ExpiredTokenException"
    assert refusal(house, arn, provider.token(), provider_id="www.amazon.com")[0] == "Unimplemented"


def test_the_trail_shows_who_it_was_in_the_roles_account(house: House, provider: Provider) -> None:
    principal = register(house, provider)
    arn = role(house, federated(principal))
    given = provider.token(sub="alice", aud="shop")
    made = assume(house, arn, given)
    found = trail(house, "AssumeRoleWithWebIdentity")
    assert json.loads(found.identity) == {
        "type": "WebIdentityUser",
        "principalId": f"{principal}:shop:alice",
        "userName": "alice",
        "identityProvider": principal,
    }
    assert (found.account_id, found.principal_id, found.username) == (house.account_id, f"{principal}:shop:alice", "alice")
    assert [one["ARN"] for one in json.loads(found.resources)] == [arn]
    shown = json.loads(found.response)
    assert shown["subjectFromWebIdentityToken"] == "alice"
    assert json.loads(found.request)["roleArn"] == arn
    text = f"{found.request} {found.response}"
    assert given not in text
    assert made.credentials.session_token not in text
    assert made.credentials.secret_access_key not in text
    session = keys_of(made)
    house.call("GetCallerIdentity", _as=session)
    context = json.loads(trail(house, "GetCallerIdentity").identity)["sessionContext"]
    assert context["webIdFederationData"] == {"federatedProvider": principal, "attributes": {}}


def trail(house: House, name: str) -> AuditRecord:
    """The newest record of an operation in the account, once the spool was drained of it."""
    query = select(AuditRecord).where(AuditRecord.account_id == house.account_id, AuditRecord.event_name == name)
    limit = time.monotonic() + 60
    while True:
        with house.node.database.read() as session:
            found = session.scalars(query.order_by(AuditRecord.at.desc())).first()
        if found is not None:
            return found
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_keys_that_turn(shared: House) -> None:
    """A provider that signs with a new key, and later publishes the old one no more."""
    now = [1000.0]
    with providers.provider("turning.example.com", keys=[RSA]) as made:
        node = dataclasses.replace(shared.node, key_sets=KeySets({made.host: made.place}, clock=lambda: now[0]))
        house = House(node, new_account(shared))
        arn = role(house, federated(register(house, made)))
        assume(house, arn, made.token())
        made.keys = [providers.EC]
        fresh = made.token(providers.EC, "ES256")
        assert refusal(house, arn, fresh)[0] == "InvalidIdentityToken", "the keys were fetched less than a minute ago"
        now[0] += 60
        assume(house, arn, fresh)
        assert refusal(house, arn, made.token())[0] == "InvalidIdentityToken"
        assert made.asked.count("/keys") == 2

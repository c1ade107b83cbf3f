"""Nothing widens: whatever a session is made from, and however often, it does nothing that its parent could not do.

Seeded walks over chains of user, session, federation and roles. The parent of a session of GetSessionToken or GetFederationToken is the
user; that of a session of a role with session policies the same session without them, for a role is another principal than who assumes it.
What a restricted session can assume, the unrestricted one can. The parent of a token for other services is the session that it was issued
to. Compared are decisions of Authorize, and calls of rpcs out of the registry.
"""

import dataclasses
import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.credentials.oidc.key_sets import KeySets
from sekisho.errors import SekishoError
from sekisho.operations import OPERATIONS, validation
from sekisho.operations.annotations import Access
from tests import harness, providers
from tests.harness import House
from tests.identity_provider import ROLE, SESSION_NAME, IdentityProvider
from tests.providers import Provider
from tests.services.sts import web_identities
from tests.services.sts.roles import token
from tests.services.sts.tokens import SHOP

CHAINS = int(os.environ.get("CHAINS", "48"))
SEED = int(os.environ.get("SEED", "13"))
WORLDS = 4
"""Sets of random policies, over which the chains are walked."""
IDP = IdentityProvider()
TAG = "https://aws.amazon.com/SAML/Attributes/PrincipalTag:"
ACTIONS = (
    "orders:Ship",
    "orders:Burn",
    "orders:List",
    "iam:ListUsers",
    "iam:GetAccountSummary",
    "sts:AssumeRole",
    "cloudtrail:LookupEvents",
)
PATTERNS = (*ACTIONS, "orders:*", "iam:*", "iam:List*", "iam:Get*", "sts:*", "*")
RESOURCES = ("*", "arn:aws:orders:eu-west-1::order/7", "arn:aws:orders:eu-west-1::order/8")
TAKEN = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity", "sts:GetFederationToken", "sts:GetWebIdentityToken")
DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
RPCS = [
    operation
    for operation in OPERATIONS.values()
    if operation.level in (Access.READ, Access.DECIDE)
    and operation.service.package in ("iam", "sts", "organizations", "account", "cloudtrail")
    and not any(member.rules is not None and member.rules.required for member in validation.plan(operation.request.DESCRIPTOR))
]
"""Operations that read, of every service, which an empty request calls."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A session, and what it must not exceed."""

    what: str
    child: sigv4.Credentials
    parent: sigv4.Credentials


@dataclass(slots=True)
class Seen:
    """What the walks came to, so that none of them was about nothing."""

    pairs: int = 0
    allowed: int = 0
    less: int = 0
    called: int = 0
    refused: int = 0
    assumed: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """Random principals of an account."""

    house: House
    users: tuple[sigv4.Credentials, ...]
    roles: tuple[str, ...]
    saml: str
    oidc: str
    issuer: Provider


@pytest.fixture(scope="module")
def issuer() -> Iterator[Provider]:
    with providers.provider(web_identities.ISSUER) as made:
        yield made


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, issuer: Provider) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("widens")
    with harness.house(f"sqlite:///{folder / 'sekisho.db'}", folder) as made:
        made.node = dataclasses.replace(made.node, key_sets=KeySets({issuer.host: issuer.place}))
        made.call("EnableOutboundWebIdentityFederation")
        yield made


def document(chance: random.Random, *more: str) -> str:
    """A random policy; of conditions only such whose keys a session shares with its parent."""
    statements = [{"Effect": "Allow", "Action": list(more), "Resource": "*"}] if more else []
    for _ in range(chance.randint(1, 4)):
        statement: dict[str, Any] = {
            "Effect": chance.choice(("Allow", "Allow", "Allow", "Deny")),
            chance.choice(("Action", "Action", "Action", "NotAction")): chance.sample(PATTERNS, chance.randint(1, 3)),
            chance.choice(("Resource", "Resource", "NotResource")): chance.sample(RESOURCES, chance.randint(1, 2)),
        }
        if chance.random() < 0.3:
            statement["Condition"] = chance.choice(
                (
                    {"StringEquals": {"aws:PrincipalTag/team": "red"}},
                    {"StringNotEqualsIfExists": {"aws:PrincipalTag/team": "red"}},
                    {"NumericLessThan": {"orders:Amount": "50"}},
                    {"Null": {"orders:Amount": "true"}},
                )
            )
        statements.append(statement)
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def world(house: House, chance: random.Random, number: int, issuer: Provider) -> World:
    """Users and roles with random policies and boundaries; every role trusts its account and both providers."""
    saml, oidc = (f"arn:aws:iam::{house.account_id}:{what}" for what in ("saml-provider/idp", f"oidc-provider/{issuer.issuer}"))
    if number == 0:
        house.call("CreateSAMLProvider", name="idp", saml_metadata_document=IDP.metadata)
        assert web_identities.register(house, issuer) == oidc
    trusted = [
        {"Effect": "Allow", "Principal": {"AWS": house.account_id}, "Action": TAKEN[:3]},
        {"Effect": "Allow", "Principal": {"Federated": saml}, "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"]},
        {"Effect": "Allow", "Principal": {"Federated": oidc}, "Action": [web_identities.WEB, "sts:TagSession"]},
    ]
    trust = json.dumps({"Version": "2012-10-17", "Statement": trusted})
    users, roles = [], []
    for index in range(3):
        fields: dict[str, Any] = {"tags": [{"key": "team", "value": "red"}]} if chance.random() < 0.5 else {}
        users.append(house.user(f"user-{number}-{index}", document(chance, *TAKEN), **fields))
        limits: dict[str, Any] = {}
        if chance.random() < 0.4:
            name = f"boundary-{number}-{index}"
            made = house.call("CreatePolicy", policy_name=name, policy_document=document(chance, *TAKEN))
            limits["permissions_boundary"] = made.policy.arn
        role = f"role-{number}-{index}"
        roles.append(house.call("CreateRole", role_name=role, assume_role_policy_document=trust, **fields, **limits).role.arn)
        house.call("PutRolePolicy", role_name=role, policy_name="p", policy_document=document(chance, *TAKEN[: chance.randint(0, 3)]))
    return World(house, tuple(users), tuple(roles), saml, oidc, issuer)


def issued(house: House, operation: str, who: sigv4.Credentials | None, **fields: Any) -> sigv4.Credentials | None:
    """The credentials that a call issues; None where it is denied."""
    try:
        made = house.call(operation, _as=who, **fields).credentials
    except SekishoError as error:
        if error.code not in DENIED:
            raise
        return None
    return sigv4.Credentials(made.access_key_id, made.secret_access_key, made.session_token)


def walk(world: World, chance: random.Random, seen: Seen) -> list[Pair]:
    """One chain from a user on: at each step a session, beside the one that has no session policies."""
    house, user = world.house, chance.choice(world.users)
    pairs = []
    if (session := issued(house, "GetSessionToken", user)) is not None:
        pairs.append(Pair("GetSessionToken", session, user))
    if (session := issued(house, "GetFederationToken", user, name="bob", policy=document(chance))) is not None:
        pairs.append(Pair("GetFederationToken", session, user))
    narrow, wide = user, user
    for step in range(chance.randint(1, 3)):
        role = chance.choice(world.roles)
        tags = [{"key": "team", "value": chance.choice(("red", "blue"))}] if step == 0 and chance.random() < 0.3 else []
        asked = {"role_arn": role, "role_session_name": f"step{step}", "tags": tags}
        narrower = issued(house, "AssumeRole", narrow, **asked, policy=document(chance))
        wider = issued(house, "AssumeRole", wide, **asked)
        assert narrower is None or wider is not None, "a session policy let it assume what it could not without"
        if narrower is None or wider is None:
            break
        seen.assumed += 1
        pairs.append(Pair(f"AssumeRole {step}", narrower, wider))
        narrow, wide = narrower, wider
    pairs.extend(federated(world, chance))
    return pairs


def federated(world: World, chance: random.Random) -> list[Pair]:
    """Somebody of each provider in a role, with a session policy and without."""
    role, tagged = chance.choice(world.roles), chance.random() < 0.5
    given = {ROLE: [f"{role},{world.saml}"], SESSION_NAME: ["ana"]} | ({f"{TAG}team": ["red"]} if tagged else {})
    claims: dict[str, Any] = {web_identities.TAGS: {"principal_tags": {"team": ["red"]}}} if tagged else {}

    def by_saml(**fields: Any) -> sigv4.Credentials | None:
        text = IDP.keycloak(IDP.says(datetime.now(UTC).replace(microsecond=0), attributes=given))
        asked = {"role_arn": role, "principal_arn": world.saml, "saml_assertion": text, **fields}
        return issued(world.house, "AssumeRoleWithSAML", None, **asked)

    def by_token(**fields: Any) -> sigv4.Credentials | None:
        asked = {"role_arn": role, "role_session_name": "ana", "web_identity_token": world.issuer.token(**claims), **fields}
        return issued(world.house, "AssumeRoleWithWebIdentity", None, **asked)

    pairs = []
    for what, session in (("AssumeRoleWithSAML", by_saml), ("AssumeRoleWithWebIdentity", by_token)):
        child, parent = session(policy=document(chance)), session()
        assert child is not None
        assert parent is not None
        pairs.append(Pair(what, child, parent))
    return pairs


def for_services(house: House, pairs: list[Pair]) -> list[tuple[str, sigv4.Credentials]]:
    """A token for the shop of each child that may have one, and whose it is."""
    made = []
    for pair in pairs:
        try:
            answer = house.call("GetWebIdentityToken", _as=pair.child, signing_algorithm="ES384", audience=[SHOP])
        except SekishoError as error:
            if error.code not in DENIED:
                raise
        else:
            made.append((answer.web_identity_token, pair.child))
    return made


def compare_decisions(house: House, pairs: list[Pair], chance: random.Random, seen: Seen) -> None:
    """Authorize, in one batch: each question about the child and the parent."""
    context = [{"key": "orders:Amount", "values": [chance.choice(("10", "90"))]}] if chance.random() < 0.5 else []
    tokens = for_services(house, pairs)
    seen.tokens += len(tokens)
    compared = [(pair.what, {"bearer_token": token(pair.child)}, {"bearer_token": token(pair.parent)}) for pair in pairs]
    compared += [("token", {"bearer_token": jwt, "audience": SHOP}, {"bearer_token": token(child)}) for jwt, child in tokens]
    questions = [
        (what, {"action": action, "resource": resource, "context": context, **who})
        for what, child, parent in compared
        for action in ACTIONS
        for resource in RESOURCES[:2]
        for who in (child, parent)
    ]
    items = house.call("AuthorizeBatch", requests=[asked for _, asked in questions]).items
    outcomes = [item.decision.outcome == pb.OUTCOME_ALLOWED for item in items]
    assert not any(item.HasField("error") for item in items)
    for place in range(0, len(outcomes), 2):
        (what, asked), child, parent = questions[place], outcomes[place], outcomes[place + 1]
        assert parent or not child, (what, asked["action"], asked["resource"])
        assert parent == child or what != "token", "a token does less than its session"
        seen.allowed += child
        seen.less += parent and not child


def compare_calls(house: House, pairs: list[Pair], chance: random.Random, seen: Seen) -> None:
    """Two operations of the registry, called as the child and as the parent."""
    for pair in pairs:
        for operation in chance.sample(RPCS, 2):
            name = f"{operation.service.package}:{operation.name}"
            if permitted(house, name, pair.child):
                assert permitted(house, name, pair.parent), (pair.what, name)
                seen.called += 1
            else:
                seen.refused += 1


def permitted(house: House, name: str, who: sigv4.Credentials) -> bool:
    """Whether a call gets past the permission check, whatever it then comes to."""
    try:
        house.call(name, _as=who)
    except SekishoError as error:
        return error.code not in DENIED
    return True


def test_a_child_does_nothing_that_its_parent_could_not(house: House, issuer: Provider) -> None:
    chance, seen = random.Random(SEED), Seen()
    for number in range(WORLDS):
        made = world(house, chance, number, issuer)
        for _ in range(CHAINS // WORLDS):
            pairs = walk(made, chance, seen)
            compare_decisions(house, pairs, chance, seen)
            compare_calls(house, pairs, chance, seen)
            seen.pairs += len(pairs)
    assert seen.pairs > CHAINS
    assert min(seen.allowed, seen.less, seen.called, seen.refused, seen.assumed, seen.tokens) > CHAINS // 4, seen


def test_the_registry_has_operations_of_every_service_to_call() -> None:
    assert {operation.service.package for operation in RPCS} == {"iam", "sts", "organizations", "account", "cloudtrail"}
    assert len(RPCS) > 30

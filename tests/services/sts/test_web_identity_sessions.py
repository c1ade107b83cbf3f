"""Sessions of web identities: how long they last, what is in them, who is behind them. Rules: SEMANTICS 23-29."""

import dataclasses
import random
from collections.abc import Iterator
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2
from sekisho.credentials.oidc.key_sets import KeySets
from sekisho.errors import SekishoError
from tests import clock, providers
from tests.harness import House
from tests.providers import Provider
from tests.services.conftest import Refused
from tests.services.iam.documents import allow
from tests.services.sts.roles import SHIP, may, new_account, token, trusting
from tests.services.sts.web_identities import (  # noqa: F401  # fixtures, found by their names here
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


def test_semantics_23_how_long_a_session_lasts(house: House, provider: Provider) -> None:
    principal = register(house, provider)
    arn = role(house, federated(principal), max_session_duration=7200)
    made = assume(house, arn, provider.token())
    assert 3500 < made.credentials.expiration.seconds - clock.now().timestamp() <= 3600
    assert assume(house, arn, provider.token(), duration_seconds=7200)
    assert refusal(house, arn, provider.token(), duration_seconds=7201) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )
    assert refusal(house, arn, provider.token(), duration_seconds=899)[0] == "ValidationError"


def test_semantics_23_a_role_that_is_assumed_from_the_session_is_chained(house: House, provider: Provider, refused: Refused) -> None:
    arn = role(house, federated(register(house, provider)), policy=allow("sts:AssumeRole"))
    second = house.call(
        "CreateRole", role_name="second", assume_role_policy_document=trusting(house.account_id), max_session_duration=43200
    ).role.arn
    session = keys_of(assume(house, arn, provider.token()))
    house.assume(second, _as=session)
    assert refused("AssumeRole", _as=session, role_arn=second, role_session_name="s2", duration_seconds=3601) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
    )


def test_semantics_24_tags_need_tag_session(house: House, provider: Provider) -> None:
    arn = role(house, federated(register(house, provider)))
    claims: dict[str, Any] = {TAGS: {"principal_tags": {"team": ["blue"]}}}
    assert refusal(house, arn, provider.token(**claims)) == ("AccessDenied", "Not authorized to perform sts:TagSession")
    claims = {SOURCE_IDENTITY: "Alice"}
    assert refusal(house, arn, provider.token(**claims)) == ("AccessDenied", "Not authorized to perform sts:SetSourceIdentity")


def test_semantics_24_transitive_tags_and_source_identity_persist(house: House, provider: Provider, refused: Refused) -> None:
    by_team = allow("orders:Ship", when={"StringEquals": {"aws:PrincipalTag/team": "blue", "aws:SourceIdentity": "Alice"}})
    chain = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
    arn = role(house, federated(register(house, provider), *ALL), policy=allow(*chain))
    house.call("PutRolePolicy", role_name="deployer", policy_name="by-team", policy_document=by_team)
    second = role(house, trusting(house.account_id, *chain), name="second", policy=by_team)
    claims: dict[str, Any] = {
        TAGS: {"principal_tags": {"team": ["blue"], "cost": ["7"]}, "transitive_tag_keys": ["team"]},
        SOURCE_IDENTITY: "Alice",
    }
    made = assume(house, arn, provider.token(**claims))
    assert made.source_identity == "Alice"
    assert 0 < made.packed_policy_size < 100
    session = keys_of(made)
    assert may(house, session)
    assert may(house, house.assume(second, _as=session))
    again: dict[str, Any] = {"role_arn": second, "role_session_name": "s2", "_as": session}
    assert refused("AssumeRole", **again, tags=[{"key": "Team", "value": "red"}])[0] == "InvalidParameterValue"
    assert refused("AssumeRole", **again, source_identity="Bob")[0] == "AccessDenied"


@pytest.mark.parametrize(
    "claims",
    [
        {TAGS: {"principal_tags": {"aws:team": ["blue"]}}},
        {TAGS: {"principal_tags": {"team": ["blue"], "Team": ["red"]}}},
        {TAGS: {"principal_tags": {"te\nam": ["blue"]}}},
        {TAGS: {"principal_tags": {"": ["blue"]}}},
        {TAGS: {"principal_tags": {"t" * 129: ["blue"]}}},
        {TAGS: {"principal_tags": {"team": ["b" * 257]}}},
        {TAGS: {"principal_tags": {f"t{number}": [""] for number in range(51)}}},
        {TAGS: {"principal_tags": {"team": ["blue"]}, "transitive_tag_keys": ["cost"]}},
        {SOURCE_IDENTITY: "A"},
        {SOURCE_IDENTITY: "A B"},
        {SOURCE_IDENTITY: "A" * 65},
    ],
)
def test_semantics_24_tags_and_source_identity_are_held_to_the_rules_of_a_request(
    house: House, provider: Provider, claims: dict[str, Any]
) -> None:
    arn = role(house, federated(register(house, provider), *ALL))
    assert refusal(house, arn, provider.token(**claims))[0] == "InvalidIdentityToken"


def test_semantics_25_the_session_knows_nothing_of_mfa(house: House, provider: Provider) -> None:
    policy = allow("orders:Ship", when={"Null": {"aws:MultiFactorAuthPresent": "false"}})
    arn = role(house, federated(register(house, provider)), policy=policy)
    assert not may(house, keys_of(assume(house, arn, provider.token(amr=["mfa"]))))


def test_semantics_26_the_session_gets_no_session_token(house: House, provider: Provider, refused: Refused) -> None:
    arn = role(house, federated(register(house, provider)), policy=allow("*"))
    session = keys_of(assume(house, arn, provider.token()))
    for name, fields in (("GetSessionToken", {}), ("GetFederationToken", {"name": "kim"})):
        assert refused(name, _as=session, **fields) == ("AccessDenied", f"Cannot call {name} with session credentials")


def test_semantics_27_policies_limit_the_session(house: House, provider: Provider) -> None:
    arn = role(house, federated(register(house, provider)), policy=allow("orders:*"))
    managed = house.call("CreatePolicy", policy_name="ship", policy_document=SHIP).policy.arn
    for fields in ({"policy": SHIP}, {"policy_arns": [{"arn": managed}]}):
        made = assume(house, arn, provider.token(), **fields)
        assert made.packed_policy_size > 0
        assert may(house, keys_of(made))
        assert not may(house, keys_of(made), "orders:Burn")
    assert refusal(house, arn, provider.token(), policy="{")[0] == "MalformedPolicyDocument"
    assert refusal(house, arn, provider.token(), policy_arns=[{"arn": managed.replace("ship", "x")}])[0] == "ValidationError"
    assert refusal(house, arn, provider.token(), policy_arns=[{"arn": managed}] * 11)[0] == "ValidationError"


def test_semantics_27_what_does_not_fit_is_refused(house: House, provider: Provider) -> None:
    arn = role(house, federated(register(house, provider), *ALL))
    chance = random.Random(1)
    tags: Any = {f"{chance.getrandbits(400):x}": [f"{chance.getrandbits(900):x}"] for _ in range(30)}
    claims: dict[str, Any] = {TAGS: {"principal_tags": tags}}
    assert refusal(house, arn, provider.token(**claims))[0] == "PackedPolicyTooLarge"


def test_semantics_28_keys_of_the_provider_last_as_long_as_the_session(house: House, provider: Provider) -> None:
    when = {
        "StringEquals": {f"{ISSUER}:sub": "alice", f"{ISSUER}:aud": "shop", "aws:FederatedProvider": register(house, provider)},
        "ForAnyValue:StringEquals": {f"{ISSUER}:amr": "mfa"},
    }
    principal = f"arn:aws:iam::{house.account_id}:oidc-provider/{ISSUER}"
    arn = role(house, federated(principal), policy=allow("orders:Ship", when=when))
    claims: dict[str, Any] = {"aud": "shop", "amr": ["pwd", "mfa"]}
    session = keys_of(assume(house, arn, provider.token(**claims)))
    assert may(house, session)
    assert not may(house, keys_of(assume(house, arn, provider.token(**(claims | {"sub": "bob"})))))
    forged = [{"key": f"{ISSUER}:sub", "values": ["alice"]}]
    with pytest.raises(SekishoError):
        house.call("Authorize", bearer_token=token(session), action="orders:Ship", resource="*", context=forged)
    other = keys_of(assume(house, arn, provider.token(aud="shop", sub="bob", amr=["mfa"])))
    assert house.call("Authorize", bearer_token=token(other), action="orders:Ship", resource="*").outcome != decisions_pb2.OUTCOME_ALLOWED


def test_semantics_28_an_identity_is_issuer_and_subject(shared: House, provider: Provider) -> None:
    """Another provider's alice is somebody else, and an e-mail address links nothing, verified or not."""
    with providers.provider("other.example.com") as other:
        node = dataclasses.replace(shared.node, key_sets=KeySets({one.host: one.place for one in (provider, other)}))
        house = House(node, new_account(shared))
        first = register(house, provider)
        register(house, other)
        arn = role(house, federated(first, when={"StringEquals": {f"{ISSUER}:sub": "alice"}}))
        assume(house, arn, provider.token())
        assert refusal(house, arn, other.token()) == DENIED
        by_mail = role(house, federated(first, when={"StringEquals": {f"{ISSUER}:email": "alice@example.com"}}), name="by-mail")
        for verified in (True, False):
            claims: dict[str, Any] = {"email": "alice@example.com", "email_verified": verified}
            assert refusal(house, by_mail, provider.token(**claims)) == DENIED
            assert refusal(house, arn, provider.token(sub="mallory", **claims)) == DENIED


def test_semantics_28_the_audience_must_be_registered(house: House, provider: Provider) -> None:
    principal = register(house, provider, "shop")
    arn = role(house, federated(principal))
    wrong = ("InvalidIdentityToken", "Incorrect token audience")
    assert refusal(house, arn, provider.token()) == wrong
    house.call("AddClientIDToOpenIDConnectProvider", open_id_connect_provider_arn=principal, client_id="sts.amazonaws.com")
    assume(house, arn, provider.token())
    house.call("RemoveClientIDFromOpenIDConnectProvider", open_id_connect_provider_arn=principal, client_id="sts.amazonaws.com")
    assert refusal(house, arn, provider.token()) == wrong


def test_semantics_29_a_key_id_is_good_with_its_own_token_alone(house: House, provider: Provider, refused: Refused) -> None:
    arn = role(house, federated(register(house, provider)))
    one, other = (keys_of(assume(house, arn, provider.token())) for _ in range(2))
    mixed = sigv4.Credentials(one.access_key_id, one.secret_access_key, other.session_token)
    assert refused("GetCallerIdentity", _as=mixed)[0] == "InvalidClientTokenId"

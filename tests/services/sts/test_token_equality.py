"""A token may what the credentials may that asked for it, no more and no less, and ends with them, on every worker."""

import dataclasses
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.calls import holders
from sekisho.credentials import accounts
from sekisho.credentials.sessions import pack, unpack
from sekisho.errors import SekishoError
from sekisho.world import SessionFacts
from tests import clock, providers
from tests.harness import House
from tests.nodes import two
from tests.services.iam.documents import allow
from tests.services.iam.mfa import enabled
from tests.services.sts.roles import trusting
from tests.services.sts.tokens import SHOP, asks, issued
from tests.services.sts.web_identities import assume, federated, keys_of, knowing, register, role

WORLDS = 10
QUESTIONS = 12
ACTIONS = ("orders:Ship", "orders:Refund", "orders:Get", "depot:Open")
FACTS = frozenset(
    "kind name tags transitive source_identity policies policy_ids issued_at expires_at mfa mfa_at provider context".split()  # noqa: SIM905
)
"""What a session may say of its holder: whoever adds to it says how a token carries that, in `calls/holders.py`."""


def conditions(dice: random.Random, house: House) -> dict[str, Any]:
    """Some condition that differs between credentials."""
    account = house.account_id
    return dice.choice(
        [
            {},
            {},
            {"StringEquals": {"aws:PrincipalTag/team": dice.choice(["blue", "red"])}},
            {"StringNotEquals": {"aws:PrincipalTag/team": "blue"}},
            {"Bool": {"aws:MultiFactorAuthPresent": dice.choice(["true", "false"])}},
            {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}},
            {"NumericLessThan": {"aws:MultiFactorAuthAge": "600"}},
            {"Null": {"aws:TokenIssueTime": dice.choice(["true", "false"])}},
            {"DateLessThan": {"aws:TokenIssueTime": "2100-01-01T00:00:00Z"}},
            {"StringEquals": {"aws:SourceIdentity": "anna"}},
            {"StringEquals": {"aws:PrincipalType": dice.choice(["User", "AssumedRole", "Account"])}},
            {"StringLike": {"aws:userid": dice.choice(["*:night", "AIDA*", account])}},
            {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{account}:{dice.choice(['user/ann', 'role/*', 'root'])}"}},
            {"Null": {"aws:username": "false"}},
            {"Null": {"aws:FederatedProvider": "true"}},
        ]
    )


def document(dice: random.Random, house: House) -> str:
    statements = [
        {
            "Effect": dice.choice(["Allow", "Allow", "Deny"]),
            "Action": dice.choice(["*", "orders:*", *ACTIONS]),
            "Resource": dice.choice(["*", "arn:aws:orders:::a*", "arn:aws:orders:::${aws:PrincipalTag/team}"]),
            "Condition": conditions(dice, house),
        }
        for _ in range(dice.randint(1, 3))
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def of_user(dice: random.Random, house: House) -> sigv4.Credentials:
    return house.user("ann", document(dice, house), TOKENS, tags=[{"key": "Team", "value": dice.choice(["blue", "red"])}])


def of_root(dice: random.Random, house: House) -> sigv4.Credentials:
    return house.root


def of_session_token(dice: random.Random, house: House) -> sigv4.Credentials:
    ann = of_user(dice, house)
    proof: dict[str, Any] = {}
    if dice.random() < 0.5:
        phone = enabled(house, "ann")
        phone.forget()
        proof = {"serial_number": phone.serial, "token_code": phone.code()}
    made = house.call("GetSessionToken", _as=ann, **proof).credentials
    return sigv4.Credentials(made.access_key_id, made.secret_access_key, made.session_token)


def of_role(dice: random.Random, house: House) -> sigv4.Credentials:
    ann = house.user("ann", allow("sts:*"))
    trust = trusting(house.account_id, "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
    arn = house.call("CreateRole", role_name="clerk", assume_role_policy_document=trust, tags=[{"key": "team", "value": "blue"}]).role.arn
    for name, text in (("own", document(dice, house)), ("get", TOKENS)):
        house.call("PutRolePolicy", role_name="clerk", policy_name=name, policy_document=text)
    fields: dict[str, Any] = {"session": dice.choice(["night", "day"])}
    if dice.random() < 0.5:
        fields["tags"] = [{"key": "team", "value": "red"}]
    if dice.random() < 0.3:
        fields["source_identity"] = "anna"
    if dice.random() < 0.5:  # a session policy that lets tokens be asked for, and some of the rest
        fields["policy"] = json.dumps({"Version": "2012-10-17", "Statement": [*json.loads(document(dice, house))["Statement"], ASKING]})
    if dice.random() < 0.3:
        policy = house.call("CreatePolicy", policy_name=f"p{dice.random()}", policy_document=TOKENS).policy.arn
        fields["policy_arns"] = [{"arn": policy}]
    if dice.random() < 0.3:
        boundary = house.call("CreatePolicy", policy_name=f"b{dice.random()}", policy_document=allow("orders:*", "sts:*")).policy.arn
        house.call("PutRolePermissionsBoundary", role_name="clerk", permissions_boundary=boundary)
    return house.assume(arn, _as=ann, **fields)


ASKING = {"Effect": "Allow", "Action": "sts:GetWebIdentityToken", "Resource": "*"}
TOKENS = json.dumps({"Version": "2012-10-17", "Statement": ASKING})
KINDS: dict[str, Callable[[random.Random, House], sigv4.Credentials]] = {
    "user": of_user,
    "root": of_root,
    "session-token": of_session_token,
    "role": of_role,
}


def own(house: House, credentials: sigv4.Credentials, **fields: Any) -> pb.AuthorizeResponse:
    """The decision about whoever has the credentials."""
    token = sigv4.bearer.make(credentials, SHOP, clock.now()).removeprefix("Bearer ")
    found: pb.AuthorizeResponse = house.call("Authorize", bearer_token=token, audience=SHOP, **fields)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_may_what_its_holder_may(shared: House, kind: str) -> None:
    """Seeded worlds: the whole answer is the same, with the statements that matched and the keys that were missing."""
    outcomes: set[int] = set()
    compared = 0
    for seed in range(WORLDS if kind != "root" else 2):
        dice = random.Random(f"{kind}{seed}")
        house = House(shared.node, accounts.create(shared.node.database, shared.node.ring))
        house.call("EnableOutboundWebIdentityFederation")
        with clock.stopped():
            credentials = KINDS[kind](dice, house)
            try:
                token = issued(house, credentials, signing_algorithm=dice.choice(["ES384", "RS256"]))
            except SekishoError as error:
                if error.code != "AccessDenied":  # a policy of this world denies that, too
                    raise
                continue
            for _ in range(QUESTIONS):
                question = {"action": dice.choice(ACTIONS), "resource": f"arn:aws:orders:::{dice.choice(['a', 'blue', 'red'])}"}
                expected, found = own(house, credentials, **question), asks(house, token, **question)
                for answer in (expected, found):
                    answer.ClearField("decision_id")
                    answer.ClearField("revision")
                assert found == expected, (seed, question)
                outcomes.add(found.outcome)
                compared += 1
    assert compared >= QUESTIONS * 2
    assert len(outcomes) >= (1 if kind == "root" else 3)


def test_every_fact_of_a_session_is_carried() -> None:
    assert {field.name for field in dataclasses.fields(SessionFacts)} == FACTS


def test_a_session_comes_out_of_a_token_as_it_went_in(house: House) -> None:
    with clock.stopped():
        dice = random.Random(3)
        house.call("EnableOutboundWebIdentityFederation")
        credentials = of_role(dice, house)
    house.call("GetCallerIdentity", _as=credentials)
    opened = house.node.tokens.open(credentials.session_token or "", credentials.access_key_id, clock.now()).session
    key = ("session", credentials.access_key_id)
    subject = house.node.world.get_finding(key) or pytest.fail("the session is not remembered")
    acting, _ = house.node.world.acting(subject.subject, clock.now())
    carried = holders.of(acting).session
    assert carried is not None
    assert unpack(json.loads(json.dumps(pack(carried)))) == dataclasses.replace(opened, chained=False)


def test_a_token_of_somebody_whom_a_provider_vouched_for_keeps_the_keys_of_the_provider(shared: House) -> None:
    """Those keys allow, and they deny: without them a token could do more than the session, or less."""
    with providers.provider() as provider:
        house = knowing(shared, provider)
        house.call("EnableOutboundWebIdentityFederation")
        sub, amr = f"{provider.issuer}:sub", f"{provider.issuer}:amr"
        allowed = {"Effect": "Allow", "Action": "orders:*", "Resource": "*", "Condition": {"StringEquals": {sub: "alice"}}}
        denied = {
            "Effect": "Deny",
            "Action": "orders:Refund",
            "Resource": "*",
            "Condition": {"ForAnyValue:StringEquals": {amr: "guest"}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [ASKING, allowed, denied]})
        arn = role(house, federated(register(house, provider)), policy=policy)
        credentials = keys_of(assume(house, arn, provider.token(amr=["guest", "pwd"])))
        token = issued(house, credentials)
        outcomes = []
        for action in ("orders:Ship", "orders:Refund"):
            question = {"action": action, "resource": "*"}
            found = asks(house, token, **question).outcome
            assert found == own(house, credentials, **question).outcome
            outcomes.append(found)
    assert outcomes == [pb.OUTCOME_ALLOWED, pb.OUTCOME_EXPLICITLY_DENIED]


# Revocation, seen from another worker that has the token in memory.


@pytest.fixture
def nodes(database_url: str, tmp_path: Path) -> Iterator[tuple[House, House]]:
    with two(database_url, tmp_path) as made:
        made[0].call("EnableOutboundWebIdentityFederation")
        yield made


def denied(house: House, token: str, revision: str) -> str:
    """How the other worker refuses a token, once it knows of a revision: a code, or the outcome that is no allow; empty for an allow."""
    try:
        outcome = asks(house, token, at_least=revision).outcome
    except SekishoError as error:
        return error.code
    return "" if outcome == pb.OUTCOME_ALLOWED else pb.Outcome.Name(outcome)


def deny_older(house: House) -> None:
    """What the console's Revoke active sessions puts on a role."""
    later = (datetime.now(UTC) + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"DateLessThan": {"aws:TokenIssueTime": later}}}
    text = json.dumps({"Version": "2012-10-17", "Statement": statement})
    house.call("PutRolePolicy", role_name="clerk", policy_name="AWSRevokeOlderSessions", policy_document=text)


def delete_role(house: House) -> None:
    for name in house.call("ListRolePolicies", role_name="clerk").policy_names:
        house.call("DeleteRolePolicy", role_name="clerk", policy_name=name)
    house.call("DeleteRole", role_name="clerk")


def delete_user(house: House) -> None:
    (key,) = house.call("ListAccessKeys", user_name="ann").access_key_metadata
    house.call("DeleteAccessKey", user_name="ann", access_key_id=key.access_key_id)
    for name in house.call("ListUserPolicies", user_name="ann").policy_names:
        house.call("DeleteUserPolicy", user_name="ann", policy_name=name)
    house.call("DeleteUser", user_name="ann")


def deactivate(house: House) -> None:
    (key,) = house.call("ListAccessKeys", user_name="ann").access_key_metadata
    house.call("UpdateAccessKey", user_name="ann", access_key_id=key.access_key_id, status="Inactive")


def delete_key(house: House) -> None:
    (key,) = house.call("ListAccessKeys", user_name="ann").access_key_metadata
    house.call("DeleteAccessKey", user_name="ann", access_key_id=key.access_key_id)


REVOCATIONS: dict[str, tuple[str, Callable[[House], Any], str]] = {
    "the key that asked is deactivated": ("user", deactivate, "InvalidClientTokenId"),
    "the key that asked is deleted": ("user", delete_key, "InvalidClientTokenId"),
    "the user is deleted": ("user", delete_user, "InvalidClientTokenId"),
    "the user's policy is deleted": (
        "user",
        lambda house: house.call("DeleteUserPolicy", user_name="ann", policy_name="inline-0"),
        "OUTCOME_IMPLICITLY_DENIED",
    ),
    "sessions of before are denied": ("role", deny_older, "OUTCOME_EXPLICITLY_DENIED"),
    "the role is deleted": ("role", delete_role, "UnknownPrincipal"),
    "the role's policy is deleted": (
        "role",
        lambda house: house.call("DeleteRolePolicy", role_name="clerk", policy_name="own"),
        "OUTCOME_IMPLICITLY_DENIED",
    ),
}


@pytest.mark.parametrize("name", REVOCATIONS)
def test_a_token_ends_with_what_it_rests_on(nodes: tuple[House, House], name: str) -> None:
    kind, revoke, expected = REVOCATIONS[name]
    here, elsewhere = nodes
    if kind == "user":
        credentials = here.user("ann", allow("orders:Ship"), TOKENS)
    else:
        arn = here.call("CreateRole", role_name="clerk", assume_role_policy_document=trusting(here.account_id)).role.arn
        for policy, text in (("own", allow("orders:Ship")), ("get", TOKENS)):
            here.call("PutRolePolicy", role_name="clerk", policy_name=policy, policy_document=text)
        credentials = here.assume(arn, _as=here.user("bob", allow("sts:AssumeRole")))
    token = issued(here, credentials)
    assert denied(elsewhere, token, here.revision) == ""
    revoke(here)
    assert denied(elsewhere, token, here.revision) == expected
    assert denied(here, token, here.revision) == expected


def test_a_token_ends_with_the_key_that_sealed_its_session(house: House) -> None:
    house.call("EnableOutboundWebIdentityFederation")
    token = issued(house)
    before = house.node.ring.current("sessions").id
    house.node.ring.rotate("sessions")
    assert asks(house, token).outcome == pb.OUTCOME_ALLOWED
    house.node.ring.forget("sessions", before)
    with pytest.raises(sigv4.InvalidClientTokenId):
        asks(house, token)
    assert asks(house, issued(house)).outcome == pb.OUTCOME_ALLOWED

"""GetWebIdentityToken: what its tokens say, to whom it gives them, and what they may."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.api.sts.v1 import web_identity_tokens_pb2 as pb
from sekisho.calls import holders
from sekisho.credentials import identity_tokens
from sekisho.errors import SekishoError
from sekisho.services.sts import web_identity_tokens
from sekisho.world import AccountRecord, IssuerRecord, PrincipalRecord, SessionFacts, SigningKey, Subject
from sekisho.world.placement import Placement
from tests import clock
from tests.calls import fakes
from tests.calls.fakes import ACCOUNT, ANN, NOW, ROLE, ROLE_ARN, USER, USER_ARN, FakeNode, deploying
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow
from tests.services.sts import tokens
from tests.services.sts.roles import role, trusting
from tests.services.sts.tokens import SHOP, issued, may, parts

AWS = "https://sts.amazonaws.com/"
GET = allow("sts:GetWebIdentityToken", "sts:TagGetWebIdentityToken")


@pytest.fixture
def issuer(house: House) -> str:
    """The issuer of the house's account."""
    return str(house.call("EnableOutboundWebIdentityFederation").issuer_identifier)


def clerk(house: House, **fields: Any) -> sigv4.Credentials:
    """A session of a role that may ship orders and get tokens."""
    made = role(house, **fields)
    house.call("PutRolePolicy", role_name="clerk", policy_name="get", policy_document=GET)
    return house.assume(made, _as=house.user("ann", allow("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")))


def test_what_a_token_of_a_user_says(house: House, issuer: str) -> None:
    ann = house.user("ann", GET, tags=[{"key": "Team", "value": "blue"}])
    with clock.stopped() as now:
        token = issued(house, ann, tags=[{"key": "job", "value": "7"}])
    header, claims = parts(token)
    begun = int(now.timestamp())
    assert (header["alg"], header["typ"], sorted(header)) == ("ES384", "JWT", ["alg", "kid", "typ"])
    assert claims.pop("jti")
    assert claims.pop("urn:sekisho:credentials")
    assert claims == {
        AWS: {
            "aws_account": house.account_id,
            "source_region": "us-east-1",
            "principal_id": f"arn:aws:iam::{house.account_id}:user/ann",
            "principal_tags": {"Team": "blue"},
            "request_tags": {"job": "7"},
        },
        "iss": issuer,
        "sub": f"arn:aws:iam::{house.account_id}:user/ann",
        "aud": SHOP,
        "iat": begun,
        "exp": begun + 300,
    }


def test_what_a_token_of_a_session_says(house: House, issuer: str) -> None:
    made = role(house, trusting(house.account_id, "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"))
    house.call("PutRolePolicy", role_name="clerk", policy_name="get", policy_document=GET)
    house.call("TagRole", role_name="clerk", tags=[{"key": "Team", "value": "blue"}, {"key": "floor", "value": "2"}])
    ann = house.user("ann", allow("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"))
    given: dict[str, Any] = {"tags": [{"key": "team", "value": "red"}], "source_identity": "anna"}
    session = house.call("AssumeRole", _as=ann, role_arn=made, role_session_name="session", **given).credentials
    credentials = sigv4.Credentials(session.access_key_id, session.secret_access_key, session.session_token)
    claims = parts(issued(house, credentials, SHOP, "b", duration_seconds=60))[1]
    assert (claims["sub"], claims["aud"], claims["exp"] - claims["iat"]) == (made, [SHOP, "b"], 60)
    assert claims[AWS] == {
        "aws_account": house.account_id,
        "source_region": "us-east-1",
        "principal_id": made,
        "original_session_exp": session.expiration.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "source_identity": "anna",
        "principal_tags": {"floor": "2", "team": "red"},
    }


def test_an_account_that_has_not_enabled_it_gets_none(house: House, refused: Refused) -> None:
    asked = {"audience": [SHOP], "signing_algorithm": "RS256"}
    said = "OutboundWebIdentityFederationDisabledException", "Outbound web identity federation is not enabled for this account."
    assert refused("GetWebIdentityToken", **asked) == said
    house.call("EnableOutboundWebIdentityFederation")
    token = issued(house)
    house.call("DisableOutboundWebIdentityFederation")
    assert refused("GetWebIdentityToken", **asked) == said
    assert may(house, token)  # as AWS has it: what was issued stays good


def test_no_token_outlives_the_session_that_asks(house: House, issuer: str, refused: Refused) -> None:
    made = role(house)
    house.call("PutRolePolicy", role_name="clerk", policy_name="get", policy_document=GET)
    session = house.assume(made, _as=house.user("ann", allow("sts:AssumeRole")), duration_seconds=900)
    asked = {"audience": [SHOP], "signing_algorithm": "RS256"}
    assert refused("GetWebIdentityToken", session, **asked, duration_seconds=901) == (
        "SessionDurationEscalationException",
        "The token would last longer than the session that requested it.",
    )
    now = datetime.now(UTC)
    with clock.stopped(now + timedelta(seconds=700)):
        assert refused("GetWebIdentityToken", session, **asked)[0] == "SessionDurationEscalationException"
        issued(house, session, duration_seconds=60)


@pytest.mark.parametrize(
    "fields",
    [
        {"audience": []},
        {"audience": ["a"] * 11},
        {"audience": ["a" * 1001]},
        {"audience": [""]},
        {"duration_seconds": 59},
        {"duration_seconds": 3601},
        {"signing_algorithm": "HS256"},
        {"signing_algorithm": "none"},
        {"signing_algorithm": ""},
        {"subject_mode": "OriginIdentity"},
        {"subject_mode": "Origin"},
        {"scope": "read"},
        {"scope": " read"},
        {"tags": [{"key": f"k{n}", "value": ""} for n in range(51)]},
    ],
    ids=lambda fields: f"{next(iter(fields))}-{str(next(iter(fields.values())))[:20]}",
)
def test_what_cannot_be_asked_for(house: House, issuer: str, refused: Refused, fields: dict[str, Any]) -> None:
    asked = {"audience": [SHOP], "signing_algorithm": "RS256"} | fields
    assert refused("GetWebIdentityToken", **asked)[0] == "ValidationError"


def test_claims_that_a_token_does_not_hold(house: House, issuer: str, refused: Refused) -> None:
    tags = [{"key": f"{'k' * 100}{n}", "value": "v" * 256} for n in range(20)]
    code, message = refused("GetWebIdentityToken", audience=[SHOP], signing_algorithm="RS256", tags=tags)
    assert code == "JWTPayloadSizeExceededException"
    assert message == "The token would have more than 7168 bytes. Reduce the number of request tags."
    largest = issued(house, None, signing_algorithm="RS256", tags=tags[:10])
    assert 4000 < len(largest) <= identity_tokens.MAX_LENGTH
    assert may(house, largest)


CONDITIONS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "one of the audiences": (
        {"ForAllValues:StringEquals": {"sts:IdentityTokenAudience": ["a", "b"]}},
        {"audience": ["a", "b"]},
        {"audience": ["a", "c"]},
    ),
    "the duration": ({"NumericLessThanEquals": {"sts:DurationSeconds": "120"}}, {"duration_seconds": 120}, {"duration_seconds": 121}),
    "the duration that is not given": ({"NumericLessThan": {"sts:DurationSeconds": "300"}}, {"duration_seconds": 299}, {}),
    "the algorithm": ({"StringEquals": {"sts:SigningAlgorithm": "ES384"}}, {}, {"signing_algorithm": "RS256"}),
    "the subject": ({"StringEquals": {"sts:SubjectMode": "AWSIdentity"}}, {}, {"subject_mode": "OriginIdentity"}),
    "a tag": (
        {"StringEquals": {"aws:RequestTag/job": "7"}},
        {"tags": [{"key": "job", "value": "7"}]},
        {"tags": [{"key": "job", "value": "8"}]},
    ),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_policies_limit_what_is_asked_for(house: House, issuer: str, refused: Refused, name: str) -> None:
    condition, good, bad = CONDITIONS[name]
    statement = {"Effect": "Allow", "Action": "sts:*", "Resource": f"arn:aws:sts::{house.account_id}:self", "Condition": condition}
    ann = house.user("ann", json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    asked = {"audience": ["a"], "signing_algorithm": "ES384"}
    assert house.call("GetWebIdentityToken", _as=ann, **(asked | good)).web_identity_token
    code, message = refused("GetWebIdentityToken", ann, **(asked | bad))
    assert code == "AccessDenied"
    named = f"arn:aws:iam::{house.account_id}:user/ann is not authorized to perform: sts:GetWebIdentityToken"
    assert message.startswith(f"User: {named} on resource: arn:aws:sts::{house.account_id}:self because ")


def test_tags_take_a_permission_of_their_own(house: House, issuer: str, refused: Refused) -> None:
    ann = house.user("ann", allow("sts:GetWebIdentityToken"))
    issued(house, ann)
    tags = [{"key": "job", "value": "7"}]
    code, message = refused("GetWebIdentityToken", ann, audience=[SHOP], signing_algorithm="ES384", tags=tags)
    assert (code, "sts:TagGetWebIdentityToken" in message) == ("AccessDenied", True)


def test_a_federated_user_gets_none(house: House, issuer: str, refused: Refused) -> None:
    desk = house.user("desk", allow("sts:*", "orders:*"))
    made = house.call("GetFederationToken", _as=desk, name="bob", policy=allow("*")).credentials
    bob = sigv4.Credentials(made.access_key_id, made.secret_access_key, made.session_token)
    assert refused("GetWebIdentityToken", bob, audience=[SHOP], signing_algorithm="ES384")[0] == "AccessDenied"


@pytest.mark.parametrize("algorithm", ["ES384", "RS256"])
def test_a_token_is_whoever_asked_for_it(house: House, issuer: str, algorithm: str) -> None:
    token = issued(house, clerk(house), signing_algorithm=algorithm)
    assert tokens.asks(house, token).principal_arn == f"arn:aws:sts::{house.account_id}:assumed-role/clerk/session"
    assert may(house, token)
    assert not may(house, token, "orders:Refund")


def test_a_token_is_good_for_its_audiences_alone(house: House, issuer: str) -> None:
    token = issued(house, None, SHOP, "depot.example.com")
    assert may(house, token, audience="depot.example.com")
    for audience in ("mail.example.com", "", "shop.example.co", "SHOP.example.com", f"{SHOP},depot.example.com"):
        with pytest.raises(sigv4.SignatureDoesNotMatch, match="another audience"):
            tokens.asks(house, token, audience=audience)


def test_a_restricted_session_stays_restricted(house: House, issuer: str) -> None:
    made = role(house)
    house.call("PutRolePolicy", role_name="clerk", policy_name="get", policy_document=allow("*"))
    limit = {"Effect": "Allow", "Action": ["orders:Ship", "sts:*"], "Resource": "*"}
    limits = json.dumps({"Version": "2012-10-17", "Statement": limit})
    token = issued(house, house.assume(made, _as=house.user("ann", allow("sts:AssumeRole")), policy=limits))
    assert may(house, token)
    assert not may(house, token, "orders:Refund")


def test_a_token_ends(house: House, issuer: str) -> None:
    with clock.stopped() as now:
        token = issued(house, duration_seconds=60)
        assert may(house, token)
    with clock.stopped(now + timedelta(seconds=59)):
        assert may(house, token)
    with clock.stopped(now + timedelta(seconds=60)), pytest.raises(sigv4.ExpiredToken):
        may(house, token)


KEYS = tuple(
    SigningKey(f"{algorithm}-{n}", algorithm, "{}", "", NOW - timedelta(days=2 - n)) for algorithm in ("ES384", "RS256") for n in (1, 2, 3)
)
ISSUER = IssuerRecord("iss-1", ACCOUNT, "https://tokens.example.com/iss-1", None, KEYS)


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    """One whose account has an issuer; what would be signed is kept as `signed`."""
    made = FakeNode(ring="ring", signed=[])
    made.world.put(AccountRecord(ACCOUNT, "ACTIVE", issuer_id="iss-1"), ISSUER)

    def issue(*given: Any) -> str:
        made.signed.append(given)
        return "token"

    monkeypatch.setattr(identity_tokens, "issue", issue)
    return made


def get(node: FakeNode, subject: Subject = ANN, *audience: str, **fields: Any) -> Any:
    """The response of the operation, a part of a second after the whole."""
    call = node.call("GetWebIdentityToken", subject)
    call.now = NOW + timedelta(microseconds=999_999)
    request = pb.GetWebIdentityTokenRequest(**{"signing_algorithm": "ES384", "audience": audience or (SHOP,), **fields})
    return web_identity_tokens.get_web_identity_token(call, request)


def refusal(*given: Any, **fields: Any) -> tuple[str, str]:
    """Why there is no token."""
    with pytest.raises(SekishoError) as caught:
        get(*given, **fields)
    return caught.value.code, caught.value.message


def test_what_is_signed_and_by_which_key(node: FakeNode) -> None:
    made = get(node)
    ((claims, holder, key, ring),) = node.signed
    assert (made.web_identity_token, made.expiration.ToDatetime(UTC)) == ("token", NOW + timedelta(seconds=300))
    assert (key.kid, ring) == ("ES384-2", "ring"), "the third has not begun"
    assert (holder.account, holder.principal_id, holder.access_key_id) == (ACCOUNT, USER, fakes.KEY)
    assert len(claims.pop("jti")) == 36
    assert list(claims) == [AWS, "iss", "sub", "aud", "iat", "exp"]
    begun = int(NOW.timestamp())
    assert claims == {
        AWS: {"aws_account": ACCOUNT, "source_region": "us-east-1", "principal_id": USER_ARN},
        "iss": ISSUER.url,
        "sub": USER_ARN,
        "aud": SHOP,
        "iat": begun,
        "exp": begun + 300,
    }
    get(node, ANN, "a", "b", signing_algorithm="RS256", duration_seconds=60)
    claims, _, key, _ = node.signed[1]
    assert (claims["aud"], claims["exp"] - claims["iat"], key.kid) == (["a", "b"], 60, "RS256-2")


def test_all_that_is_said_of_a_caller(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its tags those of the session are over its own, whatever their case."""
    node.world.put(PrincipalRecord(ROLE, ACCOUNT, "role", "deploy", ROLE_ARN, tags={"Team": "blue", "floor": "2"}))
    make = node.world.acting
    place = Placement("o-1", "o-1/r-1/", None, None)
    monkeypatch.setattr(node.world, "acting", lambda subject, now: (replace(make(subject, now)[0], placement=place), node.world.point))
    facts: dict[str, Any] = {"tags": {"TEAM": "red"}, "source_identity": "anna", "provider": "idp", "issued_at": NOW}
    get(node, deploying(expires_at=NOW + timedelta(seconds=300), **facts), tags=[{"key": "job", "value": "7"}])
    assert node.signed[0][0][AWS] == {
        "aws_account": ACCOUNT,
        "source_region": "us-east-1",
        "principal_id": ROLE_ARN,
        "org_id": "o-1",
        "ou_path": ["o-1/r-1/"],
        "original_session_exp": "2026-03-01T12:05:00Z",
        "source_identity": "anna",
        "federated_provider": "idp",
        "principal_tags": {"floor": "2", "TEAM": "red"},
        "request_tags": {"job": "7"},
    }


def test_a_token_ends_with_the_session_at_the_latest(node: FakeNode) -> None:
    """To the second: one that ends a second earlier asks in vain."""
    get(node, deploying(issued_at=NOW, expires_at=NOW + timedelta(seconds=60)), duration_seconds=60)
    said = "SessionDurationEscalationException", "The token would last longer than the session that requested it."
    assert refusal(node, deploying(issued_at=NOW, expires_at=NOW + timedelta(seconds=59)), duration_seconds=60) == said
    assert refusal(node, deploying(issued_at=NOW, expires_at=NOW + timedelta(seconds=299))) == said


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"signing_algorithm": "HS256"}, "The signing algorithm is one of ES384, RS256."),
        ({"subject_mode": "OriginIdentity"}, "The session has no origin identity, which SubjectMode OriginIdentity needs."),
        ({"scope": "read"}, "Scope can be specified only when SubjectMode is OriginIdentity."),
    ],
)
def test_why_something_cannot_be_asked_for(node: FakeNode, fields: dict[str, Any], message: str) -> None:
    assert refusal(node, **fields) == ("ValidationError", message)
    get(node, subject_mode="AWSIdentity")


@pytest.mark.parametrize(
    "issuer", [None, replace(ISSUER, disabled_at=NOW), AccountRecord("iss-1", "ACTIVE")], ids=["none", "disabled", "odd"]
)
def test_an_account_without_an_issuer(node: FakeNode, monkeypatch: pytest.MonkeyPatch, issuer: Any) -> None:
    said = "OutboundWebIdentityFederationDisabledException", "Outbound web identity federation is not enabled for this account."
    node.world.records["iss-1"] = issuer
    assert refusal(node) == said
    call, looked = node.call("GetWebIdentityToken"), list[str]()
    for account in (AccountRecord(ACCOUNT, "ACTIVE"), None):
        looked.clear()

        def get_record(id_: str, account: AccountRecord | None = account) -> AccountRecord | None:
            looked.append(id_)
            return account

        monkeypatch.setattr(node.world, "get_record", get_record)
        with pytest.raises(SekishoError, match="is not enabled for this account"):
            web_identity_tokens._issuer(call)
        assert looked == [ACCOUNT]


def test_an_issuer_that_has_no_key_yet(node: FakeNode) -> None:
    node.world.put(replace(ISSUER, keys=KEYS[2:3]))
    assert refusal(node) == ("ServiceUnavailable", "The issuer of the account has no key yet.")


@pytest.mark.parametrize(("given", "seconds"), [(0, "300"), (60, "60")])
def test_conditions_are_asked_about_what_a_request_means(node: FakeNode, given: int, seconds: str) -> None:
    found = web_identity_tokens.self_(node.call(), pb.GetWebIdentityTokenRequest(duration_seconds=given), "")
    assert found.arn == f"arn:aws:sts::{ACCOUNT}:self"
    assert found.keys == {"sts:DurationSeconds": seconds, "sts:SubjectMode": "AWSIdentity"}


def test_a_session_that_does_not_say_more(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holders, "of", lambda _: None)
    get(node, replace(ANN, session=SessionFacts("session-token", issued_at=NOW, mfa=True)))
    get(node, Subject(ACCOUNT, ACCOUNT))  # the root user, which has no tags
    for (claims, *_), arn in zip(node.signed, (USER_ARN, f"arn:aws:iam::{ACCOUNT}:root"), strict=True):
        assert claims[AWS] == {"aws_account": ACCOUNT, "source_region": "us-east-1", "principal_id": arn}

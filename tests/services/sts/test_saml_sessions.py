"""AssumeRoleWithSAML, over the whole pipeline: who gets which session, what stays of it, and what is refused."""

import base64
import hashlib
import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import select

from sekisho import sigv4
from sekisho.credentials import accounts
from sekisho.errors import SekishoError
from sekisho.store.tables import AuditRecord, UsedSignature
from tests.harness import House
from tests.identity_provider import RECIPIENT, ROLE, SESSION_NAME, IdentityProvider, pair
from tests.journal.conditions import until
from tests.services.conftest import Refused
from tests.services.iam.documents import allow
from tests.services.sts.roles import SHIP, may, new_account

IDP = IdentityProvider()
DENIED = ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML")
TAG = "https://aws.amazon.com/SAML/Attributes/PrincipalTag:"
OURS = "https://aws.amazon.com/SAML/Attributes/"
ALL = ("sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity")
AUDIENCE = {"StringEquals": {"saml:aud": RECIPIENT}}


def provider(house: House, name: str = "idp", **fields: Any) -> str:
    """The ARN of a new provider."""
    made: str = house.call("CreateSAMLProvider", **{"name": name, "saml_metadata_document": IDP.metadata, **fields}).saml_provider_arn
    return made


def trusting(provider_arn: str, *actions: str, when: dict[str, Any] | None = None) -> str:
    """A trust policy for the people of a provider."""
    statement = {"Effect": "Allow", "Principal": {"Federated": provider_arn}, "Action": actions or ALL, "Condition": when or AUDIENCE}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def role(house: House, *actions: str, name: str = "dev", when: dict[str, Any] | None = None, of: str = "idp", **fields: Any) -> str:
    """A role that may ship orders, and that the provider's people may assume. Its ARN."""
    document = trusting(f"arn:aws:iam::{house.account_id}:saml-provider/{of}", *actions, when=when)
    made: str = house.call("CreateRole", role_name=name, assume_role_policy_document=document, **fields).role.arn
    house.call("PutRolePolicy", role_name=name, policy_name="p", policy_document=SHIP)
    return made


def asserted(role_arn: str, provider_arn: str, attributes: dict[str, list[str]] | None = None, **said: Any) -> str:
    """A response about Ana for a role."""
    given = {ROLE: [f"{role_arn},{provider_arn}"], SESSION_NAME: ["ana"], **(attributes or {})}
    moment = datetime.now(UTC).replace(microsecond=0)
    return IDP.keycloak(IDP.says(moment, **{"attributes": {name: values for name, values in given.items() if values}, **said}))


def assume(house: House, role_arn: str, provider_arn: str, text: str | None = None, **fields: Any) -> Any:
    """The response of the operation."""
    text = text or asserted(role_arn, provider_arn)
    return house.call("AssumeRoleWithSAML", role_arn=role_arn, principal_arn=provider_arn, saml_assertion=text, **fields)


def credentials(made: Any) -> sigv4.Credentials:
    """Those of a response."""
    one = made.credentials
    return sigv4.Credentials(one.access_key_id, one.secret_access_key, one.session_token)


def test_a_session_of_somebody_whom_the_provider_vouches_for(house: House) -> None:
    idp = provider(house)
    arn = role(house)
    made = assume(house, arn, idp)
    assert made.assumed_role_user.arn == f"arn:aws:sts::{house.account_id}:assumed-role/dev/ana"
    assert (made.subject, made.subject_type, made.issuer) == ("ana@example.com", "persistent", "https://idp.example.com/m")
    assert made.audience == "https://signin.aws.amazon.com/saml"
    hashed = hashlib.sha1(f"https://idp.example.com/m{house.account_id}/idp".encode()).digest()  # noqa: S324  # as AWS says
    assert made.name_qualifier == base64.b64encode(hashed).decode()
    assert not made.HasField("packed_policy_size")
    assert not made.HasField("source_identity")
    session = credentials(made)
    assert house.call("GetCallerIdentity", _as=session).arn == made.assumed_role_user.arn
    assert may(house, session)
    assert not may(house, session, "orders:Burn")
    left = made.credentials.expiration.seconds - datetime.now(UTC).timestamp()
    assert 3480 < left <= 3600


def test_the_trail_names_the_person_and_not_the_assertion(house: House) -> None:
    idp = provider(house)
    arn = role(house)
    text = asserted(arn, idp)
    made = assume(house, arn, idp, text)
    until(lambda: recorded(house) is not None)
    row = recorded(house)
    assert row is not None
    assert text not in row.request
    assert json.loads(row.identity) == {
        "type": "SAMLUser",
        "principalId": f"{made.name_qualifier}:ana@example.com",
        "userName": "ana@example.com",
        "identityProvider": made.name_qualifier,
    }


def recorded(house: House) -> AuditRecord | None:
    """The record of the account's one call of the operation."""
    with house.node.database.read() as session:
        found = AuditRecord.account_id == house.account_id, AuditRecord.event_name == "AssumeRoleWithSAML"
        return session.scalars(select(AuditRecord).where(*found)).one_or_none()


@pytest.mark.parametrize(
    ("when", "granted"),
    [
        ({"StringEquals": {"saml:aud": RECIPIENT}}, True),
        ({"StringEquals": {"saml:aud": "https://other"}}, False),
        ({"StringEquals": {"saml:iss": "https://idp.example.com/m"}}, True),
        ({"StringEquals": {"saml:iss": "https://other"}}, False),
        ({"StringEquals": {"saml:sub": "ana@example.com"}}, True),
        ({"StringEquals": {"saml:sub": "ben@example.com"}}, False),
        ({"StringEquals": {"saml:sub_type": "persistent"}}, True),
        ({"StringEquals": {"saml:sub_type": "transient"}}, False),
        ({"StringLike": {"saml:namequalifier": "*="}}, True),
        ({"StringEquals": {"saml:namequalifier": "other"}}, False),
        ({"StringLike": {"saml:doc": "*/idp"}}, True),
        ({"StringLike": {"saml:doc": "*/other"}}, False),
        ({"ForAnyValue:StringEquals": {"saml:edupersonaffiliation": ["staff"]}}, True),
        ({"ForAnyValue:StringEquals": {"saml:eduPersonAffiliation": ["student"]}}, False),
        ({"ForAllValues:StringLike": {"saml:edupersonaffiliation": ["staff", "mem*"]}}, True),
        ({"ForAnyValue:StringEquals": {"saml:edupersonorgdn": ["o=example"]}}, True),
        ({"ForAnyValue:StringEquals": {"saml:cn": ["Ana"]}}, True),
        ({"StringEquals": {"saml:mail": "ana@example.com"}}, True),
        ({"StringEquals": {"saml:givenName": "Ana"}}, True),
        ({"StringEquals": {"saml:uid": "7"}}, True),
        ({"StringEquals": {"saml:surname": "Other"}}, False),
        ({"Null": {"saml:x500UniqueIdentifier": "true"}}, True),
        ({"StringEquals": {"sts:RoleSessionName": "ana"}}, True),
        ({"StringEquals": {"sts:RoleSessionName": "ben"}}, False),
        ({"StringEquals": {"sts:ExternalId": "x"}}, False),
    ],
)  # fmt: skip
def test_what_the_provider_said_decides(house: House, refused: Refused, when: dict[str, Any], granted: bool) -> None:
    idp = provider(house)
    arn = role(house, when=when)
    attributes = {
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.1": ["staff", "member"],
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.3": ["o=example"],
        "urn:oid:2.5.4.3": ["Ana"],
        "urn:oid:0.9.2342.19200300.100.1.1": ["7"],
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname": ["Ana"],
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress": ["ana@example.com"],
    }
    text = asserted(arn, idp, attributes)
    if granted:
        assert may(house, credentials(assume(house, arn, idp, text)))
    else:
        assert refused("AssumeRoleWithSAML", role_arn=arn, principal_arn=idp, saml_assertion=text) == DENIED


def test_tags_and_source_identity_come_from_the_provider(house: House) -> None:
    idp = provider(house)
    when = {"StringEquals": {"aws:RequestTag/team": "red"}, "ForAllValues:StringEquals": {"sts:TransitiveTagKeys": ["team"]}}
    arn = role(house, when=when)
    attributes = {f"{TAG}team": ["red"], f"{OURS}TransitiveTagKeys": ["Team"], f"{OURS}SourceIdentity": ["ana"]}
    made = assume(house, arn, idp, asserted(arn, idp, attributes))
    assert made.source_identity == "ana"
    assert 0 < made.packed_policy_size < 100
    facts = {"aws:PrincipalTag/team": "red", "aws:SourceIdentity": "ana", "aws:FederatedProvider": idp, "saml:sub": "ana@example.com"}
    document = allow("orders:Ship", when={"StringEquals": facts})
    house.call("PutRolePolicy", role_name="dev", policy_name="p", policy_document=document)
    assert may(house, credentials(made))


@pytest.mark.parametrize(
    ("attributes", "action"),
    [({f"{TAG}team": ["red"]}, "sts:TagSession"), ({f"{OURS}SourceIdentity": ["ana"]}, "sts:SetSourceIdentity")],
)
def test_tags_and_source_identity_take_permissions_of_their_own(
    house: House, refused: Refused, attributes: dict[str, list[str]], action: str
) -> None:
    idp = provider(house)
    arn = role(house, "sts:AssumeRoleWithSAML")
    found = refused("AssumeRoleWithSAML", role_arn=arn, principal_arn=idp, saml_assertion=asserted(arn, idp, attributes))
    assert found == ("AccessDenied", f"Not authorized to perform {action}")


@pytest.mark.parametrize(
    ("asked", "said", "most", "lasts"),
    [
        ({}, {}, 43_200, 3600),
        ({"duration_seconds": 7200}, {}, 43_200, 7200),
        ({"duration_seconds": 7200}, {"attributes": "1800"}, 43_200, 1800),
        ({}, {"attributes": "28800"}, 43_200, 3600),
        ({"duration_seconds": 7200}, {"session_ends": timedelta(minutes=20)}, 43_200, 1200),
    ],
)  # fmt: skip
def test_the_session_ends_with_the_first_of_its_ends(
    house: House, asked: dict[str, int], said: dict[str, Any], most: int, lasts: int
) -> None:
    idp = provider(house)
    arn = role(house, max_session_duration=most)
    attributes = {f"{OURS}SessionDuration": [said["attributes"]]} if "attributes" in said else {}
    ends = {"session_ends": said["session_ends"]} if "session_ends" in said else {}
    made = assume(house, arn, idp, asserted(arn, idp, attributes, **ends), **asked)
    left = made.credentials.expiration.seconds - datetime.now(UTC).timestamp()
    assert lasts - 120 < left <= lasts


def test_longer_than_the_role_permits_is_refused(house: House, refused: Refused) -> None:
    idp = provider(house)
    arn = role(house)
    asked = {"role_arn": arn, "principal_arn": idp, "saml_assertion": asserted(arn, idp), "duration_seconds": 7200}
    assert refused("AssumeRoleWithSAML", **asked)[0] == "ValidationError"


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ({SESSION_NAME: []}, "RoleSessionName is required in AuthnResponse"),
        ({SESSION_NAME: ["a b"]}, "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"),
        ({SESSION_NAME: ["a"]}, "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"),
        ({SESSION_NAME: ["ana", "ben"]}, "The SAML response must have exactly one value of RoleSessionName."),
        ({ROLE: []}, "The SAML response does not name the role together with the provider."),
        ({ROLE: ["arn:aws:iam::111122223333:role/dev"]}, "The SAML response does not name the role together with the provider."),
        ({f"{OURS}SessionDuration": ["899"]}, "SessionDuration in AuthnResponse must be 900 to 43200"),
        ({f"{OURS}SessionDuration": ["1e4"]}, "SessionDuration in AuthnResponse must be 900 to 43200"),
        ({f"{TAG}aws:x": ["y"]}, "Tag keys beginning with aws: are reserved for system use."),
        ({f"{TAG}team": ["a"], f"{TAG}Team": ["b"]}, "Duplicate tag keys found. Please note that Tag keys are case insensitive."),
        ({f"{TAG}team": ["a", "b"]}, f"The SAML response must have exactly one value of {TAG}team."),
        ({f"{OURS}TransitiveTagKeys": ["team"]}, "The specified transitive tag key must be included in the requested tags."),
    ],
)  # fmt: skip
def test_attributes_that_are_not_as_they_should(house: House, refused: Refused, attributes: dict[str, list[str]], sentence: str) -> None:
    idp = provider(house)
    arn = role(house)
    found = refused("AssumeRoleWithSAML", role_arn=arn, principal_arn=idp, saml_assertion=asserted(arn, idp, attributes))
    assert found == ("InvalidIdentityToken", sentence)


def test_a_role_for_another_provider_of_the_account(house: House, refused: Refused) -> None:
    first, second = provider(house), provider(house, "second")
    arn = role(house, of="second")
    assert refused("AssumeRoleWithSAML", role_arn=arn, principal_arn=first, saml_assertion=asserted(arn, first)) == DENIED
    assume(house, arn, second)


def test_a_role_of_another_account_or_none_is_denied_alike(house: House, refused: Refused) -> None:
    idp = provider(house)
    other = House(house.node, new_account(house))
    provider(other)
    for arn in (role(other), f"arn:aws:iam::{house.account_id}:role/nobody"):
        assert refused("AssumeRoleWithSAML", role_arn=arn, principal_arn=idp, saml_assertion=asserted(arn, idp)) == DENIED


def test_a_response_is_taken_once_in_an_account(house: House, refused: Refused) -> None:
    idp = provider(house)
    arn = role(house)
    text = asserted(arn, idp)
    asked: dict[str, Any] = {"role_arn": arn, "principal_arn": idp, "saml_assertion": text}
    house.call("AssumeRoleWithSAML", **asked)
    again = ("InvalidIdentityToken", "The SAML assertion was used before.")
    assert refused("AssumeRoleWithSAML", **asked) == again
    rewrapped = base64.b64encode(base64.b64decode(text).replace(b'ID="_r', b'ID="_other')).decode()  # around the same assertion
    assert rewrapped != text
    assert refused("AssumeRoleWithSAML", **{**asked, "saml_assertion": rewrapped}) == again


def test_a_response_that_was_denied_is_not_used_up(house: House, refused: Refused) -> None:
    idp = provider(house)
    arn = role(house, when={"StringEquals": {"saml:sub": "ben@example.com"}})
    text = asserted(arn, idp)
    assert refused("AssumeRoleWithSAML", role_arn=arn, principal_arn=idp, saml_assertion=text) == DENIED
    house.call("UpdateAssumeRolePolicy", role_name="dev", policy_document=trusting(idp))
    assume(house, arn, idp, text)


def at_once(tries: int, one: Callable[[], object]) -> list[str]:
    """The outcomes of as many tries, by 32 threads at once: `` for one that succeeded, else the error's code."""
    together = threading.Barrier(min(tries, 32))

    def attempt(number: int) -> str:
        if number < together.parties:
            together.wait()
        try:
            one()
        except SekishoError as error:
            return error.code
        return ""

    with ThreadPoolExecutor(together.parties) as threads:
        return list(threads.map(attempt, range(tries)))


def test_of_many_at_once_exactly_one_wins(house: House) -> None:
    idp = provider(house)
    arn = role(house)
    text = asserted(arn, idp)
    tries = int(os.environ.get("TRIES", "24"))
    outcomes = at_once(tries, lambda: assume(house, arn, idp, text))
    assert sorted(outcomes) == [""] + ["InvalidIdentityToken"] * (tries - 1)


def test_what_is_kept_of_a_use_goes_with_the_others(house: House) -> None:
    idp = provider(house)
    arn = role(house)
    assume(house, arn, idp)
    with house.node.database.read() as session:
        rows = session.scalars(select(UsedSignature).where(UsedSignature.account_id == house.account_id)).all()
    now = datetime.now(UTC).timestamp() // 60
    assert any(abs(row.minute - now) <= 1 and len(row.signature) == 32 for row in rows)


def test_a_provider_that_is_gone_or_changed_vouches_for_nobody(house: House, refused: Refused) -> None:
    idp = provider(house)
    arn = role(house)
    before = asserted(arn, idp)
    other = IdentityProvider(pair("other"))
    house.call("UpdateSAMLProvider", saml_provider_arn=idp, saml_metadata_document=other.metadata)
    asked = {"role_arn": arn, "principal_arn": idp}
    assert refused("AssumeRoleWithSAML", **asked, saml_assertion=before) == ("InvalidIdentityToken", "Response signature invalid")
    house.call("DeleteSAMLProvider", saml_provider_arn=idp)
    assert refused("AssumeRoleWithSAML", **asked, saml_assertion=before) == ("InvalidIdentityToken", "Specified provider doesn't exist")


def test_an_encrypted_assertion(house: House, refused: Refused) -> None:
    ours = pair("ours")
    assert isinstance(ours.key, rsa.RSAPrivateKey)
    idp = provider(house, add_private_key=ours.private_pem, assertion_encryption_mode="Required")
    arn = role(house)
    given = {ROLE: [f"{arn},{idp}"], SESSION_NAME: ["ana"]}
    what = IDP.says(datetime.now(UTC).replace(microsecond=0), attributes=given)
    assume(house, arn, idp, IDP.encrypted(what, ours.key.public_key()))
    found = refused("AssumeRoleWithSAML", role_arn=arn, principal_arn=idp, saml_assertion=asserted(arn, idp))
    assert found == ("InvalidIdentityToken", "The SAML provider requires encrypted assertions.")


def test_expired_and_rejected_have_codes_of_their_own(house: House, refused: Refused) -> None:
    idp = provider(house)
    arn = role(house)
    asked = {"role_arn": arn, "principal_arn": idp}
    late = asserted(arn, idp, issued=timedelta(minutes=-6))
    assert refused("AssumeRoleWithSAML", **asked, saml_assertion=late) == (
        "ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance"
    )  # fmt: skip
    failed = asserted(arn, idp, status="urn:oasis:names:tc:SAML:2.0:status:AuthnFailed")
    assert refused("AssumeRoleWithSAML", **asked, saml_assertion=failed)[0] == "IDPRejectedClaim"


def test_a_session_policy_limits_the_session(house: House) -> None:
    idp = provider(house)
    arn = role(house)
    assert not may(house, credentials(assume(house, arn, idp, policy=allow("orders:List"))))


def test_a_node_that_does_not_write_issues_nothing(house: House, refused: Refused) -> None:
    idp = provider(house)
    arn = role(house)
    text = asserted(arn, idp)
    assume(house, arn, idp)  # memory has what it takes
    reading = House(replace(house.node, writes=None), as_account(house))
    with pytest.raises(SekishoError) as caught:
        assume(reading, arn, idp, text)
    assert (caught.value.code, caught.value.grpc) == ("NoWritePath", "UNAVAILABLE")
    assume(house, arn, idp, text)  # it was not used up


def test_a_recipient_of_ones_own_takes_the_place_of_that_of_aws(house: House) -> None:
    own = "https://sekisho.example.com/saml"
    idp = provider(house)
    arn = role(house, when={"StringEquals": {"saml:aud": own}})
    serving = House(replace(house.node, saml_recipients=(own,)), as_account(house))
    text = asserted(arn, idp, recipient=own, destination=own, audience=own)
    assert assume(serving, arn, idp, text).audience == own
    with pytest.raises(SekishoError, match="another destination"):
        assume(serving, arn, idp)


def as_account(house: House) -> accounts.NewAccount:
    """The account, for a further house on it."""
    return accounts.NewAccount(house.account_id, house.root.access_key_id, house.root.secret_access_key)

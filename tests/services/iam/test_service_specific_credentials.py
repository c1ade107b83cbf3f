"""Service-specific credentials of users, over the whole pipeline."""

import re
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from sekisho.calls.shown import REDACTED
from sekisho.store.tables import AuditRecord, ServiceCredential
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow

GIT, BEARER = "codecommit.amazonaws.com", "bedrock.amazonaws.com"
UNKNOWN = "ACCAAAAAAAAAAAAAAAAAA"


@pytest.fixture
def alice(house: House) -> str:
    house.call("CreateUser", user_name="alice")
    return "alice"


def create(house: House, user: str = "alice", service: str = GIT, **fields: Any) -> Any:
    return house.call("CreateServiceSpecificCredential", user_name=user, service_name=service, **fields).service_specific_credential


def test_a_password_is_shown_once(house: House, alice: str) -> None:
    made = create(house)
    assert (made.user_name, made.status, made.service_name) == ("alice", "Active", GIT)
    assert made.service_user_name == f"alice-at-{house.account_id}"
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=", made.service_password)
    assert re.fullmatch(r"ACCA[A-Z2-7]{17}", made.service_specific_credential_id)
    assert not made.HasField("expiration_date")
    (listed,) = house.call("ListServiceSpecificCredentials", user_name=alice).service_specific_credentials
    assert (listed.service_user_name, listed.create_date) == (made.service_user_name, made.create_date)
    with house.node.database.read() as session:
        row = session.get_one(ServiceCredential, made.service_specific_credential_id)
        (record,) = session.query(AuditRecord).where(
            AuditRecord.account_id == house.account_id, AuditRecord.event_name == "CreateServiceSpecificCredential"
        )
    assert row.password_hash == sha256(made.service_password.encode()).digest()
    assert made.service_password not in record.response
    assert REDACTED in record.response


def test_another_password_takes_the_place_of_the_first(house: House, alice: str) -> None:
    made = create(house)
    reset = house.call(
        "ResetServiceSpecificCredential", user_name=alice, service_specific_credential_id=made.service_specific_credential_id
    ).service_specific_credential
    assert reset.service_user_name == made.service_user_name
    assert reset.service_password != made.service_password
    with house.node.database.read() as session:
        row = session.get_one(ServiceCredential, made.service_specific_credential_id)
    assert row.password_hash == sha256(reset.service_password.encode()).digest()


def test_at_most_two_a_user_and_service(house: House, refused: Refused, alice: str) -> None:
    names = [create(house).service_user_name for _ in range(2)]
    assert names == [f"alice-at-{house.account_id}", f"alice+1-at-{house.account_id}"]
    said = ("LimitExceeded", "Cannot exceed quota for ServiceSpecificCredentialsPerUser: 2")
    assert refused("CreateServiceSpecificCredential", user_name=alice, service_name=GIT) == said
    create(house, service="cassandra.amazonaws.com")


def test_names_of_two_users_do_not_meet(house: House, alice: str) -> None:
    house.call("CreateUser", user_name="alice+1")
    assert create(house, "alice+1").service_user_name == f"alice+1-at-{house.account_id}"
    assert create(house).service_user_name == f"alice-at-{house.account_id}"
    assert create(house).service_user_name == f"alice+2-at-{house.account_id}"


def test_a_bearer_secret_may_expire(house: House, alice: str) -> None:
    made = create(house, service=BEARER, credential_age_days=30)
    assert re.fullmatch(rf"BedrockAPIKey-[a-z2-7]{{8}}-at-{house.account_id}", made.service_credential_alias)
    assert re.fullmatch(r"ABSK[A-Za-z0-9+/]{43}=", made.service_credential_secret)
    assert not made.HasField("service_user_name")
    assert not made.HasField("service_password")
    assert made.expiration_date.ToDatetime() - made.create_date.ToDatetime() == timedelta(days=30)
    with house.node.database.write((house.account_id,)) as session:
        row = session.get_one(ServiceCredential, made.service_specific_credential_id)
        row.expires_at = row.created_at
    (listed,) = house.call("ListServiceSpecificCredentials", user_name=alice, service_name=BEARER).service_specific_credentials
    assert (listed.status, listed.service_credential_alias) == ("Expired", made.service_credential_alias)


def test_a_password_has_no_age(refused: Refused, alice: str) -> None:
    said = ("InvalidInput", f"CredentialAgeDays is not supported for the service {GIT}.")
    assert refused("CreateServiceSpecificCredential", user_name=alice, service_name=GIT, credential_age_days=3) == said


@pytest.mark.parametrize("name", ["CreateServiceSpecificCredential", "ListServiceSpecificCredentials"])
def test_a_service_that_takes_no_passwords(refused: Refused, alice: str, name: str) -> None:
    """Source: an answer of AWS, recorded (issue 9)."""
    said = ("NoSuchEntity", "No such service s3.amazonaws.com is supported for Service Specific Credentials")
    assert refused(name, user_name=alice, service_name="s3.amazonaws.com") == said


def test_those_of_all_users_have_pages(house: House, refused: Refused, alice: str) -> None:
    for name in ("bob", "carol"):
        house.call("CreateUser", user_name=name)
        create(house, name)
    create(house)
    first = house.call("ListServiceSpecificCredentials", all_users=True, max_items=2)
    rest = house.call("ListServiceSpecificCredentials", all_users=True, marker=first.marker)
    listed = [one.user_name for one in (*first.service_specific_credentials, *rest.service_specific_credentials)]
    assert (sorted(listed), first.is_truncated, rest.is_truncated) == (["alice", "bob", "carol"], True, False)
    said = ("InvalidInput", "UserName and AllUsers cannot be given together.")
    assert refused("ListServiceSpecificCredentials", all_users=True, user_name=alice) == said


def test_all_users_takes_permission_on_all(house: House, refused: Refused) -> None:
    dave = house.user("dave", allow("iam:ListServiceSpecificCredentials", on="arn:aws:iam::*:user/${aws:username}"))
    create(house, "dave")
    assert len(house.call("ListServiceSpecificCredentials", _as=dave).service_specific_credentials) == 1
    assert refused("ListServiceSpecificCredentials", _as=dave, all_users=True)[0] == "AccessDenied"


def test_which_service_is_a_condition(house: House, refused: Refused, alice: str) -> None:
    when = {
        "StringEquals": {"iam:ServiceSpecificCredentialServiceName": BEARER},
        "NumericLessThan": {"iam:ServiceSpecificCredentialAgeDays": "31"},
    }
    caller = house.user("caller", allow("iam:CreateServiceSpecificCredential", when=when))
    house.call("CreateServiceSpecificCredential", _as=caller, user_name=alice, service_name=BEARER, credential_age_days=30)
    assert refused("CreateServiceSpecificCredential", _as=caller, user_name=alice, service_name=GIT)[0] == "AccessDenied"
    fields: dict[str, Any] = {"user_name": alice, "service_name": BEARER, "credential_age_days": 31}
    assert refused("CreateServiceSpecificCredential", _as=caller, **fields)[0] == "AccessDenied"


def test_switched_off_and_removed(house: House, alice: str) -> None:
    named: dict[str, Any] = {"user_name": alice, "service_specific_credential_id": create(house).service_specific_credential_id}
    house.call("UpdateServiceSpecificCredential", status="Inactive", **named)
    assert [one.status for one in house.call("ListServiceSpecificCredentials", user_name=alice).service_specific_credentials] == [
        "Inactive"
    ]
    house.call("DeleteServiceSpecificCredential", **named)
    assert list(house.call("ListServiceSpecificCredentials", user_name=alice).service_specific_credentials) == []


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("UpdateServiceSpecificCredential", {"status": "Inactive"}),
        ("ResetServiceSpecificCredential", {}),
        ("DeleteServiceSpecificCredential", {}),
    ],
)
def test_one_of_somebody_else_is_not_there(house: House, refused: Refused, alice: str, name: str, fields: dict[str, Any]) -> None:
    house.call("CreateUser", user_name="bob")
    for id_ in (create(house, "bob").service_specific_credential_id, UNKNOWN):
        said = ("NoSuchEntity", f"No such credential {id_} exists")
        assert refused(name, user_name=alice, service_specific_credential_id=id_, **fields) == said


def test_a_user_with_a_credential_stays(house: House, refused: Refused, alice: str) -> None:
    create(house)
    said = ("DeleteConflict", "Cannot delete entity, must remove referenced objects first.")
    assert refused("DeleteUser", user_name=alice) == said

"""Credential reports, over the whole pipeline."""

import csv
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.journal.last_use import Use
from sekisho.services.iam import credential_reports
from sekisho.services.iam.credential_reports import AGE
from sekisho.store.tables import AccessKey, CredentialReport, LoginProfile, Root, SigningCertificate, User
from tests.calls.fakes import ACCOUNT
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.mfa import enabled

HEADER = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,"
    "access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,"
    "access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,"
    "cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated"
)


def generated(house: House) -> tuple[str, str]:
    made = house.call("GenerateCredentialReport")
    return made.state, made.description


def report(house: House) -> dict[str, dict[str, str]]:
    """The lines by user."""
    text = house.call("GetCredentialReport").content.decode()
    return {line["user"]: line for line in csv.DictReader(text.splitlines())}


def grow_old(house: House, age: timedelta) -> None:
    with house.node.database.write((house.account_id,)) as session:
        session.get_one(CredentialReport, house.account_id).generated_at -= age


def test_a_report_is_written_once_in_four_hours(house: House, refused: Refused) -> None:
    assert refused("GetCredentialReport") == ("ReportNotPresent", "Credential report is not present")
    assert generated(house) == ("STARTED", "No report exists. Starting a new report generation task")
    first = house.call("GetCredentialReport")
    assert first.report_format == "text/csv"
    house.call("CreateUser", user_name="ann")
    assert generated(house) == ("COMPLETE", "")
    assert house.call("GetCredentialReport") == first
    assert list(report(house)) == ["<root_account>"]
    grow_old(house, AGE)
    assert refused("GetCredentialReport") == ("ReportExpired", "Credential report has expired")
    assert generated(house)[0] == "STARTED"
    assert list(report(house)) == ["<root_account>", "ann"]
    assert refused("GetCredentialReport", _as=house.account())[0] == "ReportNotPresent"


def test_its_form(house: House) -> None:
    generated(house)
    text = house.call("GetCredentialReport").content.decode()
    assert text.splitlines()[0] == HEADER
    assert not text.endswith("\n")
    (root,) = report(house).values()
    assert root["arn"] == f"arn:aws:iam::{house.account_id}:root"
    assert [root[name] for name in ("password_enabled", "password_last_changed", "password_next_rotation", "mfa_active")] == [
        *["not_supported"] * 3,
        "false",
    ]
    assert (root["access_key_1_active"], root["access_key_1_last_used_service"]) == ("true", "iam")
    assert [root[f"access_key_2_{column}"] for column in ("active", "last_rotated", "last_used_date")] == ["false", "N/A", "N/A"]


def test_what_it_says_of_users(house: House, stopped_clock: datetime) -> None:
    now = stopped_clock
    for name in ("bob", "Ann"):
        house.call("CreateUser", user_name=name)
    enabled(house, "Ann")
    house.call("UpdateAccountPasswordPolicy", max_password_age=90)
    house.call("CreateLoginProfile", user_name="Ann", password="Horse-Battery-1")
    for status in ("Active", "Inactive"):
        key = house.call("CreateAccessKey", user_name="Ann").access_key.access_key_id
        house.call("UpdateAccessKey", user_name="Ann", access_key_id=key, status=status)
    generated(house)
    lines = report(house)
    assert list(lines) == ["<root_account>", "Ann", "bob"]
    ann, bob = lines["Ann"], lines["bob"]
    assert (ann["password_enabled"], ann["password_last_used"], ann["mfa_active"]) == ("true", "no_information", "true")
    changed = datetime.fromisoformat(ann["password_last_changed"])
    assert abs(changed - now) < timedelta(hours=1)
    assert datetime.fromisoformat(ann["password_next_rotation"]) == changed + timedelta(days=90)
    assert ann["user_creation_time"].endswith("+00:00")
    assert sorted(ann[f"access_key_{n}_active"] for n in (1, 2)) == ["false", "true"]
    assert all(ann[f"access_key_{n}_last_rotated"] != "N/A" for n in (1, 2))
    assert [bob[name] for name in ("password_enabled", "password_last_used", "password_last_changed", "password_next_rotation")] == [
        "false",
        "N/A",
        "N/A",
        "N/A",
    ]
    assert (bob["mfa_active"], bob["access_key_1_active"], bob["cert_1_active"], bob["cert_1_last_rotated"]) == (
        "false",
        "false",
        "false",
        "N/A",
    )


CREATED, USED = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC), datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
SHOWN_CREATED, SHOWN_USED = "2026-01-02T03:04:05+00:00", "2026-02-03T04:05:06+00:00"
NO_KEY, NO_CERTIFICATE = ["false", "N/A", "N/A", "N/A", "N/A"], ["false", "N/A"]


def key(id_: str = "AKIAONE", **columns: Any) -> AccessKey:
    return AccessKey(**{"id": id_, "status": "Active", "created_at": CREATED} | columns)


def seeing(**uses: Use) -> Any:
    """A call on a node that saw these uses of keys."""
    return SimpleNamespace(node=SimpleNamespace(last_use=SimpleNamespace(of=uses.get)))


def user(**columns: Any) -> User:
    return User(id="AIDAANN", account_id=ACCOUNT, name="Ann", name_key="ann", path="/x/", created_at=CREATED, **columns)


STORED = {"last_used_at": USED, "last_used_service": "s3", "last_used_region": "eu-west-1"}


@pytest.mark.parametrize(
    ("columns", "uses", "shown"),
    [
        ({}, {}, ["true", SHOWN_CREATED, "N/A", "N/A", "N/A"]),
        ({"status": "Inactive"}, {}, ["false", SHOWN_CREATED, "N/A", "N/A", "N/A"]),
        (STORED, {}, ["true", SHOWN_CREATED, SHOWN_USED, "eu-west-1", "s3"]),
        (STORED, {"AKIAONE": Use(USED, "sqs", "us-east-1")}, ["true", SHOWN_CREATED, SHOWN_USED, "us-east-1", "sqs"]),
        (STORED, {"AKIAONE": Use(USED - timedelta(seconds=1), "sqs", "x")}, ["true", SHOWN_CREATED, SHOWN_USED, "eu-west-1", "s3"]),
        ({}, {"AKIAONE": Use(USED, "sqs", "us-east-1")}, ["true", SHOWN_CREATED, SHOWN_USED, "us-east-1", "sqs"]),
        ({}, {"AKIATWO": Use(USED, "sqs", "us-east-1")}, ["true", SHOWN_CREATED, "N/A", "N/A", "N/A"]),
    ],
    ids=["unused", "inactive", "stored", "seen_at_the_same_time", "seen_before", "only_seen", "seen_of_another"],
)
def test_a_key_with_its_last_use(columns: dict[str, Any], uses: dict[str, Use], shown: list[str]) -> None:
    line = credential_reports._line(seeing(**uses), user(), None, None, armed=False, keys=[key(**columns)], certificates=[])
    assert line[8:] == [*shown, *NO_KEY, *NO_CERTIFICATE, *NO_CERTIFICATE]


def test_two_keys_and_two_certificates_in_their_order() -> None:
    keys = [key("AKIAONE", status="Inactive"), key("AKIATWO", created_at=USED)]
    certificates = [SigningCertificate(status="Active", created_at=USED), SigningCertificate(status="Inactive", created_at=CREATED)]
    line = credential_reports._line(seeing(), user(), None, None, armed=True, keys=keys, certificates=certificates)
    assert line[:3] == ["Ann", f"arn:aws:iam::{ACCOUNT}:user/x/Ann", SHOWN_CREATED]
    assert line[7:] == [
        "true",
        *("false", SHOWN_CREATED, "N/A", "N/A", "N/A"),
        *("true", SHOWN_USED, "N/A", "N/A", "N/A"),
        *("true", SHOWN_USED),
        *("false", SHOWN_CREATED),
    ]


PROFILE = LoginProfile(changed_at=CREATED)
ROOT = Root(id=ACCOUNT, account_id=ACCOUNT, name="root", name_key="root", created_at=CREATED)


@pytest.mark.parametrize(
    ("one", "profile", "age", "shown"),
    [
        (ROOT, None, timedelta(days=1), ["not_supported", "no_information", "not_supported", "not_supported"]),
        (user(), None, timedelta(days=1), ["false", "N/A", "N/A", "N/A"]),
        (user(), PROFILE, None, ["true", "no_information", SHOWN_CREATED, "N/A"]),
        (user(password_last_used_at=USED), PROFILE, timedelta(days=1), ["true", SHOWN_USED, SHOWN_CREATED, "2026-01-03T03:04:05+00:00"]),
    ],
    ids=["root", "no_password", "never_used", "to_be_changed"],
)
def test_a_password(one: User | Root, profile: LoginProfile | None, age: timedelta | None, shown: list[str]) -> None:
    line = credential_reports._line(seeing(), one, profile, age, armed=False, keys=[], certificates=[])
    assert line[3:8] == [*shown, "false"]
    assert line[0] == ("<root_account>" if one is ROOT else "Ann")


def test_a_table_without_an_end_of_line() -> None:
    whole = credential_reports._csv([["a", 'b,"c"'], ["d", ""]])
    assert whole.split("\n")[1:] == ['a,"b,""c"""', "d,"]

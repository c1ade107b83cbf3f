"""Credential reports, over the whole pipeline."""

import csv
from datetime import datetime, timedelta

from sekisho.services.iam.credential_reports import AGE
from sekisho.store.tables import CredentialReport
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

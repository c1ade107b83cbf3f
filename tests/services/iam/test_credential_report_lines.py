"""Lines of credential reports."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.journal.last_use import Use
from sekisho.services.iam import credential_reports
from sekisho.store.tables import AccessKey, LoginProfile, Root, SigningCertificate, User
from tests.calls.fakes import ACCOUNT

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

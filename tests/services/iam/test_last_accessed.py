"""Reports on what was last accessed, put together from uses that are known."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.services.iam import entities, last_accessed
from sekisho.services.iam.last_accessed import Use
from sekisho.store.tables import Access, AccessReport, Role, User
from tests.calls.fakes import ACCOUNT
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import TRUST_EC2, allow

AT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
SHOWN, LATER, SHOWN_LATER = AT.replace(microsecond=0), AT + timedelta(seconds=1), AT.replace(microsecond=0) + timedelta(seconds=1)
ANN, BOB = (User(id=f"AIDA{name}", account_id=ACCOUNT, name=name, name_key=name, path="/x/") for name in ("ann", "bob"))


def use(who: User, action: str, at: datetime = AT, region: str = "") -> Use:
    return Use(who, "s3", action, at, region)


def test_a_service_by_its_newest_use() -> None:
    found = [use(BOB, "Put", LATER), use(ANN, "Get", AT, "eu-west-1"), use(BOB, "Get", AT, "us-east-1"), use(ANN, "Put")]
    shown = last_accessed._service("s3", found, by_action=False)
    assert (shown.service_name, shown.service_namespace, shown.total_authenticated_entities) == ("Amazon S3", "s3", 2)
    assert shown.last_authenticated.ToDatetime(UTC) == SHOWN_LATER
    assert (shown.last_authenticated_entity, shown.HasField("last_authenticated_region")) == (f"arn:aws:iam::{ACCOUNT}:user/x/bob", False)
    assert len(shown.tracked_actions_last_accessed) == 0
    shown = last_accessed._service("s3", found[1:], by_action=True)
    assert shown.last_authenticated_region == "eu-west-1"
    get, put = shown.tracked_actions_last_accessed
    assert [(one.action_name, one.last_accessed_time.ToDatetime(UTC)) for one in (get, put)] == [("Get", SHOWN), ("Put", SHOWN)]
    assert get.last_accessed_entity == put.last_accessed_entity == f"arn:aws:iam::{ACCOUNT}:user/x/ann"
    assert (get.last_accessed_region, put.HasField("last_accessed_region")) == ("eu-west-1", False)
    shown = last_accessed._service("shop", [], by_action=True)
    assert {field.name for field, _ in shown.ListFields()} == {"service_name", "service_namespace", "total_authenticated_entities"}
    assert (shown.service_name, shown.total_authenticated_entities) == ("shop", 0)


@pytest.mark.parametrize(
    ("marker", "most", "found"),
    [
        ("", 0, ("abcde", None)),
        ("", 2, ("ab", "2")),
        ("2", 2, ("cd", "4")),
        ("4", 2, ("e", None)),
        ("", 5, ("abcde", None)),
        ("5", 2, ("", None)),
    ],
)
def test_a_page_of_what_is_made_anew_for_each(monkeypatch: pytest.MonkeyPatch, marker: str, most: int, found: tuple[str, Any]) -> None:
    cursor = SimpleNamespace(open=lambda text: [int(text)], marker=lambda values: str(*values))
    monkeypatch.setattr(entities, "cursor", lambda *_: cursor)
    call: Any = None
    assert last_accessed.cut(call, SimpleNamespace(marker=marker, max_items=most), "abcde") == found
    assert last_accessed.cut(call, SimpleNamespace(marker="", max_items=0), "x" * 101) == ("x" * 100, "100")


def test_who_acts_as_a_user_or_role_is_itself() -> None:
    for one in (ANN, Role(id="AROA", name="r")):
        assert last_accessed._principals(SimpleNamespace(), one) == [one]  # type: ignore[arg-type]


def seen(house: House, **uses: tuple[str, str, timedelta, str]) -> None:
    """Have principals of these names used a service: action, service, how long ago, region."""
    with house.node.database.write((house.account_id,)) as session:
        ids = {row.name: row.id for kind in (User, Role) for row in session.query(kind).filter_by(account_id=house.account_id)}
        for name, (action, service, ago, region) in uses.items():
            columns = {"service": service, "action": action, "region": region, "at": AT - ago}
            session.add(Access(account_id=house.account_id, principal_id=ids[name.partition("_")[0]], **columns))


def test_those_who_have_a_policy_directly_or_by_a_group(house: House) -> None:
    """Users and roles with their last use of a service; groups that have it lead to their members."""
    for name in ("ann", "bob", "cat", "dan"):
        house.call("CreateUser", user_name=name, path="/x/")
    house.call("CreateGroup", group_name="g")
    house.call("CreateGroup", group_name="other")
    house.call("CreateRole", role_name="role", assume_role_policy_document=TRUST_EC2)
    policy = house.call("CreatePolicy", policy_name="p", policy_document=allow("s3:*")).policy.arn
    house.call("AttachUserPolicy", user_name="ann", policy_arn=policy)
    house.call("AttachGroupPolicy", group_name="g", policy_arn=policy)
    house.call("AttachRolePolicy", role_name="role", policy_arn=policy)
    house.call("AddUserToGroup", user_name="bob", group_name="g")
    house.call("AddUserToGroup", user_name="cat", group_name="other")
    day = timedelta(days=1)
    seen(
        house,
        bob=("Get", "s3", day, ""),
        bob_2=("Put", "s3", 2 * day, ""),
        role=("Get", "s3", 3 * day, ""),
        ann=("Get", "sqs", day, ""),
        cat=("Get", "s3", day, ""),
    )
    fields: dict[str, Any] = {"service_namespace": "S3"}

    def who(arn: str) -> list[tuple[str, str, str]]:
        job = house.call("GenerateServiceLastAccessedDetails", arn=arn).job_id
        got = house.call("GetServiceLastAccessedDetailsWithEntities", job_id=job, **fields)
        assert (got.job_status, got.job_creation_date, got.is_truncated, got.HasField("marker")) == (
            "COMPLETED",
            got.job_completion_date,
            False,
            False,
        )
        return [(one.entity_info.name, one.entity_info.type, one.last_authenticated.ToJsonString()[:10]) for one in got.entity_details_list]

    never = "1970-01-01"
    assert who(policy) == [("role", "ROLE", "2025-12-30"), ("bob", "USER", "2026-01-01"), ("ann", "USER", never)]
    assert who(f"arn:aws:iam::{house.account_id}:group/g") == [("bob", "USER", "2026-01-01")]
    assert who(f"arn:aws:iam::{house.account_id}:user/x/dan") == [("dan", "USER", never)]
    job = house.call("GenerateServiceLastAccessedDetails", arn=policy, granularity="ACTION_LEVEL").job_id
    got = house.call("GetServiceLastAccessedDetails", job_id=job)
    assert (got.is_truncated, got.HasField("marker"), got.job_creation_date) == (False, False, got.job_completion_date)
    (s3,) = got.services_last_accessed
    assert s3.last_authenticated_entity == f"arn:aws:iam::{house.account_id}:user/x/bob"
    assert [one.action_name for one in s3.tracked_actions_last_accessed] == ["Get", "Put"]


def test_reports_end_after_a_week(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="ann")
    arn = f"arn:aws:iam::{house.account_id}:user/ann"
    young, old = (house.call("GenerateServiceLastAccessedDetails", arn=arn).job_id for _ in range(2))
    with house.node.database.write((house.account_id,)) as session:
        session.get_one(AccessReport, old).created_at -= last_accessed.KEPT
        session.get_one(AccessReport, young).created_at -= last_accessed.KEPT - timedelta(hours=1)
    assert refused("GetServiceLastAccessedDetails", job_id=old) == ("NoSuchEntity", f"Job {old} was not found.")
    house.call("GenerateServiceLastAccessedDetails", arn=arn)
    with house.node.database.read() as session:
        assert (session.get(AccessReport, old), session.get_one(AccessReport, young).granularity) == (None, "SERVICE_LEVEL")

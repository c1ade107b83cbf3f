"""GetUnusedAccess: of one's own account, from the uses that the server noted, and what its recommendations leave."""

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from sekisho.store.tables import Access, AccessKey, Attachment, Entity, LoginProfile, PolicyVersion, Role, User
from tests import clock
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import TRUST_EC2, allow

PASSWORD = "Correct-horse-7"  # nobody's


def age(house: House, days: int) -> None:
    """Make everything of the account as old as this."""
    then = clock.now() - timedelta(days=days)
    with house.node.database.write((house.account_id,)) as session:
        ids = list(session.scalars(select(Entity.id).where(Entity.account_id == house.account_id)))
        tables: Any = (
            (Entity, Entity.id),
            (Attachment, Attachment.owner_id),
            (LoginProfile, LoginProfile.user_id),
            (PolicyVersion, PolicyVersion.policy_id),
        )
        for table, of in tables:
            session.execute(update(table).where(of.in_(ids)).values(created_at=then))
        session.execute(update(AccessKey).where(AccessKey.owner_id.in_(ids)).values(created_at=then))


def use(house: House, kind: type[User | Role], name: str, action: str, days: int) -> None:
    """Note a use as the drain does."""
    service, _, called = action.partition(":")
    with house.node.database.write((house.account_id,)) as session:
        id_ = session.scalars(select(kind.id).where(kind.account_id == house.account_id, kind.name == name)).one()
        at = clock.now() - timedelta(days=days)
        session.add(Access(principal_id=id_, service=service, action=called, account_id=house.account_id, at=at, region=""))


def told(response: Any) -> list[tuple[str, str, str, str]]:
    return [(one.kind, one.arn.split(":", 5)[-1], one.name, one.recommendation) for one in response.findings]


def test_what_nobody_uses_is_listed(house: House) -> None:
    house.user("ann", allow("orders:Ship", "orders:Get"))  # with a key that is never used
    house.call("CreateUser", user_name="ben")
    house.call("CreateLoginProfile", user_name="ann", password=PASSWORD)
    house.call("CreateRole", role_name="bot", assume_role_policy_document=TRUST_EC2)
    assert told(house.call("GetUnusedAccess")) == [("permission", "user/ann", "inline-0", "DetachPolicy")]  # the rest is new
    age(house, 100)
    use(house, User, "ann", "orders:Ship", days=3)
    found = house.call("GetUnusedAccess")
    assert [one[:2] for one in told(found)] == [
        ("role", "role/bot"),
        ("access-key", "user/ann"),
        ("password", "user/ann"),
        ("user", "user/ben"),
        ("permission", "user/ann"),
    ]
    assert {one.days for one in found.findings} == {90, 100}
    permission = found.findings[-1]
    assert list(permission.unused_actions) == ["orders:Get"]
    assert json.loads(permission.policy_document) == json.loads(allow("orders:Ship"))
    assert told(house.call("GetUnusedAccess", days=101)) == told(found)[-1:]


def test_a_use_before_the_window_does_not_count(house: House) -> None:
    house.call("CreateUser", user_name="ann")
    age(house, 300)
    use(house, User, "ann", "orders:Ship", days=91)
    assert told(house.call("GetUnusedAccess")) == [("user", "user/ann", "", "DeleteUser")]
    assert house.call("GetUnusedAccess").findings[0].days == 91
    assert told(house.call("GetUnusedAccess", days=92)) == []


def test_a_policy_of_a_group_is_used_by_any_member(house: House) -> None:
    made = house.call("CreatePolicy", policy_name="shared", policy_document=allow("orders:*")).policy
    house.call("CreateGroup", group_name="staff")
    house.call("AttachGroupPolicy", group_name="staff", policy_arn=made.arn)
    for name in ("ann", "ben"):
        house.call("CreateUser", user_name=name)
        house.call("AddUserToGroup", group_name="staff", user_name=name)
    assert told(house.call("GetUnusedAccess")) == []  # attached just now
    age(house, 200)
    house.call("CreatePolicyVersion", policy_arn=made.arn, policy_document=allow("orders:*", "a:B"), set_as_default=True)
    assert [one for one in told(house.call("GetUnusedAccess", days=30)) if one[0] == "permission"] == []  # written just now
    house.call("SetDefaultPolicyVersion", policy_arn=made.arn, version_id="v1")
    use(house, User, "ann", "orders:Ship", days=1)
    use(house, User, "ben", "orders:Get", days=1)
    (found,) = [one for one in house.call("GetUnusedAccess").findings if one.kind == "permission"]
    assert (found.arn, found.recommendation, list(found.narrowed_actions)) == (made.arn, "ReplacePolicy", ["orders:*"])
    assert json.loads(found.policy_document)["Statement"] == [{"Effect": "Allow", "Resource": "*", "Action": ["orders:Get", "orders:Ship"]}]


def test_pages_hold_all_findings_once(house: House, refused: Refused) -> None:
    for number in range(5):
        house.call("CreateUser", user_name=f"u{number}")
    age(house, 200)
    names: list[str] = []
    at: dict[str, Any] = {}
    for _ in range(3):
        page = house.call("GetUnusedAccess", max_items=2, **at)
        names += [one.arn.rpartition("/")[2] for one in page.findings]
        at = {"marker": page.marker}
    assert (names, page.is_truncated) == ([f"u{number}" for number in range(5)], False)
    marker = house.call("GetUnusedAccess", max_items=2).marker
    assert refused("GetUnusedAccess", max_items=2, days=30, marker=marker)[0] == "ValidationError"


def test_nobody_sees_another_account(house: House, refused: Refused) -> None:
    house.user("ann", allow("orders:Ship"))
    age(house, 200)
    stranger = house.account()
    assert told(house.call("GetUnusedAccess", _as=stranger)) == []
    assert refused("GetUnusedAccess", _as=house.user("ben", allow("iam:*")))[0] == "AccessDenied"
    assert refused("GetUnusedAccess", days=366)[0] == "ValidationError"

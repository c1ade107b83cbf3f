"""Access keys of users and root users, over the whole pipeline."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from sekisho.calls.shown import REDACTED
from sekisho.journal.last_use import Use
from sekisho.sigv4 import Credentials
from sekisho.store.tables import AccessKey, AuditRecord
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow

UNKNOWN = "AKIAIOSFODNN7EXAMPLE"


def test_a_key_shows_its_secret_once(house: House) -> None:
    house.call("CreateUser", user_name="Alice")
    made = house.call("CreateAccessKey", user_name="alice").access_key
    assert (made.user_name, made.status, made.create_date.nanos) == ("Alice", "Active", 0)
    assert re.fullmatch(r"AKIA[A-Z2-7]{16}", made.access_key_id)
    assert re.fullmatch(r"[A-Za-z0-9+/]{40}", made.secret_access_key)
    (listed,) = house.call("ListAccessKeys", user_name="Alice").access_key_metadata
    assert (listed.user_name, listed.access_key_id, listed.status) == ("Alice", made.access_key_id, "Active")
    assert listed.create_date == made.create_date
    with house.node.database.read() as session:
        assert made.secret_access_key.encode() not in session.get_one(AccessKey, made.access_key_id).secret
        (record,) = session.query(AuditRecord).where(
            AuditRecord.account_id == house.account_id, AuditRecord.event_name == "CreateAccessKey"
        )
    assert made.secret_access_key not in record.response
    assert REDACTED in record.response


def test_a_key_works_while_it_is_active(house: House, refused: Refused) -> None:
    alice = house.user("alice", allow("iam:ListUsers"))
    assert len(house.call("ListUsers", _as=alice).users) == 1
    key: dict[str, Any] = {"user_name": "alice", "access_key_id": alice.access_key_id}
    house.call("UpdateAccessKey", status="Inactive", **key)
    assert house.call("ListAccessKeys", user_name="alice").access_key_metadata[0].status == "Inactive"
    house.node.world.poll()
    assert refused("ListUsers", _as=alice)[0] == "InvalidClientTokenId"
    house.call("UpdateAccessKey", status="Active", **key)
    house.node.world.poll()
    assert len(house.call("ListUsers", _as=alice).users) == 1
    house.call("DeleteAccessKey", **key)
    house.node.world.poll()
    assert refused("ListUsers", _as=alice)[0] == "InvalidClientTokenId"


def test_at_most_two_a_user(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="alice")
    ids = [house.call("CreateAccessKey", user_name="alice").access_key.access_key_id for _ in range(2)]
    assert refused("CreateAccessKey", user_name="alice") == ("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
    house.call("DeleteAccessKey", user_name="alice", access_key_id=ids[0])
    house.call("CreateAccessKey", user_name="alice")


def test_a_user_has_keys_of_its_own(house: House, refused: Refused) -> None:
    on = "arn:aws:iam::*:user/${aws:username}"
    alice = house.user("alice", allow("iam:CreateAccessKey", "iam:ListAccessKeys", "iam:UpdateAccessKey", "iam:DeleteAccessKey", on=on))
    house.user("bob")
    made = house.call("CreateAccessKey", _as=alice).access_key
    assert made.user_name == "alice"
    listed = house.call("ListAccessKeys", _as=alice).access_key_metadata
    assert {key.access_key_id for key in listed} == {alice.access_key_id, made.access_key_id}
    house.call("UpdateAccessKey", _as=alice, access_key_id=made.access_key_id, status="Inactive")
    house.call("DeleteAccessKey", _as=alice, access_key_id=made.access_key_id)
    assert refused("CreateAccessKey", _as=alice, user_name="bob")[0] == "AccessDenied"


def test_a_root_user_has_keys_too(house: House, refused: Refused) -> None:
    made = house.call("CreateAccessKey").access_key
    assert not made.HasField("user_name")
    second = Credentials(made.access_key_id, made.secret_access_key)
    assert house.call("GetCallerIdentity", _as=second).arn == f"arn:aws:iam::{house.account_id}:root"
    assert {key.access_key_id for key in house.call("ListAccessKeys").access_key_metadata} == {house.root.access_key_id, made.access_key_id}
    assert refused("CreateAccessKey") == ("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
    house.call("DeleteAccessKey", access_key_id=made.access_key_id)
    assert len(house.call("ListAccessKeys").access_key_metadata) == 1


@pytest.mark.parametrize(("name", "fields"), [("UpdateAccessKey", {"status": "Inactive"}), ("DeleteAccessKey", {})])
def test_a_key_of_somebody_else_is_not_there(house: House, refused: Refused, name: str, fields: dict[str, Any]) -> None:
    house.call("CreateUser", user_name="alice")
    bob = house.user("bob")
    other = house.account()
    for id_ in (UNKNOWN, bob.access_key_id, house.root.access_key_id, other.access_key_id):
        said = ("NoSuchEntity", f"The Access Key with id {id_} cannot be found.")
        assert refused(name, user_name="alice", access_key_id=id_, **fields) == said
    said = ("NoSuchEntity", f"The Access Key with id {bob.access_key_id} cannot be found.")
    assert refused(name, access_key_id=bob.access_key_id, **fields) == said


def test_keys_have_pages(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="alice")
    ids = {house.call("CreateAccessKey", user_name="alice").access_key.access_key_id for _ in range(2)}
    first = house.call("ListAccessKeys", user_name="alice", max_items=1)
    second = house.call("ListAccessKeys", user_name="alice", max_items=1, marker=first.marker)
    assert (first.is_truncated, second.is_truncated) == (True, False)
    assert {page.access_key_metadata[0].access_key_id for page in (first, second)} == ids
    assert refused("ListAccessKeys", marker=first.marker) == ("ValidationError", "Invalid Marker.")


def test_the_last_use_is_the_later_of_two(house: House) -> None:
    house.call("CreateUser", user_name="alice")
    id_ = house.call("CreateAccessKey", user_name="alice").access_key.access_key_id

    def used() -> tuple[str, datetime | None, str, str]:
        answer = house.call("GetAccessKeyLastUsed", access_key_id=id_)
        last = answer.access_key_last_used
        at = last.last_used_date.ToDatetime(UTC) if last.HasField("last_used_date") else None
        return answer.user_name, at, last.service_name, last.region

    assert used() == ("alice", None, "N/A", "N/A")
    with house.node.database.write((house.account_id,)) as session:
        row = session.get_one(AccessKey, id_)
        row.last_used_at, row.last_used_service, row.last_used_region = datetime(2026, 3, 1, tzinfo=UTC), "sts", "eu-west-1"
    assert used() == ("alice", datetime(2026, 3, 1, tzinfo=UTC), "sts", "eu-west-1")
    house.node.last_use.note(id_, Use(datetime(2026, 4, 1, 0, 0, 0, 900_000, tzinfo=UTC), "iam", "us-east-1"))
    assert used() == ("alice", datetime(2026, 4, 1, tzinfo=UTC), "iam", "us-east-1")


def test_the_last_use_of_no_key_of_ours_is_denied(house: House, refused: Refused) -> None:
    caller = f"User: arn:aws:iam::{house.account_id}:root"
    for id_ in (UNKNOWN, house.account().access_key_id):
        said = f"{caller} is not authorized to perform iam:GetAccessKeyLastUsed on resource: access key {id_}"
        assert refused("GetAccessKeyLastUsed", access_key_id=id_) == ("AccessDenied", said)


def test_the_last_use_is_judged_by_the_user_whose_key_it_is(house: House, refused: Refused) -> None:
    caller = house.user("caller", allow("iam:GetAccessKeyLastUsed", on=f"arn:aws:iam::{house.account_id}:user/caller"))
    bob = house.user("bob")
    assert house.call("GetAccessKeyLastUsed", _as=caller, access_key_id=caller.access_key_id).user_name == "caller"
    assert refused("GetAccessKeyLastUsed", _as=caller, access_key_id=bob.access_key_id)[0] == "AccessDenied"
    assert refused("GetAccessKeyLastUsed", _as=caller, access_key_id=house.root.access_key_id)[0] == "AccessDenied"

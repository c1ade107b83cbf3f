"""The change log: what a write touched, under which revision."""

import gc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import column, delete, event, func, insert, select, table, update
from sqlalchemy.orm import Mapper

from sekisho.credentials import accounts
from sekisho.store import changes, db, schema
from sekisho.store.changes import Point
from sekisho.store.tables import Account, Base, Change, Entity, Revision, Tag, User
from tests import harness
from tests.harness import House
from tests.services.iam.documents import LIST_BUCKETS, TRUST_EC2

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AUDITED = accounts.by_operator("111122223333", NOW, "iam", "Test", {})


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    with harness.house(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def database(tmp_path: Path) -> Iterator[db.Database]:
    with db.Database(f"sqlite:///{tmp_path / 'sekisho.db'}") as made:
        schema.upgrade(made)
        yield made


def touched(house: House) -> set[str]:
    """The ids that the newest revision touched."""
    with house.node.database.read() as session:
        newest = session.scalar(select(func.max(Revision.number)))
        return {id_ for id_ in session.scalars(select(Change.id).where(Change.number == newest)) if id_ != f"@{house.account_id}"}


def test_a_point_is_opaque_and_comes_back() -> None:
    point = Point(7, "0123456789abcdef")
    assert point.token == "AAAAAAAAAAcBI0VniavN7w"
    assert changes.parse(point.token) == point
    assert changes.parse(changes.ORIGIN.token) == Point(0, "0000000000000000")


@pytest.mark.parametrize("token", ["", "x", "AAAA", "!" * 22, "AAAAAAAAAAcBI0VniavN7wAA", "é" * 22])
def test_what_is_no_revision(token: str) -> None:
    with pytest.raises(changes.InvalidRevision):
        changes.parse(token)


def test_each_write_names_what_it_touched(house: House) -> None:
    user = house.call("CreateUser", user_name="ann").user.user_id
    assert touched(house) == {user}
    role = house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2).role.role_id
    assert touched(house) == {role}
    group = house.call("CreateGroup", group_name="g").group.group_id
    policy = house.call("CreatePolicy", policy_name="p", policy_document=LIST_BUCKETS).policy
    assert touched(house) == {policy.policy_id}
    writes: list[tuple[str, dict[str, Any], set[str]]] = [
        ("AddUserToGroup", {"group_name": "g", "user_name": "ann"}, {user}),
        ("PutGroupPolicy", {"group_name": "g", "policy_name": "x", "policy_document": LIST_BUCKETS}, {group}),
        ("PutGroupPolicy", {"group_name": "g", "policy_name": "x", "policy_document": LIST_BUCKETS.replace("List", "Put")}, {group}),
        ("DeleteGroupPolicy", {"group_name": "g", "policy_name": "x"}, {group}),
        ("RemoveUserFromGroup", {"group_name": "g", "user_name": "ann"}, {user}),
        ("AttachUserPolicy", {"user_name": "ann", "policy_arn": policy.arn}, {user}),
        ("DetachUserPolicy", {"user_name": "ann", "policy_arn": policy.arn}, {user}),
        ("AttachRolePolicy", {"role_name": "r", "policy_arn": policy.arn}, {role}),
        ("AttachGroupPolicy", {"group_name": "g", "policy_arn": policy.arn}, {group}),
        ("TagUser", {"user_name": "ann", "tags": [{"key": "a", "value": "b"}]}, {user}),
        ("UntagUser", {"user_name": "ann", "tag_keys": ["a"]}, {user}),
        ("PutUserPermissionsBoundary", {"user_name": "ann", "permissions_boundary": policy.arn}, {user}),
        ("UpdateAssumeRolePolicy", {"role_name": "r", "policy_document": TRUST_EC2.replace("ec2", "ecs")}, {role}),
        ("UpdateUser", {"user_name": "ann", "new_user_name": "bob"}, {user}),
        ("CreatePolicyVersion", {"policy_arn": policy.arn, "policy_document": LIST_BUCKETS, "set_as_default": True}, {policy.policy_id}),
        ("SetDefaultPolicyVersion", {"policy_arn": policy.arn, "version_id": "v1"}, {policy.policy_id}),
        ("DeletePolicyVersion", {"policy_arn": policy.arn, "version_id": "v2"}, {policy.policy_id}),
    ]
    for name, fields, ids in writes:
        house.call(name, **fields)
        assert touched(house) >= ids, name
    key = house.call("CreateAccessKey", user_name="bob").access_key.access_key_id
    assert key in touched(house)
    later: list[tuple[str, dict[str, Any]]] = [("UpdateAccessKey", {"status": "Inactive"}), ("DeleteAccessKey", {})]
    for name, fields in later:
        house.call(name, user_name="bob", access_key_id=key, **fields)
        assert key in touched(house), name
    house.call("DeleteUserPermissionsBoundary", user_name="bob")
    house.call("DeleteUser", user_name="bob")
    assert touched(house) == {user}


def test_a_read_and_a_failure_have_no_revision_of_their_own(house: House) -> None:
    house.call("CreateUser", user_name="ann")
    revision = house.revision
    house.call("ListUsers")
    assert house.revision == revision
    with pytest.raises(Exception, match="already exists"):
        house.call("CreateUser", user_name="ann")
    house.call("ListUsers")
    assert house.revision == revision


@pytest.mark.parametrize(
    "statement",
    [
        update(User).values(boundary_id=None),
        delete(Tag),
        insert(Account).values(id="1", name="x", created_at=NOW),
        update(table("entities", column("name"))).values(name="x"),
    ],
    ids=["update", "delete", "insert", "of the table itself"],
)
def test_rows_do_not_change_past_the_log(database: db.Database, statement: object) -> None:
    with database.write(()) as session:
        changes.Touched(session)
        with pytest.raises(TypeError, match="rows are changed through the session"):
            session.execute(statement)  # type: ignore[call-overload]


def test_a_row_that_was_looked_at_or_set_to_the_same_is_not_touched(database: db.Database) -> None:
    with database.write(()) as session:
        session.add(Account(id="111122223333", name="a", created_at=NOW))
    with database.write(()) as session:
        seen = changes.Touched(session)
        row = session.get(Account, "111122223333")
        assert row is not None
        row.name = "a"
        changes.record(session, seen, NOW, lambda: "0" * 16, AUDITED)
        session.flush()
        assert seen.ids == set()


def test_a_session_leaves_no_listener_behind(database: db.Database) -> None:
    registry = event.registry._key_to_collection
    with database.write(()) as session:
        changes.Touched(session)
    before = len(registry)
    for _ in range(50):
        with database.write(()) as session:
            changes.Touched(session)
    gc.collect()
    assert len(registry) <= before + 10


def test_numbers_rise_and_a_number_that_was_rolled_back_is_used_again(database: db.Database) -> None:
    def write(nonce: str, *, fail: bool = False) -> Point:
        with database.write(()) as session:
            recorded = changes.record(session, changes.Touched(session), NOW, lambda: nonce, {**AUDITED, "id": nonce})
            if fail:
                raise ValueError(nonce)
        return recorded.point

    assert write("aaaaaaaaaaaaaaaa") == Point(1, "aaaaaaaaaaaaaaaa")
    with pytest.raises(ValueError, match="bbbb"):
        write("bbbbbbbbbbbbbbbb", fail=True)
    assert write("cccccccccccccccc") == Point(2, "cccccccccccccccc")
    with database.read() as session:
        assert changes.latest(session) == Point(2, "cccccccccccccccc")
        assert changes.at(session, 1) == Point(1, "aaaaaaaaaaaaaaaa")
        assert changes.at(session, 0) == changes.ORIGIN
        assert changes.at(session, 3) is None


def test_every_table_says_what_its_rows_touch() -> None:
    for mapper in Base.registry.mappers:
        _says_what_it_touches(mapper)


def _says_what_it_touches(mapper: Mapper[Any]) -> None:
    touches = mapper.class_.touches
    assert touches is not None, mapper.class_.__name__
    assert set(touches) <= {column.key for column in mapper.column_attrs}, mapper.class_.__name__
    if issubclass(mapper.class_, Entity):  # which the world has records of
        assert "id" in touches, mapper.class_.__name__

"""Reads out of memory: what they show is never older than the database, and never newer than what permitted it."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sekisho import arn
from sekisho.calls import pipeline
from sekisho.errors import SekishoError
from sekisho.memory.cache import World
from sekisho.store import changes
from sekisho.store.db import Database
from tests import harness
from tests.harness import House
from tests.nodes import two
from tests.services.iam.documents import allow

TAGS = [{"key": "Team", "value": "a"}, {"key": "area", "value": "b"}]


@pytest.fixture
def nodes(database_url: str, tmp_path: Path) -> Iterator[tuple[House, House]]:
    with two(database_url, tmp_path) as made:
        yield made


def _boundary(house: House) -> str:
    arn: str = house.call("CreatePolicy", policy_name="boundary", policy_document=allow("*"), path="/b/").policy.arn
    return arn


CHANGES: dict[str, Callable[[House], Any]] = {
    "tagged": lambda house: house.call("TagUser", user_name="ann", tags=[{"key": "new", "value": "x"}]),
    "a tag has another value": lambda house: house.call("TagUser", user_name="ann", tags=[{"key": "TEAM", "value": "x"}]),
    "untagged": lambda house: house.call("UntagUser", user_name="ann", tag_keys=["team"]),
    "a boundary": lambda house: house.call("PutUserPermissionsBoundary", user_name="ann", permissions_boundary=_boundary(house)),
    "a path": lambda house: house.call("UpdateUser", user_name="ann", new_path="/x/"),
    "another case": lambda house: house.call("UpdateUser", user_name="ann", new_user_name="ANN"),
    "another name": lambda house: house.call("UpdateUser", user_name="ann", new_user_name="bob"),
    "gone": lambda house: house.call("DeleteUser", user_name="ann"),
}


def shown(house: House, name: str = "ann") -> Any:
    """GetUser's answer, or the code of its error."""
    try:
        return house.call("GetUser", user_name=name).user
    except SekishoError as error:
        return error.code


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_anywhere_shows_at_once(nodes: tuple[House, House], change: Callable[[House], Any]) -> None:
    writer, reader = nodes
    writer.call("CreateUser", user_name="ann", tags=TAGS)
    before = shown(reader)
    assert [(tag.key, tag.value) for tag in before.tags] == [("area", "b"), ("Team", "a")]
    change(writer)
    after = shown(reader)
    assert after != before
    assert after == shown(writer)
    if not isinstance(after, str):
        writer.call("DeleteUserPermissionsBoundary", user_name=after.user_name)
    assert shown(reader, "Ann") == shown(writer, "Ann")


def test_a_name_given_again_is_another_user(nodes: tuple[House, House]) -> None:
    writer, reader = nodes
    writer.call("CreateUser", user_name="ann", tags=TAGS)
    first = shown(reader)
    writer.call("DeleteUser", user_name="ann")
    assert shown(reader) == "NoSuchEntity"
    writer.call("CreateUser", user_name="ann")
    again = shown(reader)
    assert (again.user_name, list(again.tags)) == ("ann", [])
    assert again.user_id != first.user_id


def test_what_is_in_memory_is_not_read_again(nodes: tuple[House, House], monkeypatch: pytest.MonkeyPatch) -> None:
    house, _ = nodes
    house.user("ann", allow("iam:GetUser"), tags=TAGS)
    before = shown(house)

    def read(*_: object, **__: object) -> None:
        raise AssertionError("the database is read")

    house.node.world.renewed()
    monkeypatch.setattr(Database, "read", read)
    assert shown(house) == before
    with pytest.raises(SekishoError):
        house.call("ListUsers")


def test_what_memory_has_of_another_account_is_not_found(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    house.call("CreateUser", user_name="ann")
    assert shown(house) != "NoSuchEntity"
    with pytest.raises(SekishoError, match="cannot be found"):
        house.call("GetUser", _as=house.account(), user_name="ann")


@pytest.mark.parametrize("name", ["GetUser", "ListUsers"], ids=["out of memory", "out of the database"])
def test_nobody_sees_what_was_written_after_the_permission_went(
    nodes: tuple[House, House], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The permission goes, then a secret comes: a read that was permitted before must not show it."""
    writer, reader = nodes
    ann = writer.user("ann", allow("iam:GetUser", "iam:ListUsers"))
    assert reader.call(name, _as=ann)
    operation, calls = harness.BY_NAME[name], []

    def late(call: Any, request: Any) -> Any:
        calls.append(call.point)
        monkeypatch.setitem(harness.BY_NAME, name, operation)
        writer.call("DeleteUserPolicy", user_name="ann", policy_name="inline-0")
        writer.call("TagUser", user_name="ann", tags=[{"key": "secret", "value": "x"}])
        assert "secret" in [tag.key for tag in shown(reader).tags]  # now the memory has it
        return operation.function(call, request)

    monkeypatch.setitem(harness.BY_NAME, name, dataclasses.replace(operation, function=late))
    with pytest.raises(SekishoError, match=f"is not authorized to perform: iam:{name}"):
        reader.call(name, _as=ann)
    assert len(calls) == 1


def test_memory_that_is_newer_than_the_snapshot_of_a_call_is_not_shown(nodes: tuple[House, House]) -> None:
    writer, reader = nodes
    writer.call("CreateUser", user_name="ann")
    world = reader.node.world
    with reader.node.database.read(first=changes.LATEST) as session:
        named = arn.Entity(reader.account_id, "user", "/", "ann")
        assert world.get_entity(named, session, lambda: session) is not None
        writer.call("TagUser", user_name="ann", tags=[{"key": "secret", "value": "x"}])
        assert shown(reader).tags  # the memory has it
        old = world.get_entity(named, session, lambda: session)
        assert old is not None
        assert dict(old.tags) == {}
    assert shown(reader).tags


def test_what_memory_cannot_answer_is_answered_in_one_snapshot_and_nobody_waits(
    nodes: tuple[House, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The world has moved on once; it stands still while the snapshot is read, so that nothing has to keep it from moving."""
    house, _ = nodes
    house.call("CreateUser", user_name="ann")

    def moved(*_: object) -> None:
        raise pipeline._Moved

    def steady(_: World) -> None:
        raise AssertionError("the world is held")

    monkeypatch.setattr(pipeline, "_remembered", moved)
    monkeypatch.setattr(World, "steady", steady)
    assert shown(house).user_name == "ann"


def test_a_context_over_a_limit_is_an_error_and_no_decision(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    values = [str(number) for number in range(250)]
    many = [{"key": f"orders:Line{number}", "values": values, "multivalued": True} for number in range(5)]
    with pytest.raises(SekishoError, match=r"at most 1,?024 are allowed") as caught:
        house.call("Authorize", action="orders:Ship", resource="*", context=many)
    assert caught.value.grpc == "INVALID_ARGUMENT"

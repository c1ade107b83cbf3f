"""WatchChanges over a real connection: what comes, what does not, where it goes on, and when it ends."""

import random
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from sqlalchemy import text

from sekisho import client, sigv4
from sekisho.api.authorize.v1 import changes_pb2 as pb
from sekisho.api.authorize.v1 import records_pb2
from sekisho.calls import pipeline
from sekisho.calls.call import Call
from sekisho.client import Client
from sekisho.services.authorize import changes as operation
from sekisho.store import changes
from sekisho.store.changes import Point
from tests.harness import House
from tests.inside import Inside, inside, served
from tests.nodes import two
from tests.services.iam.documents import allow, trust

WATCH = allow("authorize:WatchChanges")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Inside]:
    with inside(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as made:
        yield made


def until(stream: Iterator[pb.WatchChangesResponse], revision: str) -> list[str]:
    """The ids that a stream names until it has come to a revision."""
    wanted, ids = changes.parse(revision), list[str]()
    for message in stream:
        assert not message.reload
        ids += message.ids
        if changes.parse(message.revision).number >= wanted.number:
            return ids
    raise AssertionError("the stream has ended")


def test_a_watcher_hears_of_its_own_account_and_that_the_others_went_on(place: Inside) -> None:
    house = place.house
    other = House(house.node, _account(house, house.account()))
    with place.client() as mine, place.client(other.root) as theirs:
        here, there = mine.changes(heartbeat=1), theirs.changes(heartbeat=1)
        assert [list(next(stream).ids) for stream in (here, there)] == [[], []]
        secret = other.call("CreateUser", user_name="secret").user.user_id
        ann = house.call("CreateUser", user_name="ann").user.user_id
        house.call("DeleteUser", user_name="ann")
        other.call("DeleteUser", user_name="secret")
        seen = [next(here)]
        while changes.parse(seen[-1].revision) != changes.parse(other.revision):
            seen.append(next(here))
        assert {id_ for message in seen for id_ in message.ids} == {ann}
        told = b"".join(message.SerializeToString() for message in seen)
        assert b"secret" not in told
        assert secret.encode() not in told
        assert other.account_id.encode() not in told
        assert set(until(there, other.revision)) == {secret}


def test_whoever_writes_nothing_that_decisions_read_is_a_revision_without_ids(place: Inside) -> None:
    with place.client() as made:
        stream = made.changes(heartbeat=60)  # which is not waited for: the write was the account's own
        next(stream)
        place.house.call("CreateAccountAlias", account_alias="shop")
        assert until(stream, place.house.revision) == []


def test_changes_of_what_is_aws_are_told_to_all(place: Inside) -> None:
    with place.client() as made:
        stream = made.changes(heartbeat=60)
        next(stream)
        _touch(place.house, "aws", "ANPAAWS")
        assert list(next(stream).ids) == ["ANPAAWS"]


def test_a_stream_that_breaks_off_goes_on_without_a_gap(database_url: str, tmp_path: Path) -> None:
    """A node that writes 200 revisions, another that is watched, and a reader that hangs up at random: each id once, in the order of their
    commits.
    """
    made, dice = list[str](), random.Random(7)
    with two(database_url, tmp_path) as (house, watched), served(watched) as server:
        watching = Inside(watched, server, f"127.0.0.1:{server.port}").client()
        cursor = next(watching.changes()).revision

        def write() -> None:
            for number in range(200):
                made.append(house.call("CreateUser", user_name=f"u{number}").user.user_id)

        thread = threading.Thread(target=write)
        thread.start()
        ids: list[str] = []
        while thread.is_alive() or changes.parse(cursor) != changes.parse(house.revision):
            stream: Any = watching.changes(cursor, heartbeat=1)
            for _ in range(dice.randint(1, 4)):
                message = next(stream)
                assert not message.reload
                ids += message.ids
                cursor = message.revision
            stream.close()
        thread.join()
        watching.close()
    assert ids == made


def test_a_cursor_between_two_messages_is_gone_on_from(place: Inside) -> None:
    house = place.house
    revisions = []
    ids = []
    for name in ("ann", "bob", "cat"):
        ids.append(house.call("CreateUser", user_name=name).user.user_id)
        revisions.append(house.revision)
    with place.client() as made:
        first = next(made.changes(revisions[0]))
        assert (list(first.ids), first.revision) == (ids[1:], revisions[2])


def test_who_starts_anew_goes_on_from_what_the_database_remembers(place: Inside, tmp_path: Path) -> None:
    """A worker that has just been started knows the latest revisions, though it has applied none of them."""
    from sekisho.memory.cache import World

    house = place.house
    before = house.node.world.point
    ann = house.call("CreateUser", user_name="ann").user.user_id
    world = World(house.node.database, lambda row: "")
    world.poll()
    found = world.since(before)
    assert found is not None
    assert [entry.ids for entry in found.entries] == [(ann,)]
    world.close()


def test_cursors_that_lead_nowhere_are_told_from_each_other(place: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    house = place.house
    house.call("CreateUser", user_name="ann")
    point = house.node.world.point
    monkeypatch.setattr(operation, "BEHIND", 0.2)
    cases: dict[str, tuple[Point, int]] = {
        "another nonce": (Point(point.number, "ab" * 8), pb.RELOAD_ANOTHER_HISTORY),
        "the future": (Point(point.number + 1000, "ab" * 8), pb.RELOAD_ANOTHER_HISTORY),
        "the end of numbers": (Point(2**64 - 1, "ff" * 8), pb.RELOAD_ANOTHER_HISTORY),
        "the beginning": (Point(0, "00" * 8), 0),
        "a false beginning": (Point(0, "ab" * 8), pb.RELOAD_ANOTHER_HISTORY),
        "here": (point, 0),
    }
    with place.client() as made:
        for name, (cursor, reload) in cases.items():
            messages: Any = made.changes(cursor.token)
            first = next(messages)
            assert (name, first.reload) == (name, reload)
            assert not (reload and first.ids)
            assert not reload or list(messages) == []
            messages.close()
        for token in ("x", "!" * 64, "é" * 30, "A" * 21, "A" * 23):
            with pytest.raises(client.InvalidArgument):
                next(made.changes(token))


def test_a_cursor_older_than_what_is_remembered_has_to_be_loaded_anew(place: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    house = place.house
    house.call("CreateUser", user_name="ann")
    old = house.revision
    monkeypatch.setattr("sekisho.memory.log.MOST", 3)
    for name in ("bob", "cat", "dan", "eve"):
        house.call("CreateUser", user_name=name)
    with place.client() as made:
        first = next(made.changes(old))
        assert (first.reload, list(first.ids)) == (pb.RELOAD_CURSOR_TOO_OLD, [])


def test_what_an_earlier_release_wrote_has_to_be_loaded_anew(place: Inside) -> None:
    """It does not say whose ids it touched; a deleted one could be anybody's."""
    house = place.house
    with place.client() as made:
        stream = made.changes(heartbeat=60)
        next(stream)
        _touch(house, None, "AIDAGONE")
        assert next(stream).reload == pb.RELOAD_UNKNOWN_CHANGES
        assert list(stream) == []


def test_a_stream_ends_when_its_permission_is_taken_back(place: Inside) -> None:
    ann = place.house.user("ann", WATCH)
    with place.client(ann) as made:
        stream = made.changes(heartbeat=60)
        next(stream)
        place.house.call("DeleteUserPolicy", user_name="ann", policy_name="inline-0")
        with pytest.raises(client.Denied, match="authorize:WatchChanges"):
            next(stream)


def test_a_permission_that_is_taken_back_right_after_it_was_found_ends_the_stream(place: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = place.house.user("ann", WATCH)
    authorized, revoked = pipeline._authorized, threading.Event()

    def overtaken(call: Call, *arguments: Any, **options: Any) -> None:
        authorized(call, *arguments, **options)
        if call.operation.name == "WatchChanges" and not revoked.is_set():
            revoked.set()
            place.house.call("DeleteUserPolicy", user_name="ann", policy_name="inline-0")

    monkeypatch.setattr(pipeline, "_authorized", overtaken)
    with place.client(ann) as made, pytest.raises(client.Denied, match="authorize:WatchChanges"):
        next(made.changes(heartbeat=1))


@pytest.mark.parametrize("how", ["deactivated", "deleted"])
def test_a_stream_ends_with_its_key(place: Inside, how: str) -> None:
    ann = place.house.user("ann", WATCH)
    name: dict[str, Any] = {"user_name": "ann", "access_key_id": ann.access_key_id}
    with place.client(ann) as made:
        stream = made.changes(heartbeat=60)
        next(stream)
        if how == "deleted":
            place.house.call("DeleteAccessKey", **name)
        else:
            place.house.call("UpdateAccessKey", **name, status="Inactive")
        with pytest.raises(client.Unauthenticated):
            next(stream)


def test_a_stream_ends_when_its_session_expires(place: Inside) -> None:
    house = place.house
    role = house.call("CreateRole", role_name="watcher", assume_role_policy_document=trust(f"arn:aws:iam::{house.account_id}:root")).role
    house.call("PutRolePolicy", role_name="watcher", policy_name="p", policy_document=WATCH)
    session = house.assume(role.arn, _as=house.user("assumer", allow("sts:AssumeRole")), duration_seconds=900)
    with place.client(session) as made:
        stream = made.changes(heartbeat=1)
        next(stream)

        class Later(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
                return datetime.now(tz) + timedelta(seconds=901)

        with mock.patch.object(pipeline, "datetime", Later), pytest.raises(client.Unauthenticated, match="expired"):
            next(stream)


def test_it_takes_a_permission_of_its_own_and_another_for_records(place: Inside) -> None:
    nobody, ann = place.house.user("nobody", allow("authorize:Authorize")), place.house.user("ann", WATCH)
    with place.client(nobody) as made, pytest.raises(client.Denied, match="authorize:WatchChanges"):
        next(made.changes())
    with place.client(ann) as made:
        next(made.changes())
        with pytest.raises(client.Denied, match="authorize:GetSnapshot"):
            next(_with_records(made))


def test_records_come_signed_and_hold_no_secret(place: Inside) -> None:
    house = place.house
    bob = house.user("bob", allow("orders:Ship"))
    role = house.call("CreateRole", role_name="r", assume_role_policy_document=trust(f"arn:aws:iam::{house.account_id}:root")).role
    with place.client() as made:
        stream = _with_records(made, changes.ORIGIN.token)
        message = next(stream)
        content, signature = message.batch.content, message.batch.signature
        path = "/sekisho.api.authorize.v1.AuthorizeService/WatchChanges"
        secret = house.root.secret_access_key
        assert sigv4.verify_answer(secret, path, b"n" * 16, 0, content, signature)
        for wrong in ((secret + "x", path, b"n" * 16, 0), (secret, path + "x", b"n" * 16, 0), (secret, path, b"m" * 16, 0)):
            assert not sigv4.verify_answer(*wrong, content, signature)
        assert not sigv4.verify_answer(secret, path, b"n" * 16, 1, content, signature)
        assert not sigv4.verify_answer(secret, path, b"n" * 16, 0, content + b"\0", signature)
        batch = pb.Batch.FromString(content)
        kinds = [record.WhichOneof("record") for record in batch.records]
        assert kinds.count("principal") == 2
        assert {record.principal.trust_policy for record in batch.records} == {""}
        told = message.SerializeToString()
        assert role.role_id.encode() in told
        for hidden in (bob.secret_access_key, house.root.secret_access_key, bob.access_key_id):
            assert hidden.encode() not in content
        assert bob.access_key_id in message.ids
        house.call("DeleteUserPolicy", user_name="bob", policy_name="inline-0")
        second = next(stream)
        after = pb.Batch.FromString(second.batch.content)
        assert after.after == batch.revision
        assert [len(record.principal.inline) for record in after.records] == [0]
        assert len(after.nonces) == 8


def _with_records(made: Client, cursor: str = "", nonce: bytes = b"n" * 16) -> Iterator[pb.WatchChangesResponse]:
    return made._authorize.watch_changes(cursor=cursor, records={"nonce": nonce}, heartbeat_seconds=60)


def _touch(house: House, account: str | None, id_: str) -> None:
    """A revision that touches an id, of an account, or of none as an earlier release writes it."""
    point = house.node.world.point
    with house.node.database.write(()) as session:
        row = {"number": point.number + 1, "nonce": "5a" * 8, "at": "2026-01-01 00:00:00.000000+00:00"}
        session.execute(text("INSERT INTO revisions (number, nonce, committed_at) VALUES (:number, :nonce, :at)"), row)
        for touched in (id_, *([f"@{account}"] if account else [])):
            session.execute(text("INSERT INTO changes (number, id) VALUES (:number, :id)"), {"number": row["number"], "id": touched})


def _account(house: House, root: sigv4.Credentials) -> Any:
    from sekisho.credentials import accounts

    id_ = house.call("GetCallerIdentity", _as=root).account
    return accounts.NewAccount(id_, root.access_key_id, root.secret_access_key)


def test_a_record_of_another_account_is_not_told_whoever_touched_it(place: Inside) -> None:
    house = place.house
    other = House(house.node, _account(house, house.account()))
    secret = other.call("CreateUser", user_name="secret").user.user_id
    with place.client() as made:
        stream = _with_records(made)
        next(stream)
        _touch(house, house.account_id, secret)
        batch = pb.Batch.FromString(next(stream).batch.content)
        assert list(batch.records) == list[records_pb2.Record]()

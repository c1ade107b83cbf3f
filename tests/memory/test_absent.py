"""What does not exist costs one read until a revision touches it, and is never hidden when it is created."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from sekisho import arn
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.credentials import access_keys, accounts
from sekisho.errors import SekishoError
from sekisho.memory import names, records
from sekisho.memory.cache import World
from sekisho.memory.names import Name, Names
from sekisho.memory.records import Records
from sekisho.store import changes
from sekisho.store.db import Database
from sekisho.store.tables import AccessKey
from tests.harness import House
from tests.nodes import two
from tests.services.iam.documents import TRUST_EC2, allow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = "AKIAIOSFODNN7EXAMPLE"


@pytest.fixture
def nodes(database_url: str, tmp_path: Path) -> Iterator[tuple[House, House]]:
    with two(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one with each snapshot that the test opens: a node's feed opens some of its own."""
    seen: list[str] = []
    read, me = Database.read, threading.get_ident()

    def counted(self: Database, **options: Any) -> Any:
        if threading.get_ident() == me:
            seen.append("read")
        return read(self, **options)

    monkeypatch.setattr(Database, "read", counted)
    return seen


def world_of(house: House) -> World:
    """A cache of its own, which nobody keeps new."""
    ring = house.node.ring
    made = World(house.node.database, lambda row: access_keys.unseal(row.id, row.secret, ring))
    made.poll()
    return made


def _new_key(house: House) -> None:
    """What CreateAccessKey writes, with an id that is known before."""
    key = access_keys.new_access_key(house.account_id)
    with house.node.database.write((house.account_id,)) as session:
        touched = changes.Touched(session)
        row = {"account_id": house.account_id, "owner_id": house.account_id, "status": "Active", "created_at": NOW}
        secret = access_keys.seal(type(key)(KEY, key.secret_access_key), house.node.ring)
        changes.add(session, AccessKey(id=KEY, secret=secret, **row))
        audited = accounts.by_operator(house.account_id, NOW, "iam", "Test", {})
        changes.record(session, touched, NOW, lambda: "5a" * 8, audited)


def test_a_key_of_nobody_is_read_once_until_somebody_gets_it(nodes: tuple[House, House], reads: list[str]) -> None:
    writer, _ = nodes
    world = world_of(writer)
    reads.clear()
    assert [world.get_record(KEY) for _ in range(5)] == [None] * 5
    assert len(reads) == 1
    writer.call("CreateUser", user_name="other")
    world.poll()
    reads.clear()
    assert world.get_record(KEY) is None
    assert reads == []
    _new_key(writer)
    world.poll()
    found = world.get_record(KEY)
    assert found is not None
    assert found.id == KEY


def test_a_name_of_nobody_is_read_once_until_somebody_may_have_got_it(nodes: tuple[House, House], reads: list[str]) -> None:
    writer, _ = nodes
    world = world_of(writer)
    zoe = arn.Entity(writer.account_id, "user", "/", "zoe")
    reads.clear()
    assert [world.get_id(zoe) for _ in range(5)] == [None] * 5
    assert len(reads) == 1
    writer.call("CreateGroup", group_name="zoe")
    world.poll()
    reads.clear()
    assert world.get_id(zoe) is None
    assert reads == []
    made = writer.call("CreateUser", user_name="zoe").user
    world.poll()
    assert world.get_id(zoe) == made.user_id


def test_an_entity_that_is_not_there_is_looked_for_once(nodes: tuple[House, House]) -> None:
    writer, _ = nodes
    world = world_of(writer)
    with writer.node.database.read(first=changes.LATEST) as session:
        opened: list[Session] = []

        def snapshot() -> Session:
            opened.append(session)
            return session

        for name in ("zoe", "Zoe", "zoe"):
            assert world.get_entity(arn.Entity(writer.account_id, "user", "/", name), None, snapshot) is None
        assert len(opened) == 1
    writer.call("CreateUser", user_name="zoe")
    world.poll()
    with writer.node.database.read(first=changes.LATEST) as session:
        assert world.get_entity(arn.Entity(writer.account_id, "user", "/", "zoe"), None, snapshot) is not None


def test_a_name_that_somebody_else_got_is_not_hidden(nodes: tuple[House, House]) -> None:
    writer, _ = nodes
    world = world_of(writer)
    user_id = writer.call("CreateUser", user_name="ann").user.user_id
    world.poll()
    ann, zoe = (arn.Entity(writer.account_id, "user", "/", name) for name in ("ann", "zoe"))
    assert (world.get_id(ann), world.get_id(zoe)) == (user_id, None)
    writer.call("UpdateUser", user_name="ann", new_user_name="zoe")
    world.poll()
    assert (world.get_id(ann), world.get_id(zoe)) == (None, user_id)
    writer.call("DeleteUser", user_name="zoe")
    world.poll()
    assert (world.get_id(ann), world.get_id(zoe)) == (None, None)


def test_a_node_that_was_asked_before_knows_who_was_created_on_another(nodes: tuple[House, House]) -> None:
    writer, reader = nodes
    named = f"arn:aws:iam::{writer.account_id}:user/ann"
    question: dict[str, Any] = {"principal_arn": named, "action": "orders:Ship", "resource": "*"}
    for turn in range(20):
        with pytest.raises(SekishoError, match="There is no principal"):
            reader.call("Authorize", **question, at_least=writer.revision)
        writer.call("CreateUser", user_name="ann")
        answer = reader.call("Authorize", **question, at_least=writer.revision)
        assert (turn, answer.outcome) == (turn, pb.OUTCOME_IMPLICITLY_DENIED)
        with pytest.raises(SekishoError, match="There is no principal"):
            writer.call("Authorize", principal_arn=named + str(turn), action="orders:Ship", resource="*")
        writer.call("DeleteUser", user_name="ann")


MAKERS: dict[str, tuple[str, Callable[[House], Any]]] = {
    "user": ("GetUser", lambda house: house.call("CreateUser", user_name="it")),
    "group": ("GetGroup", lambda house: house.call("CreateGroup", group_name="it")),
    "role": ("GetRole", lambda house: house.call("CreateRole", role_name="it", assume_role_policy_document=TRUST_EC2)),
    "policy": ("GetPolicy", lambda house: house.call("CreatePolicy", policy_name="it", policy_document=allow("*"))),
    "instance-profile": ("GetInstanceProfile", lambda house: house.call("CreateInstanceProfile", instance_profile_name="it")),
    "mfa": ("GetMFADevice", lambda house: house.call("CreateVirtualMFADevice", virtual_mfa_device_name="it")),
    "oidc-provider": (
        "GetOpenIDConnectProvider",
        lambda house: house.call("CreateOpenIDConnectProvider", url="https://it.example", thumbprint_list=["a" * 40]),
    ),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_what_was_asked_for_in_vain_shows_as_soon_as_it_is_created(nodes: tuple[House, House], kind: str) -> None:
    writer, reader = nodes
    name, make = MAKERS[kind]
    fields: dict[str, Any] = {
        "GetPolicy": {"policy_arn": f"arn:aws:iam::{writer.account_id}:policy/it"},
        "GetMFADevice": {"serial_number": f"arn:aws:iam::{writer.account_id}:mfa/it"},
        "GetOpenIDConnectProvider": {"open_id_connect_provider_arn": f"arn:aws:iam::{writer.account_id}:oidc-provider/it.example"},
    }.get(name, {f"{kind.replace('-', '_')}_name": "it"})
    for house in (reader, writer, reader):
        with pytest.raises(SekishoError) as caught:
            house.call(name, **fields)
        assert caught.value.code == "NoSuchEntity"
    make(writer)
    assert writer.call(name, **fields)
    assert reader.call(name, **fields)


def test_what_an_older_snapshot_does_not_have_is_not_remembered_as_nobodys(nodes: tuple[House, House]) -> None:
    writer, _ = nodes
    world = world_of(writer)
    with writer.node.database.read(first=changes.LATEST) as old:
        _new_key(writer)
        made = writer.call("CreateUser", user_name="zoe").user
        world.poll()
        assert world.load_record(KEY, old) is None
        assert world.get_entity(arn.Entity(writer.account_id, "user", "/", "zoe"), old, lambda: old) is None
    assert world.get_record(KEY) is not None
    assert world.get_id(arn.Entity(writer.account_id, "user", "/", "zoe")) == made.user_id


def test_absent_ids_are_bounded_in_number_and_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_ABSENT", 3)
    made = Records(1 << 20)
    for number in range(5):
        made.keep_absent(f"AKIA{number}")
    assert [made.is_absent(f"AKIA{number}") for number in range(5)] == [False, False, True, True, True]
    made.keep_absent("x" * 129)
    assert not made.is_absent("x" * 129)
    made.evict("AKIA3")
    assert not made.is_absent("AKIA3")
    made.clear()
    assert not made.is_absent("AKIA4")


def test_names_are_bounded_in_number_and_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "MOST_ABSENT", 3)
    monkeypatch.setattr(names, "MOST", 3)
    made = Names()
    keys = [names.key(arn.Entity("111122223333", "user", "/", f"N{number}")) for number in range(5)]
    for key in keys:
        made.keep(key, None)
    assert [made.is_absent(key) for key in keys] == [False, False, True, True, True]
    for number, key in enumerate(keys[:3]):
        made.keep(key, Name(f"AIDA{number}", "/", f"N{number}"))
    assert [made.is_absent(key) for key in keys] == [False, False, False, True, True]
    assert made.get_name(keys[0]) == Name("AIDA0", "/", "N0")
    made.keep(keys[3], Name("AIDA3", "/", "N3"))  # one too many: the others are forgotten
    assert [made.get_name(key) is not None for key in keys] == [False, False, False, True, False]
    long = names.key(arn.Entity("111122223333", "user", "/", "x" * 513))
    made.keep(long, None)
    assert not made.is_absent(long)


def test_an_id_has_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Names()
    first, second = (names.key(arn.Entity("111122223333", "user", "/", name)) for name in ("first", "second"))
    made.keep(first, Name("AIDA1", "/", "first"))
    made.keep(second, Name("AIDA1", "/", "second"))
    assert made.get_name(first) is None
    made.evict("AIDA1")
    assert made.get_name(second) is None


KINDS = ("user", "role", "group", "policy", "instance-profile", "server-certificate", "mfa", "oidc-provider", "saml-provider", "root")


@pytest.mark.parametrize(
    ("id_", "gone"),
    [
        ("AIDAAAAAAAAAAAAAAAAAA", {"user"}),
        ("AROAAAAAAAAAAAAAAAAAA", {"role"}),
        ("ANPAAAAAAAAAAAAAAAAAA", {"policy"}),
        ("ASCAAAAAAAAAAAAAAAAAA", {"server-certificate"}),
        ("0123456789ABCDEF0123456789ABCDEF", {"mfa", "oidc-provider", "saml-provider", "root"}),
        ("111122223333", {"mfa", "oidc-provider", "saml-provider", "root"}),
        ("AIDA1", {"user"}),
    ],
)
def test_a_change_forgets_the_absent_names_of_its_kind(id_: str, gone: set[str]) -> None:
    made = Names()
    keys = {kind: names.key(arn.Entity("111122223333", kind, "/", "n")) for kind in KINDS}
    for key in keys.values():
        made.keep(key, None)
    made.evict(id_)
    assert {kind for kind, key in keys.items() if not made.is_absent(key)} == gone

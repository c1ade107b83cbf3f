"""A call by itself: what it knows of its caller, its node and its time, and which things a name means to it."""

import time
from dataclasses import fields
from typing import Any

import pytest
from sqlalchemy import event

from sekisho import arn
from sekisho.calls import call as calls
from sekisho.calls.call import Call, Node, NoWritePath, Peer, Writes
from sekisho.errors import Internal
from sekisho.operations import OPERATIONS
from sekisho.store import changes, db
from sekisho.store.tables import Entity, Group, User
from sekisho.world import EntityRecord
from tests.calls.fakes import ACCOUNT, ANN, NOW, OTHER, USER_ARN, FakeNode

TABLES = (Entity, User, Group)


def node(**parts: Any) -> Node:
    """A node of which nothing is there but these parts."""
    return Node(**{one.name: None for one in fields(Node)} | parts)


def test_a_node_answers_the_operations_of_its_services() -> None:
    assert node().operations == tuple(OPERATIONS.values())
    mine = node(services=frozenset(("sts", "mfa"))).operations
    assert {one.service.package for one in mine} == {"sts", "mfa"}
    assert list(mine) == [one for one in OPERATIONS.values() if one in mine]


def test_a_node_writes_where_it_has_the_means() -> None:
    database: Any = object()
    assert node(writes=Writes(database)).primary is database
    with pytest.raises(NoWritePath) as caught:
        _ = node().primary
    assert caught.value.message == "This node does not write; send the call to one of the control plane. Nothing was written."


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("::1", "::1"),
        ("2001:db8::ffff:1", "2001:db8::ffff:1"),
        ("::ffff:1", "::ffff:1"),
        ("", ""),
    ],
)
def test_an_address_of_version_4_is_shown_as_such(host: str, plain: str) -> None:
    assert calls.plain_address(host) == plain


def test_a_call_without_more_is_from_nowhere_and_of_nobody() -> None:
    call = FakeNode().call("GetUser", None)
    bare = Call(node=call.node, operation=call.operation, request_id="r", now=NOW, deadline=0.0)
    assert bare.peer == Peer("", "", secure=False, tls="")
    assert (bare.acting, bare.point, bare.resources, bare.recipient, bare.vouched) == (None, None, (), "", None)
    assert (bare.use, bare.secret, bare.prepared, bare.seconds_left) == (None, None, None, 0.0)
    for of_caller in ("caller", "account_id"):
        with pytest.raises(Internal, match=r"^the operation needs a caller$"):
            getattr(bare, of_caller)
    bare.secret = "hidden"
    assert "hidden" not in repr(bare)


def test_a_call_is_in_the_account_of_its_caller() -> None:
    call = FakeNode().call("GetUser")
    assert (call.caller, call.caller.subject, call.account_id) == (call.acting, ANN, ACCOUNT)


def test_a_call_has_the_seconds_until_its_deadline() -> None:
    before = time.monotonic()
    call = FakeNode().call("GetUser", deadline=before + 60)
    left = call.seconds_left
    assert before + 60 - time.monotonic() <= left <= 60


def test_a_snapshot_is_opened_when_it_is_asked_for_and_once() -> None:
    call = FakeNode().call("GetUser")
    with pytest.raises(Internal, match=r"^GetUser runs without a transaction$"):
        _ = call.session
    opened: list[Any] = []

    def snapshot() -> Any:
        opened.append(object())
        return opened[-1]

    call.snapshot = snapshot
    assert call.session is call.session is call.database_session is opened[0]
    assert len(opened) == 1
    other: Any = object()
    assert FakeNode().call("CreateUser", database_session=other, snapshot=snapshot).session is other


@pytest.mark.parametrize(("name", "reads"), [("GetUser", True), ("CreateUser", False), ("Authorize", False), ("GetSessionToken", False)])
def test_a_read_is_of_its_level(name: str, reads: bool) -> None:
    assert FakeNode().call(name).reads is reads


def record(name: str = "ann", path: str = "/", kind: str = "user") -> EntityRecord:
    return EntityRecord("AIDA1", ACCOUNT, kind, name, path, USER_ARN, NOW)


@pytest.mark.parametrize(
    ("kind", "name", "asked", "found", "meant"),
    [
        ("user", "ann", arn.Entity(ACCOUNT, "user", "", "ann"), record(), True),
        ("user", "ANN", arn.Entity(ACCOUNT, "user", "", "ANN"), record("ann", "/x/"), True),
        ("user", "ann", arn.Entity(ACCOUNT, "user", "", "ann"), None, False),
        ("user", USER_ARN, arn.Entity(ACCOUNT, "user", "/", "ann"), record(), True),
        ("user", USER_ARN, arn.Entity(ACCOUNT, "user", "/", "ann"), record("Ann"), False),
        ("user", USER_ARN, arn.Entity(ACCOUNT, "user", "/", "ann"), record(path="/x/"), False),
        ("user", USER_ARN, arn.Entity(ACCOUNT, "user", "/", "ann"), None, False),
        ("role", USER_ARN, None, record(), False),
        ("user", USER_ARN.replace(ACCOUNT, OTHER), None, record(), False),
        ("user", "arn:nonsense", None, record(), False),
        ("policy", "arn:aws:iam::aws:policy/p", arn.Entity("aws", "policy", "/", "p"), record("p", kind="policy"), True),
        ("policy", f"arn:aws:iam::{ACCOUNT}:policy/x/p", arn.Entity(ACCOUNT, "policy", "/x/", "p"), record("p", "/x/", "policy"), True),
        ("role", "arn:aws:iam::aws:role/p", None, record("p", kind="role"), False),
        ("policy", f"arn:aws:iam::{OTHER}:policy/p", None, record("p", kind="policy"), False),
    ],
)
def test_an_entity_is_meant_by_its_name_or_by_exactly_its_arn(kind: str, name: str, asked: Any, found: Any, meant: bool) -> None:
    one = FakeNode()
    given: list[Any] = []
    session: Any = object()
    world: Any = one.world

    def get_entity(named: Any, of: Any, opening: Any) -> Any:
        given.append((named, of, opening()))
        return found

    world.get_entity = get_entity
    call = one.call("GetUser", database_session=session)
    assert call.entity(kind, name) is (found if meant else None)
    assert given == ([(asked, session, session)] if asked is not None else [])


def rows(session: db.Transaction) -> None:
    """Ann with a path, a group of her name, and ann of another account."""
    for table, id_, account, name, path in (
        (User, "AIDA1", ACCOUNT, "ann", "/x/"),
        (Group, "AGPA1", ACCOUNT, "ann", "/"),
        (User, "AIDA2", OTHER, "Ann", "/"),
    ):
        session.add(table(id=id_, account_id=account, name=name, name_key=name.lower(), path=path, created_at=NOW))
    session.flush()


@pytest.mark.parametrize(
    ("table", "name", "id_"),
    [
        (User, "ann", "AIDA1"),
        (User, "ANN", "AIDA1"),
        (Group, "ann", "AGPA1"),
        (User, "bob", None),
        (User, f"arn:aws:iam::{ACCOUNT}:user/x/ann", "AIDA1"),
        (User, f"arn:aws:iam::{ACCOUNT}:user/ann", None),
        (User, f"arn:aws:iam::{ACCOUNT}:user/x/ANN", None),
        (User, f"arn:aws:iam::{OTHER}:user/Ann", None),
        (Group, f"arn:aws:iam::{ACCOUNT}:user/x/ann", None),
    ],
)
@pytest.mark.parametrize("operation", ["GetUser", "CreateUser"])
def test_a_row_is_what_the_name_means(session: db.Transaction, table: Any, name: str, id_: str | None, operation: str) -> None:
    rows(session)
    found = FakeNode().call(operation, database_session=session).row(table, name)
    assert (found.id if found is not None else None) == id_
    assert found is None or type(found) is table


@pytest.mark.parametrize(("operation", "times"), [("GetUser", 2), ("CreateUser", 5)])
def test_a_read_looks_for_a_row_once(session: db.Transaction, operation: str, times: int) -> None:
    rows(session)
    asked: list[Any] = []
    event.listen(session.connection(), "before_cursor_execute", lambda *given: asked.append(given[2]))
    call = FakeNode().call(operation, database_session=session)
    for name in ("ann", "ANN", f"arn:aws:iam::{ACCOUNT}:user/ann", f"arn:aws:iam::{ACCOUNT}:user/x/ann"):
        call.row(User, name)
    call.row(Group, "ann")
    assert len([one for one in asked if one.startswith("SELECT")]) == times


def test_a_new_row_is_written_with_the_call(session: db.Transaction) -> None:
    call = FakeNode().call("CreateUser", database_session=session)
    call.add(User(id="AIDA3", account_id=ACCOUNT, name="eve", name_key="eve", path="/", created_at=NOW))
    assert call.row(User, "eve") is not None
    assert session.info is call.session.info
    assert next(one for one in session.info.values() if isinstance(one, changes.Touched)).ids == {"AIDA3"}

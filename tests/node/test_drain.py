"""The way from the spool into the database: everything arrives, and nothing twice."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from sekisho.errors import SekishoError
from sekisho.journal.last_use import LastUse
from sekisho.journal.spool import Entry, Spool
from sekisho.node.drain import Drain, deliver
from sekisho.store.tables import AccessKey, AuditRecord, Role
from tests import harness
from tests.harness import House
from tests.services.iam.documents import allow, trust

RECORD: dict[str, Any] = {
    "id": "1", "account_id": "111122223333", "at": "2026-01-01T00:00:00+00:00", "event_source": "iam.amazonaws.com",
    "event_name": "CreateUser", "read_only": False, "principal_id": "AIDA", "principal_arn": "arn", "access_key_id": "AKIA",
    "source_ip": "", "user_agent": "", "request": "{}", "response": "{}", "error_code": "AccessDenied", "error_message": "no",
}  # fmt: skip


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    with harness.house(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Another spool, which nobody drains."""
    made = Spool(tmp_path / "other.db")
    yield made
    made.close()


def entry(id_: str, **changed: Any) -> Entry:
    """The spooled record of a denied call."""
    return Entry("audit", json.dumps(RECORD | {"id": id_} | changed))


def recorded(house: House, *ids: str) -> int:
    """How many records of these ids the database has."""
    with house.node.database.read() as session:
        return session.scalar(select(func.count()).select_from(AuditRecord).where(AuditRecord.id.in_(ids))) or 0


def until(condition: Callable[[], bool]) -> None:
    """Wait for what a thread does every second."""
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def ended(last: int) -> None:
    """The process ends between the database's commit and the spool's."""
    raise SystemExit


def failed(house: House, name: str) -> list[AuditRecord]:
    """The records of failed calls of an operation."""
    with house.node.database.read() as session:
        return list(session.scalars(select(AuditRecord).where(AuditRecord.event_name == name, AuditRecord.error_code.is_not(None))))


def test_what_is_drained_twice_is_there_once(house: House, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    drain = Drain(spool, (LastUse(spool),), house.node.database)
    for number in range(3):
        spool.append(entry(f"r{number}"), timeout=10)
    with monkeypatch.context() as patched:
        patched.setattr(spool, "delivered", ended)
        with pytest.raises(SystemExit):
            drain.once()
    assert recorded(house, "r0", "r1", "r2") == 3
    assert len(spool.waiting()) == 3
    spool.append(entry("r3"), timeout=10)
    spool.append(entry("r3"), timeout=10)
    assert drain.once()
    assert recorded(house, "r0", "r1", "r2", "r3") == 4
    assert not drain.once()


def test_what_the_database_does_not_take_stays(house: House, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    drain = Drain(spool, (LastUse(spool),), house.node.database)
    spool.append(entry("r0"), timeout=10)

    def unreachable(*_: object, **__: object) -> None:
        raise SekishoError("away")

    with monkeypatch.context() as patched:
        patched.setattr(house.node.database, "write", unreachable)
        with pytest.raises(SekishoError):
            drain.once()
    assert len(spool.waiting()) == 1
    drain.once()
    assert recorded(house, "r0") == 1


@pytest.mark.parametrize("error", [sqlite3.OperationalError("disk I/O error"), ValueError("a defect"), SekishoError("away")])
def test_the_thread_goes_on_after_whatever_went_wrong(
    house: House, spool: Spool, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    drain = Drain(spool, (LastUse(spool),), house.node.database)
    delivered = spool.delivered
    failures: list[int] = []

    def failing(last: int) -> None:
        if not failures:
            failures.append(last)
            raise error
        delivered(last)

    monkeypatch.setattr(spool, "delivered", failing)
    monkeypatch.setattr("sekisho.node.drain.INTERVAL", 0.05)
    spool.append(entry("r0"), timeout=10)
    drain.start()
    try:
        until(lambda: not spool.waiting())
    finally:
        drain.stop()
    assert failures
    assert recorded(house, "r0") == 1


def test_a_text_that_postgresql_does_not_have_does_not_stop_the_rest(house: House) -> None:
    arn = f"arn:aws:iam::{house.account_id}:user/a\0b"
    wrong: list[dict[str, Any]] = [{"principal_arn": arn}, {"resource": "x\0y", "action": "a:B"}]
    for fields in wrong:
        with pytest.raises(SekishoError):
            house.call("Authorize", _as=house.user(f"u{len(fields)}"), **{"action": "a:\0", "resource": "*\0", **fields})
    with pytest.raises(SekishoError):
        house.call("DeleteUser", user_name="nobody")
    with pytest.raises(SekishoError):
        house.call("Authorize", action="a:B", resource="*", principal_arn=arn)
    until(lambda: len(failed(house, "Authorize")) == 3)
    until(lambda: len(failed(house, "DeleteUser")) == 1)


def test_a_request_that_is_too_large_is_not_recorded_whole(house: House) -> None:
    nobody = house.user("nobody")
    with pytest.raises(SekishoError):
        house.call("AuthorizeBatch", _as=nobody, requests=[{"action": "a:B", "resource": "x" * 2000}] * 1000)
    with pytest.raises(SekishoError):
        house.call("AuthorizeBatch", _as=nobody, requests=[{"action": "a:B", "resource": "y"}])
    until(lambda: len(failed(house, "AuthorizeBatch")) == 2)
    requests = {row.request for row in failed(house, "AuthorizeBatch")}
    assert requests == {'{"omitted": "over 100 KB"}', '{"requests": [{"action": "a:B", "resource": "y"}]}'}


def test_the_last_use_of_keys_and_roles_arrives_and_never_goes_back(house: House, spool: Spool) -> None:
    ann = house.user("ann", allow("sts:AssumeRole"))
    role = house.call("CreateRole", role_name="r", assume_role_policy_document=trust(f"arn:aws:iam::{house.account_id}:user/ann")).role
    revision = house.revision
    drain = Drain(spool, (LastUse(spool),), house.node.database)
    for at in ("2030-01-01T00:00:00+00:00", "2029-01-01T00:00:00+00:00"):
        uses = {id_: {"at": at, "service": "sts", "region": at[:4]} for id_ in (ann.access_key_id, role.role_id, "AKIAGONE")}
        spool.append(Entry("last-use", json.dumps(uses)), timeout=10)
        drain.once()
    with house.node.database.read() as session:
        key, made = session.get(AccessKey, ann.access_key_id), session.get(Role, role.role_id)
        assert key is not None
        assert made is not None
        assert (key.last_used_at and key.last_used_at.year, key.last_used_region, key.last_used_service) == (2030, "2030", "sts")
        assert (made.last_used_at and made.last_used_at.year, made.last_used_region) == (2030, "2030")
    house.call("ListUsers")
    assert house.revision == revision  # it is outside the change log


def test_last_uses_arrive_in_the_order_of_their_ids(house: House) -> None:
    """Across all that is delivered at once: whoever else locks many keys goes in that order, and no two wait for one another."""
    use = {"at": "2026-01-01T00:00:00+00:00", "service": "sts", "region": ""}
    bodies = ({"AKIAC": use, "AKIAA": use}, {"AROAB": use, "AKIAB": use})
    asked: list[str] = []
    with house.node.database.write(()) as session:
        bind = session.get_bind()

        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            if statement.startswith("UPDATE"):
                values = parameters.values() if isinstance(parameters, dict) else parameters
                asked.extend(str(value) for value in values if str(value)[:4] in ("AKIA", "AROA"))

        event.listen(bind, "before_cursor_execute", note)
        try:
            deliver(session, [Entry("last-use", json.dumps(body)) for body in bodies])
        finally:
            event.remove(bind, "before_cursor_execute", note)
    assert asked == ["AKIAA", "AKIAB", "AKIAC", "AROAB"]


def test_denials_and_issued_credentials_are_recorded_once_and_without_secrets(house: House) -> None:
    ann = house.user("ann", allow("sts:AssumeRole"))
    role = house.call("CreateRole", role_name="r", assume_role_policy_document=trust(f"arn:aws:iam::{house.account_id}:user/ann")).role
    session_of = house.assume(role.arn, _as=ann)
    for _ in range(3):
        with pytest.raises(SekishoError, match="is not authorized to perform: iam:CreateUser"):
            house.call("CreateUser", _as=ann, user_name="bob")
    until(lambda: len(failed(house, "CreateUser")) == 3)
    with house.node.database.read() as session:
        rows = session.scalars(select(AuditRecord)).all()
    denied = [row for row in rows if row.error_code == "AccessDenied"]
    assert [(row.event_name, row.revision, json.loads(row.request)) for row in denied] == [("CreateUser", None, {"userName": "bob"})] * 3
    assert {row.principal_arn for row in denied} == {f"arn:aws:iam::{house.account_id}:user/ann"}
    (assumed,) = [row for row in rows if row.event_name == "AssumeRole"]
    assert json.loads(assumed.response)["credentials"]["accessKeyId"] == session_of.access_key_id
    everything = " ".join(str(vars(row)) for row in rows)
    for secret in (ann.secret_access_key, session_of.secret_access_key, session_of.session_token or "", house.root.secret_access_key):
        assert secret not in everything
    written = [row.revision for row in rows if row.revision is not None]
    assert sorted(written) == list(range(1, len(written) + 1))


def test_what_a_signed_request_holds_is_not_recorded(house: House) -> None:
    nobody = house.user("nobody")
    secret = {"authorization": "signature", "x-amz-security-token": "a token"}
    with pytest.raises(SekishoError):
        house.call(
            "Authorize", _as=nobody, action="a:B", resource="*",
            signed_request={"path": "/p", "body": b"a body", "audience": "a", "headers": secret},
        )  # fmt: skip
    until(lambda: len(failed(house, "Authorize")) == 1)
    request = failed(house, "Authorize")[0].request
    assert json.loads(request)["signedRequest"] == {
        "path": "/p", "body": "HIDDEN_DUE_TO_SECURITY_REASONS", "audience": "a", "headers": "HIDDEN_DUE_TO_SECURITY_REASONS",
    }  # fmt: skip


def test_what_no_database_takes_is_kept_aside_and_keeps_nothing_from_it(house: House, spool: Spool) -> None:
    unfit = [
        Entry("audit", "no JSON"),
        Entry("audit", json.dumps({"id": "half"})),
        Entry("accesses", json.dumps([["AIDA1", "111122223333", "iam:GetUser", "never", "us-east-1"]])),
    ]
    unfit.append(entry("4", event_source=None))
    if not house.node.database.sqlite:  # which takes any text for a boolean, and whatever characters
        unfit += [entry("3", read_only="perhaps"), entry("5", user_agent="a\0b")]
    for one in (entry("1"), *unfit, entry("2")):
        spool.append(one, timeout=60)
    drain = Drain(spool, (), house.node.primary)
    assert drain.once()
    assert not drain.once()
    assert recorded(house, "1", "2", "3", "4", "5", "half") == 2
    with sqlite3.connect(spool.path) as connection:
        assert [row[0] for row in connection.execute("SELECT body FROM refused ORDER BY rowid")] == [one.body for one in unfit]
    connection.close()

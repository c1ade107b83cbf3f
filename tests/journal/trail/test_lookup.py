"""Events are found by each attribute, the newest first, a page at a time, and those of no other account."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text

from sekisho.journal.trail import lookup
from sekisho.store import db
from sekisho.store.tables import AuditRecord
from tests.journal.trail.records import NOW, ONE, TWO, Trail, made


def user(name: str, account: str = ONE) -> dict[str, str]:
    """A user as a record names it."""
    return {"ARN": f"arn:aws:iam::{account}:user/division/{name}", "accountId": account, "type": "AWS::IAM::User"}


def wanted(attribute: str = "", value: str = "", *, account: str = ONE, begins: int = -1000, ends: int = 1000) -> lookup.Wanted:
    """Events of an account, of the seconds around NOW."""
    return lookup.Wanted(account, NOW + timedelta(seconds=begins), NOW + timedelta(seconds=ends), attribute, value)


def found(database: db.Database, asked: lookup.Wanted, most: int = 50) -> list[list[str]]:
    """The ids of the records, by page."""
    pages, behind = [], None
    with database.read() as session:
        while True:
            records, behind = lookup.page(session, asked, behind=behind, most=most)
            pages.append([record.id for record in records])
            if behind is None:
                return pages


@pytest.fixture
def filled(trail: Trail) -> Trail:
    """Four records of one account, one of another, each a second after the one before, and one that is a decision."""
    fields: list[dict[str, Any]] = [
        {"username": "ann", "resources": json.dumps([user("bob")])},
        {"event_name": "GetUser", "read_only": True, "username": "ann", "resources": json.dumps([user("bob"), user("eve")])},
        {"event_source": "sts.amazonaws.com", "event_name": "AssumeRole", "username": "bob", "access_key_id": "ASIA1"},
        {"event_name": "DeleteUser", "username": "root", "resources": json.dumps([user("eve")]), "error_code": "AccessDenied"},
    ]
    for number, columns in enumerate(fields):
        trail.spool(made(f"r-{number}", at=NOW + timedelta(seconds=number), **columns))
    trail.spool(made("other", TWO, username="ann", resources=json.dumps([user("bob", TWO)])))
    trail.spool(made("decided", username="ann", category="Data", event_name="Authorize"))
    trail.seal()
    return trail


@pytest.mark.parametrize(
    ("attribute", "value", "ids"),
    [
        ("", "", ["r-3", "r-2", "r-1", "r-0"]),
        ("EventId", "r-1", ["r-1"]),
        ("EventId", "other", []),
        ("EventName", "GetUser", ["r-1"]),
        ("EventName", "getuser", []),
        ("EventName", "Authorize", []),
        ("ReadOnly", "true", ["r-1"]),
        ("ReadOnly", "false", ["r-3", "r-2", "r-0"]),
        ("Username", "ann", ["r-1", "r-0"]),
        ("EventSource", "sts.amazonaws.com", ["r-2"]),
        ("AccessKeyId", "ASIA1", ["r-2"]),
        ("ResourceName", "bob", ["r-1", "r-0"]),
        ("ResourceName", f"arn:aws:iam::{ONE}:user/division/eve", ["r-3", "r-1"]),
        ("ResourceName", f"arn:aws:iam::{TWO}:user/division/bob", []),
        ("ResourceType", "AWS::IAM::User", ["r-3", "r-1", "r-0"]),
        ("ResourceType", "AWS::IAM::Role", []),
        ("Username", "a\0nn", []),
        ("ResourceName", "b\0ob", []),
    ],
)
def test_each_attribute_finds_its_own(filled: Trail, attribute: str, value: str, ids: list[str]) -> None:
    assert found(filled.database, wanted(attribute, value)) == [ids]


def test_another_account_finds_its_own_by_the_same_values(filled: Trail) -> None:
    for attribute, value in (
        ("", ""),
        ("EventId", "other"),
        ("Username", "ann"),
        ("ResourceName", "bob"),
        ("ResourceType", "AWS::IAM::User"),
    ):
        assert found(filled.database, wanted(attribute, value, account=TWO)) == [["other"]]


@pytest.mark.parametrize(("attribute", "value"), [("", ""), ("ResourceType", "AWS::IAM::User")])
def test_both_ends_of_the_time_are_meant(filled: Trail, attribute: str, value: str) -> None:
    assert found(filled.database, wanted(attribute, value, begins=1, ends=3))[0][-1] == "r-1"
    assert found(filled.database, wanted(attribute, value, begins=0, ends=0)) == [["r-0"]]
    assert found(filled.database, wanted(attribute, value, begins=4)) == [[]]


@pytest.mark.parametrize(("attribute", "value"), [("Username", "ann"), ("ResourceName", "bob")])
@pytest.mark.parametrize("most", [1, 2, 3, 6, 7])
def test_pages_have_each_record_once_though_many_are_of_one_moment(trail: Trail, attribute: str, value: str, most: int) -> None:
    names = json.dumps([user("bob"), user("eve")])
    trail.spool(*(made(f"r-{number}", at=NOW + timedelta(seconds=number // 3), username="ann", resources=names) for number in range(7)))
    trail.seal()
    pages = found(trail.database, wanted(attribute, value), most)
    assert [id_ for page in pages for id_ in page] == ["r-6", "r-5", "r-4", "r-3", "r-2", "r-1", "r-0"]
    assert [len(page) for page in pages] == [*[most] * ((7 - 1) // most), 7 - most * ((7 - 1) // most)]


def test_what_is_written_while_somebody_pages_is_on_no_later_page(filled: Trail) -> None:
    for attribute, value in (("", ""), ("ResourceName", "bob")):
        with filled.database.read() as session:
            first, behind = lookup.page(session, wanted(attribute, value), most=1)
        filled.spool(made(f"late-{attribute}", at=NOW + timedelta(seconds=9), resources=json.dumps([user("bob")])))
        filled.seal()
        with filled.database.read() as session:
            rest, _ = lookup.page(session, wanted(attribute, value), behind=behind)
        assert not {record.id for record in rest} & {f"late-{attribute}", first[0].id}


INDEXES = {
    "": "ix_audit_records_account_id_at",
    "EventId": "pk_audit_records",
    "EventName": "ix_audit_records_account_id_event_name_at",
    "EventSource": "ix_audit_records_account_id_event_source_at",
    "ReadOnly": "ix_audit_records_account_id_at",
    "Username": "ix_audit_records_account_id_username_at",
    "AccessKeyId": "ix_audit_records_account_id_access_key_id_at",
    "ResourceName": "pk_trail_resources",
    "ResourceType": "ix_trail_resources_account_id_type_ordinal",
}


def test_an_index_leads_to_each_attribute(postgres_url: str, ring: Any) -> None:
    """Of 20,000 records, one in a thousand has the value."""
    with db.Database(postgres_url) as database:
        trail = Trail(database, ring)
        rows = []
        for number in range(20_000):
            name = f"n-{number % 1000}"
            columns: dict[str, Any] = {
                "username": name,
                "event_source": name,
                "access_key_id": name,
                "read_only": number % 50 != 0,
                "event_name": name,
            }
            resources = json.dumps([user(name) | {"type": name}])
            one = made(f"r-{number}", at=NOW - timedelta(seconds=number), resources=resources, **columns)
            rows.append({"count": 1, "spooled": number, "category": "Management", "identity": "{}", **one})
        with database.write(()) as session:
            session.execute(insert(AuditRecord), rows)
        trail.seal()
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
            for attribute, index in INDEXES.items():
                value = {"EventId": "r-7", "ReadOnly": "true"}.get(attribute, "n-7")
                query = lookup.by_resource if attribute.startswith("Resource") else lookup.by_column
                asked = query(wanted(attribute, value, begins=-5000, ends=0)).limit(51)
                compiled = asked.compile(dialect=database.engine.dialect, compile_kwargs={"literal_binds": True})
                plan = "\n".join(connection.execute(text(f"EXPLAIN {str(compiled).replace(':', chr(92) + ':')}")).scalars())
                assert index in plan, f"{attribute}: {plan}"
                assert "Seq Scan" not in plan, f"{attribute}: {plan}"

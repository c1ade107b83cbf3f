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
    "EventId": "pk_audit_records",
    "EventName": "ix_audit_records_account_id_event_name_at",
    "EventSource": "ix_audit_records_account_id_event_source_at",
    "ReadOnly": "ix_audit_records_account_id_read_only_at",
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
                value = {"EventId": "r-7", "ReadOnly": "false"}.get(attribute, "n-7")
                query = lookup.by_resource if attribute.startswith("Resource") else lookup.by_column
                asked = query(wanted(attribute, value, begins=-5000, ends=0)).limit(51)
                compiled = asked.compile(dialect=database.engine.dialect, compile_kwargs={"literal_binds": True})
                plan = "\n".join(connection.execute(text(f"EXPLAIN {str(compiled).replace(':', chr(92) + ':')}")).scalars())
                assert index in plan, f"{attribute}: {plan}"
                assert "Seq Scan" not in plan, f"{attribute}: {plan}"


def flooded(trail: Trail, count: int) -> None:
    """Three writes of an account, below so many newer reads and as many data events."""
    rows = []
    for number in range(count):
        at = NOW + timedelta(milliseconds=number)
        rows.append(made(f"read-{number}", at=at, read_only=True, event_name="GetUser") | {"category": "Management"})
        rows.append(made(f"data-{number}", at=at, event_name="Ship") | {"category": "Data"})
    rows += [made(f"write-{number}", at=NOW - timedelta(seconds=number + 1)) | {"category": "Management"} for number in range(3)]
    with trail.database.write(()) as session:
        session.execute(insert(AuditRecord), [{"count": 1, "spooled": number, **row} for number, row in enumerate(rows)])
    if not trail.database.sqlite:
        with trail.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE audit_records"))


@pytest.mark.parametrize(("attribute", "value", "ids"), [("ReadOnly", "false", ["write-0", "write-1", "write-2"]), ("", "", None)])
def test_reads_and_data_events_hide_no_writes(trail: Trail, attribute: str, value: str, ids: list[str] | None) -> None:
    """As many rows are looked at as there are on the page, however many others there are."""
    flooded(trail, 3000)
    asked = wanted(attribute, value)
    with trail.database.read() as session:
        records, _ = lookup.page(session, asked, most=50)
    if ids is not None:
        assert [record.id for record in records] == ids
    assert {record.category for record in records} == {"Management"}
    halves = ("false",) if attribute else ("true", "false")
    for half in halves:
        query = lookup.by_column(wanted("ReadOnly", half)).limit(51)
        compiled = str(query.compile(dialect=trail.database.engine.dialect, compile_kwargs={"literal_binds": True})).replace(":", "\\:")
        with trail.database.read() as session:
            if trail.database.sqlite:
                plan = " ".join(row[-1] for row in session.execute(text(f"EXPLAIN QUERY PLAN {compiled}")))
                assert "USING INDEX ix_audit_records_account_id_read_only_at (account_id=? AND read_only=? AND at>? AND at<?)" in plan
            else:
                (shown,) = session.scalars(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled}"))
                plan = json.dumps(shown)
                assert "ix_audit_records_account_id_read_only_at" in plan
                assert looked_at(shown[0]["Plan"]) <= 60, plan


def looked_at(node: dict[str, Any]) -> float:
    """Rows that a plan has taken out of a table or an index, those included that it did not want."""
    removed = sum(value for key, value in node.items() if key.startswith("Rows Removed"))
    below = node.get("Plans", [])
    own = removed if below else removed + node["Actual Rows"]
    return float(own + sum(map(looked_at, below)))

"""Queries: asked, answered, paged, cancelled, forgotten; and nobody's records but one's own."""

import json
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import OperationalError

from sekisho import sigv4
from sekisho.errors import SekishoError, ServiceUnavailable
from sekisho.journal.trail import events, selectors
from sekisho.journal.trail.lake import asking, scopes, statements
from sekisho.journal.trail.lake.asking import Asking
from sekisho.services.cloudtrail import quotas
from sekisho.store.db import Database
from sekisho.store.tables import AuditRecord, EventDataStore, EventQuery
from tests import clock, sqlite
from tests.harness import House
from tests.journal.trail.test_selectors import ADVANCED, ORDER
from tests.services.cloudtrail.conftest import Failing
from tests.services.organizations.tree import Organization

PATIENCE = 300
"""Seconds until a test gives up: a busy machine may have a thread wait for its turn."""

MANAGEMENT = {"field": "eventCategory", "equals": ["Management"]}


def store(house: House, name: str = "all", _as: sigv4.Credentials | None = None, **fields: Any) -> str:
    """The id of a new store."""
    made: str = house.call("CreateEventDataStore", _as=_as, name=name, **fields).event_data_store_arn
    return made.rpartition("/")[2]


def over(house: House, id_: str, _as: sigv4.Credentials | None = None) -> Any:
    """The answer about a query once it is over."""
    end = time.monotonic() + PATIENCE
    while (shown := house.call("GetQueryResults", _as=_as, query_id=id_)).query_status in ("QUEUED", "RUNNING"):
        assert time.monotonic() < end, f"after {PATIENCE} s the query is {shown.query_status} still"
        time.sleep(0.05)
    return shown


def ask(house: House, statement: str, *parameters: str, _as: sigv4.Credentials | None = None) -> list[list[tuple[str, str]]]:
    """The rows that a query finds."""
    id_ = house.call("StartQuery", _as=_as, query_statement=statement, query_parameters=parameters).query_id
    found = over(house, id_, _as)
    assert (found.query_status, found.error_message) == ("FINISHED", "")
    return [[next(iter(each.column.items())) for each in row.columns] for row in found.query_result_rows]


def test_a_query_finds_the_accounts_own_writes(house: House) -> None:
    id_ = store(house)
    for name in ("carol", "alice", "bob"):
        house.call("CreateUser", user_name=name)
    statement = f"SELECT requestParameters.userName AS who, readOnly FROM {id_} WHERE eventName = 'CreateUser' ORDER BY who"
    assert ask(house, statement) == [[("who", name), ("readOnly", "false")] for name in ("alice", "bob", "carol")]
    root = f"arn:aws:iam::{house.account_id}:root"
    counted = f"SELECT userIdentity.arn AS who, count(*) AS n FROM {id_} WHERE eventName = ? GROUP BY who HAVING count(*) > 2"
    assert ask(house, counted, "CreateUser") == [[("who", root), ("n", "3")]]
    years = "SELECT date_trunc('year', eventTime) AS y, count(DISTINCT requestParameters.userName) AS n"
    (row,) = ask(house, f"{years} FROM {id_} WHERE eventName LIKE 'CreateU%' GROUP BY 1")
    assert (row[0][1][4:], row[1]) == ("-01-01 00:00:00", ("n", "3"))
    everything = ask(house, f"SELECT * FROM {id_} WHERE requestParameters.userName = 'bob'")
    assert dict(everything[0])["eventSource"] == "iam.amazonaws.com"
    assert dict(everything[0])["recipientAccountId"] == house.account_id
    assert dict(everything[0])["managementEvent"] == "true"


def test_a_store_has_nothing_from_before_it_was_made_or_while_it_was_stopped(house: House) -> None:
    house.call("CreateUser", user_name="before")
    id_ = store(house)
    house.call("CreateUser", user_name="one")
    house.call("StopEventDataStoreIngestion", event_data_store=id_)
    house.call("CreateUser", user_name="between")
    house.call("StartEventDataStoreIngestion", event_data_store=id_)
    house.call("CreateUser", user_name="two")
    statement = f"SELECT requestParameters.userName AS u FROM {id_} WHERE eventName = 'CreateUser' ORDER BY eventTime"
    assert [row[0][1] for row in ask(house, statement)] == ["one", "two"]


def test_selectors_hold_whatever_a_query_says(house: House) -> None:
    fields = [MANAGEMENT, {"field": "eventName", "starts_with": ["CreateG"], "equals": ["DeleteUser"]}]
    id_ = store(house, advanced_event_selectors=[{"field_selectors": fields}])
    house.call("CreateUser", user_name="u")
    house.call("CreateGroup", group_name="g")
    house.call("DeleteUser", user_name="u")
    statement = f"SELECT eventName FROM {id_} WHERE eventName = 'CreateUser' OR true ORDER BY eventName"
    assert [row[0][1] for row in ask(house, statement)] == ["CreateGroup", "DeleteUser"]


def test_the_database_selects_what_the_selectors_select(house: House) -> None:
    """Every advanced selector of the table of `selectors`, as a condition of the database."""
    common: dict[str, Any] = {"account_id": house.account_id, "event_source": "shop.example.com", "principal_id": "", "principal_arn": ""}
    common |= {"access_key_id": "", "source_ip": "", "user_agent": "", "request": "{}", "response": "{}"}
    store(house, "beginning")
    shown = {
        "write": {"event_name": "CreateUser", "read_only": False, "identity": '{"arn":"arn:aws:iam::1:user/alice"}'},
        "read": {"event_name": "ListUsers", "read_only": True},
        "kms": {"event_name": "Decrypt", "read_only": False, "event_source": "kms.amazonaws.com"},
        "failed": {"event_name": "CreateUser", "read_only": False, "error_code": "AccessDenied"},
        "order": {
            "event_name": "Ship",
            "read_only": False,
            "category": "Data",
            "resources": json.dumps(ORDER["resources"]),
        },
        "bare": {"event_name": "Ping", "read_only": True, "category": "Data"},
    }
    with house.node.database.write((house.account_id,)) as session:
        rows = [AuditRecord(id=f"{name}-{house.account_id}", at=clock.now(), **{**common, **values}) for name, values in shown.items()]
        session.add_all(rows)
    names = {row.id: row for row in rows}
    with house.node.database.write((house.account_id,)) as session:  # as they are with the defaults of the database
        names = {row.id: row for row in session.scalars(select(AuditRecord).where(AuditRecord.id.in_(list(names))))}
    checked = 0
    with house.node.database.read() as session:
        made = session.scalars(select(EventDataStore).where(EventDataStore.account_id == house.account_id)).one()
        session.expunge(made)
        for case, (given, _) in ADVANCED.items():
            made.advanced_event_selectors = json.dumps([{"FieldSelectors": fields} for fields in given])
            parsed = selectors.parsed(None, made.advanced_event_selectors)
            expected = {id_ for id_, row in names.items() if selectors.selected(parsed, events.event(row))}
            scope = scopes.scope(made, clock.now() + timedelta(minutes=1), sqlite=house.node.database.sqlite)
            found = set(session.scalars(select(scope.c.id).where(scope.c.id.in_(list(names)))))
            assert (case, found) == (case, expected)
            checked += bool(expected)
    assert checked > 15


def test_results_are_paged(house: House, failing: Failing) -> None:
    id_ = store(house)
    for number in range(7):
        house.call("CreateUser", user_name=f"user-{number}")
    statement = f"SELECT requestParameters.userName AS u FROM {id_} WHERE eventName = 'CreateUser' ORDER BY u"
    query = house.call("StartQuery", query_statement=statement).query_id
    whole = over(house, query)
    assert (whole.query_statistics.results_count, whole.query_statistics.total_results_count) == (7, 7)
    assert not whole.HasField("next_token")
    seen, token = [], None
    while True:
        page = house.call("GetQueryResults", query_id=query, max_query_results=3, next_token=token)
        seen.append([row.columns[0].column["u"] for row in page.query_result_rows])
        if not page.HasField("next_token"):
            break
        token = page.next_token
    assert seen == [["user-0", "user-1", "user-2"], ["user-3", "user-4", "user-5"], ["user-6"]]
    assert failing("GetQueryResults", query_id=query, next_token="AAAA") == "InvalidNextToken"
    described = house.call("DescribeQuery", query_id=query)
    assert (described.query_string, described.query_status, described.query_statistics.events_matched) == (statement, "FINISHED", 7)
    assert described.query_statistics.events_scanned >= 7


def test_statements_that_are_not_understood_are_refused_at_once(house: House, failing: Failing) -> None:
    id_ = store(house)
    for statement in (
        "SELECT secret FROM access_keys",
        f"SELECT pg_sleep(9) FROM {id_}",
        f"SELECT eventName FROM {id_} UNION SELECT id FROM accounts",
    ):
        assert failing("StartQuery", query_statement=statement) == "InvalidQueryStatement"
    assert failing("StartQuery") == "InvalidParameter"
    deliver = {"delivery_s3_uri": "s3://bucket/prefix"}
    assert failing("StartQuery", query_statement=f"SELECT eventName FROM {id_}", **deliver) == "UnsupportedOperation"
    nothing = "01234567-89ab-cdef-0123-456789abcdef"
    assert failing("StartQuery", query_statement=f"SELECT eventName FROM {nothing}") == "EventDataStoreNotFound"
    assert list(house.call("ListQueries", event_data_store=id_).queries) == []


def waiting(house: House, id_: str, **values: Any) -> str:
    """A query in the database that nobody asks, since it seems under way."""
    number = f"{time.monotonic_ns():032x}"
    query = f"{number[:8]}-{number[8:12]}-{number[12:16]}-{number[16:20]}-{number[20:]}"
    known: dict[str, Any] = {
        "statement": "SELECT 1",
        "parameters": "[]",
        "status": "RUNNING",
        "created_at": clock.now(),
        "started_at": clock.now(),
    }
    with house.node.database.write((house.account_id,)) as session:
        session.add(EventQuery(id=query, account_id=house.account_id, store_id=id_, **{**known, **values}))
    return query


def test_an_account_has_so_many_queries_under_way_and_cancels_them(house: House, failing: Failing) -> None:
    id_ = store(house)
    queries = [waiting(house, id_) for _ in range(quotas.QUERIES)]
    statement = f"SELECT eventName FROM {id_}"
    assert failing("StartQuery", query_statement=statement) == "MaxConcurrentQueries"
    cancelled = house.call("CancelQuery", query_id=queries[0])
    assert (cancelled.query_status, house.call("DescribeQuery", query_id=queries[0]).query_status) == ("CANCELLED", "CANCELLED")
    assert failing("CancelQuery", query_id=queries[0]) == "InactiveQuery"
    found = house.call("ListQueries", event_data_store=id_, query_status="RUNNING").queries
    assert {query.query_id for query in found} == set(queries[1:])
    assert ask(house, statement + " LIMIT 0") == []


def test_what_is_too_large_or_takes_too_long_ends_with_a_word_on_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    id_ = store(house)
    for number in range(3):
        house.call("CreateUser", user_name=f"user-{number}")
    statement = f"SELECT eventName FROM {id_}"
    with monkeypatch.context() as patch:
        patch.setattr(statements, "MOST_ROWS", 2)
        found = over(house, house.call("StartQuery", query_statement=statement).query_id)
    assert (found.query_status, found.error_message) == ("FAILED", asking.TOO_MANY_ROWS)
    with monkeypatch.context() as patch:
        patch.setattr(asking, "MOST_BYTES", 10)
        found = over(house, house.call("StartQuery", query_statement=statement).query_id)
    assert (found.query_status, found.error_message, len(found.query_result_rows)) == ("FAILED", asking.TOO_LARGE, 0)
    impatient = Asking(house.node.database, longest=0.0)
    query = EventQuery(id="q", account_id=house.account_id, store_id=id_, statement=statement, parameters="[]")
    found = impatient._asked(query, clock.now())
    impatient.close()
    assert (found.status, found.error) == ("TIMED_OUT", "The query took longer than 0 seconds.")


@pytest.mark.parametrize(
    ("longest", "status", "said"),
    [(3600.0, "FAILED", "The database could not answer the query."), (0.0, "TIMED_OUT", "The query took longer than 0 seconds.")],
)
def test_a_database_that_does_not_answer_has_failed_or_taken_too_long(
    house: House, monkeypatch: pytest.MonkeyPatch, longest: float, status: str, said: str
) -> None:
    asked = Asking(house.node.database, longest=longest)
    monkeypatch.setattr(asked._reads, "read", mock.Mock(side_effect=ServiceUnavailable("The database cannot be reached.")))
    found = asked._asked(EventQuery(id="q", account_id=house.account_id, store_id="s", statement="", parameters="[]"), clock.now())
    monkeypatch.undo()
    asked.close()
    assert (found.status, found.error) == (status, said)


def test_a_query_of_sqlite_is_broken_off_at_its_deadline(tmp_path: Path) -> None:
    """One that would never end by itself."""
    endless = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
    with (
        Database(sqlite.migrated(tmp_path / "sekisho.db")) as database,
        pytest.raises(SekishoError),
        database.read() as session,
        asking._bounded(session, time.monotonic()),
    ):
        session.execute(endless).all()


def test_sqlite_looks_at_the_clock_between_a_few_long_steps(tmp_path: Path) -> None:
    """One call of a function may take 30 ms: thousands of them between two looks took minutes."""
    calls: list[int] = []
    many = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9999) SELECT sum(long(i)) FROM n")
    with (
        Database(sqlite.migrated(tmp_path / "sekisho.db")) as database,
        database.read() as session,
        asking._bounded(session, time.monotonic()),
    ):
        driver: Any = session.connection().connection.driver_connection
        driver.create_function("long", 1, calls.append)
        with pytest.raises(OperationalError):
            session.execute(many)
    assert len(calls) < 100


def test_rows_come_a_few_at_a_time_and_are_sorted_in_files(house: House) -> None:
    """However wide a query makes its rows, a worker holds ten of them, and its sorter what fits the cache."""
    id_ = store(house)
    taken: list[Any] = []
    reads = Asking(house.node.database)
    event.listen(reads._reads.engine, "before_cursor_execute", lambda *given: taken.append(given[1]))
    statement = f"SELECT eventName FROM {id_} ORDER BY eventName"
    query = EventQuery(id="q", account_id=house.account_id, store_id=id_, statement=statement, parameters="[]")
    assert reads._asked(query, clock.now()).status == "FINISHED"
    if house.node.database.sqlite:
        with reads._reads.read() as session:
            assert session.execute(text("PRAGMA temp_store")).scalar_one() == 1  # FILE
    else:
        assert [isinstance(cursor, psycopg.ServerCursor) for cursor in taken] == [False, True, False]
    reads.close()


class _Undone(Exception):
    """Has a transaction roll back."""


def test_accounts_take_turns(house: House) -> None:
    """One process asks one query at a time: those of an account that always has some waiting do not come before another's first."""
    other = house.call("GetCallerIdentity", _as=house.account()).account
    asked = Asking(house.node.database)
    row = {"store_id": "s", "statement": "SELECT 1", "parameters": "[]", "status": "QUEUED"}
    order = []
    with suppress(_Undone), house.node.database.write((house.account_id, other)) as session:
        for number, account in enumerate((house.account_id, house.account_id, house.account_id, other)):
            at = clock.now() + timedelta(seconds=number)
            session.add(EventQuery(id=f"{house.account_id}-{number}", account_id=account, created_at=at, **row))
        session.flush()
        for _ in range(4):
            query = asked._next(session)
            assert query is not None
            order.append(query.id[-1])
            asked._turns[query.account_id] = time.monotonic()
            query.status = "FINISHED"
            session.flush()
        assert asked._next(session) is None
        raise _Undone
    asked.close()
    assert order == ["0", "3", "1", "2"]


def test_an_account_keeps_so_many_queries_the_newest(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_KEPT", 3)
    monkeypatch.setattr(asking, "_FORGOTTEN", 2)
    id_, now = store(house), clock.now()
    over = [waiting(house, id_, status="CANCELLED", created_at=now - timedelta(minutes=number)) for number in range(8)]
    queued = [waiting(house, id_, created_at=now - timedelta(hours=number)) for number in range(2)]
    purging = Asking(house.node.database)
    purging.purge(now)
    purging.close()
    with house.node.database.read() as session:
        assert set(session.scalars(select(EventQuery.id).where(EventQuery.account_id == house.account_id))) == {*over[:3], *queued}


def test_queries_are_forgotten_after_a_week_and_ended_when_abandoned(house: House, failing: Failing) -> None:
    id_ = store(house)
    old = waiting(house, id_, status="FINISHED", created_at=clock.now() - timedelta(days=7, seconds=1))
    kept = waiting(house, id_, status="FINISHED")
    abandoned = waiting(house, id_, started_at=clock.now() - timedelta(minutes=5))
    assert failing("DescribeQuery", query_id=old) == "QueryIdNotFound"
    purging = Asking(house.node.database)
    purging.purge(clock.now())
    purging.close()
    with house.node.database.read() as session:
        found = {row.id: row.status for row in session.scalars(select(EventQuery).where(EventQuery.account_id == house.account_id))}
    assert found == {kept: "FINISHED", abandoned: "TIMED_OUT"}


def test_no_account_sees_anothers_stores_queries_or_records(house: House, failing: Failing) -> None:
    id_ = store(house)
    house.call("CreateUser", user_name="secret-user")
    statement = f"SELECT requestParameters.userName AS u FROM {id_}"
    query = house.call("StartQuery", query_statement=statement).query_id
    over(house, query)
    stranger = house.account()
    assert failing("StartQuery", _as=stranger, query_statement=statement) == "EventDataStoreNotFound"
    for name in ("DescribeQuery", "GetQueryResults", "CancelQuery"):
        assert failing(name, _as=stranger, query_id=query) == "QueryIdNotFound"
    theirs = store(house, "all", stranger)
    shown = f"SELECT requestParameters.userName AS u, recipientAccountId AS a FROM {theirs}"
    everything = f"{shown} WHERE true OR recipientAccountId = '{house.account_id}'"
    found = ask(house, everything, _as=stranger)
    assert found
    assert all("secret-user" not in str(row) and house.account_id not in str(row) for row in found)
    token = house.call("GetQueryResults", query_id=query, max_query_results=1).next_token
    mine = house.call("StartQuery", _as=stranger, query_statement=everything).query_id
    over(house, mine, stranger)
    with pytest.raises(SekishoError) as caught:
        house.call("GetQueryResults", _as=stranger, query_id=mine, max_query_results=1, next_token=token)
    assert caught.value.code == "InvalidNextToken"
    assert [each.query_id for each in house.call("ListQueries", _as=stranger, event_data_store=theirs).queries].count(query) == 0


def test_an_organizations_store_has_its_members_records_since_they_joined(house: House, org: Organization, failing: Failing) -> None:
    id_ = store(house, organization_enabled=True)
    stranger = house.account()
    house.call("CreateUser", _as=stranger, user_name="before")
    account, keys = house.call("GetCallerIdentity", _as=stranger).account, stranger
    asked = org("InviteAccountToOrganization", target={"id": account, "type": "ACCOUNT"}).handshake
    org("AcceptHandshake", keys, handshake_id=asked.id)
    house.call("CreateUser", _as=keys, user_name="member")
    house.call("CreateUser", _as=house.account(), user_name="outsider")
    statement = f"SELECT requestParameters.userName AS u FROM {id_} WHERE eventName = 'CreateUser' AND recipientAccountId = '{account}'"
    assert ask(house, statement) == [[("u", "member")]]
    assert ask(house, f"SELECT eventID FROM {id_} WHERE requestParameters.userName = 'outsider'") == []
    assert failing("StartQuery", _as=keys, query_statement=statement) == "EventDataStoreNotFound"
    house.call("RegisterOrganizationDelegatedAdmin", member_account_id=account)
    assert ask(house, statement, _as=keys) == [[("u", "member")]]
    others = house.call("StartQuery", query_statement=statement).query_id
    over(house, others)
    for name in ("DescribeQuery", "GetQueryResults", "CancelQuery"):  # they see the store, and each asked for itself
        assert failing(name, _as=keys, query_id=others) == "QueryIdNotFound"
    house.call("DeregisterOrganizationDelegatedAdmin", delegated_admin_account_id=account)
    org("RemoveAccountFromOrganization", account_id=account)
    assert ask(house, statement) == []


def test_policies_name_the_store_that_a_statement_asks(house: House, failing: Failing) -> None:
    mine, other = store(house), store(house, "other")
    arn = f"arn:aws:cloudtrail:us-east-1:{house.account_id}:eventdatastore/{mine}"
    alice = house.user("alice", f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"cloudtrail:*","Resource":"{arn}"}}]}}')
    query = house.call("StartQuery", _as=alice, query_statement=f"SELECT eventName FROM {mine} LIMIT 1").query_id
    over(house, query, alice)
    assert failing("StartQuery", _as=alice, query_statement=f"SELECT eventName FROM {other} LIMIT 1") == "AccessDenied"
    assert failing("StartQuery", _as=alice, query_statement="SELECT nonsense") == "AccessDenied"
    hidden = house.call("StartQuery", query_statement=f"SELECT eventName FROM {other} LIMIT 1").query_id
    assert failing("GetQueryResults", _as=alice, query_id=hidden) == "AccessDenied"

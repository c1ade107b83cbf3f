"""Queries hold nobody up who need not wait: neither for a count, nor for a statement that is read."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from sekisho.journal.trail.lake import asking, statements
from sekisho.journal.trail.lake.asking import Asking
from sekisho.store.db import Database
from sekisho.store.tables import AuditRecord
from tests.harness import House
from tests.services.cloudtrail.test_queries import over, store


def test_what_a_query_has_found_waits_for_no_count_of_all(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are counted up to a number, and not at all where the time is over: the rows are there already."""
    id_ = store(house)
    for name in ("ann", "bob", "carol"):
        house.call("CreateUser", user_name=name)
    statement = f"SELECT eventName FROM {id_} WHERE eventName = 'CreateUser' LIMIT 1"

    def scanned() -> int:
        query = house.call("StartQuery", query_statement=statement).query_id
        assert over(house, query).query_status == "FINISHED"
        count: int = house.call("DescribeQuery", query_id=query).query_statistics.events_scanned
        return count

    assert scanned() >= 3
    monkeypatch.setattr(asking, "MOST_SCANNED", 2)
    assert scanned() == 2

    class Late:
        def scalar(self, _: object) -> int:
            raise OperationalError("SELECT", {}, sqlite3.OperationalError("interrupted"))

    scope: Any = select(AuditRecord).subquery()
    assert Asking(house.node.database)._scanned(Late(), scope) == 0  # type: ignore[arg-type]  # it asks once


def test_a_statement_is_read_while_nobody_waits(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """In no transaction that writes: those of an account wait for each other."""
    writing: set[int] = set()
    read: list[bool] = []
    original, parsed = Database.write, statements.read

    @contextmanager
    def write(self: Database, *given: Any, **named: Any) -> Iterator[Any]:
        with original(self, *given, **named) as session:
            writing.add(threading.get_ident())
            try:
                yield session
            finally:
                writing.discard(threading.get_ident())

    def noted(text: str, parameters: Any) -> Any:
        read.append(threading.get_ident() in writing)
        return parsed(text, parameters)

    id_ = store(house)
    monkeypatch.setattr(Database, "write", write)
    monkeypatch.setattr(statements, "read", noted)
    query = house.call("StartQuery", query_statement=f"SELECT eventName FROM {id_}").query_id
    assert over(house, query).query_status == "FINISHED"
    assert True not in read
    assert len(read) >= 2

"""A write that met another is tried once more, from the beginning, and no third time."""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sekisho.errors import SekishoError
from sekisho.journal.spool import Entry
from sekisho.store.db import WriteConflict
from sekisho.store.tables import AccountAlias, AuditRecord, Change, Revision, User
from tests import harness
from tests.harness import House, house
from tests.services.iam.documents import allow


@pytest.fixture
def made(database_url: str, tmp_path: Path) -> Iterator[House]:
    with house(database_url, tmp_path) as one:
        yield one


def replaced(patched: pytest.MonkeyPatch, name: str, function: Callable[[Any, Any], Any]) -> None:
    """Have an operation answered by another function."""
    patched.setitem(harness.BY_NAME, name, dataclasses.replace(harness.BY_NAME[name], function=function))


class Conflicting:
    """CreateUser whose first tries, having made their user, are told that another write took it."""

    def __init__(self, patched: pytest.MonkeyPatch, *, conflicts: int) -> None:
        self._create = harness.BY_NAME["CreateUser"].function
        self._conflicts = conflicts
        self.tries = 0
        replaced(patched, "CreateUser", self.run)

    def run(self, call: Any, request: Any) -> Any:
        self.tries += 1
        message = self._create(call, request)
        call.session.flush()
        if self.tries <= self._conflicts:
            raise WriteConflict("Another write took it. Nothing was written.")
        return message


def counted(made: House) -> dict[str, int]:
    """The rows that a write leaves."""
    with made.node.database.read() as session:
        audited = Counter(session.scalars(select(AuditRecord.event_name)))
        return {
            "users": session.scalar(select(func.count()).select_from(User)) or 0,
            "revisions": session.scalar(select(func.count()).select_from(Revision)) or 0,
            "changes": session.scalar(select(func.count()).select_from(Change).where(Change.id.not_like("@%"))) or 0,
            "records": audited["CreateUser"],
        }


def gained(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {name: after[name] - before[name] for name in after}


def test_a_write_that_met_another_is_tried_once_more_and_written_once(made: House, monkeypatch: pytest.MonkeyPatch) -> None:
    before = counted(made)
    conflicting = Conflicting(monkeypatch, conflicts=1)
    assert made.call("CreateUser", user_name="ann").user.user_name == "ann"
    assert conflicting.tries == 2
    assert gained(before, counted(made)) == {"users": 1, "revisions": 1, "changes": 1, "records": 1}
    assert made.call("GetUser", user_name="ann").user.user_name == "ann"


def test_a_write_that_meets_another_twice_fails_and_leaves_nothing(made: House, monkeypatch: pytest.MonkeyPatch) -> None:
    before = counted(made)
    conflicting = Conflicting(monkeypatch, conflicts=9)
    spooled: list[Entry] = []
    monkeypatch.setattr(made.node.spool, "add", spooled.append)
    with pytest.raises(WriteConflict):
        made.call("CreateUser", user_name="ann")
    assert conflicting.tries == 2
    assert gained(before, counted(made)) == {"users": 0, "revisions": 0, "changes": 0, "records": 0}
    assert [json.loads(entry.body)["error_code"] for entry in spooled] == ["WriteConflict"]


def test_the_second_try_asks_again_whether_the_caller_is_permitted(made: House, monkeypatch: pytest.MonkeyPatch) -> None:
    clerk = made.user("clerk", allow("iam:CreateUser"))
    before = counted(made)
    conflicting = Conflicting(monkeypatch, conflicts=1)
    write = made.node.database.write
    begun = []

    def between(accounts: Any, **options: Any) -> AbstractContextManager[Session]:
        begun.append(accounts)
        if len(begun) == 2:
            made.call("DeleteUserPolicy", user_name="clerk", policy_name="inline-0")
        return write(accounts, **options)

    monkeypatch.setattr(made.node.database, "write", between)
    with pytest.raises(SekishoError) as caught:
        made.call("CreateUser", _as=clerk, user_name="ann")
    assert caught.value.code == "AccessDenied"
    assert conflicting.tries == 1
    assert counted(made)["users"] == before["users"]


def test_who_loses_a_race_for_a_name_hears_that_it_is_taken(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two accounts only: writes of one account wait for each other; on SQLite, all do."""
    with house(postgres_url, tmp_path) as made:
        other = made.account()
        create = harness.BY_NAME["CreateAccountAlias"].function
        tries = []

        def late(call: Any, request: Any) -> Any:
            tries.append(request.account_alias)
            message = create(call, request)
            if tries == ["harbour"]:
                made.call("CreateAccountAlias", _as=other, account_alias="harbour")
            return message

        replaced(monkeypatch, "CreateAccountAlias", late)
        with pytest.raises(SekishoError) as caught:
            made.call("CreateAccountAlias", account_alias="harbour")
        assert (caught.value.code, caught.value.message) == ("EntityAlreadyExists", "The account alias harbour already exists.")
        assert tries == ["harbour"] * 3
        with made.node.database.read() as session:
            assert session.scalar(select(AccountAlias.account_id)) != made.account_id


def test_what_is_no_conflict_is_not_tried_again(made: House, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def failing(call: Any, request: Any) -> Any:
        tries.append(request.user_name)
        raise ValueError("a fault of ours")

    replaced(monkeypatch, "CreateUser", failing)
    with pytest.raises(SekishoError) as caught:
        made.call("CreateUser", user_name="ann")
    assert (caught.value.code, tries) == ("ServiceFailure", ["ann"])

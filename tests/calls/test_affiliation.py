"""The organization of the caller's account, and that a write has it for itself from before it reads it."""

from typing import Any

import pytest
from sqlalchemy import update

from sekisho.calls import affiliation
from sekisho.store import db
from sekisho.store.tables import Member, Organization
from tests.calls.fakes import ACCOUNT, NOW, OTHER, FakeNode

TABLES = (Organization, Member)


class Affairs:
    """Two organizations, and the locks that are taken; a test says what happens while one is waited for."""

    def __init__(self, session: db.Transaction, patched: pytest.MonkeyPatch) -> None:
        self.session, self.locked = session, list[str]()
        self.meanwhile: Any = None
        for id_, account in (("o-1", "000011112222"), ("o-2", OTHER)):
            session.add(Organization(id=id_, management_account_id=account, root_id=f"r-{id_}", feature_set="ALL", created_at=NOW))
            session.add(self.member(account, id_))
        session.flush()
        patched.setattr(db, "lock", self._lock)

    def _lock(self, session: Any, name: str) -> None:
        assert session is self.session
        self.locked.append(name)
        if self.meanwhile is not None:
            self.meanwhile()

    @staticmethod
    def member(account: str, organization: str) -> Member:
        return Member(account_id=account, organization_id=organization, unit_id="r-1", joined_method="INVITED", joined_at=NOW)

    def join(self, organization: str = "o-1") -> None:
        self.session.add(self.member(ACCOUNT, organization))
        self.session.flush()

    def call(self, name: str) -> Any:
        return FakeNode().call(name, database_session=self.session)


@pytest.fixture
def affairs(session: db.Transaction, monkeypatch: pytest.MonkeyPatch) -> Affairs:
    return Affairs(session, monkeypatch)


@pytest.mark.parametrize("name", ["GetUser", "CreateUser"])
def test_an_account_outside_of_any_has_none(affairs: Affairs, name: str) -> None:
    assert affiliation.get(affairs.call(name)) is None
    assert affiliation.get_alone(affairs.call(name)) is None
    assert affairs.locked == []


@pytest.mark.parametrize(("name", "locked"), [("GetUser", []), ("CreateUser", ["organization:o-1"])])
def test_a_write_has_its_organization_for_itself(affairs: Affairs, name: str, locked: list[str]) -> None:
    affairs.join()
    for found in (affiliation.get(affairs.call(name)), affiliation.get_alone(affairs.call(name))):
        assert found is not None
        assert found.id == "o-1"
    assert affairs.locked == locked


@pytest.mark.parametrize(("name", "seen"), [("GetUser", "ALL"), ("CreateUser", "CONSOLIDATED_BILLING")])
def test_a_write_sees_what_changed_before_it_was_alone(affairs: Affairs, name: str, seen: str) -> None:
    affairs.join()
    call = affairs.call(name)
    first = affiliation.get(call)
    assert first is not None
    change = update(Organization).where(Organization.id == "o-1").values(feature_set="CONSOLIDATED_BILLING")
    affairs.session.connection().execute(change)  # past the session, as another would
    for again in (affiliation.get(call), affiliation.get_alone(call)):
        assert again is first
    assert first.feature_set == seen


def test_an_account_that_has_moved_meanwhile_has_none_that_it_is_alone_in(affairs: Affairs) -> None:
    affairs.join()
    moved = update(Member).where(Member.account_id == ACCOUNT).values(organization_id="o-2")
    affairs.meanwhile = lambda: affairs.session.connection().execute(moved)
    assert affiliation.get_alone(affairs.call("CreateUser")) is None
    assert affairs.locked == ["organization:o-1"]


def test_an_account_that_has_left_meanwhile_has_none(affairs: Affairs) -> None:
    affairs.join()
    left = Member.__table__.delete().where(Member.account_id == ACCOUNT)  # type: ignore[attr-defined]
    affairs.meanwhile = lambda: affairs.session.connection().execute(left)
    assert affiliation.get_alone(affairs.call("CreateUser")) is None


def test_an_organization_is_locked_by_its_id(affairs: Affairs) -> None:
    affiliation.lock(affairs.call("CreateUser"), "o-9")
    assert affairs.locked == ["organization:o-9"]

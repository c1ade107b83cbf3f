"""Looks at all principals of a zone: what is not known in time, or cannot be put together, is told, and nothing is asked twice."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sekisho.analysis.inside import Case
from sekisho.analysis.solver import Answer, Verdict
from sekisho.errors import Throttling
from sekisho.journal.analyzers.found import Found
from sekisho.journal.analyzers.sources import Source
from sekisho.journal.analyzers.zones import Trusted
from sekisho.memory import pages
from sekisho.node import insiders as node_insiders
from sekisho.node.insiders import Insiders
from sekisho.store import db
from sekisho.store.tables import Account, InlinePolicy, RegisteredResource, ResourceService, User
from sekisho.world import PrincipalRecord
from tests.journal.analyzers.estate import NOW, OWNER, role

ORDER = f"arn:aws:orders:us-east-1:{OWNER}:order/7"
SOURCE = Source(ORDER, ORDER, "AWS::Orders::Order", OWNER)
ZONE = Trusted(frozenset((OWNER,)), "", (), "hash")
READS = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"orders:Read","Resource":"*"}]}'
OFFICE = READS.replace('"Resource":"*"', '"Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}')


@pytest.fixture
def database(database_url: str) -> Iterator[db.Database]:
    """An account with a registered resource."""
    with db.Database(database_url) as made:
        with made.write((OWNER,)) as session:
            session.add(Account(id=OWNER, name="owner", created_at=NOW))
            session.flush()
            columns: dict[str, Any] = {"created_at": NOW, "updated_at": NOW}
            session.add(RegisteredResource(id=ORDER, account_id=OWNER, arn=ORDER, service="orders", type="order", **columns))
        yield made


def user(database: db.Database, name: str, document: str) -> str:
    id_ = f"AIDA{name.upper():A<17}"
    with database.write((OWNER,)) as session:
        session.add(User(id=id_, account_id=OWNER, name=name, name_key=name, path="/", created_at=NOW))
        session.flush()
        session.add(InlinePolicy(owner_id=id_, name="own", name_key="own", document=document))
    return id_


def never(_: Case) -> Verdict:
    raise AssertionError("the solver was asked")


def unhurried(database: db.Database, ask: node_insiders.Ask, *, longest: float = node_insiders.LONGEST) -> Insiders:
    """Those whose looks come to an end in their first turn, however slow the machine is."""
    return Insiders(database, ask, longest=longest, turn=600.0)


def told(found: tuple[Found, ...]) -> list[tuple[str, tuple[str, ...], str | None]]:
    return [(one.principal.get("AWS", "").rpartition("/")[2], one.actions, one.error) for one in found]


def test_who_is_plainly_permitted_takes_no_solver(database: db.Database) -> None:
    user(database, "ann", READS)
    user(database, "bob", READS.replace("orders", "carts"))
    assert told(unhurried(database, never).found([SOURCE], ZONE)[ORDER]) == [("ann", ("orders:Read",), None)]


def test_a_session_that_a_resources_policy_names_is_access_of_its_role(database: db.Database) -> None:
    document = READS.replace('"Action"', f'"Principal":{{"AWS":"arn:aws:sts::{OWNER}:assumed-role/role-7/bob"}},"Action"')
    with database.write((OWNER,)) as session:
        session.add_all((role(7, "{}"), role(8, "{}")))
        session.get_one(RegisteredResource, ORDER).policy = document
        session.add(ResourceService(account_id=OWNER, service="orders"))
    assert told(unhurried(database, never).found([SOURCE], ZONE)[ORDER]) == [("role-7", ("orders:Read",), None)]


def test_what_is_not_done_in_time_is_told(database: db.Database) -> None:
    user(database, "ann", READS)
    assert told(unhurried(database, never, longest=0.0).found([SOURCE], ZONE)[ORDER]) == [("", (), "INTERNAL_ERROR")]


def test_of_those_who_are_alike_one_is_asked_and_what_is_known_is_not_asked_again(database: db.Database) -> None:
    for name in ("ann", "bob", "cat"):
        user(database, name, OFFICE)
    asked: list[str] = []

    def ask(case: Case) -> Verdict:
        asked.append(case.principal.arn.rpartition("/")[2])
        return Verdict(Answer.NO)

    insiders = unhurried(database, ask)
    for _ in range(3):
        assert insiders.found([SOURCE], ZONE)[ORDER] == ()
    assert len(asked) == 1


@pytest.mark.parametrize("how", ["unknown", "busy"])
def test_what_the_solver_cannot_tell_is_a_finding_of_the_pair_and_asked_again(database: db.Database, how: str) -> None:
    user(database, "ann", OFFICE)
    asked: list[Case] = []

    def ask(case: Case) -> Verdict:
        asked.append(case)
        if how == "busy":
            raise Throttling("later")
        return Verdict(Answer.UNKNOWN)

    insiders = unhurried(database, ask)
    for _ in range(2):
        assert told(insiders.found([SOURCE], ZONE)[ORDER]) == [("ann", (), "INTERNAL_ERROR")]
    assert len(asked) == 2


def test_a_principal_whose_policies_cannot_be_loaded_is_a_finding(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    user(database, "ann", READS)
    load = pages.load_page

    def loaded(*arguments: Any) -> Any:
        records, last = load(*arguments)
        return [replace(one, policy_ids=("ANPAAAAAAAAAAAAAAAAAA",)) for one in records if isinstance(one, PrincipalRecord)], last

    monkeypatch.setattr(pages, "load_page", loaded)
    assert told(unhurried(database, never).found([SOURCE], ZONE)[ORDER]) == [("ann", (), "INTERNAL_ERROR")]


def test_in_an_account_that_is_not_active_nobody_can_do_anything(database: db.Database) -> None:
    user(database, "ann", READS)
    with database.write((OWNER,)) as session:
        session.get_one(Account, OWNER).status = "SUSPENDED"
    assert unhurried(database, never).found([SOURCE], ZONE)[ORDER] == ()


def turns(insiders: Insiders, who: str = "analyzer-a", most: int = 500) -> tuple[int, tuple[Found, ...]]:
    """How many turns a look took until it had come to an end, and what it found."""
    for number in range(1, most + 1):
        found = insiders.found([SOURCE], ZONE, who)
        if found:
            return number, found[ORDER]
    raise AssertionError("it goes on")


def test_a_look_goes_on_where_it_stood_and_finds_the_same(database: db.Database) -> None:
    asked: list[str] = []

    def ask(case: Case) -> Verdict:
        asked.append(case.principal.arn.rpartition("/")[2])
        return Verdict(Answer.UNKNOWN)

    for name in ("ann", "bob", "cat"):
        user(database, name, OFFICE.replace('"*"', '"arn:aws:orders:*:*:order/*{aws:username}"').replace("{aws", "${aws"))
        user(database, f"{name}x", READS)
    at_once = told(unhurried(database, ask).found([SOURCE], ZONE)[ORDER])
    once, asked[:] = list(asked), []
    number, found = turns(Insiders(database, ask, turn=0.0))
    assert number > 6
    assert (told(found), asked) == (at_once, once)


def test_what_has_changed_is_looked_at_anew_and_each_analyzer_has_a_look_of_its_own(database: db.Database) -> None:
    for name in ("ann", "bob", "cat"):
        user(database, name, READS)
    insiders = Insiders(database, never, turn=0.0)
    for _ in range(3):
        assert insiders.found([SOURCE], ZONE, "analyzer-a") == {}
    user(database, "aaa", READS)
    insiders.forget(["arn:aws:orders:us-east-1:111122223333:order/8"])
    assert "aaa" not in {name for name, _, _ in told(turns(insiders)[1])}, "it had come past that"
    for _ in range(3):
        assert insiders.found([SOURCE], ZONE, "analyzer-a") == {}
    user(database, "aab", READS)
    insiders.forget([ORDER])
    assert {"aaa", "aab", "ann"} <= {name for name, _, _ in told(turns(insiders)[1])}
    assert insiders.found([SOURCE], ZONE, "analyzer-a") == {}
    other = replace(ZONE, accounts=frozenset(), hash="another zone")
    assert insiders.found([SOURCE], other, "analyzer-a") == {ORDER: ()}


def test_looks_that_go_on_are_so_many_and_the_abandoned_are_over(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ann", "bob"):
        user(database, name, READS)
    monkeypatch.setattr(node_insiders, "MOST_GOING", 2)
    insiders = Insiders(database, never, turn=0.0)
    for who in ("a", "b", "c"):
        assert insiders.found([SOURCE], ZONE, who) == {}
    assert sorted(insiders._going) == ["a", "b"]
    assert told(turns(insiders, "a")[1])
    assert told(turns(insiders, "c")[1]), "there is a place now"
    assert insiders.found([SOURCE], ZONE, "a") == {}
    monkeypatch.setattr(node_insiders, "ABANDONED", 0.0)
    assert told(turns(insiders, "c")[1]), "nobody asks for the others any more"


def test_the_look_of_an_analyzer_that_is_gone_is_over(database: db.Database) -> None:
    """Whoever deletes analyzers and makes them anew leaves no looks behind, of which there may be so many."""
    for name in ("ann", "bob"):
        user(database, name, READS)
    insiders = Insiders(database, never, turn=0.0)
    for who in ("analyzer-a", "analyzer-b"):
        assert insiders.found([SOURCE], ZONE, who) == {}
    insiders.forget(["analyzer-a"])
    assert list(insiders._going) == ["analyzer-b"]
    insiders.forget(None)
    assert not insiders._going

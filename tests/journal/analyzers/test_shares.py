"""Shares of a slice: whoever has much to look at, or what takes long, holds up nobody else, and nothing of it is lost.

A look takes five seconds of a clock that stands still otherwise.
"""

import json
import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from sekisho.analysis.solver import Grant
from sekisho.journal.analyzers import waiting
from sekisho.journal.analyzers.external import Looking
from sekisho.journal.analyzers.found import Found
from sekisho.journal.analyzers.scanning import RETRIED, Scanning
from sekisho.journal.analyzers.slices import SLICE
from sekisho.journal.analyzers.sources import Source
from sekisho.journal.analyzers.zones import Trusted
from sekisho.store.tables import AccessFinding, Account, AnalyzedResource, Analyzer, RegisteredResource, Role, ScanRequest
from sekisho.world import resources
from tests.journal.analyzers.estate import NOW, OPEN, OWNER, Estate, exhausted, role

OTHERS = ("444455556666", "555566667777", "666677778888")
GRANT = Grant({"AWS": "*"}, ("sts:AssumeRole",), {}, True, 0, None)


@dataclass(slots=True)
class Clock:
    """The time, and what was looked at when, in seconds."""

    now: datetime = NOW
    looked: list[tuple[str, float]] = field(default_factory=list)
    forgotten: list[Collection[str] | None] = field(default_factory=list)
    knows: bool = True

    def ask(self, document: str, resource: str, owner: str, trusted: Trusted) -> tuple[Grant, ...] | None:
        self.looked.append((resource.rpartition("/")[2], (self.now - NOW).total_seconds()))
        self.now += timedelta(seconds=5)
        return (GRANT,) if self.knows else None

    def scanning(self, made: Estate) -> Scanning:
        return Scanning(made.database, Looking(self.ask, forget=self.forgotten.append), now=lambda: self.now)

    def rest(self, scanning: Scanning) -> None:
        """Scan, and rest, until there is nothing to be done."""
        exhausted(scanning)
        while scanning.rests < math.inf:
            self.now += timedelta(seconds=scanning.rests)
            exhausted(scanning)


def analyzer(account: str, name: str) -> Analyzer:
    columns: dict[str, Any] = {"type": "ACCOUNT", "configuration": "{}", "created_at": NOW, "scan_began_at": NOW}
    return Analyzer(id=f"analyzer-{name}", account_id=account, name=name, scan_after="", scan_turn=0, zone="", **columns)


def others(made: Estate) -> None:
    """Other accounts, each with an analyzer."""
    made.write(lambda _: [Account(id=account, name=f"other {account}", created_at=NOW) for account in OTHERS])
    made.write(lambda _: [analyzer(account, f"of-{account}") for account in OTHERS])


def roles(made: Estate, account: str, first: int, count: int) -> None:
    """Roles of an account, each with a policy of its own."""

    def each(number: int) -> Role:
        found = role(number, OPEN.replace('"Version"', f'"Id": "hard-{number}", "Version"'))
        found.account_id = account
        return found

    made.write(lambda _: [each(number) for number in range(first, first + count)])


def test_many_hard_policies_of_one_account_hold_up_no_other_account(made: Estate) -> None:
    clock = Clock()
    scanning = clock.scanning(made)
    others(made)
    exhausted(scanning)
    roles(made, OWNER, 100, 40)
    roles(made, OTHERS[0], 200, 1)
    clock.rest(scanning)
    assert dict(clock.looked)["role-200"] == 5
    assert Counter(name for name, _ in clock.looked).most_common(1)[0][1] == 1, "nothing is looked at twice"
    assert made.count(AnalyzedResource, AccessFinding, ScanRequest) == [41, 41, 0], "and nothing is lost"


def test_a_slice_has_an_end_and_who_waited_the_longest_begins_the_next(made: Estate) -> None:
    clock = Clock()
    scanning = clock.scanning(made)
    others(made)
    exhausted(scanning)
    for number, account in enumerate((OWNER, *OTHERS)):
        roles(made, account, 100 * (number + 1), 3)
    whose: list[list[str]] = []
    while made.count(AnalyzedResource) != [12]:
        begun = len(clock.looked)
        assert scanning.once()
        whose.append([name[5] for name, _ in clock.looked[begun:]])
    assert whose == [["1", "2"], ["3", "4"]] * 3, "two looks are ten seconds"


def test_what_there_was_no_time_for_is_known_to_the_next_process(made: Estate) -> None:
    clock = Clock()
    scanning = clock.scanning(made)
    exhausted(scanning)
    roles(made, OWNER, 100, 6)
    assert scanning.once()
    assert made.count(AnalyzedResource, ScanRequest) == [1, 5]
    clock.rest(clock.scanning(made))
    assert sorted(name for name, _ in clock.looked) == [f"role-{number}" for number in range(100, 106)]
    assert made.count(AnalyzedResource, ScanRequest) == [6, 0]


def test_a_scan_of_everything_takes_nothing_for_gone_that_it_had_no_time_for(made: Estate) -> None:
    clock = Clock()
    scanning = clock.scanning(made)
    roles(made, OWNER, 100, 6)
    clock.rest(scanning)
    assert set(made.statuses().values()) == {"ACTIVE"}
    assert made.count(AnalyzedResource, AccessFinding) == [6, 6]

    def again(session: Any) -> None:
        row = session.get_one(Analyzer, "analyzer-main")
        row.scan_after, row.scan_began_at = "", clock.now

    made.write(again)
    scanning = clock.scanning(made)  # which remembers no answer
    while scanning.once():
        assert set(made.statuses().values()) == {"ACTIVE"}
    clock.rest(scanning)
    assert (set(made.statuses().values()), len(clock.looked)) == ({"ACTIVE"}, 12)


def test_what_somebody_asks_for_waits_behind_nothing_of_another_account(made: Estate) -> None:
    clock = Clock()
    scanning = clock.scanning(made)
    others(made)
    roles(made, OWNER, 100, 60)
    roles(made, OTHERS[0], 200, 1)
    clock.rest(scanning)
    clock.looked.clear()
    began = clock.now

    def asked(account: str, name: str, number: int, seconds: int) -> ScanRequest:
        columns = {"account_id": account, "owner": account, "asked_at": NOW + timedelta(seconds=seconds)}
        return ScanRequest(analyzer_id=f"analyzer-{name}", resource=f"arn:aws:iam::{account}:role/role-{number}", **columns)

    made.write(lambda _: [asked(OWNER, "main", number, 0) for number in range(100, 160)] + [asked(OTHERS[0], f"of-{OTHERS[0]}", 200, 9)])
    with made.database.read() as session:
        listed = [one.resource.rpartition("/")[2] for one in waiting.of_all(session, ())]
        assert listed == ["role-100", "role-200", "role-101", "role-102", "role-103", "role-104"]
        rests = waiting.of_all(session, [(OWNER, "ACCOUNT")])
        assert [one.resource.rpartition("/")[2] for one in rests] == ["role-200"]
    scanning = clock.scanning(made)
    clock.rest(scanning)
    assert dict(clock.looked)["role-200"] - (began - NOW).total_seconds() <= 5
    assert (len(clock.looked), made.count(ScanRequest)) == (61, [0])


def test_what_one_analyzer_could_not_analyze_stands_before_nobody_elses(made: Estate) -> None:
    clock = Clock(knows=False)
    scanning = clock.scanning(made)
    others(made)
    roles(made, OWNER, 100, SLICE + 10)
    clock.rest(scanning)
    roles(made, OTHERS[0], 200, 1)
    clock.rest(scanning)
    assert made.count(AnalyzedResource) == [SLICE + 11]
    clock.now += RETRIED + timedelta(seconds=1)
    clock.looked.clear()
    began = clock.now
    scanning.once()
    assert [name for name, _ in clock.looked][-1] == "role-200"
    assert clock.now - began == timedelta(seconds=10)


def test_a_look_for_internal_access_that_goes_on_is_asked_for_again(made: Estate) -> None:
    """Three slices it takes, in which another account's analyzer looks, too; that the resource changes meanwhile is told."""
    clock, turns = Clock(), list[str]()
    order = f"arn:aws:orders:us-east-1:{OWNER}:order/7"
    columns: dict[str, Any] = {"created_at": NOW, "updated_at": NOW}
    made.delete("analyzer-main")
    others(made)
    made.write(lambda _: [RegisteredResource(id=order, account_id=OWNER, arn=order, service="orders", type="order", **columns)])
    inside = analyzer(OWNER, "in")
    inside.type = "ACCOUNT_INTERNAL_ACCESS"
    inside.configuration = json.dumps({"internal_access": {"analysis_rule": {"inclusions": [{"resource_arns": [order]}]}}})
    made.write(lambda _: [inside])

    def look(sources: Sequence[Source], trusted: Trusted, who: str) -> dict[str, tuple[Found, ...]]:
        turns.append(who)
        clock.now += timedelta(seconds=2)
        if len(turns) == 1:
            roles(made, OTHERS[0], 200, 1)
        found = (Found("InternalAccess", {"AWS": "ann"}, ("orders:Read",)),)
        return {source.id: found for source in sources} if len(turns) == 3 else {}

    scanning = Scanning(made.database, Looking(clock.ask, look, clock.forgotten.append), now=lambda: clock.now)
    while not turns:
        scanning.once()
    assert made.count(AccessFinding, ScanRequest) == [0, 1]
    exhausted(scanning)
    assert turns == ["analyzer-in"] * 3
    assert clock.looked == [("role-200", 2.0)]
    assert made.count(AccessFinding, ScanRequest) == [2, 0]
    assert clock.forgotten[0] is None
    clock.forgotten.clear()

    def change(session: Any) -> None:
        session.get_one(RegisteredResource, order).policy = OPEN

    made.write(change)
    exhausted(scanning)
    assert clock.forgotten[0] is not None
    assert order in clock.forgotten[0]


def test_what_a_scan_had_no_time_for_is_not_gone_because_much_else_changes(made: Estate) -> None:
    """Of internal access five resources are looked at in a slice: those that wait come first, and what has changed later."""
    clock, turns = Clock(), list[int]()
    orders = [f"arn:aws:orders:us-east-1:{OWNER}:order/{number}" for number in range(8)]
    columns: dict[str, Any] = {"created_at": NOW, "updated_at": NOW, "account_id": OWNER, "service": "orders", "type": "order"}
    made.delete("analyzer-main")
    made.write(lambda _: [RegisteredResource(id=order, arn=order, **columns) for order in orders])
    inside = analyzer(OWNER, "in")
    inside.type = "ACCOUNT_INTERNAL_ACCESS"
    inside.configuration = json.dumps({"internal_access": {"analysis_rule": {"inclusions": [{"resource_arns": orders}]}}})
    made.write(lambda _: [inside])

    def change(session: Any) -> None:
        for order in orders[5:]:
            session.get_one(RegisteredResource, order).policy = OPEN

    def look(sources: Sequence[Source], trusted: Trusted, who: str) -> dict[str, tuple[Found, ...]]:
        turns.append(len(sources))
        if len(turns) == 1:
            made.write(change)
            return {}
        found = (Found("InternalAccess", {"AWS": "ann"}, ("orders:Read",)),)
        return {source.id: found for source in sources}

    scanning = Scanning(made.database, Looking(clock.ask, look), now=lambda: clock.now)
    turns.append(0)
    clock.rest(scanning)
    assert made.count(AccessFinding, ScanRequest) == [8, 0]

    def again(session: Any) -> None:
        row = session.get_one(Analyzer, "analyzer-in")
        row.scan_after, row.scan_began_at = "", clock.now

    made.write(again)
    turns.clear()
    while scanning.once():
        assert set(made.statuses().values()) == {"ACTIVE"}
    clock.rest(scanning)
    assert turns[0] == 5
    assert set(made.statuses().values()) == {"ACTIVE"}
    assert made.count(AccessFinding, ScanRequest) == [8, 0]


@pytest.mark.parametrize("who", ["this", "another"])
def test_what_another_process_has_scanned_is_forgotten(made: Estate, who: str) -> None:
    """It has read the log, and knows what changed."""
    clock = Clock()
    scanning = clock.scanning(made)
    roles(made, OWNER, 100, 1)
    exhausted(scanning)
    clock.forgotten.clear()
    roles(made, OWNER, 101, 1)
    exhausted(scanning if who == "this" else clock.scanning(made))
    roles(made, OWNER, 102, 1)
    clock.forgotten.clear()
    exhausted(scanning)
    assert (None in clock.forgotten) is (who == "another")


def test_what_has_changed_is_forgotten_where_nothing_is_to_be_done(made: Estate) -> None:
    """Such as an analyzer that is gone, or a resource whose analyzer rests."""
    clock = Clock()
    scanning = clock.scanning(made)
    roles(made, OWNER, 100, 1)
    exhausted(scanning)
    clock.forgotten.clear()

    def gone(session: Any) -> None:
        session.get_one(Analyzer, "analyzer-main").deleted_at = clock.now

    made.write(gone)
    exhausted(scanning)
    assert any("analyzer-main" in ids for ids in clock.forgotten if ids is not None)


def test_a_request_that_names_another_owner_takes_nothing_for_gone(made: Estate) -> None:
    """The ARN of a bucket has no account: whose it is, the request says, and an organization has several."""
    clock, bucket = Clock(), "arn:aws:s3:::bucket"
    columns: dict[str, Any] = {"created_at": NOW, "updated_at": NOW, "service": "s3", "type": "bucket", "policy": OPEN}
    id_ = resources.key(OWNER, bucket)
    made.write(lambda _: [RegisteredResource(id=id_, arn=bucket, account_id=OWNER, **columns)])
    scanning = clock.scanning(made)
    clock.rest(scanning)
    assert list(made.statuses().values()) == ["ACTIVE"]
    asked: dict[str, Any] = {"resource": bucket, "owner": OTHERS[0], "account_id": OWNER, "asked_at": NOW}
    made.write(lambda _: [ScanRequest(analyzer_id="analyzer-main", **asked)])
    clock.rest(scanning)
    assert list(made.statuses().values()) == ["ACTIVE"]
    assert made.count(AnalyzedResource, ScanRequest) == [1, 0]

"""The scan, step by step: what it looks at, and what becomes of it when it is overtaken, interrupted, or robbed of its database."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from sekisho.analysis.solver import Grant
from sekisho.errors import ServiceUnavailable
from sekisho.journal.analyzers import scanning as module
from sekisho.journal.analyzers import writing
from sekisho.journal.analyzers.external import Looking
from sekisho.journal.analyzers.found import Found
from sekisho.journal.analyzers.scanning import Scanning
from sekisho.journal.analyzers.slices import SLICE
from sekisho.journal.analyzers.sources import Source
from sekisho.journal.analyzers.zones import Trusted
from sekisho.store.tables import AccessFinding, AnalyzedResource, Analyzer, ArchiveRule, RegisteredResource, ScanTurn
from tests.journal.analyzers.estate import CLOSED, NOW, OPEN, OWNER, Estate, exhausted


def test_a_thousand_roles_that_change_at_once_are_looked_at_in_slices(made: Estate) -> None:
    scanning = made.scanning()
    exhausted(scanning)
    for first in range(0, 1000, 100):
        made.roles(first, 100)
    steps = exhausted(scanning)
    assert steps >= 5
    assert len(made.statuses()) == 1000
    assert set(made.statuses().values()) == {"ACTIVE"}
    assert made.count(AnalyzedResource) == [1000]
    made.trust(7, CLOSED)
    exhausted(scanning)
    assert [name for name, status in made.statuses().items() if status == "RESOLVED"] == ["role-7"]
    assert exhausted(scanning) == 1


def test_what_is_there_is_looked_at_in_slices(made: Estate) -> None:
    made.roles(0, 3 * SLICE + 1)
    assert exhausted(made.scanning()) >= 4
    assert len(made.statuses()) == 3 * SLICE + 1


def test_a_slice_that_is_interrupted_is_done_again_and_changes_nothing_twice(made: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    scanning = made.scanning()
    exhausted(scanning)
    made.roles(0, 3)
    count = writing.count

    class KilledError(Exception):
        """The process is gone."""

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(module, "_move", lambda session, todo: killed())
        with pytest.raises(KilledError):
            scanning.once()
    assert made.statuses() == {}
    with monkeypatch.context() as patched:
        patched.setattr(writing, "count", killed)  # after the commit
        with pytest.raises(KilledError):
            scanning.once()
    assert writing.count is count
    assert len(made.statuses()) == 3
    with made.database.read() as session:
        before = {row.id: row.updated_at for row in session.scalars(select(AccessFinding))}
    again = made.scanning()
    with made.database.write(()) as session:  # as if the place in the log had not been written
        session.execute(update(ScanTurn).values(number=ScanTurn.number, turn=ScanTurn.turn + 1))
    exhausted(again)
    with made.database.read() as session:
        assert {row.id: row.updated_at for row in session.scalars(select(AccessFinding))} == before


def test_of_two_who_scan_at_once_one_writes(made: Estate) -> None:
    first, second = made.scanning(), made.scanning()
    exhausted(first)
    made.roles(0, 3)
    made.beside = lambda: exhausted(second)
    assert first.once() is True  # and looks again
    assert len(made.statuses()) == 3
    assert exhausted(first) == 1


def test_an_analyzer_that_is_deleted_while_it_is_scanned_for_leaves_nothing(made: Estate) -> None:
    scanning = made.scanning()
    made.roles(0, 5)
    made.beside = lambda: made.delete("analyzer-main")
    exhausted(scanning)
    assert made.count(AccessFinding, AnalyzedResource, Analyzer) == [0, 0, 0]


def test_what_a_deleted_analyzer_found_is_cleared_away_a_little_at_a_time(made: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    scanning = made.scanning()
    made.roles(0, 10)
    exhausted(scanning)
    monkeypatch.setattr(module, "MOST_GONE", 4)
    made.delete("analyzer-main")
    assert exhausted(scanning) >= 5
    assert made.count(AccessFinding, AnalyzedResource, Analyzer) == [0, 0, 0]


def test_a_database_that_is_gone_costs_nothing_but_time(made: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    scanning = made.scanning()
    exhausted(scanning)
    made.roles(0, 2)

    def gone(*_: object, **__: object) -> None:
        raise ServiceUnavailable("The database cannot be reached.")

    for name in ("write", "read"):
        with monkeypatch.context() as patched:
            patched.setattr(made.database, name, gone)
            with pytest.raises(ServiceUnavailable):
                scanning.once()
    exhausted(scanning)
    assert made.statuses() == {"role-0": "ACTIVE", "role-1": "ACTIVE"}


def test_another_history_is_looked_at_from_its_beginning(made: Estate) -> None:
    scanning = made.scanning()
    exhausted(scanning)
    with made.database.write(()) as session:
        session.execute(update(ScanTurn).values(nonce="of another"))
    made.roles(0, 2)
    with made.database.write(()) as session:
        session.execute(update(ScanTurn).values(number=10_000))
    exhausted(made.scanning())
    assert len(made.statuses()) == 2


def test_a_resource_that_cannot_be_looked_at_is_a_finding(made: Estate) -> None:
    scanning = made.scanning()
    scanning._looking._ask = lambda *_: None
    made.roles(0, 1, CLOSED)
    exhausted(scanning)
    with made.database.read() as session:
        (one,) = session.scalars(select(AccessFinding)).all()
        assert (one.status, one.error) == ("ACTIVE", "INTERNAL_ERROR")
        assert session.scalars(select(AnalyzedResource.error)).all() == ["INTERNAL_ERROR"]


def test_resolved_findings_are_kept_for_ninety_days(made: Estate) -> None:
    scanning = made.scanning()
    made.roles(0, 2)
    exhausted(scanning)
    made.trust(0, CLOSED)
    exhausted(scanning)
    with made.database.write(()) as session:
        session.execute(update(AccessFinding).values(updated_at=NOW - timedelta(days=91)))
    scanning._purge_at = 0.0
    exhausted(scanning)
    assert made.statuses() == {"role-1": "ACTIVE"}


def test_the_lag_is_what_is_not_looked_at_yet(made: Estate) -> None:
    scanning = made.scanning()
    exhausted(scanning)
    for number in range(5):
        made.roles(200 * number, 150)
    scanning.once()
    assert module.LAG.labels().numbers[0] > 0
    exhausted(scanning)
    assert module.LAG.labels().numbers[0] == 0


def test_one_policy_is_asked_about_once(made: Estate) -> None:
    made.roles(0, 20)
    made.roles(20, 20, CLOSED)
    exhausted(made.scanning())
    assert len(made.looked) == 2


def test_a_slice_is_smaller_where_looking_takes_long(made: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    scanning = made.scanning()
    exhausted(scanning)
    monkeypatch.setattr(module, "LONG", -1.0)
    made.roles(0, 4)
    exhausted(scanning)
    assert scanning._size == SLICE // 2
    monkeypatch.setattr(module, "LONG", 1e9)
    made.roles(4, 1)
    exhausted(scanning)
    assert scanning._size == SLICE


def test_what_cannot_be_told_resolves_nothing(made: Estate) -> None:
    scanning = made.scanning()
    made.roles(0, 2)
    exhausted(scanning)
    assert set(made.statuses().values()) == {"ACTIVE"}
    looking = Looking(lambda *_: None)  # such as in a bad hour of the machine
    scanning._looking = looking
    made.trust(0, OPEN.replace(" ", "").replace("Statement", 'Id":"x","Statement'))
    exhausted(scanning)
    assert _by_error(made) == {("role-0", None): "ACTIVE", ("role-0", "INTERNAL_ERROR"): "ACTIVE", ("role-1", None): "ACTIVE"}
    scanning._looking = made.scanning()._looking
    made.trust(0, CLOSED)
    exhausted(scanning)
    assert _by_error(made) == {("role-0", None): "RESOLVED", ("role-0", "INTERNAL_ERROR"): "RESOLVED", ("role-1", None): "ACTIVE"}


def _by_error(made: Estate) -> dict[tuple[str, str | None], str]:
    with made.database.read() as session:
        rows = session.execute(select(AccessFinding.resource, AccessFinding.error, AccessFinding.status))
        return {(row.resource.rpartition("/")[2], row.error): row.status for row in rows}


def test_what_was_archived_is_active_once_it_is_public(made: Estate) -> None:
    grant = Grant({"AWS": "*"}, ("sts:AssumeRole",), {"aws:SourceVpc": "vpc-1"}, False, 0, None)
    public = replace(grant, is_public=True)  # as when StringEquals becomes StringNotEquals, which a finding does not show
    scanning = made.scanning()
    scanning._looking = Looking(lambda *_: (grant,))
    made.roles(0, 1)
    exhausted(scanning)
    with made.database.write(()) as session:
        session.execute(update(AccessFinding).values(status="ARCHIVED"))
    made.trust(0, OPEN.replace("{", "{ ", 1))
    exhausted(scanning)
    assert made.statuses() == {"role-0": "ARCHIVED"}
    scanning._looking = Looking(lambda *_: (public,))
    made.trust(0, OPEN)
    exhausted(scanning)
    assert made.statuses() == {"role-0": "ACTIVE"}


def test_a_rule_about_what_is_not_public_says_nothing_of_what_is_unknown(made: Estate) -> None:
    scanning = made.scanning()
    scanning._looking = Looking(lambda *_: None)
    columns = {"account_id": OWNER, "created_at": NOW, "updated_at": NOW, "filter": '{"isPublic": {"eq": ["false"]}}'}
    with made.database.write(()) as session:
        session.add(ArchiveRule(analyzer_id="analyzer-main", name="known", **columns))
    made.roles(0, 1)
    exhausted(scanning)
    assert made.statuses() == {"role-0": "ACTIVE"}


def test_what_could_not_be_analyzed_is_looked_at_again(made: Estate) -> None:
    moment = [NOW]
    scanning = made.scanning()
    scanning._now = lambda: moment[0]
    ask, scanning._looking._ask = scanning._looking._ask, lambda *_: None
    made.roles(0, 3, CLOSED)
    exhausted(scanning)
    scanning._looking._ask = ask
    moment[0] += timedelta(minutes=50)
    exhausted(scanning)
    assert set(made.statuses().values()) == {"ACTIVE"}
    assert made.looked == []
    moment[0] += timedelta(minutes=20)
    exhausted(scanning)
    assert set(made.statuses().values()) == {"RESOLVED"}
    assert len(made.looked) == 1  # of three with one policy
    moment[0] += timedelta(hours=3)
    exhausted(scanning)
    assert len(made.looked) == 1


Inside = tuple[Estate, Scanning, list[str], list[datetime]]


@pytest.fixture
def inside(made: Estate) -> Inside:
    """A scan of an analyzer of internal access, what it looks at, and the time, which a look takes ten seconds of."""
    looked: list[str] = []
    moment = [NOW]
    made.delete("analyzer-main")
    order = f"arn:aws:orders:us-east-1:{OWNER}:order/7"
    columns: dict[str, Any] = {"created_at": NOW, "updated_at": NOW}
    made.write(lambda _: [RegisteredResource(id=order, account_id=OWNER, arn=order, service="orders", type="order", **columns)])
    configuration = json.dumps({"internal_access": {"analysis_rule": {"inclusions": [{"resource_arns": [order]}]}}})
    kind = {"type": "ACCOUNT_INTERNAL_ACCESS", "configuration": configuration, "created_at": NOW, "scan_began_at": NOW}
    made.write(lambda _: [Analyzer(id="analyzer-in", account_id=OWNER, name="in", scan_after="", scan_turn=0, zone="", **kind)])

    def look(sources: Sequence[Source], trusted: Trusted, who: str) -> dict[str, tuple[Found, ...]]:
        assert trusted.accounts == {OWNER}
        looked.extend(source.arn for source in sources)
        moment[0] += timedelta(seconds=10)
        return {source.id: (Found("InternalAccess", {"AWS": "ann"}, ("orders:Read",)),) for source in sources}

    return made, Scanning(made.database, Looking(lambda *_: (), look), now=lambda: moment[0]), looked, moment


def test_internal_access_is_looked_at_again_when_principals_change_and_the_analyzer_has_rested(inside: Inside) -> None:
    made, scanning, looked, moment = inside
    exhausted(scanning)
    assert len(looked) == 1
    exhausted(scanning)
    assert (len(looked), scanning.rests) == (1, math.inf)
    for number in range(5):
        made.roles(number, 1)
        exhausted(scanning)
    assert len(looked) == 1
    assert 30 < scanning.rests <= 40
    moment[0] += timedelta(seconds=41)
    assert scanning.rests == 0.0
    exhausted(scanning)
    assert len(looked) == 2
    exhausted(scanning)
    assert (len(looked), scanning.rests) == (2, math.inf)


def test_a_resource_that_changes_is_looked_at_at_once(inside: Inside) -> None:
    made, scanning, looked, _ = inside
    exhausted(scanning)

    def change(session: Any) -> None:
        session.scalars(select(RegisteredResource)).one().policy = OPEN

    made.write(change)
    exhausted(scanning)
    assert (len(looked), scanning.rests) == (2, math.inf)


def test_an_analyzer_whose_looks_take_long_rests_while_others_are_looked_at(inside: Inside) -> None:
    """Whoever changed a resource again and again had the scan look at nothing else."""
    made, scanning, looked, moment = inside
    exhausted(scanning)

    def change(session: Any) -> None:
        row = session.scalars(select(RegisteredResource)).one()
        row.policy = CLOSED if row.policy == OPEN else OPEN

    for _ in range(6):
        made.write(change)
        exhausted(scanning)
    assert len(looked) == 4, "thirty seconds, and one look more"
    assert 30 < scanning.rests <= 40
    made.analyzer("other")
    made.roles(0, 1)
    exhausted(scanning)
    assert (made.looked, len(looked)) == ([], 4)
    assert made.count(AnalyzedResource) == [3], "what others look at waits for nobody: the role, the resource, and the resource within"
    moment[0] += timedelta(seconds=41)
    exhausted(scanning)
    assert len(looked) == 5, "what changed meanwhile is looked at once it has rested"


def test_an_analyzer_rests_between_the_pages_of_a_scan_of_everything(inside: Inside) -> None:
    made, scanning, looked, moment = inside
    columns: dict[str, Any] = {"account_id": OWNER, "service": "orders", "type": "order", "created_at": NOW, "updated_at": NOW}
    arns = [f"arn:aws:orders:us-east-1:{OWNER}:order/{number}" for number in range(10, 50)]
    made.write(lambda _: [RegisteredResource(id=arn, arn=arn, **columns) for arn in arns])
    configuration = json.dumps({"internal_access": {"analysis_rule": {"inclusions": [{"account_ids": [OWNER]}]}}})
    made.write(lambda session: setattr(session.get_one(Analyzer, "analyzer-in"), "configuration", configuration))
    exhausted(scanning)
    assert 0 < len(looked) < 41
    assert 0 < scanning.rests <= 80
    for _ in range(60):
        moment[0] += timedelta(seconds=scanning.rests if scanning.rests < math.inf else 0)
        exhausted(scanning)
    assert (len(set(looked)), scanning.rests) == (41, math.inf)


def test_of_a_principal_of_whom_nothing_is_known_nothing_is_resolved(inside: Inside) -> None:
    made, scanning, _, moment = inside
    ann, bob = (Found("InternalAccess", {"AWS": name}, ("orders:Read",)) for name in ("ann", "bob"))

    def now_found(*found: Found) -> dict[str, str]:
        scanning._looking._inside = lambda sources, *_: {source.id: found for source in sources}
        made.roles(int(moment[0].timestamp()) % 100_000, 1)
        exhausted(scanning)
        moment[0] += timedelta(hours=2)
        exhausted(scanning)
        with made.database.read() as session:
            rows = session.scalars(select(AccessFinding).where(AccessFinding.error.is_(None)))
            return {json.loads(row.principal)["AWS"]: row.status for row in rows}

    assert now_found(ann, bob) == {"ann": "ACTIVE", "bob": "ACTIVE"}
    assert now_found(Found("InternalAccess", {"AWS": "ann"}, error="INTERNAL_ERROR")) == {"ann": "ACTIVE", "bob": "RESOLVED"}
    assert now_found(Found("InternalAccess", error="INTERNAL_ERROR")) == {"ann": "ACTIVE", "bob": "RESOLVED"}
    assert now_found() == {"ann": "RESOLVED", "bob": "RESOLVED"}


def test_an_id_tells_operators_apart_where_values_do_not() -> None:
    plain = Found("ExternalAccess", {"AWS": "*"}, ("sts:AssumeRole",), {"aws:PrincipalOrgID": "o-1"})
    assert plain.id("analyzer-main", "AROA") == "5462a97d-2b9c-509a-8d2e-722490afdfc8"
    negated = replace(plain, operators={"aws:PrincipalOrgID": "StringNotEquals"})
    assert negated.id("analyzer-main", "AROA") != plain.id("analyzer-main", "AROA")

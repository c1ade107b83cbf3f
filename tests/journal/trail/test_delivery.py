"""Delivery: each event of a trail is in one file, once, whatever ends the process that delivers, and whatever its bucket does."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from sekisho.errors import SekishoError
from sekisho.journal.trail import delivery as deliveries
from sekisho.journal.trail import plans, spans
from sekisho.journal.trail.delivery import Delivery
from sekisho.journal.trail.digests import Digests
from sekisho.journal.trail.folders import Folder
from sekisho.journal.trail.object_keys import NotDelivered
from sekisho.journal.trail.plans import Most
from sekisho.store.tables import Member, Organization, TrailDigest, TrailFile, TrailSpan, Unit
from sekisho.store.tables import Trail as Row
from sekisho.store.tables.trail_files import DELIVERED
from tests.journal.trail import delivered
from tests.journal.trail.delivered import Clock, Refusing, add, bucket, events, exhaust, ids, named, stored
from tests.journal.trail.records import NOW, ONE, TWO, Trail, made

DAY = "us-east-1/2026/05/04"


class Killed(BaseException):
    """The end of a process."""


def test_a_trail_delivers_what_was_recorded_of_its_account(trail: Trail, tmp_path: Path) -> None:
    trail.fill(7)
    trail.seal()
    add(trail.database, delivered.row(s3_key_prefix="some/prefix"))
    logs, clock = bucket(tmp_path), Clock(NOW + timedelta(minutes=5))
    exhaust(Delivery(trail.database, {"logs": logs}, now=clock))
    ((key, found),) = events(logs).items()
    assert found == ["r-0", "r-2", "r-4", "r-6"]
    assert key.startswith(f"some/prefix/AWSLogs/{ONE}/CloudTrail/{DAY}/{ONE}_CloudTrail_us-east-1_20260504T0307Z_")
    now = stored(trail.database)
    assert (now.position, now.latest_delivery_at, now.latest_delivery_error) == (7, clock.at, None)


def test_files_are_no_larger_than_they_may_be(trail: Trail, tmp_path: Path) -> None:
    trail.fill(20, [ONE])
    trail.seal()
    add(trail.database, delivered.row())
    logs = bucket(tmp_path)
    exhaust(Delivery(trail.database, {"logs": logs}, most=Most(records=8)))
    assert sorted(map(len, events(logs).values())) == [4, 8, 8]
    add(trail.database, delivered.row("t-2", s3_key_prefix="small"))
    exhaust(Delivery(trail.database, {"logs": logs}, most=Most(size=1000)), "t-2")
    small = [found for key, found in events(logs).items() if key.startswith("small/")]
    assert len(small) > 5
    assert sorted(id_ for found in small for id_ in found) == sorted(f"r-{number}" for number in range(20))


def test_selectors_say_what_is_delivered(trail: Trail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "LOOK", 4)
    trail.fill(9, [ONE])
    trail.seal()
    add(trail.database, delivered.row(event_selectors='[{"ReadWriteType": "WriteOnly"}]'))
    logs = bucket(tmp_path)
    exhaust(Delivery(trail.database, {"logs": logs}))
    assert ids(logs) == ["r-0", "r-3", "r-6"]
    assert stored(trail.database).position == 9


def test_a_trail_logs_from_its_start_to_its_stop(trail: Trail, tmp_path: Path) -> None:
    """Also those that arrive late, and two spans that are both not delivered yet; each with its two ends."""
    trail.fill(20, [ONE])
    add(trail.database, delivered.row(log_file_validation_enabled=False))
    with trail.database.write(()) as session:
        spans.end(session, "t-1", NOW + timedelta(seconds=5))
        session.flush()
        session.add(spans.begun("t-1", NOW + timedelta(seconds=10)))
        session.flush()
        spans.end(session, "t-1", NOW + timedelta(seconds=12))
    trail.spool(made("late", at=NOW + timedelta(seconds=4)), made("before", at=NOW - timedelta(microseconds=1)))
    trail.seal()
    logs, clock = bucket(tmp_path), Clock(NOW + timedelta(days=1))
    delivery = Delivery(trail.database, {"logs": logs}, now=clock)
    exhaust(delivery)
    assert ids(logs) == sorted(["late", *(f"r-{number}" for number in (0, 1, 2, 3, 4, 5, 10, 11, 12))])
    clock.at += timedelta(minutes=1)
    exhaust(delivery)
    with trail.database.read() as session:
        assert session.scalars(select(TrailSpan.is_closed)).all() == [True, True]
    assert delivery.once("t-1") is False


def test_what_lies_before_a_start_is_not_read(trail: Trail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trail.fill(50, [ONE])
    trail.write(made("after", at=NOW + timedelta(days=2)))
    trail.seal()
    add(trail.database, delivered.row())
    with trail.database.write(()) as session:
        session.execute(update(TrailSpan).values(began_at=NOW + timedelta(days=1)))
    read = []

    def is_covered(at: datetime) -> bool:
        read.append(at)
        return True

    monkeypatch.setattr(spans, "covering", lambda _: is_covered)
    exhaust(Delivery(trail.database, {"logs": (logs := bucket(tmp_path))}))
    assert ids(logs) == ["after"]
    assert read == [NOW + timedelta(days=2)]


@pytest.mark.parametrize("kill_at", [1, 2, 3])
@pytest.mark.parametrize("when", ["before", "after"])
def test_who_is_killed_has_delivered_once(trail: Trail, tmp_path: Path, kill_at: int, when: str) -> None:
    """Before or after the bucket has the object, and before that is written down."""
    trail.fill(12, [ONE])
    trail.seal()
    add(trail.database, delivered.row())
    logs, calls = bucket(tmp_path), []

    class Killing(Refusing):
        def put(self, key: str, body: bytes, metadata: object = None) -> None:
            calls.append(key)
            if len(calls) == kill_at and when == "before":
                raise Killed
            self.inner.put(key, body)
            if len(calls) == kill_at:
                raise Killed

    with pytest.raises(Killed):
        exhaust(Delivery(trail.database, named(logs=Killing(logs, None)), most=Most(records=4)))
    killed = calls[-1]
    exhaust(Delivery(trail.database, {"logs": logs}, most=Most(records=400), now=Clock(NOW + timedelta(hours=9))))
    assert ids(logs) == sorted(f"r-{number}" for number in range(12))
    assert killed in events(logs)


def test_two_who_deliver_at_once_deliver_once(trail: Trail, tmp_path: Path) -> None:
    trail.fill(60, [ONE])
    trail.seal()
    add(trail.database, delivered.row())
    logs = bucket(tmp_path)

    def deliver(_: int) -> None:
        mine = Delivery(trail.database, {"logs": logs}, most=Most(records=4))
        for _ in range(200):
            mine.once("t-1")
            if stored(trail.database).position == 60:
                return
        raise AssertionError("it never ended")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(deliver, range(3)))
    assert ids(logs) == sorted(f"r-{number}" for number in range(60))
    with trail.database.read() as session:
        assert session.scalar(select(func.sum(TrailFile.records))) == 60


def test_a_bucket_that_fails_is_told_and_tried_again(trail: Trail, tmp_path: Path) -> None:
    trail.fill(4, [ONE])
    trail.seal()
    add(trail.database, delivered.row())
    logs, clock, failures = bucket(tmp_path), Clock(), [NotDelivered("AccessDenied", "no"), NotDelivered("SlowDown", "no")]

    def fail() -> None:
        if failures:
            raise failures.pop(0)

    delivery = Delivery(trail.database, named(logs=Refusing(logs, fail)), now=clock)
    for code in ("AccessDenied", "SlowDown"):
        clock.at += timedelta(minutes=1)
        with pytest.raises(NotDelivered):
            delivery.once("t-1")
        now = stored(trail.database)
        assert (now.latest_delivery_error, now.latest_delivery_attempted_at, now.latest_delivery_at) == (code, clock.at, None)
    exhaust(delivery)
    assert ids(logs) == ["r-0", "r-1", "r-2", "r-3"]
    assert stored(trail.database).latest_delivery_error is None


def test_what_was_due_follows_a_trail_to_another_bucket(trail: Trail, tmp_path: Path) -> None:
    trail.fill(4, [ONE])
    trail.seal()
    add(trail.database, delivered.row(s3_key_prefix="old"))
    with pytest.raises(NotDelivered):
        Delivery(trail.database, named(logs=Folder("logs", tmp_path / "nowhere"))).once("t-1")
    with trail.database.write(()) as session:
        session.execute(update(Row).values(s3_bucket_name="others", s3_key_prefix=None))
    others = bucket(tmp_path, "others")
    exhaust(Delivery(trail.database, {"others": others}))
    assert ids(others) == ["r-0", "r-1", "r-2", "r-3"]
    assert all(key.startswith("AWSLogs/") for key in events(others))


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"s3_bucket_name": "../etc"}, "NoSuchBucket"),
        ({"s3_bucket_name": "nobodys"}, "NoSuchBucket"),
        ({"s3_key_prefix": "../../etc"}, "InvalidKey"),
        ({"s3_key_prefix": "a\nb"}, "InvalidKey"),
        ({"s3_key_prefix": "a//b"}, "InvalidKey"),
    ],
)
def test_a_place_that_is_none_is_told(trail: Trail, tmp_path: Path, columns: dict[str, str], code: str) -> None:
    trail.fill(1, [ONE])
    trail.seal()
    add(trail.database, delivered.row(**columns))
    with pytest.raises(SekishoError):
        exhaust(Delivery(trail.database, {"logs": (logs := bucket(tmp_path))}))
    assert stored(trail.database).latest_delivery_error == code
    assert ids(logs) == []
    assert [path.name for path in tmp_path.rglob("*") if path.suffix == ".gz"] == []


def test_the_longest_prefix_is_a_place(trail: Trail, tmp_path: Path) -> None:
    trail.fill(1, [ONE])
    trail.seal()
    add(trail.database, delivered.row(s3_key_prefix="x" * 200))
    exhaust(Delivery(trail.database, {"logs": (logs := bucket(tmp_path))}))
    assert ids(logs) == ["r-0"]


def test_a_trail_of_an_organization_delivers_its_members(trail: Trail, tmp_path: Path) -> None:
    """Each since it has joined, and nobody else."""
    trail.fill(8)
    trail.spool(made("foreign", "777788889999"))
    trail.seal()
    add(trail.database)
    with trail.database.write(()) as session:
        session.add(Organization(id="o-abcdefghij", management_account_id=ONE, root_id="r-abcd", feature_set="ALL", created_at=NOW))
        session.flush()
        session.add(Unit(id="r-abcd", organization_id="o-abcdefghij", parent_id=None, name="Root", created_at=NOW))
        session.flush()
        for account, joined in ((ONE, NOW), (TWO, NOW + timedelta(seconds=3))):
            session.add(
                Member(account_id=account, organization_id="o-abcdefghij", unit_id="r-abcd", joined_method="INVITED", joined_at=joined)
            )
    add(trail.database, delivered.row(organization_id="o-abcdefghij", is_organization_trail=True))
    exhaust(Delivery(trail.database, {"logs": (logs := bucket(tmp_path))}))
    found = {key.split("/CloudTrail/")[0]: of for key, of in events(logs).items()}
    assert found == {
        f"AWSLogs/o-abcdefghij/{ONE}": ["r-0", "r-2", "r-4", "r-6"],
        f"AWSLogs/o-abcdefghij/{TWO}": ["r-3", "r-5", "r-7"],
    }


def test_a_clock_that_steps_back_loses_nothing(trail: Trail, tmp_path: Path) -> None:
    add(trail.database, delivered.row())
    logs, clock = bucket(tmp_path), Clock(NOW + timedelta(hours=1))
    delivery = Delivery(trail.database, {"logs": logs}, now=clock)
    for number in range(3):
        trail.write(made(f"r-{number}", at=clock.at))
        trail.seal()
        exhaust(delivery)
        clock.at -= timedelta(minutes=20)
    assert ids(logs) == ["r-0", "r-1", "r-2"]


def test_a_row_that_is_no_json_holds_up_no_other(trail: Trail, tmp_path: Path) -> None:
    trail.spool(made("a"), made("b", request="{not JSON"), made("c"))
    trail.seal()
    add(trail.database, delivered.row())
    exhaust(Delivery(trail.database, {"logs": (logs := bucket(tmp_path))}))
    assert ids(logs) == ["a", "b", "c"]  # what is somebody's own is delivered as far as it can be read


def test_the_backlog_is_metered(trail: Trail, tmp_path: Path) -> None:
    trail.fill(5, [ONE])
    trail.seal()
    add(trail.database, delivered.row("t-metered"))
    delivery = Delivery(trail.database, {"logs": bucket(tmp_path)}, now=Clock(NOW + timedelta(seconds=90)))
    delivery.once("t-metered")
    records, seconds = deliveries.BACKLOG.labels("t-metered"), deliveries.BEHIND.labels("t-metered")
    assert (records.numbers[0], seconds.numbers[0]) == (5, 90.0)
    delivery.once("t-metered")
    assert (records.numbers[0], seconds.numbers[0]) == (0, 0.0)


def test_what_is_done_is_forgotten(trail: Trail, tmp_path: Path) -> None:
    trail.fill(2)
    trail.seal()
    add(trail.database, delivered.row("kept"), delivered.row("validated"), delivered.row("gone"))
    clock = Clock()
    delivery = Delivery(trail.database, {"logs": bucket(tmp_path)}, now=clock)
    with trail.database.write(()) as session:
        session.execute(update(Row).where(Row.id == "kept").values(log_file_validation_enabled=False))
    for id_ in ("kept", "validated", "gone"):
        exhaust(delivery, id_)
    with trail.database.write(()) as session:
        session.delete(session.get_one(Row, "gone"))
        assert set(session.execute(select(TrailFile.trail_id, TrailFile.state, TrailFile.digest_id, TrailFile.content))) == {
            ("kept", DELIVERED, "-", None),
            ("validated", DELIVERED, None, None),
            ("gone", DELIVERED, None, None),
        }
    deliveries.forget(trail.database, NOW + timedelta(days=6))
    with trail.database.read() as session:
        assert sorted(session.scalars(select(TrailFile.trail_id))) == ["kept", "validated"]
        assert sorted(session.scalars(select(TrailSpan.trail_id))) == ["kept", "validated"]
    deliveries.forget(trail.database, NOW + timedelta(days=8))
    with trail.database.read() as session:
        assert session.scalars(select(TrailFile.trail_id)).all() == ["validated"]  # which a digest file is to name
        assert session.scalars(select(TrailDigest.id)).all() == []


def test_the_last_files_of_a_trail_that_stopped_are_tried_again(trail: Trail, tmp_path: Path) -> None:
    """Also those that are planned when no more events are waited for, as after a night in which nobody delivered."""
    trail.fill(4, [ONE])
    trail.seal()
    add(trail.database, delivered.row())
    with trail.database.write(()) as session:
        spans.end(session, "t-1", NOW + timedelta(seconds=9))
    clock, logs = Clock(NOW + timedelta(days=2)), bucket(tmp_path)
    with pytest.raises(NotDelivered):
        Delivery(trail.database, named(logs=Folder("logs", tmp_path / "nowhere")), now=clock).once("t-1")
    exhaust(Delivery(trail.database, {"logs": logs}, now=clock))
    assert ids(logs) == ["r-0", "r-1", "r-2", "r-3"]


def test_a_trail_that_stopped_is_looked_at_until_its_files_are_named(trail: Trail, tmp_path: Path) -> None:
    trail.fill(4, [ONE])
    trail.seal()
    add(trail.database, delivered.row())
    with trail.database.write(()) as session:
        spans.end(session, "t-1", NOW + timedelta(seconds=9))
    clock, logs = Clock(NOW + timedelta(days=2)), bucket(tmp_path)
    delivery = Delivery(trail.database, {"logs": logs}, now=clock)

    def is_closed() -> bool:
        exhaust(delivery)
        with trail.database.read() as session:
            return session.scalars(select(TrailSpan.is_closed)).one()

    assert is_closed() is False  # the file is to be named
    with pytest.raises(NotDelivered):
        Digests(trail.database, trail.ring, {"logs": Folder("logs", tmp_path / "nowhere")}, 3600, now=clock).once("t-1")
    assert is_closed() is False  # the digest file that names it is planned
    assert Digests(trail.database, trail.ring, {"logs": logs}, 3600, now=clock).once("t-1") is True
    assert is_closed() is True


def test_a_row_whose_resources_are_none_is_delivered_without(trail: Trail, tmp_path: Path) -> None:
    trail.spool(made("a", resources='["forged"]'), made("b", resources='{"ARN": 1}'), made("c", identity="[1]", tls="3"))
    trail.seal()
    add(trail.database, delivered.row())
    exhaust(Delivery(trail.database, {"logs": (logs := bucket(tmp_path))}))
    assert ids(logs) == ["a", "b", "c"]


def test_a_row_that_nobody_can_deliver_is_told(trail: Trail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trail stays before it, and says so."""

    def broken(_record: object) -> None:
        raise AttributeError

    monkeypatch.setattr("sekisho.journal.trail.events.event", broken)
    trail.spool(made("a", category="Data"))
    trail.seal()
    add(trail.database, delivered.row(event_selectors='[{"DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}]}]'))
    failed = deliveries.FAILED.labels().numbers[0]
    with pytest.raises(AttributeError):
        Delivery(trail.database, {"logs": bucket(tmp_path)}, now=Clock()).once("t-1")
    now = stored(trail.database)
    assert (now.latest_delivery_error, now.latest_delivery_attempted_at) == ("InternalError", NOW)
    assert deliveries.FAILED.labels().numbers[0] == failed + 1

"""Digest files: which periods have one, what it names, and how it is chained to the one before."""

import gzip
import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from sekisho.journal.trail import digests, keys, spans
from sekisho.journal.trail.delivery import Delivery
from sekisho.journal.trail.digests import Digests
from sekisho.journal.trail.folders import Folder
from sekisho.journal.trail.object_keys import NotDelivered
from sekisho.store.tables import Trail as Row
from sekisho.store.tables import TrailKey
from tests.journal.trail import delivered
from tests.journal.trail.delivered import Clock, Refusing, add, bucket, exhaust, named, stored
from tests.journal.trail.records import NOW, ONE, Trail, made

HOUR = timedelta(hours=1)
AT = NOW.replace(minute=0, second=0, microsecond=0)
"""The hour in which the trail began: at 03:02:01."""


def found(logs: Folder) -> list[dict[str, Any]]:
    return [json.loads(gzip.decompress(path.read_bytes())) for path in sorted(logs.path.rglob("*_CloudTrail-Digest_*.gz"))]


def periods(logs: Folder) -> list[tuple[str, str, int, bool]]:
    """Begin and end of each digest file, how many files it names, and whether it names one before it."""
    shown = [(one, one["digestStartTime"][11:19], one["digestEndTime"][11:19]) for one in found(logs)]
    return [(begin, end, len(one["logFiles"]), one["previousDigestSignature"] is not None) for one, begin, end in shown]


def made_at(trail: Trail, clock: Clock, delivery: Delivery, id_: str) -> None:
    """An event that is recorded and delivered now."""
    trail.write(made(id_, at=clock.at))
    trail.seal()
    exhaust(delivery)


def all_due(of: Digests) -> None:
    while of.once("t-1"):
        pass


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW + timedelta(minutes=5))


def test_each_hour_has_one_and_is_chained(trail: Trail, tmp_path: Path, clock: Clock) -> None:
    add(trail.database, delivered.row())
    logs = bucket(tmp_path)
    delivery, made_of = (
        Delivery(trail.database, {"logs": logs}, now=clock),
        Digests(trail.database, trail.ring, {"logs": logs}, 3600, now=clock),
    )
    made_at(trail, clock, delivery, "a")
    all_due(made_of)
    assert found(logs) == []  # the hour is not over
    clock.at = AT + 3 * HOUR
    made_at(trail, clock, delivery, "b")
    all_due(made_of)
    assert periods(logs) == [("05:00:00", "06:00:00", 2, False)]
    clock.at += 2 * HOUR
    all_due(made_of)
    assert periods(logs)[1:] == [("06:00:00", "07:00:00", 0, True), ("07:00:00", "08:00:00", 0, True)]
    first, second, _ = found(logs)
    key = f"AWSLogs/{ONE}/CloudTrail-Digest/us-east-1/2026/05/04/{ONE}_CloudTrail-Digest_us-east-1_t-1_us-east-1_20260504T060000Z.json.gz"
    assert (first["digestS3Bucket"], first["digestS3Object"], first["awsAccountId"]) == ("logs", key, ONE)
    files = [path for path in sorted(logs.path.rglob("*.json.gz")) if "CloudTrail-Digest" not in path.name]
    assert first["logFiles"] == [
        {
            "s3Bucket": "logs",
            "s3Object": path.relative_to(logs.path).as_posix(),
            "hashValue": hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest(),
            "hashAlgorithm": "SHA-256",
            "newestEventTime": at,
            "oldestEventTime": at,
        }
        for path, at in zip(files, ("2026-05-04T03:07:01Z", "2026-05-04T06:00:00Z"), strict=True)
    ]
    assert (first["oldestEventTime"], first["newestEventTime"]) == ("2026-05-04T03:07:01Z", "2026-05-04T06:00:00Z")
    assert first["previousDigestS3Object"] is first["previousDigestHashValue"] is None
    said = json.loads((logs.path / (key + ".sig")).read_text())
    assert said["signature-algorithm"] == "SHA256withRSA"
    assert (second["previousDigestS3Object"], second["previousDigestSignature"]) == (key, said["signature"])
    text = digests.signed_text("2026-05-04T06:00:00Z", "logs", key, gzip.decompress((logs.path / key).read_bytes()), None)
    with trail.database.read() as session:
        (pair,) = session.scalars(select(TrailKey)).all()
    assert first["digestPublicKeyFingerprint"] == pair.fingerprint
    assert keys.is_signed(pair.public_key, text, said["signature"])
    now = stored(trail.database)
    assert (now.latest_digest_at, now.latest_digest_error) == (clock.at, None)


def test_a_chain_begins_anew_after_a_stop(trail: Trail, tmp_path: Path, clock: Clock) -> None:
    add(trail.database, delivered.row())
    logs = bucket(tmp_path)
    made_of = Digests(trail.database, trail.ring, {"logs": logs}, 3600, now=clock)
    clock.at = AT + HOUR
    all_due(made_of)
    with trail.database.write(()) as session:
        spans.end(session, "t-1", clock.at)
    clock.at = AT + 5 * HOUR
    all_due(made_of)
    assert periods(logs) == [("03:02:01", "04:00:00", 0, False)]
    with trail.database.write(()) as session:
        session.add(spans.begun("t-1", AT + 5 * HOUR + timedelta(minutes=30)))
    clock.at = AT + 6 * HOUR
    all_due(made_of)
    assert periods(logs)[1:] == [("08:30:00", "09:00:00", 0, False)]


def test_a_long_standstill_is_one_period(trail: Trail, tmp_path: Path, clock: Clock) -> None:
    add(trail.database, delivered.row())
    logs = bucket(tmp_path)
    made_of = Digests(trail.database, trail.ring, {"logs": logs}, 60, now=clock)
    clock.at = NOW + timedelta(minutes=1)
    all_due(made_of)
    clock.at = NOW + timedelta(minutes=55)
    all_due(made_of)
    assert periods(logs) == [("03:02:01", "03:03:00", 0, False), ("03:03:00", "03:57:00", 0, True)]


def test_what_is_not_validated_has_none(trail: Trail, tmp_path: Path, clock: Clock) -> None:
    """And what was delivered meanwhile is not named later."""
    add(trail.database, delivered.row(log_file_validation_enabled=False))
    logs = bucket(tmp_path)
    delivery, made_of = (
        Delivery(trail.database, {"logs": logs}, now=clock),
        Digests(trail.database, trail.ring, {"logs": logs}, 3600, now=clock),
    )
    made_at(trail, clock, delivery, "a")
    clock.at = AT + 2 * HOUR
    all_due(made_of)
    assert found(logs) == []
    with trail.database.write(()) as session:
        session.execute(update(Row).values(log_file_validation_enabled=True))
    made_at(trail, clock, delivery, "b")
    clock.at += HOUR
    all_due(made_of)
    assert periods(logs) == [("05:00:00", "06:00:00", 1, False)]


def test_who_is_killed_has_signed_once(trail: Trail, tmp_path: Path, clock: Clock) -> None:
    add(trail.database, delivered.row())
    logs = bucket(tmp_path)
    clock.at = AT + HOUR

    def killed() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Digests(trail.database, trail.ring, named(logs=Refusing(logs, killed)), 3600, now=clock).once("t-1")
    clock.at += timedelta(minutes=7)
    all_due(Digests(trail.database, trail.ring, {"logs": logs}, 3600, now=clock))
    assert periods(logs) == [("03:02:01", "04:00:00", 0, False)]


def test_a_bucket_that_fails_is_told(trail: Trail, tmp_path: Path, clock: Clock) -> None:
    """And what was planned for it goes where the trail's files go then, under its new name."""
    add(trail.database, delivered.row())
    clock.at = AT + HOUR
    with pytest.raises(NotDelivered):
        Digests(trail.database, trail.ring, {"logs": Folder("logs", tmp_path / "nowhere")}, 3600, now=clock).once("t-1")
    assert stored(trail.database).latest_digest_error == "NoSuchBucket"
    with trail.database.write(()) as session:
        session.execute(update(Row).values(s3_bucket_name="others"))
    others = bucket(tmp_path, "others")
    all_due(Digests(trail.database, trail.ring, {"others": others}, 3600, now=clock))
    assert [one["digestS3Bucket"] for one in found(others)] == ["others"]
    assert stored(trail.database).latest_digest_error is None

"""Workers are killed at random under load, whoever of them delivers a trail: each acknowledged write is in one file of its bucket, once."""

import gzip
import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from sekisho.journal.trail import digests, files, keys
from sekisho.store import db
from sekisho.store.tables import TrailFile, TrailKey, User
from sekisho.store.tables.trail_files import PLANNED
from tests.faults.test_ledger import Ledger, kill_at_random, running, wait_for
from tests.faults.test_workers import until
from tests.served import serving

pytestmark = pytest.mark.faults

WRITERS = 3
PROGRAM = """
import os
import sys
from pathlib import Path
from sekisho.node.options import Options
from sekisho.node.run import serve
trail = {"trail_buckets": ("logs=file://" + os.environ["BUCKET"],), "trail_delivery": 1, "trail_digests": 1}
anywhere = {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0"}
sys.exit(serve(Options(data_dir=Path(sys.argv[1]), database=sys.argv[2], **anywhere, workers=int(sys.argv[3]), **trail)))
"""


def read(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()))


def hashed(path: Path) -> str:
    """The hash that digest files have of a file."""
    return files.sha256(gzip.decompress(path.read_bytes()))


def delivered(bucket: Path) -> list[dict[str, Any]]:
    """The events of all files."""
    return [event for path in bucket.rglob("*_CloudTrail_*.gz") for event in read(path)["Records"]]


def made(bucket: Path) -> list[str]:
    """The users that events say were made, as often as they say it."""
    created = (event for event in delivered(bucket) if event["eventName"] == "CreateUser" and "errorCode" not in event)
    return [event["requestParameters"]["userName"] for event in created]


def verified(bucket: Path, public: dict[str, bytes]) -> Counter[str]:
    """The keys that digest files name, as often as they do; the signature of each and what it says of files are right."""
    named: Counter[str] = Counter()
    for path in bucket.rglob("*_CloudTrail-Digest_*.gz"):
        content = gzip.decompress(path.read_bytes())
        digest, said = json.loads(content), json.loads(path.with_name(path.name + ".sig").read_text())
        assert digest["digestS3Object"] == str(path.relative_to(bucket))
        text = digests.signed_text(
            digest["digestEndTime"], digest["digestS3Bucket"], digest["digestS3Object"], content, digest["previousDigestSignature"]
        )
        assert keys.is_signed(public[digest["digestPublicKeyFingerprint"]], text, said["signature"])
        if digest["previousDigestS3Object"] is not None:
            assert (
                files.sha256(gzip.decompress((bucket / digest["previousDigestS3Object"]).read_bytes())) == digest["previousDigestHashValue"]
            )
        for file in digest["logFiles"]:
            assert files.sha256(gzip.decompress((bucket / file["s3Object"]).read_bytes())) == file["hashValue"]
            named[file["s3Object"]] += 1
    return named


def test_each_write_is_delivered_once(database_url: str, tmp_path: Path) -> None:
    ledger, bucket = Ledger(), tmp_path / "bucket"
    bucket.mkdir()
    with serving(database_url, tmp_path, workers=2, program=PROGRAM, environment={"BUCKET": str(bucket)}) as served:
        served.call("CreateTrail", name="mine", s3_bucket_name="logs", enable_log_file_validation=True)
        served.call("StartLogging", name="mine")
        with running(*(partial(ledger.writes, served, number) for number in range(WRITERS))):
            kill_at_random(served, lambda: len(ledger.acknowledged))
            wait_for(lambda: len(ledger.acknowledged), 5, "nobody writes")
        until(lambda: ledger.acknowledged <= set(made(bucket)), "what was acknowledged is not delivered")
        with db.Database(database_url) as database:
            until(lambda: not pending(database), "something is never delivered")
        until(lambda: any(read(path)["logFiles"] for path in bucket.rglob("*_CloudTrail-Digest_*.gz")), "no digest file names a file")
        assert served.stop() == 0
    with db.Database(database_url) as database, database.read() as session:
        users = set(session.scalars(select(User.name)))
        rows = {row.key: row for row in session.scalars(select(TrailFile))}
        public = {row.fingerprint: row.public_key for row in session.scalars(select(TrailKey))}
    counted = Counter(made(bucket))
    assert ledger.acknowledged <= counted.keys(), "lost"
    assert counted.keys() <= users, "made up"
    assert set(counted.values()) == {1}, "delivered twice"
    assert max(Counter(event["eventID"] for event in delivered(bucket)).values()) == 1
    held = {str(path.relative_to(bucket)): path for path in bucket.rglob("*_CloudTrail_*.gz")}
    assert held.keys() == {key for key, row in rows.items() if row.content is None}
    for key, path in held.items():
        assert hashed(path) == rows[key].hash
    named = verified(bucket, public)
    assert named
    assert set(named.values()) == {1}
    assert named.keys() <= held.keys()


def pending(database: db.Database) -> bool:
    """True while a file is planned and not yet delivered."""
    with database.read() as session:
        return bool(session.scalars(select(TrailFile.id).where(TrailFile.state == PLANNED)).first())

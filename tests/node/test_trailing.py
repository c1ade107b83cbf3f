"""The work of a server on the trail, beside its calls."""

import json
import signal
import threading
from pathlib import Path

import pytest

from sekisho.credentials.key_ring import KeyRing
from sekisho.errors import FailedPrecondition, InvalidArgument
from sekisho.journal.trail import evidence
from sekisho.journal.trail.evidence import Wanted, Witness
from sekisho.journal.trail.retention import Retention
from sekisho.node import trailing
from sekisho.node.options import Options
from sekisho.node.trailing import Trailing
from sekisho.store import db
from tests.faults.test_workers import until
from tests.journal.trail.records import Trail, made
from tests.served import serving

PROGRAM = """
import sys
from pathlib import Path
from sekisho.node.options import Options
from sekisho.node.run import serve
data = Path(sys.argv[1])
anywhere = {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0"}
trail = {"trail_checkpoints": data.parent / "published", "trail_checkpoint_seconds": 1, "audit_sink": str(data.parent / "audit.jsonl")}
sys.exit(serve(Options(data_dir=data, database=sys.argv[2], workers=int(sys.argv[3]), **anywhere, **trail)))
"""


def shipped(file: Path) -> list[str]:
    """The names of users whose making was shipped."""
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [event["requestParameters"]["userName"] for event in lines if event["eventName"] == "CreateUser"]


def test_a_server_seals_states_and_ships(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "published").mkdir()
    audit, moved = tmp_path / "audit.jsonl", tmp_path / "moved.jsonl"
    with serving(database_url, tmp_path, workers=1, program=PROGRAM) as served:
        served.write("CreateUser", user_name="ann")
        until(lambda: shipped(audit) == ["ann"], "nothing is shipped")
        audit.rename(moved)
        served.process.send_signal(signal.SIGHUP)
        until(audit.exists, "the file is not opened again")
        served.write("CreateUser", user_name="bob")
        until(lambda: shipped(audit) == ["bob"], "nothing is shipped into the new file")
        until(lambda: list((tmp_path / "published").glob("*.json")), "no checkpoint is published")
        assert served.stop() == 0
    assert shipped(moved) == ["ann"]
    ring = KeyRing.open(tmp_path / "data" / "keyring.json")
    with db.Database(database_url) as database:
        report = evidence.of_database(database, Witness(ring, tmp_path / "published"), Wanted())
    assert (report.faults, report.notes, report.unsealed) == ([], [], 0)
    assert report.checkpoints >= 1


def test_retention_that_takes_long_keeps_nothing_from_being_sealed(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = threading.Event(), threading.Event()

    def takes_long(_self: Retention) -> bool:
        begun.set()
        return not ended.wait(60)

    monkeypatch.setattr(trailing, "INTERVAL", 0.01)
    monkeypatch.setattr(Retention, "once", takes_long)
    with db.Database(database_url) as database:
        trail = Trail(database, KeyRing.create(tmp_path / "keyring.json"))
        with trailing.running(database, trail.ring, Trailing()):
            assert begun.wait(60)
            trail.write(made("a"))
            until(lambda: [record for *_, record in trail.links()] == ["a"], "nothing is sealed")
            ended.set()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"trail_checkpoints": Path("/nowhere/at/all")}, FailedPrecondition, "there is no directory /nowhere/at/all"),
        ({"trail_checkpoint_bucket": "logs"}, InvalidArgument, "there is no --trail-bucket `logs`"),
        ({"audit_sink": "otlp"}, InvalidArgument, "--audit-sink otlp needs a collector"),
        ({"audit_sink": "/nowhere/at/all/x"}, FailedPrecondition, "the audit sink /nowhere/at/all/x cannot be opened"),
        ({"audit_sink": "/tmp/x", "decision_log": "/tmp/x"}, InvalidArgument, "two files"),
    ],
    ids=["directory", "bucket", "collector", "file", "same file"],
)
def test_what_cannot_be_meant_is_refused_before_a_worker_starts(options: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        trailing.refuse_unusable(Options(data_dir=Path("/nowhere"), **options))  # type: ignore[arg-type]


def test_checkpoints_go_into_a_bucket(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    options = Options(data_dir=tmp_path, trail_buckets=(f"logs=file://{tmp_path}/logs",), trail_checkpoint_bucket="logs")
    (put,) = trailing.of(options, 0).publish
    put("000000000001.json", b"{}")
    assert (tmp_path / "logs" / "checkpoints" / "000000000001.json").read_bytes() == b"{}"

"""The decision log: which decisions, with what of them, and what becomes of it when nobody takes the lines."""

import json
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.client import bearer
from sekisho.errors import FailedPrecondition, InvalidArgument
from sekisho.journal import decision_log
from sekisho.journal.decision_log import DecisionLog, Entry
from tests import harness, scraped
from tests.harness import House

POLICY = """{"Version": "2012-10-17", "Statement": [
    {"Sid": "Ship", "Effect": "Allow", "Action": "orders:Ship", "Resource": "*"},
    {"Sid": "Never", "Effect": "Deny", "Action": "orders:Drop", "Resource": "*"}
]}"""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house that logs its decisions to `tmp_path / "decisions"`, and writes them all at its end."""
    with harness.house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as made:
        yield made


def logging(house: House, path: Path, level: str = "all") -> DecisionLog:
    """Have the house log to a file."""
    log = decision_log.lines(str(path), level)
    house.node = replace(house.node, decision_log=log)
    return log


def read(path: Path) -> list[Entry]:
    """The entries in a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_entry_says_who_asked_what_of_whom_and_why_it_was_so(house: House, tmp_path: Path) -> None:
    ann = house.user("ann", POLICY)
    account = house.account_id
    log = logging(house, tmp_path / "decisions")
    asked = house.call("Authorize", action="orders:Ship", resource="order/1", principal_arn=f"arn:aws:iam::{account}:user/ann")
    token = bearer.token(ann, "sekisho", datetime.now(UTC))
    house.call("AuthorizeBatch", requests=[pb.AuthorizeRequest(action="orders:Drop", resource="order/2", bearer_token=token)])
    log.close()
    first, second = read(tmp_path / "decisions")
    assert first.pop("time") > "2026-01-01T00:00:00.000000+00:00"
    assert first.pop("microseconds") > 0
    assert first == {
        "decision_id": asked.decision_id,
        "account": account,
        "caller": f"arn:aws:iam::{account}:root",
        "principal": f"arn:aws:iam::{account}:user/ann",
        "action": "orders:Ship",
        "resource": "order/1",
        "outcome": "Allowed",
        "layer": "identity",
        "matched": [{"layer": "identity", "policy": "inline-0", "version": "", "sid": "Ship", "index": 0}],
        "error": "",
        "revision": asked.revision,
    }
    assert (second["outcome"], second["matched"][0]["sid"], second["resource"]) == ("ExplicitlyDenied", "Never", "order/2")
    assert second["decision_id"].endswith("/0")
    text = (tmp_path / "decisions").read_text()
    assert token not in text
    assert token[40:80] not in text
    assert ann.secret_access_key not in text


def test_one_question_is_one_line_whatever_it_holds(house: House, tmp_path: Path) -> None:
    log = logging(house, tmp_path / "decisions")
    house.call("Authorize", action="orders:Ship", resource='order/\n{"forged": true}\u2028')
    log.close()
    [line, rest] = (tmp_path / "decisions").read_text().split("\n")
    assert rest == ""
    assert json.loads(line)["resource"] == 'order/\n{"forged": true}\u2028'


def test_denies_alone(house: House, tmp_path: Path) -> None:
    log = logging(house, tmp_path / "decisions", "denies")
    house.user("ann")
    arn = f"arn:aws:iam::{house.account_id}:user/ann"
    house.call("Authorize", action="orders:Ship", resource="1")
    house.call("Authorize", action="orders:Ship", resource="2", principal_arn=arn)
    log.close()
    assert [(entry["resource"], entry["outcome"]) for entry in read(tmp_path / "decisions")] == [("2", "ImplicitlyDenied")]


class Kept:
    """A sink that keeps entries; while it is blocked, it takes none."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, entries: Sequence[Entry]) -> None:
        assert self.go.wait(60)
        self.entries += entries


def entry(number: int) -> Entry:
    return {"number": number}


def test_a_sample_takes_its_share_and_decides_by_the_id_alone() -> None:
    log = DecisionLog(Kept(), "1/10")
    ids = [f"0aefc5d8-{number:027x}" for number in range(10_000)]
    taken = [id_ for id_ in ids if log.wants(id_, allowed=True)]
    assert 800 < len(taken) < 1200
    assert taken == [id_ for id_ in ids if log.wants(id_, allowed=False)]
    log.close()


def test_a_slow_sink_costs_lines_that_are_counted_and_no_call_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_log, "MOST", 10)
    sink = Kept()
    sink.go.clear()
    log = DecisionLog(sink)
    dropped = scraped.value("sekisho_decision_log_dropped_total", reason="queue")
    written = scraped.value("sekisho_decision_log_written_total")
    for number in range(10_000):
        log.add(entry, number)
    lost = scraped.value("sekisho_decision_log_dropped_total", reason="queue") - dropped
    assert 10_000 - decision_log.BATCH - 10 <= lost <= 10_000 - 10
    sink.go.set()
    log.close()
    assert len(sink.entries) == 10_000 - lost
    assert scraped.value("sekisho_decision_log_written_total") - written == 10_000 - lost


def test_a_sink_that_fails_is_counted_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    failing, failed = threading.Event(), threading.Event()
    failing.set()

    def sink(entries: Sequence[Entry]) -> None:
        if failing.is_set():
            failed.set()
            raise OSError(28, "No space left on device")
        kept(entries)

    log = DecisionLog(sink)
    dropped = scraped.value("sekisho_decision_log_dropped_total", reason="sink")
    log.add(entry, 1)
    assert failed.wait(60)
    failing.clear()
    log.add(entry, 2)
    log.close()
    assert kept.entries[-1] == {"number": 2}
    assert scraped.value("sekisho_decision_log_dropped_total", reason="sink") == dropped + 2 - len(kept.entries)


def test_a_sink_that_fails_again_and_again_is_told_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_log, "log", structlog.get_logger())  # one that no test has used: its processors are those of now
    asked = threading.Semaphore(0)

    def sink(entries: Sequence[Entry]) -> None:
        asked.release()
        if entries[0]["number"] != 2:
            raise OSError(28, "No space left on device")

    with structlog.testing.capture_logs() as logs:
        log = DecisionLog(sink)
        for number in range(5):  # each when the one before was taken, so that no two go together
            log.add(entry, number)
            assert asked.acquire(timeout=60)
        log.close()
    said = {"event": "decision_log.failing", "error": "No space left on device", "log_level": "error"}
    assert logs == [said, said]  # for the first two, and for those after the third


def test_a_line_that_was_cut_off_does_not_spoil_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = decision_log.Lines(str(tmp_path / "decisions"))
    real = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) > 5:
            return real(file, data[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        sink([{"n": 1}])
    monkeypatch.setattr(os, "write", real)
    sink([{"number": 2}, {"number": 3}])
    assert (tmp_path / "decisions").read_text() == '{"n":\n{"number":2}\n{"number":3}\n'


def test_a_file_that_was_moved_away_is_left_alone_after_it_is_reopened(tmp_path: Path) -> None:
    sink = decision_log.Lines(str(tmp_path / "decisions"))
    sink([{"number": 1}])
    (tmp_path / "decisions").rename(tmp_path / "decisions.1")
    sink([{"number": 2}])
    sink.reopen()
    sink([{"number": 3}])
    assert [one["number"] for one in read(tmp_path / "decisions.1")] == [1, 2]
    assert [one["number"] for one in read(tmp_path / "decisions")] == [3]
    assert (tmp_path / "decisions").stat().st_mode & 0o777 == 0o600


def test_reopening_leaves_no_file_open(tmp_path: Path) -> None:
    path, own = tmp_path / "decisions", Path("/proc/self/fd")
    sink = decision_log.Lines(str(path))
    for _ in range(5):
        sink.reopen()
    held = [descriptor for descriptor in own.iterdir() if os.path.lexists(descriptor) and os.path.realpath(descriptor) == str(path)]
    assert len(held) == 1


def test_a_file_that_cannot_be_reopened_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_log, "log", structlog.get_logger())
    folder = tmp_path / "logs"
    folder.mkdir()
    sink = decision_log.Lines(str(folder / "decisions"))
    folder.rename(tmp_path / "moved")
    with structlog.testing.capture_logs() as logs:
        sink.reopen()
    assert [said["event"] for said in logs] == ["decision_log.not_reopened"]
    sink([{"number": 1}])
    assert read(tmp_path / "moved" / "decisions") == [{"number": 1}]


def test_a_file_that_cannot_be_opened_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match=r"the decision log .* cannot be opened: No such file or directory"):
        decision_log.Lines(str(tmp_path / "nowhere" / "decisions"))


@pytest.mark.parametrize("level", ["", "some", "1/0", "2/3", "1/-5", "1/1000000000000", "ALL"])
def test_a_level_that_says_nothing_is_refused(level: str) -> None:
    with pytest.raises(InvalidArgument, match="--decision-log-level is all, denies, or a share such as 1/100"):
        decision_log.parsed(level)


@pytest.mark.parametrize(("level", "expected"), [("all", (False, 1)), ("denies", (True, 1)), ("1/100", (False, 100)), ("1/1", (False, 1))])
def test_levels(level: str, expected: Any) -> None:
    assert decision_log.parsed(level) == expected


def test_standard_output_takes_whole_lines_as_many_as_a_pipe_takes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers share a pipe, which takes no more than 4,096 bytes without those of another in between."""
    written: list[bytes] = []

    def write(_: int, data: bytes) -> int:
        written.append(data)
        return len(data)

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr("sys.stdout", sys.__stdout__)  # which has a file, as pytest's has not
    sizes = [1000, 1000, 1000, 1000, 1000, 5000, 96, 4000]
    decision_log.Lines(decision_log.STDOUT)([{"x": "y" * (size - len('{"x":""}\n'))} for size in sizes])
    assert [len(data) for data in written] == [4000, 1000, 5000, 4096]
    assert all(data.endswith(b"\n") for data in written)

"""Shipping and export: nothing is left out, whoever is killed."""

import json
from pathlib import Path
from typing import Any

import pytest

from sekisho.errors import FailedPrecondition
from sekisho.journal.decision_log import Lines
from sekisho.journal.trail import checkpoints, evidence, export, shipping
from sekisho.journal.trail.checkpoints import Checkpoints
from sekisho.journal.trail.evidence import Witness
from sekisho.journal.trail.shipping import Shipping
from tests.journal.trail.records import ONE, Trail, made


def ids(file: Path) -> list[str]:
    return [json.loads(line)["eventID"] for line in file.read_text().splitlines()]


def every(count: int) -> list[str]:
    return sorted(f"r-{number}" for number in range(count))


def test_each_event_once_in_order(trail: Trail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "BATCH", 4)
    trail.fill(10)
    trail.seal()
    file = tmp_path / "audit.jsonl"
    ship = Shipping(trail.database, Lines(str(file), lasting=True))
    assert [ship.once() for _ in range(3)] == [True, True, False]
    assert sorted(ids(file)) == every(10)
    ship.close()
    trail.write(made("later"))
    trail.seal()
    other = Shipping(trail.database, Lines(str(file), lasting=True))
    other.once()
    other.close()
    assert ids(file)[10:] == ["later"]


def test_a_sink_that_fails_is_given_the_same_again(trail: Trail) -> None:
    trail.fill(3)
    trail.seal()
    taken: list[Any] = []

    def fails(events: Any) -> None:
        taken.append([event["eventID"] for event in events])
        if len(taken) == 1:
            raise OSError("the disk is full")

    ship = Shipping(trail.database, fails)
    with pytest.raises(OSError, match="full"):
        ship.once()
    ship.once()
    ship.once()
    ship.close()
    assert len(taken) == 2
    assert taken[0] == taken[1]


def test_one_process_ships_at_a_time(trail: Trail) -> None:
    trail.fill(3)
    trail.seal()
    taken: list[Any] = []
    one, two = (Shipping(trail.database, lambda events, name=name: taken.append(name)) for name in ("one", "two"))  # type: ignore[misc]
    one.once()
    trail.write(made("later"))
    trail.seal()
    assert two.once() is False
    one.close()
    two.once()
    two.close()
    assert taken == ["one", "two"]


def test_a_line_that_was_cut_off_is_ended_first(trail: Trail, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_text('{"eventID": "r-0", "cut')
    trail.fill(1)
    trail.seal()
    ship = Shipping(trail.database, Lines(str(file), lasting=True))
    ship.once()
    ship.close()
    cut, line = file.read_text().splitlines()
    assert (cut, json.loads(line)["eventID"]) == ('{"eventID": "r-0", "cut', "r-0")


def test_a_protocol_without_nulls() -> None:
    assert shipping.said({"a": None, "b": {"c": None, "d": [1, None, {"e": None}]}}) == {"b": {"d": [1, {}]}}


def test_an_export_of_records_is_verified_without_a_database(trail: Trail, tmp_path: Path) -> None:
    trail.fill(9)
    trail.seal()
    file, state = tmp_path / "records.jsonl", tmp_path / "state"
    assert export.lines(trail.database, file, lambda _: None, form="records", account="", state=state) == 9
    trail.write(made("later"))
    trail.seal()
    with file.open("ab") as killed:
        killed.write(b'{"half')  # what is after the size that the state says is written anew
    assert export.lines(trail.database, file, lambda _: None, form="records", account="", state=state) == 1
    report = evidence.of_export(file, Witness(trail.ring))
    assert (report.faults, report.links, report.proven) == ([], 10, True)
    lines = file.read_text().splitlines()
    for change in (
        lines[:4] + lines[5:],
        [*lines[:4], lines[5], lines[4], *lines[6:]],
        [line.replace("192.0.2.1", "192.0.2.2", 1) for line in lines],
    ):
        file.write_text("\n".join(change) + "\n")
        assert evidence.of_export(file, Witness(trail.ring)).faults != []


def test_an_export_of_one_account(trail: Trail, tmp_path: Path) -> None:
    trail.fill(9)
    trail.seal()
    file = tmp_path / "records.jsonl"
    assert export.lines(trail.database, file, lambda _: None, form="records", account=ONE, state=None) == 5
    assert (evidence.of_export(file, Witness(trail.ring)).faults, evidence.of_export(file, Witness(trail.ring)).accounts) == ([], 1)


def test_an_export_that_says_it_is_partial_is_verified_whole(trail: Trail, tmp_path: Path) -> None:
    """Nobody has signed its first line: who cuts the end off says there what he likes."""
    mine = Checkpoints(trail.database, trail.ring, publish=[checkpoints.folder(tmp_path)], now=lambda: trail.now)
    trail.fill(9)
    trail.seal()
    mine.once()
    mine.publish()
    file = tmp_path / "records.jsonl"
    export.lines(trail.database, file, lambda _: None, form="records", account="", state=None)
    head, *lines = file.read_text().splitlines()
    file.write_text("\n".join([head.replace('"partial":false', '"partial":true'), *lines[:-1]]) + "\n")
    assert '"partial":true' in file.read_text()
    (fault,) = evidence.of_export(file, Witness(trail.ring, tmp_path)).faults
    assert fault.wrong == "checkpoint 1 has seen this link, and the chain ends at 4"


def test_an_export_goes_on_in_no_other_file(trail: Trail, tmp_path: Path) -> None:
    trail.fill(3)
    trail.seal()
    file, state = tmp_path / "events.jsonl", tmp_path / "state"

    def run() -> int:
        return export.lines(trail.database, file, lambda _: None, form="events", account="", state=state)

    file.write_text("somebody's own\n")
    with pytest.raises(FailedPrecondition, match="is there already"):
        run()
    assert file.read_text() == "somebody's own\n"
    file.unlink()
    assert run() == 3
    file.rename(tmp_path / "moved")
    with pytest.raises(FailedPrecondition, match="is shorter than when the export before it ended"):
        run()
    assert not file.exists()


def test_events_are_not_written_over_a_file(trail: Trail, tmp_path: Path) -> None:
    trail.fill(3)
    trail.seal()
    file = tmp_path / "events.jsonl"
    assert export.lines(trail.database, file, lambda _: None, form="events", account="", state=None) == 3
    assert sorted(ids(file)) == every(3)
    with pytest.raises(FailedPrecondition, match="is there already"):
        export.lines(trail.database, file, lambda _: None, form="events", account="", state=None)
    written: list[bytes] = []
    assert export.lines(trail.database, None, written.append, form="events", account="", state=None) == 3
    assert b"".join(written) == file.read_bytes()


def test_parquet_has_the_columns(trail: Trail, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is the extra `parquet`")
    trail.fill(9)
    trail.seal()
    file, state = tmp_path / "one.parquet", tmp_path / "state"
    assert export.parquet(trail.database, file, account="", state=state) == 9
    rows = parquet.read_table(file).to_pylist()
    assert sorted(row["id"] for row in rows) == every(9)
    assert [row["ordinal"] for row in rows] == list(range(1, 10))
    assert {row["at"].utcoffset().total_seconds() for row in rows} == {0.0}
    assert export.parquet(trail.database, tmp_path / "two.parquet", account="", state=state) == 0

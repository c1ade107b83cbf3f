"""Checkpoints: signed, in order, bounded, and outside the database."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from sekisho.journal.trail import checkpoints, keys, statements
from sekisho.journal.trail.checkpoints import Checkpoints
from sekisho.store.tables import TrailCheckpoint
from tests.journal.trail.records import NOW, ONE, TWO, Trail, made


def contents(trail: Trail) -> list[dict[str, Any]]:
    with trail.database.read() as session:
        return [json.loads(row.content) for row in session.scalars(select(TrailCheckpoint).order_by(TrailCheckpoint.number))]


def maker(trail: Trail, folder: Path | None = None) -> Checkpoints:
    publish = [checkpoints.folder(folder)] if folder is not None else []
    return Checkpoints(trail.database, trail.ring, publish=publish, now=lambda: trail.now)


def test_one_a_minute_when_something_is_new(trail: Trail) -> None:
    mine = maker(trail)
    assert mine.once() is False
    assert contents(trail) == []
    trail.fill(5)
    trail.seal()
    mine.once()
    mine.once()
    first = contents(trail)
    assert [(said["number"], said["ordinal"], said["before"], said["part"], said["parts"]) for said in first] == [(1, 5, "", 1, 1)]
    assert [head[:2] for head in first[0]["heads"]] == [[ONE, 3], [TWO, 2]]
    trail.write(made("late", TWO))
    trail.seal()
    trail.now = NOW + timedelta(seconds=59.9)
    mine.once()
    assert len(contents(trail)) == 1
    trail.now = NOW + timedelta(seconds=60)
    mine.once()
    second = contents(trail)[1]
    assert [head[:2] for head in second["heads"]] == [[TWO, 3]]
    assert (second["number"], second["ordinal"], len(str(second["before"]))) == (2, 6, 64)
    trail.now = NOW + timedelta(hours=1)
    mine.once()
    assert len(contents(trail)) == 2


def test_many_heads_are_parts_of_the_same_time(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "MOST_HEADS", 2)
    trail.fill(5, [f"{number:012}" for number in range(5)])
    trail.seal()
    maker(trail).once()
    said = contents(trail)
    assert [(part["number"], part["part"], part["parts"], len(part["heads"])) for part in said] == [
        (1, 1, 3, 2),
        (2, 2, 3, 2),
        (3, 3, 3, 1),
    ]
    assert {part["ordinal"] for part in said} == {5}


def test_a_long_trail_is_stated_step_by_step(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "MOST_ORDINALS", 4)
    trail.fill(10)
    trail.seal()
    mine = maker(trail)
    assert [mine.once(), mine.once(), mine.once(), mine.once()] == [True, True, False, False]
    assert [said["ordinal"] for said in contents(trail)] == [4, 8]
    trail.now = NOW + timedelta(seconds=60)
    mine.once()
    assert [said["ordinal"] for said in contents(trail)] == [4, 8, 10]


def test_two_who_make_one_at_once_make_one(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    trail.fill(3)
    trail.seal()
    current = keys.current

    def slow(*arguments: object) -> object:
        monkeypatch.setattr(keys, "current", current)
        maker(trail).once()
        return current(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(keys, "current", slow)
    late = maker(trail)
    late.once()
    late.once()
    assert [said["number"] for said in contents(trail)] == [1]


def test_published_with_the_key_that_proves_it(trail: Trail, tmp_path: Path) -> None:
    folder = tmp_path / "published"
    folder.mkdir()
    mine = maker(trail, folder)
    for minute in range(3):
        trail.now = NOW + timedelta(minutes=minute)
        trail.write(made(f"r-{minute}"))
        trail.seal()
        mine.once()
        mine.publish()
    found, public, faults = statements.of_folder(folder)
    assert (faults, [statement.number for statement in found], len(public)) == ([], [1, 2, 3], 1)
    assert list(statements.checked(found, public)) == []
    assert sorted(file.name for file in folder.glob("*.json")) == ["000000000001.json", "000000000002.json", "000000000003.json"]


def test_what_cannot_be_published_is_published_later(trail: Trail, tmp_path: Path) -> None:
    folder = tmp_path / "published"
    mine = maker(trail, folder)
    trail.fill(3)
    trail.seal()
    mine.once()
    with pytest.raises(FileNotFoundError):
        mine.publish()
    assert checkpoints.WAITING.labels().numbers[0] == 1.0
    folder.mkdir()
    mine.publish()
    mine.publish()
    assert checkpoints.WAITING.labels().numbers[0] == 0.0
    assert len(list(folder.glob("*.json"))) == 1


def test_killed_between_the_file_and_the_row_it_is_published_again(trail: Trail, tmp_path: Path) -> None:
    mine = maker(trail, tmp_path)
    trail.fill(3)
    trail.seal()
    mine.once()
    mine.publish()
    with trail.database.write(()) as session:
        session.execute(update(TrailCheckpoint).values(published_at=None))
    mine.publish()
    with trail.database.read() as session:
        assert session.scalars(select(TrailCheckpoint.published_at)).all() == [NOW]


def test_another_history_is_not_published_over_the_first(trail: Trail, tmp_path: Path) -> None:
    mine = maker(trail, tmp_path)
    trail.fill(3)
    trail.seal()
    (tmp_path / "000000000001.json").write_text("{}")
    mine.once()
    with pytest.raises(FileExistsError, match="says something else"):
        mine.publish()
    assert (tmp_path / "000000000001.json").read_text() == "{}"

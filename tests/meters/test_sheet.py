"""Numbers of all workers: what one counts, all show; who takes a dead worker's place goes on where that one stopped."""

import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from sekisho import meters
from sekisho.meters import exposition, metrics, sheet
from tests import scraped

PEARS = meters.Counter("test_pears", "Pears.", ["kind"])
WEIGHT = meters.Histogram("test_weight", "Weight of pears.", ["kind"], bounds=(1.0, 2.0))
BASKET = meters.Gauge("test_basket", "Pears in the basket.")
PICKED = meters.Age("test_picked_seconds", "Since the last was picked.")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder, where nobody keeps anything any more when the test ends."""
    yield tmp_path / "meters"
    meters.SHEET.leave()


def shown(name: str, **labels: str) -> list[tuple[dict[str, str], float]]:
    """The samples of a name with these labels."""
    samples = scraped.page(exposition.page().decode())
    return [(others, value) for found, others, value in samples if found == name and labels.items() <= others.items()]


def test_a_page_says_what_was_counted() -> None:
    PEARS.labels("page").inc()
    PEARS.labels("page").inc(2)
    for weight in (0.5, 1.0, 1.5, 7.0):
        WEIGHT.labels("page").observe(weight)
    assert shown("test_pears_total", kind="page") == [({"kind": "page"}, 3.0)]
    assert [(labels["le"], value) for labels, value in shown("test_weight_bucket", kind="page")] == [
        ("1.0", 2.0),
        ("2.0", 3.0),
        ("+Inf", 4.0),
    ]
    assert shown("test_weight_sum", kind="page") == [({"kind": "page"}, 10.0)]
    assert shown("test_weight_count", kind="page") == [({"kind": "page"}, 4.0)]


def worker(folder: Path, index: int, pipe: Connection) -> None:
    """A worker that counts, and then waits to be killed."""
    meters.SHEET.keep(folder, index)
    PEARS.labels("shared").inc(10)
    WEIGHT.labels("shared").observe(1.5)
    BASKET.set(4 + index)
    PICKED.mark(ago=1000.0 * (index + 1))
    pipe.send("counted")
    pipe.recv()


def counted(folder: Path, index: int) -> None:
    """Have a worker count in this place, and die."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=worker, args=(folder, index, theirs))
    process.start()
    assert ours.poll(120)
    assert ours.recv() == "counted"
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def test_what_dead_workers_counted_neither_vanishes_nor_doubles(folder: Path) -> None:
    meters.SHEET.keep(folder, 0)
    PEARS.labels("shared").inc()
    for number in range(1, 3):
        counted(folder, 1)
        assert shown("test_pears_total", kind="shared") == [({"kind": "shared"}, 1.0 + 10 * number)]
        assert shown("test_weight_count", kind="shared") == [({"kind": "shared"}, number)]
    counted(folder, 2)
    assert shown("test_pears_total", kind="shared") == [({"kind": "shared"}, 31.0)]
    assert [value for labels, value in shown("test_weight_bucket", kind="shared", le="2.0")] == [3.0]


def test_gauges_and_ages_are_of_each_worker(folder: Path) -> None:
    meters.SHEET.keep(folder, 0)
    counted(folder, 1)
    assert shown("test_basket") == [({"worker": "1"}, 5.0)], "worker 0 has not said anything"
    BASKET.set(1)
    BASKET.inc()
    assert shown("test_basket") == [({"worker": "0"}, 2.0), ({"worker": "1"}, 5.0)]
    [(labels, age)] = shown("test_picked_seconds")
    assert labels == {"worker": "1"}
    assert age >= 2000.0


def test_what_was_counted_before_there_was_a_place_counts_too(folder: Path) -> None:
    PEARS.labels("early").inc(5)
    BASKET.set(7)
    meters.SHEET.keep(folder, 0)
    PEARS.labels("early").inc()
    assert shown("test_pears_total", kind="early") == [({"kind": "early"}, 6.0)]
    meters.SHEET.leave()
    assert shown("test_pears_total", kind="early") == [({"kind": "early"}, 6.0)]
    meters.SHEET.keep(folder, 1)
    assert ({"worker": "1"}, 7.0) in shown("test_basket")


def test_a_server_begins_at_zero(folder: Path) -> None:
    counted(folder, 1)
    meters.clear(folder)
    meters.SHEET.keep(folder, 0)
    assert list(folder.iterdir()) == [folder / "0"]


def test_a_disk_without_room_costs_the_sum_and_not_the_worker(tmp_path: Path) -> None:
    (tmp_path / "meters").write_text("a file, where a folder should be")
    meters.SHEET.keep(tmp_path / "meters", 0)
    PEARS.labels("homeless").inc()
    assert shown("test_pears_total", kind="homeless") == [({"kind": "homeless"}, 1.0)]


def test_a_full_file_leaves_what_finds_no_room_in_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "SIZE", 64)
    meters.SHEET.keep(folder, 0)
    PEARS.labels("x" * 100).inc(3)
    assert shown("test_pears_total", kind="x" * 100) == [({"kind": "x" * 100}, 3.0)]


def test_labels_without_end_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST", 2)
    many = meters.Counter("test_many", "Of many names.", ["name"])
    for number in range(50):
        many.labels(f"name-{number}").inc()
    assert shown("test_many_total") == [({"name": "name-0"}, 1.0), ({"name": "name-1"}, 1.0), ({"name": "other"}, 48.0)]


def test_no_increment_is_lost_between_threads(folder: Path) -> None:
    meters.SHEET.keep(folder, 0)
    series, spread = PEARS.labels("threads"), WEIGHT.labels("threads")

    def count() -> None:
        for _ in range(5000):
            series.inc()
            spread.observe(1.0)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shown("test_pears_total", kind="threads")[0][1] == 40_000.0
    assert shown("test_weight_sum", kind="threads")[0][1] == 40_000.0


def test_a_gauge_that_says_nothing_is_not_shown() -> None:
    quiet = meters.Gauge("test_quiet", "Nothing.", ["place"])
    quiet.labels("here")
    assert shown("test_quiet") == []
    quiet.labels("here").set(math.pi)
    assert shown("test_quiet") == [({"place": "here", "worker": "0"}, math.pi)]


def test_a_name_is_declared_once_and_its_labels_are_all_given() -> None:
    with pytest.raises(ValueError, match="two metrics `test_pears`"):
        meters.Counter("test_pears", "Again.")
    with pytest.raises(ValueError, match="`test_pears` has the labels kind"):
        PEARS.labels("a", "b")

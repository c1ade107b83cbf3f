"""Entries that tests of the spool write, conditions that they wait for, and counts."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

from sekisho.journal.spool import Entry
from tests import scraped


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the writer's thread does."""
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)


def dropped(reason: str) -> float:
    """The denials that the metric counts so far."""
    return scraped.value("sekisho_spool_dropped_total", kind="audit", reason=reason)


def denial(number: int, name: str, account: str = "one") -> Entry:
    record = {"id": f"call {number}", "at": datetime.now(UTC).isoformat(), "request": '{"userName": "ann"}'}
    return Entry("audit", json.dumps(record), account=account, alike=("AIDA1", name, "AccessDenied"))

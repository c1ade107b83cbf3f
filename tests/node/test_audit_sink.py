"""`--audit-sink otlp` with a collector that is there, away, and there again: every event arrives, whoever ends meanwhile."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from sekisho.store import db
from sekisho.store.tables import AuditRecord, TrailCursor, TrailLink
from tests.node.collector import Collector, collecting, until
from tests.served import PROGRAM, serving

SINK = PROGRAM.replace("argv[3])))", 'argv[3]), audit_sink="otlp"))')
QUIET = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
"""Nothing but the sink, which gives up after a second what the collector does not take."""


def value(one: Any) -> Any:
    """A value of OTLP as JSON has it."""
    kind = one.WhichOneof("value")
    if kind == "kvlist_value":
        return {each.key: value(each.value) for each in one.kvlist_value.values}
    if kind == "array_value":
        return [value(each) for each in one.array_value.values]
    return getattr(one, kind)


def events(*collected: Collector) -> list[dict[str, Any]]:
    """The events that collectors have taken, in the order in which they came."""
    return [value(record.body) for one in collected for record in one.records()]


def ids(database: db.Database) -> list[str]:
    """The ids of all records, in the order of the trail."""
    with database.read() as session:
        return list(session.scalars(select(TrailLink.record_id).order_by(TrailLink.ordinal)))


def is_all_shipped(database: db.Database) -> bool:
    """True when nothing waits: each record has its link, and the cursor of the sink stands at the last of them."""
    with database.read() as session:
        newest = session.scalar(select(func.max(TrailLink.ordinal))) or 0
        cursor = session.get(TrailCursor, "sink")
        records = session.scalar(select(func.count()).select_from(AuditRecord))
        return cursor is not None and cursor.position == newest == records


@pytest.mark.faults
def test_a_collector_that_was_away_has_every_event(database_url: str, tmp_path: Path) -> None:
    def names(*collected: Collector) -> set[str]:
        made = (one for one in events(*collected) if one["eventName"] == "CreateUser")
        return {one["requestParameters"]["userName"] for one in made}

    with db.Database(database_url) as database:
        with collecting() as first:
            port = int(first.endpoint.rpartition(":")[2])
            environment = {**QUIET, "OTEL_EXPORTER_OTLP_ENDPOINT": first.endpoint}
            with serving(database_url, tmp_path, environment=environment, program=SINK) as served:
                served.call("CreateUser", user_name="before", path="/division/")
                until(lambda: names(first) == {"before"}, "the first event did not come")
                [event] = [one for one in events(first) if one["eventName"] == "CreateUser"]
                [record] = [one for one in first.records() if value(one.body)["eventID"] == event["eventID"]]
                assert (record.event_name, value(record.body)["eventSource"]) == ("sekisho.audit", "iam.amazonaws.com")
                assert event["requestParameters"] == {"userName": "before", "path": "/division/"}
                assert "responseElements" in event
                assert "errorCode" not in event  # OTLP's exporter has no word for null
                first.stop()
                for number in range(30):
                    served.call("CreateUser", user_name=f"away-{number}")
                until(lambda: len(ids(database)) >= 31, "what was recorded is not linked")
                assert not is_all_shipped(database)
                assert served.stop() == 0  # in the middle: what it has not shipped, the next one ships
        with serving(database_url, tmp_path, environment=environment, program=SINK) as served:
            served.call("CreateUser", user_name="away-again")
            with collecting(port) as second:
                until(lambda: "away-again" in names(second), "the collector is there again, and has nothing")
                served.call("CreateUser", user_name="after")
                until(lambda: "after" in names(second), "what comes later does not come")
                until(lambda: is_all_shipped(database), "something is never shipped")
                assert served.stop() == 0
                until(lambda: is_all_shipped(database), "what was recorded at the end is never shipped")
                said = [one["eventID"] for one in events(first, second)]
        recorded = ids(database)
    assert names(first, second) == {"before", "after", "away-again", *(f"away-{number}" for number in range(30))}
    assert list(dict.fromkeys(said)) == recorded, json.dumps([said, recorded])
    again = [id_ for id_, count in Counter(said).items() if count > 1]
    assert again == [], "the collector had answered"

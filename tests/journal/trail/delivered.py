"""Trails as rows, a folder as their bucket, and what lies in it."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sekisho.journal.trail import spans
from sekisho.journal.trail.delivery import Delivery
from sekisho.journal.trail.destinations import Destination
from sekisho.journal.trail.folders import Folder
from sekisho.store import db
from sekisho.store.tables import Account, Trail
from tests.journal.trail.records import NOW, ONE, TWO

BUCKET = "logs"


def bucket(folder: Path, name: str = BUCKET) -> Folder:
    """A folder that is there, as a bucket."""
    (folder / name).mkdir()
    return Folder(name, folder / name)


def row(id_: str = "t-1", account_id: str = ONE, **columns: Any) -> Trail:
    """A trail that logs."""
    return Trail(
        **{
            "id": id_,
            "account_id": account_id,
            "name": id_,
            "home_region": "us-east-1",
            "s3_bucket_name": BUCKET,
            "include_global_service_events": True,
            "is_multi_region_trail": True,
            "is_organization_trail": False,
            "log_file_validation_enabled": True,
            "created_at": NOW,
            "is_logging": True,
            "started_at": NOW,
            "position": 0,
        }
        | columns
    )


def add(database: db.Database, *rows: db.Base) -> None:
    """Write rows, and have trails among them log from NOW on."""
    with database.write(()) as session:
        for account in (ONE, TWO):
            if session.get(Account, account) is None:
                session.add(Account(id=account, name=account, created_at=NOW))
        session.flush()
        for one in rows:
            session.add(one)
            session.flush()
            if isinstance(one, Trail):
                session.add(spans.begun(one.id, NOW))


def stored(database: db.Database, id_: str = "t-1") -> Trail:
    """A trail as the database has it."""
    with database.read() as session:
        found = session.get(Trail, id_)
    assert found is not None
    return found


def events(destination: Folder) -> dict[str, list[str]]:
    """The ids of the events of each file, by the key's end."""
    return {
        str(path.relative_to(destination.path)): [event["eventID"] for event in json.loads(gzip.decompress(path.read_bytes()))["Records"]]
        for path in sorted(destination.path.rglob("*_CloudTrail_*.json.gz"))
    }


def ids(destination: Folder) -> list[str]:
    """The ids of all events, as often as they were delivered."""
    return sorted(id_ for found in events(destination).values() for id_ in found)


@dataclass(slots=True)
class Clock:
    """A clock that stands."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at


def exhaust(delivery: Delivery, id_: str = "t-1") -> None:
    """Deliver all that a trail has."""
    while delivery.once(id_):
        pass


class Refusing:
    """A bucket that does something before it is asked, each time."""

    def __init__(self, inner: Folder, before: Any) -> None:
        self.inner, self.before = inner, before
        self.bucket, self.prefix = inner.bucket, inner.prefix

    def put(self, key: str, body: bytes, metadata: Mapping[str, str] | None = None) -> None:
        """Call, then put."""
        self.before()
        self.inner.put(key, body, metadata)


def named(**destinations: Any) -> Mapping[str, Destination]:
    """Destinations by name."""
    return destinations

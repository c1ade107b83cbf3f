"""Exports of the trail: events as lines of JSON, records with their links as lines of JSON, which `trail verify` takes, or Parquet.

An export goes on where it ended: its state beside it says after which ordinal, and how long the file was then; what a run that was killed
has written after that is written again in its place.
"""

import json
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sekisho.errors import FailedPrecondition
from sekisho.journal.trail import chain, events, evidence, walk
from sekisho.store import db, durable
from sekisho.store.tables import AuditRecord, TrailLink

BATCH = 1000
"""Records that are read at once, in one snapshot of the database."""

Batch = list[tuple[TrailLink, AuditRecord]]


class ParquetMissing(FailedPrecondition):
    """Parquet is asked for and pyarrow is not installed."""


@dataclass(frozen=True, slots=True)
class State:
    """The state of an export: after which ordinal it goes on, and how many bytes of its file count."""

    ordinal: int = 0
    size: int = 0

    @classmethod
    def of(cls, file: Path | None) -> "State":
        """The state in a file; the beginning, when there is none."""
        if file is None or not file.exists():
            return cls()
        try:
            said = json.loads(file.read_bytes())
            return cls(int(said["ordinal"]), int(said["size"]))
        except (ValueError, TypeError, LookupError):
            raise FailedPrecondition(f"{file} does not say how far an export has come") from None

    def keep(self, file: Path | None) -> None:
        """Write it."""
        if file is not None:
            durable.write_file(file, json.dumps({"ordinal": self.ordinal, "size": self.size}).encode(), mode=0o600)


def batches(database: db.Database, after: int, account: str) -> Iterator[Batch]:
    """The records after an ordinal, with their links; of one account, or of all."""
    accounts: Collection[str] | None = [account] if account else None
    while True:
        with database.read() as session:
            rows = walk.links_after(session, after, accounts=accounts, limit=BATCH)
        if not rows:
            return
        after = rows[-1][0].ordinal
        yield [(link, record) for link, record in rows if record is not None]


def lines(database: db.Database, file: Path | None, put: Callable[[bytes], Any], *, form: str, account: str, state: Path | None) -> int:
    """Write lines of JSON, of `form` events or records, to a file from where it ended, or to `put`; how many they were."""
    at = State.of(state)
    if file is None:
        return sum(_written(rows, put, form) for rows in _headed(database, at, put, form, account))
    size = file.stat().st_size if file.exists() else 0
    if size and (state is None or not state.exists()):
        raise FailedPrecondition(f"{file} is there already; name another, or a --state with which it goes on")
    if size < at.size:
        raise FailedPrecondition(f"{file} is shorter than when the export before it ended: it is not the file that {state} is about")
    at.keep(state)  # of the beginning, too: so what a killed run has written is known for its own
    count = 0
    with file.open("ab") as appended:
        os.fchmod(appended.fileno(), 0o600)
        appended.truncate(at.size)
        for rows in _headed(database, at, appended.write, form, account):
            count += _written(rows, appended.write, form)
            appended.flush()
            os.fsync(appended.fileno())
            State(rows[-1][0].ordinal, appended.tell()).keep(state)
    return count


def _headed(database: db.Database, at: State, put: Callable[[bytes], Any], form: str, account: str) -> Iterator[Batch]:
    if form == "records" and at.ordinal == 0:
        with database.read() as session:
            put(_encoded(evidence.header(session, account)))
    return (rows for rows in batches(database, at.ordinal, account) if rows)


def _written(rows: Batch, put: Callable[[bytes], Any], form: str) -> int:
    for link, record in rows:
        put(_encoded(evidence.line(link, record) if form == "records" else events.event(record)))
    return len(rows)


def parquet(database: db.Database, file: Path, *, account: str, state: Path | None) -> int:
    """Write a new file of Parquet with the columns of records, from where the export before it ended; how many they were."""
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter
    except ImportError:
        raise ParquetMissing("Parquet is asked for, but pyarrow is not installed: pip install 'sekisho[server,parquet]'") from None
    if file.exists():
        raise FailedPrecondition(f"{file} is there already; each run writes a file of its own")
    at = State.of(state).ordinal
    types = {"ordinal": pa.int64(), "sequence": pa.int64(), "hash": pa.string()}
    schema = pa.schema([*types.items(), *((name, _type(pa, name)) for name in chain.COLUMNS)])
    draft, count = file.with_name(f".{file.name}.part"), 0
    with draft.open("wb") as opened:
        os.fchmod(opened.fileno(), 0o600)
        with ParquetWriter(opened, schema, compression="zstd") as writer:
            for rows in batches(database, at, account):
                made = [_row(link, record) for link, record in rows]
                writer.write_table(pa.Table.from_pylist(made, schema=schema))
                at, count = (rows[-1][0].ordinal if rows else at), count + len(rows)
        opened.flush()
        os.fsync(opened.fileno())
    draft.replace(file)
    State(at).keep(state)
    return count


def _type(pa: Any, name: str) -> Any:
    kinds = {int: pa.int64(), bool: pa.bool_(), str: pa.string()}
    return kinds.get(AuditRecord.__table__.c[name].type.python_type, pa.timestamp("us", tz="UTC"))


def _row(link: TrailLink, record: AuditRecord) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in chain.COLUMNS}
    return {"ordinal": link.ordinal, "sequence": link.sequence, "hash": link.hash, **values}


def _encoded(said: dict[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"

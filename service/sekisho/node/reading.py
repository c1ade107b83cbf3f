"""The start of a node that only reads: it makes nothing, and refuses what does not fit. Without its database it begins from a snapshot."""

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import timedelta
from pathlib import Path

import structlog
from sqlalchemy.orm import Session

from sekisho.credentials import accounts
from sekisho.credentials.key_ring import KeyRing
from sekisho.errors import FailedPrecondition
from sekisho.node.assembly import Kept
from sekisho.node.databases import DatabaseUnusable, opened
from sekisho.node.options import Options
from sekisho.node.roles import ROLES
from sekisho.store import db, grants, schema

OLDEST = timedelta(hours=24)
"""The age of a snapshot that a node begins from, where `--max-staleness` sets no limit."""

PATIENCE = 0.5
"""Seconds that the database has for its first answer, where there is a snapshot to begin from."""

log = structlog.get_logger(__name__)


class KeyRingTooWide(FailedPrecondition):
    """The file of the key ring has keys that a node of this role must not have."""


def ring(options: Options) -> KeyRing:
    """The keys of the role; KeyRingTooWide when the file has others, which somebody who breaks into this node would find."""
    found = KeyRing.open(options.data_dir / "keyring.json", options.master_key, purposes=ROLES[options.role].purposes)
    if found.others:
        raise KeyRingTooWide(
            f"{options.data_dir / 'keyring.json'} has keys that a node of role `{options.role}` must not have "
            f"({', '.join(sorted(found.others))}); make one without them: sekisho keys export FILE --role {options.role}"
        )
    return found


def prepare(options: Options) -> None:
    """Raise for a key ring or a database that does not fit. One that cannot be reached keeps a node from starting that has no snapshot."""
    keys = ring(options)
    if not snapshots(options):
        _check(options, keys)
        return
    done: Future[None] = Future()
    threading.Thread(target=_into, args=(done, options, keys), name="first-look", daemon=True).start()
    try:
        done.result(timeout=PATIENCE)
    except FutureTimeout:
        log.warning("node.database_silent_at_start")
    except DatabaseUnusable as error:
        log.warning("node.database_unusable_at_start", error=error.message)


def kept(options: Options, keys: KeyRing, index: int) -> Kept:
    """How worker number `index` keeps its memory."""
    folder(options).mkdir(mode=0o700, exist_ok=True)
    return Kept(
        path=folder(options) / f"{index}.snapshot",
        every=float(options.snapshot_interval),
        oldest=timedelta(seconds=options.max_staleness) if options.max_staleness else OLDEST,
        check=lambda session: fits(session, keys),
    )


def fits(session: Session, keys: KeyRing) -> None:
    """Raise for a database of another schema, of another key ring, or whose role may do more than read what decisions take."""
    schema.refuse(session)
    grants.refuse_excess(session)
    accounts.refuse_ring(session, keys)


def folder(options: Options) -> Path:
    """Where the snapshots of the workers are."""
    return options.data_dir / "snapshots"


def snapshots(options: Options) -> list[Path]:
    """The snapshots that there are."""
    return list(folder(options).glob("*.snapshot"))


def _check(options: Options, keys: KeyRing) -> None:
    with opened(options.url, make=False) as database:
        with database.read() as session:
            fits(session, keys)
        db.refuse_unsafe(database)


def _into(done: "Future[None]", options: Options, keys: KeyRing) -> None:
    try:
        _check(options, keys)
    except Exception as error:
        done.set_exception(error)
    else:
        done.set_result(None)

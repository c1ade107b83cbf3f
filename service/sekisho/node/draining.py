"""`sekisho spool drain`: empties the spools of a data directory whose node does not write, in a process of its own."""

import queue
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from sekisho.errors import FailedPrecondition, SekishoError
from sekisho.journal.outlet import Outlet
from sekisho.node import drain, logs
from sekisho.store import db

log = structlog.get_logger(__name__)


def run(data_dir: Path, url: str, *, once: bool) -> None:
    """Drain now, and unless it is to be `once`, every second until SIGINT or SIGTERM, and then once more.

    What goes wrong is an error for who wants it once; else it is logged, and tried again.
    """
    if not (data_dir / "spool").is_dir():
        raise FailedPrecondition(f"there is no spool in `{data_dir}`; start its node first")
    with db.Database(url, pool_size=1) as database:
        if once:
            for path in spools(data_dir):
                empty(path, database)
            return
        logs.configure()
        _stay(data_dir, database)


def spools(data_dir: Path) -> Iterable[Path]:
    """The spools of all workers that the node has or had; what else is in their folder stays there."""
    return sorted((data_dir / "spool").glob("[0-9]*.db"))


def empty(path: Path, database: db.Database, stop: Callable[[], bool] = lambda: False) -> None:
    """Carry all that is in one spool into the database, or as much as there was time for until `stop`."""
    with Outlet(path) as outlet:
        while drain.carry(outlet, database) and not stop():
            pass


def _stay(data_dir: Path, database: db.Database) -> None:
    told: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: told.put(number))
    failing: set[Path] = set()
    running = True
    while running:
        try:
            told.get(timeout=drain.INTERVAL)
            running = False
        except queue.Empty:
            pass
        for path in spools(data_dir):
            try:
                empty(path, database, lambda: not told.empty())
                failing.discard(path)
            except Exception as error:  # whatever it is, the others are drained, and this one is tried again
                if path not in failing:  # once for each outage
                    log.warning("spool.waiting", path=str(path), error=error.message if isinstance(error, SekishoError) else str(error))
                failing.add(path)

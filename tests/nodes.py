"""Two nodes on one database, as two workers are."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sekisho.credentials import accounts
from sekisho.node import assembly
from sekisho.store import db
from tests.harness import House, house


@contextmanager
def two(url: str, folder: Path) -> Iterator[tuple[House, House]]:
    """One account on two nodes; each has connections, a cache and a spool of its own."""
    with ExitStack() as stack:
        first = stack.enter_context(house(url, folder))
        database = stack.enter_context(db.Database(url))
        made = stack.enter_context(assembly.opened(database, first.node.ring, folder / "spool-b.db", audience="sekisho"))
        known = accounts.NewAccount(first.account_id, first.root.access_key_id, first.root.secret_access_key)
        yield first, House(made, known)

"""The database of a node that starts: opened, or named with the reason why not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from sekisho.errors import FailedPrecondition, ServiceUnavailable
from sekisho.store import db


class DatabaseUnusable(FailedPrecondition):
    """The database cannot be reached or opened; says which and why, to the operator who starts the server."""


@contextmanager
def opened(url: str, *, make: bool = True) -> Iterator[db.Database]:
    """The database, for as long as the block runs; DatabaseUnusable with its place and the reason, instead of what a caller is told. `make`
    lets SQLite make a file that is not there.
    """
    with db.Database(url, make=make) as database:
        place = database.url.render_as_string(hide_password=True)
        if database.sqlite:
            file = Path(str(database.url.database)).resolve()
            if not file.parent.is_dir():
                raise DatabaseUnusable(f"the database {place} cannot be opened: there is no folder {file.parent}")
            if not make and not file.exists():
                raise DatabaseUnusable(f"the database {place} cannot be opened: there is no such file")
        try:
            yield database
        except ServiceUnavailable as error:
            cause = error.__cause__
            if cause is None:  # it says itself what is wrong
                raise
            said = str(cause.orig if isinstance(cause, DBAPIError) else cause).strip().splitlines()
            raise DatabaseUnusable(f"the database {place} cannot be opened: {said[0] if said else type(cause).__name__}") from error

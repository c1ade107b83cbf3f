"""The database of a command beside the server: found, and named in what goes wrong with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sekisho.node.options import Options
    from sekisho.store import db


def sqlite_file(options: "Options") -> Path | None:
    """The file of an SQLite database; None for another."""
    from sqlalchemy import make_url

    parsed = make_url(options.url)
    named = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    return Path(str(parsed.database)) if named else None


@contextmanager
def opened(options: "Options") -> "Iterator[db.Database]":
    """The database that the options name; only one that is there: nothing is made by looking for it."""
    file = sqlite_file(options)
    if file is not None and not file.exists():
        if not options.database and not options.data_dir.is_dir():
            raise ValueError(f"there is no data directory `{options.data_dir}`; start the server once, or name another with --data-dir")
        raise ValueError(f"there is no database `{file}`, schema version none; `sekisho serve` or `sekisho db upgrade` makes it")
    with named(options) as database:
        yield database


@contextmanager
def named(options: "Options") -> "Iterator[db.Database]":
    """The database that the options name, made where it is not there; its name, without a password, stands before what its driver says."""
    from sqlalchemy import make_url

    from sekisho.store import db

    try:
        with db.Database(options.url) as database:
            yield database
    except Exception as error:
        said = driver_sentence(error)
        if said is None:
            raise
        shown = sqlite_file(options) or make_url(options.url).render_as_string(hide_password=True)
        raise ValueError(f"the database {shown}: {said}") from error


def driver_sentence(error: BaseException | None) -> str | None:
    """What the driver said of a database that cannot be used, without the frame around it, the statement and libpq's second thoughts.

    None when nothing of a driver is behind the error.
    """
    while error is not None:
        raised = getattr(error, "orig", None) or error
        bases = {(base.__module__.partition(".")[0], base.__name__) for base in type(raised).__mro__}
        if bases & {("psycopg", "OperationalError"), ("sqlite3", "OperationalError")}:
            said = " ".join(str(raised).split())
            return said.partition(" Is the server running on that host")[0].removeprefix("connection failed: ")
        error = error.__cause__ or error.__context__
    return None


def sqlite_version(file: Path) -> str | None:
    """The schema version of an SQLite database, read without a lock, a journal or a file of its own; None when there is none."""
    import sqlite3
    from contextlib import closing
    from urllib.parse import quote

    if not file.exists():
        return None
    # Where no server has it open, there is no journal to be read, and SQLite is not to make one.
    mode = "mode=ro" if Path(f"{file}-wal").exists() else "immutable=1"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file.resolve()))}?{mode}", uri=True)) as found:
            if found.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
                return None
            row = found.execute("SELECT version_num FROM alembic_version").fetchone()
            return str(row[0]) if row is not None else None
    except sqlite3.Error as error:
        raise ValueError(f"the database {file}: {error}") from None

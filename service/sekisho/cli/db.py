"""`sekisho db`: the schema of a database."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sekisho.cli import connection
from sekisho.cli.connection import DataDir
from sekisho.cli.serve import Database

if TYPE_CHECKING:
    from sekisho.store import db

app = typer.Typer(name="db", no_args_is_help=True, rich_markup_mode=None, help="The schema of a database.")


@app.command()
def upgrade(database: Database = "", data_dir: DataDir = connection.DATA_DIR) -> None:
    """Bring the database to the schema of this version. Run it before the servers of a new version start on PostgreSQL."""
    from sekisho.store import schema

    with _opened(database, data_dir) as opened:
        print(schema.upgrade(opened))


@app.command()
def current(database: Database = "", data_dir: DataDir = connection.DATA_DIR) -> None:
    """Print the version of the database's schema, `none` when there is none."""
    from sekisho.store import schema

    with _opened(database, data_dir) as opened:
        print(schema.current(opened) or "none")


@app.command()
def check(database: Database = "", data_dir: DataDir = connection.DATA_DIR) -> None:
    """Compare the database with the schema of this version. Exit code 0: it fits; 1: each difference is a line."""
    from sekisho.store import schema

    with _opened(database, data_dir) as opened:
        differences = schema.check(opened)
    for difference in differences:
        print(difference, file=sys.stderr)
    if differences:
        raise typer.Exit(1)
    print("the database fits")


@contextmanager
def _opened(url: str, data_dir: Path) -> "Iterator[db.Database]":
    """The database of a URL, or the one in the data directory."""
    from sekisho.node.options import Options
    from sekisho.store import db

    options = Options(data_dir=data_dir, database=url)
    if not url:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with db.Database(options.url) as opened:
        yield opened

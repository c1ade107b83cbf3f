"""`sekisho db`: the schema of a database."""

import os
import sys
from typing import Annotated

import typer

from sekisho.cli import connection, screen
from sekisho.cli.connection import DataDir
from sekisho.cli.serve import Database

app = typer.Typer(name="db", no_args_is_help=True, rich_markup_mode=None, help="The schema of a database.")


@app.command()
def upgrade(database: Database = "", data_dir: DataDir = connection.DATA_DIR) -> None:
    """Bring the database to the schema of this version. Run it before the servers of a new version start on PostgreSQL."""
    from sekisho.cli.database import named
    from sekisho.node.options import Options
    from sekisho.store import schema

    os.umask(0o077)  # a file of SQLite is for this user alone
    if not database:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with named(Options(data_dir=data_dir, database=database)) as opened:
        with screen.waiting("bringing the database to this version's schema"):
            version = schema.upgrade(opened)
        print(version)


@app.command()
def current(database: Database = "", data_dir: DataDir = connection.DATA_DIR) -> None:
    """Print the version of the database's schema, `none` when there is none. Nothing is written, and no file is made."""
    from sekisho.cli.database import named, sqlite_file, sqlite_version
    from sekisho.node.options import Options
    from sekisho.store import schema

    options = Options(data_dir=data_dir, database=database)
    file = sqlite_file(options)
    if file is not None:
        print(sqlite_version(file) or "none")
        return
    with named(options) as opened:
        print(schema.current(opened) or "none")


@app.command()
def check(database: Database = "", data_dir: DataDir = connection.DATA_DIR) -> None:
    """Compare the database with the schema of this version. Exit code 0: it fits; 1: each difference is a line."""
    from sekisho.cli import database as databases
    from sekisho.node.options import Options
    from sekisho.store import schema

    with databases.opened(Options(data_dir=data_dir, database=database)) as opened:
        differences = schema.check(opened)
    for difference in differences:
        print(difference, file=sys.stderr)
    if differences:
        raise typer.Exit(1)
    print("the database fits")


@app.command()
def grants(
    reader: Annotated[str, typer.Option(help="The role of PostgreSQL with which data nodes read.")] = "",
    drain: Annotated[str, typer.Option(help="The role of PostgreSQL with which `sekisho spool drain` writes.")] = "",
) -> None:
    """Print the SQL that gives roles of PostgreSQL what they need and no more, for psql. Run it again after `db upgrade`."""
    from sekisho.store import grants as statements

    if not reader and not drain:
        raise ValueError("name a role with --reader or with --drain")
    print(*(statements.reader(reader) if reader else []), *(statements.drain(drain) if drain else []), sep="\n")

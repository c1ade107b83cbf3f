"""`sekisho account`: accounts, made beside the server by whoever holds its database and key ring."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from sekisho.cli import connection
from sekisho.cli.connection import DataDir
from sekisho.cli.serve import Database

app = typer.Typer(name="account", no_args_is_help=True, rich_markup_mode=None, help="Accounts, made beside the server.")


@app.callback()
def account() -> None:
    """Accounts, made beside the server by whoever holds its database and key ring."""


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    database: Database = "",
    data_dir: DataDir = connection.DATA_DIR,
) -> None:
    """Make a new, empty account and print it with its root access key as JSON. The secret is shown only now."""
    from sekisho import accounts, db, schema
    from sekisho.server import run

    options = run.Options(data_dir=data_dir, database=database)
    if not database and not data_dir.is_dir():
        raise ValueError(f"there is no data directory `{data_dir}`; start the server once, or name another with --data-dir")
    with db.Database(options.url) as opened:
        schema.refuse_mismatch(opened)
        print(json.dumps(asdict(accounts.create(opened, run.key_ring(opened, options), name=name))))

"""`sekisho spool`: what a node that does not write has recorded."""

from typing import Annotated

import typer

from sekisho.cli import connection
from sekisho.cli.connection import DataDir
from sekisho.cli.serve import Database

app = typer.Typer(name="spool", no_args_is_help=True, rich_markup_mode=None, help="What a node that does not write has recorded.")


@app.callback()
def spool() -> None:
    """What a node that does not write has recorded."""


@app.command()
def drain(
    database: Database = "",
    once: Annotated[bool, typer.Option("--once", help="Carry over what there is, and end.")] = False,
    data_dir: DataDir = connection.DATA_DIR,
) -> None:
    """Carry what a data node has recorded (issued credentials, denials, last uses) into the primary database, and stay.

    Runs beside the node, with a role of the database of its own: see `sekisho db grants --drain`.
    """
    from sekisho.node import draining

    if not database:
        raise ValueError("name the primary database with --database")
    draining.run(data_dir, database, once=once)

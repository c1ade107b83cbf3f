"""`sekisho managed-policies`: policies that all accounts may attach, brought in beside the server."""

from pathlib import Path
from typing import Annotated

import typer

from sekisho.cli import connection, screen
from sekisho.cli.connection import DataDir
from sekisho.cli.serve import Database

app = typer.Typer(
    name="managed-policies", no_args_is_help=True, rich_markup_mode=None, help="Policies of AWS, which all accounts may attach."
)


@app.callback()
def managed_policies() -> None:
    """Policies of AWS, which all accounts may attach."""


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSON: an array, or one object a line, of arn (or name and path), description, document.")],
    database: Database = "",
    data_dir: DataDir = connection.DATA_DIR,
) -> None:
    """Bring in the policies of a file, all or none. One that is there already gets a new version, in force at once for all who have it."""
    from sekisho.cli import database as databases
    from sekisho.node.options import Options
    from sekisho.services.iam import managed_policies
    from sekisho.services.iam.managed_policies import files
    from sekisho.store import schema

    policies = files.read(file.read_text("utf-8"))
    with databases.opened(Options(data_dir=data_dir, database=database)) as opened:
        schema.refuse_mismatch(opened)
        with screen.waiting("bringing in"):
            changed = managed_policies.put(opened, policies, imported=True)
        print(f"{changed} of {len(policies)} policies changed")

"""`sekisho account`: accounts, made beside the server by whoever holds its database and key ring."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sekisho.cli import connection
from sekisho.cli.connection import DataDir
from sekisho.cli.serve import Database, MasterKeyCommand, MasterKeyFile

if TYPE_CHECKING:  # the server is loaded by the commands that are of it
    from sekisho.node.options import Options
    from sekisho.store import db

app = typer.Typer(name="account", no_args_is_help=True, rich_markup_mode=None, help="Accounts, made beside the server.")


@app.callback()
def account() -> None:
    """Accounts, made beside the server by whoever holds its database and key ring."""


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    database: Database = "",
    data_dir: DataDir = connection.DATA_DIR,
    master_key_file: MasterKeyFile = None,
    master_key_command: MasterKeyCommand = "",
) -> None:
    """Make a new, empty account and print it with its root access key as JSON. The secret is shown only now."""
    from sekisho.credentials import accounts
    from sekisho.node import master_key
    from sekisho.node.prepare import key_ring

    key = master_key.given(master_key_file, os.environ.get(master_key.VARIABLE, ""), master_key_command)
    with _opened(data_dir, database) as (opened, options):
        ring = key_ring(opened, replace(options, master_key=key))
        print(json.dumps(asdict(accounts.create(opened, ring, name=name))))


@app.command(name="list")
def list_(database: Database = "", data_dir: DataDir = connection.DATA_DIR) -> None:
    """List the accounts, a line each: id, status, name."""
    from sqlalchemy import select

    from sekisho.store.tables import Account
    from sekisho.world import AWS

    with _opened(data_dir, database) as (opened, _), opened.read() as session:
        for one in session.scalars(select(Account).where(Account.id != AWS).order_by(Account.id)):
            print(f"{one.id}  {one.status}  {one.name}".rstrip())


@app.command("set-quota")
def set_quota(
    account: Annotated[str, typer.Option(help="The id of the account.")],
    quota: Annotated[str, typer.Option(help="Its name in GetAccountSummary, such as UsersQuota.")],
    value: Annotated[int, typer.Option(help="How many there may be.")],
    database: Database = "",
    data_dir: DataDir = connection.DATA_DIR,
) -> None:
    """Set how many users, groups, roles, policies, instance profiles, server certificates, registered resources or definitions of services
    an account may have, or accounts its organization.
    """
    from sekisho.credentials import accounts

    with _opened(data_dir, database) as (opened, _):
        accounts.set_quota(opened, account, quota, value)
        print(f"{quota} of {account}: {value}")


@contextmanager
def _opened(data_dir: Path, database: str) -> "Iterator[tuple[db.Database, Options]]":
    """The database that the options name, if it has the schema of this program."""
    from sekisho.cli import database as databases
    from sekisho.node.options import Options
    from sekisho.store import schema

    options = Options(data_dir=data_dir, database=database)
    with databases.opened(options) as found:
        schema.refuse_mismatch(found)
        yield found, options

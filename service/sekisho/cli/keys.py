"""`sekisho keys`: the key ring of a data directory."""

import os
from pathlib import Path
from typing import Annotated

import typer

from sekisho.cli import connection
from sekisho.cli.connection import DataDir
from sekisho.cli.serve import MasterKeyCommand, MasterKeyFile

app = typer.Typer(name="keys", no_args_is_help=True, rich_markup_mode=None, help="The key ring that seals secrets and sessions.")


@app.callback()
def keys() -> None:
    """The key ring that seals secrets and sessions."""


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Where the ring goes: keyring.json in the data directory of the other node.")],
    role: Annotated[str, typer.Option(metavar="data", help="For a node of which role.")] = "data",
    data_dir: DataDir = connection.DATA_DIR,
    master_key_file: MasterKeyFile = None,
    master_key_command: MasterKeyCommand = "",
) -> None:
    """Write a key ring with the keys alone that a node of a role needs: of a data node, those that open access keys, sessions and its
    snapshots, and not those of MFA devices. Write it again after a key was rotated.
    """
    from sekisho.credentials.key_ring import KeyRing
    from sekisho.node import master_key
    from sekisho.node.roles import ROLES

    purposes = ROLES[role].purposes if role in ROLES else None
    if purposes is None:
        raise ValueError(f"`{role}` is not a role that has some keys only; that is {', '.join(n for n, r in ROLES.items() if r.purposes)}")
    given = master_key.given(master_key_file, os.environ.get(master_key.VARIABLE, ""), master_key_command)
    KeyRing.open(data_dir / "keyring.json", given, purposes=purposes).export(file, purposes)
    print(f"{file} has the keys for {', '.join(purposes)}")

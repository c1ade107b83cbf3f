"""`sekisho keys`: the key ring of a data directory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sekisho.cli import connection, screen
from sekisho.cli.connection import DataDir
from sekisho.cli.serve import Database, MasterKeyCommand, MasterKeyFile

if TYPE_CHECKING:
    from sekisho.credentials.key_ring import KeyRing
    from sekisho.node.rotating import Rotating

app = typer.Typer(name="keys", no_args_is_help=True, rich_markup_mode=None, help="The key ring that seals secrets and sessions.")

NEW_VARIABLE = "SEKISHO_NEW_MASTER_KEY"
MASTER = "master"

Node = Annotated[
    list[str] | None,
    typer.Option("--node", metavar="HOST:PORT", help="Where another node that was given the ring shows its metrics; once for each."),
]
Carried = Annotated[bool, typer.Option("--carried", help="Every node that was given keys of this ring has been given it again.")]
Patience = Annotated[int, typer.Option(metavar="SECONDS", min=0, help="How long workers that do not have a key are waited for.")]


@app.callback()
def keys() -> None:
    """The key ring that seals secrets and sessions."""


@app.command("list")
def list_(
    database: Database = "",
    data_dir: DataDir = connection.DATA_DIR,
    master_key_file: MasterKeyFile = None,
    master_key_command: MasterKeyCommand = "",
) -> None:
    """Show each key: its purpose, its id, when it was made, what it is, and how many rows are sealed with it.

    It is `next` while it is only published, `current` while it seals, `retiring` until it ends, `retired` from then on, and `kept` when
    it opens for ever. A retired key opens nothing; the next rotation erases it.
    """
    from sekisho.credentials import resealing, rotation

    with _rotating(database, data_dir, master_key_file, master_key_command) as given:
        document, now = given.ring.document(), datetime.now(UTC)
        purposes = {entry.purpose for entry in document.entries}
        sealed = {column.purpose for column in resealing.SEALED} & purposes
        with given.database.read() as session:
            rows = {purpose: resealing.counts(session, purpose) for purpose in sealed}
    lines = [("PURPOSE", "KEY", "CREATED", "STATE", "ROWS")]
    for entry in sorted(document.entries, key=lambda entry: entry.purpose):  # of a purpose, in the order of the file
        state = rotation.state(document, entry, now)
        if entry.ends is not None:
            state = f"{state} ({'since' if state == 'retired' else 'until'} {_time(entry.ends)})"
        count = str(rows[entry.purpose].get(entry.id, 0)) if entry.purpose in rows else "-"
        lines.append((entry.purpose, entry.id, _time(entry.created), state, count))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    if document.before is not None:
        print("the master key of before opens this ring, too, until `sekisho keys rotate master` is run with the one of now alone")


@app.command()
def rotate(
    kind: Annotated[str, typer.Argument(metavar="master|wrapping|session|signing|trail", help="Which keys.")],
    database: Database = "",
    data_dir: DataDir = connection.DATA_DIR,
    node: Node = None,
    carried: Carried = False,
    patience: Patience = 60,
    rate: Annotated[int, typer.Option(metavar="ROWS", min=1, help="Rows that are sealed anew in a second, at most.")] = 2000,
    new_master_key_file: Annotated[
        Path | None, typer.Option(help=f"A file with the new master key; {NEW_VARIABLE} may hold it instead.")
    ] = None,
    new_master_key_command: Annotated[str, typer.Option(help="A program with its arguments that prints it; no shell.")] = "",
    at_once: Annotated[bool, typer.Option("--at-once", help="Have the master key of now open nothing from this moment on.")] = False,
    master_key_file: MasterKeyFile = None,
    master_key_command: MasterKeyCommand = "",
) -> None:
    """Rotate keys while servers run: publish new ones, wait until every worker has them, use them, seal rows anew, and end the old ones 37
    hours later. A rotation that did not end goes on when it is run again.

    `wrapping` is for secrets in the database, `session` for session tokens, markers and snapshots, `signing` for tokens that others
    verify, `trail` for the chains of the audit trail, whose keys of before are kept. `master` puts another master key around the ring.
    """
    from sekisho.credentials.rotation import KINDS
    from sekisho.node import master_key, rotating

    if kind not in (MASTER, *KINDS):
        raise ValueError(f"`{kind}` is not a kind of keys; those are {', '.join((MASTER, *KINDS))}")
    new = master_key.given(
        new_master_key_file,
        os.environ.get(NEW_VARIABLE, ""),
        new_master_key_command,
        called=("--new-master-key-file", NEW_VARIABLE, "--new-master-key-command"),
    )
    if kind != MASTER:
        if new is not None or at_once:
            raise ValueError("a new master key and --at-once are for `sekisho keys rotate master`")
        opened = _rotating(database, data_dir, master_key_file, master_key_command, node, carried, patience, rate)
        with opened as given, screen.progress(f"sealing {kind} anew") as progress:
            given.rotate(kind, print, progress)
        return
    given_now = _ring(data_dir, master_key_file, master_key_command)
    with _recorded(database, data_dir):
        rotating.rotate_master(given_now, data_dir, new, print, at_once=at_once, patience=patience)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The id of the key, as `sekisho keys list` shows it.")],
    database: Database = "",
    data_dir: DataDir = connection.DATA_DIR,
    node: Node = None,
    carried: Carried = False,
    patience: Patience = 60,
    master_key_file: MasterKeyFile = None,
    master_key_command: MasterKeyCommand = "",
) -> None:
    """Take a key away at once: whatever it has sealed, such as session tokens, is refused from then on, on every worker.

    Where it is the one that seals, a new one follows. A key that rows are sealed with, and one of the trail, stays.
    """
    from sekisho.credentials.key_ring import TRAIL

    with _rotating(database, data_dir, master_key_file, master_key_command, node, carried, patience) as given:
        found = [entry for entry in given.ring.document().entries if entry.id == key]
        if not found:
            raise ValueError(f"the key ring has no key `{key}`")
        if found[0].purpose == TRAIL:
            raise ValueError(f"links of the audit trail are proven with {key}: keys of the trail are kept")
        given.revoke(found[0].purpose, key, print)
        print(f"{key} ({found[0].purpose}) is gone")


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Where the ring goes: keyring.json in the data directory of the other node.")],
    role: Annotated[str, typer.Option(metavar="data", help="For a node of which role.")] = "data",
    data_dir: DataDir = connection.DATA_DIR,
    master_key_file: MasterKeyFile = None,
    master_key_command: MasterKeyCommand = "",
) -> None:
    """Write a key ring with the keys alone that a node of a role needs: of a data node, those that open access keys, sessions and its
    snapshots, and not those of MFA devices. Write it again when a key is rotated: once it is published, and once it is used.
    """
    from sekisho.credentials.key_ring import KeyRing
    from sekisho.node import master_key, rotating
    from sekisho.node.roles import ROLES

    purposes = ROLES[role].purposes if role in ROLES else None
    if purposes is None:
        raise ValueError(f"`{role}` is not a role that has some keys only; that is {', '.join(n for n, r in ROLES.items() if r.purposes)}")
    given = master_key.given(master_key_file, os.environ.get(master_key.VARIABLE, ""), master_key_command)
    KeyRing.open(data_dir / "keyring.json", given, purposes=purposes).export(file, purposes)
    (data_dir / rotating.EXPORTED).touch(mode=0o600)
    print(f"{file} has the keys for {', '.join(purposes)}")


@contextmanager
def _recorded(database: str, data_dir: Path) -> Iterator[None]:
    """Record in the audit trail that the block has rotated the master key, where there is a database already. One that does not answer
    keeps it from being done.
    """
    from sekisho.cli import database as databases
    from sekisho.credentials import accounts
    from sekisho.node.options import Options
    from sekisho.node.rotating import EVENTS
    from sekisho.store import schema

    options = Options(data_dir=data_dir, database=database)
    file = databases.sqlite_file(options)
    if file is not None and not file.exists():
        yield
        return
    with databases.opened(options) as opened:
        is_made = schema.current(opened) is not None
        yield
        if is_made:
            accounts.record_by_operator(opened, EVENTS, "RotateKeys", {"kind": MASTER})


def _ring(data_dir: Path, master_key_file: Path | None, master_key_command: str) -> "KeyRing":
    from sekisho.credentials.key_ring import KeyRing
    from sekisho.node import master_key

    return KeyRing.open(
        data_dir / "keyring.json", master_key.given(master_key_file, os.environ.get(master_key.VARIABLE, ""), master_key_command)
    )


@contextmanager
def _rotating(
    database: str,
    data_dir: Path,
    master_key_file: Path | None,
    master_key_command: str,
    node: list[str] | None = None,
    carried: bool = False,
    patience: int = 60,
    rate: int = 2000,
) -> "Iterator[Rotating]":
    """The ring with the database whose rows it seals."""
    from sekisho.cli import database as databases
    from sekisho.node.options import Options
    from sekisho.node.rotating import Rotating
    from sekisho.store import schema

    ring = _ring(data_dir, master_key_file, master_key_command)
    with databases.opened(Options(data_dir=data_dir, database=database)) as opened:
        schema.refuse_mismatch(opened)
        yield Rotating(ring, data_dir, opened, node or (), carried, float(patience), rate)


def _time(moment: datetime | None) -> str:
    return "-" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

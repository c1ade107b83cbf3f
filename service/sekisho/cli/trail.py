"""`sekisho trail`: proves, exports and keeps the audit trail, beside the server and out of its database."""

import json
import os
import sys
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
    from sekisho.journal.trail.faults import Report
    from sekisho.store import db

app = typer.Typer(name="trail", no_args_is_help=True, rich_markup_mode=None, help="The audit trail: proof, export, retention.")

FORMS = ("events", "records", "parquet")
SHOWN = 10
"""Faults that are told one by one."""

Account = Annotated[str, typer.Option(metavar="ID", help="Of this account alone.")]
KeyRingFile = Annotated[Path | None, typer.Option("--key-ring", metavar="FILE", help="The key ring; else keyring.json in DATA_DIR.")]


@app.callback()
def trail() -> None:
    """The audit trail: proof, export, retention."""


@app.command()
def verify(
    database: Database = "",
    export: Annotated[Path | None, typer.Option(metavar="FILE", help="An export of `--format records` instead of a database.")] = None,
    checkpoints: Annotated[Path | None, typer.Option(metavar="DIR", help="Where checkpoints were published.")] = None,
    public_key: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A public key (DER) that is trusted; else those beside the checkpoints.")
    ] = None,
    account: Account = "",
    begins: Annotated[str, typer.Option("--from", metavar="TIME", help="Records from this time on, such as 2026-05-04T12:00:00Z.")] = "",
    ends: Annotated[str, typer.Option("--to", metavar="TIME", help="Records up to this time.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    without_ring: Annotated[
        bool, typer.Option("--without-key-ring", help="Compare with checkpoints, without computing links anew.")
    ] = False,
    key_ring: KeyRingFile = None,
    data_dir: DataDir = connection.DATA_DIR,
    master_key_file: MasterKeyFile = None,
    master_key_command: MasterKeyCommand = "",
) -> None:
    """Prove that nobody has changed, removed or brought in records since they were linked, or say which is the first that is wrong.

    Exit code 1 when something is.
    """
    from sekisho.journal.trail import evidence, statements
    from sekisho.journal.trail.evidence import Wanted, Witness

    ring = None if without_ring else _ring(key_ring or data_dir / "keyring.json", master_key_file, master_key_command)
    witness = Witness(ring, checkpoints, dict(map(statements.public, public_key or ())))
    if checkpoints is not None and not checkpoints.is_dir():
        raise ValueError(f"there is no directory `{checkpoints}`")
    if export is not None and (account or begins or ends or database):
        raise ValueError("an export is verified whole: leave out --account, --from, --to and --database")
    with screen.progress("verifying") as progress:
        if export is not None:
            report = evidence.of_export(export, witness, progress)
        else:
            wanted = Wanted(account, _moment(begins), _moment(ends))
            with _database(database, data_dir) as opened:
                _refuse_unknown(opened, account)
                report = evidence.of_database(opened, witness, wanted, progress)
    print(json.dumps(report.document(), indent=1) if as_json else _said(report))
    sys.exit(0 if report.whole else 1)


@app.command("export")
def export_(
    output: Annotated[str, typer.Argument(metavar="FILE", help="Where it goes; `-` for standard output.")] = "-",
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMS), help="Events, records with links, or Parquet.")] = "events",
    account: Account = "",
    state: Annotated[Path | None, typer.Option(metavar="FILE", help="Goes on where the run before ended, which this file says.")] = None,
    database: Database = "",
    data_dir: DataDir = connection.DATA_DIR,
) -> None:
    """Write the trail out: as CloudTrail events or as records with their links, a line of JSON each, or as a file of Parquet."""
    from sekisho.journal.trail import export

    if form not in FORMS:
        raise ValueError(f"--format is one of {', '.join(FORMS)}")
    if form == "parquet" and output == "-":
        raise ValueError("Parquet goes to a file; name one")
    with _database(database, data_dir) as opened:
        _refuse_unknown(opened, account)
        if form == "parquet":
            count = export.parquet(opened, Path(output), account=account, state=state)
        else:
            file = Path(output) if output != "-" else None
            count = export.lines(opened, file, lambda line: sys.stdout.write(line.decode()), form=form, account=account, state=state)
    sys.stdout.flush()
    print(f"{count} records", file=sys.stderr)


@app.command()
def retain(
    account: Account = "",
    days: Annotated[int | None, typer.Option(min=0, max=36500, help="Days that the account keeps records; 0 for ever.")] = None,
    usual: Annotated[bool, typer.Option("--usual", help="As long as accounts that do not say their own.")] = False,
    forget: Annotated[str, typer.Option(metavar="NAME", help="A reader of the trail that will not come back.")] = "",
    database: Database = "",
    data_dir: DataDir = connection.DATA_DIR,
) -> None:
    """Say how long an account keeps records, and for which readers retention waits; without options, only show it."""
    from sqlalchemy import delete, select

    from sekisho.journal.trail import retention, walk
    from sekisho.store.tables import Account, TrailCursor, TrailRetention

    with _database(database, data_dir) as opened:
        if account and (usual or days is not None):
            with opened.write([account]) as session:
                if session.get(Account, account) is None:
                    raise ValueError(f"there is no account `{account}`")
                session.execute(delete(TrailRetention).where(TrailRetention.account_id == account))
                if days is not None:
                    session.add(TrailRetention(account_id=account, days=days))
        elif days is not None or usual:
            raise ValueError("name the account with --account; the days of all others are an option of `sekisho serve`")
        if forget:
            with opened.write(()) as session:
                if forget not in retention.held_up(session) or session.get(TrailCursor, forget) is None:
                    raise ValueError(f"there is no reader `{forget}` that could be forgotten")
                session.execute(delete(TrailCursor).where(TrailCursor.name == forget))
        with opened.read() as session:
            rows = session.scalars(select(TrailRetention).order_by(TrailRetention.account_id)).all()
            newest = walk.newest(session)
            readers = retention.held_up(session)
    for row in rows:
        print(f"{row.account_id}  {f'{row.days} days' if row.days else 'for ever'}")
    for name, at in readers.items():
        print(f"reader {name}: {newest - at} records behind")


def _ring(path: Path, master_key_file: Path | None, master_key_command: str) -> "KeyRing":
    from sekisho.credentials.key_ring import TRAIL, KeyRing
    from sekisho.node import master_key

    given = master_key.given(master_key_file, os.environ.get(master_key.VARIABLE, ""), master_key_command)
    if not path.exists():
        raise ValueError(f"there is no key ring `{path}`; name it with --key-ring, or say --without-key-ring")
    return KeyRing.open(path, given, purposes=[TRAIL])


@contextmanager
def _database(url: str, data_dir: Path) -> "Iterator[db.Database]":
    from sekisho.cli import database
    from sekisho.node.options import Options
    from sekisho.store import schema

    with database.opened(Options(data_dir=data_dir, database=url)) as opened:
        schema.refuse_mismatch(opened)
        yield opened


def _refuse_unknown(database: "db.Database", account: str) -> None:
    """Raise for an account of which there is nothing, neither a row nor a chain: a mistyped one would have no faults, and prove nothing."""
    from sqlalchemy import exists, select

    from sekisho.store.tables import Account, AuditRecord, TrailAnchor, TrailLink

    if not account:
        return
    wanted = Account.id, TrailLink.account_id, TrailAnchor.account_id, AuditRecord.account_id
    with database.read() as session:
        if not any(session.scalar(select(exists().where(column == account))) for column in wanted):
            raise ValueError(f"there is no account `{account}`, and no record of one")


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"`{text}` is not a time such as 2026-05-04T12:00:00Z") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _said(report: "Report") -> str:
    """The report in words, the first fault first."""
    lines = [f"{report.links} links of {report.accounts} accounts, {report.checkpoints} checkpoints up to ordinal {report.attested}"]
    if report.unsealed:
        lines.append(f"{report.unsealed} records are not linked yet")
    lines += [f"note: {note}" for note in report.notes]
    if report.whole:
        return "\n".join([*lines, "nothing is wrong"])
    more = len(report.faults) - SHOWN
    lines += [f"wrong: {fault}" for fault in report.faults[:SHOWN]]
    return "\n".join([*lines, f"and {more} more"] if more > 0 else lines)

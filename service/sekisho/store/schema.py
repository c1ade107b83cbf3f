"""The schema's versions: Alembic's migrations, found in the installed package or, for an editable install, in the checkout.

Two releases run side by side on one database while servers are replaced. The older one cannot read the migrations of the newer one; so
the database itself says, beside its version, the oldest version whose code still runs on it. Each migration declares that of itself:

    compatible_from = "0003"  # an expansion: code that knows the schema as of 0003 works on
    compatible_from = "0005"  # the contraction at the end: what it drops, code has not used since 0005

A database is compatible from the greatest that one of its migrations declares; a migration that declares nothing, from itself.
"""

import time
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.orm import Session

from sekisho.errors import FailedPrecondition
from sekisho.store import db
from sekisho.store.tables import Base

PATIENCE = 3600.0
"""Seconds that a migration may take, or wait for another process that migrates."""
ATTEMPTS = 20
"""How often an upgrade is begun. It needs locks of tables that writers of the release before hold in an order of their own, so the two may
wait for each other; PostgreSQL then ends one of them after a second, and what was ended is whole or was not begun.
"""


log = structlog.get_logger(__name__)


class SchemaMismatch(FailedPrecondition):
    """The database's schema is another than the one that this version works with."""


class Standing(NamedTuple):
    """The version that a database has, None when it is empty, and the oldest one whose code runs on it, None when it does not say."""

    version: str | None
    compatible_from: str | None


def scripts() -> Path:
    """The folder of the migrations."""
    package = Path(__file__).parents[1]
    for folder in (package / "migrations", package.parent.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise FileNotFoundError("the migrations are neither in the installed package nor in the checkout")


def head() -> str:
    """The newest version that this program knows."""
    return str(_directory(scripts()).get_current_head())


def current(database: db.Database) -> str | None:
    """The version that the database has; None when it is empty."""
    with database.read() as session:
        return _standing(session.connection()).version


def upgrade(database: db.Database) -> str:
    """Bring the database to the newest version, one process at a time; what is there already is left alone, and so is the newer schema of
    a release that this program runs beside. The version that it has then, or SchemaMismatch.
    """
    for left in reversed(range(ATTEMPTS)):
        try:
            return _upgrade(database)
        except db.WriteConflict:
            if not left:
                raise
            log.warning("schema.upgrade_again", left=left)
    raise AssertionError("an attempt returns or raises")


def _upgrade(database: db.Database) -> str:
    with database.write(("schema",), deadline=time.monotonic() + PATIENCE) as session:
        connection = session.connection()
        standing = _standing(connection)
        if standing.version is not None and standing.version not in _known():
            _refuse(standing)
            return standing.version
        if standing.version != head():
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        elif standing.compatible_from != compatible_from():
            _declare(connection)
    return head()


def check(database: db.Database) -> list[str]:
    """How the database differs from the schema of this program, a line a difference; none when it fits."""

    with database.read() as session:
        connection = session.connection()
        version = _standing(connection).version
        if version != head():
            return [f"the database has schema version {version or 'none'}, this program works with {head()}"]
        return [str(difference) for difference in compare_metadata(MigrationContext.configure(connection, opts=OPTIONS), Base.metadata)]


def refuse_mismatch(database: db.Database) -> None:
    """Raise SchemaMismatch unless the database has the version of this program, or a newer one that is compatible with it."""
    with database.read() as session:
        refuse(session)


def refuse(session: Session) -> None:
    """As `refuse_mismatch`, of the database that a session reads."""
    _refuse(_standing(session.connection()))


def compatible_from(folder: Path | None = None) -> str:
    """The oldest version whose code runs on the newest schema; `folder` has the migrations."""
    revisions = _directory(folder or scripts()).walk_revisions()
    return max(getattr(revision.module, "compatible_from", revision.revision) for revision in revisions)


OPTIONS: dict[str, Any] = {"compare_type": True, "render_as_batch": True}
"""How Alembic compares and writes; SQLite changes a table by copying it."""


def run_migrations(context: Any, connection: Connection) -> None:
    """What `migrations/env.py` does, with Alembic's module `context`: all steps in one transaction."""
    context.configure(connection=connection, target_metadata=Base.metadata, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()
        _declare(connection)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts()))
    return config


@cache
def _directory(folder: Path) -> ScriptDirectory:
    """The migrations in a folder, which do not change while the program runs."""
    return ScriptDirectory(str(folder))


def _known() -> set[str]:
    return {revision.revision for revision in _directory(scripts()).walk_revisions()}


def _standing(connection: Connection) -> Standing:
    version = MigrationContext.configure(connection).get_current_revision()
    if version is None:
        return Standing(None, None)
    row = connection.execute(text("SELECT * FROM alembic_version")).mappings().one()
    return Standing(version, row.get("compatible_from"))


def _refuse(standing: Standing) -> None:
    """Raise SchemaMismatch unless this program runs on such a database. Versions are numbers of four digits, which sort as text."""
    version, oldest = standing
    if version == head() or (version is not None and version not in _known() and oldest is not None and oldest <= head()):
        return
    remedy = "run `sekisho db upgrade`" if version is None or version in _known() else "start a newer one"
    raise SchemaMismatch(f"the database has schema version {version or 'none'}, this program works with {head()}; {remedy}")


def _declare(connection: Connection) -> None:
    """Write beside the version, in Alembic's own table (which a comparison of schemas passes over), from where it is compatible."""
    if "compatible_from" not in {column["name"] for column in inspect(connection).get_columns("alembic_version")}:
        connection.execute(text("ALTER TABLE alembic_version ADD COLUMN compatible_from VARCHAR(32)"))
    connection.execute(text("UPDATE alembic_version SET compatible_from = :oldest"), {"oldest": compatible_from()})

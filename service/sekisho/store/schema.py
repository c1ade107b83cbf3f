"""The schema's versions: Alembic's migrations, found in the installed package or, for an editable install, in the checkout."""

import time
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from sekisho.errors import FailedPrecondition
from sekisho.store import db
from sekisho.store.tables import Base

PATIENCE = 3600.0
"""Seconds that a migration may take, or wait for another process that migrates."""


class SchemaMismatch(FailedPrecondition):
    """The database's schema is another than the one that this version works with."""


def scripts() -> Path:
    """The folder of the migrations."""
    package = Path(__file__).parents[1]
    for folder in (package / "migrations", package.parent.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise FileNotFoundError("the migrations are neither in the installed package nor in the checkout")


def head() -> str:
    """The newest version that this program knows."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def current(database: db.Database) -> str | None:
    """The version that the database has; None when it is empty."""
    with database.read() as session:
        return _version(session.connection())


def upgrade(database: db.Database) -> str:
    """Bring the database to the newest version, one process at a time; what is there already is left alone."""

    with database.write(("schema",), deadline=time.monotonic() + PATIENCE) as session:
        connection = session.connection()
        if _version(connection) != head():
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return head()


def check(database: db.Database) -> list[str]:
    """How the database differs from the schema of this program, a line a difference; none when it fits."""

    with database.read() as session:
        connection = session.connection()
        version = _version(connection)
        if version != head():
            return [f"the database has schema version {version or 'none'}, this program works with {head()}"]
        return [str(difference) for difference in compare_metadata(MigrationContext.configure(connection, opts=OPTIONS), Base.metadata)]


def refuse_mismatch(database: db.Database) -> None:
    """Raise SchemaMismatch unless the database has just the version of this program."""
    version = current(database)
    if version != head():
        raise SchemaMismatch(
            f"the database has schema version {version or 'none'}, this program works with {head()}; run `sekisho db upgrade`"
        )


OPTIONS: dict[str, Any] = {"compare_type": True, "render_as_batch": True}
"""How Alembic compares and writes; SQLite changes a table by copying it."""


def run_migrations(context: Any, connection: Connection) -> None:
    """What `migrations/env.py` does, with Alembic's module `context`: all steps in one transaction."""
    context.configure(connection=connection, target_metadata=Base.metadata, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts()))
    return config


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()

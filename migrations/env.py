"""Alembic's entry: the connection comes from `sekisho.store.schema`, or for `alembic revision` from `-x database=URL`."""

from alembic import context

from sekisho.store import db, schema

connection = context.config.attributes.get("connection")
if connection is not None:
    schema.run_migrations(context, connection)
else:
    with db.Database(context.get_x_argument(as_dictionary=True)["database"]) as database, database.write(("schema",)) as session:
        schema.run_migrations(context, session.connection())

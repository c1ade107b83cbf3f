"""The schema from nothing to the newest, its check, and processes that migrate at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import inspect, text

from sekisho import arn
from sekisho.store import db, schema
from tests import processes


@pytest.fixture
def database(bare_database_url: str) -> Iterator[db.Database]:
    """In which there is nothing."""
    with db.Database(bare_database_url) as made:
        yield made


@pytest.fixture
def upgraded(database_url: str) -> Iterator[db.Database]:
    """A copy of one that was upgraded from nothing."""
    with db.Database(database_url) as made:
        assert schema.current(made) == schema.head()
        yield made


def execute(database: db.Database, statement: str) -> None:
    with database.engine.begin() as connection:
        connection.execute(text(statement))


def test_from_nothing_to_the_newest_is_what_the_tables_say(database: db.Database) -> None:
    assert schema.current(database) is None
    assert schema.check(database) == [f"the database has schema version none, this program works with {schema.head()}"]
    with pytest.raises(schema.SchemaMismatch, match="run `sekisho db upgrade`"):
        schema.refuse_mismatch(database)
    assert schema.upgrade(database) == schema.head()
    assert schema.current(database) == schema.head()
    assert schema.check(database) == []
    schema.refuse_mismatch(database)
    assert schema.upgrade(database) == schema.head()  # and once more changes nothing
    assert schema.check(database) == []


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("ALTER TABLE access_keys DROP COLUMN last_used_region", "last_used_region"),
        ("ALTER TABLE accounts ADD COLUMN colour VARCHAR", "colour"),
        ("DROP INDEX ix_audit_records_account_id_at", "ix_audit_records_account_id_at"),
        ("DROP TABLE audit_records", "audit_records"),
    ],
)
def test_check_finds_what_was_changed_by_hand(upgraded: db.Database, statement: str, words: str) -> None:
    execute(upgraded, statement)
    differences = schema.check(upgraded)
    assert len(differences) >= 1
    assert any(words in difference for difference in differences)


@pytest.mark.parametrize("oldest", ["'9999'", "'9998'", "NULL"], ids=["from_itself", "from_one_that_is_newer_than_ours", "from_nothing"])
def test_a_newer_database_that_is_not_compatible_is_refused(upgraded: db.Database, oldest: str) -> None:
    execute(upgraded, f"UPDATE alembic_version SET version_num = '9999', compatible_from = {oldest}")
    words = f"the database has schema version 9999, this program works with {schema.head()}; start a newer one"
    for use in (schema.refuse_mismatch, schema.upgrade):
        with pytest.raises(schema.SchemaMismatch, match=words):
            use(upgraded)


@pytest.mark.parametrize("oldest", ["0001", schema.head()])
def test_a_newer_database_that_is_compatible_is_served_and_left_alone(upgraded: db.Database, oldest: str) -> None:
    execute(upgraded, f"UPDATE alembic_version SET version_num = '9999', compatible_from = '{oldest}'")
    schema.refuse_mismatch(upgraded)
    assert schema.upgrade(upgraded) == "9999"
    with upgraded.engine.connect() as connection:
        assert connection.execute(text("SELECT version_num, compatible_from FROM alembic_version")).all() == [("9999", oldest)]


def test_an_older_database_is_refused_however_compatible_it_says_it_is(upgraded: db.Database) -> None:
    execute(upgraded, "UPDATE alembic_version SET version_num = '0001', compatible_from = '0001'")
    with pytest.raises(schema.SchemaMismatch, match=r"the database has schema version 0001, .*; run `sekisho db upgrade`"):
        schema.refuse_mismatch(upgraded)


def test_a_database_that_a_release_before_the_declaration_upgraded_gets_it(upgraded: db.Database) -> None:
    execute(upgraded, "ALTER TABLE alembic_version DROP COLUMN compatible_from")
    schema.refuse_mismatch(upgraded)
    assert schema.check(upgraded) == []
    schema.upgrade(upgraded)
    with upgraded.engine.connect() as connection:
        assert connection.execute(text("SELECT compatible_from FROM alembic_version")).scalar() == schema.compatible_from()


MIGRATION = """
revision = {0!r}
down_revision = {1!r}
{2}


def upgrade() -> None:
    pass
"""


@pytest.mark.parametrize(
    ("declared", "oldest"),
    [
        ({"0001": None, "0002": None}, "0002"),
        ({"0001": None, "0002": "0001"}, "0001"),
        ({"0001": None, "0002": "0001", "0003": "0001"}, "0001"),
        ({"0001": None, "0002": None, "0003": "0001"}, "0002"),
        ({"0001": None, "0002": "0001", "0003": "0002", "0004": "0001"}, "0002"),
        ({"0001": None, "0002": "0001", "0003": None, "0004": "0003"}, "0003"),
    ],
    ids=["silent", "expands", "expands_twice", "expands_what_was_silent", "contracts_then_expands", "breaks_then_expands"],
)
def test_a_schema_is_compatible_from_the_greatest_that_its_migrations_declare(
    tmp_path: Path, declared: dict[str, str | None], oldest: str
) -> None:
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").touch()
    for revision, before in zip(declared, [None, *declared], strict=False):
        said = f"compatible_from = {declared[revision]!r}" if declared[revision] else ""
        (tmp_path / "versions" / f"{revision}_x.py").write_text(MIGRATION.format(revision, before, said))
    assert schema.compatible_from(tmp_path) == oldest


def test_every_migration_since_the_declaration_exists_makes_it() -> None:
    from alembic.script import ScriptDirectory

    revisions = list(ScriptDirectory(str(schema.scripts())).walk_revisions())
    assert {revision.revision for revision in revisions if not _declares(revision.module)} == {"0001", "0002", "0003"}
    assert all(len(revision.revision) == 4 and revision.revision.isdigit() for revision in revisions)  # so they sort as text


def _declares(module: object) -> bool:
    return hasattr(module, "compatible_from")


def test_devices_with_a_path_get_their_key(upgraded: db.Database) -> None:
    """A device of before has the key of its name alone, and nobody found it by its serial number."""
    execute(upgraded, "INSERT INTO accounts (id, name, status, created_at) VALUES ('111122223333', 'a', 'ACTIVE', '2026-01-01 00:00:00')")
    columns = "id, account_id, kind, name, name_key, path, created_at"
    for id_, kind, name, path in (("1", "mfa", "Phone", "/Ops/EU/"), ("2", "mfa", "Tablet", "/"), ("3", "user", "Ann", "/Ops/")):
        values = f"'{id_}', '111122223333', '{kind}', '{name}', '{name.lower()}', '{path}', '2026-01-01 00:00:00'"
        execute(upgraded, f"INSERT INTO entities ({columns}) VALUES ({values})")
    with upgraded.engine.begin() as connection:
        config = schema._config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0003")
    schema.upgrade(upgraded)
    with upgraded.read() as session:
        found = session.execute(text("SELECT id, name_key FROM entities ORDER BY id")).all()
    assert [tuple(row) for row in found] == [("1", "ops/eu/phone"), ("2", "tablet"), ("3", "ann")]
    assert arn.Entity("111122223333", "mfa", "/Ops/EU/", "Phone").key == "ops/eu/phone"
    assert schema.check(upgraded) == []


def test_looking_takes_no_lock(upgraded: db.Database) -> None:
    with upgraded.write(("schema",)):
        assert schema.current(upgraded) == schema.head()
        assert schema.check(upgraded) == []


def migrate(url: str) -> str:
    """Bring a database to the newest version, in a process of its own."""
    with db.Database(url) as database:
        return schema.upgrade(database)


def test_processes_that_migrate_at_once_do_it_once(bare_database_url: str) -> None:
    with processes.CONTEXT.Pool(4) as pool:
        assert set(pool.map(migrate, [bare_database_url] * 4, chunksize=1)) == {schema.head()}
    with db.Database(bare_database_url) as database:
        assert schema.check(database) == []


def test_a_migration_that_fails_leaves_nothing(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic.runtime.migration import MigrationContext

    run = MigrationContext.run_migrations

    def failing(self: MigrationContext, **named: object) -> None:
        run(self, **named)
        raise ValueError("the last step fails")

    with monkeypatch.context() as patched:
        patched.setattr(MigrationContext, "run_migrations", failing)
        with pytest.raises(ValueError, match="the last step fails"):
            schema.upgrade(database)
    assert [name for name in inspect(database.engine).get_table_names() if name != "alembic_version"] == []
    schema.upgrade(database)
    assert schema.check(database) == []


def test_an_upgrade_that_collides_with_writers_is_begun_again(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL ends one of two that wait for each other, at whatever step."""
    from alembic.runtime.migration import MigrationContext

    run, attempts = MigrationContext.run_migrations, []

    def colliding(self: MigrationContext, **named: object) -> None:
        attempts.append(1)
        if len(attempts) % 2:  # at the end of all steps, and otherwise before the first
            run(self, **named)
        if len(attempts) < colliding_until:
            raise db.WriteConflict("deadlock detected")

    monkeypatch.setattr(MigrationContext, "run_migrations", colliding)
    monkeypatch.setattr(schema, "ATTEMPTS", 4)
    colliding_until = schema.ATTEMPTS + 1
    with pytest.raises(db.WriteConflict):
        schema.upgrade(database)
    assert len(attempts) == schema.ATTEMPTS
    assert schema.current(database) is None
    attempts.clear()
    colliding_until = 3
    assert schema.upgrade(database) == schema.head()
    assert len(attempts) == 3
    assert schema.check(database) == []


def test_names_compare_byte_by_byte_on_both(upgraded: db.Database) -> None:
    for number, name in enumerate(("a", "B", "_", "É", "Z")):
        execute(upgraded, f"INSERT INTO accounts (id, name, status, created_at) VALUES ('{number}', '{name}', 'x', '2026-01-01 00:00:00')")
    with upgraded.read() as session:
        assert list(session.scalars(text("SELECT name FROM accounts ORDER BY name"))) == ["B", "Z", "_", "a", "É"]


def test_the_migrations_are_found_and_in_one_line(tmp_path: Path) -> None:
    from alembic.script import ScriptDirectory

    directory = ScriptDirectory(str(schema.scripts()))
    revisions = list(directory.walk_revisions())
    assert len(directory.get_heads()) == 1
    assert all(len(revision.nextrev) <= 1 for revision in revisions)
    assert {revision.doc for revision in revisions}

"""How many entities an account has: kept by triggers whoever writes, and looked up at one price however many there are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import event, func, select, text

from sekisho.errors import RequestTimeout
from sekisho.store import db, schema
from sekisho.store.tables import Entity, EntityCount
from tests import harness
from tests.harness import House
from tests.services.iam.documents import LIST_BUCKETS, TRUST_EC2

ENTITY = "INSERT INTO entities (id, account_id, kind, name, name_key, path, created_at) VALUES "


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    with harness.house(database_url, tmp_path) as made:
        yield made


def row(account: str, kind: str, number: int) -> str:
    """The values of an entity, as a release writes them that knows nothing of counts."""
    return f"('{kind}-{account}-{number}', '{account}', '{kind}', 'n{number}', 'n{number}', '/', '2026-01-01 00:00:00')"


def execute(database: db.Database, *statements: str) -> None:
    with database.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def roll_back(database: db.Database, statement: str) -> None:
    with database.write(()) as session:
        session.execute(text(statement))
        db.remaining(0.0)  # raises


def counts(database: db.Database) -> dict[tuple[str, str], int]:
    """What the triggers have counted, without what there is none of; the same as what a COUNT finds."""
    with database.read() as session:
        held = {
            (account, kind): many
            for account, kind, many in session.execute(select(EntityCount.account_id, EntityCount.kind, EntityCount.held))
        }
        query = select(Entity.account_id, Entity.kind, func.count()).group_by(Entity.account_id, Entity.kind)
        there = {(account, kind): many for account, kind, many in session.execute(query)}
    found = {key: many for key, many in held.items() if many}
    assert found == there
    return found


def test_what_operations_make_and_delete_is_counted(house: House) -> None:
    me = house.account_id
    for number in range(3):
        house.call("CreateUser", user_name=f"u{number}")
        house.call("CreateGroup", group_name=f"g{number}")
    house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2)
    house.call("CreateInstanceProfile", instance_profile_name="i")
    policy = house.call("CreatePolicy", policy_name="p", policy_document=LIST_BUCKETS).policy
    house.call("CreateVirtualMFADevice", virtual_mfa_device_name="phone")
    house.call("UpdateUser", user_name="u1", new_user_name="v1", new_path="/moved/")
    with pytest.raises(Exception, match="already exists"):
        house.call("CreateUser", user_name="u0")
    expected = {(me, "root"): 1, (me, "user"): 3, (me, "group"): 3, (me, "role"): 1, (me, "instance-profile"): 1}
    assert counts(house.node.database) == expected | {(me, "policy"): 1, (me, "mfa"): 1}
    house.call("DeleteUser", user_name="v1")
    house.call("DeleteGroup", group_name="g0")
    house.call("DeletePolicy", policy_arn=policy.arn)
    house.call("CreateUser", user_name="v1")
    house.call("DeleteUser", user_name="u2")
    expected |= {(me, "user"): 2, (me, "group"): 2, (me, "mfa"): 1}
    assert counts(house.node.database) == expected
    summary = house.call("GetAccountSummary").summary_map
    assert (summary["Users"], summary["Groups"], summary["Policies"], summary["Providers"]) == (2, 2, 0, 0)


def test_what_a_release_without_the_table_writes_is_counted(house: House) -> None:
    """Many rows a statement, of several accounts and kinds."""
    database, me = house.node.database, house.account_id
    house.account()
    with database.read() as session:
        other = session.scalars(select(Entity.account_id).where(Entity.kind == "root", Entity.account_id != me)).one()
    execute(database, ENTITY + ", ".join(row(account, kind, n) for n in range(4) for account in (me, other) for kind in ("user", "group")))
    assert counts(database) == {(account, kind): many for account in (me, other) for kind, many in (("root", 1), ("user", 4), ("group", 4))}
    execute(database, f"DELETE FROM entities WHERE kind = 'user' AND name_key <> 'n0' AND account_id = '{other}'")
    assert counts(database)[other, "user"] == 1
    with pytest.raises(RequestTimeout):
        roll_back(database, ENTITY + row(me, "user", 9))
    assert counts(database)[me, "user"] == 4


def test_what_was_there_before_is_counted_by_the_migration(bare_database_url: str) -> None:
    with db.Database(bare_database_url) as database:
        schema.upgrade(database)
        account = "INSERT INTO accounts (id, name, status, created_at) VALUES ('111122223333', 'a', 'ACTIVE', '2026-01-01 00:00:00')"
        execute(database, account, ENTITY + row("111122223333", "user", 1))
        with database.engine.begin() as connection:
            config = schema._config()
            config.attributes["connection"] = connection
            command.downgrade(config, "0004")
        execute(database, ENTITY + ", ".join(row("111122223333", kind, n) for n in range(2, 5) for kind in ("user", "mfa")))
        schema.upgrade(database)
        assert counts(database) == {("111122223333", "user"): 4, ("111122223333", "mfa"): 3}
        execute(database, ENTITY + row("111122223333", "user", 5))
        assert counts(database) == {("111122223333", "user"): 5, ("111122223333", "mfa"): 3}
        assert schema.check(database) == []


def test_a_write_does_not_cost_more_in_a_greater_account(tmp_path: Path) -> None:
    """Counted in instructions of SQLite's machine, which depend on the plan and the rows alone."""
    with harness.house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as house:
        database, ran = house.node.database, [0]

        def step() -> int:
            ran[0] += 1
            return 0

        @event.listens_for(database.engine, "checkout")
        def watch(connection: Any, *_: object) -> None:
            connection.set_progress_handler(step, 1)

        def creating(name: str) -> int:
            before = ran[0]
            house.call("CreateUser", user_name=name)
            return ran[0] - before

        creating("first")
        small = creating("second")
        execute(database, ENTITY + ", ".join(row(house.account_id, "user", number) for number in range(4_000)))
        creating("third")
        great = creating("fourth")
        assert small > 100  # the handler counts
        assert great < 1.2 * small

"""What memory does not have is loaded over connections of its own: neither those nor the others are used up by the other."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.errors import SekishoError
from sekisho.memory import feed, places
from sekisho.node import roles
from tests import harness, scraped
from tests.services.iam.documents import allow


def exhaust(engine: Engine, stack: ExitStack, connections: int) -> None:
    """Take connections of a pool, all that it has."""
    for _ in range(connections):
        stack.callback(engine.raw_connection().close)


def test_a_cold_decision_needs_none_of_the_other_connections(database_url: str, tmp_path: Path) -> None:
    with harness.house(database_url, tmp_path) as house:
        ann = house.user("ann", allow("orders:Ship", "authorize:Authorize"))
        house.node.feed.stop()
        with ExitStack() as stack:
            exhaust(house.node.database.engine, stack, 32)
            assert house.call("Authorize", _as=ann, action="orders:Ship", resource="*").outcome == pb.OUTCOME_ALLOWED


def test_what_is_loaded_is_counted_by_what_was_looked_for(database_url: str, tmp_path: Path) -> None:
    with harness.house(database_url, tmp_path) as house:
        house.user("ann", allow("orders:Ship"))
        of, arn = "sekisho_cache_misses_total", f"arn:aws:iam::{house.account_id}:user/"
        records, names = scraped.value(of, cache="records"), scraped.value(of, cache="names")
        house.call("Authorize", action="orders:Ship", resource="*", principal_arn=f"{arn}ann")
        assert scraped.value(of, cache="records") > records
        with pytest.raises(SekishoError):
            house.call("Authorize", action="orders:Ship", resource="*", principal_arn=f"{arn}nobody")
        assert scraped.value(of, cache="names") > names


def test_loads_that_hang_leave_reads_and_writes_theirs(database_url: str, tmp_path: Path) -> None:
    with harness.house(database_url, tmp_path) as house, ExitStack() as stack:
        house.user("ann")
        exhaust(house.node.world.loads.engine, stack, 2 * places.MOST)
        house.call("CreateUser", user_name="bob")
        assert [user.user_name for user in house.call("ListUsers").users] == ["ann", "bob"]


def test_a_principal_is_loaded_in_as_many_statements_whatever_it_has(database_url: str, tmp_path: Path) -> None:
    with harness.house(database_url, tmp_path) as house:
        house.node.feed.stop()
        policies = [house.call("CreatePolicy", policy_name=f"p{n}", policy_document=allow(f"orders:Do{n}")).policy.arn for n in range(9)]
        for n in range(8):
            house.call("CreateGroup", group_name=f"g{n}")
            house.call("AttachGroupPolicy", group_name=f"g{n}", policy_arn=policies[n])
            house.call("PutGroupPolicy", group_name=f"g{n}", policy_name="own", policy_document=allow(f"orders:Own{n}"))
        for name, groups, attached in (("ann", range(1), range(1)), ("bob", range(1, 8), range(4, 9))):
            house.call("CreateUser", user_name=name)
            for n in groups:
                house.call("AddUserToGroup", user_name=name, group_name=f"g{n}")
            for n in attached:
                house.call("AttachUserPolicy", user_name=name, policy_arn=policies[n])
        house.call("PutUserPermissionsBoundary", user_name="bob", permissions_boundary=policies[8])
        asked: list[str] = []
        event.listen(house.node.world.loads.engine, "before_cursor_execute", lambda *found: asked.append(found[2]))
        counted = {}
        for name, action, outcome in (
            ("ann", "orders:Own0", pb.OUTCOME_ALLOWED),
            ("bob", "orders:Own7", pb.OUTCOME_IMPLICITLY_DENIED),  # by the boundary
            ("bob", "orders:Do8", pb.OUTCOME_ALLOWED),
            ("bob", "orders:Do3", pb.OUTCOME_IMPLICITLY_DENIED),
        ):
            asked.clear()
            principal = f"arn:aws:iam::{house.account_id}:user/{name}"
            assert house.call("Authorize", principal_arn=principal, action=action, resource="*").outcome == outcome
            counted[name, action] = len(asked)
        assert list(counted.values()) == [10, 10, 0, 0]


@pytest.mark.parametrize("role", roles.ROLES)
def test_those_who_wait_for_the_database_leave_a_thread_to_decide(role: str) -> None:
    """Over gRPC a call may also wait for a revision."""
    waiting = {roles.GRPC: places.MOST + feed.WAITERS, roles.HTTP: places.MOST}
    for edge, threads in roles.ROLES[role].edges.items():
        assert threads.decide > waiting[edge], edge

"""What memory does not have is loaded over connections of its own: neither those nor the others are used up by the other."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.memory import feed, places
from sekisho.node import roles
from tests import harness
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


def test_loads_that_hang_leave_reads_and_writes_theirs(database_url: str, tmp_path: Path) -> None:
    with harness.house(database_url, tmp_path) as house, ExitStack() as stack:
        house.user("ann")
        exhaust(house.node.world.loads.engine, stack, 2 * places.MOST)
        house.call("CreateUser", user_name="bob")
        assert [user.user_name for user in house.call("ListUsers").users] == ["ann", "bob"]


@pytest.mark.parametrize("role", roles.ROLES)
def test_those_who_wait_for_the_database_leave_a_thread_to_decide(role: str) -> None:
    """Over gRPC a call may also wait for a revision."""
    waiting = {roles.GRPC: places.MOST + feed.WAITERS, roles.HTTP: places.MOST}
    for edge, threads in roles.ROLES[role].edges.items():
        assert threads.decide > waiting[edge], edge

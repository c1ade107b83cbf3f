"""One node for each test module, its gateway, and a new account for each test."""

from collections.abc import Iterator

import pytest

from sekisho.credentials import accounts
from tests import harness
from tests.wire.edge import Edge, edge


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """A gateway on SQLite; the domain's own tests run on both databases."""
    folder = tmp_path_factory.mktemp("wire")
    with harness.house(f"sqlite:///{folder / 'sekisho.db'}", folder) as house, edge(house) as made:
        yield made


@pytest.fixture
def gateway(shared: Edge) -> Edge:
    """The gateway, seen from a new account."""
    node = shared.house.node
    return shared.of(harness.House(node, accounts.create(node.database, node.ring)))

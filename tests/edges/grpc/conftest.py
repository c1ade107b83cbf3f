"""A server for each module: on each kind of database, and called on each of its listeners."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests import postgres
from tests.served import Served, serving


@pytest.fixture(scope="module", params=["grpcio-sqlite", "grpcio-postgresql", "lean-sqlite", "lean-postgresql"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: postgres.Server) -> Iterator[Served]:
    """A running server with its first account."""
    folder = tmp_path_factory.mktemp("served")
    listener, _, database = request.param.partition("-")
    with ExitStack() as stack:
        url = stack.enter_context(postgres_server.migrated()) if database == "postgresql" else f"sqlite:///{folder / 'sekisho.db'}"
        yield stack.enter_context(serving(url, folder, listener=listener))

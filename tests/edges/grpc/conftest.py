"""A server for each module: on each kind of database, and on the ways that a call takes through it."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests import postgres
from tests.served import Served, serving

WAYS = {"sqlite": ("sqlite", "auto"), "postgresql": ("postgresql", "auto"), "stock": ("sqlite", "off"), "lean": ("sqlite", "lean")}


@pytest.fixture(scope="module", params=WAYS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: postgres.Server) -> Iterator[Served]:
    """A running server with its first account."""
    folder = tmp_path_factory.mktemp("served")
    with ExitStack() as stack:
        database, lane = WAYS[request.param]
        url = stack.enter_context(postgres_server.migrated()) if database == "postgresql" else f"sqlite:///{folder / 'sekisho.db'}"
        yield stack.enter_context(serving(url, folder, lane=lane))

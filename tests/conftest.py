"""What every test may ask for by name."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sekisho.store import engines
from tests import compiled, costs, garbage, hashes, logged, order, postgres, rsa_keys, scratch, sqlite, turns
from tests.costs import pytest_runtest_makereport, pytest_runtest_protocol, pytest_terminal_summary
from tests.garbage import pytest_collection_finish, pytest_configure

__all__ = [
    "pytest_collection_finish",
    "pytest_configure",
    "pytest_runtest_makereport",
    "pytest_runtest_protocol",
    "pytest_terminal_summary",
]

scratch.use()
garbage.pause()
compiled.share()
rsa_keys.share()
hashes.share()
logged.ask_each_time()
engines._CONNECT["connect_timeout"] = 60  # seconds: a new connection to PostgreSQL takes more than two on a busy machine


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--costs` and `--databases`."""
    costs.add_option(parser)
    turns.add_option(parser)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests whose turn it is, the longest files first."""
    turns.leave(config, items)
    order.sort(items)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A temporary folder that all processes of this test run have in common."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def postgres_server(run_folder: Path) -> postgres.Server:
    """The PostgreSQL that all processes of this test run share; no PostgreSQL is a failure, never a skip. TESTS_POSTGRES names the folder
    of one that is there for many runs.
    """
    return postgres.shared(Path(os.environ.get("TESTS_POSTGRES", run_folder / "postgres")))


@pytest.fixture
def postgres_url(postgres_server: postgres.Server) -> Iterator[str]:
    """A database on PostgreSQL, migrated and without rows."""
    with postgres_server.migrated() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database, migrated and without rows: the test runs once on each kind."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return sqlite.migrated(tmp_path / "sekisho.db")


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database in which there is nothing at all, not even a schema: the test runs once on each kind."""
    if request.param == "postgresql":
        server: postgres.Server = request.getfixturevalue("postgres_server")
        with server.database() as url:
            yield url
    else:
        yield f"sqlite:///{tmp_path / 'sekisho.db'}"

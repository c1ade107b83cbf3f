"""What every test may ask for by name."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.costs import pytest_addoption, pytest_runtest_makereport, pytest_runtest_protocol, pytest_terminal_summary

__all__ = ["pytest_addoption", "pytest_runtest_makereport", "pytest_runtest_protocol", "pytest_terminal_summary"]


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A temporary folder that all processes of this test run have in common."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def postgres_server(run_folder: Path) -> postgres.Server:
    """The PostgreSQL that all processes of this test run share; no PostgreSQL is a failure, never a skip."""
    return postgres.shared(run_folder / "postgres")


@pytest.fixture
def postgres_url(postgres_server: postgres.Server) -> Iterator[str]:
    """A new, empty database on PostgreSQL."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new, empty database: the test runs once on each kind."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"sqlite:///{tmp_path / 'sekisho.db'}"

"""A house for each module, and an account for each test, where a module has no other; and databases in memory of a few tables."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine

from sekisho.store import changes, db
from tests.services.conftest import house, shared  # noqa: F401  # fixtures, found by their names here


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A database in memory that has the tables which the module names in `TABLES`, and nothing else."""
    made = create_engine("sqlite://")
    db.Base.metadata.create_all(made, tables=[table.__table__ for table in request.module.TABLES])
    yield made
    made.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[db.Transaction]:
    """A transaction there that is rolled back."""
    with db.Transaction(engine) as made:
        changes.Touched(made)
        yield made

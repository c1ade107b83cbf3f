"""The account that the scan looks at."""

from collections.abc import Iterator

import pytest

from sekisho.store import db
from tests.journal.analyzers.estate import Estate, estate


@pytest.fixture
def made(database_url: str) -> Iterator[Estate]:
    """An account with an analyzer that has looked at nothing yet."""
    with db.Database(database_url) as database:
        found = estate(database)
        found.analyzer()
        yield found

"""A server beside which a copy is held."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.local.asking import SHIP
from tests.inside import Inside, inside


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Inside]:
    """A server, with a user who ships."""
    with inside(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as made:
        made.house.user("ann", SHIP)
        yield made

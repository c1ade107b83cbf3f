"""A fake server and a client for it."""

from collections.abc import Iterator

import pytest

from sekisho.client import Client, Credentials, Retries
from tests.client import fake as fakes

CREDENTIALS = Credentials("AKIAALICE", "secret")


@pytest.fixture
def fake() -> Iterator[fakes.Fake]:
    with fakes.fake() as made:
        yield made


@pytest.fixture
def client(fake: fakes.Fake) -> Iterator[Client]:
    """A client that does not wait between its tries."""
    with Client(fake.endpoint, CREDENTIALS, retries=Retries(attempts=4, first=0.0), timeout=20.0) as made:
        yield made

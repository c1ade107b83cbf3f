"""Fixtures of tests of organizations: an organization, two nodes, and calls that must fail."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.errors import SekishoError
from sekisho.store.tables import QuotaOverride
from tests.harness import House
from tests.nodes import two
from tests.services.organizations.tree import Organization

Failing = Callable[..., tuple[str, str]]


@pytest.fixture
def org(house: House) -> Organization:
    """A new organization, with room for a thousand accounts."""
    with house.node.database.write((house.account_id,)) as session:
        session.add(QuotaOverride(account_id=house.account_id, quota="OrganizationAccountsQuota", value=1000))
    return Organization(house)


@pytest.fixture
def nodes(database_url: str, tmp_path: Path) -> Iterator[tuple[House, House]]:
    """Two nodes on one database, without an organization."""
    with two(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def failing(house: House) -> Failing:
    """Calls an operation of Organizations that must fail, and gives the error's code and its reason, or its message where it has none."""

    def call(name: str, /, _as: sigv4.Credentials | None = None, **fields: Any) -> tuple[str, str]:
        with pytest.raises(SekishoError) as caught:
            house.call(f"organizations:{name}", _as=_as, **fields)
        return caught.value.code, caught.value.members.get("Reason", caught.value.message)

    return call

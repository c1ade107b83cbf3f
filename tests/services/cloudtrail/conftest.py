"""Fixtures for tests of CloudTrail: an organization that trusts CloudTrail, and calls that must fail."""

from collections.abc import Callable
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.errors import SekishoError
from sekisho.store.tables import QuotaOverride
from tests.harness import House
from tests.services.organizations.tree import Organization

Failing = Callable[..., str]


@pytest.fixture
def org(house: House) -> Organization:
    """A new organization, with room for a thousand accounts, that trusts CloudTrail."""
    with house.node.database.write((house.account_id,)) as session:
        session.add(QuotaOverride(account_id=house.account_id, quota="OrganizationAccountsQuota", value=1000))
    made = Organization(house)
    made("EnableAWSServiceAccess", service_principal="cloudtrail.amazonaws.com")
    return made


@pytest.fixture
def failing(house: House) -> Failing:
    """Calls an operation that must fail, and gives the error's code."""

    def call(name: str, /, _as: sigv4.Credentials | None = None, **fields: Any) -> str:
        with pytest.raises(SekishoError) as caught:
            house.call(name, _as=_as, **fields)
        return caught.value.code

    return call

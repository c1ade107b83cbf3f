"""Fixtures for tests of Access Analyzer: calls of the service, calls that must fail, and the scan until it has nothing to do."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.errors import SekishoError
from sekisho.store.tables import QuotaOverride
from tests.harness import House
from tests.services.organizations.tree import Organization

PRINCIPAL = "access-analyzer.amazonaws.com"
Failing = Callable[..., str]
Called = Callable[..., Any]


@pytest.fixture
def call(house: House) -> Called:
    """Calls an operation of the service."""

    def call(name: str, /, _as: sigv4.Credentials | None = None, **fields: Any) -> Any:
        return house.call(f"analyzer:{name}", _as=_as, **fields)

    return call


@pytest.fixture
def failing(house: House) -> Failing:
    """Calls an operation that must fail, and gives the error's code."""

    def call(name: str, /, _as: sigv4.Credentials | None = None, **fields: Any) -> str:
        with pytest.raises(SekishoError) as caught:
            house.call(f"analyzer:{name}", _as=_as, **fields)
        return caught.value.code

    return call


@pytest.fixture
def org(house: House) -> Organization:
    """A new organization, with room for a thousand accounts, that trusts Access Analyzer."""
    with house.node.database.write((house.account_id,)) as session:
        session.add(QuotaOverride(account_id=house.account_id, quota="OrganizationAccountsQuota", value=1000))
    made = Organization(house)
    made("EnableAWSServiceAccess", service_principal=PRINCIPAL)
    return made


def until(holds: Callable[[], Any], what: str) -> Any:
    """What a condition comes to once it holds, within a minute."""
    limit = time.monotonic() + 60
    while not (found := holds()):
        assert time.monotonic() < limit, what
        time.sleep(0.02)
    return found


def make(call: Called, name: str = "main", **fields: Any) -> str:
    """A new analyzer of external access of the account; its ARN."""
    arn: str = call("CreateAnalyzer", analyzer_name=name, type="ACCOUNT", **fields).arn
    return arn


def found(call: Called, arn: str, *statuses: str) -> list[Any]:
    """The findings of an analyzer, of certain statuses."""
    every = call("ListFindings", analyzer_arn=arn).findings
    return [one for one in every if not statuses or one.status in statuses]


def with_condition(document: str, condition: dict[str, Any]) -> str:
    """A policy whose only statement has a condition."""
    value = json.loads(document)
    value["Statement"][0]["Condition"] = condition
    return json.dumps(value)

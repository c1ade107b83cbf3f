"""One node for each test module and kind of database, and a new account on it for each test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.credentials import accounts
from sekisho.errors import SekishoError
from sekisho.store.db import Database
from sekisho.store.tables import Account, Policy, PolicyVersion
from tests import clock, harness, postgres

Refused = Callable[..., tuple[str, str]]

AWS_DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: postgres.Server
) -> Iterator[harness.House]:
    """A node with two AWS-managed policies, `Administrator` and `/job/Billing`."""
    folder = tmp_path_factory.mktemp("iam")
    with ExitStack() as stack:
        on_postgresql = request.param == "postgresql"
        url = stack.enter_context(postgres_server.migrated()) if on_postgresql else f"sqlite:///{folder / 'sekisho.db'}"
        house = stack.enter_context(harness.house(url, folder))
        _aws_policies(house.node.database)
        yield house


@pytest.fixture
def house(shared: harness.House) -> harness.House:
    """A new account on the module's node."""
    return harness.House(shared.node, accounts.create(shared.node.database, shared.node.ring))


@pytest.fixture
def stopped_clock() -> Iterator[datetime]:
    """The moment at which all calls of the test begin: one-time codes stay good."""
    with clock.stopped() as moment:
        yield moment


@pytest.fixture
def refused(house: harness.House) -> Refused:
    """Calls an operation that must fail, and gives the error's code and message."""

    def call(name: str, /, _as: sigv4.Credentials | None = None, **fields: Any) -> tuple[str, str]:
        with pytest.raises(SekishoError) as caught:
            house.call(name, _as=_as, **fields)
        return caught.value.code, caught.value.message

    return call


def _aws_policies(database: Database) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with database.write(("aws",)) as session:
        if session.get(Account, "aws") is None:
            session.add(Account(id="aws", name="aws", created_at=now))
            session.flush()
        for id_, name, path in (("ANPAADMINISTRATOR2222", "Administrator", "/"), ("ANPABILLING2222222222", "Billing", "/job/")):
            columns = {"account_id": "aws", "name": name, "name_key": name.lower(), "path": path, "created_at": now, "updated_at": now}
            session.add(Policy(id=id_, default_version=1, last_version=1, description="of AWS", **columns))
            session.flush()
            session.add(PolicyVersion(policy_id=id_, number=1, document=AWS_DOCUMENT, created_at=now))

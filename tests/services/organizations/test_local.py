"""A local authorizer never decides without an organization's policies: it leaves to the server what they may restrict."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sekisho.client.local import LocalAuthorizer
from tests.inside import Inside, inside
from tests.services.organizations.tree import RCP, SCP, Organization, deny

ANYBODY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Inside]:
    """A server whose first account manages an organization."""
    with inside(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as made:
        yield made


def ask(authorizer: LocalAuthorizer, **more: Any) -> tuple[bool, bool]:
    """Whether shipping is allowed, and whether that was decided in this process."""
    found = authorizer.authorize(**{"action": "orders:Ship", "resource": "*", **more})
    return found.allowed, found.decision_id.startswith("local-")


def test_an_account_that_joins_is_decided_by_the_server_from_then_on(place: Inside) -> None:
    house = place.house
    org = Organization(house, SCP)
    org.attach(org.policy(deny("orders:Ship")), org.root_id)
    keys = house.account()
    account_id = house.call("GetCallerIdentity", _as=keys).account
    with place.client(keys) as made, LocalAuthorizer(made, patience=60) as authorizer:
        assert authorizer.wait_until_ready(60)
        assert ask(authorizer) == (True, True)
        asked = org("InviteAccountToOrganization", target={"id": account_id, "type": "ACCOUNT"}).handshake
        org("AcceptHandshake", keys, handshake_id=asked.id)
        assert ask(authorizer, at_least=house.revision) == (False, False)
    with place.client(keys) as made, LocalAuthorizer(made) as authorizer:
        assert authorizer.wait_until_ready(60)
        assert ask(authorizer) == (False, False)
        org("RemoveAccountFromOrganization", account_id=account_id)  # by another account, of which this one is told all the same
        assert ask(authorizer, at_least=house.revision) == (True, True)


def test_what_an_rcp_may_deny_is_asked_of_the_server(place: Inside) -> None:
    house = place.house
    org = Organization(house, RCP)
    member = org.account()
    org.attach(org.policy(deny("orders:*", Principal="*"), RCP), org.root_id)
    with place.client(house.account()) as made, LocalAuthorizer(made) as authorizer:
        assert authorizer.wait_until_ready(60)
        theirs = {"resource": f"arn:aws:orders::{member}:order/1", "resource_policy": ANYBODY}
        assert ask(authorizer, **theirs) == (False, False)
        assert ask(authorizer, resource_account=member, resource_policy=ANYBODY) == (False, False)
        assert ask(authorizer) == (True, True)

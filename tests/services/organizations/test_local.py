"""A local authorizer decides with the policies of its account's organization, and leaves to the server what those of others restrict."""

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


def test_an_account_that_joins_and_leaves_is_decided_here_all_the_time(place: Inside) -> None:
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
        assert ask(authorizer, at_least=house.revision) == (False, True)
    with place.client(keys) as made, LocalAuthorizer(made, patience=60) as authorizer:
        assert authorizer.wait_until_ready(60)
        assert ask(authorizer) == (False, True)
        org("RemoveAccountFromOrganization", account_id=account_id)  # by another account, of which this one is told all the same
        assert ask(authorizer, at_least=house.revision) == (True, True)


def test_whoever_changes_what_restricts_an_account_its_copy_knows(place: Inside) -> None:
    """Of a unit two levels above; the message says the account, and nothing of who or what it was. Who changes another unit is not told."""
    house = place.house
    org = Organization(house, SCP, RCP)
    outer = org.unit("outer")
    beside, inner = org.unit("beside"), org.unit("inner", outer)
    member, keys = org.invited()
    org("MoveAccount", account_id=member, source_parent_id=org.root_id, destination_parent_id=inner)
    ship = org.policy(deny("orders:Ship"))
    with place.client(keys) as made, LocalAuthorizer(made, patience=60) as authorizer:
        assert authorizer.wait_until_ready(60)

        def now() -> tuple[bool, bool]:
            return ask(authorizer, at_least=house.revision)

        org.attach(ship, beside)
        assert now() == (True, True)
        org.attach(ship, outer)
        assert now() == (False, True)
        decided = authorizer.authorize(action="orders:Ship", resource="*")
        assert [(match.layer, match.policy_arn.rpartition("/")[2]) for match in decided.matched] == [("scp", ship)]
        org("UpdatePolicy", policy_id=ship, content=deny("orders:Get"))
        assert now() == (True, True)
        org("UpdatePolicy", policy_id=ship, content=deny("orders:Ship"))
        assert now() == (False, True)
        org("DisablePolicyType", root_id=org.root_id, policy_type=SCP)
        assert now() == (True, True)
        closed = org.policy(deny("orders:Ship", Principal="*"), RCP)
        org.attach(closed, member)
        assert now() == (False, True)
        org.detach(closed, member)
        assert now() == (True, True)


def test_a_client_of_the_release_before_is_told_a_status_that_it_refuses(place: Inside) -> None:
    org = Organization(place.house, SCP)
    _, keys = org.invited()
    with place.client(keys) as made, LocalAuthorizer(made) as authorizer:
        assert authorizer.wait_until_ready(60)
        replica = authorizer._follower.replica
        assert replica is not None
        said = replica._said[replica.caller.account_id].account
        assert (said.status, said.placement.status) == ("IN_ORGANIZATION", "ACTIVE")
        assert [unit.id for unit in said.placement.units] == [org.root_id]


def test_the_management_account_is_not_sent_what_restricts_others(place: Inside) -> None:
    org = Organization(place.house, SCP)
    org.attach(org.policy(deny("orders:Ship")), org.root_id)
    with place.client() as made, LocalAuthorizer(made) as authorizer:
        assert authorizer.wait_until_ready(60)
        assert ask(authorizer) == (True, True)
        replica = authorizer._follower.replica
        assert replica is not None
        said = replica._said[replica.caller.account_id].account.placement
        assert (len(said.units), len(said.policies), len(said.scp_ids), len(said.units[0].scp_ids)) == (1, 0, 0, 0)


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

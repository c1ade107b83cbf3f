"""Many who change one organization at once: no rule is broken, on either database. `RACES` says how many races there are of each kind."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from sekisho.errors import SekishoError
from sekisho.store.tables import QuotaOverride
from tests.services.iam.documents import allow
from tests.services.organizations.test_delegation import delegate
from tests.services.organizations.tree import SCP, Organization

RACES = int(os.environ.get("RACES", "0")) or 12
"""Of each kind, on each database; `make campaign` has more."""

FULL = "p-FullAWSAccess"


def outcomes(pool: ThreadPoolExecutor, calls: Sequence[Callable[[], object]]) -> Counter[str]:
    """How often each error code came, and `""` for success, of calls that run at the same time."""

    def outcome(call: Callable[[], object]) -> str:
        try:
            call()
        except SekishoError as error:
            return error.code
        return ""

    return Counter(pool.map(outcome, calls))


def test_of_two_last_scps_one_stays(org: Organization) -> None:
    org("EnablePolicyType", root_id=org.root_id, policy_type=SCP)
    dev = org.unit("dev")
    other = org.policy(allow("*"))
    member = org.account()
    keys = org.inside(member)  # of another account, whose writes the management account's own do not wait for
    org("PutResourcePolicy", content=delegate(member, "organizations:DetachPolicy"))
    with ThreadPoolExecutor(2) as pool:
        for _ in range(RACES):
            org.attach(other, dev)
            done = outcomes(pool, [lambda: org.detach(FULL, dev), lambda: org("DetachPolicy", keys, policy_id=other, target_id=dev)])
            assert done == {"": 1, "ConstraintViolation": 1}
            (left,) = org("ListPoliciesForTarget", target_id=dev, filter=SCP).policies
            if left.id == other:
                org.attach(FULL, dev)
                org.detach(other, dev)


def test_an_account_moves_into_a_unit_or_the_unit_goes(org: Organization) -> None:
    member = org.account()
    with ThreadPoolExecutor(2) as pool:
        for number in range(RACES):
            dev = org.unit(f"dev-{number}")
            move = {"account_id": member, "source_parent_id": org.root_id, "destination_parent_id": dev}

            def moved(move: dict[str, str] = move) -> object:
                return org("MoveAccount", None, **dict(move))

            def deleted(dev: str = dev) -> object:
                return org("DeleteOrganizationalUnit", organizational_unit_id=dev)

            done = outcomes(pool, [moved, deleted])
            (parent,) = org("ListParents", child_id=member).parents
            if parent.id == dev:
                assert done == {"": 1, "OrganizationalUnitNotEmpty": 1}
                org("MoveAccount", account_id=member, source_parent_id=dev, destination_parent_id=org.root_id)
            else:
                assert (parent.id, done) == (org.root_id, Counter({"": 1, "DestinationParentNotFound": 1}))


def test_a_handshake_is_accepted_once(org: Organization) -> None:
    keys = org.house.account()
    account_id = org.house.call("GetCallerIdentity", _as=keys).account
    with ThreadPoolExecutor(3) as pool:
        for _ in range(RACES):
            asked = org("InviteAccountToOrganization", target={"id": account_id, "type": "ACCOUNT"}).handshake.id

            def accept(asked: str = asked) -> object:
                return org("AcceptHandshake", keys, handshake_id=asked)

            def cancel(asked: str = asked) -> object:
                return org("CancelHandshake", handshake_id=asked)

            done = outcomes(pool, [accept, accept, cancel])
            inside = [account.id for account in org("ListAccounts").accounts if account.id == account_id]
            state = org("DescribeHandshake", handshake_id=asked).handshake.state
            if state == "ACCEPTED":
                assert (inside, done) == ([account_id], Counter({"": 1, "HandshakeAlreadyInState": 1, "InvalidHandshakeTransition": 1}))
                org("RemoveAccountFromOrganization", account_id=account_id)
            else:
                assert (state, inside, done) == ("CANCELED", [], Counter({"": 1, "InvalidHandshakeTransition": 2}))


def test_the_last_place_is_taken_once(org: Organization) -> None:
    with org.house.node.database.write((org.management,)) as session:
        session.get_one(QuotaOverride, (org.management, "OrganizationAccountsQuota")).value = 3
    with ThreadPoolExecutor(4) as pool:
        calls = [lambda: org("CreateAccount", email=f"{os.urandom(6).hex()}@example.com", account_name="n")] * 6
        assert outcomes(pool, calls) == {"": 2, "ConstraintViolation": 4}
    assert len(org("ListAccounts").accounts) == 3

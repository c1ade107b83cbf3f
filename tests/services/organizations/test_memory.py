"""Whatever is done to an organization: a node that remembers decides as one that has just begun."""

import itertools
import os
import random
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.credentials import accounts
from sekisho.errors import SekishoError, ServiceFailure
from sekisho.node import assembly
from sekisho.store.tables import QuotaOverride
from tests.harness import House
from tests.services.organizations.tree import RCP, SCP, Organization, deny

STEPS = int(os.environ.get("STEPS", "0")) or 40
ANYBODY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"%s}]}'
SHIP, BURN = "orders:Ship", "orders:Burn"
DOCUMENTS = {
    SCP: (deny(SHIP), deny(BURN), '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"orders:*","Resource":"*"}]}'),
    RCP: (deny(SHIP, Principal="*"), deny(BURN, Principal="*")),
}
FULL = "p-FullAWSAccess"
_numbers = itertools.count(1)


class Walk:
    """An organization that is changed at random, with accounts that come and go, and the questions that are asked after each change."""

    def __init__(self, here: House, there: House, folder: Path, seed: int) -> None:
        self.here, self.there, self._folder = here, there, folder
        self._random = random.Random(seed)
        with here.node.database.write((here.account_id,)) as session:
            session.add(QuotaOverride(account_id=here.account_id, quota="OrganizationAccountsQuota", value=1000))
        self.org = Organization(here, SCP, RCP)
        self.units = [self.org.root_id]
        self.policies: dict[str, str] = {}
        self.guests = {here.call("GetCallerIdentity", _as=keys).account: keys for keys in (here.account(), here.account())}
        self.keys: dict[str, sigv4.Credentials] = {here.account_id: here.root, **self.guests}
        member = self.org.account()
        self.keys[member] = self.org.inside(member)
        self.done: Counter[str] = Counter()
        self.told: set[tuple[int, int]] = set()

    def change(self) -> None:
        """Make one change, of those that the rules permit just then."""
        while True:
            name = self._random.choices(CHANGES, [OFTEN.get(name, 1) for name in CHANGES])[0]
            try:
                getattr(self, f"_{name}")()
            except ServiceFailure:
                raise
            except (SekishoError, IndexError):  # not permitted, or there is nothing that could be changed so
                continue
            self.done[name] += 1
            return

    def check(self) -> None:
        """Ask a node that remembers and a new one, of the same revision."""
        self.there.node.world.poll()
        with ExitStack() as stack:
            spool = self._folder / f"spool-{next(_numbers)}.db"
            node = stack.enter_context(assembly.opened(self.there.node.database, self.here.node.ring, spool, audience="sekisho"))
            root = self.here.root
            new = House(node, accounts.NewAccount(self.here.account_id, root.access_key_id, root.secret_access_key))
            for id_, keys in self.keys.items():
                assert self._answers(self.there, keys) == self._answers(new, keys), (id_, self.done)

    def _answers(self, house: House, keys: sigv4.Credentials) -> Any:
        try:
            items = house.call("AuthorizeBatch", _as=keys, requests=self._questions()).items
        except SekishoError as error:
            return error.code
        self.told |= {(item.decision.outcome, item.decision.layer) for item in items}
        return [(item.decision.outcome, item.decision.layer, item.error.code) for item in items]

    def _questions(self) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = [{"action": action, "resource": "*"} for action in (SHIP, BURN, "other:Action")]
        for owner in self.keys:
            of = {"resource": f"arn:aws:orders::{owner}:order/1"}
            asked += [{"action": action, **of, "resource_policy": ANYBODY % ""} for action in (SHIP, BURN)]
            for key in ("aws:PrincipalOrgPaths", "aws:ResourceOrgPaths"):
                for unit in self.units[:3]:
                    condition = f',"Condition":{{"ForAnyValue:StringLike":{{"{key}":"*/{unit}/"}}}}'
                    asked.append({"action": "other:Action", **of, "resource_policy": ANYBODY % condition})
        return asked

    def _one(self, of: Any) -> Any:
        return self._random.choice(list(of))

    def _target(self) -> str:
        return str(self._one((*self.units, *self.keys)))

    def _unit(self) -> None:
        self.units.append(self.org.unit(f"unit-{self._random.random()}", self._one(self.units)))

    def _delete_unit(self) -> None:
        unit = self._one(self.units[1:] or [self.org.root_id])
        self.org("DeleteOrganizationalUnit", organizational_unit_id=unit)
        self.units.remove(unit)

    def _move(self) -> None:
        account_id = self._one(self.keys)
        source = self.org("ListParents", child_id=account_id).parents[0].id
        self.org("MoveAccount", account_id=account_id, source_parent_id=source, destination_parent_id=self._one(self.units))

    def _join(self) -> None:
        account_id = self._one(self.guests)
        asked = self.org("InviteAccountToOrganization", target={"id": account_id, "type": "ACCOUNT"}).handshake
        self.org("AcceptHandshake", self.keys[account_id], handshake_id=asked.id)

    def _leave(self) -> None:
        self.org("LeaveOrganization", self.keys[self._one(self.guests)])

    def _remove(self) -> None:
        self.org("RemoveAccountFromOrganization", account_id=self._one(self.guests))

    def _policy(self) -> None:
        type_ = self._one(DOCUMENTS)
        self.policies[self.org.policy(self._one(DOCUMENTS[type_]), type_)] = type_

    def _update_policy(self) -> None:
        id_, type_ = self._one(self.policies.items())
        self.org("UpdatePolicy", policy_id=id_, content=self._one(DOCUMENTS[type_]))

    def _delete_policy(self) -> None:
        id_ = self._one(self.policies)
        self.org("DeletePolicy", policy_id=id_)
        del self.policies[id_]

    def _attach(self) -> None:
        self.org.attach(self._one(self.policies), self._target())

    def _detach(self) -> None:
        self.org.detach(self._one((*self.policies, FULL)), self._target())

    def _enable(self) -> None:
        self.org("EnablePolicyType", root_id=self.org.root_id, policy_type=self._one(DOCUMENTS))

    def _disable(self) -> None:
        self.org("DisablePolicyType", root_id=self.org.root_id, policy_type=self._one(DOCUMENTS))


OFTEN = {"attach": 6, "detach": 4, "move": 5, "join": 3, "policy": 2, "unit": 2, "update_policy": 2, "enable": 8}
CHANGES = (*OFTEN, "delete_unit", "leave", "remove", "delete_policy", "disable")


def test_what_is_remembered_is_what_is_there(nodes: tuple[House, House], tmp_path: Path) -> None:
    walk = Walk(*nodes, tmp_path, seed=10)
    for _ in range(STEPS):
        walk.change()
        walk.check()
    assert walk.done.keys() == set(CHANGES)
    assert walk.told >= {(pb.OUTCOME_EXPLICITLY_DENIED, layer) for layer in (pb.LAYER_SCP, pb.LAYER_RCP)}
    assert pb.OUTCOME_ALLOWED in {outcome for outcome, _ in walk.told}


def test_what_is_remembered_of_an_account_that_is_closed_and_of_an_organization_that_is_gone(
    nodes: tuple[House, House], tmp_path: Path
) -> None:
    here, _ = nodes
    walk = Walk(*nodes, tmp_path, seed=10)
    walk.check()
    org, (management, guest, _, member) = walk.org, walk.keys
    assert management == here.account_id
    org.attach(org.policy(deny(SHIP)), org.root_id)
    walk.check()
    org("RemoveAccountFromOrganization", account_id=member)
    walk.check()
    org("DeleteOrganization")
    walk.check()
    org("CreateOrganization")
    walk.units = [org("ListRoots").roots[0].id]
    walk.check()
    asked = org("InviteAccountToOrganization", target={"id": guest, "type": "ACCOUNT"}).handshake
    org("AcceptHandshake", walk.keys[guest], handshake_id=asked.id)
    walk.check()
    org("CloseAccount", account_id=guest)
    walk.check()
    assert walk._answers(walk.there, walk.keys[guest]) == "OptInRequired"

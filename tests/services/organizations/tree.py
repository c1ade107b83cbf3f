"""An organization for tests, seen from its management account: a root, units, members with credentials."""

import itertools
import json
from typing import Any

from sekisho import sigv4
from tests.harness import BY_NAME, House
from tests.services.iam.documents import allow

_numbers = itertools.count(1)
SCP, RCP = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"


class Organization:
    """An organization that the house's account manages. `root` are the keys of that account's root user."""

    def __init__(self, house: House, *types: str, feature_set: str = "ALL") -> None:
        self.house = house
        made = house.call("CreateOrganization", feature_set=feature_set).organization
        self.id, self.management = made.id, house.account_id
        self.root_id = self("ListRoots").roots[0].id
        for type_ in types:
            self("EnablePolicyType", root_id=self.root_id, policy_type=type_)
        self.admin = house.user("admin", allow("*"))

    def __call__(self, name: str, /, _as: sigv4.Credentials | None = None, **fields: Any) -> Any:
        """Call an operation of Organizations, as the management account's root user when nobody is named."""
        assert f"organizations:{name}" in BY_NAME
        return self.house.call(f"organizations:{name}", _as=_as, **fields)

    def unit(self, name: str, parent: str = "") -> str:
        """A new unit; its id."""
        made: str = self("CreateOrganizationalUnit", parent_id=parent or self.root_id, name=name).organizational_unit.id
        return made

    def account(self, name: str = "member", parent: str = "", **fields: Any) -> str:
        """A new account in a unit; its id."""
        email = f"member-{next(_numbers)}@example.com"
        asked = self("CreateAccount", email=email, account_name=name, **fields).create_account_status
        account_id: str = self("DescribeCreateAccountStatus", create_account_request_id=asked.id).create_account_status.account_id
        if parent:
            self("MoveAccount", account_id=account_id, source_parent_id=self.root_id, destination_parent_id=parent)
        return account_id

    def inside(self, account_id: str, role: str = "OrganizationAccountAccessRole") -> sigv4.Credentials:
        """Credentials of an administrator in an account that was made here."""
        return self.house.assume(f"arn:aws:iam::{account_id}:role/{role}", _as=self.admin)

    def invited(self) -> tuple[str, sigv4.Credentials]:
        """An account that existed before, and was invited: its id and its root user's keys."""
        keys = self.house.account()
        account_id: str = self.house.call("GetCallerIdentity", _as=keys).account
        asked = self("InviteAccountToOrganization", target={"id": account_id, "type": "ACCOUNT"}).handshake
        self("AcceptHandshake", keys, handshake_id=asked.id)
        return account_id, keys

    def policy(self, document: str, type_: str = SCP, name: str = "") -> str:
        """A new policy; its id."""
        fields: dict[str, Any] = {"content": document, "description": "", "name": name or f"policy-{next(_numbers)}", "type": type_}
        made: str = self("CreatePolicy", **fields).policy.policy_summary.id
        return made

    def attach(self, policy_id: str, target_id: str) -> None:
        """Attach a policy."""
        self("AttachPolicy", policy_id=policy_id, target_id=target_id)

    def detach(self, policy_id: str, target_id: str) -> None:
        """Detach a policy."""
        self("DetachPolicy", policy_id=policy_id, target_id=target_id)


def deny(*actions: str, **more: Any) -> str:
    """A control policy that denies actions."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": list(actions), "Resource": "*", **more}]})

"""A seeded account that is a member of an organization, in which everything changes: policies, attachments, where the account hangs."""

import json
from collections.abc import Callable
from typing import Any

from tests.client.local.account import ACTIONS, Account
from tests.harness import House
from tests.services.organizations.tree import RCP, SCP, Organization

PASSING = (
    "PolicyNotAttached",
    "DuplicatePolicyAttachment",
    "ConstraintViolation",
    "PolicyTypeNotEnabled",
    "PolicyTypeAlreadyEnabled",
    "TargetNotFound",
)


class Within:
    """A house as another of its accounts calls it."""

    def __init__(self, house: House, keys: Any) -> None:
        self._house, self.keys = house, keys
        self.node = house.node
        self.account_id: str = house.call("GetCallerIdentity", _as=keys).account

    def call(self, name: str, /, **fields: Any) -> Any:
        """Call an operation as the account's root user."""
        return self._house.call(name, _as=self.keys, **fields)


class Membership(Account):
    """The account, of which the organization that the house's own account manages decides as well."""

    def __init__(self, house: House, seed: int) -> None:
        self.management = house
        self.org = Organization(house, SCP, RCP)
        account_id, keys = self.org.invited()
        self.member = account_id
        self._hangs: str | None = self.org.root_id
        outer = self.org.unit("outer")
        self._units = [self.org.root_id, outer, self.org.unit("inner", outer)]
        view: Any = Within(house, keys)
        self.keys = keys
        super().__init__(view, seed)
        self._made: dict[str, list[str]] = {type_: [self.org.policy(self._control(type_), type_) for _ in range(3)] for type_ in (SCP, RCP)}
        for _ in range(20):
            self.change()

    def change(self) -> None:
        """Change the account or its organization."""
        before, was_in = super().told, self._hangs is not None
        if not hasattr(self, "_made") or self.dice.random() < 0.4:
            super().change()
            if super().told != before:
                self._told = super().told
            return
        try:
            self.dice.choice(self._organizing())()
        except Exception as error:
            if getattr(error, "code", "") not in PASSING:
                raise
        if super().told != before and (was_in or self._hangs is not None):
            self._told = super().told

    @property
    def told(self) -> str:
        """The newest revision that its watchers hear of at once: of an organization without the account they hear later."""
        return self._told

    def _control(self, type_: str) -> str:
        dice = self.dice
        made: dict[str, Any] = {"Effect": "Deny", "Action": dice.choice((*ACTIONS, "orders:*")), "Resource": "*"}
        if type_ == RCP:
            made |= {"Principal": "*", "Action": dice.choice(("s3:*", "s3:GetObject", "sts:*"))}
        conditions: list[dict[str, Any]] = [
            {"StringEquals": {"aws:PrincipalTag/team": self.team()}},
            {"StringEquals": {"aws:PrincipalOrgID": self.org.id}},
            {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": f"{self.org.id}/{self.org.root_id}/{dice.choice(self._units)}/*"}},
            {"StringNotEquals": {"aws:ResourceOrgID": self.org.id}},
            {"NumericLessThan": {"orders:Amount": "100"}},
            {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/staff/*"}},
            {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}},
        ]
        if dice.random() < 0.8:
            made["Condition"] = dice.choice(conditions)
        return json.dumps({"Version": "2012-10-17", "Statement": [made]})

    def _organizing(self) -> list[Callable[[], Any]]:
        org, dice = self.org, self.dice
        type_ = dice.choice((SCP, SCP, RCP))
        policy, target = dice.choice(self._made[type_]), dice.choice((*self._units, self.member, self.member))
        return [
            lambda: org.attach(policy, target),
            lambda: org.attach(policy, target),
            lambda: org.detach(policy, target),
            lambda: org.detach("p-FullAWSAccess", target),
            lambda: org.attach("p-FullAWSAccess", target),
            lambda: org.attach("p-FullAWSAccess", target),
            lambda: org("UpdatePolicy", policy_id=policy, content=self._control(type_)),
            lambda: self._move(dice.choice(self._units)),
            lambda: self._move(dice.choice(self._units)),
            lambda: org("DisablePolicyType", root_id=org.root_id, policy_type=type_),
            lambda: org("EnablePolicyType", root_id=org.root_id, policy_type=type_),
            lambda: org("EnablePolicyType", root_id=org.root_id, policy_type=type_),
            self._leave,
            self._join,
            self._join,
        ]

    def _move(self, unit: str) -> None:
        if self._hangs not in (None, unit):
            self.org("MoveAccount", account_id=self.member, source_parent_id=self._hangs, destination_parent_id=unit)
            self._hangs = unit

    def _leave(self) -> None:
        if self._hangs is not None and self.dice.random() < 0.3:
            self.org("RemoveAccountFromOrganization", account_id=self.member)
            self._hangs = None

    def _join(self) -> None:
        if self._hangs is None:
            asked = self.org("InviteAccountToOrganization", target={"id": self.member, "type": "ACCOUNT"}).handshake
            self.org("AcceptHandshake", self.keys, handshake_id=asked.id)
            self._hangs = self.org.root_id

"""Accounts for tests, written in a few words."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sekisho import policy, world
from sekisho.analysis.escalation import Estate, Found, Managed, find

ACCOUNT = "111122223333"
IAM, STS = f"arn:aws:iam::{ACCOUNT}:", f"arn:aws:sts::{ACCOUNT}:"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
Document = dict[str, Any]


def document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(*actions: str, on: str | Sequence[str] = "*", when: Document | None = None) -> Document:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on} | ({"Condition": when} if when else {})


def deny(*actions: str, on: str | Sequence[str] = "*", when: Document | None = None) -> Document:
    return allow(*actions, on=on, when=when) | {"Effect": "Deny"}


def trust(**principal: str | Sequence[str]) -> Document:
    """A trust policy: `trust(AWS=…)`, `trust(Service=…)`."""
    action = "sts:AssumeRoleWithSAML" if "Federated" in principal else "sts:AssumeRole"
    return document({"Effect": "Allow", "Principal": dict(principal), "Action": action})


EVERYTHING = allow("*")
NOBODY = trust(Service="nobody.example.com")


def attached(content: Document, name: str, arn: str = "") -> policy.Attached:
    return policy.Attached(policy.compiled(json.dumps(content)), arn=arn, name=name if not arn else "", version="v1" if arn else "")


@dataclass(frozen=True)
class One:
    """A user or role: statements of an inline policy, and what else it has, by names."""

    statements: Sequence[Document] = ()
    policies: Sequence[str] = ()
    groups: Sequence[str] = ()
    boundary: str | None = None
    trust: Document = field(default_factory=lambda: NOBODY)
    tags: Mapping[str, str] = field(default_factory=dict)
    path: str = "/"
    keys: int = 0
    password: bool = False


@dataclass(frozen=True)
class World:
    """An account: policies have their statements, groups those of an inline policy and the managed policies that they have."""

    users: Mapping[str, One] = field(default_factory=dict)
    roles: Mapping[str, One] = field(default_factory=dict)
    groups: Mapping[str, tuple[Sequence[Document], Sequence[str]]] = field(default_factory=dict)
    policies: Mapping[str, Sequence[Document]] = field(default_factory=dict)
    older: Mapping[str, Sequence[Sequence[Document]]] = field(default_factory=dict)
    profiles: frozenset[str] | None = None
    scps: Sequence[Document] | None = None
    account: str = ACCOUNT

    def estate(self) -> Estate:
        """As the analysis takes it; ids are names, of other accounts behind their number."""
        account, iam = self.account, f"arn:aws:iam::{self.account}:"
        records: dict[str, world.Record] = {account: world.AccountRecord(account, "ACTIVE")}
        if self.scps is not None:
            own = f"p-{account}"
            records[account] = world.AccountRecord(account, "ACTIVE", unit_id="r-1", scp_ids=(own,))
            records["r-1"] = world.UnitRecord("r-1", "o-1", scp_ids=("p-0",), management_id="999900009999", types=frozenset((world.SCP,)))
            records["p-0"] = world.ControlPolicyRecord("p-0", attached(document(EVERYTHING), "full"))
            records[own] = world.ControlPolicyRecord(own, attached(document(*self.scps), "scp"))
        managed = []
        for name, statements in self.policies.items():
            arn = f"{iam}policy/{name}"
            record = world.PolicyRecord(self.id("policy", name), arn, attached(document(*statements), name, arn))
            records[record.id] = record
            others = tuple(attached(document(*older), name, arn) for older in self.older.get(name, ()))
            managed.append(Managed(record.id, arn, record.attached, others))
        for name, (statements, names) in self.groups.items():
            inline = (attached(document(*statements), f"of-{name}"),) if statements else ()
            group = world.GroupRecord(self.id("group", name), inline, tuple(self.id("policy", one) for one in names))
            records[group.id] = group
        principals = [self._principal("user", *item) for item in self.users.items()]
        principals += [self._principal("role", *item) for item in self.roles.items()]
        records |= {one.id: one for one in principals}
        return Estate(
            account_id=account,
            principals=tuple(principals),
            groups={self.id("group", name): f"{iam}group/{name}" for name in self.groups},
            policies=tuple(managed),
            lookup=records.get,
            now=NOW,
            passwords=frozenset(self.id("user", name) for name, one in self.users.items() if one.password),
            keys={self.id("user", name): one.keys for name, one in self.users.items()},
            profiles=self.profiles,
        )

    def id(self, kind: str, name: str) -> str:
        """The unique id of something."""
        return f"{kind}/{name}" if self.account == ACCOUNT else f"{self.account}/{kind}/{name}"

    def find(self, **options: Any) -> Found:
        return find(self.estate(), **options)

    def _principal(self, kind: str, name: str, one: One) -> world.PrincipalRecord:
        return world.PrincipalRecord(
            id=self.id(kind, name),
            account_id=self.account,
            kind=kind,
            name=name,
            arn=f"arn:aws:iam::{self.account}:{kind}{one.path}{name}",
            tags=one.tags,
            inline=(attached(document(*one.statements), f"inline-{name}"),) if one.statements else (),
            policy_ids=tuple(self.id("policy", policy) for policy in one.policies),
            group_ids=tuple(self.id("group", group) for group in one.groups),
            boundary_id=self.id("policy", one.boundary) if one.boundary is not None else None,
            trust=attached(one.trust, "AssumeRolePolicyDocument") if kind == "role" else None,
        )


def told(found: Found) -> dict[str, list[str]]:
    """By the name of a principal with a path: its hops as `RULE -> kind/name`, where it takes a session as `assumed-role/role/session`."""
    return {
        path.source.removeprefix(IAM): [f"{hop.rule.name} -> {hop.becomes.removeprefix(IAM).removeprefix(STS)}" for hop in path.hops]
        for path in found.paths
    }

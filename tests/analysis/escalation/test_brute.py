"""The search against brute force, in two small accounts of an organization with sessions, boundaries, control policies and trust."""

import random
from collections.abc import Sequence

import pytest

from sekisho.analysis.escalation import Path, find, find_across
from tests.analysis.escalation import brute
from tests.analysis.escalation.brute import Accounts
from tests.analysis.escalation.worlds import ACCOUNT, EVERYTHING, Document, One, World, allow, deny, document

OTHER = "444455556666"
USERS, ROLES, POLICIES = ("ann", "ben"), ("dev", "ops"), ("p", "q")
ACTIONS = (
    "iam:CreateAccessKey", "iam:PutUserPolicy", "iam:PutRolePolicy", "iam:AttachUserPolicy", "iam:AttachRolePolicy",
    "iam:UpdateAssumeRolePolicy", "iam:CreatePolicyVersion", "iam:DeleteUserPermissionsBoundary", "iam:DeleteRolePermissionsBoundary",
    "iam:DetachUserPolicy", "iam:DetachRolePolicy", "iam:DeleteUserPolicy", "iam:DeleteRolePolicy", "sts:AssumeRole", "sts:AssumeRole",
)  # fmt: skip


class Maker:
    """Makes accounts by chance."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def accounts(self) -> Accounts:
        in_organization = self.chance.random() < 0.5
        worlds = {account: self.world(account, in_organization=in_organization) for account in (ACCOUNT, OTHER)}
        return Accounts(worlds, worlds)

    def world(self, account: str, *, in_organization: bool) -> World:
        scps = [EVERYTHING, self.denial(account)] if self.chance.random() < 0.5 else [EVERYTHING]
        return World(
            users={name: self.one(account) for name in USERS},
            roles={name: self.one(account) for name in ROLES},
            policies={name: self.statements(account) for name in POLICIES},
            account=account,
            scps=scps if in_organization else None,
        )

    def one(self, account: str) -> One:
        chance = self.chance
        return One(
            self.statements(account),
            chance.sample(POLICIES, chance.randint(0, 1)),
            boundary=chance.choice(POLICIES) if chance.random() < 0.2 else None,
            trust=self.trust(account),
            keys=chance.choice((0, 0, 2)),
        )

    def statements(self, account: str) -> list[Document]:
        chance = self.chance
        if chance.random() < 0.15:
            return [EVERYTHING] + ([self.denial(account)] if chance.random() < 0.5 else [])
        return [
            allow(*chance.sample(ACTIONS, chance.randint(1, 2)), on=self.things(account), when=self.condition())
            for _ in range(chance.randint(1, 2))
        ]

    def denial(self, account: str) -> Document:
        chance = self.chance
        when = self.condition() or {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::*:role/{chance.choice(ROLES)}"}}
        return deny(chance.choice(("iam:*", "sts:*", "iam:Put*")), on=self.things(account), when=when)

    def things(self, account: str) -> Sequence[str]:
        chance = self.chance
        there = account if chance.random() < 0.8 else OTHER if account == ACCOUNT else ACCOUNT
        own = f"arn:aws:iam::{there}:"
        named = (
            [f"{own}user/{name}" for name in USERS] + [f"{own}role/{name}" for name in ROLES] + [f"{own}policy/{name}" for name in POLICIES]
        )
        return chance.choice(("*", chance.sample(named, 2), [chance.choice(named)]))

    def condition(self) -> Document | None:
        chance = self.chance
        if chance.random() < 0.75:
            return None
        name = chance.choice(("bob", "eve"))
        return chance.choice(
            (
                {"StringLike": {"aws:userid": f"*:{name}"}},
                {"StringNotLike": {"aws:userid": f"*:{name}"}},
                {"StringEquals": {"sts:RoleSessionName": name}},
                {"StringEquals": {"sts:RoleSessionName": "${aws:username}"}},
            )
        )

    def trust(self, account: str) -> Document:
        chance = self.chance
        there = account if chance.random() < 0.7 else OTHER if account == ACCOUNT else ACCOUNT
        role, session = chance.choice(ROLES), chance.choice(("bob", "eve"))
        named = f"arn:aws:sts::{there}:assumed-role/{role}/{session}"
        principal = chance.choice(
            (there, there, f"arn:aws:iam::{there}:user/{chance.choice(USERS)}", f"arn:aws:iam::{there}:role/{role}", named)
        )
        made: list[Document] = [{"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}]
        if (when := self.condition()) is not None:
            made[0]["Condition"] = when
        if chance.random() < 0.2:
            spared = [named, f"arn:aws:iam::{there}:role/{role}", there]
            made.append({"Effect": "Deny", "NotPrincipal": {"AWS": spared}, "Action": "sts:AssumeRole"})
        return document(*made)


Told = dict[tuple[str, str, str, str], Path | None]


def told(at: Accounts) -> Told:
    """By who can, and of which account: the path, None of who is an administrator already."""
    found: Told = {}
    for account, estate in at.estates.items():
        inside = find(estate)
        found |= {_key(arn, account): None for arn in inside.administrators}
        found |= {_key(path.source, account): path for path in inside.paths}
    across = find_across(ACCOUNT, list(at.estates.values()))
    return found | {_key(path.source, path.hops[-1].becomes.split(":")[4]): path for path in across.paths}


def _key(arn: str, there: str) -> tuple[str, str, str, str]:
    account, (kind, name, *_session) = arn.split(":")[4], arn.split(":")[5].split("/")
    return account, "user" if kind == "user" else "role", name, there


@pytest.mark.parametrize("seed", range(12))
def test_no_path_is_missed(seed: int) -> None:
    """What somebody gets by two calls, in whatever session, it is told to get."""
    at = Maker(random.Random(seed)).accounts()
    paths, missed = told(at), []
    for who in (who for account in at.worlds for who in at.everybody(account)):
        for start in [who] if who.kind == "user" else [who._replace(session=name) for name in brute.SESSIONS]:
            missed += [(start, there) for there in sorted(brute.reached(at, start, 2)) if (*who[:3], there) not in paths]
    assert not missed


@pytest.mark.parametrize("seed", range(120))
def test_no_path_is_made_up(seed: int) -> None:
    """Each path that is told is gone, call by call, as far as brute force knows its methods."""
    at = Maker(random.Random(1000 + seed)).accounts()
    for (*_, there), path in told(at).items():
        done = brute.gone(at, path) if path is not None else None
        if done is not None:
            after, who = done
            assert who.account == there
            assert after.is_administrator(who), path

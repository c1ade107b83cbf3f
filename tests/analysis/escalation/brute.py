"""Brute force over two small accounts: whoever has got so far does every call that the evaluator permits it, and has what it did.

It knows nothing of methods, of who is like whom, or of sessions that policies speak of: it makes the call, and asks again.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from sekisho import policy, world
from sekisho.analysis.escalation import Estate, Hop, Path, Way
from sekisho.analysis.escalation.asking import CONNECTION
from tests.analysis.escalation.worlds import EVERYTHING, NOW, One, World, trust

SESSIONS = ("bob", "eve", "ann", "any-other")
PROBES = (
    ("iam:CreatePolicyVersion", "policy/any"),
    ("iam:AttachUserPolicy", "user/any"),
    ("iam:AttachRolePolicy", "role/any"),
    ("iam:PutUserPolicy", "user/any"),
    ("iam:PutRolePolicy", "role/any"),
    ("iam:CreateAccessKey", "user/any"),
    ("iam:UpdateAssumeRolePolicy", "role/any"),
    ("iam:PassRole", "role/any"),
)
"""What an administrator is permitted, and an action that nobody has heard of."""


class Self(NamedTuple):
    """An identity: a user, or a session of a role."""

    account: str
    kind: str
    name: str
    session: str = ""

    @property
    def arn(self) -> str:
        """Of the user or role."""
        return f"arn:aws:iam::{self.account}:{self.kind}/{self.name}"

    @property
    def principal(self) -> str:
        """Of the one that calls."""
        return f"arn:aws:sts::{self.account}:assumed-role/{self.name}/{self.session}" if self.session else self.arn


@dataclass(frozen=True)
class Accounts:
    """The accounts as they stand, by their ids, and as they stood at the beginning."""

    worlds: Mapping[str, World]
    before: Mapping[str, World]

    @cached_property
    def estates(self) -> Mapping[str, Estate]:
        return {account: one.estate() for account, one in self.worlds.items()}

    def lookup(self, id_: str) -> world.Record | None:
        return next((record for one in self.estates.values() if (record := one.lookup(id_)) is not None), None)

    def may(self, who: Self, action: str, resource: str, keys: Mapping[str, str] | None = None, trusted: bool = False) -> bool:
        """Whether a call is permitted; `trusted`: the role's trust policy has its say."""
        made = self.worlds[who.account]
        session = world.SessionFacts(kind="assumed-role", name=who.session, issued_at=NOW) if who.session else None
        subject = world.Subject(made.id(who.kind, who.name), who.account, session=session)
        segments = resource.split(":", 5)
        owner = segments[4] or who.account
        record = self.find(owner, resource)
        asked = world.Asked(
            action=action,
            resource=resource,
            account=who.account,
            resource_account=owner,
            resource_policy=record.trust if trusted and record is not None else None,
            tags=record.tags if record is not None else {},
            tag_prefixes=("aws", action.partition(":")[0]),
            environment=CONNECTION,
            given=keys or {},
            registered=False,
        )
        return policy.decide(*world.question(subject, asked, self.lookup, NOW)).allowed

    def find(self, account: str, arn: str) -> world.PrincipalRecord | None:
        return next((one for one in self.estates[account].principals if one.arn == arn), None)

    def is_administrator(self, who: Self) -> bool:
        """Of its own account."""
        asked = [(action, f"arn:aws:iam::{who.account}:{last}") for action, last in PROBES]
        asked.append(("unlisted:Action", f"arn:aws:unlisted:us-east-1:{who.account}:thing/any"))
        return all(self.may(who, action, resource) for action, resource in asked)

    def changed(self, who: Self, **fields: Any) -> "Accounts":
        """The accounts with something else of a principal."""
        made = self.worlds[who.account]
        some = {**(made.users if who.kind == "user" else made.roles)}
        some[who.name] = replace(some[who.name], **fields)
        after = replace(made, users=some) if who.kind == "user" else replace(made, roles=some)
        return replace(self, worlds={**self.worlds, who.account: after})

    def one(self, who: Self) -> One:
        made = self.worlds[who.account]
        return (made.users if who.kind == "user" else made.roles)[who.name]

    def everybody(self, account: str) -> Iterator[Self]:
        made = self.worlds[account]
        yield from (Self(account, "user", name) for name in made.users)
        yield from (Self(account, "role", name) for name in made.roles)


Done = tuple[Accounts, Self | None]


def calls(at: Accounts, who: Self) -> Iterator[Done]:
    """Every call that somebody is permitted that could lead on: the accounts afterwards, and who it is besides, if that is somebody."""
    for account in at.worlds:
        for other in at.everybody(account):
            if other.kind == "role":
                yield from _assume(at, who, other)
            if account == who.account:
                yield from _changes(at, who, other)
    for name, statements in at.worlds[who.account].policies.items():
        arn = f"arn:aws:iam::{who.account}:policy/{name}"
        if statements != [EVERYTHING] and at.may(who, "iam:CreatePolicyVersion", arn):
            made = at.worlds[who.account]
            yield replace(at, worlds={**at.worlds, who.account: replace(made, policies={**made.policies, name: [EVERYTHING]})}), None


def _assume(at: Accounts, who: Self, role: Self) -> Iterator[Done]:
    """Into another account goes who has changed nothing of its own: that is as far as the search looks."""
    if role.account != who.account and at.worlds[who.account] != at.before[who.account]:
        return
    for name in SESSIONS:
        if at.may(who, "sts:AssumeRole", role.arn, {"sts:rolesessionname": name}, trusted=True):
            yield at, role._replace(session=name)


def _changes(at: Accounts, who: Self, other: Self) -> Iterator[Done]:
    kind, one = other.kind.capitalize(), at.one(other)
    bound = {"iam:permissionsboundary": f"arn:aws:iam::{who.account}:policy/{one.boundary}"} if one.boundary else {}

    def may(action: str, **keys: str) -> bool:
        return at.may(who, f"iam:{action}", other.arn, {**bound, **{f"iam:{key}": value for key, value in keys.items()}})

    if EVERYTHING not in one.statements and may(f"Put{kind}Policy"):
        yield at.changed(other, statements=[*one.statements, EVERYTHING]), None
    for name in at.worlds[who.account].policies:
        arn = f"arn:aws:iam::{who.account}:policy/{name}"
        is_enough = at.worlds[who.account].policies[name] == [EVERYTHING]  # the search attaches no others
        if name not in one.policies and is_enough and may(f"Attach{kind}Policy", policyarn=arn):
            yield at.changed(other, policies=[*one.policies, name]), None
        if name in one.policies and may(f"Detach{kind}Policy", policyarn=arn):
            yield at.changed(other, policies=[each for each in one.policies if each != name]), None
    if one.statements and may(f"Delete{kind}Policy"):
        yield at.changed(other, statements=[]), None
    if one.boundary and may(f"Delete{kind}PermissionsBoundary"):
        yield at.changed(other, boundary=None), None
    if other.kind == "user" and one.keys < 2 and may("CreateAccessKey"):
        yield at, other
    if other.kind == "role" and may("UpdateAssumeRolePolicy"):
        mine = trust(AWS=who.principal)
        if one.trust != mine:
            yield at.changed(other, trust=mine), None


def reached(at: Accounts, who: Self, depth: int) -> frozenset[str]:
    """The accounts of which somebody becomes an administrator, by so many calls; by identities that it has at the same time."""
    found: set[str] = set()
    level: list[tuple[Accounts, frozenset[Self]]] = [(at, frozenset((who,)))]
    seen: set[tuple[str, frozenset[Self]]] = set()
    for left in range(depth, -1, -1):
        following = []
        for accounts, selves in level:
            for one in selves:
                if one.account not in found and accounts.is_administrator(one):
                    found.add(one.account)
            if len(found) == len(at.worlds) or not left:
                continue
            for one in sorted(selves):
                for after, other in calls(accounts, one):
                    state = after, selves | {other} if other is not None else selves
                    key = repr(after.worlds), state[1]
                    if key not in seen:
                        seen.add(key)
                        following.append(state)
        level = following
    return frozenset(found)


class NotPermitted(Exception):
    """A call of a path that the evaluator does not permit."""


def gone(at: Accounts, path: Path) -> tuple[Accounts, Self] | None:
    """The accounts after a path is gone, call by call, and who that is then; None for methods that are not known here."""
    who = _self(path.hops[0].by)
    for hop in path.hops:
        then = _self(hop.becomes)
        on = _self(hop.on) if ":user/" in hop.on or ":role/" in hop.on else then
        for action in hop.rule.name.split(" + "):
            done = _DONE.get(action)
            if done is None:
                return None
            at = done(at, who, action, on, hop)
        if then.kind == "role" and (then.account, then.name) != (who.account, who.name) and hop.rule.way is not Way.OWN:
            _permit(at, who, "sts:AssumeRole", then.arn, {"sts:rolesessionname": then.session}, trusted=True)
        who = then
    return at, who


def _permit(at: Accounts, who: Self, action: str, resource: str, keys: Mapping[str, str], *, trusted: bool = False) -> None:
    if not at.may(who, action, resource, keys, trusted=trusted):
        raise NotPermitted(who, action, resource)


def _self(arn: str) -> Self:
    account, (kind, name, *session) = arn.split(":")[4], arn.split(":")[5].split("/")
    return Self(account, "role", name, session[0] if session else "any-other") if kind != "user" else Self(account, kind, name)


def _changing(at: Accounts, who: Self, action: str, on: Self, hop: Hop) -> Accounts:
    """One call of IAM on a user or role."""
    one, name = at.one(on), action.removeprefix("iam:").replace("User", "").replace("Role", "")
    policy_arn = next((word for word in hop.change.split() if ":policy/" in word), "")
    named = policy_arn.rpartition("/")[2]
    keys = {"iam:permissionsboundary": f"arn:aws:iam::{on.account}:policy/{one.boundary}"} if one.boundary else {}
    keys |= {"iam:policyarn": policy_arn} if name in ("AttachPolicy", "DetachPolicy") else {}
    _permit(at, who, action, on.arn, keys)
    if name == "PutPolicy":
        return at.changed(on, statements=[*one.statements, EVERYTHING])
    if name == "AttachPolicy":
        return at.changed(on, policies=[*one.policies, named])
    if name == "DetachPolicy":
        return at.changed(on, policies=[each for each in one.policies if each != named])
    if name == "DeletePolicy":
        return at.changed(on, statements=[])
    if name == "DeletePermissionsBoundary":
        return at.changed(on, boundary=None)
    return at.changed(on, trust=trust(AWS=who.principal)) if name == "UpdateAssumePolicy" else at


def _version(at: Accounts, who: Self, action: str, _on: Self, hop: Hop) -> Accounts:
    arn = next(word for word in hop.change.split() if ":policy/" in word)
    _permit(at, who, action, arn, {})
    made = at.worlds[who.account]
    return replace(at, worlds={**at.worlds, who.account: replace(made, policies={**made.policies, arn.rpartition("/")[2]: [EVERYTHING]})})


_DONE: Mapping[str, Callable[[Accounts, Self, str, Self, Hop], Accounts]] = {
    **{f"iam:{name}{kind}Policy": _changing for name in ("Put", "Attach", "Detach", "Delete") for kind in ("User", "Role")},
    **{f"iam:Delete{kind}PermissionsBoundary": _changing for kind in ("User", "Role")},
    **dict.fromkeys(("iam:UpdateAssumeRolePolicy", "iam:CreateAccessKey", "iam:DeleteAccessKey"), _changing),
    "iam:CreatePolicyVersion": _version,
    "sts:AssumeRole": lambda at, _who, _action, _on, _hop: at,  # done when all that is before it is
}

"""An organization as files: what `sekisho load` reads beside, or in the place of, an account.

    DIR/organization.yaml      types of policies, policies, units, accounts, what is attached to each, tags
    DIR/policies/NAME.json     the policies that organization.yaml names

`root` and each of its `units` may have `units` and `accounts`; whatever is a target has `attached`, `tags` and `full_access` (true unless
it is said: FullAWSAccess is attached, as AWS attaches it). An account is known by its `email`, one that others made by its `id`. Words are
those of account.yaml: ACCOUNT_ID is the management account, `define` adds others.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sekisho.cli.directory import ACCOUNT, Words, mapping, parsed

NAME = "organization.yaml"
SCP, RCP = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"

Names = tuple[str, ...]
"""The names of the units from the root down to one; empty for the root."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy of the organization."""

    name: str
    type: str
    document: str
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """The root, a unit or an account, with the names of the policies that are attached to it."""

    attached: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    full_access: bool = True


@dataclass(frozen=True, slots=True)
class Unit:
    """The root, whose path is empty, or a unit."""

    path: Names
    target: Target

    @property
    def title(self) -> str:
        """Its name in a plan."""
        return f"unit {'/'.join(self.path)}" if self.path else "root"


@dataclass(frozen=True, slots=True)
class Member:
    """An account, and the unit that it hangs in. It has an e-mail or an id."""

    name: str
    email: str
    id: str
    parent: Names
    target: Target
    role: str | None = None

    @property
    def key(self) -> str:
        """By what it is known."""
        return (self.email or self.id).lower()


@dataclass(frozen=True, slots=True)
class Organization:
    """The shape that an organization shall have; `units` begin with the root, and each stands behind the one that it hangs in."""

    types: tuple[str, ...]
    policies: Mapping[str, Policy]
    units: tuple[Unit, ...]
    members: tuple[Member, ...]
    words: Words


_TARGET = {"attached", "tags", "full_access"}
_MEMBERS = {
    "organization": {"define", "types", "policies", "root"},
    "policy": {"type", "description", "tags"},
    "unit": {*_TARGET, "units", "accounts"},
    "account": {*_TARGET, "email", "id", "role"},
}


def read(folder: Path, account_id: str, given: Mapping[str, str]) -> Organization:
    """The organization that a folder describes; ValueError names the file and what is wrong in it."""
    plain = mapping(parsed(folder / NAME, str), NAME)
    own = {str(word): str(value) for word, value in mapping(plain.get("define"), "define").items()}
    if unknown := given.keys() - own.keys():
        raise ValueError(f"{NAME} defines no `{min(unknown)}`")
    words = Words({ACCOUNT: account_id, **own, **given})
    content = _known("organization", parsed(folder / NAME, words.fill), NAME)
    policies = {str(name): _policy(folder, words, str(name), said) for name, said in mapping(content.get("policies"), "policies").items()}
    units: list[Unit] = []
    members: list[Member] = []
    for unit, inside in _units((), content.get("root")):
        units.append(unit)
        members += inside
    found = Organization(tuple(map(str, content.get("types") or ())), policies, tuple(units), tuple(members), words)
    _refuse_loose_ends(found)
    return found


def outline(folder: Path, given: Mapping[str, str], some_account: str) -> tuple[dict[str, str], Words]:
    """The types of the policies that the organization.yaml of a folder names, by name, and its words."""
    plain = mapping(parsed(folder / NAME, str), NAME)
    own = {str(word): str(value) for word, value in mapping(plain.get("define"), "define").items()}
    policies = mapping(plain.get("policies"), "policies")
    types = {str(name): str(mapping(said, f"policies.{name}").get("type")) for name, said in policies.items()}
    return types, Words({ACCOUNT: some_account, **own, **given})


def _policy(folder: Path, words: Words, name: str, said: object) -> Policy:
    members = _known("policy", said, f"policies.{name}")
    if "type" not in members:
        raise ValueError(f"{NAME}: `policies.{name}` has no type, such as {SCP}")
    path = folder / "policies" / f"{name}.json"
    original = path.read_text()
    text = words.fill(original)
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}:{error.lineno}:{words.column(original, error.lineno, error.colno)}: {error.msg}") from None
    tags = _tags(members, f"policies.{name}")
    return Policy(name, str(members["type"]), text, str(members.get("description") or ""), tags)


def _units(path: Names, said: object) -> Iterator[tuple[Unit, list[Member]]]:
    """A unit with the accounts in it, and all beneath it."""
    where = ".".join(("root", *path))
    members = _known("unit", said, where)
    inside = [_member(path, str(name), one, where) for name, one in mapping(members.get("accounts"), f"{where}.accounts").items()]
    yield Unit(path, _target(members, where)), inside
    for name, beneath in mapping(members.get("units"), f"{where}.units").items():
        yield from _units((*path, str(name)), beneath)


def _member(parent: Names, name: str, said: object, where: str) -> Member:
    members = _known("account", said, f"{where}.{name}")
    email, id_ = str(members.get("email") or ""), str(members.get("id") or "")
    if bool(email) == bool(id_):
        raise ValueError(f"{NAME}: the account `{name}` has either an email or the id of an account that is a member already")
    return Member(name, email, id_, parent, _target(members, f"{where}.{name}"), members.get("role"))


def _target(members: Mapping[str, Any], where: str) -> Target:
    full_access = members.get("full_access", True)
    if not isinstance(full_access, bool):  # "false" in quotes would give it
        raise ValueError(f"{NAME}: `{where}.full_access` is neither true nor false")
    return Target(tuple(map(str, members.get("attached") or ())), _tags(members, where), full_access)


def _tags(members: Mapping[str, Any], where: str) -> dict[str, str]:
    return {str(key): str(value) for key, value in mapping(members.get("tags"), f"{where}.tags").items()}


def _known(kind: str, said: object, where: str) -> dict[str, Any]:
    members = mapping(said, where)
    if unknown := members.keys() - _MEMBERS[kind]:
        raise ValueError(f"{NAME}: `{where}` has no member `{min(unknown)}`; it may have {', '.join(sorted(_MEMBERS[kind]))}")
    return members


def _refuse_loose_ends(found: Organization) -> None:
    """ValueError unless what is attached is there, of a type that is in force, and each account stands in one place."""
    targets = [(unit.title, unit.target) for unit in found.units]
    targets += [(f"account {member.name}", member.target) for member in found.members]
    for title, target in targets:
        for name in target.attached:
            if name not in found.policies:
                raise ValueError(f"{NAME}: {title} names the policy `{name}`, which is not there")
            if found.policies[name].type not in found.types:
                raise ValueError(f"{NAME}: {title} names the policy `{name}`, whose type is not among the types")
        if not target.full_access and not any(found.policies[name].type == SCP for name in target.attached):
            raise ValueError(f"{NAME}: {title} is without full access, and no {SCP} is attached to it")
    keys = [member.key for member in found.members]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"{NAME}: the account `{twice[0]}` stands in two places")

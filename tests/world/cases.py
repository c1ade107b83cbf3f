"""Random questions about principals with records, from a seed: the same seed gives the same question on every machine."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from sekisho import policy, world
from sekisho.cli import directory
from sekisho.errors import MalformedPolicyDocument
from sekisho.policy import validate
from tests.policy import gen_callers, gen_conditions, generator

NOW = datetime(2024, 1, 1, tzinfo=UTC)  # which the generator's conditions ask for
HOME = gen_callers.ACCOUNTS[0]

# The callers of the generator that have records: kind, path, name, session's name, and the index of the caller.
PRINCIPALS = (
    ("user", "/", "alice", "", 0),
    ("user", "/division/", "bob", "", 1),
    ("role", "/team/", "app", "sess", 3),
    ("role", "/", "app2", "sess", 4),
    ("role", "/team/", "app", "", 7),
    ("root", "", "", "", 8),
)


@dataclass(frozen=True, slots=True)
class Case:
    """A question, the records behind it, and the same account as files describe it; `identity` and `boundary` are its texts alone."""

    records: Mapping[str, world.Record]
    account: directory.Account
    subject: world.Subject
    action: str
    resource: str
    owner: str
    tags: Mapping[str, str]
    given: Mapping[str, str | tuple[str, ...]]
    identity: Mapping[str, str]
    boundary: str
    resource_policy: str


@dataclass(slots=True)
class _Holdings:
    """The documents that a principal has, by the place where it has them."""

    inline: dict[str, str] = field(default_factory=dict)
    managed: dict[str, str] = field(default_factory=dict)
    group_inline: dict[str, str] = field(default_factory=dict)
    group_managed: dict[str, str] = field(default_factory=dict)

    def each(self) -> tuple[dict[str, str], ...]:
        """The places, in the order in which their policies are asked."""
        return self.inline, self.managed, self.group_inline, self.group_managed


def case(seed: int) -> Case:
    """The question of a seed."""
    rng = Random(seed)
    made = generator.scene(rng)
    kind, path, name, session_name, index = rng.choice(PRINCIPALS)
    made = replace(made, callers=[index, *made.callers[:2]])
    action = rng.choice(made.actions)
    resource, owner = rng.choice(made.resources[action.split(":")[0]])
    holdings = _Holdings()
    for number in range(rng.choice((1, 1, 2, 3))):
        places = holdings.each() if kind == "user" else holdings.each()[:2]
        rng.choice(places)[f"p{number}"] = json.dumps(made.identity())
    limit = json.dumps(made.limit()) if rng.random() < 0.25 else ""
    session = None
    if session_name:
        restricting = tuple(attached("session", json.dumps(made.limit())) for _ in range(rng.choice((0, 0, 1))))
        own = {"TEAM": rng.choice(("red", "blue"))} if rng.random() < 0.5 else {}
        session = world.SessionFacts("assumed-role", session_name, tags=own, policies=restricting, issued_at=NOW)
    id_ = HOME if kind == "root" else f"A{'ID' if kind == 'user' else 'RO'}A{HOME}{name[-5:].upper():A>5}"
    tags = {"Team": rng.choice(("red", "blue", "alice"))} if kind != "root" and rng.random() < 0.7 else {}
    context, many = gen_conditions.context(rng, made.keys)
    given = {key.lower(): tuple(values) if key in many else values[0] for key, values in context.items() if not world.is_reserved(key)}
    team = given.pop("aws:resourcetag/team", None)
    drafts = [json.dumps(made.resource(trust=False)) for _ in range(5)] if rng.random() < 0.7 else []
    return Case(
        records=_records(kind, id_, path, name, tags, holdings, limit),
        account=_account(kind, path, name, tags, holdings, limit),
        subject=world.Subject(id_, HOME, session=session),
        action=action,
        resource=resource,
        owner=owner,
        tags={"Team": str(team)} if team is not None else {},
        # Our own permission checks say how the caller is connected; so that all can ask the same, all say it.
        given={**given, "aws:securetransport": "false"},
        identity={name: text for place in holdings.each() for name, text in place.items()},
        boundary=limit,
        resource_policy=next(filter(_is_resource_policy, drafts), ""),
    )


def attached(name: str, text: str) -> policy.Attached:
    """A policy's text, compiled."""
    return policy.Attached(policy.compiled(text), name=name)


def _is_resource_policy(text: str) -> bool:
    try:
        validate.check(text, validate.Kind.RESOURCE)
    except MalformedPolicyDocument:
        return False
    return True


def _records(
    kind: str, id_: str, path: str, name: str, tags: Mapping[str, str], holdings: _Holdings, limit: str
) -> dict[str, world.Record]:
    found: dict[str, world.Record] = {HOME: world.AccountRecord(HOME, "ACTIVE")}
    for policy_name, text in {**holdings.managed, **holdings.group_managed, **({"limit": limit} if limit else {})}.items():
        found[policy_name] = world.PolicyRecord(policy_name, f"arn:aws:iam::{HOME}:policy/{policy_name}", attached(policy_name, text))
    if kind == "root":
        return found
    grouped = bool(holdings.group_inline or holdings.group_managed)
    if grouped:
        found["group"] = world.GroupRecord("group", _all_attached(holdings.group_inline), tuple(holdings.group_managed))
    found[id_] = world.PrincipalRecord(
        id=id_,
        account_id=HOME,
        kind=kind,
        name=name,
        arn=f"arn:aws:iam::{HOME}:{kind}{path}{name}",
        tags=tags,
        inline=_all_attached(holdings.inline),
        policy_ids=tuple(holdings.managed),
        group_ids=("group",) if grouped else (),
        boundary_id="limit" if limit else None,
    )
    return found


def _all_attached(documents: Mapping[str, str]) -> tuple[policy.Attached, ...]:
    return tuple(attached(name, text) for name, text in documents.items())


def _account(kind: str, path: str, name: str, tags: Mapping[str, str], holdings: _Holdings, limit: str) -> directory.Account:
    managed = {**holdings.managed, **holdings.group_managed, **({"limit": limit} if limit else {})}
    grouped = bool(holdings.group_inline or holdings.group_managed)
    member: dict[str, Any] = {"groups": ("group",)} if grouped else {}
    boundary = "limit" if limit else None
    one = directory.Identity(name, path, tags, tuple(holdings.managed), holdings.inline, boundary, **member)
    group = directory.Identity("group", policies=tuple(holdings.group_managed), inline=holdings.group_inline)
    return directory.Account(
        policies={policy_name: directory.Policy(policy_name, text) for policy_name, text in managed.items()},
        groups=(group,) if grouped else (),
        users=(one,) if kind == "user" else (),
        roles=(one,) if kind == "role" else (),
        words=directory.Words({}),
    )

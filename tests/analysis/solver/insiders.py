"""Worlds for access from within, by chance: somebody known, a resource, and all layers of policies that have a say about the two.

Policies write what is near to the world: its principal in every form that a Principal element has, its sessions by name, its user id, and
variables of all of these. A world of a seed is always the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from sekisho import policy

Doc = dict[str, Any]
Value = str | tuple[str, ...]

OWN, OTHER, STRANGER = "111122223333", "444455556666", "777788889999"
ROLE_ID, USER_ID, ANOTHER_ID = "AROAAAAAAAAAAAAAAAAAA", "AIDAAAAAAAAAAAAAAAAAA", "AROABBBBBBBBBBBBBBBBB"
CANONICAL = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
SESSION_ARN = f"arn:aws:sts::{OWN}:assumed-role/app/"
ROLE_ARN, USER_ARN = f"arn:aws:iam::{OWN}:role/team/app", f"arn:aws:iam::{OWN}:user/staff/ann"
LINKED_ARN = f"arn:aws:iam::{OWN}:role/aws-service-role/shop.example.com/app"

_PRINCIPALS = (
    *(policy.Principal("assumed-role", f"{SESSION_ARN}session", OWN, role_arn=ROLE_ARN, unique_id=ROLE_ID, canonical=CANONICAL),) * 5,
    *(policy.Principal("user", USER_ARN, OWN, unique_id=USER_ID, canonical=CANONICAL),) * 3,
    policy.Principal("service-linked-role", f"{SESSION_ARN}session", OWN, role_arn=LINKED_ARN, unique_id=ROLE_ID),
)
_ACTIONS = {"shop": ("Read", "Ship"), "kms": ("Decrypt", "Encrypt")}
_PLACES = {"shop": "order", "kms": "key"}
_NAMES = ("7", "ann", f"{ROLE_ID}:bob", f"{ROLE_ID}:session", USER_ID, "x", "blue")
_TAG = ("blue", "red", ROLE_ID, "bob", "b*")

_AWS = (
    *("*", OWN, f"arn:aws:iam::{OWN}:root", OTHER, STRANGER, ROLE_ARN, ROLE_ARN, USER_ARN, ROLE_ID, USER_ID, ANOTHER_ID),
    *(f"{SESSION_ARN}{name}" for name in ("session", "bob", "bob", "alice", "b", "session-")),
    *(f"arn:aws:sts::{OTHER}:assumed-role/app/bob", f"arn:aws:sts::{OWN}:assumed-role/other/bob", f"arn:aws:iam::{OWN}:role/app"),
    LINKED_ARN,
)
_ELSE = (
    {"Service": "shop.example.com"},
    {"Federated": f"arn:aws:iam::{OWN}:oidc-provider/login.example.com"},
    {"CanonicalUser": CANONICAL},
)

_TEXT = ("StringEquals", "StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase")
_ARN = ("ArnLike", "ArnEquals", "ArnNotLike", "StringEquals", "StringLike", "StringNotEquals")
_DATE = ("DateLessThan", "DateGreaterThanEquals", "DateEquals", "DateNotEquals")
_OPERATORS = {
    "text": _TEXT,
    "arn": _ARN,
    "ip": ("IpAddress", "IpAddress", "NotIpAddress"),
    "bool": ("Bool", "Bool", "Null"),
    "number": ("NumericLessThan", "NumericGreaterThan", "NumericEquals", "NumericNotEquals"),
    "date": _DATE,
}
_USER_IDS = (
    *(f"{ROLE_ID}:session", f"{ROLE_ID}:bob", f"{ROLE_ID}:*", f"{ROLE_ID}:bo*", "*:bob", "*:b?b", "*:session", "*:Bob", "*:b", "*:b b"),
    *(USER_ID, "AIDA*", "AROA*", f"{ANOTHER_ID}:bob", "*", "*:*", f"*:{'x' * 64}", f"*:{'x' * 65}", "*:*@example.com"),
    *("${aws:PrincipalTag/team}:*", "*:${aws:PrincipalTag/team}", "*:${shop:a}", f"{ROLE_ID}:${{shop:a}}", "${shop:a}", "*${shop:b, 'b'}"),
)
_KEYS: dict[str, tuple[str, tuple[str, ...]]] = {
    "shop:a": ("text", ("x", "y", "x*", "${aws:userid}", "${aws:username}", "${aws:username, 'x'}", "*:${shop:b}", "${shop:b}", "bob", "")),
    "shop:b": ("text", ("x", "y", "?", "${aws:PrincipalTag/team}", "${aws:PrincipalArn}", "bob", "b", f"{ROLE_ID}:*")),
    "aws:userid": ("text", _USER_IDS),
    "aws:PrincipalArn": ("arn", (ROLE_ARN, USER_ARN, f"arn:aws:iam::{OWN}:role/*", "arn:aws:iam::*:user/*", f"{SESSION_ARN}bob", "*")),
    "aws:username": ("text", ("ann", "a*", "Ann", "${shop:a}", "bob", "${aws:PrincipalTag/team}")),
    "aws:PrincipalAccount": ("text", (OWN, OTHER, "1111*", "${aws:ResourceAccount}")),
    "aws:PrincipalType": ("text", ("User", "AssumedRole", "assumedrole")),
    "aws:PrincipalTag/team": ("text", ("blue", "red", "b*", "${aws:ResourceTag/team}", "${aws:userid}", "${shop:a}")),
    "aws:ResourceTag/team": ("text", ("blue", "red", "${aws:PrincipalTag/team}", "${aws:PrincipalTag/team, 'blue'}")),
    "shop:ResourceTag/team": ("text", ("blue", "red")),
    "aws:PrincipalOrgID": ("text", ("o-1", "o-2", "${aws:ResourceOrgID}")),
    "aws:PrincipalOrgPaths": ("text", ("o-1/r-1/*", "o-1/r-1/ou-2/", "o-2/*")),
    "aws:PrincipalIsAWSService": ("bool", ("true", "false")),
    "aws:SourceIp": ("ip", ("10.0.0.0/8", "10.0.0.0/9", "0.0.0.0/1", "10.1.2.3", "2001:db8::/32")),
    "aws:MultiFactorAuthPresent": ("bool", ("true", "false")),
    "aws:MultiFactorAuthAge": ("number", ("3600", "60", "3600.0")),
    "aws:CurrentTime": ("date", ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")),
    "aws:TagKeys": ("text", ("team", "cost", "t*", "${aws:PrincipalTag/team}")),
    "aws:RequestTag/team": ("text", ("blue", "${aws:PrincipalTag/team}", "${aws:userid}")),
    "aws:SourceIdentity": ("text", ("ann", "bob", "${aws:username}")),
}
_OFTEN = ("aws:userid", "aws:userid", "aws:userid", "shop:a", "shop:a", "shop:b", "aws:SourceIp", "aws:MultiFactorAuthPresent")
_SPARED = frozenset(("aws:username", "aws:principaltype", "aws:principalaccount"))
"""Keys of the principal of which not all comparisons with variables are translated."""


@dataclass(frozen=True, slots=True)
class World:
    """Somebody who wants to do something with a resource, what is known of both, and the policies."""

    principal: policy.Principal
    action: str
    resource: str
    owner: str
    known: Mapping[str, Value]
    identity: list[Doc]
    of_resource: Doc | None
    boundary: list[Doc] | None
    scps: list[list[Doc]] | None
    rcps: list[list[Doc]] | None

    @property
    def documents(self) -> list[Doc]:
        """All policies."""
        control = [one for levels in (self.scps or [], self.rcps or []) for level in levels for one in level]
        return [*self.identity, *([self.of_resource] if self.of_resource is not None else []), *(self.boundary or []), *control]


def world(seed: int) -> World:
    """The world of a seed."""
    rng = Random(f"inside {seed}")
    principal = rng.choice(_PRINCIPALS)
    service = "shop" if rng.random() < 0.85 else "kms"
    owner = OWN if rng.random() < 0.65 else OTHER
    resource = f"arn:aws:{service}:us-east-1:{owner}:{_PLACES[service]}/{rng.choice(_NAMES)}"
    draw = _Drawing(rng, service, resource)
    has_resource = owner != OWN or service == "kms" or rng.random() < 0.5
    return World(
        principal,
        f"{service}:{_ACTIONS[service][0]}",
        resource,
        owner,
        _known(rng, principal, owner, service),
        [draw.document() for _ in range(rng.choice((0, 1, 1, 1, 2)))],
        draw.document(of_resource=True) if has_resource else None,
        [draw.document() for _ in range(rng.choice((0, 1, 1)))] if rng.random() < 0.25 else None,
        [[draw.document()] for _ in range(rng.choice((1, 1, 2)))] if rng.random() < 0.2 else None,
        [[draw.document(of_resource=True, control=True)]] if rng.random() < 0.25 else None,
    )


def _known(rng: Random, principal: policy.Principal, owner: str, service: str) -> dict[str, Value]:
    """What the house says of the principal and of the resource."""
    known: dict[str, Value] = {
        "aws:principalarn": principal.role_arn or principal.arn,
        "aws:principalaccount": OWN,
        "aws:principaltype": "User" if principal.kind == "user" else "AssumedRole",
        "aws:principalisawsservice": "false",
        "aws:resourceaccount": owner,
        "aws:userid": USER_ID if principal.kind == "user" else f"{ROLE_ID}:session",
    }
    if principal.kind == "user":
        known["aws:username"] = "ann"
    if rng.random() < 0.6:
        known["aws:principaltag/team"] = rng.choice(_TAG)
    if rng.random() < 0.5:
        known["aws:resourcetag/team"] = known[f"{service}:resourcetag/team"] = rng.choice(_TAG)
    if rng.random() < 0.5:
        known |= {"aws:principalorgid": "o-1", "aws:principalorgpaths": ("o-1/r-1/ou-2/",)}
        known |= {"aws:resourceorgid": "o-1", "aws:resourceorgpaths": ("o-1/r-1/",)} if rng.random() < 0.8 else {}
    return known


@dataclass(slots=True)
class _Drawing:
    """Draws policies about one resource."""

    rng: Random
    service: str
    resource: str

    def document(self, *, of_resource: bool = False, control: bool = False) -> Doc:
        """A policy of one to three statements; `control`: one that only denies."""
        count = self.rng.choice((1, 1, 2, 2, 3))
        made = [self._statement(of_resource=of_resource, deny=control or (i > 0 and self.rng.random() < 0.5)) for i in range(count)]
        return {"Version": "2012-10-17", "Statement": made}

    def _statement(self, *, of_resource: bool, deny: bool) -> Doc:
        rng, service = self.rng, self.service
        first, second = _ACTIONS[service]
        made: Doc = {"Effect": "Deny" if deny else "Allow"}
        if rng.random() < 0.07:
            made["NotAction"] = f"{service}:{second}"
        else:
            made["Action"] = rng.choice(
                (f"{service}:*", "*", f"{service}:{first}", f"{service}:{first[0]}*", [f"{service}:{first}", "a:b"])
            )
        pattern = self._resource()
        made["NotResource" if pattern != "*" and rng.random() < 0.08 else "Resource"] = pattern
        if of_resource:
            made["NotPrincipal" if rng.random() < (0.2 if deny else 0.05) else "Principal"] = self._element()
        conditions = rng.choice((0, 1, 1, 2)) if not deny else rng.choice((0, 1, 1, 1, 2))
        for _ in range(conditions):
            self._condition(made.setdefault("Condition", {}))
        return made

    def _resource(self) -> str:
        stem = self.resource.rpartition("/")[0]
        ends = ("*", "?", "${aws:userid}", "${aws:username}", f"{ROLE_ID}:*", "${aws:PrincipalTag/team}", "${shop:a}", "*${shop:b}")
        choice = self.rng.random()
        return "*" if choice < 0.45 else self.resource if choice < 0.7 else f"{stem}/{self.rng.choice(ends)}"

    def _element(self) -> Any:
        rng = self.rng
        choice = rng.random()
        if choice < 0.2:
            return "*"
        if choice < 0.3:
            return {**rng.choice(_ELSE), "AWS": rng.sample(_AWS, 1)}
        return {"AWS": rng.sample(_AWS, rng.choice((1, 1, 2, 3, 4)))}

    def _condition(self, block: Doc) -> None:
        rng = self.rng
        key = rng.choice(_OFTEN if rng.random() < 0.5 else tuple(_KEYS))
        family, pool = _KEYS[key]
        operator = rng.choice(_OPERATORS[family])
        values = rng.sample(pool, rng.choice((1, 1, 2)))
        if key.lower() in _SPARED:
            values = [value for value in values if "$" not in value] or ["x"]
        if family == "bool":
            values = values[:1]
        if rng.random() < 0.1:
            operator, values = "Null", [rng.choice(("true", "false"))]
        elif operator != "Null" and rng.random() < 0.15:
            operator = f"{operator}IfExists"
        many = key in ("aws:TagKeys", "aws:PrincipalOrgPaths")
        if operator != "Null" and rng.random() < (0.9 if many else 0.04):
            operator = f"{rng.choice(('ForAllValues', 'ForAnyValue'))}:{operator}"
        block.setdefault(operator, {})[rng.choice((key, key, key.lower()))] = values if len(values) > 1 else values[0]

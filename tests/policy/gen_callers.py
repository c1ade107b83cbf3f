"""Callers of random worlds, and the ways a policy may name them, rightly and nearly."""

from random import Random
from typing import Any

ACCOUNTS = ("111122223333", "444455556666")
Caller = dict[str, Any]  # the caller's part of a request: principal, principal_type and, where known, role_arn, unique_id, provider

OIDC = "arn:aws:iam::111122223333:oidc-provider/login.example.com"
CANONICAL = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"


def user(account: str, name: str) -> Caller:
    """An IAM user."""
    return {
        "principal": f"arn:aws:iam::{account}:user/{name}",
        "principal_type": "user",
        "unique_id": f"AIDA{account}{name[-5:].upper():A>5}",
    }


def session(account: str, path: str, name: str, session_name: str) -> Caller:
    """A session of a role; the role's ARN has the path, the session's never."""
    return {
        "principal": f"arn:aws:sts::{account}:assumed-role/{name}/{session_name}",
        "principal_type": "assumed-role",
        "role_arn": f"arn:aws:iam::{account}:role{path}{name}",
        "unique_id": f"AROA{account}{name.upper():A>5}",
    }


def all_callers() -> tuple[Caller, ...]:
    """One or two callers of every kind."""
    home, other = ACCOUNTS
    linked = {
        "principal": f"arn:aws:sts::{home}:assumed-role/AWSServiceRoleForOrders/orders",
        "principal_type": "service-linked-role",
        "role_arn": f"arn:aws:iam::{home}:role/aws-service-role/orders.amazonaws.com/AWSServiceRoleForOrders",
    }
    return (
        user(home, "alice"),
        user(home, "division/bob"),
        user(other, "alice"),
        session(home, "/team/", "app", "sess"),
        session(home, "/", "app2", "sess"),
        session(other, "/", "app", "sess"),
        {"principal": f"arn:aws:sts::{home}:assumed-role/plain/sess", "principal_type": "assumed-role"},
        {"principal": f"arn:aws:iam::{home}:role/team/app", "principal_type": "role"},
        {"principal": f"arn:aws:iam::{home}:root", "principal_type": "root"},
        {"principal": f"arn:aws:iam::{other}:root", "principal_type": "root"},
        {"principal": f"arn:aws:sts::{home}:federated-user/kim", "principal_type": "federated-user"},
        linked,
        {"principal": "lambda.amazonaws.com", "principal_type": "service"},
        {"principal": None, "principal_type": "anonymous"},
        {"principal": None, "principal_type": "federated", "provider": OIDC},
    )


CALLERS = all_callers()


def spellings(caller: Caller) -> list[tuple[str, str]]:
    """The (kind, value) pairs that name the caller or come near to it."""
    kind, arn = caller["principal_type"], caller["principal"]
    if kind == "service":
        return [("Service", arn), ("Service", "ec2.amazonaws.com")]
    if kind == "anonymous":
        return [("AWS", "*"), ("CanonicalUser", CANONICAL)]
    if kind == "federated":
        return [("Federated", caller["provider"]), ("Federated", "accounts.google.com")]
    account = arn.split(":")[4]
    found = [account, f"arn:aws:iam::{account}:root", arn, arn.replace(account, "999999999999"), arn[:-1] + "*", arn[:-1] + "X"]
    found += [caller[field] for field in ("role_arn", "unique_id") if field in caller]
    canonical = [("CanonicalUser", caller["canonical"])] if "canonical" in caller else []
    if kind in ("assumed-role", "service-linked-role"):
        found.append(f"arn:aws:iam::{account}:role/{arn.split('/')[1]}")
    return [("AWS", value) for value in found] + canonical


NAMES = tuple(spellings(caller) for caller in CALLERS)


def element(rng: Random, callers: list[int]) -> Any:
    """A Principal or NotPrincipal element about some of the callers, given as indices into `CALLERS`."""
    if rng.random() < 0.2:
        return rng.choice(("*", {"AWS": "*"}, {"AWS": ["*"]}))
    named: dict[str, list[str]] = {}
    for _ in range(rng.choice((1, 1, 2, 3))):
        kind, value = rng.choice(NAMES[rng.choice(callers)])
        named.setdefault(kind, []).append(value)
    return {kind: values[0] if len(values) == 1 and rng.random() < 0.5 else values for kind, values in named.items()}


def exception(rng: Random, callers: list[int]) -> Any:
    """A NotPrincipal element that often lists every form of a caller, as AWS advises."""
    if rng.random() < 0.4:
        return element(rng, callers)
    named: dict[str, list[str]] = {}
    for kind, value in NAMES[rng.choice(callers)]:
        if rng.random() < 0.9:
            named.setdefault(kind, []).append(value)
    return named or "*"

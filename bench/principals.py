"""A world of many accounts on PostgreSQL, written by COPY: users, roles, groups, policies, attachments, tags, and a caller in each account.

Everything comes from its number, so a world grows from one size to the next, and whoever measures knows whom to ask about.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sekisho import sigv4
from sekisho.credentials import access_keys
from sekisho.credentials.key_ring import KeyRing

GROUPS = 10
"""In each account, with one policy each."""

ATTACHED, INLINE, ROLES = 3, 5, 20
"""Managed policies of a principal; every so manieth has an inline one, every so manieth is a role."""

STATEMENTS = 5
"""Of a managed policy."""

_NOW = "2026-01-01 00:00:00+00"
_GATE = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": ["authorize:Authorize", "authorize:AssertPrincipal"], "Resource": "*"},
    }
)
_TRUST = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}}
)
_TABLES: dict[str, tuple[str, ...]] = {
    "accounts": ("id", "name", "status", "created_at"),
    "entities": ("id", "account_id", "kind", "name", "name_key", "path", "created_at"),
    "roots": ("id",),
    "users": ("id",),
    "roles": ("id", "trust_policy", "max_session_seconds"),
    "groups": ("id",),
    "policies": ("id", "default_version", "last_version", "updated_at"),
    "policy_versions": ("policy_id", "number", "document", "created_at"),
    "inline_policies": ("owner_id", "name", "name_key", "document"),
    "attachments": ("owner_id", "policy_id", "created_at"),
    "memberships": ("user_id", "group_id", "created_at"),
    "tags": ("owner_id", "key", "key_key", "value"),
    "access_keys": ("id", "account_id", "owner_id", "secret", "status", "created_at"),
}
"""The tables that are written, in the order in which rows refer to each other."""

Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the world, with this many principals and policies; `gate` is the key of the user who asks about the others."""

    number: int
    principals: int
    policies: int
    gate: sigv4.Credentials

    @property
    def id(self) -> str:
        """Twelve digits."""
        return str(100_000_000_000 + self.number)

    def arn(self, principal: int) -> str:
        """The ARN of a principal by its number in the account."""
        return f"arn:aws:iam::{self.id}:{'role' if _is_role(principal) else 'user'}/p{principal}"

    def question(self, principal: int) -> dict[str, Any]:
        """A question about a principal that its first managed policy allows."""
        policy = _attached(principal, self.policies)[0]
        return {"principal_arn": self.arn(principal), "action": "orders:Read2", "resource": f"arn:aws:orders:::{self.id}-{policy}-2/x"}


def accounts(numbers: Iterable[int], *, principals: int, policies: int) -> list[Account]:
    """The accounts of these numbers, each with so many principals and policies."""
    made = []
    for number in numbers:
        key = access_keys.new_access_key(str(100_000_000_000 + number))
        made.append(Account(number, principals, policies, key))
    return made


def write(url: str, ring: KeyRing, added: Sequence[Account]) -> None:
    """Add accounts to a database, each in a transaction, with a bar of their progress.

    Foreign keys are not checked, which takes most of the time; so the counts of entities are made at the end.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with closing(psycopg.connect(url.replace("+psycopg", ""))) as connection, Progress(*columns) as progress:
        connection.execute("SET session_replication_role = replica")
        for account in progress.track(added, description=f"{len(added):,} accounts of {added[0].principals:,} principals"):
            for table, rows in _rows(account, ring).items():
                with connection.cursor().copy(f"COPY {table} ({', '.join(_TABLES[table])}) FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
            connection.commit()
        connection.execute("DELETE FROM entity_counts")
        connection.execute("INSERT INTO entity_counts SELECT account_id, kind, count(*) FROM entities GROUP BY account_id, kind")
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")  # as autovacuum does a little later


def _rows(account: Account, ring: KeyRing) -> Rows:
    """All rows of an account."""
    rows: Rows = {table: [] for table in _TABLES}
    me, base = account.id, account.number << 24

    def entity(prefix: str, kind: str, name: str, number: int) -> str:
        id_ = _id(prefix, base + number) if prefix else me
        rows["entities"].append((id_, me, kind, name, name, "/", _NOW))
        return id_

    rows["accounts"].append((me, f"account {account.number}", "ACTIVE", _NOW))
    rows["roots"].append((entity("", "root", "root", 0),))
    policies = [entity("ANPA", "policy", f"policy{n}", n) for n in range(account.policies)]
    groups = [entity("AGPA", "group", f"group{n}", n) for n in range(GROUPS)]
    for n, id_ in enumerate(policies):
        rows["policies"].append((id_, 1, 1, _NOW))
        rows["policy_versions"].append((id_, 1, _document(me, n), _NOW))
    for n, id_ in enumerate(groups):
        rows["groups"].append((id_,))
        rows["attachments"].append((id_, policies[n % len(policies)], _NOW))
    for n in range(account.principals):
        prefix, kind = ("AROA", "role") if _is_role(n) else ("AIDA", "user")
        id_ = entity(prefix, kind, f"p{n}", n)
        rows[f"{kind}s"].append((id_, _TRUST, 3600) if kind == "role" else (id_,))
        rows["tags"].append((id_, "team", "team", f"team{n % 7}"))
        rows["attachments"].extend((id_, policies[p], _NOW) for p in _attached(n, len(policies)))
        if kind == "user":
            rows["memberships"].append((id_, groups[n % GROUPS], _NOW))
        if n % INLINE == 0:
            rows["inline_policies"].append((id_, "own", "own", _document(me, -n)))
    gate = entity("AIDA", "user", "gate", account.principals)
    rows["users"].append((gate,))
    rows["inline_policies"].append((gate, "gate", "gate", _GATE))
    sealed = access_keys.seal(account.gate, ring)
    rows["access_keys"].append((account.gate.access_key_id, me, gate, sealed, "Active", _NOW))
    return rows


def _document(account: str, policy: int) -> str:
    """A policy whose text no other policy has, so that each is compiled."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(_statements(account, policy))})


def _statements(account: str, policy: int) -> Iterator[dict[str, object]]:
    for n in range(STATEMENTS):
        yield {
            "Effect": "Allow",
            "Action": [f"orders:Read{n}", f"orders:List{n}*"],
            "Resource": f"arn:aws:orders:::{account}-{policy}-{n}/*",
            "Condition": {"StringNotEquals": {"aws:PrincipalTag/team": "outside"}},
        }


def _attached(principal: int, policies: int) -> list[int]:
    """The numbers of a principal's managed policies."""
    return sorted({(principal * 7 + n * 13) % policies for n in range(ATTACHED)})


def _is_role(principal: int) -> bool:
    return principal % ROLES == ROLES - 1


def _id(prefix: str, number: int) -> str:
    """A unique id that is as scattered over an index as one of chance: the product with an odd number, modulo 2 ** 64, is one to one."""
    return f"{prefix}{number * 0x9E3779B97F4A7C15 % 2**64:017X}"

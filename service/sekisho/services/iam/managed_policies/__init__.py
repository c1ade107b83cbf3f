"""The AWS-managed policies: rows of the account `aws`, which every account may attach and none may change.

Those that come with this program stand in the YAML files beside it: what each allows is what its name says, in our own words. By path and
name; `allow` is one statement on everything, `statements` are written as in a policy document. The policies of service-linked roles allow
nothing, until an operator imports what AWS's allow: what a service of AWS does for an account cannot be told from the policy's name. Dates
and versions are AWS's, from `dates.tsv`, so that no policy is as old as the database. Others come from an operator's file.
"""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib import resources
from itertools import chain
from typing import Any

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho import arn
from sekisho.credentials import key_ids
from sekisho.credentials.accounts import by_operator
from sekisho.services.iam import linked_services
from sekisho.store import changes, db
from sekisho.store.tables import Account, Policy, PolicyOrigin, PolicyVersion
from sekisho.world import AWS

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # a PyYAML without libyaml: ten times slower
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

KEPT = 5
"""Versions of a policy that stay, as many as a policy may have."""


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A policy as it is to be; `document` is its text."""

    name: str
    path: str
    description: str
    document: str
    created_at: datetime | None = None  # None: when it comes into the database
    updated_at: datetime | None = None
    version: int = 1
    """The number of the version that has the document, if it is the first that the database gets."""

    @property
    def arn(self) -> str:
        """Its ARN, `arn:aws:iam::aws:policy/…`."""
        return arn.iam(AWS, "policy", self.name, self.path)


# Everybody may call it whatever policies say: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
_NOTHING = [{"Sid": "NothingThatIsNotAllowedAnyway", "Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}]
_OLDEST = datetime(2015, 2, 6, 18, 39, 46, tzinfo=UTC)
"""When AWS made its first managed policies, AdministratorAccess among them; the date of a policy whose own is not known."""


def built_in() -> tuple[ManagedPolicy, ...]:
    """The policies that come with this program, by name."""
    dates = _dates()
    found = [
        _policy(linked.policy_arn.partition("/")[2], {"description": f"Of {linked.service}'s own role.", "statements": _NOTHING}, dates)
        for linked in linked_services.table().values()
    ]
    for file in resources.files(__package__).iterdir():
        if file.name.endswith(".yaml"):
            entries: dict[str, dict[str, Any]] = yaml.load(file.read_text("utf-8"), _Loader)  # one of the safe loaders
            found += [_policy(named, entry, dates) for named, entry in entries.items()]
    return tuple(sorted(found, key=lambda policy: policy.name))


def load(database: db.Database) -> int:
    """Bring the program's own policies into the database, and say how many that changed.

    What an operator imported stays. So does a policy that had the program's text before and has another now: of two releases that run
    beside each other, the older does not undo the newer.
    """
    return put(database, built_in(), imported=False)


def put(database: db.Database, policies: Sequence[ManagedPolicy], *, imported: bool) -> int:
    """Make policies, or give them a new version where their text is another; how many that changed. No write when none does."""
    with database.read() as session:
        if not _outdated(session, policies, imported=imported):
            return 0
    with database.write((AWS,)) as session:
        touched = changes.Touched(session)
        now = datetime.now(UTC)
        changed = _outdated(session, policies, imported=imported)
        if session.get(Account, AWS) is None:
            changes.add(session, Account(id=AWS, name=AWS, created_at=now))
            session.flush()
        new = [_made(policy, now, imported=imported) for policy, row in changed if row is None]
        for row in chain.from_iterable(zip(*new, strict=True)):  # kind by kind, so that a few statements write all of them
            changes.add(session, row)
        for policy, row in changed:
            if row is not None:
                _renew(session, policy, row, now, imported=imported)
        if changed:
            arns = [policy.arn for policy, _ in changed]
            audited = by_operator(AWS, now, "iam", "ImportManagedPolicies", {"policyArns": arns})
            changes.record(session, touched, now, lambda: secrets.token_hex(8), audited)
    return len(changed)


def _dates() -> dict[str, tuple[datetime, datetime, int]]:
    """When AWS made and last changed each policy, and the number of its newest version then, by path and name."""
    lines = resources.files(__package__).joinpath("dates.tsv").read_text("utf-8").splitlines()
    rows = (line.split("\t") for line in lines[1:])
    return {
        named: (datetime.fromisoformat(created), datetime.fromisoformat(updated), int(version.removeprefix("v")))
        for named, created, updated, version in rows
    }


def _policy(named: str, entry: dict[str, Any], dates: Mapping[str, tuple[datetime, datetime, int]]) -> ManagedPolicy:
    path, _, name = named.rpartition("/")
    statements = entry.get("statements") or [{"Effect": "Allow", "Action": entry["allow"], "Resource": "*"}]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)
    return ManagedPolicy(name, f"/{path}/" if path else "/", entry["description"], document, *dates.get(named, (_OLDEST, _OLDEST, 1)))


def _outdated(session: Session, policies: Iterable[ManagedPolicy], *, imported: bool) -> list[tuple[ManagedPolicy, Policy | None]]:
    """The policies that the database has not, or not so, with their rows."""
    rows = {row.name_key: row for row in session.scalars(select(Policy).where(Policy.account_id == AWS))}
    origins = {row.policy_id: row.imported for row in session.scalars(select(PolicyOrigin))}
    texts: dict[str, dict[int, str]] = {}
    for version in session.scalars(select(PolicyVersion).where(PolicyVersion.policy_id.in_([row.id for row in rows.values()]))):
        texts.setdefault(version.policy_id, {})[version.number] = version.document
    found: list[tuple[ManagedPolicy, Policy | None]] = []
    for policy in policies:
        row = rows.get(policy.name.lower())
        if row is None:
            found.append((policy, row))
        elif imported:
            now = (row.name, row.path, row.description, json.loads(texts[row.id][row.default_version]), origins.get(row.id))
            if now != (policy.name, policy.path, policy.description, json.loads(policy.document), True):
                found.append((policy, row))
        elif not origins.get(row.id) and (policy.document not in texts[row.id].values() or _undated(row, policy)):
            found.append((policy, row))
    return found


def _undated(row: Policy, policy: ManagedPolicy) -> bool:
    """Whether the row has the dates and numbers that an older release gave, when it made the policy."""
    return row.last_version < policy.version or (policy.created_at is not None and row.created_at != policy.created_at)


def _made(policy: ManagedPolicy, now: datetime, *, imported: bool) -> tuple[Policy, PolicyVersion, PolicyOrigin]:
    """The rows of a policy that the database has not."""
    # The same id in every database, so that copies of one can be told to be of the same policy.
    id_ = key_ids.unique_id("policy", lambda size: sha256(policy.arn.encode()).digest()[:size])
    created, updated, number = policy.created_at or now, policy.updated_at or now, policy.version
    columns = {"account_id": AWS, "name": policy.name, "name_key": policy.name.lower(), "path": policy.path, "created_at": created}
    row = Policy(id=id_, **columns, description=policy.description, default_version=number, last_version=number, updated_at=updated)
    version = PolicyVersion(policy_id=id_, number=number, document=policy.document, created_at=updated)
    return row, version, PolicyOrigin(policy_id=id_, imported=imported)


def _renew(session: Session, policy: ManagedPolicy, row: Policy, now: datetime, *, imported: bool) -> None:
    row.name, row.path, row.description = policy.name, policy.path, policy.description
    versions = session.scalars(select(PolicyVersion).where(PolicyVersion.policy_id == row.id).order_by(PolicyVersion.number)).all()
    row.created_at = policy.created_at or row.created_at
    behind = row.last_version < policy.version
    if not versions or behind or json.loads(versions[-1].document) != json.loads(policy.document):
        row.last_version = max(row.last_version + 1, policy.version)
        row.updated_at = (policy.updated_at or now) if behind else now
        version = PolicyVersion(policy_id=row.id, number=row.last_version, document=policy.document, created_at=row.updated_at)
        changes.add(session, version)
        for old in versions[: max(0, len(versions) + 1 - KEPT)]:
            session.delete(old)
    row.default_version = row.last_version
    origin = session.get(PolicyOrigin, row.id)
    if origin is None:
        changes.add(session, PolicyOrigin(policy_id=row.id, imported=imported))
    else:
        origin.imported = imported

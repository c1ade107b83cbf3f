"""Accounts: the first one of a new server, and further ones that an operator creates beside it."""

import configparser
import io
import json
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho import arn
from sekisho.credentials import access_keys
from sekisho.credentials.key_ring import KeyRing
from sekisho.errors import FailedPrecondition, InvalidArgument, NotFound, SekishoError
from sekisho.sigv4 import Credentials
from sekisho.store import changes, db
from sekisho.store.durable import write_file
from sekisho.store.tables import AccessKey, Account, QuotaOverride, Root
from sekisho.world import AWS

ADJUSTABLE = (
    "GroupsQuota",
    "InstanceProfilesQuota",
    "OrganizationAccountsQuota",
    "PoliciesQuota",
    "ResourcesQuota",
    "RolesQuota",
    "ServerCertificatesQuota",
    "ServiceDefinitionsQuota",
    "UsersQuota",
)
"""The quotas that can be set for one account: those of IAM by their names in GetAccountSummary, the accounts of an organization by its
management account, registered resources and definitions of services.
"""

_HIGHEST = 1_000_000
_MOST_RESOURCES = 1_000_000_000

OPERATOR = "local-operator"
"""Who creates accounts, in the audit trail: somebody with access to the database and the key ring."""


class AccountExists(InvalidArgument):
    """The account id is taken."""


class NoSuchAccount(NotFound):
    """There is no account with this id."""


class WrongKeyRing(FailedPrecondition):
    """The key ring is another than the one that sealed the database's secrets."""


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A new account with its root access key; the secret is shown this once."""

    account_id: str
    access_key_id: str
    secret_access_key: str = field(repr=False)


def create(database: db.Database, ring: KeyRing, *, name: str = "") -> NewAccount:
    """A new, empty account, with a root user and an access key for it."""
    new = _new(None, None, None)
    with database.write(("accounts",)) as session:
        _write(session, ring, new, name or new.account_id)
    return new


def bootstrap(
    database: db.Database,
    ring: KeyRing,
    credentials: Path,
    *,
    account_id: str | None = None,
    access_key_id: str | None = None,
    secret_access_key: str | None = None,
) -> NewAccount | None:
    """The first account of an empty database, its root credentials in a file of the AWS CLI's format; None when there is one already."""
    with database.write(("accounts",)) as session:
        if session.scalar(select(Account.id).where(Account.id != AWS).limit(1)) is not None:
            return None
        new = _new(account_id, access_key_id, secret_access_key)
        _write(session, ring, new, "root")
        # Before the commit: if we stop between the two, the next start makes another account and another file.
        write_file(credentials, _profile(new), mode=0o600)
    return new


def set_quota(database: db.Database, account_id: str, quota: str, value: int) -> None:
    """Set a quota of one account, for the writes that come after; what is there already stays, also when it is more."""
    if quota not in ADJUSTABLE:
        raise InvalidArgument(f"`{quota}` is no quota that can be set; those are {', '.join(ADJUSTABLE)}")
    highest = _MOST_RESOURCES if quota == "ResourcesQuota" else _HIGHEST
    if not 0 <= value <= highest:
        raise InvalidArgument(f"`{value}` is not between 0 and {highest}")
    with database.write((account_id,)) as session:
        if account_id == AWS or session.get(Account, account_id) is None:
            raise NoSuchAccount(f"there is no account `{account_id}`")
        touched = changes.Touched(session)
        session.merge(QuotaOverride(account_id=account_id, quota=quota, value=value))
        request = {"quotaCode": quota, "desiredValue": value}
        _record(session, touched, account_id, datetime.now(UTC), "servicequotas", "RequestServiceQuotaIncrease", request)


def exist(database: db.Database) -> bool:
    """Whether the database has any account, whose secrets only its own key ring opens."""
    with database.read() as session:
        return session.scalar(select(Account.id).limit(1)) is not None


def refuse_other_ring(database: db.Database, ring: KeyRing) -> None:
    """Raise WrongKeyRing when the ring does not open what the database holds: else a server would start, and fail each call alone."""
    with database.read() as session:
        refuse_ring(session, ring)


def refuse_ring(session: Session, ring: KeyRing) -> None:
    """As `refuse_other_ring`, of the database that a session reads."""
    key = session.scalars(select(AccessKey).order_by(AccessKey.created_at.desc(), AccessKey.id).limit(1)).one_or_none()
    if key is not None:
        try:
            access_keys.unseal(key.id, key.secret, ring)
        except SekishoError as error:
            raise WrongKeyRing("the key ring is not the one that sealed this database's secrets; put that one in its place") from error


def new_id() -> str:
    """Twelve digits, of which the first is not 0, drawn at random."""
    return f"{secrets.randbelow(9 * 10**11) + 10**11}"


def add(session: Session, account_id: str, name: str, now: datetime) -> None:
    """Have an account written with its root user, who has no credentials, in a transaction of the caller's."""
    changes.add(session, Account(id=account_id, name=name, created_at=now))
    changes.add(session, Root(id=account_id, account_id=account_id, name="root", name_key="root", created_at=now))


def _new(account_id: str | None, access_key_id: str | None, secret_access_key: str | None) -> NewAccount:
    account = account_id or new_id()
    if not arn.is_account_id(account):
        raise InvalidArgument(f"`{account}` is not an account id of twelve digits")
    if bool(access_key_id) != bool(secret_access_key):
        raise InvalidArgument("a root access key id and its secret are given together")
    if access_key_id and secret_access_key:
        return NewAccount(account, access_key_id, secret_access_key)
    key = access_keys.new_access_key(account)
    return NewAccount(account, key.access_key_id, key.secret_access_key)


def _write(session: Session, ring: KeyRing, new: NewAccount, name: str) -> None:
    touched = changes.Touched(session)
    now = datetime.now(UTC)
    if session.get(Account, new.account_id) is not None:
        raise AccountExists(f"there is an account {new.account_id} already")
    add(session, new.account_id, name, now)
    sealed = access_keys.seal(Credentials(new.access_key_id, new.secret_access_key), ring)
    changes.add(session, AccessKey(id=new.access_key_id, account_id=new.account_id, owner_id=new.account_id, secret=sealed, created_at=now))
    _record(session, touched, new.account_id, now, "organizations", "CreateAccount", {})


def record_by_operator(database: db.Database, service: str, event: str, request: Mapping[str, Any]) -> None:
    """Record what an operator has done to the whole installation in the trail of its oldest account, which is the operator's own."""
    with database.read() as session:
        first = session.scalar(select(Account.id).where(Account.id != AWS).order_by(Account.created_at, Account.id).limit(1))
    if first is not None:
        with database.write((first,)) as session:
            _record(session, changes.Touched(session), first, datetime.now(UTC), service, event, dict(request))


def _record(
    session: Session, touched: changes.Touched, account_id: str, now: datetime, service: str, event: str, request: dict[str, Any]
) -> None:
    """The last rows of a write that no caller made: its revision and its audit record."""
    changes.record(session, touched, now, lambda: secrets.token_hex(8), by_operator(account_id, now, service, event, request))


def by_operator(account_id: str, now: datetime, service: str, event: str, request: dict[str, Any]) -> dict[str, Any]:
    """The audit record of a write that no caller made, as columns but for the revision."""
    return {
        "id": str(uuid.uuid4()),
        "account_id": account_id,
        "at": now,
        "event_source": f"{service}.amazonaws.com",
        "event_name": event,
        "read_only": False,
        "principal_id": OPERATOR,
        "principal_arn": "",
        "access_key_id": "",
        "source_ip": "",
        "user_agent": "",
        "request": json.dumps(request),
        "response": "{}",
        "event_type": "AwsServiceEvent",
        "region": "us-east-1",
        "identity": json.dumps({"type": "AWSService", "invokedBy": OPERATOR}),
    }


def _profile(new: NewAccount) -> bytes:
    parser = configparser.ConfigParser(interpolation=None)
    parser["root"] = {"aws_access_key_id": new.access_key_id, "aws_secret_access_key": new.secret_access_key}
    text = io.StringIO()
    parser.write(text)
    return text.getvalue().encode()

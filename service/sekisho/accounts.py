"""Accounts: the first one of a new server, and further ones that an operator creates beside it."""

import configparser
import io
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho import arn, changes, db
from sekisho.credentials import access_keys
from sekisho.durable import write_file
from sekisho.errors import FailedPrecondition, InvalidArgument, SekishoError
from sekisho.secrets import KeyRing
from sekisho.sigv4 import Credentials
from sekisho.tables import AccessKey, Account, AuditRecord, Root

AWS = "aws"
"""The account that the AWS-managed policies belong to."""

OPERATOR = "local-operator"
"""Who creates accounts, in the audit trail: somebody with access to the database and the key ring."""


class AccountExists(InvalidArgument):
    """The account id is taken."""


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


def exist(database: db.Database) -> bool:
    """Whether the database has any account, whose secrets only its own key ring opens."""
    with database.read() as session:
        return session.scalar(select(Account.id).limit(1)) is not None


def refuse_other_ring(database: db.Database, ring: KeyRing) -> None:
    """Raise WrongKeyRing when the ring does not open what the database holds: else a server would start, and fail each call alone."""
    with database.read() as session:
        key = session.scalars(select(AccessKey).order_by(AccessKey.created_at.desc(), AccessKey.id).limit(1)).one_or_none()
    if key is not None:
        try:
            access_keys.unseal(key.id, key.secret, ring)
        except SekishoError as error:
            raise WrongKeyRing("the key ring is not the one that sealed this database's secrets; put that one in its place") from error


def _new(account_id: str | None, access_key_id: str | None, secret_access_key: str | None) -> NewAccount:
    account = account_id or f"{secrets.randbelow(9 * 10**11) + 10**11}"
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
    session.add(Account(id=new.account_id, name=name, created_at=now))
    session.flush()
    session.add(Root(id=new.account_id, account_id=new.account_id, name="root", name_key="root", created_at=now))
    session.flush()
    sealed = access_keys.seal(Credentials(new.access_key_id, new.secret_access_key), ring)
    session.add(AccessKey(id=new.access_key_id, account_id=new.account_id, owner_id=new.account_id, secret=sealed, created_at=now))
    point = changes.record(session, touched, now, lambda: secrets.token_hex(8))
    session.add(
        AuditRecord(
            id=str(uuid.uuid4()),
            account_id=new.account_id,
            at=now,
            revision=point.number,
            event_source="organizations.amazonaws.com",
            event_name="CreateAccount",
            read_only=False,
            principal_id=OPERATOR,
            principal_arn="",
            access_key_id="",
            source_ip="",
            user_agent="",
            request="{}",
            response="{}",
        )
    )


def _profile(new: NewAccount) -> bytes:
    parser = configparser.ConfigParser(interpolation=None)
    parser["root"] = {"aws_access_key_id": new.access_key_id, "aws_secret_access_key": new.secret_access_key}
    text = io.StringIO()
    parser.write(text)
    return text.getvalue().encode()

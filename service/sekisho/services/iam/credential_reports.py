"""Credential reports: what credentials the users of an account have, as a table in CSV.

AWS writes them in the background; ours is written by the call that asks for it, before its transaction, so it is there at once.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
"""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho.api.iam.v1 import credential_reports_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation, prepare
from sekisho.services.iam import entities
from sekisho.services.iam.errors import ReportExpired, ReportNotPresent
from sekisho.store.tables import (
    AccessKey,
    Authenticator,
    CredentialReport,
    Entity,
    LoginProfile,
    MfaDevice,
    PasswordPolicy,
    Root,
    SigningCertificate,
    User,
)

C = TypeVar("C", AccessKey, SigningCertificate)

AGE = timedelta(hours=4)
"""The time for which a report is handed out before another is written."""

_FORMAT = "text/csv"
_STARTED = "No report exists. Starting a new report generation task"
_NONE, _UNSUPPORTED, _UNKNOWN = "N/A", "not_supported", "no_information"
_KEY_COLUMNS = ("active", "last_rotated", "last_used_date", "last_used_region", "last_used_service")
_COLUMNS = (
    *("user", "arn", "user_creation_time", "password_enabled", "password_last_used", "password_last_changed", "password_next_rotation"),
    "mfa_active",
    *(f"access_key_{n}_{column}" for n in (1, 2) for column in _KEY_COLUMNS),
    *(f"cert_{n}_{column}" for n in (1, 2) for column in ("active", "last_rotated")),
)


@operation
def generate_credential_report(call: Call, request: pb.GenerateCredentialReportRequest) -> pb.GenerateCredentialReportResponse:
    """A report that is younger than four hours is as good as a new one."""
    row = call.session.get(CredentialReport, call.account_id)
    if row is not None and not _is_expired(row, call.now):
        return pb.GenerateCredentialReportResponse(state="COMPLETE")
    if row is None:
        row = CredentialReport(account_id=call.account_id)
        call.add(row)
    row.content, row.generated_at = call.prepared, call.now
    return pb.GenerateCredentialReportResponse(state="STARTED", description=_STARTED)


@prepare(generate_credential_report)
def _for_generate(call: Call, request: pb.GenerateCredentialReportRequest) -> Callable[[], str]:
    row = call.session.get(CredentialReport, call.account_id)
    if row is not None and not _is_expired(row, call.now):
        return lambda: ""
    lines = [_line(call, *known) for known in _load_known(call.session, call.account_id)]
    return lambda: _csv(lines)


@operation
def get_credential_report(call: Call, request: pb.GetCredentialReportRequest) -> pb.GetCredentialReportResponse:
    """As it was written, whatever has changed since."""
    row = call.session.get(CredentialReport, call.account_id)
    if row is None:
        raise ReportNotPresent("Credential report is not present")
    if _is_expired(row, call.now):
        raise ReportExpired("Credential report has expired")
    return pb.GetCredentialReportResponse(
        content=row.content.encode(), report_format=_FORMAT, generated_time=entities.seconds(row.generated_at)
    )


def _is_expired(row: CredentialReport, now: datetime) -> bool:
    return now >= row.generated_at + AGE


Known = tuple[User | Root, LoginProfile | None, timedelta | None, bool, Sequence[AccessKey], Sequence[SigningCertificate]]
"""A user or root user, its password and how long that lasts, whether it has an MFA device, its keys and its certificates."""


def _load_known(session: Session, account_id: str) -> Iterable[Known]:
    """All who can have credentials: the root user first, then the users by name."""
    rule = session.get(PasswordPolicy, account_id)
    age = timedelta(days=rule.max_password_age) if rule is not None and rule.max_password_age is not None else None
    profiles = {row.user_id: row for row in session.scalars(select(LoginProfile).join(User).where(User.account_id == account_id))}
    armed = set(session.scalars(select(MfaDevice.user_id).where(MfaDevice.account_id == account_id, MfaDevice.user_id.is_not(None))))
    armed |= set(session.scalars(select(Authenticator.owner_id).where(Authenticator.account_id == account_id)))
    armed |= set(session.scalars(select(MfaDevice.account_id).where(MfaDevice.account_id == account_id, MfaDevice.of_root)))
    keys = _by_owner(
        session.scalars(select(AccessKey).where(AccessKey.account_id == account_id).order_by(AccessKey.created_at, AccessKey.id))
    )
    certificates = _by_owner(
        session.scalars(
            select(SigningCertificate)
            .where(SigningCertificate.account_id == account_id)
            .order_by(SigningCertificate.created_at, SigningCertificate.id)
        )
    )
    people: list[User | Root] = [session.get_one(Root, account_id)]
    people += session.scalars(select(User).where(User.account_id == account_id).order_by(User.name_key))
    for one in people:
        yield one, profiles.get(one.id), age, one.id in armed, keys[one.id], certificates[one.id]


def _by_owner(rows: Iterable[C]) -> dict[str, list[C]]:
    found: dict[str, list[C]] = defaultdict(list)
    for row in rows:
        found[row.owner_id].append(row)
    return found


def _line(
    call: Call,
    one: Entity,
    profile: LoginProfile | None,
    age: timedelta | None,
    armed: bool,
    keys: Sequence[AccessKey],
    certificates: Sequence[SigningCertificate],
) -> list[str]:
    """One user's values in the order of the columns."""
    shown_keys = [value for n in (0, 1) for value in _key(call, keys[n] if n < len(keys) else None)]
    shown_certificates = [value for n in (0, 1) for value in _certificate(certificates[n] if n < len(certificates) else None)]
    name = "<root_account>" if isinstance(one, Root) else one.name
    first = [name, entities.arn_of(one), _time(one.created_at), *_password(one, profile, age), _flag(armed)]
    return [*first, *shown_keys, *shown_certificates]


def _password(one: Entity, profile: LoginProfile | None, age: timedelta | None) -> list[str]:
    """The columns of a password: is there one, when it was used, when it was changed, and when it has to be."""
    if not isinstance(one, User):
        return [_UNSUPPORTED, _UNKNOWN, _UNSUPPORTED, _UNSUPPORTED]
    if profile is None:
        return [_flag(False), _NONE, _NONE, _NONE]
    used = _time(one.password_last_used_at) if one.password_last_used_at is not None else _UNKNOWN
    return [_flag(True), used, _time(profile.changed_at), _time(profile.changed_at + age) if age is not None else _NONE]


def _key(call: Call, row: AccessKey | None) -> list[str]:
    if row is None:
        return [_flag(False), *[_NONE] * 4]
    at, service, region = row.last_used_at, row.last_used_service, row.last_used_region
    seen = call.node.last_use.of(row.id)
    if seen is not None and (at is None or seen.at >= at):
        at, service, region = seen.at, seen.service, seen.region
    return [_flag(row.status == "Active"), _time(row.created_at), _time(at), region or _NONE, service or _NONE]


def _certificate(row: SigningCertificate | None) -> list[str]:
    return [_flag(row is not None and row.status == "Active"), _time(row.created_at) if row is not None else _NONE]


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _time(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00") if moment is not None else _NONE


def _csv(lines: Iterable[Sequence[str]]) -> str:
    """AWS ends no last line."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows((_COLUMNS, *lines))
    return text.getvalue().rstrip("\n")

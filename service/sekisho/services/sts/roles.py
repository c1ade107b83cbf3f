"""Roles as those find them who would assume one, and the credentials of the sessions that come of it.

A role that does not exist takes the same steps as one that does: nobody learns which there are from an answer, or from its time.
"""

import hashlib

from sekisho import arn, policy
from sekisho.api.sts.v1 import sessions_pb2 as pb
from sekisho.calls.call import Call
from sekisho.credentials import session_tokens
from sekisho.credentials.sessions import Session
from sekisho.errors import InvalidArn, ValidationError
from sekisho.world import AccountRecord, PrincipalRecord

DEFAULT_SECONDS = 3600
CHAINED_SECONDS = 3600

TRUSTS_NOBODY = policy.Attached(
    program=policy.compiled(
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"AIDA00000000000000000"},"Action":"sts:AssumeRole"}]}'
    ),
    name="AssumeRolePolicyDocument",
)
"""The trust policy of what stands in for a role that does not exist."""


def refuse_no_arn(text: str) -> None:
    """ValidationError for what cannot name a role, whichever there are."""
    try:
        arn.parse(text)
    except InvalidArn:
        raise ValidationError(f"{text} is invalid") from None


def stand_in(call: Call, text: str) -> PrincipalRecord:
    """The role of an ARN in an active account, else one in its place that trusts an id that nobody has. Either takes the same steps, here
    and afterwards.
    """
    missing = _missing(text)
    named = arn.entity(text)
    id_ = call.node.world.get_id(named) if named is not None and named.kind == "role" else None
    record = call.node.world.get_record(id_ or missing.id)
    account = call.node.world.get_record(missing.account_id)
    usable = isinstance(account, AccountRecord) and account.status == "ACTIVE"
    return record if usable and isinstance(record, PrincipalRecord) and record.trust is not None else missing


def _missing(text: str) -> PrincipalRecord:
    """A role whose id no role has: unlike those that are given out, it has digits that base32 lacks."""
    id_ = f"AROA0{hashlib.sha256(text.encode()).hexdigest()[:16].upper()}"
    return PrincipalRecord(id_, arn.account_of(text), "role", "", text, trust=TRUSTS_NOBODY)


def seconds(asked: int, role: PrincipalRecord, *, chained: bool) -> int:
    """How long a session lasts; ValidationError where that is longer than it may."""
    lasts = asked or DEFAULT_SECONDS
    if chained and lasts > CHAINED_SECONDS:
        raise ValidationError("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
    if lasts > role.max_session_seconds:
        raise ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return lasts


def issue(call: Call, session: Session) -> pb.Credentials:
    """New credentials of a session."""
    issued = session_tokens.issue(session, call.node.ring)
    return pb.Credentials(
        access_key_id=issued.access_key_id,
        secret_access_key=issued.secret_access_key,
        session_token=issued.session_token,
        expiration=session.expires_at,
    )


def assumed(role: PrincipalRecord, session_name: str) -> pb.AssumedRoleUser:
    """Who the holder of a session acts as."""
    return pb.AssumedRoleUser(assumed_role_id=f"{role.id}:{session_name}", arn=arn.assumed_role(role.account_id, role.name, session_name))

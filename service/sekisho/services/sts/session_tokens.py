"""GetSessionToken and GetFederationToken: what a user or root user gets for itself, or for somebody whom it vouches for.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html and API_GetFederationToken.html
"""

from datetime import datetime, timedelta

from google.protobuf.message import Message

from sekisho import arn
from sekisho.api.sts.v1 import federation_tokens_pb2, sessions_pb2
from sekisho.api.sts.v1 import session_tokens_pb2 as pb
from sekisho.calls import one_time_proofs, passkey_proofs
from sekisho.calls.call import Call
from sekisho.credentials import session_tokens
from sekisho.credentials.sessions import Session
from sekisho.errors import AccessDenied
from sekisho.operations import Resource, operation, resource
from sekisho.services.sts import session_policies
from sekisho.services.sts.requests import Proving

DEFAULT_SECONDS = 43_200
ROOT_SECONDS = 3600
"""The longest that a session of a root user lasts; a longer one is shortened, as AWS does."""

NO_MFA = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
_BOTH = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code. "


@resource("federated-user")
def federated_user(call: Call, request: Message, field: str) -> Resource:
    """The federated user that the session is to be of."""
    return Resource(arn.federated_user(call.account_id, getattr(request, field)))


@operation
def get_session_token(call: Call, request: pb.GetSessionTokenRequest) -> pb.GetSessionTokenResponse:
    """The session acts as the caller, and says whether MFA was given; without it no IAM call is possible."""
    _refuse_sessions(call)
    session_policies.refuse_token_size(request)
    proved = mfa(call, request)
    begun, ends = _lifetime(call, request.duration_seconds)
    session = Session(
        kind="session-token",
        account=call.account_id,
        principal_kind=call.caller.principal.kind,
        principal_id=call.caller.subject.id,
        principal_arn=call.caller.arn,
        issued_at=begun,
        expires_at=ends,
        mfa=proved,
        mfa_at=begun if proved else None,
    )
    return pb.GetSessionTokenResponse(credentials=_credentials(call, session))


@operation
def get_federation_token(
    call: Call, request: federation_tokens_pb2.GetFederationTokenRequest
) -> federation_tokens_pb2.GetFederationTokenResponse:
    """The session may what both the caller and its policies may; without policies only what resource policies give to it by name."""
    _refuse_sessions(call)
    session_policies.refuse_token_size(request)
    tags = session_policies.tags(request)
    inline, policy_ids = session_policies.policies(call, request, call.account_id)
    begun, ends = _lifetime(call, request.duration_seconds)
    session = Session(
        kind="federation",
        account=call.account_id,
        principal_kind=call.caller.principal.kind,
        principal_id=call.caller.subject.id,
        principal_arn=call.caller.arn,
        session_name=request.name,
        tags=tuple(tags.items()),
        policy=inline,
        policy_arns=policy_ids,
        issued_at=begun,
        expires_at=ends,
    )
    credentials = _credentials(call, session)
    shown = federation_tokens_pb2.FederatedUser(federated_user_id=session.user_id, arn=session.arn)
    limited = request.policy or request.policy_arns or request.tags
    return federation_tokens_pb2.GetFederationTokenResponse(
        credentials=credentials,
        federated_user=shown,
        packed_policy_size=session_tokens.packed_size_percent(credentials.session_token) if limited else 0,  # said even so
    )


def mfa(call: Call, request: Proving) -> bool:
    """True when the request proves the caller's MFA device, by a code or by what a passkey signed; AccessDenied when it tries to and fails.
    A proof that was right is used up.
    """
    proofs = bool(request.token_code) + bool(request.passkey_assertion)
    if not request.serial_number and not proofs:
        return False
    if not request.serial_number or proofs != 1:
        raise AccessDenied(_BOTH)
    if request.token_code:
        proved = one_time_proofs.take(call, request.serial_number, request.token_code)
    else:
        proved = passkey_proofs.take(call, request.serial_number, request.passkey_assertion)
    if not proved:
        raise AccessDenied(NO_MFA)
    return True


def _refuse_sessions(call: Call) -> None:
    if call.caller.subject.session is not None:
        raise AccessDenied(f"Cannot call {call.operation.name} with session credentials")


def _lifetime(call: Call, seconds: int) -> tuple[datetime, datetime]:
    """The moments at which the session begins and ends."""
    begun = call.now.replace(microsecond=0)
    root = call.caller.principal.kind == "root"
    lasts = min(seconds or DEFAULT_SECONDS, ROOT_SECONDS) if root else seconds or DEFAULT_SECONDS
    return begun, begun + timedelta(seconds=lasts)


def _credentials(call: Call, session: Session) -> sessions_pb2.Credentials:
    issued = session_tokens.issue(session, call.node.ring)
    return sessions_pb2.Credentials(
        access_key_id=issued.access_key_id,
        secret_access_key=issued.secret_access_key,
        session_token=issued.session_token,
        expiration=session.expires_at,
    )

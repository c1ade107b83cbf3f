"""GetWebIdentityToken: a JWT that says to other services who the caller is. What is sealed in it is the caller's own session.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_token_claims.html
"""

import uuid
from datetime import datetime, timedelta
from typing import Any

from google.protobuf.message import Message

from sekisho import arn
from sekisho.api.sts.v1 import web_identity_tokens_pb2 as pb
from sekisho.calls import holders
from sekisho.calls.audit import REGION
from sekisho.calls.call import Call
from sekisho.credentials import identity_tokens, signing_keys
from sekisho.errors import ServiceUnavailable, ValidationError
from sekisho.memory.reader import Reader
from sekisho.operations import Resource, operation, resource
from sekisho.services.sts import session_policies
from sekisho.services.sts.errors import OutboundWebIdentityFederationDisabledException, SessionDurationEscalationException
from sekisho.world import AccountRecord, IssuerRecord, PrincipalRecord

DEFAULT_SECONDS = 300
AS_CALLER = "AWSIdentity"


@resource("self")
def self_(call: Call, request: Message, field: str) -> Resource:
    """Whoever calls. Conditions are asked about what a request means, also where it leaves that out."""
    assert isinstance(request, pb.GetWebIdentityTokenRequest)
    keys = {"sts:DurationSeconds": str(_seconds(request)), "sts:SubjectMode": AS_CALLER}  # the mode that is given is stronger
    return Resource(f"arn:{arn.PARTITION}:sts::{call.account_id}:self", keys=keys)


@operation
def get_web_identity_token(call: Call, request: pb.GetWebIdentityTokenRequest) -> pb.GetWebIdentityTokenResponse:
    """Signed by the issuer of the caller's account; no longer than the session that asks."""
    _possible(request)
    tags = session_policies.tags(request)
    issuer = _issuer(call)
    key = signing_keys.signing(issuer, request.signing_algorithm, call.now)
    if key is None:
        raise ServiceUnavailable("The issuer of the account has no key yet.")
    begun = call.now.replace(microsecond=0)
    ends = begun + timedelta(seconds=_seconds(request))
    session = call.caller.subject.session
    if session is not None and session.expires_at is not None and ends > session.expires_at:
        raise SessionDurationEscalationException("The token would last longer than the session that requested it.")
    audiences = list(request.audience)
    claims = {
        identity_tokens.AWS: _about(call, tags),
        "iss": issuer.url,
        "sub": call.caller.issuer,
        "aud": audiences if len(audiences) > 1 else audiences[0],
        "iat": int(begun.timestamp()),
        "exp": int(ends.timestamp()),
        "jti": str(uuid.uuid4()),
    }
    token = identity_tokens.issue(claims, holders.of(call.caller), key, call.node.ring)
    return pb.GetWebIdentityTokenResponse(web_identity_token=token, expiration=ends)


def _seconds(request: pb.GetWebIdentityTokenRequest) -> int:
    return request.duration_seconds or DEFAULT_SECONDS


def _possible(request: pb.GetWebIdentityTokenRequest) -> None:
    if request.signing_algorithm not in signing_keys.ALGORITHMS:
        raise ValidationError(f"The signing algorithm is one of {', '.join(signing_keys.ALGORITHMS)}.")
    if request.subject_mode not in ("", AS_CALLER):
        raise ValidationError("The session has no origin identity, which SubjectMode OriginIdentity needs.")
    if request.scope:
        raise ValidationError("Scope can be specified only when SubjectMode is OriginIdentity.")


def _issuer(call: Call) -> IssuerRecord:
    """The issuer of the caller's account, from memory."""

    def find(reader: Reader) -> IssuerRecord | None:
        account = reader.get_record(call.account_id)
        found = reader.get_record(account.issuer_id) if isinstance(account, AccountRecord) and account.issuer_id is not None else None
        return found if isinstance(found, IssuerRecord) and found.disabled_at is None else None

    found, _ = call.node.world.consistent(find)
    if found is None:
        raise OutboundWebIdentityFederationDisabledException("Outbound web identity federation is not enabled for this account.")
    return found


def _about(call: Call, tags: dict[str, str]) -> dict[str, Any]:
    """What AWS says of a caller, as far as there is such: the account first."""
    caller, session = call.caller, call.caller.subject.session
    said: dict[str, Any] = {identity_tokens.ACCOUNT: call.account_id, "source_region": REGION, "principal_id": caller.issuer}
    if caller.placement is not None:
        said |= {"org_id": caller.placement.organization_id, "ou_path": [caller.placement.path]}
    if session is not None and session.expires_at is not None:
        said["original_session_exp"] = _moment(session.expires_at)
    if session is not None and session.source_identity:
        said["source_identity"] = session.source_identity
    if session is not None and session.provider:
        said["federated_provider"] = session.provider
    if own := _principal_tags(call):
        said["principal_tags"] = own
    if tags:
        said["request_tags"] = tags
    return said


def _principal_tags(call: Call) -> dict[str, str]:
    """The tags that the caller has, those of its session over its own, each key once whatever its case."""
    record, session = call.node.world.get_record(call.caller.subject.id), call.caller.subject.session
    own = dict(record.tags) if isinstance(record, PrincipalRecord) else {}
    given = dict(session.tags) if session is not None else {}
    replaced = {key.lower() for key in given}
    return {key: value for key, value in own.items() if key.lower() not in replaced} | given


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")

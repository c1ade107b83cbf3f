"""AssumeRole: the trust policy decides, the caller's own policies where it only delegates.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html and SEMANTICS of role chaining, tags and source identity in
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
"""

from collections.abc import Mapping
from datetime import timedelta

from sekisho.api.sts.v1 import sessions_pb2 as pb
from sekisho.calls import permission, request_keys
from sekisho.calls.call import Call
from sekisho.credentials import session_tokens
from sekisho.credentials.sessions import Session
from sekisho.errors import AccessDenied, Unimplemented
from sekisho.operations import Resource, operation
from sekisho.services.sts import roles, session_policies
from sekisho.services.sts import session_tokens as session_tokens_of_users
from sekisho.services.sts.errors import InvalidParameterValue
from sekisho.world import NO_KEYS, Keys, PrincipalRecord, SessionFacts

_NO_SESSION = SessionFacts(kind="")
_MFA_JUST_NOW = {"aws:multifactorauthpresent": "true", "aws:multifactorauthage": "0"}


@operation
def assume_role(call: Call, request: pb.AssumeRoleRequest) -> pb.AssumeRoleResponse:
    """Temporary credentials of a role. Who may not assume it does not learn whether it exists."""
    before = call.caller.subject.session or _NO_SESSION
    _possible(call, request)
    # For the decision on this request alone: the session that comes of it knows nothing of MFA.
    proved = _MFA_JUST_NOW if session_tokens_of_users.mfa(call, request) else NO_KEYS
    tags, transitive = _tags(request, before)
    role = roles.stand_in(call, request.role_arn)
    call.resources = (Resource(request.role_arn),)  # in the caller's words, whether there is such a role or not
    _permitted(call, request, role, before, proved)
    if role.trust is roles.TRUSTS_NOBODY:  # which its trust policy has said already
        raise _denied(call, "sts:AssumeRole", request.role_arn)
    seconds = roles.seconds(request.duration_seconds, role, chained=before.kind == "assumed-role")
    source_identity = _source_identity(request, before)
    inline, policy_ids = session_policies.policies(call, request, role.account_id)
    session = Session(
        kind="assumed-role",
        account=role.account_id,
        principal_kind="role",
        principal_id=role.id,
        principal_arn=role.arn,
        session_name=request.role_session_name,
        tags=tuple(tags.items()),
        transitive_keys=tuple(sorted(transitive)),
        source_identity=source_identity,
        policy=inline,
        policy_arns=policy_ids,
        issued_at=call.now.replace(microsecond=0),
        expires_at=call.now.replace(microsecond=0) + timedelta(seconds=seconds),
        chained=before.kind == "assumed-role",
    )
    credentials = roles.issue(call, session)
    response = pb.AssumeRoleResponse(credentials=credentials, assumed_role_user=roles.assumed(role, request.role_session_name))
    if request.policy or request.policy_arns or request.tags:
        response.packed_policy_size = session_tokens.packed_size_percent(credentials.session_token)
    if source_identity:
        response.source_identity = source_identity
    return response


def _possible(call: Call, request: pb.AssumeRoleRequest) -> None:
    """What is refused for every role; asked first, so that the answer does not tell whether there is such a role."""
    roles.refuse_no_arn(request.role_arn)
    if call.caller.principal.kind == "root":
        raise AccessDenied("Roles may not be assumed by root accounts.")
    session_policies.refuse_token_size(request)
    if request.provided_contexts:  # to leave them out in silence could leave out a restriction
        raise Unimplemented("ProvidedContexts are not supported.")


def _permitted(call: Call, request: pb.AssumeRoleRequest, role: PrincipalRecord, before: SessionFacts, proved: Keys) -> None:
    """Each action that the request takes must be granted by the trust policy, or by it and the caller's policies together.

    What the calling session passes on (transitive tags, source identity) takes the same permission as what the request gives.
    """
    actions = ["sts:AssumeRole"]
    if request.tags or before.transitive:
        actions.append("sts:TagSession")
    if request.source_identity or before.source_identity:
        actions.append("sts:SetSourceIdentity")
    resource = Resource(role.arn, tags=role.tags)
    for action in actions:
        _, decision = permission.decide(call, action, resource, request_keys.of_request(request), role.trust, override=proved)
        if not decision.allowed:
            raise _denied(call, action, request.role_arn)


def _denied(call: Call, action: str, role_arn: str) -> AccessDenied:
    """The same sentence for a role that does not exist and for one that does not trust the caller."""
    return AccessDenied(f"User: {call.caller.arn} is not authorized to perform: {action} on resource: {role_arn}")


def _tags(request: pb.AssumeRoleRequest, before: SessionFacts) -> tuple[Mapping[str, str], frozenset[str]]:
    """The tags of the new session: those given, over the transitive ones of the session that calls, which cannot be given again."""
    given = session_policies.tags(request)
    folded = {key.lower(): key for key in given}
    inherited = {key: value for key, value in before.tags.items() if key.lower() in {kept.lower() for kept in before.transitive}}
    again = [folded[key.lower()] for key in inherited if key.lower() in folded]
    if again:
        raise InvalidParameterValue(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session."
        )
    unknown = [key for key in request.transitive_tag_keys if key.lower() not in folded]
    if unknown:
        raise InvalidParameterValue("The specified transitive tag key must be included in the requested tags.")
    return given | inherited, frozenset(inherited) | frozenset(folded[key.lower()] for key in request.transitive_tag_keys)


def _source_identity(request: pb.AssumeRoleRequest, before: SessionFacts) -> str:
    """Once set it stays, whatever roles follow."""
    if before.source_identity and request.source_identity not in ("", before.source_identity):
        raise AccessDenied("The source identity of a session cannot be changed by role chaining.")
    return before.source_identity or request.source_identity

"""Authorizes the callers of our own operations, by the product's own evaluator.

A caller is authorized before the function runs, for each check of the rpc's `(access)`, with the condition keys of the environment,
the request and the resource. Where nothing decides, the caller is denied.
"""

from google.protobuf.message import Message

from sekisho import arn, policy
from sekisho.accounts import AWS
from sekisho.calls import request_keys
from sekisho.calls.call import Call
from sekisho.calls.request_keys import Keys
from sekisho.errors import AccessDenied
from sekisho.operations import RESOURCES, Check, Resource

ANYTHING = Resource("*")


def permission(call: Call, request: Message) -> None:
    """Raise AccessDenied, in AWS's sentence, unless the caller may do all that the operation's `(access)` names."""
    refuse_restricted_session(call, call.operation.service.prefix)
    if call.operation.permitted_to_all:
        return
    for check in call.operation.checks:
        if not check.when_field or _given(request, check.when_field):
            demand(call, check.action or call.operation.action, _resource(call, request, check), request_keys.of_request(request))


def demand(call: Call, action: str, resource: Resource, keys: Keys) -> None:
    """Raise AccessDenied unless the caller may do this action on this resource of its own account."""
    asked, decision = decide(call, action, resource, keys)
    call.node.accesses.note(call.caller.subject.id, action, (call.now, "", call.account_id))
    if not decision.allowed:
        raise AccessDenied(policy.sentence(asked, decision))


def decide(
    call: Call, action: str, resource: Resource, keys: Keys, resource_policy: policy.Attached | None = None
) -> tuple[policy.Request, policy.Decision]:
    """The decision about the caller; what the principal owns wins over what the request says."""
    caller = call.caller
    service = action.partition(":")[0]
    context = request_keys.of_environment(call.now, call.peer) | request_keys.of_resource(resource, service) | keys | dict(caller.keys)
    owner = arn.account_of(resource.arn)
    if not owner or owner == AWS:
        owner = call.account_id  # what belongs to AWS is everybody's to read; iam refuses every change of it
    context["aws:resourceaccount"] = owner
    asked = policy.Request(
        principal=caller.principal, action=action, resource=resource.arn, resource_account=owner, context=request_keys.context(context)
    )
    return asked, policy.decide(asked, caller.layers(resource_policy))


def refuse_restricted_session(call: Call, service: str) -> None:
    """What sessions of GetSessionToken and GetFederationToken can never call.

    Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html and API_GetFederationToken.html
    """
    session = call.caller.subject.session
    if session is None or session.kind == "assumed-role":
        return
    mfa_proved = session.kind == "session-token" and session.mfa is True
    if (service == "iam" and not mfa_proved) or (service == "sts" and call.operation.name not in _STS_OF_SESSIONS[session.kind]):
        raise AccessDenied(f"Cannot call {call.operation.name} with session credentials")


_STS_OF_SESSIONS = {
    "session-token": frozenset(("AssumeRole", "GetCallerIdentity", "GetWebIdentityToken")),
    "federation": frozenset(("GetCallerIdentity",)),
}


def _given(request: Message, field: str) -> bool:
    descriptor = request.DESCRIPTOR.fields_by_name[field]
    return len(getattr(request, field)) > 0 if descriptor.is_repeated else request.HasField(field)


def _resource(call: Call, request: Message, check: Check) -> Resource:
    if not check.kind:
        return ANYTHING
    return RESOURCES[call.operation.service.package, check.kind](call, request, check.field)

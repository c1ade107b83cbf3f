"""Authorizes the callers of our own operations, by the product's own evaluator.

A caller is authorized before the function runs, for each check of the rpc's `(access)`, with the condition keys of its connection,
the request and the resource. Where nothing decides, the caller is denied.
"""

from dataclasses import replace

from google.protobuf.message import Message

from sekisho import policy, world
from sekisho.calls import request_keys
from sekisho.calls.call import Call
from sekisho.errors import AccessDenied
from sekisho.memory import cold
from sekisho.memory.reader import Reader
from sekisho.operations import RESOURCES, Check, Resource
from sekisho.sigv4 import InvalidClientTokenId
from sekisho.world import NO_KEYS, Keys, UnknownPrincipal

ANYTHING = Resource("*")


def permission(call: Call, request: Message) -> None:
    """Raise AccessDenied, in AWS's sentence, unless the caller may do all that the operation's `(access)` names."""
    refuse_restricted_session(call, call.operation.service.prefix)
    if call.operation.permitted_to_all:
        return
    for check in call.operation.checks:
        if not check.when_field or _has(request, check.when_field):
            demand(call, check.action or call.operation.action, _resource(call, request, check), request_keys.of_request(request))


def demand(call: Call, action: str, resource: Resource, keys: Keys, *, beside: tuple[policy.Attached, ...] = ()) -> None:
    """Raise AccessDenied unless the caller may do this action on this resource of its own account, by its own policies and those beside."""
    asked, decision = decide(call, action, resource, keys, beside=beside)
    call.node.accesses.note(call.caller.subject.id, action, (call.now, "", call.account_id))
    if not decision.allowed:
        raise AccessDenied(policy.sentence(replace(asked, resource=resource.named or resource.arn), decision))


def decide(
    call: Call,
    action: str,
    resource: Resource,
    keys: Keys,
    resource_policy: policy.Attached | None = None,
    *,
    override: Keys = NO_KEYS,
    beside: tuple[policy.Attached, ...] = (),
) -> tuple[policy.Request, policy.Decision]:
    """The decision about the caller; the keys that the principal owns win over those of the request, and `override` over both."""
    asked = world.Asked(
        action=action,
        resource=resource.arn,
        account=call.account_id,
        resource_policy=resource_policy,
        tags=resource.tags,
        tag_prefixes=("aws", action.partition(":")[0]),
        environment=request_keys.of_connection(call.peer),
        given={**request_keys.of_resource(resource), **keys},
        override=override,
        beside=beside,
    )
    memory = call.node.world

    def compose(reader: Reader) -> world.Question:
        # The caller was composed from the world of `call.point`. Once memory has moved on, it is composed again with the owner of the
        # resource; but not for a READ, which nobody may be permitted by a newer world than it reads.
        current = memory.point is call.point or call.reads
        return world.question(call.caller if current else call.caller.subject, asked, reader.get_record, call.now)

    try:
        (request, layers), _ = memory.consistent(compose)
    except UnknownPrincipal:
        raise InvalidClientTokenId from None
    cold.may_take_long(request, layers)
    return request, policy.decide(request, layers)


def refuse_restricted_session(call: Call, service: str) -> None:
    """Raise AccessDenied for what sessions of GetSessionToken and GetFederationToken can never call.

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


def _has(request: Message, field: str) -> bool:
    descriptor = request.DESCRIPTOR.fields_by_name[field]
    return len(getattr(request, field)) > 0 if descriptor.is_repeated else request.HasField(field)


def _resource(call: Call, request: Message, check: Check) -> Resource:
    if not check.kind:
        return ANYTHING
    return RESOURCES[call.operation.service.package, check.kind](call, request, check.field)

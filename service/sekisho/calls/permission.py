"""Authorizes the callers of our own operations, by the product's own evaluator.

A caller is authorized before the function runs, for each check of the rpc's `(access)`, with the condition keys of its connection,
the request and the resource. Where nothing decides, the caller is denied.
"""

import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace

from google.protobuf.message import Message

from sekisho import arn, policy, world
from sekisho.calls import request_keys
from sekisho.calls.call import Call
from sekisho.errors import AccessDenied
from sekisho.memory import cold
from sekisho.memory.reader import Reader
from sekisho.operations import RESOURCES, Check, Resource
from sekisho.operations.annotations import Access
from sekisho.policy.keys import MAX_LENGTH
from sekisho.sigv4 import InvalidClientTokenId
from sekisho.world import NO_KEYS, Keys, UnknownPrincipal

ANYTHING = Resource("*")
ALLOWED = policy.Outcome.ALLOWED  # to look a member of an Enum up costs 0.1 µs in CPython 3.11


def permission(call: Call, request: Message) -> None:
    """Raise AccessDenied, in AWS's sentence, unless the caller may do all that the operation's `(access)` names."""
    call.resources = ()
    refuse_restricted_session(call, call.operation.service.prefix)
    if call.operation.permitted_to_all:
        return
    for action, resource, keys in demands(call, request):
        call.resources += (resource,)
        demand(call, action, resource, keys)


def demands(call: Call, request: Message) -> Iterator[tuple[str, Resource, Keys]]:
    """All that the operation's `(access)` names for the request: what is done, to what, and the condition keys of the request."""
    for check in call.operation.checks:
        if not check.when_field or _has(request, check.when_field):
            yield check.action or call.operation.action, _resource(call, request, check), request_keys.of_request(request)


def demand(call: Call, action: str, resource: Resource, keys: Keys, *, beside: tuple[policy.Attached, ...] = ()) -> None:
    """Raise AccessDenied unless the caller may do this action on this resource of its own account, by its own policies and those beside.
    A write seldom comes again to its resource, so that nothing is remembered for it.
    """
    if beside or call.operation.level == Access.WRITE or standing(call, action, resource, keys) is not ALLOWED:
        asked, decision = decide(call, action, resource, keys, beside=beside)
        if not decision.allowed:
            _note(call, action)
            raise AccessDenied(policy.sentence(replace(asked, resource=resource.named or resource.arn), decision))
    _note(call, action)


def _note(call: Call, action: str) -> None:
    subject = call.caller.subject
    call.node.accesses.note(subject.id, action, (call.now, "", subject.account_id))


def standing(call: Call, action: str, resource: Resource, keys: Keys) -> policy.Outcome | None:
    """What a decision about the caller comes to whatever else a request says; None where that could matter, or the caller is not the same
    any more.

    It follows from the composed caller alone, and so is remembered for as long as that very composition is the caller's.
    """
    who, memory = call.caller, call.node.world
    if keys or resource.tags or resource.keys or memory.point is not call.point or len(call.peer.user_agent) > MAX_LENGTH:
        return None
    key = ("standing", id(who), action, resource.arn, resource.owner)
    found: _Standing | None = memory.get_finding(key)
    if found is not None and found[0]() is who:
        return found[1]
    origins: list[tuple[str, world.Record | None]] = []

    def compose(reader: Reader) -> world.Question:
        def look(id_: str) -> world.Record | None:
            record = reader.get_record(id_)
            origins.append((id_, record))
            return record

        return world.question(who, _asked(call, action, resource, keys), look, call.now)

    asked, layers = memory.consistent(compose)[0]
    cold.may_take_long(asked, layers)
    decision = policy.decide(asked, layers)
    outcome = None if decision.error or policy.depends_on_request(action, layers) else decision.outcome
    cost = len(action) + 4 * len(resource.arn)  # bytes that its characters take at most
    memory.keep_finding(key, (weakref.ref(who), outcome), call.account_id, origins, cost)
    return outcome if memory.point is call.point else None


_Standing = tuple["weakref.ref[world.Acting]", policy.Outcome | None]
"""A composed caller, which is not kept alive by this, and how it stands."""


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
    asked = _asked(call, action, resource, keys, resource_policy, override=override, beside=beside)
    memory = call.node.world

    def compose(reader: Reader) -> world.Question:
        # The caller was composed from the world of `call.point`. Once memory has moved on, it is composed again with the owner of the
        # resource.
        who = call.caller if memory.point is call.point else reader.acting(call.caller.subject, call.now)
        return world.question(who, asked, reader.get_record, call.now)

    try:
        return _decided(call, compose)
    except UnknownPrincipal:
        raise InvalidClientTokenId from None


def decide_vouched(call: Call, who: world.Acting, action: str, resource: Resource, keys: Keys, trust: policy.Attached) -> policy.Decision:
    """The decision about somebody whom an identity provider vouches for, and a resource's policy trusts or not."""
    asked = _asked(call, action, resource, keys, trust)
    return _decided(call, lambda reader: world.question(who, asked, reader.get_record, call.now))[1]


def _decided(call: Call, compose: Callable[[Reader], world.Question]) -> tuple[policy.Request, policy.Decision]:
    (request, layers), _ = call.node.world.consistent(compose)
    cold.may_take_long(request, layers)
    return request, policy.decide(request, layers)


def _asked(
    call: Call,
    action: str,
    resource: Resource,
    keys: Keys,
    resource_policy: policy.Attached | None = None,
    *,
    override: Keys = NO_KEYS,
    beside: tuple[policy.Attached, ...] = (),
) -> world.Asked:
    return world.Asked(
        action=action,
        resource=resource.arn,
        account=call.account_id if call.acting is not None else arn.account_of(resource.arn),
        resource_account=resource.owner,
        resource_policy=resource_policy,
        tags=resource.tags,
        tag_prefixes=("aws", action.partition(":")[0]),
        environment=request_keys.of_connection(call.peer),
        given={**request_keys.of_resource(resource), **keys},
        override=override,
        beside=beside,
        registered=False,  # resolvers know all of their resources
    )


def refuse_restricted_session(call: Call, service: str) -> None:
    """Raise AccessDenied for what sessions of GetSessionToken and GetFederationToken can never call.

    Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html and API_GetFederationToken.html
    """
    session = call.caller.subject.session
    if session is None or session.kind in _UNRESTRICTED:
        return
    mfa_proved = session.kind == "session-token" and session.mfa is True
    of_iam = service == "iam" or (service == "mfa" and call.operation.name not in _MFA_OF_SESSIONS[session.kind])
    if (of_iam and not mfa_proved) or (service == "sts" and call.operation.name not in _STS_OF_SESSIONS[session.kind]):
        raise AccessDenied(f"Cannot call {call.operation.name} with session credentials")


_UNRESTRICTED = frozenset(("assumed-role", "assumed-root"))
"""The sessions that call whatever their policies allow."""

_STS_OF_SESSIONS = {
    "session-token": frozenset(("AssumeRole", "GetCallerIdentity", "GetWebIdentityToken")),
    "federation": frozenset(("GetCallerIdentity",)),
}

_MFA_OF_SESSIONS = {"session-token": frozenset(("BeginPasskeyAssertion",)), "federation": frozenset[str]()}
"""The rest of the rpcs about MFA devices does what IAM's do."""


def _has(request: Message, field: str) -> bool:
    descriptor = request.DESCRIPTOR.fields_by_name[field]
    return len(getattr(request, field)) > 0 if descriptor.is_repeated else request.HasField(field)


def _resource(call: Call, request: Message, check: Check) -> Resource:
    if not check.kind:
        return ANYTHING
    return RESOURCES[call.operation.service.package, check.kind](call, request, check.field)

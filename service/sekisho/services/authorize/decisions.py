"""Authorize, AuthorizeBatch and Explain."""

import json
from functools import lru_cache

from sekisho import arn, policy
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.calls import request_keys
from sekisho.calls.call import Call
from sekisho.errors import InvalidArgument, SekishoError
from sekisho.memory.reader import Reader
from sekisho.operations import operation
from sekisho.policy import keys as condition_keys
from sekisho.policy import validate
from sekisho.services.authorize import subjects
from sekisho.store.changes import Point
from sekisho.world import Acting, Subject, acting


class InvalidContext(InvalidArgument):
    """A condition key that the calling service cannot know, or a context that says a thing twice."""


OUTCOMES = {
    policy.Outcome.ALLOWED: pb.OUTCOME_ALLOWED,
    policy.Outcome.EXPLICITLY_DENIED: pb.OUTCOME_EXPLICITLY_DENIED,
    policy.Outcome.IMPLICITLY_DENIED: pb.OUTCOME_IMPLICITLY_DENIED,
}
LAYERS = {
    policy.Layer.RCP: pb.LAYER_RCP,
    policy.Layer.SCP: pb.LAYER_SCP,
    policy.Layer.RESOURCE: pb.LAYER_RESOURCE,
    policy.Layer.IDENTITY: pb.LAYER_IDENTITY,
    policy.Layer.BOUNDARY: pb.LAYER_BOUNDARY,
    policy.Layer.SESSION: pb.LAYER_SESSION,
    policy.Layer.TRUST: pb.LAYER_TRUST,
}


@operation
def authorize(call: Call, request: pb.AuthorizeRequest) -> pb.AuthorizeResponse:
    """One question, one decision; whatever is in doubt is a deny or an error."""
    who, point = call.node.world.acting(subjects.subject(call, request), call.now)
    return _answer(call, who, _decided(call, who, *question(call, request, who)), point, call.request_id)


@operation
def authorize_batch(call: Call, request: pb.AuthorizeBatchRequest) -> pb.AuthorizeBatchResponse:
    """All questions are answered from one revision; one that fails does not fail the others."""
    found: list[Subject | SekishoError] = [_subject_or_error(call, item) for item in request.requests]

    def compose(reader: Reader) -> list[Acting | SekishoError]:
        known: dict[int, Acting | SekishoError] = {}
        for who in found:
            if id(who) not in known:
                known[id(who)] = who if isinstance(who, SekishoError) else _acting_or_error(who, reader, call)
        return [known[id(who)] for who in found]

    composed, point = call.node.world.consistent(compose)
    items = [
        _item(call, item, who, point, f"{call.request_id}/{index}")
        for index, (item, who) in enumerate(zip(request.requests, composed, strict=True))
    ]
    return pb.AuthorizeBatchResponse(items=items)


@operation
def explain(call: Call, request: pb.ExplainRequest) -> pb.ExplainResponse:
    """The same decision as Authorize, with the whole way to it."""
    who, point = call.node.world.acting(subjects.subject(call, request.request), call.now)
    asked, layers = question(call, request.request, who)
    decision = policy.decide(asked, layers)
    return pb.ExplainResponse(
        decision=_answer(call, who, decision, point, call.request_id),
        sentence=policy.sentence(asked, decision),
        text=policy.short(asked, layers, decision),
        trace_json=json.dumps(policy.trace(asked, layers, decision)),
    )


def question(call: Call, request: pb.AuthorizeRequest, who: Acting) -> tuple[policy.Request, policy.Layers]:
    """A request as the evaluator takes it: what the principal owns comes from its records, never from the request."""
    context = request_keys.of_environment(call.now, call.peer)
    for key in ("aws:sourceip", "aws:useragent", "aws:securetransport"):
        context.pop(key, None)  # these are of the calling service's own connection, and say nothing of its client's
    given, tags = _given(request), request_keys.tags_of_resource(request.resource_tags, "aws")
    if len(tags) != len(request.resource_tags) or tags.keys() & given.keys():
        raise InvalidContext("a tag of the resource is given twice; the case of its key makes no difference")
    context |= given | tags
    context |= who.keys
    owner = request.resource_account or arn.account_of(request.resource) or call.account_id
    if not arn.is_account_id(owner):
        raise InvalidContext(f"`{owner}` is not an account id")
    context["aws:resourceaccount"] = owner
    resource_policy = _resource_policy(request.resource_policy) if request.resource_policy else None
    asked = policy.Request(
        principal=who.principal,
        action=request.action,
        resource=request.resource,
        resource_account=owner,
        context=request_keys.context(context),
    )
    return asked, who.layers(resource_policy)


@lru_cache(maxsize=256)  # the services that ask keep one policy for many requests; a document has at most 131,072 characters
def _resource_policy(text: str) -> policy.Attached:
    """The resource's own policy, held to what resource policies may say."""
    validate.check(text, validate.Kind.RESOURCE)
    return policy.Attached(policy.compiled(text), name="resource policy")


def _given(request: pb.AuthorizeRequest) -> request_keys.Keys:
    """The caller's context, without what only the server may say."""
    given: request_keys.Keys = {}
    for entry in request.context:
        key = entry.key.lower()
        if condition_keys.owned_by_principal(key) or key in _SERVERS_OWN:
            raise InvalidContext(f"the condition key `{entry.key}` comes from the principal or from the server and cannot be given")
        if key in given:
            raise InvalidContext(f"the condition key `{entry.key}` is given twice")
        if not entry.multivalued and len(entry.values) != 1:
            raise InvalidContext(f"the condition key `{entry.key}` has {len(entry.values)} values; say that it is multivalued")
        given[key] = tuple(entry.values) if entry.multivalued else entry.values[0]
    return given


_SERVERS_OWN = frozenset(("aws:currenttime", "aws:epochtime", "aws:resourceaccount"))


def _subject_or_error(call: Call, request: pb.AuthorizeRequest) -> Subject | SekishoError:
    try:
        return subjects.subject(call, request)
    except SekishoError as error:
        return error


def _acting_or_error(who: Subject, reader: Reader, call: Call) -> Acting | SekishoError:
    try:
        return acting(who, reader.get_record, call.now)
    except SekishoError as error:
        return error


def _item(call: Call, request: pb.AuthorizeRequest, who: Acting | SekishoError, point: Point, decision_id: str) -> pb.BatchItem:
    try:
        if isinstance(who, SekishoError):
            raise who
        return pb.BatchItem(decision=_answer(call, who, _decided(call, who, *question(call, request, who)), point, decision_id))
    except SekishoError as error:
        return pb.BatchItem(error=pb.BatchError(code=error.code, message=error.message))


def _decided(call: Call, who: Acting, asked: policy.Request, layers: policy.Layers) -> policy.Decision:
    """The decision, of which it is noted that it was asked for; Explain only thinks, and notes nothing."""
    region = asked.context.get("aws:requestedregion") or arn.region_of(asked.resource)
    call.node.accesses.note(who.subject.id, asked.action, (call.now, str(region), who.subject.account_id))
    return policy.decide(asked, layers)


def _answer(call: Call, who: Acting, decision: policy.Decision, point: Point, decision_id: str) -> pb.AuthorizeResponse:
    call.point = point
    return pb.AuthorizeResponse(
        outcome=OUTCOMES[decision.outcome],
        layer=LAYERS[decision.layer] if decision.layer is not None else pb.LAYER_UNSPECIFIED,
        matched=[_matched(match) for match in decision.matched],
        missing_keys=decision.missing_keys,
        decision_id=decision_id,
        revision=point.token,
        principal_arn=who.arn,
    )


def _matched(match: policy.Match) -> pb.MatchedStatement:
    return pb.MatchedStatement(
        layer=LAYERS[match.layer],
        policy_arn=match.attached.arn,
        policy_version=match.attached.version,
        policy_name=match.attached.name,
        sid=match.statement.sid or "",
        index=match.statement.index,
    )

"""Authorize, AuthorizeBatch and Explain."""

import json
from contextlib import AbstractContextManager

from sekisho import arn, meters, policy, world
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.calls import request_keys
from sekisho.calls.call import Call
from sekisho.calls.turns import Turn, Turns
from sekisho.errors import AccessDenied, InvalidArgument, ResourceExhausted, SekishoError
from sekisho.memory import cold
from sekisho.memory.reader import Reader
from sekisho.operations import operation
from sekisho.policy import steps, validate
from sekisho.policy.shares import Shares
from sekisho.services.authorize import data_events, denials, log_entries, organizations, subjects
from sekisho.store.changes import Point
from sekisho.store.db import remaining
from sekisho.world import Acting, Asked, Question, Subject

_MOST_INLINE = 1024 * 1024  # characters of inline policies that are kept compiled; each takes at most about 75 bytes
_MOST_BYTES = 1024 * 1024  # of the questions of one batch
_MOST_CHARACTERS = 256 * 1024  # of the different inline policies of one batch


class BatchTooLarge(ResourceExhausted):
    """The questions of a batch are too large together; ask them in several."""


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


DECISIONS = meters.Counter(
    "sekisho_decisions", "Decisions that services asked for, by outcome and by the layer that decided.", ["outcome", "layer"]
)
# By identity: to hash a member of an Enum is a call of a Python function, to hash one of a StrEnum, as a layer is, is not.
_COUNTED = {
    (id(outcome), layer): DECISIONS.labels(outcome.value, layer.value if layer is not None else "none")
    for outcome in policy.Outcome
    for layer in (None, *policy.Layer)
}

Read = tuple[Subject, Asked]
"""A question as it was read, before any record is looked at."""
Composed = tuple[Acting, Question]
"""Who is asked about, and what is asked, of one world."""


@operation
def authorize(call: Call, request: pb.AuthorizeRequest) -> pb.AuthorizeResponse:
    """One question, one decision; whatever is in doubt is a deny or an error."""
    if request.encode_authorization_message:
        cold.may_wait()  # sealing takes longer than deciding
    subject, asked = read_question(call, request)
    (who, question), call.point = call.node.world.consistent(lambda reader: compose_question(call, subject, asked, reader))
    decision = _decide(call, subject, question)
    log_entries.note(call, question, decision, call.point, call.request_id)
    data_events.note(call, who, question, decision, call.request_id)
    return _answer(call, question, decision, call.point, call.request_id, encode=request.encode_authorization_message)


@operation
def authorize_batch(call: Call, request: pb.AuthorizeBatchRequest) -> pb.AuthorizeBatchResponse:
    """All questions are composed of one world, whose revision each answer names; one that fails does not fail the others."""
    _refuse_excess(request)
    named: dict[str, Subject] = {}
    read = [_read_or_error(call, item, named) for item in request.requests]

    def compose(reader: Reader) -> list[Composed | SekishoError]:
        return [_question_or_error(call, item, reader) for item in read]

    questions, point = call.node.world.consistent(compose)
    call.point = point
    with turn(call) as mine:
        items = [
            _item(call, item, question, point, f"{call.request_id}/{index}", mine, encode=asked.encode_authorization_message)
            for index, (asked, item, question) in enumerate(zip(request.requests, read, questions, strict=True))
        ]
    return pb.AuthorizeBatchResponse(items=items)


@operation
def explain(call: Call, request: pb.ExplainRequest) -> pb.ExplainResponse:
    """The same decision as Authorize, with the whole way to it, which shows policies: of the caller's own account alone."""
    subject, asked = read_question(call, request.request)
    if subject.account_id != call.account_id:
        raise AccessDenied(f"The account {subject.account_id} has not consented that account {call.account_id} sees how it is decided.")
    (_, question), call.point = call.node.world.consistent(lambda reader: compose_question(call, subject, asked, reader))
    made, layers = question
    decision = policy.decide(made, layers)
    remaining(call.deadline)
    decision, layers = organizations.shown(call, question, decision), organizations.visible(call, made, layers)
    hidden = organizations.hidden_keys(call, made, asked)
    text = policy.short(made, layers, decision, hidden=hidden)
    return pb.ExplainResponse(
        decision=_answer(call, question, decision, call.point, call.request_id, encode=request.request.encode_authorization_message),
        sentence=policy.sentence(made, decision),
        text=text,
        trace_json=json.dumps(policy.trace(made, layers, decision, proceed=lambda: remaining(call.deadline), hidden=hidden)),
    )


def read_question(call: Call, request: pb.AuthorizeRequest, named: dict[str, Subject] | None = None) -> Read:
    """Read a question: of whom, and what; errors say what of it cannot be asked. `named` are the principals that the call has named
    already, by their ARNs: that it may name one is asked once.
    """
    subject = named.get(request.principal_arn) if named else None
    if subject is None:
        subject = subjects.subject(call, request)
        if named is not None and request.principal_arn:
            named[request.principal_arn] = subject
    given, tags = _context(request), dict(request.resource_tags)
    if tags:
        names = {f"aws:resourcetag/{key.lower()}" for key in tags}
        if len(names) != len(tags) or names & given.keys():
            raise InvalidContext("a tag of the resource is given twice; the case of its key makes no difference")
    owner = request.resource_account or arn.account_of(request.resource)
    if owner and not arn.is_account_id(owner):
        raise InvalidContext(f"`{owner}` is not an account id")
    return subject, Asked(
        action=request.action,
        resource=request.resource,
        account=call.account_id,
        resource_account=owner,
        resource_policy=_inline.get(call.account_id, request.resource_policy, _resource_policy) if request.resource_policy else None,
        tags=tags,
        environment=request_keys.OF_SERVICE,  # and nothing of the calling service's connection, which is not that of its client
        given=given,
    )


def _refuse_excess(request: pb.AuthorizeBatchRequest) -> None:
    """Refuse a batch that is too large before any of it is read."""
    size = request.ByteSize()
    if size > _MOST_BYTES:
        raise BatchTooLarge(f"the batch has {size} bytes; at most {_MOST_BYTES} are allowed")
    characters = sum(map(len, {item.resource_policy for item in request.requests}))
    if characters > _MOST_CHARACTERS:
        raise BatchTooLarge(
            f"the resource policies of the batch have {characters} characters together; at most {_MOST_CHARACTERS} are allowed"
        )


def _read_or_error(call: Call, request: pb.AuthorizeRequest, named: dict[str, Subject]) -> Read | SekishoError:
    """A question as it was read, or why it could not be; once the deadline has passed, that is why."""
    try:
        remaining(call.deadline)
        return read_question(call, request, named)
    except SekishoError as error:
        return error


def compose_question(call: Call, subject: Subject, asked: Asked, reader: Reader) -> Composed:
    """Put a question together, of one world."""
    who = reader.acting(subject, call.now)
    return who, world.question(who, asked, reader.get_record, call.now)


def _question_or_error(call: Call, item: Read | SekishoError, reader: Reader) -> Composed | SekishoError:
    if isinstance(item, SekishoError):
        return item
    try:
        remaining(call.deadline)
        return compose_question(call, *item, reader)
    except SekishoError as error:
        return error


_turns = Turns()
"""Policies are compiled and batches decided by turns. Nobody waits for the database with one."""


def turn(call: Call) -> AbstractContextManager[Turn]:
    """A turn of the call's account at deciding much."""
    return _turns.turn(call.account_id, call.deadline)


_inline: Shares[policy.Attached] = Shares(_MOST_INLINE, lambda account: _turns.turn(account), before=cold.may_wait)
"""The services that ask keep one policy for many requests. Never among the programs of identities, which must not make room for these."""


def _resource_policy(text: str) -> policy.Attached:
    """The resource's own policy, held to what resource policies may say."""
    made = validate.check(text, validate.Kind.RESOURCE)
    return policy.Attached(policy.compile_policy(made, text=text), name="resource policy")


def _context(request: pb.AuthorizeRequest) -> world.Keys:
    """The caller's context; InvalidContext where it has a key that is reserved."""
    given: dict[str, str | tuple[str, ...]] = {}
    for entry in request.context:
        key = entry.key.lower()
        if world.is_reserved(key):
            raise InvalidContext(f"the condition key `{entry.key}` comes from the principal or from the server and cannot be given")
        if key in given:
            raise InvalidContext(f"the condition key `{entry.key}` is given twice")
        if not entry.multivalued and len(entry.values) != 1:
            raise InvalidContext(f"the condition key `{entry.key}` has {len(entry.values)} values; say that it is multivalued")
        given[key] = tuple(entry.values) if entry.multivalued else entry.values[0]
    return given


def _item(
    call: Call,
    item: Read | SekishoError,
    composed: Composed | SekishoError,
    point: Point,
    decision_id: str,
    turn: Turn,
    *,
    encode: bool,
) -> pb.BatchItem:
    try:
        if isinstance(item, SekishoError):
            raise item
        if isinstance(composed, SekishoError):
            raise composed
        who, question = composed
        remaining(call.deadline)
        decision = _decide(call, item[0], question)
        log_entries.note(call, question, decision, point, decision_id)
        data_events.note(call, who, question, decision, decision_id)
        decided = pb.BatchItem(decision=_answer(call, question, decision, point, decision_id, encode=encode))
        turn.pause()
        steps.step()
        return decided
    except SekishoError as error:
        return pb.BatchItem(error=pb.BatchError(code=error.code, message=error.message))


def _decide(call: Call, subject: Subject, question: Question) -> policy.Decision:
    """The decision, of which it is noted that it was asked for; Explain only thinks, and notes nothing."""
    asked, layers = question
    cold.may_take_long(asked, layers)
    region = asked.context.get("aws:requestedregion") or arn.region_of(asked.resource)
    call.node.accesses.note(subject.id, asked.action, (call.now, str(region), subject.account_id))
    decision = policy.decide(asked, layers)
    _COUNTED[id(decision.outcome), decision.layer].inc()
    return decision


def _answer(
    call: Call, question: Question, decision: policy.Decision, point: Point, decision_id: str, *, encode: bool
) -> pb.AuthorizeResponse:
    """What is shown of a decision. Of a principal of another account, which has a token and no say in who sees it, it is what was decided
    in which layer, and nothing of that account's policies: neither which statements matched nor which keys they read.
    """
    decision = organizations.shown(call, question, decision)
    principal = question[0].principal
    own = principal.account == call.account_id
    matched = decision.matched if own else [match for match in decision.matched if match.layer is policy.Layer.RESOURCE]
    return pb.AuthorizeResponse(
        outcome=OUTCOMES[decision.outcome],
        layer=LAYERS[decision.layer] if decision.layer is not None else pb.LAYER_UNSPECIFIED,
        matched=[_matched(match) for match in matched],
        missing_keys=decision.missing_keys if own else (),
        decision_id=decision_id,
        revision=point.token,
        principal_arn=principal.arn,
        encoded_authorization_message=denials.encoded(call, question, decision) if encode and not decision.allowed else "",
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

"""Authorize and Explain; and what questions have in common that are asked by others (`batches`, `plans`)."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager

from sekisho import arn, meters, policy, world
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.calls import request_keys
from sekisho.calls.call import Call
from sekisho.calls.turns import Turn, Turns
from sekisho.errors import AccessDenied, InvalidArgument
from sekisho.journal.accesses import Seen
from sekisho.memory import cold
from sekisho.memory.reader import Reader
from sekisho.operations import operation
from sekisho.policy import validate
from sekisho.policy.shares import Shares
from sekisho.services.authorize import data_events, denials, log_entries, organizations, subjects
from sekisho.store.changes import Point
from sekisho.store.db import remaining
from sekisho.world import Acting, Asked, Question, Subject

_MOST_INLINE = 1024 * 1024  # characters of inline policies that are kept compiled; each takes at most about 75 bytes


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
COUNTED = {
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
    return answer(call, question, decision, call.point, call.request_id, encode=request.encode_authorization_message)


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
        decision=answer(call, question, decision, call.point, call.request_id, encode=request.request.encode_authorization_message),
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
    given = _context(request)
    tags, tagged = read_tags(request, given)
    return subject, Asked(
        action=request.action,
        resource=request.resource,
        account=call.account_id,
        resource_account=owner_of(request),
        resource_policy=_inline.get(call.account_id, request.resource_policy, _resource_policy) if request.resource_policy else None,
        tags=tags,
        environment=request_keys.OF_SERVICE,  # and nothing of the calling service's connection, which is not that of its client
        given=given,
        tagged=tagged,
    )


def read_tags(request: pb.AuthorizeRequest, given: world.Keys) -> tuple[Mapping[str, str], world.Keys | None]:
    """The tags that a question says its resource has, and the condition keys that they are beside those `given`."""
    tags = dict(request.resource_tags)
    if not tags:
        return tags, None
    tagged = world.tag_keys(tags)
    if len(tagged) != len(tags) or tagged.keys() & given.keys():
        raise InvalidContext("a tag of the resource is given twice; the case of its key makes no difference")
    return tags, tagged


def owner_of(request: pb.AuthorizeRequest) -> str:
    """The account that owns a question's resource, as far as the question says it."""
    owner = request.resource_account or arn.account_of(request.resource)
    if owner and not arn.is_account_id(owner):
        raise InvalidContext(f"`{owner}` is not an account id")
    return owner


def compose_question(call: Call, subject: Subject, asked: Asked, reader: Reader) -> Composed:
    """Put a question together, of one world."""
    who = reader.acting(subject, call.now)
    return who, world.question(who, asked, reader.get_record, call.now)


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


def _decide(call: Call, subject: Subject, question: Question) -> policy.Decision:
    """The decision, of which it is noted that it was asked for; Explain only thinks, and notes nothing."""
    asked, layers = question
    cold.may_take_long(asked, layers)
    call.node.accesses.note(subject.id, asked.action, seen(call, subject, asked))
    decision = policy.decide(asked, layers)
    COUNTED[id(decision.outcome), decision.layer].inc()
    return decision


def seen(call: Call, subject: Subject, asked: policy.Request) -> Seen:
    """What is noted of a principal's asking for an action."""
    region = asked.context.get("aws:requestedregion") or arn.region_of(asked.resource)
    return call.now, str(region), subject.account_id


def answer(
    call: Call, question: Question, decision: policy.Decision, point: Point, decision_id: str, *, encode: bool
) -> pb.AuthorizeResponse:
    """What is shown of a decision."""
    shown = organizations.shown(call, question, decision)
    answer = nameless_answer(call, question, shown, point)
    answer.decision_id = decision_id
    if encode and not shown.allowed:
        answer.encoded_authorization_message = denials.encoded(call, question, shown)
    return answer


def nameless_answer(call: Call, question: Question, shown: policy.Decision, point: Point) -> pb.AuthorizeResponse:
    """The answer that a decision is, as far as that is `shown`, but for what it is called. Of a principal of another account, which has a
    token and no say in who sees it, it is what was decided in which layer, and nothing of that account's policies: neither which
    statements matched nor which keys they read.
    """
    principal = question[0].principal
    own = principal.account == call.account_id
    return pb.AuthorizeResponse(
        outcome=OUTCOMES[shown.outcome],
        layer=LAYERS[shown.layer] if shown.layer is not None else pb.LAYER_UNSPECIFIED,
        matched=[_matched(match) for match in shown.matched if own or match.layer is policy.Layer.RESOURCE],
        missing_keys=shown.missing_keys if own else (),
        revision=point.token,
        principal_arn=principal.arn,
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

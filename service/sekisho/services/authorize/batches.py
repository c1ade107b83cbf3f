"""AuthorizeBatch: many questions of one world, of which most say the same.

What questions have in common is read, composed and written once; each is decided by itself. Nothing of that outlives the batch.
"""

from collections import Counter
from collections.abc import Iterator

from sekisho import policy, world
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.calls.call import Call
from sekisho.calls.turns import Turn
from sekisho.errors import ResourceExhausted, SekishoError
from sekisho.journal.accesses import Seen
from sekisho.memory.reader import Reader
from sekisho.operations import operation
from sekisho.policy import steps
from sekisho.services.authorize import data_events, decisions, log_entries, organizations
from sekisho.services.authorize.decisions import COUNTED, Composed, Read
from sekisho.store.changes import Point
from sekisho.store.db import remaining
from sekisho.world import Acting, Asked, Question, Subject

_MOST_BYTES = 1024 * 1024  # of the questions of one batch
_MOST_CHARACTERS = 256 * 1024  # of the different inline policies of one batch
_OF_EACH = ("action", "resource", "resource_account")
"""The fields in which the questions of a batch differ."""


class BatchTooLarge(ResourceExhausted):
    """The questions of a batch are too large together; ask them in several."""


@operation
def authorize_batch(call: Call, request: pb.AuthorizeBatchRequest) -> pb.AuthorizeBatchResponse:
    """All questions are composed of one world, whose revision each answer names; one that fails does not fail the others."""
    _refuse_excess(request)
    read = list(_read(call, request))
    questions, call.point = call.node.world.consistent(lambda reader: list(_composed(call, read, reader)))
    answers = _Answers(call, call.point)
    with decisions.turn(call) as turn:
        try:
            for asked, item, composed in zip(request.requests, read, questions, strict=True):
                answers.add(item, composed, turn, encode=asked.encode_authorization_message)
        finally:
            answers.note()
    return answers.made


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


def _read(call: Call, request: pb.AuthorizeBatchRequest) -> Iterator[Read | SekishoError]:
    """The questions as they were read, or why one could not be; once the deadline has passed, that is why."""
    reading = _Reading(call)
    rests = pb.AuthorizeBatchRequest.FromString(request.SerializeToString())  # to be taken apart: a record may show the request
    for item, rest in zip(request.requests, rests.requests, strict=True):
        try:
            remaining(call.deadline)
            yield reading.read(item, rest)
        except SekishoError as error:
            yield error


class _Reading:
    """Reads questions. One that differs from another only in what is done, to what, or in the tags of that, has the rest of the other.

    Questions are told apart by their bytes without what is their own, so that what is taken for the same is so to the last field.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._named: dict[str, Subject] = {}
        self._alike: dict[bytes, Read] = {}  # by all but the fields of each
        self._untagged: dict[bytes, Read] = {}  # by all but these and the tags

    def read(self, request: pb.AuthorizeRequest, rest: pb.AuthorizeRequest) -> Read:
        """Read one, of which `rest` is a copy that is used up; errors are those of `read_question`."""
        for field in _OF_EACH:
            rest.ClearField(field)
        key = rest.SerializeToString(deterministic=True)
        found = self._alike.get(key)
        if found is None:
            found = self._alike[key] = self._tagged(request, rest)
        subject, asked = found
        owner = decisions.owner_of(request)
        return subject, Asked(request.action, request.resource, asked.account, owner, *asked[4:])

    def _tagged(self, request: pb.AuthorizeRequest, rest: pb.AuthorizeRequest) -> Read:
        rest.ClearField("resource_tags")
        key = rest.SerializeToString(deterministic=True)
        found = self._untagged.get(key)
        if found is None:
            found = self._untagged[key] = decisions.read_question(self._call, request, self._named)
            return found
        subject, asked = found
        tags, tagged = decisions.read_tags(request, asked.given)
        return subject, asked._replace(tags=tags, tagged=tagged)


def _composed(call: Call, read: list[Read | SekishoError], reader: Reader) -> Iterator[Composed | SekishoError]:
    """The questions, put together of one world, or why one could not be."""
    composed: dict[int, Acting] = {}  # by subjects, which what was read keeps alive
    for item in read:
        if isinstance(item, SekishoError):
            yield item
            continue
        subject, asked = item
        try:
            remaining(call.deadline)
            who = composed.get(id(subject))
            if who is None:
                who = composed[id(subject)] = reader.acting(subject, call.now)
            yield who, world.question(who, asked, reader.get_record, call.now)
        except SekishoError as error:
            yield error


class _Answers:
    """Decides the questions of a batch, one after another, and makes the answer of it; what is noted of them is noted in the end."""

    def __init__(self, call: Call, point: Point) -> None:
        self.made = pb.AuthorizeBatchResponse()
        self._call, self._point = call, point
        self._noted: dict[tuple[str, str], Seen] = {}
        self._counted: Counter[tuple[int, policy.Layer | None]] = Counter()
        self._nameless: dict[tuple[object, ...], bytes] = {}

    def add(self, item: Read | SekishoError, composed: Composed | SekishoError, turn: Turn, *, encode: bool) -> None:
        """Answer the next question."""
        answer = self.made.items.add()
        try:
            if isinstance(item, SekishoError):
                raise item
            if isinstance(composed, SekishoError):
                raise composed
            self._answer(item[0], *composed, answer.decision, encode=encode)
            turn.pause()
            steps.step()
        except SekishoError as error:
            answer.error.code, answer.error.message = error.code, error.message

    def note(self) -> None:
        """Note what was asked for, and how it was decided."""
        for (principal_id, action), seen in self._noted.items():
            self._call.node.accesses.note(principal_id, action, seen)
        for decided, count in self._counted.items():
            COUNTED[decided].inc(count)

    def _answer(self, subject: Subject, who: Acting, question: Question, answer: pb.AuthorizeResponse, *, encode: bool) -> None:
        call, point, id_ = self._call, self._point, f"{self._call.request_id}/{len(self.made.items) - 1}"
        remaining(call.deadline)
        asked, layers = question
        self._noted[subject.id, asked.action] = decisions.seen(call, subject, asked)
        decision = policy.decide(asked, layers)
        self._counted[id(decision.outcome), decision.layer] += 1
        log_entries.note(call, question, decision, point, id_)
        data_events.note(call, who, question, decision, id_)
        if encode and not decision.allowed:
            answer.CopyFrom(decisions.answer(call, question, decision, point, id_, encode=True))
            return
        answer.MergeFromString(self._written(question, organizations.shown(call, question, decision)))
        answer.decision_id = id_

    def _written(self, question: Question, shown: policy.Decision) -> bytes:
        """The answer that a decision is, but for what it is called, as bytes. By the very objects that it shows, which the questions keep
        alive: to compare policies by what they say takes longer than to write them.
        """
        matched = [(id(match.attached), id(match.statement), match.layer) for match in shown.matched]
        key = (id(question[0].principal), id(shown.outcome), shown.layer, shown.missing_keys, *matched)
        found = self._nameless.get(key)
        if found is None:
            made = decisions.nameless_answer(self._call, question, shown, self._point)
            found = self._nameless[key] = made.SerializeToString()
        return found

"""ListAllowedPrincipals: which users and roles of the caller's account may do an action on a resource."""

from typing import NamedTuple

from sqlalchemy.orm import Session

from sekisho import policy, world
from sekisho.api.authorize.v1 import plans_pb2 as pb
from sekisho.calls import pages, permission
from sekisho.calls.call import Call
from sekisho.errors import AccessDenied
from sekisho.memory import cold
from sekisho.memory import pages as record_pages
from sekisho.memory.reader import Reader
from sekisho.operations import Resource, operation
from sekisho.services.authorize import decisions, looks, subjects
from sekisho.store.db import remaining
from sekisho.world import NO_KEYS, PrincipalRecord, Question, Record, Subject

KINDS = ("user", "role")
SIZE = 100
"""Principals that are looked at for one page; the answer may have fewer."""


class _Looked(NamedTuple):
    """Each principal's ARN and question, and where the next page begins; nowhere at the end."""

    asked: list[tuple[str, Question]]
    last: list[str]


@operation
def list_allowed_principals(call: Call, request: pb.ListAllowedPrincipalsRequest) -> pb.ListAllowedPrincipalsResponse:
    """Each is asked about as by its ARN, so the caller needs authorize:AssertPrincipal on it; whom it is not permitted to name is left out,
    and counted.
    """
    cold.may_wait()
    cursor = pages.cursor(call, request, place="next_token", size="max_results")
    kind, name = cursor.open(request.next_token) if request.next_token else (KINDS[0], "")
    _, asked = decisions.read_question(call, looks.question(request))
    size = min(request.max_results or looks.MOST, SIZE)

    def look(session: Session, reader: Reader) -> _Looked:
        records, last = record_pages.load_page(session, call.account_id, kind, name, size)
        here: dict[str, Record] = {record.id: record for record in records}

        def lookup(id_: str) -> Record | None:
            return here.get(id_) or reader.get_record(id_)

        found = []
        for record in records:
            remaining(call.deadline)
            if isinstance(record, PrincipalRecord):
                who = world.acting(Subject(record.id, call.account_id), lookup, call.now)
                found.append((record.arn, world.question(who, asked, lookup, call.now)))
        following = KINDS[KINDS.index(kind) + 1 :]
        return _Looked(found, [kind, last] if last else [following[0], ""] if following else [])

    looked, call.point = looks.both(call, f"{call.account_id}:{kind}/*", look)
    asserted = [(arn, question) for arn, question in looked.asked if _may_assert(call, arn)]
    allowed = []
    with decisions.turn(call) as turn:
        for arn, (made, layers) in asserted:
            remaining(call.deadline)
            turn.pause()
            if policy.decide(made, layers).allowed:
                allowed.append(arn)
    return pb.ListAllowedPrincipalsResponse(
        principals=allowed,
        next_token=cursor.marker(looked.last) if looked.last else "",
        revision=call.point.token,
        unasserted=len(looked.asked) - len(asserted),
    )


def _may_assert(call: Call, arn: str) -> bool:
    """Whether the caller is permitted to ask about a principal by its ARN."""
    remaining(call.deadline)
    try:
        permission.demand(call, subjects.ASSERT, Resource(arn), NO_KEYS)
    except AccessDenied:
        return False
    return True

"""ListAllowedResources: on which registered resources of the caller's account somebody may do an action.

The database selects them by the plan of the question, some thousands of rows at a time. Those that have a policy of their own are none of
the plan's: they are decided about one by one, as Authorize does.
"""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, or_, select, tuple_
from sqlalchemy.orm import Session

from sekisho import policy, world
from sekisho.api.authorize.v1 import plans_pb2 as pb
from sekisho.calls import pages
from sekisho.calls.call import Call
from sekisho.calls.turns import Turns
from sekisho.errors import AccessDenied
from sekisho.filters.rows import where
from sekisho.memory import cold
from sekisho.memory.reader import Reader
from sekisho.operations import operation
from sekisho.policy import residual
from sekisho.policy.residual import Plan
from sekisho.services.authorize import decisions, looks, plans, scopes
from sekisho.services.authorize.scopes import Scope
from sekisho.store.db import remaining
from sekisho.store.tables import RegisteredResource, ResourceTag
from sekisho.world import AccountRecord, Acting, Asked, Question, Subject

CHUNK = 5_000
"""Rows that the database looks at in one query, at most."""
MOST_TESTS = 2_000_000
"""Rows of one query, each times the parts of the plan: a quarter of a second of the database."""
MOST_CHUNKS = 10
"""Queries for one page."""
MOST_OWN = 500
"""Resources with a policy of their own that are decided about for one page."""

_TRIES = 3
_scans = Turns()
"""One search at a time: those who wait for the database have few places (`memory.places`), and most are for decisions."""

_KEY = (RegisteredResource.service, RegisteredResource.type, RegisteredResource.id)


Composed = tuple[Acting, Question, list[str]]
"""Who is asked about, what, and the services of the scope of which the account has registered resources."""


class _Page(NamedTuple):
    """Resources in order, each with its place, its ARN, and a question where it has a policy of its own; and where the next page begins,
    nowhere at the end.
    """

    found: list[tuple[list[str], str, Question | None]]
    last: list[str]


@operation
def list_allowed_resources(call: Call, request: pb.ListAllowedResourcesRequest) -> pb.ListAllowedResourcesResponse:
    """A page ends when it has enough resources, or when enough have been looked at."""
    cold.may_wait()
    cursor = pages.cursor(call, request, place="next_token", size="max_results")
    after = cursor.open(request.next_token) if request.next_token else []
    scope = scopes.read(call, request)
    if scope.owner != call.account_id:
        raise AccessDenied(f"The account {scope.owner} has not consented that account {call.account_id} sees its resources.")
    subject, asked = decisions.read_question(call, looks.question(request, resource="*", resource_account=scope.owner))
    looks.refuse_tags(asked.given)
    search = _Search(call, scope, subject, asked, request.max_results or looks.MOST)
    who, page = search.page(after)
    allowed = _decided(call, page)
    return pb.ListAllowedResourcesResponse(
        resources=allowed,
        next_token=cursor.marker(page.last) if page.last else "",
        revision=call.point.token if call.point is not None else "",
        principal_arn=who.arn,
    )


class _Search:
    """The search for one page."""

    def __init__(self, call: Call, scope: Scope, subject: Subject, asked: Asked, most: int) -> None:
        self._call, self._scope, self._subject, self._asked, self._most = call, scope, subject, asked, most

    def page(self, after: list[str]) -> tuple[Acting, _Page]:
        """Who is asked about, and the page. The plan takes processor time and is made before the database is looked at; where it would be
        made of something else by then, it is made again.
        """
        call = self._call
        for _ in range(_TRIES):
            (who, question, services), call.point = call.node.world.consistent(self._compose)
            if not services:
                return who, _Page([], [])
            with decisions.turn(call) as turn:
                plan = plans.made_plan(call, question, self._scope, turn)

            def look(session: Session, reader: Reader, planned: Composed = (who, question, services), plan: Plan = plan) -> _Page | None:
                return self._look(session, reader, plan, planned, after)

            with _scans.turn(call.account_id, call.deadline):
                page, call.point = looks.both(call, f"{call.account_id}:resources/*", look)
            if page is not None:
                return who, page
        raise looks.WorldMoved("The policies changed faster than the resources could be looked for. The call may be made again.")

    def _compose(self, reader: Reader) -> Composed:
        who, question = decisions.compose_question(self._call, self._subject, self._asked._replace(registered=False), reader)
        owner = reader.get_record(self._scope.owner)
        return who, question, self._scope.services(owner.registers) if isinstance(owner, AccountRecord) else []

    def _look(self, session: Session, reader: Reader, plan: Plan, planned: Composed, after: list[str]) -> _Page | None:
        """The page out of one snapshot; None when the plan was made of something else than what is so there."""
        who, question, services = self._compose(reader)
        if (question, services) != planned[1:]:
            return None
        found: list[tuple[list[str], str, Question | None]] = []
        own = 0
        rows = max(1, min(CHUNK, MOST_TESTS // residual.size(plan.condition)))
        for _ in range(MOST_CHUNKS):
            remaining(self._call.deadline)
            chunk = _chunk(self._call.account_id, services, after, rows)
            for row in session.execute(_selected(chunk, plan, self._scope)):
                place = [row.service, row.type, row.id]
                if len(found) == self._most or own == MOST_OWN:
                    return _Page(found, after)
                asked = None
                if row.policy:
                    remaining(self._call.deadline)
                    own += 1
                    asked = world.question(who, self._asked._replace(resource=row.arn), reader.get_record, self._call.now)
                found.append((place, row.arn, asked))
                after = place
            end = session.execute(_end(chunk, rows)).one_or_none()
            if end is None:
                return _Page(found, [])
            after = list(end)
        return _Page(found, after)


def _chunk(account_id: str, services: list[str], after: list[str], most: int) -> Select[Any]:
    """The next rows, in the order of the index."""
    rows = select(RegisteredResource).where(RegisteredResource.account_id == account_id, RegisteredResource.service.in_(services))
    if after:
        rows = rows.where(tuple_(*_KEY) > tuple_(*after))
    return rows.order_by(*_KEY).limit(most)


def _selected(rows: Select[Any], plan: Plan, scope: Scope) -> Select[Any]:
    """Of these rows, those that the plan allows, and those within the scope that have a policy of their own."""
    row = rows.subquery().c

    def tag(key: str) -> ColumnElement[Any]:
        return select(ResourceTag.value).where(ResourceTag.resource_id == row.id, ResourceTag.key_key == key).scalar_subquery()

    planned = and_(row.policy.is_(None), where(plan, arn=row.arn, tags=tag))
    own = and_(row.policy.is_not(None), where(Plan(scope.shapes, condition=True), arn=row.arn, tags=tag))
    columns = (row.service, row.type, row.id, row.arn, row.policy.is_not(None).label("policy"))
    return select(*columns).where(or_(planned, own)).order_by(row.service, row.type, row.id)


def _end(rows: Select[Any], most: int) -> Select[str, str, str]:
    """The place of the last row, if there are as many as a chunk has: then there may be more."""
    return rows.with_only_columns(*_KEY, maintain_column_froms=True).limit(1).offset(most - 1)


def _decided(call: Call, page: _Page) -> list[str]:
    """The ARNs of a page that are allowed."""
    allowed = []
    with decisions.turn(call) as turn:
        for _, arn, question in page.found:
            if question is not None:
                remaining(call.deadline)
                turn.pause()
                if not policy.decide(*question).allowed:
                    continue
            allowed.append(arn)
    return allowed

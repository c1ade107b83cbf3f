"""What happens to every call, read downward.

    deadline → authenticate → validate → transaction → newest revision → authorize → function → audit and change → commit → reply

A WRITE runs in one transaction that ends with its audit record and its revision; a READ in one snapshot, where memory
does not have what it needs; DECIDE and ISSUE in neither. What takes long and needs no lock is a preparation, before the transaction of a
WRITE. What commits no row (denials, failures, issued credentials) is spooled. An error at any step means that nothing was written.
"""

import secrets as randomness
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import structlog
from google.protobuf.message import DecodeError, Message
from sqlalchemy.orm import Session

from sekisho.calls import audit, authenticate, freshness, permission
from sekisho.calls.authenticate import Proof
from sekisho.calls.call import Call, Node, Peer
from sekisho.errors import InvalidArgument, SekishoError, ServiceFailure, Unauthenticated
from sekisho.operations import PREPARATIONS, Operation, validation
from sekisho.operations.annotations import Access
from sekisho.store import changes
from sekisho.store.db import WriteConflict, remaining

DEFAULT_SECONDS = 30.0
"""How long a call may take whose caller set no deadline, and at the most."""

log = structlog.get_logger(__name__)


class MalformedRequest(InvalidArgument):
    """The bytes are not a message of the operation's request type."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call as an edge hands it over: the bytes of the request, or the message itself, and what the caller gave as proof."""

    body: bytes | Message
    proof: Callable[[], Proof] | None
    peer: Peer
    request_id: str
    seconds: float | None = None  # until the caller's deadline


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer; `revision` is the write's own, or the newest that the answer is not older than."""

    message: Message
    revision: str


def run(node: Node, operation: Operation, arrival: Arrival) -> Reply:
    """Answer one call, or raise a SekishoError; whatever else went wrong is a ServiceFailure, with its cause in the log."""
    call = Call(
        node=node,
        operation=operation,
        request_id=arrival.request_id,
        now=datetime.now(UTC),
        deadline=time.monotonic() + min(arrival.seconds if arrival.seconds is not None else DEFAULT_SECONDS, DEFAULT_SECONDS),
        peer=arrival.peer,
    )
    request: Message | None = None
    try:
        remaining(call.deadline)
        subject = authenticate.subject(call, arrival.proof) if operation.signed else None
        request = _parsed(operation, arrival.body)
        validation.check(request)
        return _LEVELS[operation.access.level](call, request, subject)
    except SekishoError as error:
        _failed(call, request, error)
        raise
    except Exception as error:
        log.exception("pipeline.failure", operation=operation.path, request_id=call.request_id)
        failure = ServiceFailure(f"The request could not be processed because of an unknown error. Request id: {call.request_id}")
        _failed(call, request, failure)
        raise failure from error


def _parsed(operation: Operation, body: bytes | Message) -> Message:
    if isinstance(body, Message):
        return body
    try:
        return operation.request.FromString(body)
    except DecodeError:
        raise MalformedRequest(f"The request is not a valid {operation.request.DESCRIPTOR.full_name}.") from None


def _write(call: Call, request: Message, subject: Any) -> Reply:
    """Once more when another write took the same name or row meanwhile: then the function sees it and says what AWS says."""
    try:
        return _write_once(call, request, subject)
    except WriteConflict:
        return _write_once(replace(call, acting=None, point=None), request, subject)


def _write_once(call: Call, request: Message, subject: Any) -> Reply:
    _prepare(call, request, subject)
    since = call.node.world.point
    with call.node.database.write((subject.account_id,), deadline=call.deadline, first=changes.LATEST) as session:
        call.database_session = session
        touched = changes.Touched(session)
        call.node.world.sync(session, since=since)
        _authorized(call, request, subject, newest=True)
        message = call.operation.function(call, request)
        audited = audit.columns(audit.event(call, request, message))
        recorded = changes.record(session, touched, call.now, lambda: randomness.token_hex(8), audited)
    call.node.world.committed(recorded.point, touched.ids)
    return Reply(message, recorded.point.token)


def _prepare(call: Call, request: Message, subject: Any) -> None:
    """Do what the operation needs done before its transaction, which others wait for; only for a caller who may."""
    preparation = PREPARATIONS.get(call.operation.function)
    if preparation is not None:
        with _snapshot(call) as session:
            call.database_session = session
            _authorized(call, request, subject, newest=True)
            work = preparation(call, request)
        call.database_session = None
        call.prepared = work()


def _read(call: Call, request: Message, subject: Any) -> Reply:
    """Out of memory as far as that goes. When the world moved on meanwhile, all of it once more, in one snapshot."""
    try:
        return _remembered(call, request, subject)
    except _Moved:
        call.acting = call.point = call.database_session = None
    with _snapshot(call) as session:
        call.database_session = session
        newest = call.node.world.sync(session)
        _authorized(call, request, subject, newest=False)
        return Reply(call.operation.function(call, request), newest.token)


def _remembered(call: Call, request: Message, subject: Any) -> Reply:
    """Nobody is shown what came after the world that the caller was authorized from: it may have been written because of a change there."""
    world = call.node.world
    newest = world.renewed(call.deadline)
    with ExitStack() as stack:

        def opened() -> Session:
            session = stack.enter_context(_snapshot(call))
            if world.sync(session) != newest:
                raise _Moved
            return session

        call.snapshot = opened
        _authorized(call, request, subject, newest=False)
        message = call.operation.function(call, request)
        if world.point != newest and call.database_session is None:
            raise _Moved
        return Reply(message, newest.token)


class _Moved(Exception):  # noqa: N818  # says what happened, as `StopIteration` does
    """A revision came while a read was under way."""


def _snapshot(call: Call) -> AbstractContextManager[Session]:
    return call.node.world.snapshot(call.deadline)


def _decide(call: Call, request: Message, subject: Any) -> Reply:
    freshness.wait(call, request)
    _authorized(call, request, subject, newest=False)
    message = call.operation.function(call, request)
    return Reply(message, (call.point or call.node.world.point).token)


def _issue(call: Call, request: Message, subject: Any) -> Reply:
    """Nothing leaves before its record is on the disk."""
    reply = _decide(call, request, subject)
    call.node.spool.append(audit.entry(audit.event(call, request, reply.message)), timeout=call.seconds_left)
    return reply


_LEVELS: dict[int, Callable[[Call, Message, Any], Reply]] = {
    Access.READ: _read,
    Access.WRITE: _write,
    Access.DECIDE: _decide,
    Access.ISSUE: _issue,
}


def _authorized(call: Call, request: Message, subject: Any, *, newest: bool) -> None:
    """Compose the caller, from a world that is not older than the call's own transaction, and ask whether it may."""
    if newest:
        call.node.world.sync(call.session)
    if subject is not None:
        call.acting, call.point = authenticate.acting(call, subject)
        permission.permission(call, request)


def _failed(call: Call, request: Message | None, error: SekishoError) -> None:
    """Spool the record of a call that failed; who could not be authenticated is counted, not recorded: anyone can make such calls."""
    if isinstance(error, Unauthenticated) or call.acting is None:
        return
    call.node.spool.add(audit.entry(audit.event(call, request, None, error)))

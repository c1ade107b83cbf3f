"""What happens to every call, read downward.

    deadline → authenticate → read and validate → transaction → newest revision → authorize → function → audit and change → commit → reply

A WRITE runs in one transaction that ends with its audit record and its revision; a READ in one snapshot, where memory
does not have what it needs; DECIDE and ISSUE in neither. What takes long and needs no lock is a preparation, before the transaction of a
WRITE. What commits no row (reads, denials, failures, issued credentials) is spooled. An error at any step means that nothing was written.
"""

import math
import secrets as randomness
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import structlog
from google.protobuf.message import DecodeError, Message
from sqlalchemy.orm import Session

from sekisho import meters, sigv4
from sekisho.calls import answers, audit, callers, freshness, permission, rests, tag_policies
from sekisho.calls.call import Call, Node, Peer
from sekisho.calls.proofs import Proof
from sekisho.calls.waits import Wait
from sekisho.errors import InvalidArgument, SekishoError, ServiceFailure, Unauthenticated, ValidationError
from sekisho.memory import cold
from sekisho.memory.reader import Reader
from sekisho.operations import PREPARATIONS, VIOLATIONS, Operation, validation
from sekisho.operations.annotations import Access
from sekisho.store import changes, used
from sekisho.store.changes import Point
from sekisho.store.db import Database, WriteConflict, remaining
from sekisho.world import AccountRecord, Subject
from sekisho.world.placement import restricting

DEFAULT_SECONDS = 30.0
"""How long a call may take whose caller set no deadline, and at the most; a stream has what its caller gives it."""

UNAUTHENTICATED = meters.Counter("sekisho_authentication_failures", "Calls whose caller could not be established, by error code.", ["code"])
UNSIGNED = meters.Counter(
    "sekisho_unsigned_failures", "Failed calls that nobody has to sign, by operation and error code.", ["operation", "code"]
)
UNRECORDED = meters.Counter("sekisho_unrecorded_failures", "Failed calls that are in no audit record, by error code.", ["code"])

log = structlog.get_logger(__name__)


class MalformedRequest(InvalidArgument):
    """The bytes are not a message of the operation's request type."""


class Arrival(NamedTuple):
    """A call as an edge hands it over. `read` makes the message of its request, or raises what is wrong with it, which nobody learns
    who has not said who it is; `proof` is what the caller gave for that, None where an edge has no place for one.
    """

    read: Callable[[], Message]
    proof: Proof | None
    peer: Peer
    request_id: str
    seconds: float | None = None  # until the caller's deadline


class Reply(NamedTuple):
    """The answer; `revision` is the write's own, or the newest that the answer is not older than."""

    message: Message
    revision: str


def parsed(kind: type[Message], body: bytes) -> Message:
    """The message in the bytes of a request, or MalformedRequest."""
    try:
        return kind.FromString(body)
    except DecodeError:
        raise MalformedRequest(f"The request is not a valid {kind.DESCRIPTOR.full_name}.") from None


def run(node: Node, operation: Operation, arrival: Arrival) -> Reply:
    """Answer one call, or raise a SekishoError; whatever else went wrong is a ServiceFailure, with its cause in the log."""
    call = _call(node, operation, arrival)
    request = None
    try:
        subject, request = _begun(call, arrival)
        return _LEVELS[operation.level](call, request, subject)
    except Exception as error:
        failure = _recorded(call, request, error)
        if failure is error:
            raise
        raise failure from error


def stream(node: Node, operation: Operation, arrival: Arrival) -> Iterator[Message | Wait]:
    """Answer a call with a stream: each message as the function yields it, and each Wait, for the edge to wait without a thread. Errors are
    those of `run`, at whatever message they occur.

    The caller is authorized for the first message, and again whenever the world has moved on, so that a stream that was allowed ends
    when that is taken back, or when its credentials end.
    """
    ends = time.monotonic() + arrival.seconds if arrival.seconds is not None else math.inf
    call = _call(node, operation, arrival)
    request = None
    try:
        subject, request = _begun(call, arrival)
        freshness.wait(call, request)
        seen = node.world.point  # before the caller is authorized: what comes meanwhile may take that back
        _authorized(call, request, subject)
        call.deadline = ends
        call.secret = answers.secret(call, arrival.proof)
        for message in operation.function(call, request):
            if isinstance(message, Wait):
                yield message
                continue
            call.now = datetime.now(UTC)
            remaining(call.deadline)
            _refuse_expired(call, subject)
            if node.world.point != seen:
                seen = node.world.point
                _authorized(call, request, subject)
            yield message
    except Exception as error:
        failure = _recorded(call, request, error)
        if failure is error:
            raise
        raise failure from error


def _call(node: Node, operation: Operation, arrival: Arrival) -> Call:
    seconds = DEFAULT_SECONDS if arrival.seconds is None else min(arrival.seconds, DEFAULT_SECONDS)
    return Call(
        node=node,
        operation=operation,
        request_id=arrival.request_id,
        now=datetime.now(UTC),
        deadline=time.monotonic() + seconds,
        peer=arrival.peer,
    )


def _begun(call: Call, arrival: Arrival) -> tuple[Subject | None, Message]:
    """Who calls, and with what."""
    remaining(call.deadline)
    subject = callers.subject(call, arrival.proof)
    request = arrival.read()
    try:
        validation.check(request)
    except ValidationError as error:
        said = VIOLATIONS.get(call.operation.service.package)
        if said is None:
            raise
        raise said(error) from None
    return subject, request


def _recorded(call: Call, request: Message | None, error: Exception) -> SekishoError:
    """What the caller hears of an error, recorded or counted; the request is None as long as it was not read."""
    if isinstance(error, SekishoError):
        _failed(call, request, error)
        return error
    log.exception("pipeline.failure", operation=call.operation.path, request_id=call.request_id)
    failure = ServiceFailure(f"The request could not be processed because of an unknown error. Request id: {call.request_id}")
    _failed(call, request, failure)
    return failure


def _write(call: Call, request: Message, subject: Subject | None) -> Reply:
    """Once more when another write took the same name or row meanwhile: then the function sees it and says what AWS says."""
    cold.may_wait()
    primary = call.node.primary  # before anything is done for nothing
    try:
        return _write_once(call, request, subject, primary)
    except WriteConflict:
        return _write_once(replace(call, acting=None, point=None), request, subject, primary)


def _write_once(call: Call, request: Message, subject: Subject | None, primary: Database) -> Reply:
    _prepare(call, request, subject)
    accounts = (subject.account_id,) if subject is not None else ()
    since = call.node.world.point
    with primary.write(accounts, deadline=call.deadline, first=used.latest(primary, call.use)) as session:
        _use_up(call, session)
        call.database_session = session
        touched = changes.Touched(session)
        call.node.world.sync(session, since=since)
        _authorized(call, request, subject)
        tag_policies.refuse(call, request)
        limits = _restricting(call, primary)
        message = call.operation.function(call, request)
        audited = [audit.columns(one) for one in audit.events(call, request, message)]
        remaining(call.deadline)  # of whoever has ceased to wait nothing is written
        recorded = changes.record(session, touched, call.now, lambda: randomness.token_hex(8), *audited)
        if call.point is not None and limits:
            recorded.demand_unchanged(call.point, limits)
    call.node.world.committed(recorded.point, touched.ids, recorded.account)
    return Reply(message, recorded.point.token)


def _restricting(call: Call, primary: Database) -> frozenset[str]:
    """The ids of what restricts the caller's account by its organization, which others write while this call is alone in its account: the
    write is not to come after a revision that would have denied it. SQLite has one writer at a time.
    """
    if primary.sqlite or call.acting is None or call.acting.placement is None:
        return frozenset()

    def compose(reader: Reader) -> frozenset[str]:
        account = reader.get_record(call.account_id)
        return restricting(account, reader.get_record) if isinstance(account, AccountRecord) else frozenset()

    return call.node.world.consistent(compose)[0]


def _use_up(call: Call, session: Session) -> None:
    """Have the use of the call's signature kept with its commit; RequestReplayed where a write was committed with it before."""
    if call.use is not None:
        first = used.first_use(session, call.use)
        if first is None:
            used.keep(session, call.use)
        elif call.use.is_replay(first):
            raise sigv4.RequestReplayed


def _prepare(call: Call, request: Message, subject: Subject | None) -> None:
    """Do what the operation needs done before its transaction, which others wait for; only for a caller who is permitted to call."""
    preparation = PREPARATIONS.get(call.operation.function)
    if preparation is not None:
        with _snapshot(call) as session:
            call.database_session = session
            _authorized(call, request, subject)
            work = preparation(call, request)
        call.database_session = None
        call.prepared = work()


def _read(call: Call, request: Message, subject: Subject | None) -> Reply:
    reply = _answered(call, request, subject)
    _note(call, request)
    return reply


def _note(call: Call, request: Message) -> None:
    """Record a call that read; nobody waits for that to be on the disk. A record that cannot be made is a failure of the call."""
    if call.acting is not None:
        call.node.spool.note(audit.entry_of_read(call, request))


def _answered(call: Call, request: Message, subject: Subject | None) -> Reply:
    """Out of memory as far as that goes. When the world moved on meanwhile, all of it once more, in one snapshot: it may move on before the
    caller is authorized, too, and is kept from that in the end.
    """
    world = call.node.world
    for attempt in (_remembered, _snapshotted, _snapshotted):
        try:
            return attempt(call, request, subject)
        except _Moved:
            call.acting = call.point = call.database_session = call.snapshot = None
    with ExitStack() as stack:
        with world.steady():
            newest = _authorized_in_snapshot(call, request, subject, stack)
        return Reply(call.operation.function(call, request), newest.token)


def _remembered(call: Call, request: Message, subject: Subject | None) -> Reply:
    """Nobody is shown what came after the world that the caller was authorized from: it may have been written because of a change there.
    Nor is anybody permitted by a newer world than is shown.
    """
    world = call.node.world
    newest = world.renewed(call.deadline)
    with ExitStack() as stack:

        def opened() -> Session:
            session = stack.enter_context(_snapshot(call))
            if world.sync(session) != newest:
                raise _Moved
            return session

        call.snapshot = opened
        _authorized(call, request, subject)
        if world.point != newest:
            raise _Moved
        message = call.operation.function(call, request)
        if world.point != newest and call.database_session is None:
            raise _Moved
        return Reply(message, newest.token)


def _snapshotted(call: Call, request: Message, subject: Subject | None) -> Reply:
    with ExitStack() as stack:
        newest = _authorized_in_snapshot(call, request, subject, stack)
        if call.node.world.point != newest:
            raise _Moved
        return Reply(call.operation.function(call, request), newest.token)


def _authorized_in_snapshot(call: Call, request: Message, subject: Subject | None, stack: ExitStack) -> Point:
    """Authorize the caller beside a snapshot that stays open on the stack; the revision of the snapshot."""
    call.database_session = stack.enter_context(_snapshot(call))
    newest = call.node.world.sync(call.session)
    _authorized(call, request, subject)
    return newest


class _Moved(Exception):  # noqa: N818  # says what happened, as `StopIteration` does
    """A revision came while a read was under way."""


def _snapshot(call: Call) -> AbstractContextManager[Session]:
    return call.node.world.snapshot(call.deadline)


def _settled(call: Call, request: Message, subject: Subject | None) -> Reply:
    freshness.wait(call, request)
    _authorized(call, request, subject)
    message = call.operation.function(call, request)
    return Reply(message, (call.point or call.node.world.point).token)


def _decide(call: Call, request: Message, subject: Subject | None) -> Reply:
    """A decision for another service is no event of the trail; what AWS has as an operation (GetCallerIdentity) is."""
    rests.note()
    reply = _settled(call, request, subject)
    if call.operation.service.model:
        _note(call, request)
    return reply


def _issue(call: Call, request: Message, subject: Subject | None) -> Reply:
    """Nothing leaves before its record is on the disk."""
    cold.may_wait()
    reply = _settled(call, request, subject)
    entries = [audit.entry(one) for one in audit.events(call, request, reply.message)]
    call.node.spool.append(*entries, timeout=call.seconds_left)
    return reply


_LEVELS: dict[int, Callable[[Call, Message, Subject | None], Reply]] = {
    Access.READ: _read,
    Access.WRITE: _write,
    Access.DECIDE: _decide,
    Access.ISSUE: _issue,
}


def _authorized(call: Call, request: Message, subject: Subject | None) -> None:
    """Compose the caller, from the world that memory was brought to for this call, and ask whether it may."""
    if subject is not None:
        call.acting, call.point = callers.acting(call, subject)
        permission.permission(call, request)


def _refuse_expired(call: Call, subject: Subject | None) -> None:
    session = subject.session if subject is not None else None
    if session is not None and session.expires_at is not None and session.expires_at <= call.now:
        raise sigv4.ExpiredToken("The security token included in the request is expired")


def _failed(call: Call, request: Message | None, error: SekishoError) -> None:
    """Spool the record of a call that failed. Who could not be authenticated, or need not be, is counted, not recorded: anyone can make
    such calls. So is a failure before the caller was composed, and one whose record cannot be made.
    """
    if not call.operation.signed:
        UNSIGNED.labels(call.operation.path, error.code).inc()
    elif isinstance(error, Unauthenticated):
        UNAUTHENTICATED.labels(error.code).inc()
        if call.acting is None:  # else it was a proof within the request, of somebody else
            rests.owe()
    elif call.acting is None:
        UNRECORDED.labels(error.code).inc()
    else:
        try:
            call.node.spool.add(audit.entry(audit.event(call, request, None, error)))
        except Exception:  # the caller has a right to the error that there was
            log.exception("pipeline.unrecorded", operation=call.operation.path, request_id=call.request_id)
            UNRECORDED.labels(error.code).inc()

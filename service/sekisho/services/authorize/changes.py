"""WatchChanges: the history of the world as it goes on, to each account what is its own."""

import math
import time
from collections.abc import Iterator

from sekisho import arn
from sekisho.api.authorize.v1 import changes_pb2 as pb
from sekisho.api.authorize.v1 import records_pb2
from sekisho.calls import answers
from sekisho.calls.call import Call
from sekisho.calls.waits import Wait
from sekisho.memory.log import Since
from sekisho.memory.reader import Reader
from sekisho.operations import operation
from sekisho.store import changes
from sekisho.store.changes import Point
from sekisho.world import AWS, AccountRecord, PolicyRecord, PrincipalRecord, Record, messages
from sekisho.world.placement import restricting, root_of

HEARTBEAT = 5.0
"""Seconds between two messages at most, where the caller does not say."""
BEHIND = 5.0
"""Seconds that a worker has to reach a cursor from another one."""


@operation
def watch_changes(call: Call, request: pb.WatchChangesRequest) -> Iterator[pb.WatchChangesResponse | Wait]:
    """The first message comes at once: it says where the stream begins. What touches neither the caller's account nor what is AWS's is told
    with the next heartbeat, as a revision without ids. What restricts the account by its organization touches it, whoever changed it; it
    is told at once where that was the account that manages the organization.
    """
    world = call.node.world
    cursor = changes.parse(request.cursor) if request.cursor else world.point
    accounts = frozenset((call.account_id, AWS))
    if world.point.number < cursor.number:
        yield Wait(time.monotonic() + BEHIND, lambda: world.point.number >= cursor.number)
    began = time.monotonic()
    pause = float(request.heartbeat_seconds) or HEARTBEAT
    index = 0
    while True:
        until = time.monotonic() + pause
        step = _step(call, request, cursor, accounts, index, began)
        yield step
        if step.reload:
            return
        cursor, index = changes.parse(step.revision), index + 1
        here = cursor
        telling = accounts | _management(call)
        yield Wait(until, lambda: world.touched(telling, here), telling)  # noqa: B023  # it is over before these are others


def _management(call: Call) -> frozenset[str]:
    """The account that manages the organization of the caller's account, if it is in one."""

    def compose(reader: Reader) -> frozenset[str]:
        account = reader.get_record(call.account_id)
        if not isinstance(account, AccountRecord) or account.unit_id is None:
            return frozenset()
        return frozenset((root_of(account.unit_id, reader.get_record).management_id,))

    return call.node.world.consistent(compose)[0]


def _step(
    call: Call, request: pb.WatchChangesRequest, cursor: Point, accounts: frozenset[str], index: int, began: float
) -> pb.WatchChangesResponse:
    world = call.node.world
    age, looked = _age_ms(call), time.monotonic()
    wanted = request.HasField("records")

    def compose(reader: Reader) -> tuple[Since | None, list[str], list[records_pb2.Record]]:
        since = world.since(cursor)
        ids = _ids(since, accounts, call.account_id, reader) if since is not None else []
        return since, ids, _records(ids, accounts, reader) if wanted else []

    (since, ids, records), _ = world.consistent(compose)
    reload = _reload(call, cursor, since)
    if since is None or reload:
        return pb.WatchChangesResponse(revision=cursor.token, reload=reload)
    made = pb.WatchChangesResponse(revision=since.point.token, ids=ids, age_ms=age)
    if wanted:
        elapsed = int((looked - began) * 1000)
        nonces = b"".join(bytes.fromhex(point.nonce) for point in since.points)
        batch = pb.Batch(after=cursor.token, revision=made.revision, records=records, nonces=nonces, age_ms=age, elapsed_ms=elapsed)
        made.batch.CopyFrom(answers.sign(call, request.records.nonce, index, batch.SerializeToString()))
    return made


def _age_ms(call: Call) -> int:
    """Milliseconds since the world was last known to be the newest, rounded up."""
    return min(math.ceil(call.node.world.confirmed.age * 1000), 2**32 - 1)


def _reload(call: Call, cursor: Point, since: Since | None) -> pb.Reload:
    """Why there is no going on from a cursor."""
    if since is None:
        known = call.node.world.cached_point(cursor.number)
        too_old = known in (cursor, None) and cursor.number <= call.node.world.point.number
        return pb.RELOAD_CURSOR_TOO_OLD if too_old else pb.RELOAD_ANOTHER_HISTORY
    if any(entry.account is None and entry.ids for entry in since.entries):
        return pb.RELOAD_UNKNOWN_CHANGES
    return pb.RELOAD_UNSPECIFIED


def _ids(since: Since, accounts: frozenset[str], own: str, reader: Reader) -> list[str]:
    """The ids that are the accounts' own, each once, the first that was touched first; among them an account that another one changed, or
    of which something that restricts it was changed: nobody is told which. What restricts it no more was taken from what still does, or
    from the account itself.
    """
    account = reader.get_record(own) if any(entry.ids for entry in since.entries) else None
    above = restricting(account, reader.get_record) if isinstance(account, AccountRecord) else frozenset()
    found: dict[str, None] = {}
    for entry in since.entries:
        for id_ in entry.ids:
            if entry.account in accounts or id_ in accounts:
                found[id_] = None
            elif id_ in above:
                found[own] = None
    return list(found)


def _records(ids: list[str], accounts: frozenset[str], reader: Reader) -> list[records_pb2.Record]:
    """The records of these ids that decisions are made of; never one of another account, whoever touched it."""
    found = ((id_, reader.get_record(id_)) for id_ in ids if _is_told(id_))
    said = (messages.message(id_, record, reader.get_record) for id_, record in found if _account(record) in (*accounts, None))
    made = [one for one in said if one is not None]
    for one in made:
        if one.WhichOneof("record") == "principal":
            one.principal.ClearField("trust_policy")  # which nobody asks for but AssumeRole
    return made


def _account(record: Record | None) -> str | None:
    """Whose a record is, where it says that."""
    if isinstance(record, AccountRecord):
        return record.id
    if isinstance(record, PolicyRecord):
        return arn.account_of(record.arn)
    return record.account_id if isinstance(record, PrincipalRecord) else None


def _is_told(id_: str) -> bool:
    """Whether an id is one of a record that decisions are made of; keys are not."""
    return id_[:4] in _TOLD or arn.is_account_id(id_)


_TOLD = frozenset(("AIDA", "AROA", "AGPA", "ANPA"))

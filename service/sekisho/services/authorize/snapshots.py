"""GetSnapshot: all that decisions about an account are made of, in pages."""

import threading
import time
from collections.abc import Iterator
from functools import partial

from sekisho.api.authorize.v1 import changes_pb2 as pb
from sekisho.calls import answers, request_keys
from sekisho.calls.call import Call
from sekisho.calls.waits import Wait
from sekisho.memory import pages
from sekisho.operations import operation
from sekisho.store import changes
from sekisho.world import AWS, messages

_TURN = threading.Lock()
"""Held while a page is read. One at a time: loads have few places (`memory.places`), and most are for those who wait for a decision."""
_AGAIN = 0.01
"""Seconds until a stream looks again whether it is its turn."""


@operation
def get_snapshot(call: Call, request: pb.GetSnapshotRequest) -> Iterator[pb.GetSnapshotResponse | Wait]:
    """The account itself stands in the first page, then its own records by kind and name, and at last AWS's policies."""
    page, index = pb.SnapshotPage(caller=messages.subject(call.caller.subject)), 0
    for key, value in request_keys.of_connection(call.peer).items():
        page.connection.add(key=key, value=str(value))
    parts = [(call.account_id, kind) for kind in pages.KINDS] + [(AWS, "policy")]
    for account, kind in parts:
        after = None
        while after != "":
            while not _TURN.acquire(blocking=False):
                yield Wait(time.monotonic() + _AGAIN)
            try:
                after = _fill(call, page, account, kind, after or "")
            finally:
                _TURN.release()
            page.last = after == "" and (account, kind) == parts[-1]
            yield pb.GetSnapshotResponse(page=answers.sign(call, request.nonce, index, page.SerializeToString()))
            page, index = pb.SnapshotPage(), index + 1


def _fill(call: Call, page: pb.SnapshotPage, account: str, kind: str, after: str) -> str:
    """Read a page in one snapshot of the database; the name after which the next begins, `""` for none."""
    with call.node.world.snapshot(wanted=f"{account}:{kind}/*") as session:
        page.revision = changes.begun_at(session).token
        found, last = pages.load_page(session, account, kind, after)
        load = partial(call.node.world.load_record, session=session)  # and not from memory, which may be newer than the page
        owner = [load(account)] if page.HasField("caller") else []
        for record in (*owner, *found):
            said = messages.message(record.id, record, load) if record is not None else None
            if said is not None:
                page.records.append(said)
    return last

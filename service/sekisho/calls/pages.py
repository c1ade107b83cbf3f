"""The markers of a call's lists: bound to the list, the account, and the request but for its place and size."""

import hashlib
from functools import partial
from typing import Any

from sekisho.calls.call import Call
from sekisho.credentials.key_ring import PAGING
from sekisho.store import paging


def cursor(call: Call, request: Any, *, place: str, size: str) -> paging.Cursor:
    """Makes and opens the markers of a request; `place` and `size` are the fields that say its place and its size."""
    same = type(request)()
    same.CopyFrom(request)
    for name in (place, size):
        if name in same.DESCRIPTOR.fields_by_name:
            same.ClearField(name)
    filters = hashlib.sha256(same.SerializeToString(deterministic=True)).hexdigest()
    scope = f"{call.operation.path} {call.account_id} {filters}"
    ring = call.node.ring
    return paging.Cursor(partial(ring.mac, PAGING), partial(ring.is_mac, PAGING), scope)

"""Which principal asked for which action when: one assignment for each decision, and every second handed to the spool.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html
"""

import json
from datetime import datetime

from sekisho.journal.spool import Entry, Spool

KIND = "accesses"
_MOST = 20_000  # until the next second; what comes above it is not remembered, for it cannot be many principals' honest work

Seen = tuple[datetime, str, str]
"""When, in which region (or none), of which account the principal is."""


class Accesses:
    """What this worker has seen since it was last flushed. Needs no lock: each step on the dictionary is one that threads cannot split."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._fresh: dict[tuple[str, str], Seen] = {}

    def note(self, principal_id: str, action: str, seen: Seen) -> None:
        """Remember that a principal asked for an action, whatever was decided."""
        if len(self._fresh) < _MOST:
            self._fresh[principal_id, action] = seen

    def flush(self) -> None:
        """Hand what is new to the spool: `[principal, account, action, when, region]` each."""
        taken = []
        for _ in range(len(self._fresh)):
            (principal_id, action), (at, region, account_id) = self._fresh.popitem()
            if "\0" not in action + region:  # which PostgreSQL cannot keep
                taken.append([principal_id, account_id, action, at.isoformat(), region])
        if taken:
            self._spool.add(Entry(KIND, json.dumps(taken)))

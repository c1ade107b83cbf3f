"""Which principal asked for which action when: one assignment for each decision, and every second handed to the spool.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html
"""

import json
import threading
from collections import Counter
from datetime import datetime

from sekisho.journal.spool import DROPPED, Entry, Spool

KIND = "accesses"

# Different actions that are remembered until the next second: callers can make names up, and nobody does that at anybody else's expense.
_OF_PRINCIPAL = 100
_OF_ACCOUNT = 2_000
_MOST = 20_000
_REGION = 64  # characters; a longer one, which callers can make up as well, is none

Seen = tuple[datetime, str, str]
"""When, in which region (or none), of which account the principal is."""


class Accesses:
    """What this worker has seen since it was last flushed."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._lock = threading.Lock()
        self._fresh: dict[tuple[str, str], Seen] = {}
        self._of_principal: Counter[str] = Counter()
        self._of_account: Counter[str] = Counter()

    def note(self, principal_id: str, action: str, seen: Seen) -> None:
        """Remember that a principal asked for an action, whatever was decided."""
        key, account_id = (principal_id, action), seen[2]
        if len(seen[1]) > _REGION:
            seen = (seen[0], "", account_id)
        with self._lock:
            if key not in self._fresh:
                if (
                    self._of_principal[principal_id] >= _OF_PRINCIPAL
                    or self._of_account[account_id] >= _OF_ACCOUNT
                    or len(self._fresh) >= _MOST
                ):
                    DROPPED.labels(KIND, "share").inc()
                    return
                self._of_principal[principal_id] += 1
                self._of_account[account_id] += 1
            self._fresh[key] = seen

    def flush(self) -> None:
        """Hand what is new to the spool: `[principal, account, action, when, region]` each."""
        with self._lock:
            fresh, self._fresh = self._fresh, {}
            self._of_principal, self._of_account = Counter(), Counter()
        taken = [
            [principal_id, account_id, action, at.isoformat(), region]
            for (principal_id, action), (at, region, account_id) in fresh.items()
            if "\0" not in action + region  # which PostgreSQL cannot keep
        ]
        if taken:
            self._spool.add(Entry(KIND, json.dumps(taken)))

"""Claims that are doubted: of an account, from an address whence it was claimed in vain a moment ago.

A claim is believed before anything is verified, so whoever knows an id of a key, or makes up temporary credentials, could fill an account's
share with calls that are not its own. Once one of them could not be authenticated, calls that claim the account from there have a part of
its share for themselves, beside its calls from elsewhere. The share stays one: nobody wins by being doubted.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

SECONDS = 5.0
"""Seconds for which a claim is doubted after the last one that was in vain."""
PARTS = 8
"""Parts of a share that its doubted claims have at the most, by whence they come, so that the account keeps a ninth of it for itself."""
MOST = 4096
"""Claims that are doubted at once; of more, those that were the first are believed again."""


class Doubts:
    """The claims that are doubted in this process; threads share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, account: str, address: str) -> None:
        """An account was claimed in vain from an address."""
        if account:
            with self._lock:
                self._until[account, address] = self._clock() + SECONDS
                self._until.move_to_end((account, address))
                if len(self._until) > MOST:
                    self._until.popitem(last=False)

    def hold(self, account: str, address: str) -> bool:
        """True of the claim of an account that is doubted from an address."""
        until = self._until.get((account, address))
        return until is not None and self._clock() < until

    def part(self, account: str, address: str) -> str:
        """The part of the account's share that a claim from an address is of; `""` is the account's own."""
        return str(1 + hash(address) % PARTS) if self.hold(account, address) else ""


here = Doubts()
"""Those of this process, whatever its edges are."""

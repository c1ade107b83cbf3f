"""Signatures that were used: a call that writes or issues is answered once for each, so that nobody gains by sending one again.

A signature covers the whole call and its nonce, and cannot be made without the secret; so it is itself what must not come twice. It is
remembered, by its account, for as long as it would verify. What is remembered is this worker's own, and ends with it.
"""

import threading
from datetime import datetime
from math import inf

from sekisho.errors import Throttling
from sekisho.sigv4 import RequestReplayed

MOST = 524_288
"""Signatures that a worker remembers: 54 MiB when full, at up to 107 bytes each, measured with tracemalloc. One account alone has half of
them, which is 728 calls a second for six minutes.
"""

_DIGITS = 15
"""Hexadecimal digits of a signature that are kept: 60 bits are the most that a small integer holds. Two of an account's 262,144
signatures are taken for one another with a chance below 10**-7.
"""

_GRAIN = 60.0
"""Seconds: signatures that end in one minute are forgotten together."""

_SWEEP = 1.0
"""Seconds between two looks at what has ended."""


class _Minute:
    """The signatures that end in one minute: by account, when each was first used (monotonic); `kept_until` is monotonic as well."""

    __slots__ = ("kept_until", "used")

    def __init__(self) -> None:
        self.used: dict[str, dict[int, float]] = {}
        self.kept_until = -inf


class Replays:
    """The used signatures of one worker; threads may share it."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._minutes: dict[int, _Minute] = {}
        self._held: dict[str, int] = {}
        self._size = 0
        self._sweep_at = -inf

    def use(self, account: str, signature: str, ends: datetime, now: datetime, moment: float, *, grace: float) -> None:
        """Remember a signature that verified; RequestReplayed where it was used more than `grace` seconds ago, or ever for no grace.

        It verifies until `ends`; `now` is the call's wall clock, `moment` the monotonic one. Throttling where there is no room.
        """
        key = int(signature[:_DIGITS], 16)
        with self._lock:
            self._sweep(now.timestamp(), moment)
            minute = self._minutes.get(number := int(ends.timestamp() // _GRAIN))
            first = minute.used.get(account, {}).get(key) if minute is not None else None
            if first is not None:
                if grace and moment - first < grace:
                    return
                raise RequestReplayed
            held = self._held.get(account, 0)
            # An account has as much as is free at the most. So one alone gets half, two a third each; whoever comes finds room, and
            # nothing that may still be sent again is ever forgotten to make any.
            if held >= self._most - self._size:
                raise Throttling("Rate exceeded")
            if minute is None:
                minute = self._minutes[number] = _Minute()
            minute.used.setdefault(account, {})[key] = moment
            minute.kept_until = max(minute.kept_until, moment + (ends - now).total_seconds())
            self._held[account] = held + 1
            self._size += 1

    @property
    def size(self) -> int:
        """How many signatures are remembered."""
        return self._size

    def _sweep(self, now: float, moment: float) -> None:
        """Forget the minutes that are over by both clocks: a wall clock that is set forward and back again brings no signature back."""
        if moment < self._sweep_at:
            return
        self._sweep_at = moment + _SWEEP
        for number, minute in list(self._minutes.items()):
            if now > (number + 1) * _GRAIN and moment > minute.kept_until:
                del self._minutes[number]
                for account, used in minute.used.items():
                    self._size -= len(used)
                    self._held[account] -= len(used)
                    if not self._held[account]:
                        del self._held[account]

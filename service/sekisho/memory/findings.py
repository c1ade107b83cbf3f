"""What calls found out and the next call asks again: who holds a credential, how a subject is composed, what it is permitted to do.

A finding is kept with the very records that it was made of, and holds for as long as memory has these same objects: whatever touches one
of them puts another object in its place, or none. So a finding needs no rule of its own for what ends it, and cannot outlive what it says.

A key begins with the name of its kind, so that a text of one kind, which callers may choose, is never taken for another's.
Findings are bounded in bytes, and shared fairly by accounts: whoever has less than an equal share loses nothing, whatever others bring.
"""

import heapq
import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from sekisho.world import Record

MOST = 64 * 1024 * 1024
"""Bytes of findings."""

ENTRY = 512
"""Bytes of a finding beside what its maker counts: its places in dictionaries, the tuple of its records, small texts; with tracemalloc."""

_STEP = 64
"""When all room is taken, at least a part of this size is freed at once, so that looking for the largest owner is not done each time."""

Origin = tuple[str, Record]
"""A record that something was made of, with the id by which memory has it."""


class Finding:
    """A value, and what it was made of. `turn` is the one of memory in which all of that was last looked at; -1 is none."""

    __slots__ = ("cost", "origins", "owner", "turn", "used", "value")

    def __init__(self, value: Any, owner: str, origins: tuple[Origin, ...], cost: int) -> None:
        self.value, self.owner, self.origins, self.cost = value, owner, origins, cost
        self.turn = -1
        self.used = False


class Findings:
    """Findings by key, and by owner in the order in which they came. Changed under a lock, read without one."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._found: dict[Hashable, Finding] = {}
        self._owners: dict[str, dict[Hashable, None]] = {}
        self._sizes: dict[str, int] = {}
        self._size = 0
        self._unseen: list[Hashable] = []
        self.get = self._found.get
        """The finding of a key; None when there is none. Whether it still holds is for memory to say."""

    def keep(self, key: Hashable, value: Any, owner: str, origins: Sequence[tuple[str, Record | None]], cost: int) -> None:
        """Keep what was found, unless something that it was made of was not there; what is absent may come without being touched."""
        made_of = tuple((id_, record) for id_, record in origins if record is not None)
        cost += ENTRY
        if len(made_of) < len(origins) or cost > self._most // _STEP:
            return
        with self._lock:
            self._drop(key)
            self._found[key] = Finding(value, owner, made_of, cost)
            self._owners.setdefault(owner, {})[key] = None
            self._sizes[owner] = self._sizes.get(owner, 0) + cost
            self._size += cost
            if self._size > self._most:
                self._shrink()

    def sweep(self, count: int, holds: Callable[[Finding], bool]) -> None:
        """Look at so many findings, the next ones each time, and forget those that hold no more: they keep old records alive."""
        with self._lock:
            if not self._unseen:
                self._unseen = list(self._found)
            for _ in range(min(count, len(self._unseen))):
                key = self._unseen.pop()
                found = self._found.get(key)
                if found is not None and not holds(found):
                    self._drop(key)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            for key in list(self._found):
                self._drop(key)

    @property
    def size(self) -> tuple[int, int]:
        """How many findings are kept, and about how many bytes they take."""
        return len(self._found), self._size

    def _shrink(self) -> None:
        """Take from whoever has most, the oldest first; what was used since it was last looked at has a second chance."""
        goal = self._most - self._most // _STEP
        largest = [(-size, owner) for owner, size in self._sizes.items()]
        heapq.heapify(largest)
        while self._size > goal:
            _, owner = heapq.heappop(largest)
            limit = -largest[0][0] if largest else 0
            mine = self._owners[owner]
            while self._size > goal and mine and self._sizes[owner] >= limit:
                key = next(iter(mine))
                found = self._found[key]
                if found.used:
                    found.used = False
                    del mine[key]
                    mine[key] = None
                else:
                    self._drop(key)
            if mine:
                heapq.heappush(largest, (-self._sizes[owner], owner))

    def _drop(self, key: Hashable) -> None:
        found = self._found.pop(key, None)
        if found is not None:
            self._size -= found.cost
            self._sizes[found.owner] -= found.cost
            mine = self._owners[found.owner]
            del mine[key]
            if not mine:
                del self._owners[found.owner], self._sizes[found.owner]

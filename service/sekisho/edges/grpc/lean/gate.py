"""Who comes into the line of the polling thread, and for whom there is no place, which a call's head is enough to tell."""

from collections.abc import Callable, Mapping
from typing import Any

from sekisho.edges.grpc.lean import answers
from sekisho.edges.grpc.lean.asked import Asked, Method
from sekisho.edges.grpc.lean.counts import Counts
from sekisho.edges.grpc.lean.heads import Head
from sekisho.edges.grpc.lean.line import Line
from sekisho.edges.grpc.lean.stream import ROOM
from sekisho.edges.lanes import Claim


class Gate:
    """Before a line. `claimed` reads whose a call says it is; who claims no account has the share of an address, and a stranger, who may
    claim any, one of its own for that. Who comes alone waits for nobody, whoever it is.
    """

    def __init__(self, line: Line[Asked], methods: Mapping[str, Method], claimed: Callable[[Any], Claim], counts: Counts) -> None:
        self._line, self._methods, self._claimed, self._counts = line, methods, claimed, counts
        self.refused = 0
        """How many were refused, ever."""

    def refuses(self, connection: Any, given: Head) -> bool:
        """True of a call with this head whose account has its share, where all places are taken: for as long as nothing is answered."""
        if self._line.waiting < self._line.most:
            return False
        method = self._methods.get(given.path)
        return method is not None and method.answer is not None and self._line.refuses(*self._whose(connection, given))

    def refusals(self, count: int) -> list[bytes]:
        """Count so many that were refused; the header blocks that end them."""
        self._count(count)
        return answers.blocks_of_excess(ROOM, count)

    def admit(self, asked: Asked) -> bool:
        """Let a call into the line; False where its account has its share of that by now."""
        line, (account, part) = self._line, self._whose(asked.connection, asked.stream.head)
        if line.refuses(account, part):
            self._count(1)
            return False
        asked.account, asked.part, asked.entered = account, part, True
        line.enter(account, part)
        line.put(account, asked, part)
        return True

    def _count(self, more: int) -> None:
        self.refused += more
        self._counts.ends["refused"] += more

    def _whose(self, connection: Any, given: Head) -> tuple[str, str]:
        address: str = connection.owner.address
        if not self._line.waiting:
            return address, ""
        account, part = self._claimed(given.metadata).share(address)
        return account or address, part

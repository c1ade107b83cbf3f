"""Calls that have several messages: what streams are said on (`streams.Wire`), and what passes between threads and the one that polls."""

from collections import deque
from collections.abc import Callable
from typing import Any

from sekisho.edges.grpc.lean import answers
from sekisho.edges.grpc.lean.answers import Aborted, Said
from sekisho.edges.grpc.lean.bell import Bell
from sekisho.edges.grpc.lean.outgoing import Outgoing
from sekisho.edges.grpc.lean.stream import Stream


class Flow:
    """The wire of one call. Any thread may call what is public; the rest is the polling thread's."""

    __slots__ = ("_flows", "_gone", "_of", "_over", "_stream", "then")

    def __init__(self, flows: "Flows", of: Outgoing, stream: Stream) -> None:
        self._flows, self._of, self._stream = flows, of, stream
        self._over = False
        self._gone: Callable[[], None] | None = None
        self.then: Callable[[], None] | None = None  # what follows once the message on its way is taken

    def watch(self, gone: Callable[[], None]) -> bool:
        """Have `gone` called when the call has ended; False where it has already."""
        self._gone = gone
        return not self._over  # set before `_gone` is looked at

    def send(self, message: bytes, then: Callable[[], None]) -> None:
        """Send a message; `then` is called when the client has taken it."""
        self._flows.tell(self._send, message, then)

    def finish(self, trailing: tuple[tuple[str, str], ...]) -> None:
        """End the call well."""
        self._flows.tell(self._finish, answers.well(trailing))

    def abort(self, given: Any) -> None:
        """End the call with a status."""
        self._flows.tell(self._finish, answers.of_status(given))

    def go_on(self) -> None:
        """The message on its way is taken."""
        then, self.then = self.then, None
        if then is not None:
            then()

    def cut(self) -> Callable[[], None] | None:
        """The call has ended; what is to be called then."""
        self._over, self.then = True, None
        return self._gone

    def _send(self, message: bytes, then: Callable[[], None]) -> None:
        if self._over:
            return
        try:
            framed = answers.framed(message)
        except Aborted as aborted:
            self._flows.end(self._of, self._stream, aborted.said)
            return
        self.then = then
        self._of.say(self._stream, framed)
        self._flows.touched(self._of)

    def _finish(self, said: Said) -> None:
        if self._over:
            return
        self._over = True
        self._of.finish(self._stream, said.block)
        self._flows.touched(self._of)


class Flows:
    """The flows of a listener. `end` ends a call whose producer is told so, `touched` has what a connection writes be sent."""

    def __init__(self, bell: Bell, end: Callable[[Any, Stream, Said], None], touched: Callable[[Any], None]) -> None:
        self.end, self.touched = end, touched
        self._bell = bell
        self._told: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()

    def tell(self, act: Callable[..., None], *said: Any) -> None:
        """Have the polling thread do something."""
        self._told.append((act, said))
        self._bell.ring()

    @property
    def ready(self) -> bool:
        """Whether there is something to be done."""
        return bool(self._told)

    def go(self) -> None:
        """Do what other threads have asked for until now: what is asked for meanwhile is next time's."""
        for _ in range(len(self._told)):
            act, said = self._told.popleft()
            act(*said)

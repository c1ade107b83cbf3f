"""What grpcio's listener has for a stream to be said on (`streams.Wire`).

grpcio's own streams hold a thread of the pool from the first message to the last, and block in it until the reader has taken what was sent.
Here a message is handed to grpcore, which tells when it was taken.

Like `arrivals`, it reaches into grpcio (`_server`), which has no public way to send without waiting; tests hold it to the pinned release.
Where grpcio has changed underneath, streams take a thread each (`handlers`).
"""

from collections.abc import Callable
from typing import Any

from grpc import _common, _server
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled: no stubs

_NEEDED = ("_status", "_abort", "_is_rpc_state_active", "_send_message", "_get_initial_metadata_operation", "_SEND_MESSAGE_TOKEN")
SUPPORTED = all(hasattr(_server, name) for name in _NEEDED)


class Wire:
    """The wire of one call."""

    def __init__(self, context: Any) -> None:
        self._context, self._event, self._state = context, context._rpc_event, context._state

    def watch(self, gone: Callable[[], None]) -> bool:
        """Have `gone` called when the call has ended; False where it has already."""
        watched: bool = self._context.add_callback(gone)
        return watched

    def send(self, message: bytes, then: Callable[[], None]) -> None:
        """Send a message; `then` is called when the reader has taken it, or never will."""
        state = self._state
        with state.condition:
            if not _server._is_rpc_state_active(state):
                return  # its end is told, or will be
            operations = [cygrpc.SendMessageOperation(message, 0)]
            if state.initial_metadata_allowed:
                operations.insert(0, _server._get_initial_metadata_operation(state, None))
                state.initial_metadata_allowed = False
            sent = _server._send_message(state, _server._SEND_MESSAGE_TOKEN)
            state.due.add(_server._SEND_MESSAGE_TOKEN)

            def went(event: Any) -> Any:
                """Called by grpcio's polling thread."""
                finished = sent(event)
                then()
                return finished

            self._event.call.start_server_batch(operations, went)

    def finish(self, trailing: tuple[tuple[str, str], ...]) -> None:
        """End the call well."""
        with self._state.condition:
            active = _server._is_rpc_state_active(self._state)
            if active:
                self._state.trailing_metadata = trailing
        if active:
            _server._status(self._event, self._state, None)

    def abort(self, given: Any) -> None:
        """End the call with a status."""
        state = self._state
        with state.condition:
            if _server._is_rpc_state_active(state):
                state.trailing_metadata = given.trailing_metadata
                _server._abort(state, self._event.call, _common.STATUS_CODE_TO_CYGRPC_STATUS_CODE[given.code], given.details.encode())

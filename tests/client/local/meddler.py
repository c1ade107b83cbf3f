"""Somebody on the way of messages."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Meddler:
    """A transport on whose way messages are changed: of each path, what to do with a message and its place in the stream."""

    inner: Any
    meddling: dict[str, Callable[[int, bytes], bytes]] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def begin(self, path: str, request: Any, *, timeout: float | None) -> Any:
        """The stream, with what was meddled with."""
        call, meddle = self.inner.begin(path, request, timeout=timeout), self.meddling.get(path)

        class Call:
            def __iter__(self) -> Iterator[bytes]:
                for index, answer in enumerate(call):
                    yield meddle(index, answer) if meddle is not None else answer

            def cancel(self) -> None:
                call.cancel()

        return Call()

"""Requests by what they have in common, for functions that answer several of them."""

from typing import Protocol, Self


class Paged(Protocol):
    """A message that asks for a page of a list: at most `max_items`, behind the place that `marker` names.

    The methods are those of every message; a protocol cannot say that it is about messages.
    """

    @property
    def marker(self) -> str:
        """The marker that the page before gave; empty for the first page."""

    @property
    def max_items(self) -> int:
        """The size of the page; 0 when the request leaves it to the list."""

    def CopyFrom(self, other_msg: Self) -> None:  # noqa: N802  # protobuf's name
        """Take over all that another message of the type says."""

    def ClearField(self, field_name: str) -> None:  # noqa: N802  # protobuf's name
        """Take a field out of the message."""

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes:  # noqa: N802  # protobuf's name
        """The message as it travels."""

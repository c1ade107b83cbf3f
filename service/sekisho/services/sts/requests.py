"""Requests for sessions by what they have in common, for functions that read it of several of them."""

from collections.abc import Sequence
from typing import Protocol

from sekisho.api.sts.v1.sessions_pb2 import PolicyDescriptorType, Tag


class Proving(Protocol):
    """A request that can prove the caller's MFA device; all are empty in one that does not."""

    @property
    def serial_number(self) -> str:
        """The device."""

    @property
    def token_code(self) -> str:
        """The code that the device shows."""

    @property
    def passkey_assertion(self) -> str:
        """What the device has signed, where it is a passkey."""


class Limiting(Protocol):
    """A request that can limit the session with policies."""

    @property
    def policy(self) -> str:
        """The text of an inline policy; empty without one."""

    @property
    def policy_arns(self) -> Sequence[PolicyDescriptorType]:
        """The managed policies."""


class Tagging(Protocol):
    """A request that can give the session tags."""

    @property
    def tags(self) -> Sequence[Tag]:
        """The tags, as they were sent."""


class Sizing(Protocol):
    """A request that can ask for a longer token than the session needs."""

    @property
    def minimum_session_token_size(self) -> int:
        """Bytes; 0 when the request leaves it to the service."""

"""How large the metadata and the message of an rpc are at most, looked at before either is read."""

from collections.abc import Sequence

from sekisho.errors import ResourceExhausted
from sekisho.operations import Operation

KIB = 1024
BODY = 1024 * KIB
"""Bytes of a signed body that a service hands on to have it verified, and of the messages of all rpcs without a row."""
MAX_MESSAGE = BODY + 256 * KIB
"""Bytes of any message, for one question of a batch may come with such a body."""

METADATA = 16 * KIB
"""Bytes of the metadata of a call together, counted as HTTP/2 counts them (RFC 9113, 6.5.2)."""
MOST_ENTRIES = 64
"""Entries of the metadata of a call."""
_ENTRY = 32  # bytes that HTTP/2 counts for each entry beside its name and value

_SERVICE = "/sekisho.api.authorize.v1.AuthorizeService/"
MOST = {
    _SERVICE + "Authorize": 256 * KIB,  # beside the signed body
    _SERVICE + "AuthorizeBatch": MAX_MESSAGE,
    _SERVICE + "Explain": MAX_MESSAGE,
}
"""Bytes of a message, of the rpcs that take signed bodies."""

_SIGNED_REQUEST = 2  # its number in AuthorizeRequest; written out because nothing has been parsed yet
_LENGTH = 2  # the wire type of what is preceded by its length
_FIRST = 4  # the subject stands among the first fields of a message; whoever writes another order gets no room for a body


class MessageTooLarge(ResourceExhausted):
    """The message is larger than its rpc reads."""


class MetadataTooLarge(ResourceExhausted):
    """The metadata of a call is more than any caller needs."""


def check_metadata(metadata: Sequence[tuple[str, str | bytes]]) -> None:
    """MetadataTooLarge when there is too much metadata; its number is looked at first, for there may be half a million entries."""
    if len(metadata) > MOST_ENTRIES or sum(len(name) + len(value) + _ENTRY for name, value in metadata) > METADATA:
        raise MetadataTooLarge(f"the metadata of a call has at most {MOST_ENTRIES} entries and {METADATA} bytes")


def check(operation: Operation, body: bytes) -> None:
    """MessageTooLarge when a message is larger than its rpc takes."""
    most = MOST.get(operation.path, BODY)
    if len(body) > most and (operation.path not in MOST or len(body) - signed_request(body) > most):
        raise MessageTooLarge(f"a message of {operation.name} has at most {most} bytes")


def signed_request(body: bytes) -> int:
    """The bytes of the field `signed_request` of a serialised AuthorizeRequest; 0 when it is not one of the first."""
    at = 0
    for _ in range(_FIRST):
        tag, at = _varint(body, at)
        if tag & 7 != _LENGTH:
            return 0
        length, at = _varint(body, at)
        if tag >> 3 == _SIGNED_REQUEST:
            return min(length, len(body) - at)
        at += length
    return 0


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends; 0 where there is none."""
    value = 0
    for index, byte in enumerate(body[at : at + 10]):
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, at + index + 1
    return 0, len(body)

"""What the header block of a call says: which rpc, how long, how its message is packed, and the metadata that handlers see.

Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

import base64
import binascii
from typing import NamedTuple

from sekisho.edges.grpc.lean.hpack import Fields

Metadata = tuple[tuple[str, str | bytes], ...]

_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_OWN = frozenset(("te", "content-type", "grpc-timeout", "grpc-encoding", "grpc-accept-encoding", "grpc-previous-rpc-attempts"))
"""Fields that are gRPC's own, and no metadata of a call."""
_CONNECTION = frozenset(("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"))
_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-.")
_PSEUDO = frozenset((":method", ":scheme", ":path", ":authority"))


class Malformed(ValueError):  # noqa: N818  # RFC 9113's word
    """The fields are no request that HTTP/2 or gRPC knows; the stream is reset."""


class Head(NamedTuple):
    """A call without its message. `seconds` is None where its caller sets no deadline; `http_status` is not 0 where HTTP has the answer."""

    path: str
    metadata: Metadata
    seconds: float | None
    encoding: str
    http_status: str


UNREAD = Head("", (), None, "", "")
"""The head of a call whose metadata is too much to be read."""


def head(fields: Fields) -> Head:
    """The head of a call; Malformed where it is none."""
    pseudo: dict[str, str] = {}
    metadata: list[tuple[str, str | bytes]] = []
    own: dict[str, str] = {}
    for name, value in fields:
        if name[:1] == ":":
            if metadata or own or name in pseudo or name not in _PSEUDO:
                raise Malformed
            pseudo[name] = value
        elif name in _OWN:
            if name in own:
                raise Malformed
            own[name] = value
        else:
            metadata.append(_entry(name, value))
    path = pseudo.get(":path", "")
    if pseudo.get(":method") != "POST" or ":scheme" not in pseudo or not path or own.get("te") != "trailers":
        raise Malformed
    status = "" if own.get("content-type", "").startswith("application/grpc") else "415"
    return Head(path, tuple(metadata), _seconds(own.get("grpc-timeout")), own.get("grpc-encoding", ""), status)


def _entry(name: str, value: str) -> tuple[str, str | bytes]:
    if not name or not _TOKEN.issuperset(name) or name in _CONNECTION:
        raise Malformed
    if not (value.isascii() and value.isprintable()):
        raise Malformed
    if not name.endswith("-bin"):
        return name, value
    try:
        return name, base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except binascii.Error:
        raise Malformed from None


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    digits, unit = text[:-1], text[-1:]
    if unit not in _UNITS or len(digits) > 8 or not (digits.isascii() and digits.isdecimal()):
        raise Malformed
    return int(digits) * _UNITS[unit]

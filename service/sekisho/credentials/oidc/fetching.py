"""One document of a provider, fetched over TLS: no redirect, bounded in bytes and in seconds of the whole.

A provider with thumbprints is who has the certificate that one of them is of, the last of the chain that it shows: docs/decisions/0041.
The chain is verified up to that one, so that a stranger who adds it to a chain of its own gains nothing. A provider without thumbprints is
who an authority vouches for that the system trusts.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Collection, Iterable
from contextlib import closing
from functools import lru_cache
from hashlib import sha1
from typing import Any, cast
from urllib.parse import urlsplit

from sekisho.credentials.errors import IDPCommunicationError, InvalidIdentityToken
from sekisho.credentials.oidc.addresses import PORT, Allowed, Place, places

MAX_BYTES = 256 * 1024
"""Bytes of an answer, its head included."""

_UNREACHABLE = "The identity provider could not be reached."
_REFUSED = "The identity provider did not answer with what it should."
_AGENT = "sekisho"
_END = b"\r\n\r\n"
_MAX_URL = 2048


def get(url: str, thumbprints: Collection[str], allowed: Allowed, deadline: float, *, account: str = "") -> bytes:
    """The document at a URL that an account names; IDPCommunicationError or InvalidIdentityToken. `deadline` is monotonic."""
    host, port, target = _parts(url)
    pinned = frozenset(one.lower() for one in thumbprints)
    where = places(host, port, allowed, deadline, account=account)
    request = f"GET {target} HTTP/1.1\r\nHost: {host}{'' if port == PORT else f':{port}'}\r\nUser-Agent: {_AGENT}\r\n"
    request += "Accept: application/json\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
    try:
        context = _pinning(where, host, pinned, deadline) if pinned else _trusting()
        with closing(_connected(where, host, context, deadline)) as connection:
            connection.settimeout(_left(deadline))
            connection.sendall(request.encode("ascii"))
            return _body(_received(connection, deadline))
    except (OSError, http.client.HTTPException):
        raise IDPCommunicationError(_UNREACHABLE) from None


def _parts(url: str) -> tuple[str, int, str]:
    """The host, port and target of a URL, which must be a plain one; InvalidIdentityToken otherwise."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or PORT
    except ValueError:
        raise InvalidIdentityToken(_REFUSED) from None
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= _MAX_URL
    if not plain or parts.scheme != "https" or not host or "@" in parts.netloc or parts.fragment:
        raise InvalidIdentityToken(_REFUSED)
    return host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _connected(where: Iterable[Place], host: str, context: ssl.SSLContext, deadline: float) -> ssl.SSLSocket:
    """A connection whose certificate the context has verified, to the first place that takes one."""
    failure: OSError = TimeoutError()
    for place in where:
        try:
            raw = socket.create_connection(place, timeout=_left(deadline))
        except OSError as error:
            failure = error
            continue
        try:
            return context.wrap_socket(raw, server_hostname=host)
        except OSError:
            raw.close()
            raise
    raise failure


def _received(connection: ssl.SSLSocket, deadline: float) -> bytes:
    """All that comes until the other side ends, or what it has announced is there."""
    come, head, whole = bytearray(), -1, MAX_BYTES + 1
    while len(come) < whole:
        connection.settimeout(_left(deadline))
        part = connection.recv(16_384)
        if not part:
            break
        come += part
        if len(come) > MAX_BYTES:
            raise IDPCommunicationError(_REFUSED)
        if head < 0:
            head = come.find(_END, max(0, len(come) - len(part) - len(_END)))
            whole = _announced(bytes(come[:head])) + head + len(_END) if head >= 0 else whole
    return bytes(come)


def _announced(head: bytes) -> int:
    """Bytes of the body as the head of an answer says them; more than any may have where it does not."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit() and len(value) < 20:
            return int(value)
    return MAX_BYTES + 1


class _Whole:
    """An answer that is here already, as the standard library's parser wants it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self._content)


def _body(content: bytes) -> bytes:
    answer = http.client.HTTPResponse(cast("socket.socket", _Whole(content)), method="GET")
    answer.begin()
    if answer.status != 200:
        kind = IDPCommunicationError if answer.status >= 500 or answer.status == 429 else InvalidIdentityToken
        raise kind(_REFUSED)
    if answer.getheader("Content-Encoding", "identity").lower() != "identity":
        raise InvalidIdentityToken(_REFUSED)
    return answer.read()  # IncompleteRead where there is less than was announced


@lru_cache(maxsize=1)
def _trusting() -> ssl.SSLContext:
    """What the authorities vouch for that the system trusts, be they a company's own without all extensions, as Python 3.13 wants them."""
    context = ssl.create_default_context()
    context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
    return context


def _pinning(where: Iterable[Place], host: str, pinned: frozenset[str], deadline: float) -> ssl.SSLContext:
    """What the last certificate of the provider's chain vouches for, which one of the thumbprints is of. It is looked at over a connection
    of its own, over which nothing is asked.
    """
    looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    looking.check_hostname, looking.verify_mode = False, ssl.CERT_NONE
    with closing(_connected(where, host, looking, deadline)) as connection:
        last = _chain(connection)[-1]
    if sha1(last, usedforsecurity=False).hexdigest() not in pinned:  # what AWS's thumbprints are
        raise IDPCommunicationError("The certificate of the identity provider has none of the thumbprints that are registered for it.")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the last of a chain is seldom a root
    context.load_verify_locations(cadata=last)
    return context


def _chain(connection: ssl.SSLSocket) -> list[bytes]:
    """The certificates that the other side has shown (DER), its own first. Python says them by a public name since 3.13."""
    if hasattr(connection, "get_unverified_chain"):
        return list(connection.get_unverified_chain())
    shown = connection._sslobj.get_unverified_chain()  # type: ignore[attr-defined]
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in shown]

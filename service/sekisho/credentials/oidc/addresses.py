"""The addresses that a provider may be at: public ones, unless the operator has allowed its host.

Whoever registers a provider names a host, and its name is anybody's to point anywhere. So what is connected to is an address that was
looked at here, and a name is not resolved a second time.
"""

import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from queue import Empty, SimpleQueue
from typing import NamedTuple
from urllib.parse import urlsplit

from sekisho.credentials.errors import IDPCommunicationError
from sekisho.errors import InvalidArgument

PORT = 443
MOST = 4
"""Addresses of a name that are tried, one after the other."""

MOST_NAMES = 8
"""Names that are resolved at once: the system's resolver has no deadline, and a thread that waits for it can only be left."""
MOST_NAMES_OF_ONE = 2
"""Of these for one account, whose names may all be such that nobody answers for them."""
LONGEST = 30.0
"""Seconds that anybody waits for it, whatever the deadline."""

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_TRANSLATED = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "2002::/16", "2001::/32", "fec0::/10")))
"""Networks of IPv6 that lead into IPv4, or that nobody is to use any more: no provider is there, and what is behind them is not said."""


class Place(NamedTuple):
    """Where a host is reached: an address and a port."""

    address: str
    port: int


Allowed = Mapping[str, Place | None]
"""What may be at private addresses: hosts, for port 443, and `HOST:PORT`; each with the place where it is reached whatever its name and
port say, None where that is what they say.
"""

Resolve = Callable[[str, int, float], Iterable[str]]
"""The addresses of a name, until a moment on the monotonic clock."""


class MalformedAllowance(InvalidArgument):
    """A value of --oidc-allow-private is not HOST, HOST:PORT or HOST=ADDRESS:PORT."""


def parse(texts: Iterable[str]) -> Allowed:
    """The hosts of `--oidc-allow-private`, or MalformedAllowance."""
    return dict(map(_allowed, texts))


def places(host: str, port: int, allowed: Allowed, deadline: float, resolve: Resolve | None = None, *, account: str = "") -> list[Place]:
    """Where to connect for a host of an account's provider; IDPCommunicationError where that is nowhere that we go, or is not known by the
    deadline, a moment on the monotonic clock.
    """
    resolve = resolve or partial(resolved, account=account)
    place = allowed.get(host)
    if place is not None:
        return [place]
    if (host if port == PORT else f"{host}:{port}") in allowed:
        return [Place(one, port) for one in resolve(host, port, deadline)][:MOST]
    if port != PORT:
        raise IDPCommunicationError("The identity provider is on another port than 443.")
    found = list(resolve(host, port, deadline))
    if not found or not all(map(is_public, found)):
        raise IDPCommunicationError("The identity provider is at an address that this server does not connect to.")
    return [Place(one, port) for one in found[:MOST]]


def is_public(text: str) -> bool:
    """True of an address that belongs to the internet at large."""
    try:
        address = ip_address(text)
    except ValueError:  # with a scope, of which a link-local one has need
        return False
    if isinstance(address, IPv6Address):
        return _is_plain(address) and not any(address in network for network in _TRANSLATED)
    return _is_plain(address)


def _is_plain(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return False  # Python since 3.13 says of it what it says of the address in it
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback)


def resolved(host: str, port: int, deadline: float, *, account: str = "") -> Iterable[str]:
    """The addresses of a name, each once; IDPCommunicationError where it has none, or the resolver has not answered by the deadline."""
    deadline = min(deadline, time.monotonic() + LONGEST)
    if not _room.take(account, deadline - time.monotonic()):
        raise IDPCommunicationError(_UNRESOLVED)
    answers: SimpleQueue[dict[str, None] | None] = SimpleQueue()
    try:
        threading.Thread(target=_resolve, args=(host, port, account, answers), name="resolver", daemon=True).start()
    except RuntimeError:  # the system gives no more threads
        _room.give(account)
        raise IDPCommunicationError(_UNRESOLVED) from None
    try:
        found = answers.get(timeout=max(0.0, deadline - time.monotonic()))
    except Empty:
        found = None
    if found is None:
        raise IDPCommunicationError(_UNRESOLVED)
    return found


_UNRESOLVED = "The name of the identity provider could not be resolved."


class _Room:
    """Room for names that are resolved, by the account whose they are: one has a share of it until the resolver has answered, and if that
    is never, others have theirs.
    """

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()
        self._changed = threading.Condition()

    def take(self, account: str, seconds: float) -> bool:
        """Room for one more; False when there is none in so many seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_free(account), max(0.0, seconds)):
                return False
            self._taken[account] += 1
            return True

    def give(self, account: str) -> None:
        """Give it back."""
        with self._changed:
            self._taken[account] -= 1
            if not self._taken[account]:
                del self._taken[account]
            self._changed.notify_all()

    def _is_free(self, account: str) -> bool:
        return self._taken.total() < MOST_NAMES and self._taken[account] < MOST_NAMES_OF_ONE


_room = _Room()


def _resolve(host: str, port: int, account: str, answers: "SimpleQueue[dict[str, None] | None]") -> None:
    found = None
    try:
        found = dict.fromkeys(str(address[0]) for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        pass  # None says it
    finally:
        _room.give(account)
        answers.put(found)


def _allowed(text: str) -> tuple[str, Place | None]:
    host, equals, where = text.strip().partition("=")
    if not _HOST.fullmatch(host.partition(":")[0]) or host.endswith(":"):
        raise MalformedAllowance(f"--oidc-allow-private: `{text}` does not begin with the name of a host in lower case")
    name, _, port = host.partition(":")
    if port and not (_PORT.fullmatch(port) and 0 < int(port) < 65_536 and not equals):
        raise MalformedAllowance(f"--oidc-allow-private: `{text}` is not HOST, HOST:PORT or HOST=ADDRESS:PORT")
    if not equals:
        return (name if port == str(PORT) else host), None
    try:
        parts = urlsplit(f"//{where}")
        return host, Place(str(ip_address(parts.hostname or "")), parts.port or PORT)
    except ValueError:
        raise MalformedAllowance(f"--oidc-allow-private: `{where}` is not an address, or an address with a port") from None

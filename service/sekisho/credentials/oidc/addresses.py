"""The addresses that a provider may be at: public ones, unless the operator has allowed its host.

Whoever registers a provider names a host, and its name is anybody's to point anywhere. So what is connected to is an address that was
looked at here, and a name is not resolved a second time.
"""

import re
import socket
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from sekisho.credentials.errors import IDPCommunicationError
from sekisho.errors import InvalidArgument

PORT = 443
MOST = 4
"""Addresses of a name that are tried, one after the other."""

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_TRANSLATED = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "2002::/16", "2001::/32", "fec0::/10")))
"""Networks of IPv6 that lead into IPv4, or that nobody is to use any more: no provider is there, and what is behind them is not said."""


class Place(NamedTuple):
    """Where a host is reached: an address and a port."""

    address: str
    port: int


Allowed = Mapping[str, Place | None]
"""The hosts that may be at private addresses, and on other ports; each with the place where it is reached whatever its name says."""

Resolve = Callable[[str, int], Iterable[str]]


class MalformedAllowance(InvalidArgument):
    """A value of --oidc-allow-private is not HOST or HOST=ADDRESS:PORT."""


def parse(texts: Iterable[str]) -> Allowed:
    """The hosts of `--oidc-allow-private`, or MalformedAllowance."""
    return dict(map(_allowed, texts))


def places(host: str, port: int, allowed: Allowed, resolve: Resolve | None = None) -> list[Place]:
    """Where to connect for a host; IDPCommunicationError where that is nowhere that we go."""
    if host in allowed:
        place = allowed[host]
        return [place] if place is not None else [Place(one, port) for one in (resolve or _resolved)(host, port)]
    if port != PORT:
        raise IDPCommunicationError("The identity provider is on another port than 443.")
    found = list((resolve or _resolved)(host, port))
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


def _resolved(host: str, port: int) -> Iterable[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise IDPCommunicationError("The name of the identity provider could not be resolved.") from None
    return dict.fromkeys(str(address[0]) for *_, address in found)


def _allowed(text: str) -> tuple[str, Place | None]:
    host, equals, where = text.strip().partition("=")
    if not _HOST.fullmatch(host):
        raise MalformedAllowance(f"--oidc-allow-private: `{text}` does not begin with the name of a host in lower case")
    if not equals:
        return host, None
    try:
        parts = urlsplit(f"//{where}")
        return host, Place(str(ip_address(parts.hostname or "")), parts.port or PORT)
    except ValueError:
        raise MalformedAllowance(f"--oidc-allow-private: `{where}` is not an address, or an address with a port") from None

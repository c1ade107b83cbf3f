"""The bytes that a worker holds for callers whom it does not know yet: so many in all, so many for one address, whoever comes first.

What was not sent whole, or was and waits for a thread, costs memory before anybody's credentials are looked at. An edge takes bytes from
its budget before it lets them come, and gives them back when they are gone.
"""

import ipaddress
import threading
from collections import Counter

MIB = 1024 * 1024
TOTAL = 64 * MIB
"""Bytes of an edge of a worker."""
SHARE = 32 * MIB
"""Bytes of one address, so that it takes two to fill an edge; a proxy or a load balancer is one address."""


class Budget:
    """Bytes by address; safe for threads."""

    def __init__(self, total: int = TOTAL, share: int = SHARE) -> None:
        self._total, self._share = total, share
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()
        self._sum = 0

    @property
    def taken(self) -> int:
        """The bytes that are taken now, by all."""
        return self._sum

    def take(self, address: str, size: int) -> bool:
        """Take this many bytes for an address; False, and nothing is taken, when it or all together would have too many."""
        with self._lock:
            if self._sum + size > self._total or self._taken[address] + size > self._share:
                return False
            self._sum += size
            self._taken[address] += size
            return True

    def give(self, address: str, size: int) -> None:
        """Give bytes back."""
        with self._lock:
            self._sum -= size
            self._taken[address] -= size
            if not self._taken[address]:
                del self._taken[address]

    def full(self, address: str, size: int) -> bool:
        """Whether this many bytes would be refused for the sake of all, though not for the sake of the address itself."""
        with self._lock:
            return self._sum + size > self._total and self._taken[address] + size <= self._share


def holder(host: str) -> str:
    """Who is charged for what an address sends: the address, of IPv6 its /64, for that is what one customer has."""
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if address.ipv4_mapped is not None:  # as a listener on [::] sees those of IPv4, who are not all of one customer
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))

"""An HTTP request as rules read it, and where a call comes from."""

import ipaddress
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from sekisho.client.guard.fields import Absent, Unreadable

_MOST_PARAMETERS = 1000


@dataclass(frozen=True, slots=True)
class Peer:
    """The end user's connection: an IP address (empty where there is none), the client's name for itself, and whether TLS carried it."""

    source_ip: str = ""
    user_agent: str = ""
    secure: bool = False

    def keys(self) -> dict[str, str]:
        """The condition keys that it gives."""
        found = {"aws:SecureTransport": "true" if self.secure else "false"}
        try:
            address = ipaddress.ip_address(self.source_ip)
            found["aws:SourceIp"] = str(getattr(address, "ipv4_mapped", None) or address)  # as a listener on [::] sees IPv4
        except ValueError:
            pass  # a socket of this machine, or a name that a test gave
        if self.user_agent:
            found["aws:UserAgent"] = self.user_agent
        return found


@dataclass(slots=True)
class HttpRequest:
    """A request: `path` has the parameters of the route, header names are lower case, `body` is empty unless the rule or a signature
    needs it.
    """

    method: str
    path: Mapping[str, str]
    query_string: str = ""
    headers: Iterable[tuple[str, str]] = ()
    body: bytes = b""
    _parsed: list[Any] = field(default_factory=list, repr=False)

    def query(self, name: str) -> str:
        """A parameter that is given once."""
        return _one("query parameter", name, self.queries(name))

    def queries(self, name: str) -> tuple[str, ...]:
        """All values of a parameter, in their order."""
        try:
            pairs = parse_qsl(self.query_string, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
        except ValueError:
            raise Unreadable("the query has too many parameters") from None
        found = tuple(value for key, value in pairs if key == name)
        if not found:
            raise Absent(f"the query parameter `{name}` is not given")
        return found

    def header(self, name: str) -> str:
        """A header that is given once."""
        return _one("header", name, tuple(value for key, value in self.headers if key == name.lower()))

    def json(self) -> Any:
        """The body, an object of JSON: said to be that, without duplicate members and without NaN; anything else is Unreadable."""
        if not self._parsed:
            kind = self.header("content-type").partition(";")[0].strip().lower()
            if kind != "application/json" and not kind.endswith("+json"):
                raise Unreadable("the body is not said to be application/json")
            try:
                parsed = json.loads(self.body.decode(), object_pairs_hook=_object, parse_constant=_constant)
            except (ValueError, RecursionError):
                raise Unreadable("the body is not JSON that can be understood in one way alone") from None
            if not isinstance(parsed, dict):
                raise Unreadable("the body is not an object of JSON")
            self._parsed.append(parsed)
        return self._parsed[0]


def _one(kind: str, name: str, found: tuple[str, ...]) -> str:
    if not found:
        raise Absent(f"the {kind} `{name}` is not given")
    if len(found) > 1:
        raise Unreadable(f"the {kind} `{name}` is given more than once")
    return found[0]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member twice")
    return members


def _constant(name: str) -> Any:
    raise ValueError(name)

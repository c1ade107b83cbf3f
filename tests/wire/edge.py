"""The gateway of a test's node, spoken to without a network: requests go into the ASGI application as a server would hand them over."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from sekisho import sigv4
from sekisho.edges import aws
from sekisho.edges.lanes import Lanes
from sekisho.operations import OPERATIONS
from sekisho.sigv4 import Credentials, HttpRequest
from tests import harness
from tests.wire import shapes

HOST = ("host", "localhost:8080")
FORM = ("content-type", "application/x-www-form-urlencoded; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: str
    raw: bytes = b""

    @property
    def code(self) -> str:
        """The error code; empty when there is none."""
        found = re.search(r"<Code>([^<]*)</Code>", self.body) or re.search(r'"__type":"([^"]*)"', self.body)
        return found[1] if found else ""

    @property
    def message(self) -> str:
        """What the error says."""
        found = re.search(r"<Message>([^<]*)</Message>", self.body)
        return found[1] if found else ""


class Edge:
    """The gateway of a house."""

    def __init__(self, house: harness.House, app: Any) -> None:
        self.house, self.application = house, app

    def of(self, house: harness.House) -> "Edge":
        """The same gateway for another account."""
        return Edge(house, self.application)

    def send(self, request: HttpRequest, *, client: str = "192.0.2.7") -> Reply:
        """What the gateway answers to these bytes."""
        return asyncio.run(self._send(request, client))

    async def _send(self, request: HttpRequest, client: str) -> Reply:
        headers = [(name.lower().encode(), value.encode()) for name, value in request.headers]
        if request.body and request.header("content-length") is None:
            headers.append((b"content-length", str(len(request.body)).encode()))
        scope = {
            "type": "http",
            "method": request.method,
            "path": request.path,
            "raw_path": request.path.encode(),
            "query_string": request.query.encode(),
            "headers": headers,
            "client": (client, 40000),
            "scheme": "http",
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": request.body, "more_body": False}

        async def send(event: dict[str, Any]) -> None:
            sent.append(event)

        await self.application(scope, receive, send)
        start, body = sent
        found = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        assert found["x-amzn-requestid"]
        assert int(found["content-length"]) == len(body["body"])
        return Reply(start["status"], found, body["body"].decode(errors="replace"), body["body"])

    def call(self, service: str, action: str, value: Mapping[str, Any] | None = None, _as: Credentials | None = None) -> Reply:
        """An operation as botocore would ask for it."""
        made = shapes.request(service, action, value or {})
        headers = tuple(pair for pair in made.headers if pair[0].lower() not in ("host", "content-length"))
        request = HttpRequest(made.method, made.path, made.query, (HOST, *headers), made.body)
        return self.send(signed(request, _as or self.house.root, service))


def query(action: str, members: Mapping[str, str] | None = None, *, method: str = "POST", version: str | None = None) -> HttpRequest:
    """A request of the Query protocol, unsigned."""
    text = urlencode({"Action": action, "Version": version or VERSIONS.get(action, "2010-05-08"), **(members or {})})
    if method == "POST":
        return HttpRequest("POST", "/", "", (HOST, FORM), text.encode())
    return HttpRequest(method, "/", text, (HOST,))


VERSIONS = {operation.name: {"sts": "2011-06-15"}.get(operation.service.package, "2010-05-08") for operation in OPERATIONS.values()}


def signed(request: HttpRequest, credentials: Credentials, service: str = "iam", *, now: datetime | None = None) -> HttpRequest:
    """The request with its signature in a header."""
    return sigv4.sign_http(credentials, request, "eu-west-1", service, now or datetime.now(UTC))


def presigned(
    request: HttpRequest, credentials: Credentials, service: str = "iam", *, now: datetime | None = None, expires: int = 60
) -> HttpRequest:
    """The request with its signature in the query string."""
    return sigv4.presign_http(credentials, request, "eu-west-1", service, now or datetime.now(UTC), expires=expires)


@contextmanager
def edge(house: harness.House) -> Iterator[Edge]:
    """The gateway of a house, while the block runs."""
    lanes = Lanes("test", decide=2, control=2)
    try:
        yield Edge(house, aws.application(house.node, lanes, timedelta(minutes=5)))
    finally:
        lanes.close()

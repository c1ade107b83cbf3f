"""`tlsDetails` of events: of calls over HTTPS, what the two sides have agreed on; no member of calls in the clear."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from sekisho import sigv4
from sekisho.edges import aws
from sekisho.edges.http import listener
from sekisho.edges.http.listener import Listener
from sekisho.journal.trail import events
from sekisho.node import listeners
from sekisho.node.roles import HTTP, ROLES
from sekisho.sigv4 import HttpRequest
from sekisho.store.tables import AuditRecord
from tests import harness
from tests.certificates import Authority
from tests.harness import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house on SQLite: what the edge says of a connection is the same on any database."""
    with harness.house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as made:
        yield made


@pytest.fixture
def authority() -> Authority:
    """Who vouches for the server."""
    return Authority()


@pytest.fixture
def address(request: pytest.FixtureRequest, house: House, authority: Authority, tmp_path: Path) -> Iterator[str]:
    """The address of a listener, with TLS where the test asks for it."""
    tls = listener.encrypted(*authority.server().write(tmp_path, "server")) if request.param else None
    with ExitStack() as stack:
        lanes = ROLES["all"].lanes(HTTP)
        stack.callback(lanes.close)
        bound = listeners.shared("127.0.0.1:0")
        http = Listener(listener.application({}, (aws.application(house.node, lanes, timedelta(minutes=5)),)), bound, tls=tls)
        http.start()
        stack.callback(http.stop)
        yield listeners.address(bound)


def create_user(house: House, address: str, name: str, host: str, context: ssl.SSLContext | None) -> None:
    """Make a user over HTTP, as a client that calls the server `host`."""
    body = f"Action=CreateUser&Version=2010-05-08&UserName={name}".encode()
    headers = (("host", host), ("content-type", "application/x-www-form-urlencoded"), ("content-length", str(len(body))))
    asked = HttpRequest("POST", "/", "", headers, body)
    signed = sigv4.sign_http(house.root, asked, "us-east-1", "iam", datetime.now(UTC))
    lines = "".join(f"{key}: {value}\r\n" for key, value in signed.headers)
    with socket.create_connection(listeners.split(address), timeout=60) as plain:
        connection = context.wrap_socket(plain, server_hostname="127.0.0.1") if context is not None else plain
        connection.sendall(f"POST / HTTP/1.1\r\n{lines}connection: close\r\n\r\n".encode() + body)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        connection.close()
    assert answer.startswith(b"HTTP/1.1 200 "), answer


def event_of(house: House, name: str) -> dict[str, Any]:
    """The event of the call that made the user."""
    with house.node.database.read() as session:
        records = session.scalars(select(AuditRecord).where(AuditRecord.event_name == "CreateUser")).all()
    (found,) = (event for event in map(events.event, records) if event["requestParameters"]["userName"] == name)
    return found


@pytest.mark.parametrize("address", [True], indirect=True)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_an_event_says_what_was_negotiated(house: House, authority: Authority, address: str, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT  # of Python 3.13: the authority of tests is a plain one
    context.minimum_version = context.maximum_version = version
    where = listeners.split(address)
    with socket.create_connection(where, timeout=60) as plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
        suite = secure.cipher()
    assert suite is not None
    create_user(house, address, "ann", "iam.example.com", context)
    assert event_of(house, "ann")["tlsDetails"] == {
        "tlsVersion": {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version],
        "cipherSuite": suite[0],
        "clientProvidedHostHeader": "iam.example.com",
    }


@pytest.mark.parametrize("address", [False], indirect=True)
def test_a_call_in_the_clear_has_no_such_member(house: House, address: str) -> None:
    create_user(house, address, "ann", "iam.example.com", None)
    assert "tlsDetails" not in event_of(house, "ann")

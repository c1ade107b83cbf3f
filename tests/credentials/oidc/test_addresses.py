"""Where a provider may be."""

import math
import socket
import threading
import time

import pytest

from sekisho.credentials.errors import IDPCommunicationError
from sekisho.credentials.oidc import addresses
from sekisho.credentials.oidc.addresses import MalformedAllowance, Place

HOST = "login.example.com"


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "2a00:1450:4001:82b::200e"])
def test_a_public_address(address: str) -> None:
    assert addresses.is_public(address)
    assert addresses.places(HOST, 443, {}, math.inf, lambda *_: [address]) == [Place(address, 443)]


PRIVATE = [
    "127.0.0.1", "127.255.255.254", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254",
    "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1",
    "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::808:808",
    "0.0.0.0",  # noqa: S104  # nobody listens here
    "64:ff9b:1::1", "2002:7f00:1::", "2002:808:808::", "2001:0:808:808::1", "100::1", "fd00:ec2::254", "", "localhost",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_nobody_connects_to(address: str) -> None:
    assert not addresses.is_public(address)
    for found in ([address], ["8.8.8.8", address], [address, "8.8.8.8"]):
        with pytest.raises(IDPCommunicationError):
            addresses.places(HOST, 443, {}, math.inf, lambda *_, found=found: found)


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f.1", "2130706433", "017700000001", "localhost", "127.1", "0"])
def test_a_loopback_address_however_it_is_written(host: str) -> None:
    with pytest.raises(IDPCommunicationError):
        addresses.places(host, 443, {}, math.inf)


def test_another_port_is_for_hosts_that_are_allowed_with_it() -> None:
    for allowed in ({}, {HOST: None}, {f"{HOST}:9443": None}, {f"not-{HOST}:8443": None}):
        with pytest.raises(IDPCommunicationError):
            addresses.places(HOST, 8443, allowed, math.inf, lambda *_: ["8.8.8.8"])
    assert addresses.places(HOST, 8443, {f"{HOST}:8443": None}, math.inf, lambda *_: ["10.0.0.1"]) == [Place("10.0.0.1", 8443)]
    assert addresses.places(HOST, 443, {HOST: None}, math.inf, lambda *_: ["10.0.0.1"]) == [Place("10.0.0.1", 443)]
    with pytest.raises(IDPCommunicationError):
        addresses.places(f"not-{HOST}", 443, {HOST: None}, math.inf, lambda *_: ["10.0.0.1"])


def test_a_resolver_that_hangs_is_left_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    hung = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        hung.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    before = threading.active_count()
    try:
        for number in range(addresses.MOST_NAMES + 2):  # the last two find no room, and leave at their deadline as well
            with pytest.raises(IDPCommunicationError):
                addresses.resolved(HOST, 443, time.monotonic() + 0.01, account=str(number))
        assert threading.active_count() - before <= addresses.MOST_NAMES
    finally:
        hung.set()
    monkeypatch.undo()
    assert list(addresses.resolved("127.0.0.1", 443, time.monotonic() + 60)) == ["127.0.0.1"]  # there is room again


def test_names_of_one_account_that_hang_leave_others_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many providers an account registers of which the resolver never says anything: it has a quarter of the room."""
    hung, asked = threading.Event(), list[str]()

    def hang(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        if host.startswith("hung"):
            hung.wait(60)
            return []
        return [(None, None, None, "", ("8.8.8.8", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        for number in range(10):
            with pytest.raises(IDPCommunicationError):
                addresses.places(f"hung-{number}.example.com", 443, {}, time.monotonic() + 0.01, account="111122223333")
        assert addresses.places(HOST, 443, {}, time.monotonic() + 60, account="444455556666") == [Place("8.8.8.8", 443)]
        with pytest.raises(IDPCommunicationError):
            addresses.places(HOST, 443, {}, time.monotonic() + 0.01, account="111122223333")
        assert asked == ["hung-0.example.com", "hung-1.example.com", HOST]
    finally:
        hung.set()
    assert addresses.places(HOST, 443, {}, time.monotonic() + 60, account="111122223333") == [Place("8.8.8.8", 443)]


def test_a_thread_that_cannot_be_had_keeps_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none)
        for _ in range(addresses.MOST_NAMES + 1):
            with pytest.raises(IDPCommunicationError):
                addresses.resolved("127.0.0.1", 443, time.monotonic() + 60)
    assert list(addresses.resolved("127.0.0.1", 443, time.monotonic() + 60)) == ["127.0.0.1"]


def test_a_name_with_many_addresses_is_tried_at_four() -> None:
    assert len(addresses.places(HOST, 443, {}, math.inf, lambda *_: [f"8.8.8.{n}" for n in range(9)])) == 4


def test_a_host_that_is_said_to_be_somewhere_is_not_looked_up() -> None:
    allowed = addresses.parse(
        [
            "keycloak.internal=10.0.0.7:8443",
            "six.internal=[fd00::7]:8443",
            "plain.internal=10.0.0.8",
            "by.name",
            "a.name:8443",
            "b.name:443",
        ]
    )
    assert allowed == {
        "keycloak.internal": Place("10.0.0.7", 8443),
        "six.internal": Place("fd00::7", 8443),
        "plain.internal": Place("10.0.0.8", 443),
        "by.name": None,
        "a.name:8443": None,
        "b.name": None,
    }

    def never(*_: object) -> list[str]:
        raise AssertionError

    assert addresses.places("keycloak.internal", 443, allowed, math.inf, never) == [Place("10.0.0.7", 8443)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=10.0.0.1",
        "Keycloak",
        "a b",
        "https://a",
        "a=b",
        "a=",
        "a=10.0.0.1:x",
        "a=10.0.0.1:99999",
        "a/b",
        "-a",
        "a:",
        "a:0",
        "a:99999",
        "a:x",
        "a:8443=10.0.0.1",
        ":443",
    ],
)
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(MalformedAllowance):
        addresses.parse([text])

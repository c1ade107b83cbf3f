"""What is fetched from a provider, and what never is."""

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from sekisho.credentials.errors import IDPCommunicationError, InvalidIdentityToken
from sekisho.credentials.oidc import discovery, fetching
from sekisho.credentials.oidc.addresses import Place
from sekisho.credentials.oidc.discovery import Source
from tests import providers
from tests.certificates import Authority
from tests.providers import EC, Provider

Errors = (IDPCommunicationError, InvalidIdentityToken)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with providers.provider("login.example.com/realms/Shop") as made:
        yield made


def load(provider: Provider, thumbprints: tuple[str, ...] | None = None, **allowed: Place | None) -> list[str]:
    """The ids of the keys that are fetched."""
    source = Source("111122223333", provider.issuer, (provider.thumbprint,) if thumbprints is None else thumbprints)
    return [key.id for key in discovery.load_keys(source, allowed or {provider.host: provider.place})]


def refusal(provider: Provider, *arguments: Any, **named: Any) -> str:
    with pytest.raises(Errors) as caught:
        load(provider, *arguments, **named)
    return caught.value.code


def answering(status: int = 200, body: bytes = b"", path: str = "", **headers: str) -> providers.Respond:
    """An answer for paths that end so."""
    given: Mapping[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda asked: (status, given, body) if asked.endswith(path) else None


def test_keys_come_from_where_the_provider_says(provider: Provider) -> None:
    assert load(provider) == ["rsa", "ec", "ed"]
    assert provider.asked == ["/realms/Shop/.well-known/openid-configuration", "/keys"]


def test_a_slash_at_the_end_of_an_issuer_is_its_own() -> None:
    with providers.provider("login.example.com/") as made:
        document = b'{"issuer":"https://login.example.com/","jwks_uri":"https://login.example.com/keys"}'
        made.respond = answering(200, document, "openid-configuration")
        assert load(made) == ["rsa", "ec", "ed"]
        assert made.asked[0] == "/.well-known/openid-configuration"


def test_thumbprints_in_capitals_and_among_others(provider: Provider) -> None:
    assert load(provider, ("0" * 40, provider.thumbprint.upper()))


def test_a_provider_with_none_of_its_thumbprints_is_asked_nothing(provider: Provider) -> None:
    assert refusal(provider, ("0" * 40,)) == "IDPCommunicationError"
    assert provider.asked == []


def test_without_thumbprints_the_system_must_trust_the_authority(provider: Provider) -> None:
    assert refusal(provider, ()) == "IDPCommunicationError"
    assert provider.asked == []


def test_the_certificate_must_be_of_the_host(provider: Provider) -> None:
    with providers.listening(provider, "other.example.com") as (place, thumbprint):
        provider.thumbprint = thumbprint
        assert refusal(provider, **{provider.host: place}) == "IDPCommunicationError"
    assert provider.asked == []


def test_a_chain_that_only_ends_with_the_right_certificate_is_refused(provider: Provider) -> None:
    """A stranger has a certificate of its own, and shows that of the real authority behind it."""
    real, own = Authority(), Authority()

    class Both(Authority):
        def client(self, *uris: str, **fields: Any) -> Any:
            return own.client(*uris, **fields)

    shown = Both()
    shown.certificate = real.certificate
    with providers.listening(provider, provider.host, authority=shown) as (place, thumbprint):
        provider.thumbprint = thumbprint
        assert refusal(provider, **{provider.host: place}) == "IDPCommunicationError"
    assert provider.asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ["openid-configuration", "/keys"])
def test_no_redirect_is_followed(provider: Provider, status: int, path: str) -> None:
    provider.respond = answering(status, b"", path, Location=f"https://{provider.host}/elsewhere")
    assert refusal(provider) == "InvalidIdentityToken"
    assert "/elsewhere" not in provider.asked


@pytest.mark.parametrize(
    ("respond", "code"),
    [
        (answering(404), "InvalidIdentityToken"),
        (answering(401), "InvalidIdentityToken"),
        (answering(204), "InvalidIdentityToken"),
        (answering(500), "IDPCommunicationError"),
        (answering(503), "IDPCommunicationError"),
        (answering(429), "IDPCommunicationError"),
        (answering(200, b"not json"), "InvalidIdentityToken"),
        (answering(200, b"[]"), "InvalidIdentityToken"),
        (answering(200, b"{}"), "InvalidIdentityToken"),
        (
            answering(200, b'{"issuer":"https://other.example.com","jwks_uri":"https://login.example.com/keys"}', "-configuration"),
            "InvalidIdentityToken",
        ),
        (answering(200, b'{"issuer":"https://login.example.com/realms/Shop"}'), "InvalidIdentityToken"),
        (answering(200, b"{}", Content_Encoding="gzip"), "InvalidIdentityToken"),
        (answering(200, b"{}", "/keys"), "InvalidIdentityToken"),
        (answering(200, b" " * (256 * 1024), "/keys"), "IDPCommunicationError"),
        (answering(200, b"{}", "/keys", Content_Length="100"), "IDPCommunicationError"),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_what_it_should_be(provider: Provider, respond: providers.Respond, code: str) -> None:
    provider.respond = respond
    assert refusal(provider) == code


@pytest.mark.parametrize(
    "where",
    [
        "http://login.example.com/keys", "file:///etc/passwd", "https://127.0.0.1/keys", "https://[::1]/keys", "https://169.254.169.254/latest",
        "https://localhost/keys", "https://user@login.example.com/keys", "https://user:secret@login.example.com/keys", "https://",
        "https://login.example.com/keys#x", "https://login.example.com/ke ys", "https://login.example.com/k\\r\\nHost: x", "gopher://x", "",
        "https://login.example.com:99999/", "https://login.example.com/" + "x" * 2048, "https://login.example.com/é",
        "https://192.0.2.1:8443/keys",
    ],
)  # fmt: skip
def test_keys_are_not_fetched_from_everywhere(provider: Provider, where: str) -> None:
    document = f'{{"issuer":"https://{provider.issuer}","jwks_uri":"{where}"}}'.encode()
    provider.respond = answering(200, document, "openid-configuration")
    assert refusal(provider) in ("InvalidIdentityToken", "IDPCommunicationError")
    assert len(provider.asked) == 1


def test_keys_may_be_at_another_host(provider: Provider) -> None:
    with providers.provider("keys.example.com") as other:
        other.keys = [EC]
        document = f'{{"issuer":"https://{provider.issuer}","jwks_uri":"https://keys.example.com/keys"}}'.encode()
        provider.respond = answering(200, document, "openid-configuration")
        allowed = {provider.host: provider.place, other.host: other.place}
        assert load(provider, (provider.thumbprint, other.thumbprint), **allowed) == ["ec"]
        assert refusal(provider, None, **allowed) == "IDPCommunicationError", "thumbprints are of every host that is asked"


def test_a_name_that_points_elsewhere_the_second_time(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is connected to is the address that was looked at: a name that is public once and loopback later gains nothing."""
    answers = iter(["8.8.8.8", "127.0.0.1", "127.0.0.1", "127.0.0.1"])
    connected: list[Any] = []

    def resolved(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    def connect(address: tuple[str, int], **_: Any) -> socket.socket:
        connected.append(tuple(address))
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(IDPCommunicationError):
        fetching.get(f"https://{provider.host}/x", (), {}, time.monotonic() + 60)
    assert connected == [("8.8.8.8", 443)]


@contextmanager
def dripping(provider: Provider, begin: bytes, drop: bytes) -> Iterator[Place]:
    """A server that never comes to an end: bytes follow bytes, as slowly as no time limit of a single read notices."""
    context, provider.thumbprint = providers.certified(provider.host, Authority())
    listener, stopped = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            try:
                raw, _ = listener.accept()
                with context.wrap_socket(raw, server_side=True) as connection:
                    if connection.recv(10_000):
                        connection.sendall(begin)
                        while not stopped.wait(0.02):
                            connection.sendall(drop)
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield Place("127.0.0.1", listener.getsockname()[1])
    finally:
        stopped.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(60)


@pytest.mark.parametrize(
    ("begin", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 16_384),
    ],
    ids=["status", "header", "body", "chunks", "continues", "endless"],
)
def test_a_provider_that_drips_is_left_in_time(begin: bytes, drop: bytes) -> None:
    provider = Provider("login.example.com")
    with dripping(provider, begin, drop) as place, pytest.raises(IDPCommunicationError):
        fetching.get(f"https://{provider.host}/x", (provider.thumbprint,), {provider.host: place}, time.monotonic() + 1)


def test_a_provider_that_is_not_there(provider: Provider) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = Place("127.0.0.1", listener.getsockname()[1])
    assert refusal(provider, **{provider.host: closed}) == "IDPCommunicationError"

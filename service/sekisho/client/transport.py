"""One call: serialised once, signed over those bytes, with a deadline, repeated where that can help and cannot harm."""

import random
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

import sekisho
from sekisho import sigv4
from sekisho.client import errors
from sekisho.client.retries import Budget, Retries, worth_repeating
from sekisho.client.sources import NoCredentialsError, Refreshing, Source

R = TypeVar("R", bound=Message)
CredentialsSource = Source

Interceptors = Sequence["grpc.UnaryUnaryClientInterceptor[Any, Any]"]

REVISION = "sekisho-revision"
OPTIONS = (
    ("grpc.primary_user_agent", f"sekisho-python/{sekisho.__version__}"),
    # A server that starts again is found within seconds; gRPC's own would be up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
)


@dataclass(frozen=True, slots=True)
class TLS:
    """How the server proves itself: files in PEM; without `ca`, the certificates that gRPC brings.

    `certificate` and `key` are the client's own, where the server asks for them; `server_name` is whose certificate to expect.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None


def tls_from_env(env: Mapping[str, str]) -> TLS | None:
    """What SEKISHO_CA, SEKISHO_CLIENT_CERT and SEKISHO_CLIENT_KEY say; None where none is set."""
    ca, certificate, key = (Path(value) if (value := env.get(name)) else None for name in _FILES)
    if (certificate is None) != (key is None):
        raise ValueError("SEKISHO_CLIENT_CERT and SEKISHO_CLIENT_KEY go together")
    return TLS(ca, certificate, key) if ca is not None or certificate is not None else None


_FILES = ("SEKISHO_CA", "SEKISHO_CLIENT_CERT", "SEKISHO_CLIENT_KEY")


def target(endpoint: str, tls: TLS | None) -> tuple[str, grpc.ChannelCredentials | None, tuple[tuple[str, str], ...]]:
    """Where an endpoint is, how it proves itself (None: in the clear), and its channel's options; ValueError for what is no endpoint."""
    scheme, separator, address = endpoint.partition("://")
    if not separator:
        scheme, address = "", endpoint
    address = address.rstrip("/")
    if scheme not in ("", "http", "https") or not address:
        raise ValueError(f"the endpoint `{endpoint}` is not HOST:PORT, http://HOST:PORT or https://HOST:PORT")
    if scheme == "https" and tls is None:
        tls = TLS()
    if tls is None:
        return address, None, ()
    if scheme == "http":
        raise ValueError(f"the endpoint `{endpoint}` is without TLS")
    ca, certificate = (_pem(path, b"CERTIFICATE", "certificate") for path in (tls.ca, tls.certificate))
    key = _pem(tls.key, b"PRIVATE KEY", "private key")
    named = (("grpc.ssl_target_name_override", tls.server_name),) if tls.server_name is not None else ()
    return address, grpc.ssl_channel_credentials(ca, key, certificate), named


def _channel(endpoint: str, tls: TLS | None) -> grpc.Channel:
    address, secured, more = target(endpoint, tls)
    options = (*OPTIONS, *more)
    return grpc.insecure_channel(address, options=options) if secured is None else grpc.secure_channel(address, secured, options=options)


def _pem(path: Path | None, label: bytes, what: str) -> bytes | None:
    """The content of a file that gRPC would otherwise complain of at the first call, and without its name."""
    if path is None:
        return None
    content = path.read_bytes()
    if b"-----BEGIN " not in content or label + b"-----" not in content:
        raise ValueError(f"`{path}` holds no {what} in PEM")
    return content


def new_nonce() -> str:
    """Makes 128 random bits for one try of a call that writes or issues: a server answers each signature of such a call once.

    What only reads may come twice, and is signed without, as servers of before this nonce expect it.
    """
    return secrets.token_urlsafe(16)


class Transport:
    """A connection to one endpoint with one source of credentials; threads may share it. It is the `Call` of the generated clients."""

    def __init__(
        self,
        endpoint: str,
        credentials: CredentialsSource | None,
        *,
        audience: str,
        tls: TLS | None,
        timeout: float,
        retries: Retries,
        interceptors: Interceptors,
    ) -> None:
        self.endpoint, self.audience = endpoint, audience
        self._credentials, self._timeout, self._retries, self._budget = credentials, timeout, retries, Budget()
        self._plain = _channel(endpoint, tls)
        self._channel = grpc.intercept_channel(self._plain, *interceptors) if interceptors else self._plain
        self._nonces = True
        self._methods: dict[str, grpc.UnaryUnaryMultiCallable[bytes, bytes]] = {}
        self._last = threading.local()

    @property
    def last_revision(self) -> str:
        """The revision of this thread's last answered call, `""` before the first."""
        return getattr(self._last, "revision", "")

    def credentials(self) -> sigv4.Credentials:
        """The credentials of this moment; ValueError where the caller has a certificate alone."""
        if self._credentials is None:
            raise ValueError("the client has no credentials: its certificate says who it is")
        return self._credentials if isinstance(self._credentials, sigv4.Credentials) else self._credentials()

    def lasts(self) -> float:
        """Seconds for which a stream can go on with the credentials of this moment."""
        return self._credentials.lasts() if isinstance(self._credentials, Refreshing) else inf

    @property
    def signs(self) -> bool:
        """Whether calls are signed; otherwise a certificate says who calls."""
        return self._credentials is not None

    @property
    def timeout(self) -> float:
        """Seconds that a call has with all its repetitions, where it is not told otherwise."""
        return self._timeout

    def close(self) -> None:
        """End what is under way and disconnect."""
        self._plain.close()

    def __call__(self, path: str, request: Message, response: type[R], /, *, timeout: float | None, repeatable: bool) -> R:
        body = request.SerializeToString()
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        repetition = 0
        while True:
            nonce = new_nonce() if self._nonces and not repeatable else None
            try:
                reply = self._once(path, body, deadline - time.monotonic(), nonce=nonce)
                break
            except grpc.RpcError as raised:
                error = errors.of(raised, self.endpoint)
            if nonce is not None and error.code == "IncompleteSignature":
                self._nonces = False  # a server of before nonces, which did nothing; to all others each signature still is one call
                continue
            repetition += 1
            wait = self._retries.wait(repetition, random.random)
            late = time.monotonic() + wait >= deadline
            if repetition >= self._retries.attempts or late or not worth_repeating(error, repeatable=repeatable) or not self._budget.take():
                raise error from None
            time.sleep(wait)
        self._budget.give_back()
        try:
            return response.FromString(reply)
        except DecodeError:
            raise errors.Internal(f"the server's answer is not a {response.DESCRIPTOR.full_name}") from None

    def stream(self, path: str, request: Message, response: type[R], /, *, timeout: float | None) -> Iterator[R]:
        """The answers of an rpc that streams, as they come; a call that broke off is not repeated: its caller knows from where to go on.

        Closing the iterator ends the call.
        """
        call = self.begin(path, request, timeout=timeout)
        try:
            for answer in call:
                yield response.FromString(answer)
        except grpc.RpcError as raised:
            raise errors.of(raised, self.endpoint) from None
        except DecodeError:
            raise errors.Internal(f"the server's answer is not a {response.DESCRIPTOR.full_name}") from None
        finally:
            call.cancel()

    def begin(self, path: str, request: Message, *, timeout: float | None) -> Any:
        """An rpc that streams, begun: an iterator of serialised answers, whose `cancel` any thread may call."""
        body = request.SerializeToString()
        return self._channel.unary_stream(path, None, None)(body, timeout=timeout, metadata=self._metadata(path, body))

    def _once(self, path: str, body: bytes, timeout: float, *, nonce: str | None) -> bytes:
        method = self._methods.get(path)
        if method is None:
            method = self._methods[path] = self._channel.unary_unary(path, None, None)
        reply, call = method.with_call(body, timeout=timeout, metadata=self._metadata(path, body, nonce))  # signed anew for each try
        for key, value in call.trailing_metadata() or ():
            if key == REVISION:
                self._last.revision = value
        return reply

    def _metadata(self, path: str, body: bytes, nonce: str | None = None) -> tuple[tuple[str, str | bytes], ...]:
        """The signature of a call, which is good for minutes only; none where the caller has a certificate alone."""
        if self._credentials is None:
            return ()
        try:
            signer = self.credentials()
        except NoCredentialsError as error:
            raise no_credentials(error) from None
        return sigv4.sign_call(signer, path, body, self.audience, datetime.now(UTC), nonce=nonce)


def no_credentials(error: NoCredentialsError) -> errors.Unavailable:
    """The error of a call that could not be signed: nothing was decided, and a guard turns everybody away."""
    return errors.Unavailable(str(error), code="NoCredentials")

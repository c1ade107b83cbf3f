"""One awaited call: signed, with a deadline, and repeated by the same rules as `Transport`."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from sekisho import sigv4
from sekisho.client import errors
from sekisho.client.retries import Budget, Retries, worth_repeating
from sekisho.client.sources import NoCredentialsError, Refreshing
from sekisho.client.transport import OPTIONS, REVISION, TLS, CredentialsSource, new_nonce, no_credentials, target

R = TypeVar("R", bound=Message)


class AsyncTransport:
    """A connection to one endpoint with one source of credentials, of one event loop. It is the `AsyncCall` of the generated clients."""

    def __init__(
        self,
        endpoint: str,
        credentials: CredentialsSource | None,
        *,
        audience: str,
        tls: TLS | None,
        timeout: float,
        retries: Retries,
        interceptors: Sequence[Any],
    ) -> None:
        self.endpoint, self.audience, self.timeout = endpoint, audience, timeout
        self._credentials, self._retries, self._budget = credentials, retries, Budget()
        address, secured, more = target(endpoint, tls)
        options, chain = (*OPTIONS, *more), list(interceptors)
        self._channel: Any = (
            grpc.aio.insecure_channel(address, options=options, interceptors=chain)
            if secured is None
            else grpc.aio.secure_channel(address, secured, options=options, interceptors=chain)
        )
        self._nonces = True
        self._methods: dict[str, Any] = {}
        self._last: ContextVar[str] = ContextVar("sekisho.client.revision", default="")

    @property
    def last_revision(self) -> str:
        """The revision of this task's last answered call, `""` before the first."""
        return self._last.get()

    async def credentials(self) -> sigv4.Credentials:
        """The credentials of this moment; ValueError where the caller has a certificate alone. A source is asked in a thread."""
        if self._credentials is None:
            raise ValueError("the client has no credentials: its certificate says who it is")
        if isinstance(self._credentials, sigv4.Credentials):
            return self._credentials
        fresh = self._credentials.cached_fresh() if isinstance(self._credentials, Refreshing) else None
        return fresh if fresh is not None else await asyncio.to_thread(self._credentials)

    async def close(self) -> None:
        """End what is under way and disconnect."""
        await self._channel.close()

    async def __call__(self, path: str, request: Message, response: type[R], /, *, timeout: float | None, repeatable: bool) -> R:  # noqa: ASYNC109  # of the call with all its repetitions, as the protocol has it
        body = request.SerializeToString()
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        repetition = 0
        while True:
            nonce = new_nonce() if self._nonces and not repeatable else None
            try:
                reply = await self._once(path, body, deadline, nonce=nonce)
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
            await asyncio.sleep(wait)
        self._budget.give_back()
        try:
            return response.FromString(reply)
        except DecodeError:
            raise errors.Internal(f"the server's answer is not a {response.DESCRIPTOR.full_name}") from None

    async def _once(self, path: str, body: bytes, deadline: float, *, nonce: str | None) -> bytes:
        method = self._methods.get(path)
        if method is None:
            method = self._methods[path] = self._channel.unary_unary(path, None, None)
        # Signed anew for each try: a signature is good for minutes only.
        try:
            signer = await self.credentials() if self._credentials is not None else None
        except NoCredentialsError as error:
            raise no_credentials(error) from None
        metadata = sigv4.sign_call(signer, path, body, self.audience, datetime.now(UTC), nonce=nonce) if signer is not None else ()
        call = method(body, timeout=deadline - time.monotonic(), metadata=metadata)
        reply: bytes = await call
        for key, value in await call.trailing_metadata() or ():
            if key == REVISION:
                self._last.set(value)
        return reply

"""The documents of issuers over HTTP, by which other services verify the tokens of an account: who the issuer is, and its public keys.

Anybody may read them, and learns nothing else: an issuer that is not there, one that issues no more, and a path that could not be one have
the same answer. What memory has is answered at once. What has to be loaded waits for threads of its own, of which an address has one at a
time, so that those who do not say who they are keep nobody from anything.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import structlog

from sekisho import meters
from sekisho.calls.call import Node
from sekisho.credentials import issuer_urls, signing_keys
from sekisho.credentials.issuer_urls import Document
from sekisho.edges import budgets, request_ids
from sekisho.edges.lanes import Lanes
from sekisho.errors import SekishoError
from sekisho.memory import cold
from sekisho.memory.cold import Cold
from sekisho.world import AccountRecord, IssuerRecord

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

READ = meters.Counter("sekisho_issuer_documents", "Documents of issuers of tokens that were read, by HTTP status.", ["status"])

log = structlog.get_logger(__name__)


class Page(NamedTuple):
    """An answer."""

    status: int
    body: bytes
    kept: str
    """For how long others may keep it (Cache-Control)."""


_ABSENT = Page(404, b'{"status": "not found"}', "no-store")
_BUSY = Page(503, b'{"status": "unavailable"}', "no-store")
_GOOD = f"public, max-age={signing_keys.MAX_AGE.seconds}"


def application(node: Node, lanes: Lanes, _skew: timedelta) -> "Documents":
    """The edge of a node."""
    return Documents(node, lanes)


class Documents:
    """Answers questions about issuers, whether there are such or not."""

    def __init__(self, node: Node, lanes: Lanes) -> None:
        self._node, self._lane = node, lanes.pages

    def takes(self, scope: Event) -> bool:
        """What has the path of a document, and is only read."""
        return scope["method"] in ("GET", "HEAD") and issuer_urls.document(scope["path"]) is not None

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """One request (ASGI)."""
        asked = issuer_urls.document(scope["path"])
        page = await self._page(asked, scope) if asked is not None else _ABSENT
        READ.labels(page.status).inc()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(page.body)).encode()),
            (b"cache-control", page.kept.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"x-amzn-requestid", request_ids.new().encode()),
        ]
        if page is _BUSY:
            headers.append((b"retry-after", b"1"))
        await send({"type": "http.response.start", "status": page.status, "headers": headers})
        await send({"type": "http.response.body", "body": page.body})

    async def _page(self, asked: Document, scope: Event) -> Page:
        try:
            with cold.unwaiting():
                return self._answer(asked)
        except Cold:
            pass
        except SekishoError:  # memory is too old to answer from
            return _BUSY
        address = scope["client"][0] if scope.get("client") else ""
        try:
            return await asyncio.wrap_future(self._lane.submit_for(budgets.holder(address), self._loaded, asked))
        except SekishoError:  # too many wait, or the database does not answer
            return _BUSY
        except Exception:
            log.exception("issuers.failure", issuer=asked.issuer_id)
            return _BUSY

    def _loaded(self, asked: Document) -> Page:
        """As `_answer`, in a thread that loads."""
        self._lane.enter()
        return self._answer(asked)

    def _answer(self, asked: Document) -> Page:
        world, now = self._node.world, datetime.now(UTC)
        world.confirmed.refuse_stale()
        issuer = world.get_record(asked.issuer_id)
        if not isinstance(issuer, IssuerRecord) or not signing_keys.is_served(issuer, now):
            return _ABSENT
        account = world.get_record(issuer.account_id)
        if not isinstance(account, AccountRecord) or account.status != "ACTIVE":
            return _ABSENT
        if asked.name == issuer_urls.CONFIGURATION:
            return Page(200, issuer_urls.configuration(issuer.url), _GOOD)
        keys = [json.loads(key.public) for key in signing_keys.published(issuer, now)]
        return Page(200, json.dumps({"keys": keys}, indent=1).encode(), _GOOD)

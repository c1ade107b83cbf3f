"""The documents of issuers, on a node of fakes: who has one, what it says, and what is said where it cannot be told."""

import asyncio
import json
import re
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from sekisho.credentials import signing_keys
from sekisho.edges import issuers
from sekisho.edges.issuers import Documents
from sekisho.errors import ServiceUnavailable, Throttling
from sekisho.memory import cold
from sekisho.world import AccountRecord, IssuerRecord, SigningKey
from tests.calls.fakes import ACCOUNT, FakeNode

ISSUER = f"iss-{7:032x}"
URL = f"https://auth.example.com/{ISSUER}"
CONFIGURATION, KEYS = f"/{ISSUER}/.well-known/openid-configuration", f"/{ISSUER}/.well-known/jwks.json"
ABSENT, BUSY = (404, b'{"status": "not found"}', "no-store"), (503, b'{"status": "unavailable"}', "no-store")
GOOD = "public, max-age=300"


class Pages:
    """The lane of pages: each call is made at once, when it may enter."""

    def __init__(self) -> None:
        self.of: list[str] = []
        self.entered = 0
        self.refuses: Exception | None = None

    def enter(self) -> None:
        self.entered += 1
        if self.refuses is not None:
            raise self.refuses

    def submit_for(self, account: str, fn: Callable[..., Any], *args: Any) -> "Future[Any]":
        self.of.append(account)
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class Site:
    """An edge on fakes."""

    def __init__(self) -> None:
        self.node: Any = FakeNode()
        self.world = self.node.world
        self.stale: list[Exception] = []
        self.world.confirmed = SimpleNamespace(refuse_stale=self._refuse_stale)
        self.pages = Pages()
        self.edge = issuers.application(self.node, SimpleNamespace(pages=self.pages), timedelta(minutes=5))  # type: ignore[arg-type]
        self.loads = False
        read = self.world.get_record

        def get_record(id_: str) -> Any:
            if self.loads:
                cold.may_wait(id_)
            return read(id_)

        self.world.get_record = get_record

    def _refuse_stale(self) -> None:
        if self.stale:
            raise self.stale.pop()

    def has(self, **changed: Any) -> "Site":
        """Have an issuer of the account, of one that issues where nothing else is said."""
        self.world.put(IssuerRecord(**({"id": ISSUER, "account_id": ACCOUNT, "url": URL} | changed)))
        return self

    def get(self, path: str = CONFIGURATION, client: Any = ("192.0.2.7", 5000)) -> tuple[int, bytes, str]:
        """The status, the body, and for how long it may be kept."""
        said = self.said(path, client)
        return said[0]["status"], said[1]["body"], dict(said[0]["headers"])[b"cache-control"].decode()

    def said(self, path: str, client: Any = ("192.0.2.7", 5000)) -> list[dict[str, Any]]:
        """The events of an answer (ASGI)."""
        events: list[dict[str, Any]] = []

        async def send(event: Any) -> None:
            events.append(event)

        async def receive() -> Any:
            raise AssertionError("nothing is received")

        asyncio.run(self.edge({"method": "GET", "path": path, "client": client}, receive, send))
        return events


@pytest.mark.parametrize(
    ("method", "path", "takes"),
    [
        ("GET", CONFIGURATION, True),
        ("HEAD", KEYS, True),
        ("POST", KEYS, False),
        ("GET", "/", False),
        ("GET", f"/{ISSUER}/.well-known/other", False),
    ],
)
def test_what_is_taken(method: str, path: str, takes: bool) -> None:
    assert Site().edge.takes({"method": method, "path": path}) is takes


@pytest.mark.parametrize(("path", "page"), [(CONFIGURATION, 200), ("/elsewhere", 404)])
def test_an_answer_is_whole_and_counted(path: str, page: int) -> None:
    site = Site().has()
    before = next(iter(issuers.READ.labels(page).numbers))
    start, body = site.said(path)
    headers = dict(start["headers"])
    assert [name for name, _ in start["headers"]] == [
        b"content-type",
        b"content-length",
        b"cache-control",
        b"x-content-type-options",
        b"x-amzn-requestid",
    ]
    assert re.fullmatch(rb"[0-9a-f-]{36}", headers.pop(b"x-amzn-requestid"))
    assert headers == {
        b"content-type": b"application/json",
        b"content-length": str(len(body["body"])).encode(),
        b"cache-control": GOOD.encode() if page == 200 else b"no-store",
        b"x-content-type-options": b"nosniff",
    }
    assert (start["type"], start["status"], body["type"]) == ("http.response.start", page, "http.response.body")
    assert next(iter(issuers.READ.labels(page).numbers)) == before + 1


def test_the_configuration_of_an_issuer_names_it() -> None:
    status, body, kept = Site().has().get()
    assert (status, json.loads(body)["issuer"], kept) == (200, URL, GOOD)


def test_the_keys_of_an_issuer_are_those_that_are_published() -> None:
    now = datetime.now(UTC)
    begun = (now - timedelta(days=2), now - timedelta(days=1), now)
    keys = [SigningKey(f"k{number}", "ES384", f'{{"kid": "k{number}"}}', "", begins) for number, begins in enumerate(begun)]
    status, body, kept = Site().has(keys=tuple(keys)).get(KEYS)
    assert (status, kept) == (200, GOOD)
    assert body == b'{\n "keys": [\n  {\n   "kid": "k1"\n  },\n  {\n   "kid": "k2"\n  }\n ]\n}'


ABSENCES: dict[str, Callable[[Site], object]] = {
    "no_issuer": lambda site: site,
    "another_thing": lambda site: site.world.records.update({ISSUER: AccountRecord(ISSUER, "ACTIVE")}),
    "one_that_issues_no_more": lambda site: site.has(disabled_at=datetime.now(UTC) - signing_keys.OVERLAP),
    "no_account": lambda site: site.has(account_id="777788889999"),
    "an_account_that_is_none": lambda site: site.has(account_id=ISSUER),
    "an_account_that_is_closed": lambda site: (site.has(), site.world.put(AccountRecord(ACCOUNT, "SUSPENDED"))),
}


@pytest.mark.parametrize("name", ABSENCES)
def test_an_issuer_that_is_not_there(name: str) -> None:
    site = Site()
    ABSENCES[name](site)
    assert site.get() == site.get(KEYS) == ABSENT


def test_an_issuer_that_was_disabled_lately_is_served() -> None:
    assert Site().has(disabled_at=datetime.now(UTC) - timedelta(minutes=1)).get()[0] == 200


def test_what_memory_has_takes_no_thread() -> None:
    site = Site().has()
    site.get()
    assert (site.pages.of, site.pages.entered) == ([], 0)


@pytest.mark.parametrize(("client", "holder"), [(("192.0.2.7", 5000), "192.0.2.7"), (("2001:db8::7", 5000), "2001:db8::/64"), (None, "")])
def test_what_has_to_be_loaded_takes_a_thread_of_its_address(client: Any, holder: str) -> None:
    site = Site().has()
    site.loads = True
    assert site.get(client=client)[0] == 200
    assert (site.pages.of, site.pages.entered) == ([holder], 1)
    cold.may_wait()  # this thread may again


def test_who_cannot_be_answered_is_told_to_come_again() -> None:
    site = Site().has()
    site.stale = [ServiceUnavailable("stale")]
    assert site.get() == BUSY
    assert site.pages.of == []
    site.stale = [ServiceUnavailable("stale")]
    assert dict(site.said(CONFIGURATION)[0]["headers"])[b"retry-after"] == b"1"
    site.loads = True
    site.pages.refuses = Throttling("Rate exceeded")
    with structlog.testing.capture_logs() as said:
        assert site.get() == BUSY
    assert said == []
    site.pages.refuses = ValueError("wrong")
    with structlog.testing.capture_logs() as said:
        assert site.get() == BUSY
    assert [(entry["event"], entry["log_level"], entry["issuer"], entry["exc_info"]) for entry in said] == [
        ("issuers.failure", "error", ISSUER, True)
    ]


def test_an_edge_answers_from_its_own_lane_of_pages() -> None:
    assert isinstance(Site().edge, Documents)
    assert Site().has().get("/elsewhere") == ABSENT

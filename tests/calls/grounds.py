"""A node of fakes on which the pipeline runs: it notes its steps, each of which can be told to fail."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.calls import audit, callers, freshness, permission, pipeline, rests, tag_policies
from sekisho.calls.call import Call, Peer
from sekisho.store import changes, used
from sekisho.store.changes import Point
from sekisho.world import Subject
from tests.calls.fakes import ACCOUNT, ANN, NOW, FakeNode
from tests.harness import BY_NAME

SINCE, WRITTEN = Point(7, "00" * 8), Point(9, "00" * 8)


class Recorded:
    """The record of the change log that a write gets."""

    account, point = ACCOUNT, WRITTEN

    def __init__(self) -> None:
        self.demanded: list[Any] = []

    def demand_unchanged(self, *given: Any) -> None:
        self.demanded.append(given)


class Ground:
    """A node whose steps are noted; each can be told to fail."""

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        self.steps: list[str] = []
        self.fails: dict[str, list[Exception]] = {}
        self.node, self.recorded, self.patched = FakeNode(), Recorded(), patched
        self.sessions: list[Any] = []
        self.audited: list[Any] = []
        self.accounts: Any = None
        self.subject: Subject | None = ANN
        self.node.primary = SimpleNamespace(sqlite=False, write=self._write)
        world: Any = self.node.world
        world.snapshot = lambda _deadline: self._opened("snapshot")
        world.renewed = lambda _deadline: self.point_at("renewed")
        world.sync = lambda _session, **_since: self.point_at("sync")
        world.steady = lambda: self._opened("steady")
        world.committed = lambda *given: self.step(f"committed {given}")
        self._patch(callers, "acting", lambda call, who: self.composed(who))
        self._patch(permission, "permission", lambda *_: self.step("authorize"))
        self._patch(freshness, "wait", lambda *_: self.step("freshness"))
        self._patch(tag_policies, "refuse", lambda *_: self.step("tags"))
        self._patch(changes, "Touched", lambda _: SimpleNamespace(ids={"a"}))
        self._patch(changes, "record", self._record)
        self._patch(audit, "columns", lambda event: event)
        self._patch(audit, "entry", lambda event: event)
        self._patch(audit, "events", lambda call, request, message: [("event", call.request_id, message)])
        self._patch(audit, "event", lambda call, request, response, error: ("event", call.request_id, request, error.code))
        self._patch(audit, "entry_of_read", lambda call, request: ("read", call.request_id, request))
        self._patch(rests, "note", lambda: self.step("decision"))
        self._patch(rests, "owe", lambda: self.step("owed"))
        self._patch(used, "latest", lambda *_: "latest")

    def _patch(self, module: Any, name: str, function: Callable[..., Any]) -> None:
        self.patched.setattr(module, name, function)

    def step(self, name: str) -> None:
        self.steps.append(name)
        if self.fails.get(name):
            raise self.fails[name].pop(0)

    def composed(self, who: Subject) -> Any:
        self.step("compose")
        world: Any = self.node.world
        return world.acting(who, NOW)

    def point_at(self, name: str) -> Point:
        self.step(name)
        point: Point = self.node.world.point
        return point

    @contextmanager
    def _opened(self, name: str) -> Iterator[Any]:
        self.step(f"{name} begins")
        yield name
        self.step(f"{name} ends")

    @contextmanager
    def _write(self, accounts: Any, *, deadline: float, first: str) -> Iterator[Any]:
        self.accounts = accounts, deadline, first
        with self._opened("transaction"):
            yield "session"

    def _record(self, session: Any, touched: Any, now: datetime, nonce: Callable[[], str], *audited: Any) -> Recorded:
        assert (session, touched.ids, len(nonce())) == ("session", {"a"}, 16)
        self.audited = list(audited)
        self.step("record")
        return self.recorded

    def function(self, call: Call, request: Any) -> Any:
        self.sessions.append(call.database_session)
        self.step("function")
        return call.operation.response()

    def prove(self, call: Call) -> Subject | None:
        self.step("prove")
        return self.subject

    def read(self) -> Any:
        self.step("read")
        return self.message

    def arrival(self, name: str, seconds: float | None = None, **fields: Any) -> tuple[Any, pipeline.Arrival]:
        operation = replace(BY_NAME[name], function=self.function)
        self.message = operation.request(**fields)
        proof: Any = self
        return operation, pipeline.Arrival(self.read, proof, Peer("192.0.2.1"), "r-1", seconds)

    def run(self, name: str, seconds: float | None = None, **fields: Any) -> pipeline.Reply:
        node: Any = self.node
        return pipeline.run(node, *self.arrival(name, seconds, **fields))

    def stream(self, seconds: float | None = None) -> Iterator[Any]:
        node: Any = self.node
        return pipeline.stream(node, *self.arrival("WatchChanges", seconds))

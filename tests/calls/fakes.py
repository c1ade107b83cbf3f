"""A node for unit tests: a world of records in a dictionary, no database, and lists of what is handed to it."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from sekisho import arn, policy, world
from sekisho.calls.call import Call, Peer
from sekisho.store.changes import Point
from sekisho.world import AccountRecord, KeyRecord, PrincipalRecord, SessionFacts, Subject
from tests.harness import BY_NAME

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
ACCOUNT, OTHER = "111122223333", "444455556666"
USER, ROLE, KEY = "AIDAANNANNANNANNANNAN", "AROADEPLOYDEPLOYDEPLO", "AKIAANNANNANNANNANNA"
USER_ARN, ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:user/ann", f"arn:aws:iam::{ACCOUNT}:role/ci/deploy"
NEVER = 1e12
"""A deadline on the monotonic clock that no test comes to."""
ANN = Subject(USER, ACCOUNT, KEY)


def attached(*actions: str, effect: str = "Allow", **more: Any) -> policy.Attached:
    """A policy of one statement about these actions."""
    statement = {"Effect": effect, "Action": list(actions), "Resource": "*", **more}
    return policy.Attached(policy.compiled(json.dumps({"Version": "2012-10-17", "Statement": [statement]})), name="inline")


def deploying(kind: str = "assumed-role", **facts: Any) -> Subject:
    """A session of the role."""
    return Subject(ROLE, ACCOUNT, "ASIADEPLOYDEPLOYDEPL", SessionFacts(kind, "build-7", **facts))


class FakeWorld:
    """Records by id; it moves on when a test says so, and forgets no finding."""

    def __init__(self, *inline: policy.Attached) -> None:
        self.point = Point(7, "00" * 8)
        self.records: dict[str, Any] = {}
        self.findings: dict[Any, Any] = {}
        self.kept: list[tuple[Any, ...]] = []
        self.put(AccountRecord(ACCOUNT, "ACTIVE"), AccountRecord(OTHER, "ACTIVE"))
        self.put(PrincipalRecord(USER, ACCOUNT, "user", "ann", USER_ARN, inline=inline))
        self.put(PrincipalRecord(ROLE, ACCOUNT, "role", "deploy", ROLE_ARN, inline=inline))
        self.put(KeyRecord(KEY, ACCOUNT, USER, "Active", "secret"))

    def put(self, *records: Any) -> None:
        """Have these records in the place of those that have their ids."""
        self.records.update({record.id: record for record in records})

    def move(self) -> None:
        """Be a newer world."""
        self.point = Point(self.point.number + 1, "00" * 8)

    def get_record(self, id_: str) -> Any:
        return self.records.get(id_)

    def get_id(self, named: arn.Entity) -> str | None:
        found = [one.id for one in self.records.values() if isinstance(one, PrincipalRecord) and arn.entity(one.arn) == named]
        return found[0] if found else None

    def acting(self, subject: Subject, now: datetime) -> Any:
        return world.acting(subject, self.get_record, now), self.point

    def consistent(self, compose: Callable[[Any], Any]) -> tuple[Any, Point]:
        reader = SimpleNamespace(get_record=self.get_record, acting=lambda subject, now: self.acting(subject, now)[0])
        return compose(reader), self.point

    def get_finding(self, key: Any) -> Any:
        return self.findings.get(key)

    def keep_finding(self, key: Any, value: Any, owner: str, origins: Any, cost: int) -> None:
        self.findings[key] = value
        self.kept.append((key, owner, tuple(origins), cost))


class FakeNode(SimpleNamespace):
    """Whatever of a node a test gives it, beside a world, and lists: `uses` of keys and roles, `accesses`, and `entries` of the spool."""

    def __init__(self, *inline: policy.Attached, **parts: Any) -> None:
        self.uses: list[tuple[Any, ...]] = []
        self.noted: list[tuple[Any, ...]] = []
        self.entries: list[tuple[str, Any]] = []
        super().__init__(
            world=FakeWorld(*inline),
            last_use=SimpleNamespace(note=lambda *given: self.uses.append(given)),
            accesses=SimpleNamespace(note=lambda *given: self.noted.append(given)),
            spool=SimpleNamespace(
                add=lambda entry: self.entries.append(("add", entry)),
                note=lambda entry: self.entries.append(("note", entry)),
                append=lambda *entries, timeout: self.entries.append(("append", entries)),
            ),
            **parts,
        )

    def call(self, name: str = "GetUser", subject: Subject | None = ANN, **more: Any) -> Call:
        """A call of an operation, on its way, whose caller is composed where there is one."""
        operation = BY_NAME[name]
        function = more.pop("function", None)
        if function is not None:
            operation = replace(operation, function=function)
        parts: dict[str, Any] = {"node": self, "deadline": NEVER, "peer": Peer("192.0.2.1", "tests")} | more
        call = Call(operation=operation, request_id="r-1", now=NOW, **parts)
        if subject is not None:
            call.acting, call.point = self.world.acting(subject, NOW)
        return call

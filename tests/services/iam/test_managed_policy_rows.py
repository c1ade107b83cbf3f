"""The rows of AWS-managed policies: which are made, which become others, and which writes there are."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.services.iam import managed_policies
from sekisho.services.iam.managed_policies import ManagedPolicy
from sekisho.store import changes
from sekisho.store.tables import Account, Policy, PolicyOrigin, PolicyVersion
from tests.services.iam.documents import allow

TEXT, OTHER_TEXT = allow("s3:Get*"), allow("s3:Put*")
CREATED, UPDATED = datetime(2016, 1, 2, tzinfo=UTC), datetime(2020, 2, 3, tzinfo=UTC)
NOW = datetime(2026, 3, 4, tzinfo=UTC)


def one(name: str = "One", path: str = "/x/", description: str = "d", text: str = TEXT, **dates: Any) -> ManagedPolicy:
    return ManagedPolicy(name, path, description, text, **dates)


class Store:
    """The rows of a database, which is its own session."""

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        self.rows: list[Any] = []
        self.records: list[tuple[str, dict[str, Any]]] = []
        self.steps: list[Any] = []
        patched.setattr(changes, "Touched", lambda _: "touched")
        patched.setattr(changes, "add", lambda session, row: session.rows.append(row))
        patched.setattr(changes, "record", self._record)

    def _record(self, session: Any, touched: Any, now: datetime, nonce: Any, audited: dict[str, Any]) -> None:
        assert (session, touched, audited["at"]) == (self, "touched", now)
        self.records.append((nonce(), audited))

    @contextmanager
    def read(self) -> Iterator["Store"]:
        self.steps.append("read")
        yield self

    @contextmanager
    def write(self, accounts: Sequence[str]) -> Iterator["Store"]:
        self.steps.append(accounts)
        yield self

    def flush(self) -> None:
        self.steps.append([type(row) for row in self.rows])

    def get(self, table: Any, key: str) -> Any:
        return next(
            (row for row in self.rows if isinstance(row, table) and key in (getattr(row, "id", ""), getattr(row, "policy_id", ""))), None
        )

    def scalars(self, query: Any) -> Any:
        return [row for row in self.rows if isinstance(row, query.column_descriptions[0]["entity"])]

    def of(self, table: Any) -> list[Any]:
        return [row for row in self.rows if isinstance(row, table)]


def put(store: Any, *policies: ManagedPolicy, imported: bool = False) -> int:
    return managed_policies.put(store, policies, imported=imported)


def test_the_first_policies_make_the_account_that_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(monkeypatch)
    assert put(store, one(), one("Two", "/")) == 2
    assert store.steps == ["read", ("aws",), [Account]]
    assert [type(row) for row in store.rows] == [Account, Policy, Policy, PolicyVersion, PolicyVersion, PolicyOrigin, PolicyOrigin]
    (account,) = store.of(Account)
    assert (account.id, account.name) == ("aws", "aws")
    assert [(row.name, row.path) for row in store.of(Policy)] == [("One", "/x/"), ("Two", "/")]
    assert [row.imported for row in store.of(PolicyOrigin)] == [False, False]
    ((nonce, audited),) = store.records
    assert (len(nonce), audited["event_source"], audited["event_name"], audited["account_id"]) == (
        16,
        "iam.amazonaws.com",
        "ImportManagedPolicies",
        "aws",
    )
    assert json.loads(audited["request"]) == {"policyArns": ["arn:aws:iam::aws:policy/x/One", "arn:aws:iam::aws:policy/Two"]}


def test_more_policies_come_into_the_account_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(monkeypatch)
    renewed: list[Any] = []
    monkeypatch.setattr(managed_policies, "_renew", lambda session, policy, row, now, *, imported: renewed.append((policy, row, imported)))
    put(store, one())
    (row,) = store.of(Policy)
    store.steps.clear()
    assert put(store, one(text=OTHER_TEXT), one("Two")) == 2
    assert store.steps == ["read", ("aws",)]
    assert renewed == [(one(text=OTHER_TEXT), row, False)]
    assert [row.name for row in store.of(Policy)] == ["One", "Two"]
    assert len(store.of(Account)) == 1
    assert put(store, one(), imported=True) == 1
    assert renewed[1:] == [(one(), row, True)]


def test_nothing_is_written_when_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(monkeypatch)
    put(store, one())
    store.steps.clear()
    assert put(store, one()) == put(store) == 0
    assert store.steps == ["read", "read"]
    found: Any = iter([[(one(), None)], []])
    monkeypatch.setattr(managed_policies, "_outdated", lambda *_, **__: next(found))  # another process was quicker
    assert put(store, one()) == 0
    assert len(store.records) == 1


def test_the_programs_own_policies_are_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(managed_policies, "built_in", lambda: "policies")

    def noted(*put: Any, imported: bool) -> int:
        given.append((put, imported))
        return 7

    monkeypatch.setattr(managed_policies, "put", noted)
    database: Any = "database"
    assert managed_policies.load(database) == 7
    assert given == [(("database", "policies"), False)]


RESPACED = json.dumps(json.loads(TEXT), indent=1)


@pytest.mark.parametrize(
    ("before", "after", "imported", "changed"),
    [
        ((one(), False), one(), True, 1),
        ((one(), True), one(), True, 0),
        ((one(), True), one(text=RESPACED), True, 0),
        ((one(), True), one(text=OTHER_TEXT), True, 1),
        ((one(), True), one(description="other"), True, 1),
        ((one(), True), one(path="/y/"), True, 1),
        ((one(), True), one("ONE"), True, 1),
        ((one(), True), one(text=OTHER_TEXT), False, 0),
        ((one(), False), one(text=OTHER_TEXT), False, 1),
        ((one(), False), one(text=RESPACED), False, 1),
        ((one(), False), one(description="other", path="/y/"), False, 0),
        ((one(created_at=CREATED), False), one(created_at=CREATED), False, 0),
        ((one(created_at=CREATED), False), one(created_at=UPDATED), False, 1),
        ((one(created_at=CREATED), False), one(), False, 0),
        ((one(version=3), False), one(version=3), False, 0),
        ((one(version=3), False), one(version=4), False, 1),
        ((one(version=3), False), one(version=2), False, 0),
    ],
)
def test_what_is_not_as_it_is_to_be(
    monkeypatch: pytest.MonkeyPatch, before: tuple[ManagedPolicy, bool], after: ManagedPolicy, imported: bool, changed: int
) -> None:
    store: Any = Store(monkeypatch)
    put(store, before[0], imported=before[1])
    found = managed_policies._outdated(store, [after, one("New")], imported=imported)
    expected = [(after, "One")] * changed
    assert [(policy, row.name if row is not None else None) for policy, row in found] == [*expected, (one("New"), None)]
    rows = managed_policies._made(one("New", text=OTHER_TEXT), NOW, imported=before[1])
    store.rows += rows
    assert len(managed_policies._outdated(store, [after], imported=imported)) == changed


def test_the_rows_of_a_new_policy() -> None:
    row, version, origin = managed_policies._made(one("One", created_at=CREATED, updated_at=UPDATED, version=7), NOW, imported=True)
    assert (row.account_id, row.name, row.name_key, row.path, row.description) == ("aws", "One", "one", "/x/", "d")
    assert (row.created_at, row.updated_at, row.default_version, row.last_version) == (CREATED, UPDATED, 7, 7)
    assert (version.policy_id, version.number, version.document, version.created_at) == (row.id, 7, TEXT, UPDATED)
    assert (origin.policy_id, origin.imported) == (row.id, True)
    again, version, origin = managed_policies._made(one("One"), NOW, imported=False)
    assert (again.id, again.created_at, again.updated_at, version.created_at, origin.imported) == (row.id, NOW, NOW, NOW, False)
    assert (again.default_version, row.id[:4], len(row.id)) == (1, "ANPA", 21)
    assert managed_policies._made(one("Other"), NOW, imported=False)[0].id != row.id


class Rows:
    """The versions and the origin of a policy, in the place of a session."""

    def __init__(self, *versions: PolicyVersion, origin: PolicyOrigin | None = None) -> None:
        self.versions, self.origin = list(versions), origin
        self.added: list[Any] = []
        self.deleted: list[int] = []

    def scalars(self, _: Any) -> Any:
        return SimpleNamespace(all=lambda: self.versions)

    def get(self, table: Any, _: str) -> PolicyOrigin | None:
        assert table is PolicyOrigin
        return self.origin

    def add(self, row: Any) -> None:
        self.added.append(row)

    def delete(self, row: PolicyVersion) -> None:
        self.deleted.append(row.number)


def renewed(rows: Rows, policy: ManagedPolicy, monkeypatch: pytest.MonkeyPatch, *, imported: bool = False) -> Policy:
    monkeypatch.setattr(changes, "add", lambda session, row: session.add(row))
    last = max((version.number for version in rows.versions), default=0)
    row = Policy(
        id="ANPA", name="old", path="/", description="old", default_version=1, last_version=last, created_at=CREATED, updated_at=CREATED
    )
    session: Any = rows
    managed_policies._renew(session, policy, row, NOW, imported=imported)
    assert (row.name, row.path, row.description) == (policy.name, policy.path, policy.description)
    return row


def version(number: int, text: str = OTHER_TEXT) -> PolicyVersion:
    return PolicyVersion(policy_id="ANPA", number=number, document=text)


def test_another_text_is_a_further_version(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows(*map(version, (2, 3, 4, 5, 6)), origin=PolicyOrigin(policy_id="ANPA", imported=False))
    row = renewed(rows, one(created_at=UPDATED, updated_at=UPDATED, version=6), monkeypatch, imported=True)
    assert (row.default_version, row.last_version, row.created_at, row.updated_at) == (7, 7, UPDATED, NOW)
    (made,) = rows.added
    assert (made.policy_id, made.number, made.document, made.created_at, rows.deleted) == ("ANPA", 7, TEXT, NOW, [2])
    assert rows.origin is not None
    assert rows.origin.imported is True


def test_a_later_number_is_taken_with_its_date(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows(version(1, TEXT))
    row = renewed(rows, one(updated_at=UPDATED, version=4), monkeypatch, imported=True)
    assert (row.default_version, row.last_version, row.created_at, row.updated_at) == (4, 4, CREATED, UPDATED)
    made, origin = rows.added
    assert (made.number, made.created_at, origin.policy_id, origin.imported, rows.deleted) == (4, UPDATED, "ANPA", True, [])
    assert renewed(Rows(version(1, TEXT)), one(version=4), monkeypatch).updated_at == NOW
    rows = Rows(*map(version, (1, 2, 3, 4)))
    renewed(rows, one(), monkeypatch)
    assert rows.deleted == []
    rows = Rows()
    assert renewed(rows, one(version=0), monkeypatch).last_version == 1
    assert len(rows.added) == 2


def test_the_same_text_is_no_further_version(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows(version(1), version(2), version(3, RESPACED), origin=PolicyOrigin(policy_id="ANPA", imported=True))
    row = renewed(rows, one(version=2), monkeypatch)
    assert (row.default_version, row.last_version, row.updated_at, rows.added) == (3, 3, CREATED, [])
    assert rows.origin is not None
    assert rows.origin.imported is False


def test_a_policy_by_its_entry() -> None:
    moments = (CREATED, UPDATED, 3)
    made = managed_policies._policy("job/Name", {"description": "d.", "allow": ["s3:*"]}, {"job/Name": moments})
    statements = [{"Effect": "Allow", "Action": ["s3:*"], "Resource": "*"}]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)
    assert made == ManagedPolicy("Name", "/job/", "d.", document, *moments)
    made = managed_policies._policy("Name", {"description": "d.", "statements": statements * 2}, {"job/Name": moments})
    oldest = datetime(2015, 2, 6, 18, 39, 46, tzinfo=UTC)
    assert (made.arn, made.created_at, made.updated_at, made.version) == ("arn:aws:iam::aws:policy/Name", oldest, oldest, 1)
    assert json.loads(made.document)["Statement"] == statements * 2

"""Authorize on the lean listener of a house: what waits leaves no trace before it waits, and stops nobody."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from sekisho import meters, sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.calls.workloads import Workloads
from sekisho.credentials import key_ids
from sekisho.edges import doubts
from sekisho.edges.grpc.handlers import AUTHORIZE
from sekisho.edges.grpc.lean.served import Lean
from sekisho.memory import places
from sekisho.node import listeners
from sekisho.node.roles import GRPC, ROLES
from sekisho.sigv4 import bearer
from sekisho.store.db import Database
from tests import harness
from tests.harness import House
from tests.services.iam.documents import allow

PATIENCE = 60.0


@dataclass(slots=True)
class Ground:
    """A house with a lean listener in this process."""

    house: House
    listener: Lean
    channel: grpc.Channel

    @property
    def ends(self) -> dict[str, int]:
        """What became of calls so far."""
        return dict(self.listener._port._counts.ends)

    def ask(self, who: sigv4.Credentials | None = None, **fields: Any) -> Any:
        """The future of an Authorize."""
        question = pb.AuthorizeRequest(**{"action": "orders:Ship", "resource": "*", **fields}).SerializeToString()
        token = bearer.make(who or self.house.root, "sekisho", datetime.now(UTC))
        method = self.channel.unary_unary(AUTHORIZE, None, pb.AuthorizeResponse.FromString)
        return method.future(question, metadata=(("authorization", token),), timeout=PATIENCE)

    def ended(self, before: dict[str, int]) -> dict[str, int]:
        """The calls since then, by what became of them."""
        return {end: count - before[end] for end, count in self.ends.items() if count != before[end]}


@contextlib.contextmanager
def serving(url: str, folder: Path) -> Iterator[Ground]:
    """A house that is served."""
    with harness.house(url, folder) as house:
        bound, lanes = listeners.shared("127.0.0.1:0"), ROLES["all"].lanes(GRPC)
        listener = Lean(house.node, lanes, bound, workloads=Workloads(), grace=1.0, age=600.0)
        with listener, grpc.insecure_channel(listeners.address(bound), (("grpc.enable_retries", 0),)) as channel:
            yield Ground(house, listener, channel)
        lanes.close()


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with serving(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as made:
        yield made


def noted(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is noted from now on: the thread, and of whom."""
    notes: list[str] = []

    def note(id_: str, *_: object) -> None:
        notes.append(id_)

    for journal in (ground.house.node.accesses, ground.house.node.last_use):
        monkeypatch.setattr(journal, "note", note)
    return notes


def test_what_memory_has_is_answered_by_the_polling_thread(ground: Ground) -> None:
    assert ground.ask().result().outcome == pb.OUTCOME_ALLOWED
    before = ground.ends
    for _ in range(10):
        assert ground.ask().result().outcome == pb.OUTCOME_ALLOWED
    assert ground.ended(before) == {"inline": 10}


def test_a_call_that_has_to_wait_is_noted_once(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of whom it asks about is not in memory: by then the caller's key was used, and the caller permitted."""
    ann = ground.house.user("ann", allow("authorize:Authorize", "authorize:AssertPrincipal"))
    ground.house.user("bob", allow("orders:Ship"))
    bob = f"arn:aws:iam::{ground.house.account_id}:user/bob"
    ground.ask(ann, principal_arn=bob).result()
    ground.house.user("cid", allow("orders:Ship"))
    cid = f"arn:aws:iam::{ground.house.account_id}:user/cid"
    notes, before = noted(ground, monkeypatch), ground.ends
    assert ground.ask(ann, principal_arn=cid).result().outcome == pb.OUTCOME_ALLOWED
    cold, notes[:] = list(notes), []
    assert ground.ended(before) == {"passed": 1}
    assert ground.ask(ann, principal_arn=cid).result().outcome == pb.OUTCOME_ALLOWED
    assert ground.ended(before) == {"passed": 1, "inline": 1}
    assert len(cold) == 4  # the key's use, Authorize, AssertPrincipal, orders:Ship


def metrics() -> dict[tuple[str, ...], float]:
    """Every counter of ours, but the listener's own."""
    counters = [family for family in meters.FAMILIES.values() if isinstance(family, meters.Counter) and "_lean_" not in family.name]
    return {(family.name, *values): series.numbers[0] for family in counters for values, series in family._series.items()}


def test_a_call_that_has_to_wait_is_counted_once(ground: Ground) -> None:
    """A key of nobody: the database has to be asked, and then it is one failed authentication."""
    before = metrics()
    refused = ground.ask(sigv4.Credentials("AKIAIOSFODNN7EXAMPLE", "x" * 40)).exception()
    assert refused.code() is grpc.StatusCode.UNAUTHENTICATED
    after = metrics()
    grown = {name: value - before.get(name, 0.0) for name, value in after.items() if value != before.get(name, 0.0)}
    assert grown == {
        ("sekisho_authentication_failures", "InvalidClientTokenId"): 1.0,
        ("sekisho_calls", "grpc", "authorize", "Authorize", "UNAUTHENTICATED"): 1.0,
        ("sekisho_cache_misses", "records"): 1.0,
    }


def test_a_database_that_hangs_does_not_hold_the_polling_thread(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks it waits until the end of the test; warm decisions go on."""
    assert ground.ask().result().outcome == pb.OUTCOME_ALLOWED
    ground.house.node.feed.stop()  # which asks the database for its own reasons
    hangs, asked = threading.Event(), threading.Semaphore(0)
    read = Database.read

    @contextlib.contextmanager
    def hanging(self: Database, **options: Any) -> Iterator[Any]:
        asked.release()
        hangs.wait(PATIENCE)
        with read(self, **options) as session:
            yield session

    monkeypatch.setattr(Database, "read", hanging)
    monkeypatch.setattr("sekisho.memory.cache.LOAD", PATIENCE)
    stuck = [ground.ask(sigv4.Credentials("AKIAIOSFODNN7EXAMPLE", "x" * 40)) for _ in range(places.MOST)]
    for _ in stuck:
        assert asked.acquire(timeout=PATIENCE)
    before = ground.ends
    for _ in range(50):
        assert ground.ask().result(timeout=PATIENCE / 2).outcome == pb.OUTCOME_ALLOWED
    assert ground.ended(before) == {"inline": 50}
    assert not any(call.done() for call in stuck)
    hangs.set()
    assert [call.code() for call in stuck] == [grpc.StatusCode.UNAUTHENTICATED] * places.MOST


POLICY = '{"Version":"2012-10-17","Statement":[%s]}'
STATEMENT = '{"Effect":"Allow","Principal":"*","Action":"orders:Ship%d","Resource":"*"}'


def large(count: int) -> str:
    """A resource policy of so many statements."""
    return POLICY % ",".join(STATEMENT % number for number in range(count))


CONTEXT = [{"key": f"a:{number}", "values": ["x" * 900]} for number in range(20)]
LONG: dict[str, tuple[dict[str, Any], dict[str, int], dict[str, int]]] = {
    "a policy that is to be compiled, and then is": ({"resource_policy": large(2)}, {"passed": 1}, {"inline": 1}),
    "a policy of many statements, another action each time": ({"resource_policy": large(40)}, {"passed": 1}, {"passed": 1}),
    "a message that is large": ({"context": CONTEXT}, {"passed": 1}, {"passed": 1}),
}  # fmt: skip


@pytest.mark.parametrize("case", LONG)
def test_what_takes_long_is_for_the_pool(ground: Ground, case: str) -> None:
    fields, first, second = LONG[case]
    ground.ask().result()
    for number, expected in enumerate((first, second)):
        before = ground.ends
        action = f"orders:Pack{number}" if "another action" in case else "orders:Ship"
        ground.ask(**{**fields, "action": action}).result()
        assert ground.ended(before) == expected


def test_a_batch_is_not_the_polling_threads(ground: Ground) -> None:
    before = ground.ends
    question = pb.AuthorizeBatchRequest(requests=[pb.AuthorizeRequest(action="orders:Ship", resource="*")]).SerializeToString()
    token = bearer.make(ground.house.root, "sekisho", datetime.now(UTC))
    path = AUTHORIZE + "Batch"
    answer = ground.channel.unary_unary(path, None, None)(question, metadata=(("authorization", token),), timeout=PATIENCE)
    assert len(pb.AuthorizeBatchResponse.FromString(answer).items) == 1
    assert ground.ended(before) == {"passed": 1}


@pytest.mark.parametrize("made_up", [key_ids.temporary, lambda _: ""], ids=["temporary credentials", "a key that is there"])
def test_an_account_that_is_claimed_in_vain_is_doubted_there(ground: Ground, made_up: Any) -> None:
    account = ground.house.account_id
    ground.ask().result()
    assert not doubts.here.hold(account, "127.0.0.1")
    forged = sigv4.Credentials(made_up(account) or ground.house.root.access_key_id, "s" * 40)
    assert isinstance(ground.ask(forged).exception(), grpc.RpcError)
    assert doubts.here.hold(account, "127.0.0.1")
    ground.ask().result()

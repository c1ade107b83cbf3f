"""A signature is good for one call that writes or issues; reads are free, and two honest calls of one second over HTTP as well."""

import itertools
import random
import sqlite3
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from sekisho import sigv4
from sekisho.calls import bearers, pipeline, proofs, replays
from sekisho.calls.call import Peer
from sekisho.calls.replays import Replays
from sekisho.errors import SekishoError, Throttling
from sekisho.journal.issued import Issued
from sekisho.sigv4 import HttpRequest, RequestReplayed
from sekisho.store import used
from sekisho.store.tables import UsedSignature
from tests import clock, nodes
from tests.harness import BY_NAME, House
from tests.services.iam.documents import trust

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
ENDS = NOW + timedelta(minutes=5)
NONCE = "0123456789abcdef"


def signature(number: int) -> str:
    return f"{number:015x}" + "0" * 49


class Kept:
    """Used signatures, and the two clocks, which stand still until they are set."""

    def __init__(self, most: int = 1000) -> None:
        self.replays = Replays(most)
        self.wall = self.steady = 0.0

    def use(self, number: int, account: str = "111122223333", *, grace: float = 0.0, ends: datetime = ENDS) -> str:
        """Use a signature; the error's code, or `ok`."""
        try:
            self.replays.use(account, signature(number), ends, NOW + timedelta(seconds=self.wall), self.steady, grace=grace)
        except (RequestReplayed, Throttling) as error:
            return error.code
        return "ok"


def test_a_signature_is_used_once() -> None:
    kept = Kept()
    assert [kept.use(1), kept.use(2), kept.use(1), kept.use(2)] == ["ok", "ok", "RequestReplayed", "RequestReplayed"]
    assert kept.use(1, "444455556666") == "ok"
    assert kept.replays.size == 3


def test_with_grace_a_signature_may_come_again_for_two_seconds() -> None:
    kept = Kept()
    assert kept.use(1, grace=2.0) == "ok"
    kept.steady = 1.9
    assert kept.use(1, grace=2.0) == "ok"
    kept.steady = 2.0  # from the first use on, not from the last
    assert kept.use(1, grace=2.0) == "RequestReplayed"


def test_signatures_are_forgotten_once_they_no_longer_verify() -> None:
    kept = Kept()
    kept.use(1)
    kept.wall = kept.steady = 300.0
    assert kept.use(1) == "RequestReplayed"
    kept.wall = kept.steady = 361.0
    assert kept.use(2, ends=ENDS + timedelta(minutes=6)) == "ok"
    assert kept.replays.size == 1


def test_a_clock_that_is_set_forward_and_back_brings_no_signature_back() -> None:
    kept = Kept()
    kept.use(1)
    kept.wall, kept.steady = 3600.0, 2.0
    kept.use(2, ends=ENDS + timedelta(hours=1))
    kept.wall, kept.steady = 4.0, 4.0
    assert kept.use(1) == "RequestReplayed"


def test_one_account_leaves_room_for_others() -> None:
    kept = Kept(most=12)
    assert [kept.use(number, "a") for number in range(7)] == ["ok"] * 6 + ["Throttling"]
    assert [kept.use(number, "b") for number in range(4)] == ["ok"] * 3 + ["Throttling"]
    assert [kept.use(number, "c") for number in range(3)] == ["ok"] * 2 + ["Throttling"]
    assert kept.replays.size == 11


def test_a_full_store_still_knows_what_was_used() -> None:
    kept = Kept(most=4)
    assert [kept.use(number) for number in range(3)] == ["ok", "ok", "Throttling"]
    assert [kept.use(number) for number in (0, 1, 2)] == ["RequestReplayed", "RequestReplayed", "Throttling"]
    kept.wall = kept.steady = 361.0
    assert kept.use(2, ends=ENDS + timedelta(minutes=6)) == "ok"


def test_signatures_take_little_memory() -> None:
    numbers = random.Random(1).sample(range(2**60), 50_000)
    kept = Kept(most=replays.MOST)
    signatures = [signature(number) for number in numbers]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for one in signatures:
            kept.replays.use("111122223333", one, ENDS, NOW, random.random(), grace=0.0)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept.replays.size == 50_000
    assert taken < 50_000 * 160


# Through the pipeline.

_numbers = itertools.count(1)


def send(house: House, name: str, request: Any, proof: proofs.Proof) -> str:
    """A call with a proof made by hand; the error's code, or `ok`."""
    operation = BY_NAME[name]
    arrival = pipeline.Arrival(
        read=lambda: request, proof=proof, peer=Peer(), request_id=f"replays-{next(_numbers)}-{random.random()}", seconds=20.0
    )
    try:
        pipeline.run(house.node, operation, arrival)
    except SekishoError as error:
        return error.code
    return "ok"


class Caller:
    """Calls of one moment, over gRPC and over HTTP."""

    def __init__(self, house: House, moment: datetime) -> None:
        self.house, self.moment = house, moment

    def grpc(self, name: str, *, nonce: str | None = None, **fields: Any) -> str:
        operation = BY_NAME[name]
        request = operation.request(**fields)
        body = request.SerializeToString()
        metadata = sigv4.sign_call(self.house.root, operation.path, body, "sekisho", self.moment, nonce=nonce)
        return send(self.house, name, request, proofs.of_metadata(metadata, operation.path, body, "sekisho"))

    def http(self, name: str, service: str = "iam", **fields: Any) -> str:
        request = HttpRequest("POST", "/", "", (("host", "h"),), f"Action={name}{sorted(fields.items())}".encode())
        signed = sigv4.sign_http(self.house.root, request, "local", service, self.moment)
        return self._http(name, service, signed, fields)

    def url(self, name: str, service: str = "iam", *, expires: int = 60, **fields: Any) -> str:
        request = HttpRequest("GET", "/", f"Action={name}", (("host", "h"),))
        signed = sigv4.presign_http(self.house.root, request, "local", service, self.moment, expires=expires)
        return self._http(name, service, signed, fields)

    def _http(self, name: str, service: str, signed: HttpRequest, fields: dict[str, Any]) -> str:
        return send(self.house, name, BY_NAME[name].request(**fields), proofs.HttpSignature(signed, service, timedelta(minutes=5)))


@pytest.fixture
def caller(house: House) -> Iterator[Caller]:
    house.call("CreateUser", user_name="ann")
    with clock.stopped() as moment:
        yield Caller(house, moment)


def keys(house: House) -> int:
    return len(house.call("ListAccessKeys", user_name="ann").access_key_metadata)


def test_a_write_that_is_sent_again_is_refused(house: House, caller: Caller) -> None:
    assert caller.grpc("CreateAccessKey", user_name="ann", nonce=NONCE) == "ok"
    assert caller.grpc("CreateAccessKey", user_name="ann", nonce=NONCE) == "RequestReplayed"
    assert keys(house) == 1


def test_the_same_write_with_another_nonce_is_another_call(house: House, caller: Caller) -> None:
    assert caller.grpc("CreateAccessKey", user_name="ann", nonce=NONCE) == "ok"
    assert caller.grpc("CreateAccessKey", user_name="ann", nonce=NONCE[::-1]) == "ok"
    assert keys(house) == 2


def test_without_a_nonce_the_signature_is_one(house: House, caller: Caller) -> None:
    assert caller.grpc("CreateAccessKey", user_name="ann") == "ok"
    assert caller.grpc("CreateAccessKey", user_name="ann") == "RequestReplayed"
    assert caller.grpc("CreateUser", user_name="bob") == "ok"
    assert keys(house) == 1


def test_an_issue_that_is_sent_again_is_refused(caller: Caller) -> None:
    assert caller.grpc("GetSessionToken", nonce=NONCE) == "ok"
    assert caller.grpc("GetSessionToken", nonce=NONCE) == "RequestReplayed"


def test_reads_and_decisions_are_free(house: House, caller: Caller) -> None:
    before = house.node.replays.size
    for name, fields in (("GetUser", {"user_name": "ann"}), ("Authorize", {"action": "orders:Ship", "resource": "*"})):
        assert [caller.grpc(name, nonce=NONCE, **fields) for _ in range(3)] == ["ok"] * 3
    assert house.node.replays.size == before


def test_a_write_that_failed_is_not_tried_again_with_its_signature(caller: Caller) -> None:
    assert caller.grpc("CreateAccessKey", user_name="nobody", nonce=NONCE) == "NoSuchEntity"
    assert caller.grpc("CreateAccessKey", user_name="nobody", nonce=NONCE) == "RequestReplayed"


@pytest.mark.parametrize(
    ("name", "fields", "code"),
    [
        ("CreateAccessKey", {"user_name": "ann"}, "AccessDenied"),
        ("GetSessionToken", {}, "AccessDenied"),
        ("GetUser", {"user_name": "ann"}, "ok"),
        ("Authorize", {"action": "orders:Ship", "resource": "*"}, "ok"),
    ],
)
def test_a_bearer_token_is_for_many_calls_that_read_or_decide(
    house: House, caller: Caller, name: str, fields: dict[str, str], code: str
) -> None:
    token = bearers.Bearer(sigv4.bearer.make(house.root, "sekisho", clock.now()), "sekisho")
    assert [send(house, name, BY_NAME[name].request(**fields), token) for _ in range(2)] == [code, code]
    assert keys(house) == 0


def test_over_http_two_calls_of_one_second_are_honest(
    house: House,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steady = 1000.0
    monkeypatch.setattr(proofs, "time", SimpleNamespace(monotonic=lambda: steady))
    assert caller.http("CreateAccessKey", user_name="ann") == "ok"
    steady = 1001.9
    assert caller.http("CreateAccessKey", user_name="ann") == "ok"
    steady = 1002.0
    assert caller.http("CreateAccessKey", user_name="ann") == "RequestReplayed"
    assert keys(house) == 2


@pytest.mark.parametrize("name", ["CreateAccessKey", "DeleteUser"])
def test_a_presigned_request_writes_nothing(house: House, caller: Caller, name: str) -> None:
    assert caller.url(name, user_name="ann") == "AccessDenied"
    assert keys(house) == 0


@pytest.mark.parametrize("name", ["GetSessionToken", "AssumeRole"])
def test_a_presigned_request_gives_no_credentials(house: House, caller: Caller, name: str) -> None:
    root = f"arn:aws:iam::{house.account_id}:root"
    arn = house.call("CreateRole", role_name="clerk", assume_role_policy_document=trust(root)).role.arn
    fields = {"role_arn": arn, "role_session_name": "s1"} if name == "AssumeRole" else {}
    assert caller.url(name, "sts", **fields) == "AccessDenied"


def test_a_presigned_request_reads_for_a_quarter_of_an_hour(caller: Caller) -> None:
    assert caller.url("GetUser", user_name="ann") == "ok"
    assert [caller.url("GetCallerIdentity", "sts", expires=900) for _ in range(2)] == ["ok", "ok"]
    assert caller.url("GetCallerIdentity", "sts", expires=901) == "IncompleteSignature"
    assert caller.url("GetUser", user_name="ann", expires=901) == "IncompleteSignature"


# On another worker, or on the same after a restart, which knows no more than the other.


@pytest.fixture
def workers(database_url: str, tmp_path: Path) -> Iterator[tuple[Caller, Caller]]:
    """Two workers of one node."""
    with nodes.two(database_url, tmp_path) as (first, second):
        first.call("CreateUser", user_name="ann")
        with clock.stopped() as moment:
            yield Caller(first, moment), Caller(second, moment)


def test_a_write_is_not_sent_again_to_another_worker(workers: tuple[Caller, Caller]) -> None:
    first, second = workers
    assert first.grpc("CreateAccessKey", user_name="ann", nonce=NONCE) == "ok"
    assert second.grpc("CreateAccessKey", user_name="ann", nonce=NONCE) == "RequestReplayed"
    assert second.grpc("CreateAccessKey", user_name="ann", nonce=NONCE[::-1]) == "ok"
    assert first.grpc("CreateAccessKey", user_name="ann", nonce=NONCE[::-1]) == "RequestReplayed"
    assert keys(first.house) == 2


def test_an_issue_is_not_sent_again_to_another_worker_of_the_node(workers: tuple[Caller, Caller]) -> None:
    first, second = workers
    assert first.grpc("GetSessionToken", nonce=NONCE) == "ok"
    assert second.grpc("GetSessionToken", nonce=NONCE) == "RequestReplayed"


@pytest.mark.parametrize(("name", "service", "fields"), [("CreateAccessKey", "iam", {"user_name": "ann"}), ("GetSessionToken", "sts", {})])
def test_over_http_a_repeat_on_another_worker_is_refused_from_two_seconds_on(
    workers: tuple[Caller, Caller], name: str, service: str, fields: dict[str, str]
) -> None:
    first, second = workers
    assert first.http(name, service, **fields) == "ok"
    with clock.stopped(first.moment + timedelta(seconds=1.9)):
        assert second.http(name, service, **fields) == "ok"
    object.__setattr__(second.house.node, "replays", Replays())  # as after a restart
    with clock.stopped(first.moment + timedelta(seconds=2.0)):  # from the first use on, not from the last
        assert second.http(name, service, **fields) == "RequestReplayed"


def test_a_write_that_was_not_committed_has_used_nothing_elsewhere(workers: tuple[Caller, Caller]) -> None:
    first, second = workers
    assert first.grpc("CreateAccessKey", user_name="bob", nonce=NONCE) == "NoSuchEntity"
    first.house.call("CreateUser", user_name="bob")
    assert second.grpc("CreateAccessKey", user_name="bob", nonce=NONCE) == "ok"
    assert first.grpc("CreateAccessKey", user_name="bob", nonce=NONCE) == "RequestReplayed"


def test_used_signatures_are_purged_once_they_no_longer_verify(house: House, caller: Caller) -> None:
    def kept() -> set[tuple[int, str]]:
        with house.node.database.read() as session:
            return {(row.minute, row.signature) for row in session.scalars(select(UsedSignature))}

    before = kept()
    assert caller.grpc("CreateAccessKey", user_name="ann", nonce=NONCE) == "ok"
    (mine,) = kept() - before
    signed = datetime.fromtimestamp(60 * mine[0], UTC)
    used.purge(house.node.database, signed + timedelta(minutes=used.KEPT, seconds=59))
    assert mine in kept()
    used.purge(house.node.database, signed + timedelta(minutes=used.KEPT + 1))
    assert kept() == set()


def test_the_file_of_a_node_forgets_too(tmp_path: Path) -> None:
    file = Issued(tmp_path / "issued.db")
    uses = [used.use("111122223333", signature(n), NOW, NOW + timedelta(minutes=n), grace=0.0) for n in range(50)]
    assert [file.use(one) for one in uses[:2]] == [True, True]
    assert [file.use(one) for one in uses[:2]] == [False, False]
    later = used.use("111122223333", signature(99), NOW + timedelta(minutes=33), NOW + timedelta(minutes=33), grace=0.0)
    assert file.use(later)
    with sqlite3.connect(tmp_path / "issued.db") as looked:
        assert looked.execute("SELECT signature FROM used").fetchall() == [(signature(99)[:32],)]
    looked.close()
    file.close()


@pytest.mark.parametrize("how", ["deleted", "damaged"])
def test_a_file_that_goes_or_is_damaged_is_made_anew(tmp_path: Path, how: str) -> None:
    path = tmp_path / "issued.db"
    file = Issued(path)
    one = used.use("111122223333", signature(1), NOW, NOW, grace=0.0)
    assert file.use(one)
    if how == "deleted":
        path.unlink()
    else:
        file.close()
        path.write_bytes(b"\xff" * path.stat().st_size)
    assert file.use(one)
    assert not file.use(one)
    file.close()


def test_a_file_that_shows_damage_in_use_is_opened_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Issued(tmp_path / "issued.db")
    one = used.use("111122223333", signature(1), NOW, NOW, grace=0.0)
    real, tries = Issued._use, list[int]()

    def first_damaged(self: Issued, connection: sqlite3.Connection, given: used.Use) -> bool:
        tries.append(1)
        if len(tries) == 1:
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error
        return real(self, connection, given)

    monkeypatch.setattr(Issued, "_use", first_damaged)
    assert file.use(one)
    assert not file.use(one)
    assert len(tries) == 3
    file.close()


def test_nothing_is_issued_without_the_file(house: House, caller: Caller, tmp_path: Path) -> None:
    other = sqlite3.connect(house.node.spool.path.with_name("issued.db"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert caller.grpc("GetSessionToken", nonce=NONCE) == "ServiceUnavailable"
    other.execute("ROLLBACK")
    other.close()
    assert caller.grpc("GetSessionToken", nonce=NONCE[::-1]) == "ok"

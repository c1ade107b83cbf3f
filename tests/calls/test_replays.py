"""A signature is good for one call that writes or issues; reads are free, and two honest calls of one second over HTTP as well."""

import itertools
import random
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.calls import pipeline, proofs, replays
from sekisho.calls.call import Peer
from sekisho.calls.replays import Replays
from sekisho.errors import SekishoError, Throttling
from sekisho.sigv4 import HttpRequest, RequestReplayed
from tests import clock
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
        self._house, self._moment = house, moment

    def grpc(self, name: str, *, nonce: str | None = None, **fields: Any) -> str:
        operation = BY_NAME[name]
        request = operation.request(**fields)
        body = request.SerializeToString()
        metadata = sigv4.sign_call(self._house.root, operation.path, body, "sekisho", self._moment, nonce=nonce)
        return send(self._house, name, request, proofs.of_metadata(metadata, operation.path, body, "sekisho"))

    def http(self, name: str, service: str = "iam", **fields: Any) -> str:
        request = HttpRequest("POST", "/", "", (("host", "h"),), f"Action={name}{sorted(fields.items())}".encode())
        signed = sigv4.sign_http(self._house.root, request, "local", service, self._moment)
        return self._http(name, service, signed, fields)

    def url(self, name: str, service: str = "iam", *, expires: int = 60, **fields: Any) -> str:
        request = HttpRequest("GET", "/", f"Action={name}", (("host", "h"),))
        signed = sigv4.presign_http(self._house.root, request, "local", service, self._moment, expires=expires)
        return self._http(name, service, signed, fields)

    def _http(self, name: str, service: str, signed: HttpRequest, fields: dict[str, Any]) -> str:
        return send(self._house, name, BY_NAME[name].request(**fields), proofs.HttpSignature(signed, service, timedelta(minutes=5)))


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


def test_a_bearer_token_is_for_many_calls(house: House, caller: Caller) -> None:
    token = proofs.Bearer(sigv4.bearer.make(house.root, "sekisho", clock.now()), "sekisho")
    request = BY_NAME["CreateAccessKey"].request(user_name="ann")
    assert [send(house, "CreateAccessKey", request, token) for _ in range(2)] == ["ok", "ok"]


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

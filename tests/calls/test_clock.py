"""The server's clock jumps an hour, forward or back: nothing that has ended comes back for good, nothing is used twice, revisions go on."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2
from sekisho.calls import pipeline, proofs
from sekisho.calls.call import Peer
from sekisho.errors import SekishoError
from sekisho.sigv4 import bearer
from sekisho.store.tables import AuditRecord, Revision
from tests import clock, nodes
from tests.harness import BY_NAME, House
from tests.services.iam.documents import allow, trust
from tests.services.iam.mfa import enabled

HOUR = timedelta(hours=1)
ALLOWED = decisions_pb2.OUTCOME_ALLOWED
AHEAD, BEHIND = HOUR, -HOUR


def outcome(call: Callable[[], Any]) -> str:
    """The code of a call's error, `ok` without one."""
    try:
        call()
    except SekishoError as error:
        return error.code
    return "ok"


def sent(house: House, name: str, metadata: Any, body: bytes) -> str:
    """How a call with just this metadata ends."""
    operation = BY_NAME[name]
    arrival = pipeline.Arrival(
        read=lambda: pipeline.parsed(operation.request, body),
        proof=proofs.of_metadata(metadata, operation.path, body, house.node.audience),
        peer=Peer(),
        request_id=f"clock-{time.monotonic_ns()}",
    )
    return outcome(lambda: pipeline.run(house.node, operation, arrival))


def at(by: timedelta | None) -> AbstractContextManager[None]:
    return clock.moved(by) if by is not None else nullcontext()


@pytest.mark.parametrize("by", [AHEAD, BEHIND])
def test_a_signature_of_now_is_refused_and_is_good_once_when_the_clock_is_right_again(house: House, by: timedelta) -> None:
    operation = BY_NAME["CreateUser"]
    body = operation.request(user_name="ann").SerializeToString()
    metadata = sigv4.sign_call(house.root, operation.path, body, house.node.audience, datetime.now(UTC), nonce="0123456789abcdef")
    with clock.moved(by):
        assert sent(house, "CreateUser", metadata, body) == "SignatureDoesNotMatch"
    assert sent(house, "CreateUser", metadata, body) == "ok"
    for later in (AHEAD, None, BEHIND, None):
        with at(later):
            assert sent(house, "CreateUser", metadata, body) in ("SignatureDoesNotMatch", "RequestReplayed")


def test_a_signature_of_the_other_hour_ends_with_it(house: House) -> None:
    operation = BY_NAME["CreateUser"]
    body = operation.request(user_name="ann").SerializeToString()
    metadata = sigv4.sign_call(house.root, operation.path, body, house.node.audience, datetime.now(UTC) + HOUR, nonce="0123456789abcdef")
    assert sent(house, "CreateUser", metadata, body) == "SignatureDoesNotMatch"
    with clock.moved(AHEAD):
        assert sent(house, "CreateUser", metadata, body) == "ok"
    assert sent(house, "CreateUser", metadata, body) == "SignatureDoesNotMatch"
    with clock.moved(AHEAD):
        assert sent(house, "CreateUser", metadata, body) == "RequestReplayed"


def test_a_bearer_token(house: House) -> None:
    token = (("authorization", bearer.make(house.root, house.node.audience, datetime.now(UTC))),)
    assert sent(house, "GetCallerIdentity", token, b"") == "ok"
    with clock.moved(AHEAD):
        assert sent(house, "GetCallerIdentity", token, b"") == "RequestExpired"
    with clock.moved(BEHIND):
        assert sent(house, "GetCallerIdentity", token, b"") == "SignatureDoesNotMatch"


@pytest.fixture
def role(house: House) -> str:
    """A role that the user `ann` may assume, for an hour at most."""
    found: str = house.call(
        "CreateRole", role_name="r", assume_role_policy_document=trust(f"arn:aws:iam::{house.account_id}:root")
    ).role.arn
    return found


def test_a_session_ends_at_its_own_end(house: House, role: str) -> None:
    ann = house.user("ann", allow("sts:AssumeRole"))
    session = house.assume(role, _as=ann)
    assert outcome(lambda: house.call("GetCallerIdentity", _as=session)) == "ok"
    with clock.moved(timedelta(minutes=59)):
        assert outcome(lambda: house.call("GetCallerIdentity", _as=session)) == "ok"
    with clock.moved(timedelta(minutes=61)):
        assert outcome(lambda: house.call("GetCallerIdentity", _as=session)) == "ExpiredToken"
    assert outcome(lambda: house.call("GetCallerIdentity", _as=session)) == "ok"  # nothing has ended it by itself


def test_a_session_has_ended_in_the_second_of_its_end(house: House, role: str) -> None:
    issued = house.call("AssumeRole", _as=house.user("ann", allow("sts:AssumeRole")), role_arn=role, role_session_name="last").credentials
    session = sigv4.Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)
    end = issued.expiration.ToDatetime(UTC)
    for moment, expected in ((end - timedelta(seconds=1), "ok"), (end, "ExpiredToken")):
        with clock.stopped(moment):
            assert outcome(lambda: house.call("GetCallerIdentity", _as=session)) == expected


def test_a_session_that_a_clock_behind_has_issued_has_ended_already(house: House, role: str) -> None:
    ann = house.user("ann", allow("sts:AssumeRole"))
    with clock.moved(timedelta(minutes=-61)):
        session = house.assume(role, _as=ann)
    assert outcome(lambda: house.call("GetCallerIdentity", _as=session)) == "ExpiredToken"


@pytest.mark.parametrize("by", [AHEAD, BEHIND])
def test_a_code_is_used_once_whatever_the_clock_shows(house: House, by: timedelta) -> None:
    ann = house.user("ann", allow("sts:GetSessionToken"))
    device = enabled(house, "ann")
    with clock.stopped():
        code = device.code()
        fields: dict[str, Any] = {"serial_number": device.serial, "token_code": code}
        assert outcome(lambda: house.call("GetSessionToken", _as=ann, **fields)) == "ok"
        assert outcome(lambda: house.call("GetSessionToken", _as=ann, **fields)) == "AccessDenied"
    with clock.moved(by):
        assert outcome(lambda: house.call("GetSessionToken", _as=ann, **fields)) == "AccessDenied"
        earlier: dict[str, Any] = {"serial_number": device.serial, "token_code": device.code()}
        answer = outcome(lambda: house.call("GetSessionToken", _as=ann, **earlier))
        assert answer == ("ok" if by == AHEAD else "AccessDenied")  # a step before one that was used is never taken


@pytest.fixture
def two(database_url: str, tmp_path: Path) -> Iterator[tuple[House, House]]:
    with nodes.two(database_url, tmp_path) as made:
        yield made


def test_revisions_rise_and_are_seen_while_the_clocks_of_two_workers_are_hours_apart(two: tuple[House, House]) -> None:
    first, second = two
    numbers = []
    for index, by in enumerate((None, AHEAD, BEHIND, AHEAD, None)):
        with at(by):
            first.call("CreateUser", user_name=f"user-{index}")
            first.call("PutUserPolicy", user_name=f"user-{index}", policy_name="p", policy_document=allow("orders:Ship"))
        arn = f"arn:aws:iam::{first.account_id}:user/user-{index}"
        asked: dict[str, Any] = {"action": "orders:Ship", "resource": "*", "principal_arn": arn}
        assert second.call("Authorize", at_least=first.revision, **asked).outcome == ALLOWED
        with at(by):
            first.call("DeleteUserPolicy", user_name=f"user-{index}", policy_name="p")
        assert second.call("Authorize", at_least=first.revision, **asked).outcome != ALLOWED
        numbers.append(second.node.world.point.number)
    assert numbers == sorted(set(numbers))
    with first.node.database.read() as session:
        stamped = session.execute(select(Revision.number, Revision.committed_at).order_by(Revision.number)).all()
        audited = session.scalars(select(AuditRecord.event_name).where(AuditRecord.revision.is_not(None))).all()
    moments = [row.committed_at for row in stamped]
    assert moments != sorted(moments)  # the clock did jump
    assert len([name for name in audited if name == "DeleteUserPolicy"]) == 5

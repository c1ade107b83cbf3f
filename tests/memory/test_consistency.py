"""What one worker writes, another answers by: at once when the caller insists, within a look at the log otherwise, and never by halves."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from sekisho import policy, sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.credentials import access_keys, accounts
from sekisho.errors import SekishoError
from sekisho.memory.cache import World
from sekisho.memory.places import Places
from sekisho.store import changes
from sekisho.store.tables import Policy
from sekisho.world import Asked, Subject, question
from tests.harness import House
from tests.nodes import two
from tests.services.iam.documents import allow

TURNS = int(os.environ.get("TURNS", "12"))
"""`make campaign` has more."""
SHIP = allow("orders:Ship")
ALLOWED, DENIED = pb.OUTCOME_ALLOWED, pb.OUTCOME_IMPLICITLY_DENIED


@pytest.fixture
def nodes(database_url: str, tmp_path: Path) -> Iterator[tuple[House, House]]:
    with two(database_url, tmp_path) as made:
        yield made


def ship(house: House, user: str, **fields: Any) -> int:
    """The outcome of shipping, for a user by name."""
    arn = f"arn:aws:iam::{house.account_id}:user/{user}"
    outcome: int = house.call("Authorize", principal_arn=arn, action="orders:Ship", resource="*", **fields).outcome
    return outcome


def test_at_least_is_never_answered_from_an_older_world(nodes: tuple[House, House]) -> None:
    writer, reader = nodes
    writer.user("ann")
    arn = writer.call("CreatePolicy", policy_name="ship", policy_document=SHIP).policy.arn
    wrong = []
    for turn in range(TURNS):
        writer.call("AttachUserPolicy", user_name="ann", policy_arn=arn)
        if ship(reader, "ann", at_least=writer.revision) != ALLOWED:
            wrong.append((turn, "attached"))
        writer.call("DetachUserPolicy", user_name="ann", policy_arn=arn)
        if ship(reader, "ann", at_least=writer.revision) != DENIED:
            wrong.append((turn, "detached"))
    assert wrong == []


def test_the_callers_own_permission_is_as_new_as_it_insists(nodes: tuple[House, House]) -> None:
    writer, reader = nodes
    door = writer.user("door")
    for _ in range(20):
        with pytest.raises(SekishoError, match="authorize:Authorize"):
            reader.call("Authorize", _as=door, action="a:B", resource="*", at_least=writer.revision)
        writer.call("PutUserPolicy", user_name="door", policy_name="ask", policy_document=allow("authorize:*"))
        question: dict[str, Any] = {"action": "a:B", "resource": "*", "at_least": writer.revision}
        assert reader.call("Authorize", _as=door, **question).outcome == DENIED
        assert len(reader.call("AuthorizeBatch", _as=door, requests=[question]).items) == 1
        assert reader.call("Explain", _as=door, request=question).text
        writer.call("DeleteUserPolicy", user_name="door", policy_name="ask")


def test_a_write_is_authorized_by_the_newest_world_of_its_own_transaction(nodes: tuple[House, House]) -> None:
    writer, other = nodes
    ann = writer.user("ann", allow("iam:*"))
    other.call("GetUser", _as=ann, user_name="ann")
    writer.call("DeleteUserPolicy", user_name="ann", policy_name="inline-0")
    for name in ("GetUser", "DeleteUser"):
        with pytest.raises(SekishoError, match="is not authorized to perform: iam:"):
            other.call(name, _as=ann, user_name="ann")


def test_a_revision_that_is_not_there_yet_is_waited_for_until_the_deadline(nodes: tuple[House, House]) -> None:
    house, reader = nodes
    house.user("ann", SHIP)
    point = changes.parse(house.revision)
    future = changes.Point(point.number + 1000, point.nonce)
    with pytest.raises(SekishoError) as caught:
        reader.node.feed.wait_for(future.token, time.monotonic() + 0.3)
    assert caught.value.code == "NotYet"
    assert caught.value.grpc == "UNAVAILABLE"
    with pytest.raises(SekishoError) as caught:
        ship(reader, "ann", at_least=changes.Point(point.number, "0123456789abcdef").token)
    assert (caught.value.code, caught.value.grpc) == ("AnotherHistory", "UNAVAILABLE")
    assert ship(reader, "ann", at_least=changes.Point(1, _nonce(house, 1)).token) == ALLOWED
    assert ship(reader, "ann", at_least=changes.ORIGIN.token) == ALLOWED


def _nonce(house: House, number: int) -> str:
    with house.node.database.read() as session:
        return str(session.execute(text("SELECT nonce FROM revisions WHERE number = :number"), {"number": number}).scalar_one())


REVOCATIONS: dict[str, Callable[[House, sigv4.Credentials, str], Any]] = {
    "a policy is detached": lambda h, key, arn: h.call("DetachUserPolicy", user_name="ann", policy_arn=arn),
    "a key is deactivated": lambda h, key, arn: h.call(
        "UpdateAccessKey", user_name="ann", access_key_id=key.access_key_id, status="Inactive"
    ),
    "a key is deleted": lambda h, key, arn: h.call("DeleteAccessKey", user_name="ann", access_key_id=key.access_key_id),
    "a version takes it away": lambda h, key, arn: h.call(
        "CreatePolicyVersion", policy_arn=arn, policy_document=allow("orders:Pack"), set_as_default=True
    ),
    "a boundary is set": lambda h, key, arn: h.call("PutUserPermissionsBoundary", user_name="ann", permissions_boundary=_boundary(h)),
    "an inline policy denies it": lambda h, key, arn: h.call(
        "PutUserPolicy", user_name="ann", policy_name="no", policy_document=SHIP.replace("Allow", "Deny")
    ),
    "the name goes to another": lambda h, key, arn: h.call("UpdateUser", user_name="ann", new_user_name="anna"),
}


def _boundary(house: House) -> str:
    arn: str = house.call("CreatePolicy", policy_name="boundary", policy_document=allow("authorize:*")).policy.arn
    return arn


@pytest.mark.bounded
@pytest.mark.parametrize("revocation", REVOCATIONS)
def test_a_revocation_holds_on_every_worker_within_a_look_at_the_log(nodes: tuple[House, House], revocation: str) -> None:
    writer, reader = nodes
    ann = writer.user("ann", allow("authorize:Authorize"))
    arn = writer.call("CreatePolicy", policy_name="ship", policy_document=SHIP).policy.arn
    writer.call("AttachUserPolicy", user_name="ann", policy_arn=arn)
    name = f"arn:aws:iam::{writer.account_id}:user/ann"

    def allowed() -> bool:
        with suppress(SekishoError):
            found = reader.call("Authorize", _as=ann, action="orders:Ship", resource="*")
            return bool(found.outcome == ALLOWED and found.principal_arn == name)
        return False

    _until(allowed)
    REVOCATIONS[revocation](writer, ann, arn)
    _until(lambda: not allowed())


@pytest.mark.bounded
def test_who_leaves_a_group_loses_what_it_gave(nodes: tuple[House, House]) -> None:
    writer, reader = nodes
    writer.user("ann")
    writer.call("CreateGroup", group_name="shippers")
    writer.call("PutGroupPolicy", group_name="shippers", policy_name="p", policy_document=SHIP)
    writer.call("AddUserToGroup", group_name="shippers", user_name="ann")
    _until(lambda: ship(reader, "ann") == ALLOWED)
    writer.call("RemoveUserFromGroup", group_name="shippers", user_name="ann")
    _until(lambda: ship(reader, "ann") == DENIED)
    writer.call("AddUserToGroup", group_name="shippers", user_name="ann")
    _until(lambda: ship(reader, "ann") == ALLOWED)
    writer.call("DeleteGroupPolicy", group_name="shippers", policy_name="p")
    _until(lambda: ship(reader, "ann") == DENIED)


def _until(condition: Callable[[], bool]) -> None:
    """Wait for what is to happen within 50 ms, with the room that busy machines need."""
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.mark.parametrize("budget", [1 << 20, 7_000], ids=["roomy", "tiny"])
def test_two_policies_that_are_swapped_in_one_transaction_never_both_hold_nor_neither(nodes: tuple[House, House], budget: int) -> None:
    writer, reader = nodes
    user = writer.call("CreateUser", user_name="ann").user
    policies = [writer.call("CreatePolicy", policy_name=f"p{n}", policy_document=SHIP).policy for n in range(2)]
    for number, made in enumerate(policies):
        writer.call("CreatePolicyVersion", policy_arn=made.arn, policy_document=allow("orders:Pack"), set_as_default=number == 1)
        writer.call("AttachUserPolicy", user_name="ann", policy_arn=made.arn)
    ring = reader.node.ring
    world = World(reader.node.database, lambda row: access_keys.unseal(row.id, row.secret, ring), budget=budget)
    world.places = Places(4)  # for all that decide here, however busy the machine is
    world.poll()
    subject = Subject(user.user_id, writer.account_id)
    ended = threading.Event()
    seen: list[tuple[bool, int]] = []

    def decide() -> None:
        while not ended.is_set():
            asked, _ = world.consistent(lambda found: question(subject, Asked("orders:Ship", "*"), found.get_record, datetime.now(UTC)))
            decision = policy.decide(*asked)
            seen.append((decision.allowed, len(decision.matched)))

    def look() -> None:
        while not ended.wait(0.001):
            world.poll()

    threads = [threading.Thread(target=target, daemon=True) for target in (decide, decide, decide, look)]
    for thread in threads:
        thread.start()
    turns, limit = 0, time.monotonic() + 60
    while turns < TURNS or (len(seen) <= 20 and time.monotonic() < limit):  # on a busy machine the swaps outrun the decisions
        _swap(writer, [made.policy_id for made in policies])
        turns += 1
    ended.set()
    for thread in threads:
        thread.join(20)
    assert len(seen) > 20
    assert set(seen) == {(True, 1)}
    assert world.size[1] <= budget


def _swap(house: House, ids: list[str]) -> None:
    """Let the other of two policies allow, in one transaction."""
    with house.node.database.write((house.account_id,)) as session:
        touched = changes.Touched(session)
        for row in session.scalars(select(Policy).where(Policy.id.in_(ids))):
            row.default_version = 3 - row.default_version
        now = datetime.now(UTC)
        changes.record(session, touched, now, lambda: "0123456789abcdef", accounts.by_operator(house.account_id, now, "iam", "Swap", {}))

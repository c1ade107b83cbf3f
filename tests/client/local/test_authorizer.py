"""The local authorizer when something is wrong: silence, revocation, other callers, other histories."""

import gc
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sekisho import client, sigv4
from sekisho.api.authorize.v1 import changes_pb2 as pb
from sekisho.client import Client, Unavailable
from sekisho.client.local import LocalAuthorizer
from sekisho.client.local.follower import SNAPSHOT, Follower, _Anew
from sekisho.client.sources import Refreshing, Temporary
from sekisho.store import changes
from sekisho.world import PrincipalRecord, Subject
from tests.client.local.asking import SHIP, local, question, until
from tests.client.local.meddler import Meddler
from tests.inside import Inside
from tests.services.iam.documents import allow, trust

SEES_AUTHORIZE = allow("authorize:Authorize", "authorize:AssertPrincipal")


@dataclass
class Clock:
    """A clock that is moved by hand."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


def test_a_decision_names_what_the_servers_does(place: Inside) -> None:
    with place.client() as made, LocalAuthorizer(made) as authorizer:
        assert authorizer.wait_until_ready(60)
        found, asked = authorizer.authorize(**question(place)), made.authorize(**question(place))
        assert local(found)
        assert found.allowed
        assert (found.outcome, found.layer, found.matched, found.missing_keys) == (
            asked.outcome,
            asked.layer,
            asked.matched,
            asked.missing_keys,
        )
        assert (found.principal_arn, found.revision) == (asked.principal_arn, asked.revision)
        assert authorizer.revision == found.revision
        assert found.decision_id != authorizer.authorize(**question(place)).decision_id


def test_a_copy_is_kept_while_credentials_come_and_go(place: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [place.house.user(f"asker-{number}", allow("authorize:*")) for number in range(2)]
    given = itertools.cycle(keys)
    loaded: list[sigv4.Credentials] = []
    dropped: list[None] = []

    def load() -> Temporary:
        loaded.append(next(given))
        return Temporary(loaded[-1], datetime.now(UTC) + timedelta(seconds=4))

    was = Follower._set

    def set_(self: Follower, replica: Any, *rest: Any) -> None:
        if not replica:
            dropped.append(None)
        was(self, replica, *rest)

    monkeypatch.setattr(Follower, "_set", set_)
    with Client(place.address, Refreshing(load), timeout=60.0) as made, LocalAuthorizer(made) as authorizer:
        assert authorizer.wait_until_ready(60)
        until(lambda: len(loaded) >= 3 and authorizer._follower._loaded_as == loaded[-1])
        assert local(authorizer.authorize(**question(place)))
        assert dropped == []


def test_a_revocation_holds_as_soon_as_it_is_insisted_on(place: Inside) -> None:
    call = place.house.call
    with place.client() as made, LocalAuthorizer(made, patience=60) as authorizer:
        assert authorizer.wait_until_ready(60)
        for _ in range(100):
            call("DeleteUserPolicy", user_name="ann", policy_name="inline-0")
            refused = authorizer.authorize(**question(place), at_least=place.house.revision)
            call("PutUserPolicy", user_name="ann", policy_name="inline-0", policy_document=SHIP)
            allowed = authorizer.authorize(**question(place), at_least=place.house.revision)
            assert [(one.allowed, local(one)) for one in (refused, allowed)] == [(False, True), (True, True)]


def test_revisions_that_it_cannot_know_are_asked_for(place: Inside) -> None:
    with place.client() as made, LocalAuthorizer(made, patience=0.1) as authorizer:
        assert authorizer.wait_until_ready(60)
        point = place.house.node.world.point
        assert not local(authorizer.authorize(**question(place), at_least=changes.Point(1, _nonce(place, 1)).token))
        for wrong in (changes.Point(point.number, "ab" * 8), changes.Point(point.number + 10, "ab" * 8)):
            with pytest.raises(client.Error):
                authorizer.authorize(**question(place), at_least=wrong.token, timeout=1.0)
        with pytest.raises(client.InvalidArgument):
            authorizer.authorize(**question(place), at_least="x")
        assert local(authorizer.authorize(**question(place), at_least=changes.ORIGIN.token))


def _nonce(place: Inside, number: int) -> str:
    with place.house.node.database.read() as session:
        point = changes.at(session, number)
        assert point is not None
        return point.nonce


def test_silence_for_longer_than_the_bound_is_answered_by_the_server_or_not_at_all(place: Inside) -> None:
    clock = Clock()
    with place.client() as made:
        asks = LocalAuthorizer(made, max_silence=60, clock=clock)
        refuses = LocalAuthorizer(made, max_silence=60, otherwise="refuse", clock=clock)
        with asks, refuses:
            assert asks.wait_until_ready(60)
            assert refuses.wait_until_ready(60)
            clock.ahead = 50.0
            assert local(asks.authorize(**question(place)))
            assert local(refuses.authorize(**question(place)))
            clock.ahead = 61.0
            found = asks.authorize(**question(place))
            assert (found.allowed, local(found)) == (True, False)
            with pytest.raises(Unavailable, match="has said nothing for"):
                refuses.authorize(**question(place))
            assert refuses.silence > 60


def test_a_world_that_the_server_itself_no_longer_confirms_grows_old(place: Inside) -> None:
    """Its feed fails: its heartbeats say for how long, and the copy is no fresher than the server."""
    with place.client() as made, LocalAuthorizer(made, max_silence=3.0, otherwise="refuse") as authorizer:
        assert authorizer.wait_until_ready(60)
        place.house.node.feed.stop()
        place.house.node.world.confirmed.at -= 1000.0
        until(lambda: authorizer.silence > 900)
        with pytest.raises(Unavailable, match="has said nothing for"):
            authorizer.authorize(**question(place))


def test_a_caller_who_loses_its_permission_loses_the_copy(place: Inside) -> None:
    watcher = place.house.user("watcher", allow("authorize:*"))
    with place.client(watcher) as made, LocalAuthorizer(made, otherwise="refuse") as authorizer:
        assert authorizer.wait_until_ready(60)
        assert local(authorizer.authorize(**question(place)))
        place.house.call("PutUserPolicy", user_name="watcher", policy_name="inline-0", policy_document=allow("authorize:Authorize"))
        until(lambda: authorizer.revision == "")
        with pytest.raises(Unavailable, match="authorize:WatchChanges"):
            authorizer.authorize(**question(place))
        place.house.call("PutUserPolicy", user_name="watcher", policy_name="inline-0", policy_document=allow("authorize:*"))
        assert authorizer.wait_until_ready(60)
        assert local(authorizer.authorize(**question(place)))


def test_nobody_waits_for_a_copy_that_nobody_loads(place: Inside) -> None:
    blind = place.house.user("blind", SEES_AUTHORIZE)
    with place.client(blind) as made, ThreadPoolExecutor(1) as thread:
        authorizer = LocalAuthorizer(made)
        waiting = thread.submit(authorizer.wait_until_ready, 600)
        until(lambda: authorizer.error is not None)
        authorizer.close()
        assert waiting.result(timeout=60) is False


def test_nobody_waits_for_a_revision_of_a_copy_that_is_gone(place: Inside) -> None:
    watcher = place.house.user("watcher", allow("authorize:*"))
    with place.client(watcher) as made, LocalAuthorizer(made, patience=600) as authorizer, ThreadPoolExecutor(1) as thread:
        assert authorizer.wait_until_ready(60)
        place.house.call("PutUserPolicy", user_name="watcher", policy_name="inline-0", policy_document=SEES_AUTHORIZE)
        asked = thread.submit(authorizer.authorize, **question(place), at_least=place.house.revision)
        try:
            assert not local(asked.result(timeout=60))
        finally:
            authorizer.close()


@pytest.mark.parametrize("lacking", ["authorize:Authorize", "authorize:AssertPrincipal"])
def test_what_the_caller_is_not_permitted_to_ask_the_server_refuses(place: Inside, lacking: str) -> None:
    document = allow("authorize:*")[:-2] + f',{{"Effect":"Deny","Action":"{lacking}","Resource":"*"}}]}}'
    watcher = place.house.user("watcher", document)
    with place.client(watcher) as made, LocalAuthorizer(made) as authorizer:
        assert authorizer.wait_until_ready(60)
        with pytest.raises(client.Denied, match=lacking):
            authorizer.authorize(**question(place))


def test_a_session_is_its_caller_until_it_ends(place: Inside) -> None:
    house = place.house
    role = house.call("CreateRole", role_name="svc", assume_role_policy_document=trust(f"arn:aws:iam::{house.account_id}:root")).role
    house.call("PutRolePolicy", role_name="svc", policy_name="p", policy_document=allow("authorize:*", "orders:*"))
    user = house.user("assumer", allow("sts:AssumeRole"))
    narrowed = allow("authorize:*", "orders:Ship")
    session = house.assume(role.arn, _as=user, policy=narrowed, duration_seconds=900)
    later = timedelta()
    with place.client(session) as made, LocalAuthorizer(made, now=lambda: datetime.now(UTC) + later) as authorizer:
        assert authorizer.wait_until_ready(60)
        for action, allowed in (("orders:Ship", True), ("orders:Get", False)):
            found, asked = authorizer.authorize(action=action, resource="*"), made.authorize(action=action, resource="*")
            assert (local(found), found.allowed, found.principal_arn) == (True, allowed, asked.principal_arn)
            assert found.layer == asked.layer
        later = timedelta(seconds=901)
        assert not local(authorizer.authorize(action="orders:Ship", resource="*"))


def test_proofs_of_others_are_the_servers_to_verify(place: Inside) -> None:
    bob = place.house.user("bob", SHIP)
    with place.client() as made, place.client(bob) as his, LocalAuthorizer(made) as authorizer:
        assert authorizer.wait_until_ready(60)
        found = authorizer.authorize(action="orders:Ship", resource="*", bearer_token=his.token())
        assert (found.allowed, local(found)) == (True, False)


def test_another_history_is_loaded_anew(place: Inside) -> None:
    """The cursor is in no history of the server's: what is there goes, and comes again."""
    with place.client() as made, LocalAuthorizer(made) as authorizer:
        assert authorizer.wait_until_ready(60)
        follower = authorizer._follower
        assert follower.replica is not None
        before = follower.replica
        world = place.house.node.world
        with place.house.node.database.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE revisions SET nonce = 'abababababababab'")
            connection.exec_driver_sql("INSERT INTO revisions SELECT max(number) + 1, 'cdcdcdcdcdcdcdcd', committed_at FROM revisions")
        until(lambda: world.point.nonce == "cd" * 8)
        until(lambda: follower.replica is not None and follower.replica.point == world.point)
        assert follower.replica is not before
        assert local(authorizer.authorize(**question(place)))


def test_credentials_that_change_are_whose_copy_it_is(place: Inside) -> None:
    """A source that gives another's credentials: with the next stream, the copy and its caller are that one's."""
    one, other = (place.house.user(name, allow("authorize:*")) for name in ("one", "other"))
    current: list[sigv4.Credentials] = [one]
    with place.client() as made:
        made._transport._credentials = lambda: current[0]
        with LocalAuthorizer(made) as authorizer:
            assert authorizer.wait_until_ready(60)
            current[0] = other
            authorizer._follower._call.cancel()

            def caller() -> str:
                replica = authorizer._follower.replica
                subject: Subject | None = replica.caller if replica is not None else None
                record = place.house.node.world.get_record(subject.id) if subject is not None else None
                return record.name if isinstance(record, PrincipalRecord) else ""

            until(lambda: caller() == "other")
    gc.collect()


def test_an_empty_principal_is_not_the_caller(place: Inside) -> None:
    with place.client() as made, LocalAuthorizer(made) as authorizer:
        assert authorizer.wait_until_ready(60)
        assert authorizer.authorize(action="orders:Ship", resource="*").allowed  # who is now composed, and permitted to assert everybody
        with pytest.raises(ValueError, match="not empty"):
            authorizer.authorize(principal="", action="orders:Ship", resource="*")


@pytest.mark.parametrize(
    "refused",
    [{"resource": "arn:aws:iam::aws:policy/ReadOnlyAccess"}, {"resource": "*", "resource_account": "aws"}, {"resource_policy": {}}],
)
def test_a_question_that_the_server_refuses_is_not_answered_here(place: Inside, refused: dict[str, Any]) -> None:
    with place.client() as made, LocalAuthorizer(made) as authorizer:
        assert authorizer.wait_until_ready(60)
        with pytest.raises(client.InvalidArgument):
            authorizer.authorize(**(question(place) | refused))


def test_values_that_can_be_read_once_reach_the_server_too(place: Inside) -> None:
    """ForAllValues is true of no values: a context that was used up here would be allowed there."""
    place.house.user("eve", allow("orders:Ship", when={"ForAllValues:StringEquals": {"orders:Kinds": ["books"]}}))
    elsewhere = {"aws:SourceAccount": "111122223333"}  # of whose organization the server alone knows
    with place.client() as made, LocalAuthorizer(made) as authorizer:
        assert authorizer.wait_until_ready(60)
        for kinds, allowed in ((["books"], True), (["arms"], False)):
            for more in ({}, elsewhere):
                found = authorizer.authorize(**question(place, "eve"), context={"orders:Kinds": iter(kinds), **more})
                assert (found.allowed, local(found)) == (allowed, more == {})


def test_a_copy_is_not_followed_as_somebody_else(place: Inside) -> None:
    """The credentials change, and the copy of the new caller does not come: the one of the old caller grows old, for its changes may not
    be told to the new one.
    """
    one, other = (place.house.user(name, allow("authorize:*")) for name in ("one", "other"))
    current: list[sigv4.Credentials] = [one]
    broken: list[int] = []

    def breaking(index: int, answer: bytes) -> bytes:
        if current[0] is other:
            broken.append(index)
            return b""
        return answer

    with place.client() as made:
        made._transport._credentials = lambda: current[0]
        made._transport = Meddler(made._transport, {SNAPSHOT: breaking})  # type: ignore[assignment]  # the part of it that is used
        with LocalAuthorizer(made, max_silence=3.0) as authorizer:
            assert authorizer.wait_until_ready(60)
            follower = authorizer._follower
            current[0] = other
            follower._call.cancel()
            until(lambda: broken)
            before = follower.fresh_at
            until(lambda: len(broken) > 3)
            assert follower.fresh_at == before


def test_pages_of_two_histories_are_no_copy(place: Inside) -> None:
    """The database was another between the first page and the last, which a worker that lags does not know yet."""
    with place.client() as made, LocalAuthorizer(made) as authorizer:
        assert authorizer.wait_until_ready(60)
        follower, replica = authorizer._follower, authorizer._follower.replica
        assert replica is not None
        authorizer.close()
        follower._stop.clear()
        other = changes.Point(replica.point.number, "ab" * 8)
        batch = pb.Batch(after=replica.token, revision=replica.token)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(follower, "_contents", lambda *_: iter([batch.SerializeToString()]))
            for read in ((other,), (replica.point, other)):
                with pytest.raises(_Anew):
                    follower._follow(replica, read, None)


def test_a_process_that_stood_still_does_not_take_messages_for_newer_than_they_are(place: Inside) -> None:
    """The server's clock has gone on by an hour since the stream began, ours has not: the stream is opened anew."""
    with place.client() as made, LocalAuthorizer(made) as authorizer:
        assert authorizer.wait_until_ready(60)
        follower, replica = authorizer._follower, authorizer._follower.replica
        assert replica is not None
        authorizer.close()
        follower._stop.clear()
        before = follower.fresh_at
        batch = pb.Batch(after=replica.token, revision=replica.token, elapsed_ms=3_600_000)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(follower, "_contents", lambda *_: iter([batch.SerializeToString()] * 3))
            follower._follow(replica, (), None)
        assert follower.fresh_at == before

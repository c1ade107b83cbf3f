"""Messages that a copy does not believe."""

from collections.abc import Callable

import pytest

from sekisho import client
from sekisho.api.authorize.v1 import changes_pb2 as pb
from sekisho.client import Unavailable
from sekisho.client.local import LocalAuthorizer
from sekisho.client.local.follower import SNAPSHOT, WATCH
from sekisho.store import changes
from tests.client.local.asking import question, until
from tests.client.local.meddler import Meddler
from tests.inside import Inside
from tests.services.iam.documents import allow


def test_what_is_not_signed_with_the_callers_secret_is_not_believed(place: Inside) -> None:
    def forged(_: int, answer: bytes) -> bytes:
        made = pb.GetSnapshotResponse.FromString(answer)
        page = pb.SnapshotPage.FromString(made.page.content)
        for record in page.records:
            if record.WhichOneof("record") == "principal":
                record.principal.inline.add(name="more", document=allow("*"))
        made.page.content = page.SerializeToString()
        return made.SerializeToString()

    _unbelieved(place, {SNAPSHOT: forged})


def test_pages_that_are_left_out_or_swapped_are_not_believed(place: Inside) -> None:
    kept: list[bytes] = []

    def swapped(index: int, answer: bytes) -> bytes:
        kept.append(answer)
        return kept[0] if index == 1 else answer

    _unbelieved(place, {SNAPSHOT: swapped})


def test_changes_of_another_stream_are_not_believed(place: Inside) -> None:
    with place.client() as other:
        stolen = next(other._authorize.watch_changes(records={"nonce": b"n" * 16})).SerializeToString()
    _unbelieved(place, {WATCH: lambda _, answer: stolen})


def _unbelieved(place: Inside, meddling: dict[str, Callable[[int, bytes], bytes]]) -> None:
    with place.client() as made:
        made._transport = Meddler(made._transport, meddling)  # type: ignore[assignment]  # the part of it that is used
        with LocalAuthorizer(made, otherwise="refuse") as authorizer:
            until(lambda: authorizer.error is not None)
            assert authorizer.error is not None
            assert authorizer.error.code == "Unproven"
            assert not authorizer.wait_until_ready(0.2)
            with pytest.raises(Unavailable, match="not decided in this process"):
                authorizer.authorize(**question(place))


def test_a_change_that_was_left_out_on_the_way_is_noticed(place: Inside) -> None:
    """Each step names the revision that it leads from; the copy that was not brought there is not moved."""
    with place.client() as made, LocalAuthorizer(made) as authorizer:
        assert authorizer.wait_until_ready(60)
        replica = authorizer._follower.replica
        assert replica is not None
        far = changes.Point(replica.point.number + 5, "ab" * 8)
        for after, nonces in ((far, b"\1" * 8), (replica.point, b"")):
            batch = pb.Batch(after=after.token, revision=changes.Point(far.number + 1, "01" * 8).token, nonces=nonces)
            with pytest.raises(client.Error, match="does not go on"):
                authorizer._follower._applied(replica, batch)

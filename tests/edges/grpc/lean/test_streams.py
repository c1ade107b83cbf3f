"""Streams on the lean listener: health and reflection beside grpcio's, who ends a stream, and clients that mean no good."""

import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2 as pb

from sekisho.api.authorize.v1 import changes_pb2
from sekisho.edges.grpc.lean import ages, port
from sekisho.edges.grpc.lean.served import Lean
from tests import inside as insides
from tests.edges.grpc import frames
from tests.edges.grpc.frames import frame
from tests.edges.grpc.ways import CLIENT, PATIENCE, heard, told, until
from tests.harness import House, house
from tests.served import signed
from tests.services.iam.documents import allow

WATCH = "/sekisho.api.authorize.v1.AuthorizeService/WatchChanges"
HEALTH = "/grpc.health.v1.Health/Watch"
REFLECTIONS = [f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo" for version in ("v1", "v1alpha")]
SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3
LIST = pb.ServerReflectionRequest(list_services="")


class Place:
    """A house with a lean listener, and where that is."""

    def __init__(self, made: House, listener: Lean, address: str) -> None:
        self.house, self.listener, self.address = made, listener, address

    @property
    def port(self) -> Any:
        """What listens."""
        return self.listener._port

    def watching(self, **fields: Any) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
        """The message of a call of WatchChanges, and its signed headers."""
        body = changes_pb2.WatchChangesRequest(**fields).SerializeToString()
        return body, tuple((name.encode(), value.encode()) for name, value in signed(self.house.root, WATCH, body))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as made, insides.leanly(made) as (listener, address):
        made.call("GetUser")
        yield Place(made, listener, address)


@pytest.fixture
def channel(place: Place) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(place.address, CLIENT) as opened:
        yield opened


ASKED = {
    "services": LIST,
    "a symbol": pb.ServerReflectionRequest(file_containing_symbol="sekisho.api.authorize.v1.AuthorizeService"),
    "a file": pb.ServerReflectionRequest(file_by_filename="sekisho/api/sts/v1/sts.proto"),
    "no such symbol": pb.ServerReflectionRequest(file_containing_symbol="no.Such"),
    "extensions": pb.ServerReflectionRequest(all_extension_numbers_of_type="google.protobuf.MethodOptions"),
    "an extension": pb.ServerReflectionRequest(
        file_containing_extension=pb.ExtensionRequest(containing_type="google.protobuf.MethodOptions", extension_number=99)
    ),
    "nothing": pb.ServerReflectionRequest(),
}


def reflected(channel: grpc.Channel, path: str) -> list[pb.ServerReflectionResponse]:
    """The answers to all questions, of one stream."""
    ask = channel.stream_stream(path, pb.ServerReflectionRequest.SerializeToString, pb.ServerReflectionResponse.FromString)
    return list(ask(iter(ASKED.values()), timeout=PATIENCE))


def test_reflection_says_what_grpcio_says(place: Place, channel: grpc.Channel) -> None:
    with insides.served(place.house) as stock, grpc.insecure_channel(f"127.0.0.1:{stock.port}", CLIENT) as other:
        expected = reflected(other, REFLECTIONS[1])
    assert len(expected) == len(ASKED)
    for path in REFLECTIONS:
        for question, found, wanted in zip(ASKED, reflected(channel, path), expected, strict=True):
            assert found == wanted, question
    names = [service.name for service in expected[0].list_services_response.service]
    assert {"grpc.health.v1.Health", "sekisho.api.authorize.v1.AuthorizeService"} <= set(names)
    assert expected[1].file_descriptor_response.file_descriptor_proto


def test_each_question_is_answered_before_the_next_is_asked(channel: grpc.Channel) -> None:
    ask = channel.stream_stream(REFLECTIONS[0], pb.ServerReflectionRequest.SerializeToString, pb.ServerReflectionResponse.FromString)
    answered = threading.Semaphore(0)

    def questions() -> Iterator[pb.ServerReflectionRequest]:
        for _ in range(5):
            yield LIST
            assert answered.acquire(timeout=PATIENCE)

    count = 0
    for answer in ask(questions(), timeout=PATIENCE):
        assert answer.list_services_response.service
        count += 1
        answered.release()
    assert count == 5


def test_reflection_has_its_bounds(channel: grpc.Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "MESSAGES", 3)
    ask = channel.stream_stream(REFLECTIONS[0], None, pb.ServerReflectionResponse.FromString)
    for messages, count, code, said in (
        ([LIST.SerializeToString()] * 4, 3, grpc.StatusCode.RESOURCE_EXHAUSTED, "too many messages"),
        ([b"\xff"], 0, grpc.StatusCode.INTERNAL, "not a ServerReflectionRequest"),
        ([b"x" * 20_000], 0, grpc.StatusCode.RESOURCE_EXHAUSTED, "a message has at most"),
    ):
        found: list[Any] = []
        with pytest.raises(grpc.RpcError, match=said) as caught:
            found.extend(ask(iter(messages), timeout=PATIENCE))
        assert caught.value.code() is code
        assert len(found) == 0 or len(found) == count


def test_health(place: Place, channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest
    names = {"", *(operation.service.full_name for operation in place.house.node.operations)}
    listed = stub.List(health_pb2.HealthListRequest(), timeout=PATIENCE).statuses
    assert {name: one.status for name, one in listed.items()} == dict.fromkeys(names, SERVING)
    watched = {name: stub.Watch(request(service=name), timeout=PATIENCE) for name in ("", "sekisho.api.sts.v1.StsService", "no.Such")}
    assert [next(stream).status for stream in watched.values()] == [SERVING, SERVING, SERVICE_UNKNOWN]
    assert stub.Check(request(), timeout=PATIENCE).status == SERVING
    with pytest.raises(grpc.RpcError) as caught:
        stub.Check(request(service="no.Such"), timeout=PATIENCE)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    watched.pop("no.Such").cancel()
    until(lambda: len(place.listener._probes._watches) == 2, "a watch that was cancelled is kept")
    over = place.listener.stop()
    assert [[one.status for one in stream] for stream in watched.values()] == [[NOT_SERVING], [NOT_SERVING]]
    assert over.wait(PATIENCE)
    assert place.listener._probes._places.taken == 0


def test_a_silent_reflection_does_not_keep_a_server_from_stopping(place: Place, channel: grpc.Channel) -> None:
    ask = channel.stream_stream(REFLECTIONS[0], pb.ServerReflectionRequest.SerializeToString, pb.ServerReflectionResponse.FromString)
    silent = threading.Event()

    def questions() -> Iterator[pb.ServerReflectionRequest]:
        yield LIST
        silent.wait(PATIENCE)

    stream: Any = ask(questions())
    next(stream)
    place.listener.stop(600.0)
    with pytest.raises(grpc.RpcError, match="The server stops"):
        next(stream)
    silent.set()
    assert place.listener.over.wait(PATIENCE)


def watched(place: Place, peer: frames.Peer, stream: int = 1, headers: tuple[tuple[bytes, bytes], ...] = (), **fields: Any) -> None:
    """Call WatchChanges."""
    body, own = place.watching(**fields)
    peer.send(frames.headers(stream, frames.opening(WATCH, (*own, *headers))) + frames.data(stream, frames.message(body), flags=1))


def first(peer: frames.Peer, stream: int = 1) -> bytes:
    """The first message of a stream."""
    while True:
        kind, _, where, payload = peer.receive()
        if (kind, where) == (frames.DATA, stream):
            return payload
        assert kind != frames.RESET, "the stream is reset"


def test_a_stream_is_ended_at_its_deadline_also_for_who_does_not_look(place: Place) -> None:
    with frames.Peer(place.address) as peer:
        watched(place, peer, headers=((b"grpc-timeout", b"1500m"),), heartbeat_seconds=60)
        assert first(peer)
        assert place.listener.streams == 1
        assert heard(peer, 1) == "4 Deadline Exceeded"
        until(lambda: place.listener.streams == 0, "its producer goes on")
        assert place.listener._lot.size == 0


@pytest.mark.parametrize("how", ["reset", "connection"])
def test_who_goes_gives_the_place_back(place: Place, how: str) -> None:
    with frames.Peer(place.address) as peer:
        watched(place, peer, heartbeat_seconds=60)
        assert first(peer)
        until(lambda: place.listener._lot.size == 1, "it does not wait")
        if how == "reset":
            peer.send(frame(frames.RESET, 0, 1, b"\0\0\0\x08"))
            until(lambda: place.listener.streams == 0, "its producer goes on")
            watched(place, peer, 3)
            assert first(peer, 3)
    until(lambda: place.listener.streams == 0 and place.listener._lot.size == 0, "its producer goes on")


def test_streams_that_are_reset_as_soon_as_they_are_opened(place: Place) -> None:
    """Beside somebody who watches and hears all; nothing is left of the others."""
    with frames.Peer(place.address) as quiet, frames.Peer(place.address) as wild:
        watched(place, quiet, heartbeat_seconds=60)
        assert first(quiet)
        for stream in range(1, 801, 2):
            watched(place, wild, stream)
            wild.send(frame(frames.RESET, 0, stream, b"\0\0\0\x08"))
        place.house.call("CreateUser", user_name="ann")
        assert first(quiet)
        until(lambda: place.listener.streams == 1, "places are left taken")
        until(lambda: place.listener._lot.size == 1, "streams are left waiting")
    until(lambda: not place.port._peers, "connections are left")
    assert place.port._budget.taken == 0


def test_who_has_no_window_holds_one_message(place: Place) -> None:
    """And is ended when it has taken nothing for long, with what was held for it."""
    with frames.Peer(place.address) as peer:
        peer.send(frame(frames.SETTINGS, 0, 0, struct.pack(">HI", frames.INITIAL_WINDOW, 0)))
        watched(place, peer, heartbeat_seconds=1)
        [client] = until_found(lambda: [one for one in place.port._peers.values() if one.connection.held])
        held = client.connection.held
        for number in range(20):
            place.house.call("CreateUser", user_name=f"user-{number}")
        time.sleep(2.5)  # in which heartbeats would be due
        assert client.connection.held == held < 1000
        assert place.listener.streams == 1
        [stream] = client.connection.streams.values()
        stream.began -= ages.STALLING
        assert heard(peer, 1) == "RESET"
        until(lambda: place.listener.streams == 0, "its producer goes on")
        until(lambda: place.port._answers.taken == 0, "room is left taken")


def test_who_does_not_read_what_comes_is_not_sent_more_and_more(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its windows are the largest that there are, so that nothing but its socket says that it does not read."""
    monkeypatch.setattr(ages, "PATIENCE", 600.0)
    filler = " " * 100_000 + "}"
    house_ = place.house
    house_.call("CreateUser", user_name="ann")
    with frames.Peer(place.address) as peer:
        peer.send(frame(frames.WINDOW, 0, 0, (2**31 - 1 - 65_535).to_bytes(4)))
        for stream in range(1, 21, 2):
            watched(place, peer, stream, records={"nonce": b"n" * 16}, heartbeat_seconds=60)
        [client] = until_found(lambda: [one for one in place.port._peers.values() if one.connection.streams])
        for number in range(60):
            document = allow(f"orders:Ship{number}")[:-1] + filler
            house_.call("PutUserPolicy", user_name="ann", policy_name="p", policy_document=document)
        until(lambda: client.unsent, "all was sent")
        time.sleep(1.0)
        assert len(client.unsent) + client.connection.held < 4_000_000  # 60 changes to ten watchers are more than 60 MB
        assert place.port._answers.taken == client.held
    until(lambda: place.listener.streams == 0 and place.port._answers.taken == 0, "something is left of it")


def test_messages_on_a_stream_that_wants_none(place: Place) -> None:
    """After its end: ignored, and a flood of them is none of the stream's."""
    with frames.Peer(place.address) as peer:
        watched(place, peer, heartbeat_seconds=60)
        assert first(peer)
        peer.send(frames.data(1, frames.message(b"more")) * 100)
        place.house.call("CreateUser", user_name="ann")
        assert first(peer)
        peer.send(frames.data(1, b"") * 2000)
        assert b"GOAWAY" in peer.ended(1)
    until(lambda: place.listener.streams == 0, "its producer goes on")


def test_half_open_streams_are_told_that_they_are_late(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each kind: those whose message never comes, and talks that never begin."""
    monkeypatch.setattr(ages, "PATIENCE", 2.0)
    with ExitStack() as stack:
        peers = [stack.enter_context(frames.Peer(place.address)) for _ in range(10)]
        for peer in peers:
            for number in range(100):
                path = (WATCH, HEALTH, *REFLECTIONS)[number % 4]
                peer.send(frames.headers(2 * number + 1, frames.opening(path)))
        for peer in peers:
            assert told(peer.ended(199)) == "4 Deadline Exceeded"
        until(lambda: not any(one.connection.streams for one in place.port._peers.values()), "streams are left")


def test_a_stream_outlasts_the_age_of_its_connection(place: Place, channel: grpc.Channel) -> None:
    """Its client makes other calls over another one, and each change is heard on the old one as long as there is the stream."""
    body, headers = place.watching(heartbeat_seconds=60)
    metadata = tuple((name.decode(), value.decode()) for name, value in headers)
    stream: Any = channel.unary_stream(WATCH, None, changes_pb2.WatchChangesResponse.FromString)(body, metadata=metadata)
    assert next(stream).revision
    [old] = place.port._peers.values()
    old.ends = 0.0
    until(lambda: old.connection.leaving, "its client is not told")
    assert health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE).status == SERVING
    assert len(place.port._peers) == 2
    ann = place.house.call("CreateUser", user_name="ann").user.user_id
    assert list(next(stream).ids) == [ann]
    stream.cancel()
    until(lambda: old not in place.port._peers.values(), "the old connection is kept without a stream")


def test_a_quiet_client_is_asked_whether_it_is_there(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ages, "QUIET", 1.0)
    monkeypatch.setattr(ages, "REPLYING", 2.0)
    with frames.Peer(place.address) as peer:
        watched(place, peer, heartbeat_seconds=60)
        assert first(peer)
        for _ in range(2):
            while (found := peer.receive())[0] != frames.PING:
                pass
            assert found[:3] == (frames.PING, 0, 0)
            peer.send(frame(frames.PING, frames.ACK, 0, found[3]))
        assert b"GOAWAY" not in gone(peer)
    until(lambda: place.listener.streams == 0, "its producer goes on")


def gone(peer: frames.Peer) -> bytes:
    """What comes until the other side has closed."""
    found = b""
    while True:
        try:
            kind, _, _, payload = peer.receive()
        except (EOFError, ConnectionResetError):
            return found
        found += b"GOAWAY" * (kind == frames.GOAWAY) + payload


def until_found(look: Any) -> Any:
    """What is there, once it is."""
    found: list[Any] = []

    def there() -> bool:
        found[:] = look()
        return bool(found)

    until(there, "it is not there")
    return found

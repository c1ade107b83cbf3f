"""Keeps a replica: loads it once, then follows the changes; what is not signed with the caller's own secret is not looked at."""

import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from sekisho.api.authorize.v1 import changes_pb2 as pb
from sekisho.api.authorize.v1 import records_pb2
from sekisho.client import errors
from sekisho.client.local.replica import Replica
from sekisho.client.retries import Retries
from sekisho.client.transport import Transport
from sekisho.sigv4 import Credentials, verify_answer
from sekisho.world import messages
from sekisho.world.revisions import Point, parse

SNAPSHOT = "/sekisho.api.authorize.v1.AuthorizeService/GetSnapshot"
WATCH = "/sekisho.api.authorize.v1.AuthorizeService/WatchChanges"
LOAD = 300.0
"""Seconds in which a snapshot has to come."""
RENEWAL = 900.0
"""Seconds after which a stream is opened anew, so that the clocks of both sides do not drift apart, and new credentials are used."""
LEAST = 1.0
"""Seconds that a stream is opened for, however soon the credentials end."""
DRIFT = 0.5
"""Seconds by which the server's clock may have gone faster since a stream began; what is more says that this process, or its machine, stood
still, and then the stream no longer tells how old its messages are."""


class Unproven(errors.Error):
    """An answer that no server made which knows the caller's secret, or that does not go on where the one before has ended."""


class _Anew(Exception):  # noqa: N818  # says what to do, as `StopIteration` does
    """What was loaded has to be loaded again."""


class Follower:
    """The thread that follows. `replica` is None until there is one, and again when the caller lost its permission or its history."""

    def __init__(self, transport: Transport, *, heartbeat: int, max_bytes: int) -> None:
        self._transport, self._heartbeat, self._max_bytes = transport, heartbeat, max_bytes
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._call: Any = None
        self._loaded_as: Credentials | None = None
        self._retries = Retries()
        self.replica: Replica | None = None
        self.fresh_at = 0.0
        """When (monotonic) the server still said that there was nothing newer, at the earliest."""
        self.error: errors.Error | None = None
        """What went wrong last, until something goes right."""
        self._thread = threading.Thread(target=self._run, name="sekisho-follower", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Follow no more; what there is grows old."""
        with self._changed:
            self._stop.set()
            self._changed.notify_all()
        call = self._call
        if call is not None:
            call.cancel()
        self._thread.join(timeout=5)

    def wait(self, seconds: float) -> bool:
        """Wait until there is a replica; False when it takes longer, or nobody follows any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._stop.is_set() or self.replica is not None, max(0.0, seconds))
            return self.replica is not None

    def reach(self, seconds: float, number: int) -> None:
        """Wait until the replica has at least this revision's number, or nothing will bring it: no replica, nobody who follows, no time."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_past(number), max(0.0, seconds))

    def _is_past(self, number: int) -> bool:
        return self._stop.is_set() or self.replica is None or self.replica.point.number >= number

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            before = self.fresh_at
            try:
                credentials = self._credentials()
                if self.replica is None or self._loaded_as != credentials:
                    self._load(credentials)
                else:
                    self._follow(self.replica, (), credentials)
                failures = 0
                continue
            except _Anew:
                self._set(None)
            except (errors.Denied, errors.Unauthenticated) as error:  # what the caller has it may not know any more
                self._set(None)
                self.error = error
            except errors.Error as error:
                self.error = error
            except Exception as error:  # whatever it is, the thread goes on: without it the replica would only grow old
                self.error = errors.Internal(f"{type(error).__name__}: {error}")
            failures = 1 if self.fresh_at != before else failures + 1
            self._stop.wait(self._retries.wait(min(failures, 8), lambda: 0.5 + secrets.randbelow(500) / 1000))

    def _set(self, replica: Replica | None, fresh_at: float | None = None) -> None:
        with self._changed:
            self.replica = replica
            if fresh_at is not None:
                self.fresh_at = fresh_at  # after the replica: whoever reads them the other way round takes none for fresher than it is
            self._changed.notify_all()

    def _load(self, credentials: Credentials | None) -> None:
        """Load a snapshot, and follow from where its first page was read; it is one world when that has come to where the last was."""
        said: dict[str, records_pb2.Record] = {}
        points: list[Point] = []
        first = last = None
        size = 0
        for content in self._contents(SNAPSHOT, lambda nonce: pb.GetSnapshotRequest(nonce=nonce), LOAD, credentials):
            last = pb.SnapshotPage.FromString(content)
            first = last if first is None else first
            size += len(content)
            if size > self._max_bytes:
                raise errors.ResourceExhausted(f"the snapshot has more than {self._max_bytes} bytes")
            points.append(parse(last.revision))
            said.update((record.id, record) for record in last.records)
        if first is None or last is None or not last.last or not first.HasField("caller"):
            raise Unproven("the snapshot is not whole")
        connection = {key.key: key.value for key in first.connection}
        self._follow(Replica(points[0], messages.subject_of(first.caller), connection, said, size), points, credentials)

    def _follow(self, replica: Replica, read: Sequence[Point], credentials: Credentials | None) -> None:
        """Apply what comes after a replica of these credentials' caller; it is shown once it has come by the points at which its parts were
        read.
        """
        whole = max((point.number for point in read), default=0)
        began = time.monotonic()

        def watch(nonce: bytes) -> Message:
            return pb.WatchChangesRequest(
                cursor=replica.point.token, heartbeat_seconds=self._heartbeat, records=pb.WatchRecords(nonce=nonce)
            )

        # A stream that outlived its credentials would be refused, as one whose caller has been deleted is.
        seconds = min(RENEWAL, max(LEAST, self._transport.lasts()))
        for content in self._contents(WATCH, watch, seconds, credentials):
            batch = pb.Batch.FromString(content)
            replica = self._applied(replica, batch)
            if replica.size > self._max_bytes:
                raise _Anew
            sent = began + batch.elapsed_ms / 1000
            if sent > time.monotonic() + DRIFT:
                return
            self.error = None
            if replica.point.number >= whole:
                if not all(map(replica.history.has, read)):  # parts of two histories are no world
                    raise _Anew
                read, self._loaded_as = (), credentials
                # The stream did not begin before it was asked for; so what the message says is not newer than this.
                self._set(replica, min(sent, time.monotonic()) - batch.age_ms / 1000)

    def _applied(self, replica: Replica, batch: pb.Batch) -> Replica:
        after, point = parse(batch.after), parse(batch.revision)
        nonces = [batch.nonces[at : at + 8].hex() for at in range(0, len(batch.nonces), 8)]
        points = [Point(after.number + count, nonce) for count, nonce in enumerate(nonces, 1)]
        if after != replica.point or (points[-1] if points else after) != point:
            raise Unproven("a change does not go on where the one before has ended")
        replica.history.extend(points)
        return replica.after(point, batch.records) if batch.records else replica.at(point)

    def _contents(self, path: str, request: Any, seconds: float, credentials: Credentials | None) -> Iterator[bytes]:
        """The content of a stream's messages, proved by credentials. Its end after so many seconds is no error, but for a snapshot."""
        nonce = secrets.token_bytes(32)
        secret = credentials.secret_access_key if credentials is not None else None
        call = self._call = self._transport.begin(path, request(nonce), timeout=seconds)
        try:
            if self._stop.is_set():
                return
            for index, answer in enumerate(call):
                signed = _signed(path, answer)
                if secret is not None and not verify_answer(secret, path, nonce, index, signed.content, signed.signature):
                    raise Unproven("the answer is not signed with the caller's secret")
                yield signed.content
        except grpc.RpcError as raised:
            error = errors.of(raised, self._transport.endpoint)
            if path == WATCH and isinstance(error, errors.TimedOut):
                return
            raise error from None
        except DecodeError:
            raise errors.Internal("the server's answer makes no sense") from None
        finally:
            call.cancel()

    def _credentials(self) -> Credentials | None:
        """The credentials that sign the calls; None for a caller whom a certificate proves, on a connection with TLS alone."""
        return self._transport.credentials() if self._transport.signs else None


def _signed(path: str, answer: bytes) -> records_pb2.Signed:
    if path == SNAPSHOT:
        return pb.GetSnapshotResponse.FromString(answer).page
    response = pb.WatchChangesResponse.FromString(answer)
    if response.reload:
        raise _Anew
    return response.batch

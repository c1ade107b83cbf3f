"""Every key is rotated under load, round after round: no valid credential is refused, and every retired one is, on every worker.

ROTATIONS=20 is what `make campaign` does. Time is not waited for: the test sets the ends of keys to now, as 37 hours would.
"""

import json
import os
import secrets
import threading
import time
from base64 import b32decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from sekisho import sigv4
from sekisho.credentials import one_time
from sekisho.credentials.key_ring import KeyRing
from sekisho.credentials.ring_document import Document
from sekisho.credentials.rotation import KINDS
from sekisho.node import ring_holders, rotating
from sekisho.node.roles import ROLES
from sekisho.node.rotating import Rotating
from sekisho.sigv4 import bearer
from sekisho.store import db
from tests import planes
from tests.harness import BY_NAME
from tests.served import AUDIENCE, OPTIONS, Answer, Served, serving, signed

pytestmark = pytest.mark.faults

ROUNDS = int(os.environ.get("ROTATIONS", "2"))
USERS = [f"user-{number}" for number in range(4)]
FOREIGN = ("UNAUTHENTICATED", "INVALID_CLIENT_TOKEN_ID")
PAUSE = 0.01
"""Seconds between two turns of a caller."""
SPAN = 60.0
"""Seconds that a call may take, on a machine that has much to do."""


@contextmanager
def channel(served: Served) -> Iterator[Served]:
    """The server over a connection of its own, which the system gives to any of the workers."""
    with grpc.insecure_channel(served.endpoints["grpc"], (*OPTIONS, ("grpc.use_local_subchannel_pool", 1))) as made:
        yield replace(served, channel=made)


def told(send: Callable[[], Answer]) -> Answer:
    """The answer, once there is room for the call: a machine that has much to do turns calls away, whoever makes them."""
    limit = time.monotonic() + SPAN
    while (answer := send()).reason == "BUSY" and time.monotonic() < limit:
        time.sleep(0.1)
    return answer


def ask(served: Served, name: str, _as: sigv4.Credentials, **fields: Any) -> Answer:
    operation = BY_NAME[name]
    body = operation.request(**fields).SerializeToString()
    return told(lambda: served.send(operation.path, body, signed(_as, operation.path, body), timeout=SPAN))


def ask_with_bearer(served: Served, made: sigv4.Credentials) -> Answer:
    header = bearer.make(made, AUDIENCE, datetime.now(UTC))
    return told(lambda: served.send(BY_NAME["GetCallerIdentity"].path, b"", (("authorization", header),), timeout=SPAN))


def accepted(answer: Answer) -> bytes:
    assert answer.status is grpc.StatusCode.OK, f"{answer.status} {answer.reason} {answer.message}"
    return answer.body


def listed(answer: Answer) -> Any:
    """A page of users."""
    return BY_NAME["ListUsers"].response.FromString(accepted(answer))


def session(served: Served, _as: sigv4.Credentials, **fields: Any) -> sigv4.Credentials:
    response: Any = BY_NAME["GetSessionToken"].response.FromString(accepted(ask(served, "GetSessionToken", _as, **fields)))
    made = response.credentials
    return sigv4.Credentials(made.access_key_id, made.secret_access_key, made.session_token)


@dataclass(slots=True)
class Phone:
    """An enabled device of a user, whose seed an earlier key has sealed."""

    user: sigv4.Credentials
    serial: str
    seed: bytes
    last: int

    @classmethod
    def enabled(cls, served: Served, name: str) -> "Phone":
        served.call("CreateUser", user_name=name)
        key = served.call("CreateAccessKey", user_name=name).access_key
        made = served.call("CreateVirtualMFADevice", virtual_mfa_device_name=name).virtual_mfa_device
        seed = b32decode(made.base32_string_seed + b"=" * (-len(made.base32_string_seed) % 8))
        step = one_time.step(datetime.now(UTC))
        codes = {"authentication_code1": one_time.code(seed, step - 1), "authentication_code2": one_time.code(seed, step)}
        served.call("EnableMFADevice", None, user_name=name, serial_number=made.serial_number, **codes)
        return cls(sigv4.Credentials(key.access_key_id, key.secret_access_key), made.serial_number, seed, step)

    def used(self, served: Served) -> sigv4.Credentials:
        """A session that a code of it was given for."""
        self.last = max(self.last + 1, one_time.step(datetime.now(UTC)))
        return session(served, self.user, serial_number=self.serial, token_code=one_time.code(self.seed, self.last))


class Load:
    """Callers that go on all the time, each with a kind of credential; whatever goes wrong is kept."""

    def __init__(self, served: Served, others: list[Served], ann: sigv4.Credentials) -> None:
        self._served, self._others, self._ann = served, others, ann
        self.session = session(served, ann)
        self.failures: list[str] = []
        self._stop = threading.Event()
        jobs: list[Callable[[Served], None]] = [self._key, self._session, self._bearer, self._list, self._issue]
        everywhere = [(served, job) for job in jobs] + [(other, job) for other in others for job in (self._key, self._session, self._issue)]
        self.turns = [0] * len(everywhere)
        self._threads = [threading.Thread(target=self._run, args=(index, *one), daemon=True) for index, one in enumerate(everywhere)]

    def _key(self, served: Served) -> None:
        accepted(ask(served, "GetCallerIdentity", self._ann))

    def _session(self, served: Served) -> None:
        accepted(ask(served, "GetCallerIdentity", self.session))

    def _issue(self, served: Served) -> None:
        """What one worker seals, any other opens at once."""
        made = session(served, self._ann)
        with channel(served) as other:
            accepted(ask(other, "GetCallerIdentity", made))

    def _bearer(self, served: Served) -> None:
        accepted(ask_with_bearer(served, self._ann))
        accepted(ask_with_bearer(served, self.session))

    def _list(self, served: Served) -> None:
        """A page at a time, with a connection for each."""
        found, marker = set(), ""
        while True:
            with channel(served) as page:
                users = listed(ask(page, "ListUsers", self._ann, max_items=2, **({"marker": marker} if marker else {})))
            found |= {user.user_name for user in users.users}
            if not users.is_truncated:
                break
            marker = users.marker
        assert found >= set(USERS)

    def _run(self, index: int, served: Served, job: Callable[[Served], None]) -> None:
        while not self._stop.wait(PAUSE):
            try:
                with channel(served) as one:
                    job(one)
            except Exception as error:
                self.failures.append(f"{job.__name__}: {type(error).__name__} {error}")
            self.turns[index] += 1

    def renew(self, made: sigv4.Credentials) -> None:
        """Have callers use this session, and return when none is still using the one before."""
        self.session = made
        self.go_on()

    def go_on(self) -> None:
        """Return when each caller has begun and ended a turn."""
        before, limit = list(self.turns), time.monotonic() + 120
        while any(now < then + 2 for now, then in zip(self.turns, before, strict=True)):
            assert time.monotonic() < limit, self.turns
            time.sleep(0.01)

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=120)


def end_now(ring: KeyRing) -> None:
    """Set the end of every retiring key to now."""

    def changed(document: Document) -> Document:
        now = datetime.now(UTC)
        return replace(document, entries=tuple(replace(one, ends=now) if one.ends is not None else one for one in document.entries))

    ring.rewrite(changed)


def prepared(served: Served) -> sigv4.Credentials:
    """The users that are listed, and who calls."""
    for name in USERS:
        served.call("CreateUser", user_name=name)
    key = served.call("CreateAccessKey", user_name=USERS[0]).access_key
    everything = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    served.call("PutUserPolicy", user_name=USERS[0], policy_name="all", policy_document=everything)
    return sigv4.Credentials(key.access_key_id, key.secret_access_key)


def marker(served: Served, ann: sigv4.Credentials) -> str:
    return str(listed(ask(served, "ListUsers", ann, max_items=2)).marker)


def refused_everywhere(served: Served, name: str, _as: sigv4.Credentials, expected: tuple[str, str], **fields: Any) -> None:
    """Over connections that come to each worker."""
    for _ in range(10):
        with channel(served) as one:
            answer = ask(one, name, _as, **fields)
            assert (answer.status.name, answer.reason) == expected, answer.message


def rounds(served: Served, others: list[Served], rotate: Callable[[str], None], ring: KeyRing, count: int) -> None:
    """What one round after the other does, while callers go on."""
    ann = prepared(served)
    lost: sigv4.Credentials | None = None
    lost_marker = ""
    with Load(served, others, ann) as load:
        for number in range(count):
            kept, kept_marker = session(served, ann), marker(served, ann)
            phone = Phone.enabled(served, f"phone-{number}-{secrets.token_hex(2)}")
            load.renew(session(served, ann))
            end_now(ring)  # keys of the round before
            for kind in KINDS:
                rotate(kind)
            rotating.rotate_master(KeyRing.open(ring_path(served)), served.folder / "data", None, lambda _: None)
            accepted(ask(served, "GetCallerIdentity", kept))
            accepted(ask(served, "ListUsers", ann, max_items=2, marker=kept_marker))
            accepted(ask(served, "GetCallerIdentity", phone.used(served)))
            if lost is not None:
                for node in (served, *others):
                    refused_everywhere(node, "GetCallerIdentity", lost, FOREIGN)
                refused_everywhere(served, "ListUsers", ann, ("INVALID_ARGUMENT", "VALIDATION_ERROR"), max_items=2, marker=lost_marker)
            lost, lost_marker = kept, kept_marker
            load.go_on()
            assert load.failures == []
    assert load.failures == []
    assert not [purpose for purpose, ids in KeyRing.open(ring_path(served)).held().items() if len(ids) > 2 and purpose != "trail"]


def ring_path(served: Served) -> Path:
    return served.folder / "data" / "keyring.json"


def test_rotations_under_load(database_url: str, tmp_path: Path) -> None:
    with serving(database_url, tmp_path, workers=2) as served, db.Database(database_url) as database:
        folder = tmp_path / "data"
        assert len(ring_holders.holders(folder)) == 2

        def rotate(kind: str) -> None:
            Rotating(KeyRing.open(ring_path(served)), folder, database, patience=120.0, batch=2).rotate(
                kind, lambda _: None, lambda *_: None
            )

        rounds(served, [], rotate, KeyRing.open(ring_path(served)), ROUNDS)


def test_rotations_with_a_data_node(tmp_path: Path) -> None:
    """The ring is carried to it when a key is published, when it is used, and when those before have an end."""
    url = f"sqlite:///{tmp_path / 'sekisho.db'}"
    with ExitStack() as stack:
        (tmp_path / "control").mkdir(mode=0o700)
        served = stack.enter_context(serving(url, tmp_path / "control"))
        data = stack.enter_context(planes.data_node(served, url, tmp_path / "data"))
        database = stack.enter_context(db.Database(url))
        folder, purposes = served.folder / "data", ROLES["data"].purposes
        assert purposes is not None
        (folder / rotating.EXPORTED).touch()

        def carry(_: str = "") -> None:
            KeyRing.open(ring_path(served)).export(ring_path(data), purposes)
            assert {key["purpose"] for key in json.loads(ring_path(data).read_text())["keys"]} == {"access-keys", "sessions", "snapshot"}

        def rotate(kind: str) -> None:
            ring = KeyRing.open(ring_path(served))
            Rotating(ring, folder, database, [data.endpoints["http"]], patience=120.0).rotate(kind, carry, lambda *_: None)
            carry()

        rounds(served, [data], rotate, KeyRing.open(ring_path(served)), (ROUNDS + 1) // 2)

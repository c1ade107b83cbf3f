"""A rotation beside workers: it waits until each has the keys, goes on where it ended, and is one at a time."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from sqlalchemy import select

from sekisho import sigv4
from sekisho.credentials import resealing, rotation, signing_keys
from sekisho.credentials.key_ring import ACCESS_KEYS, MFA, SESSIONS, SIGNING, TRAIL, KeyRing
from sekisho.credentials.rotation import KINDS
from sekisho.errors import SekishoError
from sekisho.node import data_dir, ring_holders, rotating
from sekisho.node.ring_holders import FOLDER, Held, holders
from sekisho.node.rotating import Rotating
from sekisho.store.tables import AccessKey, AuditRecord, IssuerKey, IssuerPrivateKey
from tests import harness
from tests.harness import House

Worker = Callable[[], Held]


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    with harness.house(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    """Workers of the data directory, each with a ring of its own."""
    with ExitStack() as stack:

        def made() -> Held:
            held = stack.enter_context(Held(tmp_path))
            held.begin(KeyRing.open(tmp_path / "keyring.json"))
            return held

        yield made


class Told(list[str]):
    """What a rotation has said."""

    def progress(self, done: int, total: int) -> None:
        self.append(f"{done} of {total}")


def rotate(house: House, folder: Path, kind: str = "wrapping", **given: object) -> Told:
    """Rotate a kind; what was said."""
    told = Told()
    made = Rotating(KeyRing.open(folder / "keyring.json"), folder, house.node.database, **given)  # type: ignore[arg-type]
    made.rotate(kind, told.append, told.progress)
    return told


def refused(house: House, folder: Path, kind: str = "wrapping", **given: object) -> str:
    with pytest.raises(SekishoError) as caught:
        rotate(house, folder, kind, **given)
    return caught.value.message


def states(folder: Path, purpose: str) -> list[tuple[str, str]]:
    document = KeyRing.open(folder / "keyring.json").document()
    now = datetime.now(UTC)
    return [(entry.id, rotation.state(document, entry, now)) for entry in document.entries if entry.purpose == purpose]


def test_a_rotation_says_what_it_does(house: House, tmp_path: Path, worker: Worker) -> None:
    worker(), worker()
    house.user("ann")
    before = states(tmp_path, ACCESS_KEYS)[0][0]
    told = rotate(house, tmp_path, batch=1)
    (old, old_state), (new, new_state) = states(tmp_path, ACCESS_KEYS)
    assert (old, old_state, new_state) == (before, "retiring", "current")
    published, taken, seals, used, *progress, sealed, end = told
    assert published.startswith(f"wrapping: published {new} (access-keys), ")
    assert taken == "every worker of this node does have the new key"
    assert seals.startswith(f"wrapping: {new} (access-keys), ")
    assert used == "every worker of this node does seal with the new key"
    assert progress == ["1 of 2", "2 of 2"]
    assert (sealed, end) == ("wrapping: 2 rows sealed anew", "wrapping: the keys before end in 37 hours")
    assert [len(holder.keys[ACCESS_KEYS]) for holder in holders(tmp_path) if holder.keys] == [2, 2]


def test_a_worker_that_has_not_the_key_is_waited_for(house: House, tmp_path: Path, worker: Worker) -> None:
    worker()
    with Held(tmp_path) as late:
        said = refused(house, tmp_path, "session", patience=0.0)
        assert said.startswith("process ")
        assert said.endswith(" does not have the new key yet; nothing is lost, run this again")
        (new, first), (old, second) = states(tmp_path, SESSIONS)
        assert (first, second) == ("next", "current")
        assert house.node.ring.current(SESSIONS).id == old
        late.begin(KeyRing.open(tmp_path / "keyring.json"))
        told = rotate(house, tmp_path, "session")
    assert told[0] == "session: going on with the rotation that did not end"
    assert states(tmp_path, SESSIONS) == [(old, "retiring"), (new, "current")]


def test_a_worker_that_was_killed_is_not_waited_for(house: House, tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from sekisho.node.ring_holders import Held
with Held(Path({str(tmp_path)!r})):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    assert len(list((tmp_path / FOLDER).iterdir())) == 1
    rotate(house, tmp_path, "session", patience=0.0)
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_disk_that_is_full_keeps_no_worker_from_serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = KeyRing.create(tmp_path / "keyring.json")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with Held(tmp_path) as held:
        with monkeypatch.context() as patched:
            patched.setattr(ring_holders, "write_file", full)
            held.begin(ring)
            assert [holder.keys for holder in holders(tmp_path)] == [None]
        held.tell(ring)
        assert [holder.keys for holder in holders(tmp_path)] == [ring.held()]


@pytest.mark.parametrize("step", ["publish", "use", "retire"])
def test_a_rotation_that_was_killed_goes_on(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Killed right before and right after each change of the file, and between two batches."""
    house.user("ann")
    whole = getattr(rotation, step)

    def after(*given: object) -> None:
        whole(*given)
        raise KeyboardInterrupt

    def before(*given: object) -> None:
        raise KeyboardInterrupt

    for death in (before, after):
        with monkeypatch.context() as patched:
            patched.setattr(rotation, step, death)
            with pytest.raises(KeyboardInterrupt):
                rotate(house, tmp_path)
        if (step, death) not in (("publish", before), ("retire", after)):  # nothing was begun, and all was done
            assert rotation.begun(KeyRing.open(tmp_path / "keyring.json").document(), KINDS["wrapping"])
            assert rotate(house, tmp_path)[0] == "wrapping: going on with the rotation that did not end"
        assert rotation.begun(KeyRing.open(tmp_path / "keyring.json").document(), KINDS["wrapping"]) == ""


def test_a_rotation_that_was_killed_between_two_batches_goes_on(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house.user("ann"), house.user("bob")

    def killed(done: int, total: int) -> None:
        assert (done, total) == (1, 3)
        raise KeyboardInterrupt

    ring = KeyRing.open(tmp_path / "keyring.json")
    with pytest.raises(KeyboardInterrupt):
        Rotating(ring, tmp_path, house.node.database, batch=1).rotate("wrapping", print, killed)
    assert [state for _, state in states(tmp_path, ACCESS_KEYS)] == ["retiring", "current"]
    assert ring.document().entries[0].ends is None, "rows are left that it opens"
    assert rotate(house, tmp_path, batch=1)[3:5] == ["1 of 2", "2 of 2"]
    with house.node.database.read() as session:
        assert all(house.node.ring.is_current(ACCESS_KEYS, row.secret) for row in session.scalars(select(AccessKey)))


def test_of_two_rotations_at_once_one_refuses(house: House, tmp_path: Path) -> None:
    before = (tmp_path / "keyring.json").read_bytes()
    with rotating.alone(tmp_path):
        for kind in KINDS:
            assert refused(house, tmp_path, kind) == f"another rotation of the key ring in {tmp_path} runs; nothing was done"
        with pytest.raises(SekishoError, match="another rotation"):
            rotating.rotate_master(KeyRing.open(tmp_path / "keyring.json"), tmp_path, None, print)
    assert (tmp_path / "keyring.json").read_bytes() == before


def test_a_part_of_a_ring_is_not_rotated(house: House, tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    house.node.ring.export(tmp_path / "part" / "keyring.json", ["sessions"])
    said = refused(house, tmp_path / "part", "session")
    assert said.startswith("the key ring has no keys for access-keys, certificates, mfa, paging, ")
    assert said.endswith(": rotate keys where the whole ring is, and export it again")


def test_a_server_that_says_nothing_of_its_keys_is_not_passed_by(house: House, tmp_path: Path) -> None:
    with data_dir.alone(tmp_path):
        said = refused(house, tmp_path, "session", patience=0.0)
    assert said.startswith(
        "the server of this data directory, which says nothing of its keys (is it of an earlier release?), does not have"
    )
    assert [state for _, state in states(tmp_path, SESSIONS)] == ["next", "current"]


class Page:
    """A page of metrics of another node."""

    def __init__(self) -> None:
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = page.text.encode()
                self.send_response(200 if self.path == "/metrics" else 404)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *given: object) -> None:
                pass

        self.text = ""
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{self.server.server_port}"

    def shows(self, **keys: int) -> None:
        """Two workers, of which the second has these keys alone."""
        samples = [(0, id_.removeprefix("k"), 2) for id_ in keys] + [(1, id_.removeprefix("k"), value) for id_, value in keys.items()]
        lines = [f'{ring_holders.METRIC}{{purpose="sessions",key="{key}",worker="{number}"}} {value}.0' for number, key, value in samples]
        self.text = "\n".join([f"# TYPE {ring_holders.METRIC} gauge", *lines, ""])


@pytest.fixture
def page() -> Iterator[Page]:
    made = Page()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_nodes_that_were_given_the_ring_are_waited_for(house: House, tmp_path: Path, page: Page) -> None:
    (tmp_path / rotating.EXPORTED).touch()
    said = refused(house, tmp_path, "session")
    assert said.startswith("keys of this ring were exported to other nodes, which must have the new key first: give each of them the ring")
    (new, _), (old, _) = states(tmp_path, SESSIONS)
    page.shows(**{f"k{old}": 2})
    given = {"nodes": [page.address], "patience": 0.0}
    assert refused(house, tmp_path, "session", **given).startswith(f"{page.address}, worker 0, does not have the new key yet")
    page.shows(**{f"k{old}": 2, f"k{new}": 0})
    assert refused(house, tmp_path, "session", **given).startswith(f"{page.address}, worker 1, does not have the new key yet")
    page.shows(**{f"k{old}": 2, f"k{new}": 1})
    assert refused(house, tmp_path, "session", **given).startswith(f"{page.address}, worker 1, does not seal with the new key yet")
    assert states(tmp_path, SESSIONS) == [(old, "retiring"), (new, "current")]
    assert refused(house, tmp_path, "session", **given).startswith(f"{page.address}, worker 1, does not seal with")
    page.shows(**{f"k{new}": 2})
    assert rotate(house, tmp_path, "session", **given)[-1] == "session: the keys before end in 37 hours"
    page.text = ""
    assert refused(house, tmp_path, "session", **given) == f"{page.address} says nothing of its keys; is it of an earlier release?"
    assert "does not show its metrics" in refused(house, tmp_path, "session", nodes=["127.0.0.1:1"])
    assert "is not the address of a node" in refused(house, tmp_path, "session", nodes=["file:///etc/passwd"])
    assert rotate(house, tmp_path, "session", carried=True)[-1] == "session: the keys before end in 37 hours"


def test_a_revoked_key_is_gone_from_every_worker(house: House, tmp_path: Path, worker: Worker) -> None:
    worker(), worker()
    session = house.call("GetSessionToken", _as=house.user("ann")).credentials
    key = house.node.ring.current(SESSIONS).id
    given = Rotating(KeyRing.open(tmp_path / "keyring.json"), tmp_path, house.node.database)
    given.revoke(SESSIONS, key, lambda _: None)
    assert [key in holder.keys[SESSIONS] for holder in holders(tmp_path) if holder.keys] == [False, False]
    house.node.ring.refresh()
    with pytest.raises(SekishoError) as caught:
        house.call("GetCallerIdentity", _as=sigv4.Credentials(session.access_key_id, session.secret_access_key, session.session_token))
    assert caught.value.code == "InvalidClientTokenId"
    sealing = house.node.ring.current(ACCESS_KEYS).id
    with pytest.raises(SekishoError, match=f"2 rows are sealed with {sealing}, which nothing else would open: rotate first"):
        given.revoke(ACCESS_KEYS, sealing, print)


def test_a_key_that_seals_rows_from_now_on_is_not_revoked(house: House, tmp_path: Path) -> None:
    """There is no row yet; a worker that has not heard of it would seal one with a key that is gone."""
    sealing = house.node.ring.current(MFA).id
    given = Rotating(KeyRing.open(tmp_path / "keyring.json"), tmp_path, house.node.database)
    with pytest.raises(SekishoError, match=f"rows of {MFA} are sealed with {sealing} from now on: rotate first"):
        given.revoke(MFA, sealing, print)
    house.node.ring.refresh()
    assert house.node.ring.current(MFA).id == sealing


def test_the_key_of_a_chain_is_kept_when_it_is_rotated(house: House, tmp_path: Path) -> None:
    assert rotate(house, tmp_path, "trail")[-1] == "trail: the keys before are kept"
    assert [state for _, state in states(tmp_path, TRAIL)] == ["kept", "current"]


def test_issuers_turn_when_the_key_that_seals_their_pairs_does(house: House, tmp_path: Path) -> None:
    house.call("EnableOutboundWebIdentityFederation")
    ring = KeyRing.open(tmp_path / "keyring.json")
    with house.node.database.read() as session:
        before = {row.id: row.private_key for row in session.scalars(select(IssuerPrivateKey))}
    told = rotate(house, tmp_path, "signing")
    assert [state for _, state in states(tmp_path, SIGNING)] == ["retiring", "current"]
    assert "signing: 2 rows sealed anew" in told
    assert "signing: 2 new pairs of issuers, which sign when everybody may know them" in told
    ring.refresh()
    with house.node.database.read() as session:
        after = {row.id: row.private_key for row in session.scalars(select(IssuerPrivateKey))}
        begins = {row.id: row.begins_at for row in session.scalars(select(IssuerKey))}
    assert (len(before), len(after)) == (2, 4)
    assert before.keys() < after.keys()
    assert all(ring.is_current(SIGNING, sealed) for sealed in after.values())
    assert not any(ring.is_current(SIGNING, sealed) for sealed in before.values())
    ahead = datetime.now(UTC) + signing_keys.LEAD - timedelta(minutes=10)
    assert {kid for kid, moment in begins.items() if moment > ahead} == after.keys() - before.keys()
    told = rotate(house, tmp_path, "signing")
    assert "signing: 4 rows sealed anew" in told
    assert not [line for line in told if "pairs of issuers" in line], "who has a next pair gets no other"


def test_a_new_master_key_waits_for_servers_to_be_started_with_it(tmp_path: Path) -> None:
    path, first, second = tmp_path / "keyring.json", bytes(range(32)), bytes(range(1, 33))
    ring = KeyRing.create(path, first)
    told = Told()
    with Held(tmp_path) as running:
        running.begin(KeyRing.open(path, first))
        with pytest.raises(SekishoError, match="comes from outside: give the new one"):
            rotating.rotate_master(ring, tmp_path, None, told.append)
        rotating.rotate_master(ring, tmp_path, second, told.append)
        assert KeyRing.open(path, second).held() == KeyRing.open(path, first).held()
        running.tell(KeyRing.open(path, first))
        with pytest.raises(SekishoError, match="was started with the master key of before"):
            rotating.rotate_master(KeyRing.open(path, second), tmp_path, None, told.append, patience=0.0)
        with pytest.raises(SekishoError, match="the ring has a newer master key already"):
            rotating.rotate_master(KeyRing.open(path, first), tmp_path, None, told.append)
    rotating.rotate_master(KeyRing.open(path, second), tmp_path, None, told.append)
    assert told == [
        "master: the ring has a new master key",
        "master: the one of before opens it, too; start every server again with the new one, and run this again with it alone",
        "master: the key of before opens nothing any more",
    ]
    with pytest.raises(SekishoError, match="another master key"):
        KeyRing.open(path, first)
    rotating.rotate_master(KeyRing.open(path, second), tmp_path, first, told.append, at_once=True)
    with pytest.raises(SekishoError, match="another master key"):
        KeyRing.open(path, second)
    assert KeyRing.open(path, first).held() == ring.held()


def test_a_transaction_that_does_not_end_stops_a_rotation_that_goes_on_later(house: House, tmp_path: Path) -> None:
    def stuck(*_: object) -> None:
        raise resealing.StillOpen("open")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(resealing, "settle", stuck)
        assert refused(house, tmp_path) == "open"
    assert rotate(house, tmp_path)[-1] == "wrapping: the keys before end in 37 hours"


def test_a_rotation_is_in_the_audit_trail(house: House, tmp_path: Path, worker: Worker) -> None:
    """Of the account that was first, by the operator of the machine; a key that was revoked, too. Neither says any key itself."""
    worker()
    rotate(house, tmp_path, "session")
    ring = KeyRing.open(tmp_path / "keyring.json")
    before, now = (id_ for id_, _ in states(tmp_path, SESSIONS))
    Rotating(ring, tmp_path, house.node.database).revoke(SESSIONS, before, lambda _: None)
    with house.node.database.read() as session:
        query = select(AuditRecord).where(AuditRecord.event_source == "keyring.amazonaws.com").order_by(AuditRecord.at)
        found = [(one.event_name, one.account_id, one.principal_id, json.loads(one.request)) for one in session.scalars(query)]
    assert [one[:3] for one in found] == [(name, house.account_id, "local-operator") for name in ("RotateKeys", "RevokeKey")]
    assert found[0][3]["kind"] == "session"
    assert now in found[0][3]["keys"]
    assert found[1][3] == {"purpose": SESSIONS, "key": before}

"""Sealed values open only in their place and under their key; the ring's file is guarded, shared and rotated."""

import base64
import json
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.credentials import ring_file
from sekisho.credentials.envelopes import SealBroken
from sekisho.credentials.key_ring import KeyRing, UnknownKey, parse_master
from sekisho.credentials.ring_document import KeyRingUnusable

MASTER = bytes(range(32))
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
PLACE = ("access_keys", "secret", "AKIAEXAMPLE")
WRITTEN_BEFORE = """{
 "format": 1,
 "id": "38b4e652e44da7f2370d9e260e271365",
 "master": null,
 "keys": [
  {
   "purpose": "access-keys",
   "id": "50a4a3a6",
   "wrapped": "lF3i6PVO54HMdfY2DHGW/Im5dPIjxanXquiT9L/w0tQTEr5UXSGUj8h+1VjqOmdsGSAzraYlP721WGxm"
  },
  {
   "purpose": "mfa",
   "id": "d8509909",
   "wrapped": "tt0hD6+UrNPPksGQ57P+HBCZXSd/T0n+9MMakGbRZy3/iX2FxAYn7w+bR099Mw+TzuoewGSWp2emmMu6"
  }
 ]
}"""
"""A file that commit 3cb5642 wrote under MASTER, and what it sealed and signed with it."""
SEALED_BEFORE = "01d85099095930263938b370a1b5769fa0f02cae21d7620942cc60e4157667f953c289e92f1d"
MAC_BEFORE = "d85099097c01d32a07d2fd1cd1281c0d3ac639cc"


def ring(tmp_path: Path, master: bytes | None = None) -> KeyRing:
    return KeyRing.create(tmp_path / "keyring.json", master)


def test_a_value_opens_where_it_was_sealed(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    sealed = keys.seal("access-keys", b"plain", PLACE)
    assert b"plain" not in sealed
    assert len(sealed) == 5 + 33
    assert keys.unseal("access-keys", sealed, PLACE) == b"plain"
    assert KeyRing.open(tmp_path / "keyring.json").unseal("access-keys", sealed, PLACE) == b"plain"
    assert keys.seal("access-keys", b"plain", PLACE) != sealed


@pytest.mark.parametrize(
    "place",
    [("access_keys", "secret", "AKIAOTHER"), ("access_keys", "hash", "AKIAEXAMPLE"), ("users", "secret", "AKIAEXAMPLE"), PLACE[:2], ()],
    ids=["row", "column", "table", "shorter", "none"],
)
def test_a_value_moved_elsewhere_stays_closed(tmp_path: Path, place: tuple[str, ...]) -> None:
    keys = ring(tmp_path)
    sealed = keys.seal("access-keys", b"plain", PLACE)
    with pytest.raises(SealBroken):
        keys.unseal("access-keys", sealed, place)


def test_the_parts_of_a_place_do_not_run_together(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    sealed = keys.seal("mfa", b"plain", ("a", "bc", "d"))
    with pytest.raises(SealBroken):
        keys.unseal("mfa", sealed, ("ab", "c", "d"))


def test_purposes_do_not_open_each_other(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    with pytest.raises(UnknownKey):
        keys.unseal("mfa", keys.seal("access-keys", b"plain", PLACE), PLACE)


def test_no_byte_may_change(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    sealed = keys.seal("access-keys", b"plain", PLACE)
    for index in range(len(sealed)):
        for bit in range(8):
            changed = bytearray(sealed)
            changed[index] ^= 1 << bit
            with pytest.raises((SealBroken, UnknownKey)):
                keys.unseal("access-keys", bytes(changed), PLACE)
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            keys.unseal("access-keys", sealed[:length], PLACE)


@given(plaintext=st.binary(max_size=200), junk=st.binary(max_size=80))
def test_any_bytes_come_back_and_no_others_open(tmp_path_factory: pytest.TempPathFactory, plaintext: bytes, junk: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    keys = KeyRing.open(path) if path.exists() else KeyRing.create(path)
    assert keys.unseal("mfa", keys.seal("mfa", plaintext, PLACE), PLACE) == plaintext
    with pytest.raises((SealBroken, UnknownKey)):
        keys.unseal("mfa", junk, PLACE)


def test_rotation_seals_anew_and_opens_the_old(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    old = keys.seal("access-keys", b"plain", PLACE)
    assert keys.is_current("access-keys", old)
    key_id = keys.rotate("access-keys")
    new = keys.seal("access-keys", b"plain", PLACE)
    assert new[1:5].hex() == key_id != old[1:5].hex()
    assert (keys.is_current("access-keys", old), keys.is_current("access-keys", new)) == (False, True)
    assert keys.unseal("access-keys", old, PLACE) == keys.unseal("access-keys", new, PLACE) == b"plain"


def test_another_process_sees_a_rotation(tmp_path: Path) -> None:
    here, there = ring(tmp_path), KeyRing.open(tmp_path / "keyring.json")
    here.rotate("access-keys")
    sealed = here.seal("access-keys", b"plain", PLACE)
    assert there.unseal("access-keys", sealed, PLACE) == b"plain"
    here.rotate("access-keys")
    assert there.seal("access-keys", b"plain", PLACE)[1:5].hex() == here.current("access-keys").id


def test_a_forgotten_key_opens_nothing(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    sealed = keys.seal("sessions", b"plain", PLACE)
    old = keys.current("sessions").id
    with pytest.raises(ValueError, match="rotate first"):
        keys.forget("sessions", old)
    keys.rotate("sessions")
    keys.forget("sessions", old)
    with pytest.raises(UnknownKey, match=f"the key ring holds no key {old} for sessions"):
        keys.unseal("sessions", sealed, PLACE)


def test_an_unknown_key_does_not_read_the_file_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ring(tmp_path)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("read"))
    with pytest.raises(UnknownKey):
        keys.unseal("sessions", b"\x01\x00\x00\x00\x00" + bytes(28), PLACE)


def test_only_the_purposes_asked_for_are_held(tmp_path: Path) -> None:
    sealed = ring(tmp_path).seal("mfa", b"seed", PLACE)
    keys = KeyRing.open(tmp_path / "keyring.json", purposes=("access-keys", "sessions"))
    assert repr(keys) == f"KeyRing('{tmp_path}/keyring.json', purposes=['access-keys', 'sessions'])"
    with pytest.raises(UnknownKey, match="the key ring holds no keys for mfa"):
        keys.unseal("mfa", sealed, PLACE)
    with pytest.raises(KeyRingUnusable, match="holds no keys for vault"):
        KeyRing.open(tmp_path / "keyring.json", purposes=("vault",))


def test_an_exported_ring_has_no_other_keys(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    sealed = keys.seal("sessions", b"plain", PLACE)
    keys.export(tmp_path / "node.json", ("access-keys", "sessions"))
    node = KeyRing.open(tmp_path / "node.json")
    assert node.unseal("sessions", sealed, PLACE) == b"plain"
    assert {entry["purpose"] for entry in json.loads((tmp_path / "node.json").read_text())["keys"]} == {"access-keys", "sessions"}
    with pytest.raises(UnknownKey):
        node.current("mfa")


def test_macs(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    tag = keys.mac("paging", b"marker")
    assert len(tag) == 20
    keys.rotate("paging")
    assert keys.is_mac("paging", b"marker", tag)
    assert not keys.is_mac("paging", b"markes", tag)
    assert not keys.is_mac("snapshot", b"marker", tag)
    assert not keys.is_mac("paging", b"marker", tag[:-1])
    assert not keys.is_mac("paging", b"marker", b"")
    assert not any(keys.is_mac("paging", b"marker", tag[:i] + bytes([tag[i] ^ 1]) + tag[i + 1 :]) for i in range(20))


def test_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    ring(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    for mode in (0o640, 0o604, 0o660, 0o601):
        path.chmod(mode)
        with pytest.raises(KeyRingUnusable, match="is open to others than its owner: chmod 600 it"):
            KeyRing.open(path)
    path.chmod(0o400)
    KeyRing.open(path)


def test_a_second_create_opens_the_first(tmp_path: Path) -> None:
    sealed = ring(tmp_path).seal("mfa", b"plain", PLACE)
    assert ring(tmp_path).unseal("mfa", sealed, PLACE) == b"plain"
    assert [path.name for path in tmp_path.iterdir()] == ["keyring.json"]


def test_the_master_key_from_outside_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    sealed = ring(tmp_path, MASTER).seal("mfa", b"plain", PLACE)
    assert json.loads(path.read_text())["master"] is None
    assert KeyRing.open(path, MASTER).unseal("mfa", sealed, PLACE) == b"plain"
    with pytest.raises(KeyRingUnusable, match="was made with a master key from outside, which is missing"):
        KeyRing.open(path)
    with pytest.raises(KeyRingUnusable, match="is wrapped with another master key, or damaged"):
        KeyRing.open(path, bytes(32))


def test_the_master_key_in_the_file_excludes_another(tmp_path: Path) -> None:
    ring(tmp_path)
    with pytest.raises(KeyRingUnusable, match="has its own master key, and another was given"):
        KeyRing.open(tmp_path / "keyring.json", MASTER)


def test_the_master_key_can_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    keys = ring(tmp_path)
    sealed = keys.seal("mfa", b"plain", PLACE)
    running = KeyRing.open(path)
    keys.rewrap(MASTER)
    assert KeyRing.open(path, MASTER).unseal("mfa", sealed, PLACE) == keys.unseal("mfa", sealed, PLACE) == b"plain"
    assert running.unseal("mfa", running.seal("mfa", b"still", PLACE), PLACE) == b"still"
    keys.rewrap(None)
    assert KeyRing.open(path).unseal("mfa", sealed, PLACE) == b"plain"


DAMAGE: dict[str, Callable[[str], str]] = {
    "no_json": lambda text: text[1:],
    "no_object": lambda _: "[]",
    "cut_off": lambda text: text[: len(text) // 2],
    "empty": lambda _: "",
    "another_format": lambda text: text.replace('"format": 1', '"format": 2'),
    "no_keys": lambda text: text.replace('"keys"', '"kys"'),
    "short_key": lambda text: text.replace('"wrapped": "', '"wrapped": "AAAA'),
    "a_purpose_that_is_a_number": lambda text: text.replace('"mfa"', "1"),
    "a_key_id_too_long": lambda text: text.replace('"id": "', '"id": "00'),
    "swapped_purposes": lambda text: text.replace('"mfa"', '"x"').replace('"sessions"', '"mfa"').replace('"x"', '"sessions"'),
    "another_id": lambda text: json.dumps({**json.loads(text), "id": "00" * 16}),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_refused_and_not_quoted(tmp_path: Path, name: str) -> None:
    path = tmp_path / "keyring.json"
    ring(tmp_path)
    text = path.read_text()
    path.write_text(DAMAGE[name](text))
    with pytest.raises(KeyRingUnusable, match="damaged") as caught:
        KeyRing.open(path)
    assert not any(entry["wrapped"] in str(caught.value) for entry in json.loads(text)["keys"])


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyRingUnusable, match="cannot be read: No such file or directory"):
        KeyRing.open(tmp_path / "none.json")
    with pytest.raises(KeyRingUnusable, match="cannot be written: No such file or directory"):
        KeyRing.create(tmp_path / "none" / "keyring.json")


def test_the_keys_in_memory_outlive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    keys = ring(tmp_path)
    sealed = keys.seal("sessions", b"plain", PLACE)
    path.write_text("damaged")
    assert keys.unseal("sessions", keys.seal("sessions", b"more", PLACE), PLACE) == b"more"
    path.unlink()
    assert keys.unseal("sessions", sealed, PLACE) == b"plain"
    assert keys.unseal("sessions", keys.seal("sessions", b"more", PLACE), PLACE) == b"more"


def test_nothing_secret_is_shown(tmp_path: Path) -> None:
    key = ring(tmp_path).current("sessions")
    assert repr(key) == f"Key(id='{key.id}')"


def _rotate(path: Path) -> None:
    keys = KeyRing.open(path)
    for _ in range(5):
        keys.rotate("sessions")


def test_rotations_at_once_lose_no_key(tmp_path: Path) -> None:
    ring(tmp_path)
    path = tmp_path / "keyring.json"
    processes = [get_context("spawn").Process(target=_rotate, args=(path,)) for _ in range(2)]
    threads = [threading.Thread(target=_rotate, args=(path,)) for _ in range(2)]
    workers: list[Any] = [*processes, *threads]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    entries = [entry for entry in json.loads(path.read_text())["keys"] if entry["purpose"] == "sessions"]
    assert len({entry["id"] for entry in entries}) == 1 + 4 * 5
    assert sorted(file.name for file in tmp_path.iterdir()) == ["keyring.json", "keyring.json.lock"]


def test_a_process_that_rewrites_for_ever_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ring(tmp_path)
    before = (tmp_path / "keyring.json").read_bytes()
    monkeypatch.setattr(ring_file, "PATIENCE", 0.05)
    with ring_file.RingFile(tmp_path / "keyring.json").alone(), pytest.raises(KeyRingUnusable, match="cannot be changed: The deadline"):
        keys.rotate("sessions")
    assert (tmp_path / "keyring.json").read_bytes() == before
    keys.rotate("sessions")


def test_a_ring_whose_lock_cannot_be_opened_says_what_it_is_of(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    (tmp_path / "keyring.json.lock").mkdir()
    with pytest.raises(KeyRingUnusable, match="cannot be changed: The lock file of the key ring cannot be opened: Is a directory"):
        keys.rotate("sessions")


def test_a_ring_that_the_version_before_wrote_opens(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    path.write_text(WRITTEN_BEFORE)
    path.chmod(0o600)
    keys = KeyRing.open(path, MASTER)
    assert keys.unseal("mfa", bytes.fromhex(SEALED_BEFORE), PLACE) == b"plain"
    assert keys.mac("mfa", b"marker").hex() == MAC_BEFORE
    keys.complete(("access-keys",))
    keys.rewrap(bytes(32))
    keys.rewrap(MASTER)
    assert [line.split(":")[0] for line in path.read_text().splitlines()] == [line.split(":")[0] for line in WRITTEN_BEFORE.splitlines()]


def test_a_ring_from_given_randomness_is_repeatable(tmp_path: Path) -> None:
    first = KeyRing.create(tmp_path / "1.json", random=random.Random(1).randbytes, clock=lambda: NOON)
    second = KeyRing.create(tmp_path / "2.json", random=random.Random(1).randbytes, clock=lambda: NOON)
    assert second.current("mfa").id == first.current("mfa").id
    assert (tmp_path / "1.json").read_text() == (tmp_path / "2.json").read_text()


def test_master_keys_as_text() -> None:
    assert parse_master(base64.b64encode(MASTER).decode() + "\n") == MASTER
    assert parse_master(base64.urlsafe_b64encode(b"\xff" * 32).decode()) == b"\xff" * 32
    for text in ("", "short", "not base64 at all, but rather long, so it is", base64.b64encode(bytes(31)).decode()):
        with pytest.raises(KeyRingUnusable, match="a master key is 32 bytes in base64") as caught:
            parse_master(text)
        assert not text or text not in str(caught.value)


def test_a_ring_of_an_earlier_version_gets_the_purposes_that_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    sealed = KeyRing.create(path, purposes=("access-keys",)).seal("access-keys", b"secret", PLACE)
    keys = KeyRing.open(path)
    keys.complete(("access-keys", "mfa"))
    assert keys.unseal("mfa", keys.seal("mfa", b"seed", PLACE), PLACE) == b"seed"
    assert keys.unseal("access-keys", sealed, PLACE) == b"secret"
    before = path.read_bytes()
    KeyRing.open(path).complete(("access-keys", "mfa"))
    KeyRing.open(path, purposes=("mfa",)).complete(("access-keys", "mfa", "more"))
    assert path.read_bytes() == before

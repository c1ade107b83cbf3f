"""Memory on the disk: what a node begins from when its database is gone, and everything that it must not begin from."""

import random
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sekisho import policy
from sekisho.credentials.key_ring import KeyRing
from sekisho.errors import SekishoError
from sekisho.memory import lines, snapshot
from sekisho.memory.names import Name
from sekisho.memory.snapshot import SnapshotRejected
from sekisho.store.changes import Point
from sekisho.world import (
    AccountRecord,
    ControlPolicyRecord,
    GroupRecord,
    IssuerRecord,
    KeyRecord,
    PolicyRecord,
    PrincipalRecord,
    Record,
    SigningKey,
    UnitRecord,
)
from tests.services.iam.documents import allow

NOW = datetime(2026, 11, 26, 12, 0, 0, 250_000, UTC)
DAY = timedelta(hours=24)
DOCUMENT = allow("orders:Ship")
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # AWS's own example


def attached(text: str = DOCUMENT, **at: str) -> policy.Attached:
    """A policy where it is attached."""
    return policy.Attached(policy.compiled(text), **at)


RECORDS: dict[str, Record] = {
    "AIDAEXAMPLE": PrincipalRecord(
        "AIDAEXAMPLE",
        "111122223333",
        "user",
        "ann",
        "arn:aws:iam::111122223333:user/ann",
        tags={"team": "one two", "é": "\ud800"},
        inline=(attached(name="inline"),),
        policy_ids=("ANPAEXAMPLE",),
        group_ids=("AGPAEXAMPLE",),
        boundary_id="ANPAEXAMPLE",
    ),
    "AROAEXAMPLE": PrincipalRecord(
        "AROAEXAMPLE", "111122223333", "role", "r", "arn:aws:iam::111122223333:role/p/r", trust=attached(name="t"), max_session_seconds=7200
    ),
    "AGPAEXAMPLE": GroupRecord("AGPAEXAMPLE", (attached(name="g"),), ("ANPAEXAMPLE",)),
    "ANPAEXAMPLE": PolicyRecord("ANPAEXAMPLE", "arn:aws:iam::111122223333:policy/p", attached(arn="arn:p", version="v3")),
    "111122223333": AccountRecord("111122223333", "ACTIVE"),
    "444455556666": AccountRecord("444455556666", "ACTIVE", "r-ab12", ("p-FullAWSAccess",), ("p-example",)),
    "r-ab12": UnitRecord("r-ab12", "o-example", None, ("p-FullAWSAccess",), (), "111122223333", frozenset({"SERVICE_CONTROL_POLICY"})),
    "p-example": ControlPolicyRecord("p-example", attached(arn="arn:p", name="limits")),
    "777788889999": AccountRecord("777788889999", "ACTIVE", issuer_id="iss-example"),
    "iss-example": IssuerRecord(
        "iss-example",
        "777788889999",
        "https://auth.example.com/iss-example",
        None,
        (SigningKey("kid", "ES384", "{}", "c2VhbGVk", NOW), SigningKey("next", "ES384", "{}", "", NOW + DAY)),
    ),
    "AKIAIOSFODNN7EXAMPLE": KeyRecord("AKIAIOSFODNN7EXAMPLE", "111122223333", "AIDAEXAMPLE", "Active", SECRET),
}


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.create(tmp_path / "keyring.json")


def of(records: dict[str, Any], **other: Any) -> snapshot.Snapshot:
    """A snapshot of these records."""
    fields: dict[str, Any] = {"point": Point(7, "a" * 16), "confirmed_at": NOW, "points": [Point(6, "b" * 16), Point(7, "a" * 16)]}
    return snapshot.Snapshot(**{**fields, "records": records, "absent": [], "names": {}, "absent_names": [], **other})


def plain(value: Any) -> Any:
    """A record with the texts of its programs in their place: whether two of one text are one object is the cache's affair."""
    if isinstance(value, policy.Program):
        return value.text
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(map(plain, value))
    fields = getattr(value, "__dataclass_fields__", None) or getattr(value, "_fields", ())
    return [type(value), *(plain(getattr(value, name)) for name in fields)] if fields else value


def test_all_that_decisions_are_made_of_comes_back(ring: KeyRing, tmp_path: Path) -> None:
    names = {("111122223333", "user", "ann"): Name("AIDAEXAMPLE", "/", "Ann")}
    made = of(RECORDS, names=names, absent=["AKIANOBODY", "odd id\n"], absent_names=[("111122223333", "role", "none")])
    assert snapshot.write(tmp_path / "s", made, ring) == len(RECORDS)
    found = snapshot.read(tmp_path / "s", ring, NOW, oldest=DAY)
    assert list(found.records) == list(RECORDS), "the one that was asked for last comes last"
    assert {key: plain(lines.read(line, ring)) for key, line in found.records.items() if isinstance(line, bytes)} == {
        key: plain(record) for key, record in RECORDS.items()
    }
    assert (found.point, found.confirmed_at, list(found.points)) == (made.point, NOW, made.points)
    assert (dict(found.names), list(found.absent), list(found.absent_names)) == (names, made.absent, made.absent_names)
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600


def test_no_secret_of_a_key_is_in_the_clear(ring: KeyRing, tmp_path: Path) -> None:
    snapshot.write(tmp_path / "s", of(RECORDS), ring)
    content = (tmp_path / "s").read_bytes()
    inflated = zlib.decompress(content[76:])
    assert b"AKIAIOSFODNN7EXAMPLE" in inflated
    for text in (content, inflated):
        assert SECRET.encode() not in text
        assert b"wJalrXUtnFEMI" not in text
    with pytest.raises(SekishoError):  # whoever has the key of snapshots alone opens no secret
        lines.read(
            snapshot.read(tmp_path / "s", ring, NOW, oldest=DAY).records["AKIAIOSFODNN7EXAMPLE"],  # type: ignore[arg-type]
            KeyRing.open(tmp_path / "keyring.json", purposes=("snapshot",)),
        )


def test_a_changed_snapshot_is_rejected_every_time(ring: KeyRing, tmp_path: Path) -> None:
    snapshot.write(tmp_path / "s", of(RECORDS), ring)
    good, chance, path = (tmp_path / "s").read_bytes(), random.Random(11), tmp_path / "changed"
    for number in range(1_000):
        changed = bytearray(good)
        if number % 3 == 0:
            del changed[chance.randrange(len(good)) :]
        elif number % 3 == 1:
            changed[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
        else:
            at = chance.randrange(len(good))
            changed[at:at] = chance.randbytes(chance.randrange(1, 40))
        path.write_bytes(changed)
        with pytest.raises(SnapshotRejected):
            snapshot.read(path, ring, NOW, oldest=DAY)
    for index in range(76):  # each byte before the body
        changed = bytearray(good)
        changed[index] ^= 0x10
        path.write_bytes(changed)
        with pytest.raises(SnapshotRejected):
            snapshot.read(path, ring, NOW, oldest=DAY)
    path.write_bytes(good)
    assert snapshot.read(path, ring, NOW, oldest=DAY).records.keys() == RECORDS.keys()


def test_a_forged_one_is_rejected_before_it_is_inflated(ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot.write(tmp_path / "s", of(RECORDS), KeyRing.create(tmp_path / "other.json"))
    monkeypatch.setattr(zlib, "decompressobj", lambda: pytest.fail("inflated"))
    with pytest.raises(SnapshotRejected, match="it was not made with this key ring, or was changed"):
        snapshot.read(tmp_path / "s", ring, NOW, oldest=DAY)


@pytest.mark.parametrize(
    ("now", "message"),
    [
        (NOW + DAY, ""),
        (NOW + DAY + timedelta(seconds=1), "it is of 2026-11-26T12:00:00+00:00, which is too long ago, or is still to come"),
        (NOW - timedelta(minutes=5), ""),
        (NOW - timedelta(minutes=6), "it is of 2026-11-26T12:00:00+00:00, which is too long ago, or is still to come"),
    ],
)
def test_the_moment_of_a_snapshot(ring: KeyRing, tmp_path: Path, now: datetime, message: str) -> None:
    snapshot.write(tmp_path / "s", of(RECORDS), ring)
    if not message:
        snapshot.read(tmp_path / "s", ring, now, oldest=DAY)
        return
    with pytest.raises(SnapshotRejected) as caught:
        snapshot.read(tmp_path / "s", ring, now, oldest=DAY)
    assert caught.value.message == message


def test_a_snapshot_of_a_version_with_other_fields_is_rejected(ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A field that this version does not know may have been a limit."""
    with monkeypatch.context() as patched:
        patched.setattr(lines, "SHAPES", {**lines.SHAPES, "AccountRecord": ["id", "status", "unit_id"]})
        patched.setattr(lines, "written", lambda record, ring: b"[]")
        snapshot.write(tmp_path / "s", of(RECORDS), ring)
    with pytest.raises(SnapshotRejected, match="of a version whose records are others"):
        snapshot.read(tmp_path / "s", ring, NOW, oldest=DAY)


def test_a_record_that_cannot_be_written_whole_is_left_out(ring: KeyRing, tmp_path: Path) -> None:
    program = policy.compile_policy(policy.parse(DOCUMENT))  # without its text
    for odd in (GroupRecord("AGPAODD", (policy.Attached(program),)), GroupRecord("AGPAODD", (object(),))):  # type: ignore[arg-type]
        assert snapshot.write(tmp_path / "s", of({"AGPAODD": odd, "111122223333": RECORDS["111122223333"]}), ring) == 1
        assert list(snapshot.read(tmp_path / "s", ring, NOW, oldest=DAY).records) == ["111122223333"]


def test_a_snapshot_is_bounded_and_keeps_what_was_asked_for_last(ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = {f"{number:012d}": AccountRecord(f"{number:012d}", "ACTIVE") for number in range(1_000)}
    monkeypatch.setattr(snapshot, "MAX_BYTES", 20_000)
    count = snapshot.write(tmp_path / "s", of(many), ring)
    assert 100 < count < 1_000
    assert list(snapshot.read(tmp_path / "s", ring, NOW, oldest=DAY).records) == list(many)[-count:]
    monkeypatch.setattr(snapshot, "MAX_BYTES", 1_000)
    with pytest.raises(SnapshotRejected, match="larger than any that is written"):
        snapshot.read(tmp_path / "s", ring, NOW, oldest=DAY)


def test_the_moment_is_written_as_microseconds_since_1970(ring: KeyRing, tmp_path: Path) -> None:
    """Another release reads it."""
    snapshot.write(tmp_path / "memory", of({}), ring)
    head = (tmp_path / "memory").read_bytes()[snapshot._BEFORE - snapshot._HEAD.size :]
    assert snapshot._HEAD.unpack_from(head)[0] == 1_795_694_400_250_000

"""The file of a snapshot to the byte: what is too large, too short or of another version, and lines of records."""

import hashlib
import json
import re
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sekisho import policy
from sekisho.credentials.key_ring import KeyRing
from sekisho.memory import lines, snapshot
from sekisho.memory.names import Name
from sekisho.memory.snapshot import Snapshot, SnapshotRejected
from sekisho.store.changes import Point
from sekisho.world import AccountRecord, EntityRecord, GroupRecord, IssuerRecord, KeyRecord, PrincipalRecord, Record, SigningKey

NOW = datetime(2026, 11, 26, 12, 0, 0, 250_000, UTC)
DAY = timedelta(hours=24)
ACCOUNT = "111122223333"
DOCUMENT = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"a:b","Resource":"*"}}'
ONE = AccountRecord(ACCOUNT, "ACTIVE")
VERSION, LARGE = "it is not a snapshot of this version", "it is larger than any that is written"
CHANGED, DAMAGED = "it was not made with this key ring, or was changed", "it is damaged"


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.create(tmp_path / "keyring.json")


def of(records: dict[str, Any]) -> Snapshot:
    """A snapshot of these records."""
    names = {(ACCOUNT, "user", "ann"): Name("AIDA1", "/p/", "Ann")}
    point = Point(7, "a" * 16)
    return Snapshot(point, NOW, [point], records, ["AKIA1"], names, [(ACCOUNT, "role", "r")])


def sealed(body: bytes, ring: KeyRing, *, length: int | None = None, digest: bytes | None = None) -> bytes:
    """A file with a tag of the ring, whatever else is wrong with it."""
    said = length if length is not None else len(body)
    head = snapshot._HEAD.pack(1_795_694_400_250_000, said, digest or hashlib.sha256(body).digest())
    return b"".join((b"SEKISHO1", ring.mac("snapshot", b"SEKISHO1" + head), head, body))


def refused(path: Path, content: bytes, ring: KeyRing) -> str:
    """Why a file with this content is rejected; empty when it is not."""
    path.write_bytes(content)
    try:
        snapshot.read(path, ring, NOW, oldest=DAY)
    except SnapshotRejected as error:
        return error.message
    return ""


def test_each_rejection_says_why(ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s"
    assert snapshot.write(path, of({ACCOUNT: ONE}), ring) == 1
    good = path.read_bytes()
    body = good[76:]
    assert refused(path, good, ring) == ""
    assert refused(path, b"", ring) == VERSION
    assert refused(path, good[:75], ring) == VERSION
    assert refused(path, b"SEKISHO2" + good[8:], ring) == VERSION
    assert refused(path, good[:8] + bytes(20) + good[28:], ring) == CHANGED
    assert refused(path, sealed(body, ring), ring) == ""
    assert refused(path, sealed(body, ring, length=len(body) + 1), ring) == DAMAGED
    assert refused(path, sealed(body, ring, digest=bytes(32)), ring) == DAMAGED
    monkeypatch.setattr(snapshot, "MAX_BYTES", len(zlib.decompress(body)))
    assert refused(path, good, ring) == ""
    monkeypatch.setattr(snapshot, "MAX_BYTES", len(body))
    assert refused(path, good, ring) == LARGE  # once it is inflated
    monkeypatch.setattr(snapshot, "MAX_BYTES", len(body) - 1)
    assert refused(path, good, ring) == LARGE
    with pytest.raises(SnapshotRejected) as caught:
        snapshot.read(tmp_path / "none", ring, NOW, oldest=DAY)
    assert caught.value.message == "it cannot be read: No such file or directory"


@pytest.mark.parametrize(("more", "said"), [(0, VERSION), (1, LARGE)])
def test_what_is_larger_than_any_is_not_even_read(
    ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: int, said: str
) -> None:
    monkeypatch.setattr(snapshot, "MAX_BYTES", 100)
    assert refused(tmp_path / "s", b"x" * (100 + snapshot._BEFORE + more), ring) == said


def test_another_release_finds_each_part_in_its_place(ring: KeyRing, tmp_path: Path) -> None:
    records: dict[str, Any] = {"a": AccountRecord("a", "ACTIVE"), "odd": b"[]", "entity": entity(), "b": AccountRecord("b", "ACTIVE")}
    assert snapshot.write(tmp_path / "s", of(records), ring) == 3
    whole, *rest = zlib.decompress((tmp_path / "s").read_bytes()[76:]).split(b"\n")
    line = b'["AccountRecord","%b","ACTIVE",null,["tuple"],["tuple"],["set"],["tuple"],null,["tuple"],["tuple"],["set"]]'
    assert rest == [b"b " + line % b"b", b"odd []", b"a " + line % b"a"]
    said = json.loads(whole)
    assert b": " not in whole
    assert said.pop("shapes") == lines.SHAPES
    assert said == {
        "point": [7, "a" * 16],
        "points": [[7, "a" * 16]],
        "absent": ["AKIA1"],
        "names": [[ACCOUNT, "user", "ann", "AIDA1", "/p/", "Ann"]],
        "absent_names": [[ACCOUNT, "role", "r"]],
    }


def test_a_snapshot_is_filled_to_the_byte(ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = {id_: AccountRecord(id_, "ACTIVE") for id_ in ("a", "b")}
    snapshot.write(tmp_path / "s", of(records), ring)
    size = len(zlib.decompress((tmp_path / "s").read_bytes()[76:]))
    for room, count in ((size, 2), (size - 1, 1)):
        monkeypatch.setattr(snapshot, "MAX_BYTES", room)
        assert snapshot.write(tmp_path / "s", of(records), ring) == count
        assert list(snapshot.read(tmp_path / "s", ring, NOW, oldest=DAY).records) == ["a", "b"][-count:]


def test_who_writes_a_large_one_rests_now_and_then(ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    monkeypatch.setattr(time, "sleep", rests.append)
    for count, expected in ((63, 0), (64, 1), (130, 2)):
        rests.clear()
        snapshot.write(tmp_path / "s", of({str(n): b"[]" for n in range(count)}), ring)
        assert rests == [0.001] * expected


def entity() -> EntityRecord:
    """What no decision is made of."""
    return EntityRecord("AIDA1", ACCOUNT, "user", "ann", "/", "arn", NOW)


def attached() -> policy.Attached:
    """A policy."""
    return policy.Attached(policy.compiled(DOCUMENT), arn="arn:p", version="v2", name="n")


TIME = '["time","2026-11-26T12:00:00.250000+00:00"]'
LINES: dict[str, tuple[Callable[[], Record], str]] = {
    "a group": (
        lambda: GroupRecord("AGPA1", (attached(),), ("ANPA1", "ANPA2")),
        f'["GroupRecord","AGPA1",["tuple",["policy",{json.dumps(DOCUMENT)},"arn:p","v2","n"]],["tuple","ANPA1","ANPA2"]]',
    ),
    "an issuer": (
        lambda: IssuerRecord("iss-1", ACCOUNT, "u", NOW, (SigningKey("k", "ES384", "{}", "", NOW),)),
        f'["IssuerRecord","iss-1","111122223333","u",{TIME},["tuple",["signing key","k","ES384","{{}}","",{TIME}]]]',
    ),
    "a set": (
        lambda: AccountRecord(ACCOUNT, "ACTIVE", administers=frozenset({"b", "a"})),
        '["AccountRecord","111122223333","ACTIVE",null,["tuple"],["tuple"],["set","a","b"],["tuple"],null,["tuple"],["tuple"],["set"]]',
    ),
    "a user": (
        lambda: PrincipalRecord("AIDA1", ACCOUNT, "user", "ann", "arn", {"team": "red"}),
        '["PrincipalRecord","AIDA1","111122223333","user","ann","arn",["map",{"team":"red"}],["tuple"],["tuple"],["tuple"],null,null,3600]',
    ),
}


@pytest.mark.parametrize("name", LINES)
def test_a_line_is_what_another_release_reads(ring: KeyRing, name: str) -> None:
    make, line = LINES[name]
    record = make()  # now: what a document was compiled to before may have been forgotten since
    written = lines.written(record, ring)
    assert written is not None
    assert written.decode() == line
    assert lines.read(line.encode(), ring) == record


def test_the_secret_of_a_key_is_sealed_for_its_id(ring: KeyRing) -> None:
    key = KeyRecord("AKIA1", ACCOUNT, "AIDA1", "Active", "s3cret")
    line = lines.written(key, ring)
    assert line is not None
    assert re.search(rb'"Active","[A-Za-z0-9+/=]+"\]$', line)
    assert lines.read(line, ring) == key
    with pytest.raises(Exception, match=r".") as caught:
        lines.read(line.replace(b"AKIA1", b"AKIA2"), ring)
    assert type(caught.value).__name__ == "SealBroken"


def test_what_has_no_line_is_left_out_whole(ring: KeyRing) -> None:
    program = policy.compile_policy(policy.parse(DOCUMENT))
    odd: tuple[Any, ...] = (
        entity(),
        GroupRecord("AGPA1", (policy.Attached(program),)),
        GroupRecord("AGPA1", (object(),)),  # type: ignore[arg-type]
        PrincipalRecord("AIDA1", ACCOUNT, "user", "ann", "arn", {1: "red"}),  # type: ignore[dict-item]
        PrincipalRecord("AIDA1", ACCOUNT, "user", "ann", "arn", {"a": "b", 1: "red"}),  # type: ignore[dict-item]
    )
    for record in odd:
        assert lines.written(record, ring) is None

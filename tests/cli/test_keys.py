"""`sekisho keys`: the ring is listed, rotated and revoked beside a server that runs."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from sekisho.credentials.key_ring import ACCESS_KEYS, PURPOSES, SESSIONS, KeyRing
from sekisho.node.options import Options
from sekisho.node.prepare import prepare
from sekisho.store import db
from sekisho.store.tables import AuditRecord
from tests.cli.command import one_line, sekisho
from tests.served import Served, serving

KEY = b64encode(bytes(range(32))).decode()
OTHER = b64encode(bytes(range(1, 33))).decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("keys")
    with serving(f"sqlite:///{folder / 'data' / 'sekisho.db'}", folder, workers=2) as made:
        yield made


def listed(server: Served) -> dict[str, list[tuple[str, str, str]]]:
    """The keys by purpose, each with its state and rows."""
    done = sekisho("keys", "list", "--data-dir", server.folder / "data")
    assert done.returncode == 0, done
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["PURPOSE", "KEY", "CREATED", "STATE", "ROWS"]
    found: dict[str, list[tuple[str, str, str]]] = {}
    for line in lines:
        purpose, key, created, state, rows = re.split(r" {2,}", line)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", created)
        found.setdefault(purpose, []).append((key, state, rows))
    return found


def test_the_list_has_every_key_and_nothing_secret(server: Served) -> None:
    found = listed(server)
    assert set(found) == set(PURPOSES)
    ((key, state, rows),) = found[ACCESS_KEYS]
    assert (state, rows) == ("current", "1")
    assert found[SESSIONS][0][1:] == ("current", "-")
    text = sekisho("keys", "list", "--data-dir", server.folder / "data").stdout
    ring = json.loads((server.folder / "data" / "keyring.json").read_text())
    assert not any(entry["wrapped"][:20] in text for entry in ring["keys"])
    assert ring["master"] not in text
    assert key in text


def test_keys_are_rotated_and_revoked_beside_a_server(server: Served) -> None:
    ((old, _, _),) = listed(server)[ACCESS_KEYS]
    done = sekisho("keys", "rotate", "wrapping", "--data-dir", server.folder / "data")
    assert (done.returncode, done.stderr) == (0, "")
    *_, last = done.stdout.splitlines()
    assert last == "wrapping: the keys before end in 37 hours"
    before, (new, state, rows) = listed(server)[ACCESS_KEYS]
    assert (state, rows) == ("current", "1")
    assert re.fullmatch(rf"{old} retiring \(until 20\d\d-\S+Z\) 0", " ".join(before))
    assert sekisho("keys", "rotate", "session", "--data-dir", server.folder / "data").returncode == 0
    gone = listed(server)[SESSIONS][0][0]
    done = sekisho("keys", "revoke", gone, "--data-dir", server.folder / "data")
    assert done.stdout.splitlines()[-1] == f"{gone} (sessions) is gone"
    assert [state for _, state, _ in listed(server)[SESSIONS]] == ["current"]
    said = one_line(sekisho("keys", "revoke", new, "--data-dir", server.folder / "data"))
    assert said == f"1 rows are sealed with {new}, which nothing else would open: rotate first"
    assert one_line(sekisho("keys", "revoke", "00000000", "--data-dir", server.folder / "data")) == "the key ring has no key `00000000`"
    trail = listed(server)["trail"][0][0]
    said = one_line(sekisho("keys", "revoke", trail, "--data-dir", server.folder / "data"))
    assert said == f"links of the audit trail are proven with {trail}: keys of the trail are kept"
    assert server.call("GetCallerIdentity").arn.endswith(":root")


def test_the_trail_is_proven_across_a_rotation(server: Served) -> None:
    server.call("CreateUser", user_name="before")
    assert sekisho("keys", "rotate", "trail", "--data-dir", server.folder / "data").returncode == 0
    server.call("CreateUser", user_name="after")
    assert [state for _, state, _ in listed(server)["trail"]] == ["kept", "current"]
    done = sekisho("trail", "verify", "--data-dir", server.folder / "data")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "nothing is wrong")


def test_what_is_written_wrongly_changes_nothing(server: Served) -> None:
    ring = server.folder / "data" / "keyring.json"
    before = ring.read_bytes()
    given = ("--data-dir", server.folder / "data")
    kinds = "master, wrapping, session, signing, trail"
    assert one_line(sekisho("keys", "rotate", "all", *given)) == f"`all` is not a kind of keys; those are {kinds}"
    said = "a new master key and --at-once are for `sekisho keys rotate master`"
    assert one_line(sekisho("keys", "rotate", "session", "--at-once", *given)) == said
    assert one_line(sekisho("keys", "rotate", "session", *given, env={"SEKISHO_NEW_MASTER_KEY": KEY})) == said
    short = one_line(sekisho("keys", "rotate", "master", *given, env={"SEKISHO_NEW_MASTER_KEY": "short"}))
    assert short.startswith("SEKISHO_NEW_MASTER_KEY: a master key is 32 bytes in base64")
    assert ring.read_bytes() == before


def test_the_master_key_is_exchanged(tmp_path: Path) -> None:
    KeyRing.create(tmp_path / "keyring.json", bytes(range(32)))
    for name, text in (("old", KEY), ("new", OTHER)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    asked = ("keys", "rotate", "master", "--data-dir", tmp_path)
    assert "comes from outside" in one_line(sekisho(*asked, "--master-key-file", tmp_path / "old"))
    assert "is missing" in one_line(sekisho(*asked, "--new-master-key-file", tmp_path / "new"))
    done = sekisho(*asked, "--new-master-key-file", tmp_path / "new", env={"SEKISHO_MASTER_KEY": KEY})
    assert done.stdout.startswith("master: the ring has a new master key\n")
    assert "a newer master key already" in one_line(sekisho(*asked, "--master-key-file", tmp_path / "old"))
    done = sekisho(*asked, "--master-key-command", f"cat {tmp_path / 'new'}")
    assert done.stdout == "master: the key of before opens nothing any more\n"
    done = sekisho(*asked, "--at-once", "--new-master-key-file", tmp_path / "old", "--master-key-file", tmp_path / "new")
    assert done.stdout == "master: the ring has a new master key\n"
    KeyRing.open(tmp_path / "keyring.json", bytes(range(32)))


def test_a_ring_with_its_own_master_key_takes_another_of_its_own(tmp_path: Path) -> None:
    KeyRing.create(tmp_path / "keyring.json")
    before = json.loads((tmp_path / "keyring.json").read_text())["master"]
    assert sekisho("keys", "rotate", "master", "--data-dir", tmp_path).stdout == "master: the ring has a new master key\n"
    assert json.loads((tmp_path / "keyring.json").read_text())["master"] not in (None, before)
    KeyRing.open(tmp_path / "keyring.json")


def test_a_rotated_master_key_is_in_the_trail(tmp_path: Path) -> None:
    prepare(Options(data_dir=tmp_path))
    assert sekisho("keys", "rotate", "master", "--data-dir", tmp_path).stdout == "master: the ring has a new master key\n"
    with db.Database(f"sqlite:///{tmp_path / 'sekisho.db'}") as database, database.read() as session:
        query = select(AuditRecord.event_source, AuditRecord.request).where(AuditRecord.event_name == "RotateKeys")
        assert [tuple(row) for row in session.execute(query)] == [("keyring.amazonaws.com", '{"kind": "master"}')]


def test_a_database_that_does_not_answer_keeps_the_master_key(tmp_path: Path) -> None:
    """What cannot be recorded is not done."""
    KeyRing.create(tmp_path / "keyring.json")
    before = (tmp_path / "keyring.json").read_bytes()
    nobody = "postgresql+psycopg://sekisho@127.0.0.1:1/sekisho"
    said = one_line(sekisho("keys", "rotate", "master", "--data-dir", tmp_path, "--database", nobody))
    assert "127.0.0.1:1/sekisho" in said
    assert (tmp_path / "keyring.json").read_bytes() == before

"""The master key from outside the data directory: from one place, with errors that name the place and not what was there."""

import os
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from sekisho.credentials.key_ring import KeyRing
from sekisho.errors import SekishoError
from sekisho.node import master_key
from sekisho.node.options import Options
from sekisho.node.prepare import prepare
from sekisho.store import db, schema

KEY = bytes(range(32))
TEXT = b64encode(KEY).decode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "master"
    made.write_text(f"{TEXT}\n")
    made.chmod(0o600)
    return made


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """`prepare` sets the umask of the process."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def refused(file: Path | None = None, text: str = "", command: str = "") -> str:
    with pytest.raises(SekishoError) as caught:
        master_key.given(file, text, command)
    assert TEXT not in caught.value.message
    return caught.value.message


def test_it_comes_from_each_place(file: Path) -> None:
    assert master_key.given(file, "", "") == KEY
    assert master_key.given(None, TEXT, "") == KEY
    assert master_key.given(None, "", f"cat '{file}'") == KEY
    assert master_key.given(None, "", "") is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_file_is_its_owners_alone(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert refused(file) == f"--master-key-file: {file} is open to others than its owner: chmod 600 it"
    file.chmod(0o400)
    assert master_key.given(file, "", "") == KEY


def test_two_places_are_one_too_many(file: Path) -> None:
    both = "both say where the master key is; give one of them"
    assert refused(file, TEXT) == f"--master-key-file and SEKISHO_MASTER_KEY {both}"
    assert refused(file, command="cat x") == f"--master-key-file and --master-key-command {both}"


def test_errors_name_the_place(tmp_path: Path, file: Path) -> None:
    what = "a master key is 32 bytes in base64, such as `openssl rand -base64 32` prints"
    assert refused(text="secret") == f"SEKISHO_MASTER_KEY: {what}"
    assert refused(tmp_path / "none") == f"--master-key-file: {tmp_path}/none cannot be read: No such file or directory"
    file.write_bytes(b"\xff" * 32)
    assert refused(file) == f"--master-key-file: {what}"
    assert refused(command="no-such-program x") == "--master-key-command: `no-such-program` cannot be run: No such file or directory"
    assert refused(command=f"{sys.executable} -c exit(3)") == f"--master-key-command: `{sys.executable}` ended with code 3"
    assert refused(command=f"echo {TEXT[1:]}") == f"--master-key-command: {what}"
    assert refused(command="'x") == "--master-key-command: the command is not written rightly: No closing quotation"


def test_a_command_runs_without_a_shell(file: Path) -> None:
    assert refused(command=f"cat '{file}' ; true") == "--master-key-command: `cat` ended with code 1"


def test_a_command_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(master_key, "PATIENCE", 0.2)
    assert refused(command="sleep 60") == "--master-key-command: `sleep` did not end within 0 seconds"


def test_a_key_ring_opens_with_its_master_key_only(tmp_path: Path) -> None:
    def codes(key: bytes | None) -> str:
        try:
            prepare(Options(data_dir=tmp_path / "data", master_key=key))
        except SekishoError as error:
            return error.message.removeprefix(f"the key ring {tmp_path}/data/keyring.json ")
        return "ok"

    assert codes(KEY) == "ok"
    assert b'master": null' in (tmp_path / "data" / "keyring.json").read_bytes()
    assert codes(KEY) == "ok"
    assert codes(None) == "was made with a master key from outside, which is missing"
    assert codes(bytes(32)) == "is wrapped with another master key, or damaged"
    assert KeyRing.open(tmp_path / "data" / "keyring.json", KEY).seal("mfa", b"seed", ())


def test_a_key_ring_with_its_own_master_key_takes_no_other(tmp_path: Path) -> None:
    prepare(Options(data_dir=tmp_path / "data"))
    with pytest.raises(SekishoError, match="has its own master key, and another was given"):
        prepare(Options(data_dir=tmp_path / "data", master_key=KEY))


def test_a_wrong_master_key_writes_nothing(bare_database_url: str, tmp_path: Path) -> None:
    """An older schema is there, which a start with the right key would bring up to date."""
    folder = tmp_path / "data"
    folder.mkdir()
    KeyRing.create(folder / "keyring.json", KEY)
    if bare_database_url.startswith("sqlite"):
        Path(bare_database_url.removeprefix("sqlite:///")).unlink(missing_ok=True)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for wrong in (None, bytes(32)):
        with pytest.raises(SekishoError, match="master key"):
            prepare(Options(data_dir=folder, database=bare_database_url, master_key=wrong))
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        with db.Database(bare_database_url) as database:
            assert schema.current(database) is None
    with pytest.raises(SekishoError, match="32 bytes"):
        master_key.given(None, "wrong", "")
    prepare(Options(data_dir=folder, database=bare_database_url, master_key=KEY))

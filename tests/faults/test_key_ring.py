"""A server without its key ring, or with another's, does not start: it could not open what its database holds."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sekisho.credentials import accounts
from sekisho.errors import SekishoError
from sekisho.node.options import Options
from sekisho.node.prepare import prepare
from sekisho.store import durable

pytestmark = pytest.mark.faults


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """`prepare` sets the umask of the process."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def options(database_url: str, tmp_path: Path) -> Options:
    """A server that was started once."""
    made = Options(data_dir=tmp_path / "data", database=database_url)
    prepare(made)
    return made


def refused(options: Options) -> str:
    with pytest.raises(SekishoError) as caught:
        prepare(options)
    return caught.value.code


def test_what_was_prepared_can_be_prepared_again(options: Options) -> None:
    before = (options.data_dir / "credentials").read_bytes()
    prepare(options)
    assert (options.data_dir / "credentials").read_bytes() == before
    assert (options.data_dir / "credentials").stat().st_mode & 0o777 == 0o600
    assert (options.data_dir / "keyring.json").stat().st_mode & 0o777 == 0o600


def test_a_key_ring_that_is_missing(options: Options) -> None:
    (options.data_dir / "keyring.json").unlink()
    assert refused(options) == "KeyRingMissing"
    assert not (options.data_dir / "keyring.json").exists()


def test_a_key_ring_of_another_server(options: Options, tmp_path: Path) -> None:
    other = Options(data_dir=tmp_path / "other", database=f"sqlite:///{tmp_path / 'other.db'}")
    prepare(other)
    shutil.copy(other.data_dir / "keyring.json", options.data_dir / "keyring.json")
    assert refused(options) == "WrongKeyRing"


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 100, b'{"format": 1, "id": "00", "master": null, "keys": []}'])
def test_a_key_ring_that_is_damaged(options: Options, content: bytes) -> None:
    (options.data_dir / "keyring.json").write_bytes(content)
    assert refused(options) == "KeyRingUnusable"


def test_a_key_ring_that_others_may_read(options: Options) -> None:
    (options.data_dir / "keyring.json").chmod(0o644)
    assert refused(options) == "KeyRingUnusable"


def test_a_first_start_that_ended_before_its_account_was_committed_starts_anew(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(data_dir=tmp_path / "data", database=database_url)
    write = durable.write_file

    def ending(path: Path, content: bytes, *, mode: int) -> None:
        write(path, content, mode=mode)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(accounts, "write_file", ending)
        with pytest.raises(KeyboardInterrupt):
            prepare(options)
    lost = (options.data_dir / "credentials").read_bytes()
    prepare(options)
    assert (options.data_dir / "credentials").read_bytes() != lost

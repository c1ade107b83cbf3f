"""Credentials from files and environments, and sentences that say where they are missing, never what they are."""

from pathlib import Path

import pytest

from sekisho.client import Credentials, NoCredentialsError, from_env, from_file

FILE = """
# two profiles
[root]
aws_access_key_id = AKIAROOT
aws_secret_access_key = with%percent/and+plus=

[session]
aws_access_key_id=ASIASESSION
aws_secret_access_key=s
aws_session_token=t
region = eu-west-1

[half]
aws_access_key_id = AKIAHALF
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "credentials"
    path.write_text(FILE)
    return path


def test_a_profile(file: Path) -> None:
    assert from_file(file, "root") == Credentials("AKIAROOT", "with%percent/and+plus=")


def test_a_profile_of_a_session(file: Path) -> None:
    assert from_file(file, "session") == Credentials("ASIASESSION", "s", "t")


def test_an_unknown_profile_names_those_that_there_are(file: Path) -> None:
    with pytest.raises(NoCredentialsError, match=r"no profile `bob`.*`root`, `session`, `half`"):
        from_file(file, "bob")


def test_half_a_profile(file: Path) -> None:
    with pytest.raises(NoCredentialsError, match=r"profile `half` of .* has no aws_secret_access_key"):
        from_file(file, "half")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(NoCredentialsError, match=r"cannot read .*: No such file"):
        from_file(tmp_path / "none", "root")


NO_FILES = {"no_section": b"AKIALOOSE secret-on-a-loose-line\n", "open_bracket": b"[root\nx", "no_text": b"\xff\xfe"}


@pytest.mark.parametrize("case", NO_FILES)
def test_a_file_that_is_none_does_not_quote_itself(tmp_path: Path, case: str) -> None:
    path = tmp_path / "credentials"
    path.write_bytes(NO_FILES[case])
    with pytest.raises(NoCredentialsError, match="is not a credentials file") as raised:
        from_file(path, "root")
    assert "secret-on-a-loose-line" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_the_environment_comes_first(file: Path) -> None:
    env = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "e", "AWS_SESSION_TOKEN": "t", "SEKISHO_CREDENTIALS": str(file)}
    assert from_env(env) == Credentials("AKIAENV", "e", "t")


def test_half_an_environment() -> None:
    with pytest.raises(NoCredentialsError, match="the environment has no aws_secret_access_key"):
        from_env({"AWS_ACCESS_KEY_ID": "AKIAENV"})


def test_our_file_is_the_roots_unless_a_profile_is_named(file: Path) -> None:
    assert from_env({"SEKISHO_CREDENTIALS": str(file)}).access_key_id == "AKIAROOT"
    assert from_env({"SEKISHO_CREDENTIALS": str(file), "SEKISHO_PROFILE": "session"}).access_key_id == "ASIASESSION"


def test_the_shared_file_is_the_last(file: Path) -> None:
    env = {"AWS_SHARED_CREDENTIALS_FILE": str(file), "AWS_PROFILE": "session"}
    assert from_env(env).access_key_id == "ASIASESSION"
    with pytest.raises(NoCredentialsError, match="no profile `default`"):
        from_env({"AWS_SHARED_CREDENTIALS_FILE": str(file)})

"""AWS's profiles: which file counts for more, helper programs, and what leads elsewhere and is refused."""

import json
import shlex
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sekisho.client import Credentials, NoCredentialsError, from_env
from sekisho.client.credentials import find, source_from_env


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of a user with both of AWS's files."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(
        "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = d\n"
        "[both]\naws_access_key_id = AKIABOTH\naws_secret_access_key = b\naws_session_token = t\n"
    )
    (tmp_path / ".aws/config").write_text(
        "[default]\nregion = eu-west-1\n"
        "[profile both]\naws_access_key_id = AKIACONFIG\naws_secret_access_key = c\n"
        "[profile configured]\naws_access_key_id = AKIACONFIG\naws_secret_access_key = c\n"
        "[profile bare]\nregion = eu-west-1\n"
        "[profile role]\nrole_arn = arn:aws:iam::111122223333:role/admin\nsource_profile = default\n"
        "[profile bare-role]\nrole_arn = arn:aws:iam::111122223333:role/admin\n"
        "[profile two-ways]\nrole_arn = r\nsource_profile = default\ncredential_source = Environment\n"
        "[profile machine]\nrole_arn = r\ncredential_source = Ec2InstanceMetadata\n"
        "[profile environment]\nrole_arn = r\ncredential_source = Environment\n"
        "[profile nowhere]\nrole_arn = r\nsource_profile = gone\n"
        "[profile keyless]\nrole_arn = r\nsource_profile = bare\n"
        "[profile self]\nrole_arn = r\nsource_profile = self\n"
        "[profile ping]\nrole_arn = r\nsource_profile = pong\n[profile pong]\nrole_arn = r\nsource_profile = ping\n"
        "[profile long]\nrole_arn = r\nsource_profile = default\nduration_seconds = an hour\n"
        "[profile sso]\nsso_session = corp\n"
        "[sso-session corp]\nsso_region = eu-west-1\n"
        "[services corp]\naws_access_key_id = AKIANEVER\naws_secret_access_key = n\n"
    )
    return {"HOME": str(tmp_path)}


def helper(home: dict[str, str], code: str) -> None:
    """Give the home a profile `helped`, whose credentials a program prints."""
    command = shlex.join([sys.executable, "-c", code])
    with (Path(home["HOME"]) / ".aws/config").open("a") as config:
        config.write(f"[profile helped]\ncredential_process = {command}\n")


def printed(**members: object) -> str:
    """A program that prints credentials, and appends a dot to a file each time."""
    said = json.dumps({"Version": 1, "AccessKeyId": "ASIAHELPED", "SecretAccessKey": "h", "SessionToken": "s", **members})
    return f"open('asked','a').write('.'); print({said!r})"


def test_without_a_profile_the_default_one_is_meant(home: dict[str, str]) -> None:
    assert from_env(home) == Credentials("AKIADEFAULT", "d")


def test_the_credentials_file_counts_for_more_than_the_config_file(home: dict[str, str]) -> None:
    assert from_env({**home, "AWS_PROFILE": "both"}) == Credentials("AKIABOTH", "b", "t")
    assert from_env({**home, "AWS_PROFILE": "configured"}) == Credentials("AKIACONFIG", "c")


def test_it_says_where_they_are(home: dict[str, str]) -> None:
    found = find({**home, "AWS_PROFILE": "configured"})
    assert found is not None
    assert found.place == f"profile `configured` of {home['HOME']}/.aws/config"


def test_a_home_without_files_names_nobody(tmp_path: Path) -> None:
    assert find({"HOME": str(tmp_path)}) is None
    with pytest.raises(NoCredentialsError, match=r"no credentials: .*\.aws/credentials"):
        from_env({"HOME": str(tmp_path)})


def test_a_default_profile_that_has_only_a_region_names_nobody(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[default]\nregion = eu-west-1\n")
    assert find({"HOME": str(tmp_path)}) is None


REFUSED = {
    "a profile that is not there": (
        {"AWS_PROFILE": "bob"},
        r"no profile `bob` in .*credentials` or .*; they have `default`, `both`,",
    ),
    "one without keys": ({"AWS_PROFILE": "bare"}, r"profile `bare` of .*config has no aws_access_key_id"),
    "one that assumes a role with nobody's credentials": (
        {"AWS_PROFILE": "bare-role"},
        "names neither source_profile nor credential_source",
    ),
    "one with two ways": ({"AWS_PROFILE": "two-ways"}, "names both a source_profile and a credential_source"),
    "one of AWS's machines": ({"AWS_PROFILE": "machine"}, "the credential_source `Ec2InstanceMetadata` of profile `machine` of"),
    "one of an environment without keys": (
        {"AWS_PROFILE": "environment"},
        "the credential_source of profile `environment` of .* has no aws_acc",
    ),
    "one that leads nowhere": ({"AWS_PROFILE": "nowhere"}, "no profile `gone` in"),
    "one that leads to no keys": (
        {"AWS_PROFILE": "keyless"},
        "profile `bare` of .*, the source_profile of profile `keyless` of .*, has no",
    ),
    "one that leads to itself": ({"AWS_PROFILE": "self"}, "leads back to itself: self → self"),
    "a chain that comes back": ({"AWS_PROFILE": "ping"}, "leads back to itself: ping → pong → ping"),
    "a duration in words": ({"AWS_PROFILE": "long"}, "the duration_seconds of profile `long` of .* is not a number"),
    "one that signs in": ({"AWS_PROFILE": "sso"}, "signs in with SSO"),
    "a section about something else": ({"AWS_PROFILE": "corp"}, "no profile `corp`"),
    "a file that is not there": ({"AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}, "cannot read the credentials file `/nonexistent`"),
    "a secret alone": ({"AWS_SECRET_ACCESS_KEY": "x"}, "the environment has no aws_access_key_id"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_named_and_cannot_be_had_is_an_error_and_never_somebody_else(home: dict[str, str], case: str) -> None:
    env, said = REFUSED[case]
    with pytest.raises(NoCredentialsError, match=said):
        find({**home, "SEKISHO_ENDPOINT": "127.0.0.1:1", **env})


def test_credentials_of_awss_own_machines_are_not_read(tmp_path: Path) -> None:
    with pytest.raises(NoCredentialsError, match="AWS_CONTAINER_CREDENTIALS_FULL_URI is set"):
        find({"HOME": str(tmp_path), "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/"})


def test_a_helper_program_is_asked_once(home: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    helper(home, printed(Expiration=(datetime.now(UTC) + timedelta(hours=1)).isoformat()))
    source = source_from_env({**home, "AWS_PROFILE": "helped"})
    assert not isinstance(source, Credentials)
    assert [source(), source()] == [Credentials("ASIAHELPED", "h", "s")] * 2
    assert (tmp_path / "asked").read_text() == "."


def test_a_helper_program_is_asked_again_when_they_end(home: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    helper(home, printed(Expiration=(datetime.now(UTC) - timedelta(minutes=4)).strftime("%Y-%m-%dT%H:%M:%SZ")))
    source = source_from_env({**home, "AWS_PROFILE": "helped"})
    assert not isinstance(source, Credentials)
    assert source() == source()
    assert (tmp_path / "asked").read_text() == ".."


BROKEN = {
    "fails": ("print('secret-of-mine'); raise SystemExit(3)", "ended with code 3"),
    "prints no JSON": ("print('secret-of-mine')", "printed no credentials of version 1"),
    "prints another version": (printed(Version=2), "printed no credentials of version 1"),
    "prints a number": (printed(AccessKeyId=7), "printed no credentials of version 1"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_helper_program_that_is_broken_is_not_quoted(
    home: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = BROKEN[case]
    helper(home, code)
    with pytest.raises(NoCredentialsError, match=said) as raised:
        from_env({**home, "AWS_PROFILE": "helped"})
    assert "secret-of-mine" not in str(raised.value)
    assert "profile `helped` of" in str(raised.value)


def test_a_helper_program_that_asks_for_its_own_profile_comes_to_an_end(
    home: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {**home, "AWS_PROFILE": "helped"}.items():
        monkeypatch.setenv(name, value)
    helper(home, "open('asked','a').write('.'); import os; from sekisho.client import from_env; from_env(os.environ)")
    with pytest.raises(NoCredentialsError, match="ended with code 1"):
        from_env({**home, "AWS_PROFILE": "helped"})
    assert (tmp_path / "asked").read_text() == "...."

"""`sekisho credentials`: what it prints for AWS's tools, what it keeps, how often it asks, and the program that it becomes."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sekisho.cli import credential_cache
from sekisho.client import Client, Credentials, NoCredentialsError
from sekisho.client.sources import Temporary
from tests.cli.command import environment, one_line, sekisho
from tests.cli.conftest import Shop

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def command(shop: Shop, *arguments: object) -> list[str]:
    return [
        sys.executable,
        "-m",
        "sekisho.cli",
        "credentials",
        *map(str, arguments[:1]),
        "--data-dir",
        str(shop.data_dir),
        *map(str, arguments[1:]),
    ]


def test_it_prints_what_awss_tools_read_and_keeps_it_to_its_owner(shop: Shop, role: str, tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    ask = ("credentials", "process", "--data-dir", shop.data_dir, "--profile", "carla", "--role-arn", role)
    done = sekisho(*ask, env=home)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert sorted(said) == ["AccessKeyId", "Expiration", "SecretAccessKey", "SessionToken", "Version"]
    assert (said["Version"], said["AccessKeyId"][:4]) == (1, "ASIA")
    left = datetime.fromisoformat(said["Expiration"]) - datetime.now(UTC)
    assert timedelta(minutes=30) < left <= timedelta(hours=1)
    assert sekisho(*ask, env=home).stdout == done.stdout
    kept = tmp_path / ".cache/sekisho/credentials"
    assert kept.stat().st_mode & 0o777 == 0o700
    assert {file.suffix: file.stat().st_mode & 0o777 for file in kept.iterdir()} == {".json": 0o600, ".lock": 0o600}
    # another session is another file
    assert sekisho(*ask, "--role-session-name", "other", env=home).stdout != done.stdout


def test_a_profile_with_a_role(shop: Shop, role: str, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "SEKISHO_DATA_DIR": str(shop.data_dir)}
    done = sekisho("credentials", "process", "--profile", "courier", env=env)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    signer = Credentials(said["AccessKeyId"], said["SecretAccessKey"], said["SessionToken"])
    with Client(shop.grpc, signer) as client:
        assert client.sts.get_caller_identity().arn == f"arn:aws:sts::{shop.account}:assumed-role/couriers/tour"
    assert sekisho("whoami", "--profile", "courier", env=env).stdout == f"arn:aws:sts::{shop.account}:assumed-role/couriers/tour\n"
    with Client.from_profile("courier", shop.data_dir / "credentials", endpoint=shop.grpc) as client:
        assert client.sts.get_caller_identity().arn == f"arn:aws:sts::{shop.account}:assumed-role/couriers/tour"
    assert json.loads(sekisho("credentials", "process", "--profile", "carla", env=env).stdout)["AccessKeyId"].startswith("AKIA")


def test_a_role_that_is_not_to_be_had_is_one_line(shop: Shop, role: str, tmp_path: Path) -> None:
    ask = ("credentials", "process", "--data-dir", shop.data_dir)
    said = one_line(sekisho(*ask, "--profile", "carla", "--role-arn", f"{role}s", env={"HOME": str(tmp_path)}))
    assert f"--role-arn: {role}s was not assumed: AccessDenied" in said
    assert sekisho(*ask, "--external-id", "x", env={"HOME": str(tmp_path)}).returncode == 2
    (tmp_path / ".cache/sekisho/credentials").chmod(0o755)
    said = one_line(sekisho(*ask, "--profile", "carla", "--role-arn", role, env={"HOME": str(tmp_path)}))
    assert "is not its owner's alone" in said


def test_a_code_is_asked_for_at_a_terminal_alone(shop: Shop, role: str, tmp_path: Path) -> None:
    done = subprocess.run(
        command(shop, "process", "--profile", "carla", "--role-arn", role, "--mfa-serial", "GAHT12345678"),
        env=environment(HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        start_new_session=True,  # which has no terminal
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "sekisho: a code of the MFA device GAHT12345678 is needed, and there is no terminal to ask for it\n"


class Place:
    """Gives credentials for an hour, each time others; its clock stands still."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now, self.asked, self.fails = folder / "kept", BEGIN, 0, False

    def __call__(self) -> Temporary:
        self.asked += 1
        if self.fails:
            raise NoCredentialsError("the place is closed")
        return Temporary(Credentials(f"ASIA{self.asked}", "s", "t"), self.now + timedelta(hours=1))

    def ask(self, minute: int = 0) -> str:
        self.now = BEGIN + timedelta(minutes=minute)
        return credential_cache.cached(self.folder, ("role",), self, now=lambda: self.now).credentials.access_key_id


def test_what_is_kept_is_renewed_before_awss_tools_would_ask_with_each_call(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert [place.ask(0), place.ask(34), place.ask(41)] == ["ASIA1", "ASIA1", "ASIA2"]


def test_what_is_kept_is_good_until_it_ends_when_nothing_new_can_be_had(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.ask()
    place.fails = True
    assert [place.ask(45), place.ask(59)] == ["ASIA1", "ASIA1"]
    with pytest.raises(NoCredentialsError, match="the place is closed"):
        place.ask(60)


@pytest.mark.parametrize(
    "broken", ["", "{", "[]", '{"Version": 1}', '{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "s", "RenewAt": 7}']
)
def test_a_broken_file_is_written_anew(tmp_path: Path, broken: str) -> None:
    place = Place(tmp_path)
    place.ask()
    next(place.folder.glob("*.json")).write_text(broken)
    assert [place.ask(), place.ask()] == ["ASIA2", "ASIA2"]


def test_a_file_that_others_could_write_or_read_is_not_believed(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.ask()
    file = next(place.folder.glob("*.json"))
    file.chmod(0o644)
    assert place.ask() == "ASIA2"
    assert file.stat().st_mode & 0o777 == 0o600
    elsewhere = tmp_path / "planted"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert [place.ask(), file.is_symlink(), json.loads(elsewhere.read_text())["AccessKeyId"]] == ["ASIA3", False, "ASIA2"]


def test_of_ten_that_come_at_once_one_asks(tmp_path: Path) -> None:
    """Locks of files are between opened files, so threads stand for processes."""
    place = Place(tmp_path)
    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(lambda _: place.ask(), range(10))) == ["ASIA1"] * 10
    assert place.asked == 1


def test_who_has_good_ones_does_not_wait_for_who_renews_them(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.ask()
    with credential_cache._alone(next(place.folder.glob("*.lock")), 0.0) as alone:
        assert (alone, place.ask(50)) == (True, "ASIA1")


def test_exec_becomes_the_program(shop: Shop, role: str, tmp_path: Path) -> None:
    script = (
        "import json,os,signal,sys\n"
        "keys=[n for n in os.environ if n.startswith(('AWS_','SEKISHO_'))]\n"
        "print(json.dumps([sys.argv[1:], {n: os.environ[n] for n in keys}, signal.getsignal(signal.SIGXFSZ)==signal.SIG_DFL]))\n"
        "raise SystemExit(7)"
    )
    arguments = ("exec", "--profile", "carla", "--role-arn", role, "--", sys.executable, "-S", "-c", script, "--profile", "mine")
    env = environment(HOME=str(tmp_path), AWS_PROFILE="other", SEKISHO_PROFILE="third", AWS_DEFAULT_REGION="eu-west-1")
    done = subprocess.run(command(shop, *arguments), env=env, capture_output=True, text=True)
    assert done.returncode == 7, done.stderr
    given, variables, _ = json.loads(done.stdout)
    assert given == ["--profile", "mine"]
    assert sorted(variables) == [
        "AWS_ACCESS_KEY_ID",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_DEFAULT_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "SEKISHO_AUDIENCE",
        "SEKISHO_ENDPOINT",
    ]
    assert variables["SEKISHO_ENDPOINT"] == shop.grpc
    with Client.from_env(variables) as client:
        assert client.sts.get_caller_identity().arn.startswith(f"arn:aws:sts::{shop.account}:assumed-role/couriers/sekisho-")


def test_exec_leaves_signals_to_the_program(shop: Shop, role: str, tmp_path: Path) -> None:
    script = (
        "import signal,sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
        f"open({str(tmp_path / 'ready')!r},'w').close()\n"
        "signal.pause()"
    )
    arguments = ("exec", "--profile", "carla", "--role-arn", role, sys.executable, "-S", "-c", script)
    with subprocess.Popen(command(shop, *arguments), env=environment(HOME=str(tmp_path))) as process:
        limit = time.monotonic() + 60
        while not (tmp_path / "ready").exists() and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(60) == 9


@pytest.mark.parametrize(("program", "code"), [("/nonexistent/program", 127), ("/", 126)])
def test_exec_of_what_is_no_program_ends_as_a_shell_does(shop: Shop, role: str, tmp_path: Path, program: str, code: int) -> None:
    arguments = ("exec", "--profile", "carla", "--role-arn", role, "--", program)
    done = subprocess.run(command(shop, *arguments), env=environment(HOME=str(tmp_path)), capture_output=True, text=True)
    assert done.returncode == code
    assert done.stderr.startswith(f"sekisho: {program}: ")

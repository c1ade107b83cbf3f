"""Profiles of AWS's own tools against us: roles, chains, codes at the terminal, and `sekisho credentials` as their helper program."""

import configparser
import json
import shlex
import sys
from base64 import b32decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest

from sekisho.client import Client
from sekisho.credentials import one_time
from tests.aws.conftest import REGION, Served, serving
from tests.aws.forked import Program
from tests.terminals import at_terminal

ANYBODY = "sts:AssumeRole"


@dataclass(frozen=True, slots=True)
class Home:
    """A user's home, with profiles that lead from `dora`'s keys to roles."""

    served: Served
    grpc: str
    folder: Path
    account: str
    seeds: Mapping[str, bytes]
    """By the serial numbers of the devices of `dora`."""

    def environment(self, **more: str) -> dict[str, str]:
        """No keys: whoever asks is in the profile."""
        made = self.served.environment(HOME=str(self.folder), AWS_EC2_METADATA_DISABLED="true", SEKISHO_ENDPOINT=self.grpc, **more)
        return {name: value for name, value in made.items() if name not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}

    def arn(self, role: str, session: str) -> str:
        return f"arn:aws:sts::{self.account}:assumed-role/{role}/{session}"

    def code(self, serial: str) -> str:
        """What a device shows next: the code of this half minute may be the one that enabled it."""
        return one_time.code(self.seeds[serial], one_time.step(datetime.now(UTC)) + 1)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A server of its own: what is made here stays there."""
    folder = tmp_path_factory.mktemp("profiles")
    with serving(folder, f"sqlite:///{folder / 'sekisho.db'}") as served:
        keys = {"aws_access_key_id": served.access_key_id, "aws_secret_access_key": served.secret_access_key}
        iam = boto3.client("iam", endpoint_url=served.url, region_name=REGION, **keys)
        user = iam.create_user(UserName="dora")["User"]["Arn"]
        key = iam.create_access_key(UserName="dora")["AccessKey"]
        account = user.split(":")[4]
        roles = {name: f"arn:aws:iam::{account}:role/{name}" for name in ("first", "second", "guarded")}
        with_code = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
        # Without a code there is no `guarded`, and without the external id no `first`.
        iam.create_role(RoleName="first", AssumeRolePolicyDocument=_trust(user, {"StringEquals": {"sts:ExternalId": "tour"}}))
        iam.put_role_policy(RoleName="first", PolicyName="on", PolicyDocument=_document(Action=ANYBODY, Resource=roles["second"]))
        iam.create_role(RoleName="second", AssumeRolePolicyDocument=_trust(roles["first"], {}))
        iam.create_role(RoleName="guarded", AssumeRolePolicyDocument=_trust(user, with_code))
        seeds = dict(_enabled(iam, name) for name in ("phone", "spare"))
        (folder / ".aws").mkdir()
        (folder / ".aws/credentials").write_text(
            f"[base]\naws_access_key_id = {key['AccessKeyId']}\naws_secret_access_key = {key['SecretAccessKey']}\n"
        )
        helper = shlex.join([sys.executable, "-m", "sekisho.cli", "credentials", "process", "--data-dir", str(folder / "nowhere")])
        config = configparser.ConfigParser(interpolation=None)
        first = {"role_arn": roles["first"], "external_id": "tour", "role_session_name": "s1", "duration_seconds": "900"}
        third = {"role_arn": roles["guarded"], "role_session_name": "s3", "source_profile": "base"}
        config.read_dict(
            {
                "profile first": {**first, "source_profile": "base"},
                "profile second": {"role_arn": roles["second"], "role_session_name": "s2", "source_profile": "first"},
                "profile guarded": {**third, "mfa_serial": min(seeds)},
                "profile guarded-by-spare": {**third, "mfa_serial": max(seeds)},
                "profile helped": {"credential_process": f"{helper} --profile second"},
                "profile helped-with-code": {"credential_process": f"{helper} --profile guarded-by-spare"},
            }
        )
        with (folder / ".aws/config").open("w") as file:
            config.write(file)
        grpc = json.loads((folder / "data/endpoints.json").read_text())["grpc"]
        yield Home(served, grpc, folder, account, seeds)


def _enabled(iam: Any, name: str) -> tuple[str, bytes]:
    """A new device of `dora`: its serial number and seed."""
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
    seed, now = b32decode(device["Base32StringSeed"]), one_time.step(datetime.now(UTC))
    pair = {"AuthenticationCode1": one_time.code(seed, now - 1), "AuthenticationCode2": one_time.code(seed, now)}
    iam.enable_mfa_device(UserName="dora", SerialNumber=device["SerialNumber"], **pair)
    return device["SerialNumber"], seed


def _document(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def _trust(who: str, condition: dict[str, Any]) -> str:
    return _document(Principal={"AWS": who}, Action=ANYBODY, Condition=condition)


ROLES = {"first": ("first", "s1"), "second": ("second", "s2"), "helped": ("second", "s2")}


@pytest.mark.parametrize("profile", ROLES)
def test_the_aws_command_with_a_profile(home: Home, program: Program, profile: str) -> None:
    done = program.run(["sts", "get-caller-identity", "--profile", profile], home.environment(), home.folder)
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout)["Arn"] == home.arn(*ROLES[profile])


@pytest.mark.parametrize("profile", ROLES)
def test_boto3_and_our_client_with_the_same_profile(home: Home, profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in home.environment(AWS_CONFIG_FILE=f"{home.folder}/.aws/config").items():
        monkeypatch.setenv(name, value)
    session = boto3.Session(profile_name=profile, botocore_session=botocore.session.Session())
    assert session.client("sts", region_name=REGION).get_caller_identity()["Arn"] == home.arn(*ROLES[profile])
    with Client.from_profile(profile) as client:
        assert client.sts.get_caller_identity().arn == home.arn(*ROLES[profile])


def test_the_helper_program_keeps_what_it_printed(home: Home, program: Program, tmp_path: Path) -> None:
    ask = ["sts", "get-caller-identity", "--profile", "helped"]
    for _ in range(2):
        done = program.run(ask, home.environment(XDG_CACHE_HOME=str(tmp_path)), home.folder)
        assert done.code == 0, done.stderr
    (kept,) = (tmp_path / "sekisho/credentials").glob("*.json")
    kept.write_text(kept.read_text().replace('"AccessKeyId": "ASIA', '"AccessKeyId": "ASIB'))
    done = program.run(ask, home.environment(XDG_CACHE_HOME=str(tmp_path)), home.folder)
    assert "InvalidClientTokenId" in done.stderr  # what is kept was used


def test_a_code_is_asked_for_at_the_terminal_by_the_aws_command_and_by_ours(home: Home) -> None:
    aws = [sys.executable, str(Path(sys.executable).parent / "aws"), "sts", "get-caller-identity", "--profile"]
    for profile, serial in (("guarded", min(home.seeds)), ("helped-with-code", max(home.seeds))):
        typed: list[str] = []

        def code(serial: str = serial, typed: list[str] = typed) -> str:
            typed.append(home.code(serial))
            return typed[-1]

        done = at_terminal([*aws, profile], home.environment(), {f"Enter MFA code for {serial}: ": code})
        assert done.code == 0, done.shown
        assert json.loads(done.stdout)["Arn"] == home.arn("guarded", "s3")
        assert len(typed) == 1
        assert typed[0] not in done.shown

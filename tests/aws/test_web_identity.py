"""Web identities as AWS's own tools have them: boto3 and the `aws` command unmodified, with a real OpenID Connect provider over TLS."""

import configparser
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from sekisho.client import Client
from tests import providers
from tests.aws.conftest import REGION, Served, serving
from tests.providers import Provider
from tests.services.iam.documents import allow
from tests.services.sts.web_identities import federated

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it uses a deprecated part of authlib
    import oidc_provider_mock

HOST, ISSUER = "login.example.com", "ci.example.com/shop"
CLIENT = "orders-ci"


class Real:
    """`oidc-provider-mock`, a server of OpenID Connect with the code flow, behind TLS."""

    def __init__(self) -> None:
        self.app = oidc_provider_mock.app()
        self.thumbprint = self.allowance = ""

    def token(self, subject: str, client_id: str = CLIENT) -> str:
        """The ID token that somebody gets who signs on."""
        browser, url = self.app.test_client(), f"https://{HOST}"
        asked = {"client_id": client_id, "redirect_uri": "https://app.example.com/cb", "response_type": "code", "scope": "openid email"}
        answer = browser.post("/oauth2/authorize", base_url=url, query_string=asked, data={"sub": subject})
        code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": "https://app.example.com/cb"}
        given = browser.post("/oauth2/token", base_url=url, data=form, auth=(client_id, "secret"))
        found: str = given.get_json()["id_token"]
        return found


@pytest.fixture(scope="module")
def real() -> Iterator[Real]:
    made = Real()
    with providers.listening(made.app, HOST) as (place, made.thumbprint):
        made.allowance = f"{HOST}={place.address}:{place.port}"
        yield made


@pytest.fixture(scope="module")
def ci() -> Iterator[Provider]:
    with providers.provider(ISSUER) as made:
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def server(folder: Path, real: Real, ci: Provider) -> Iterator[Served]:
    options = ("--oidc-allow-private", real.allowance, "--oidc-allow-private", ci.allowance)
    with serving(folder, f"sqlite:///{folder / 'sekisho.db'}", *options) as made:
        yield made


@pytest.fixture(scope="module")
def roles(server: Served, real: Real, ci: Provider) -> dict[str, str]:
    """A role for each provider, by its host, which reads users."""
    iam = boto3.client("iam", endpoint_url=server.url, region_name=REGION, **keys(server))
    made = {}
    for name, url, thumbprint, client_id in (
        ("person", HOST, real.thumbprint, CLIENT),
        ("job", ISSUER, ci.thumbprint, "sts.amazonaws.com"),
    ):
        given = iam.create_open_id_connect_provider(Url=f"https://{url}", ClientIDList=[client_id], ThumbprintList=[thumbprint])
        when = {"StringEquals": {f"{url}:sub": "amara"}}
        trust = federated(given["OpenIDConnectProviderArn"], when=when)
        made[name] = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=allow("iam:ListUsers"))
    return made


@pytest.fixture(scope="module")
def grpc(server: Served, folder: Path) -> str:
    """The address over gRPC."""
    assert server.url
    found: str = json.loads((folder / "data/endpoints.json").read_text())["grpc"]
    return found


def keys(served: Served) -> dict[str, str]:
    return {"aws_access_key_id": served.access_key_id, "aws_secret_access_key": served.secret_access_key}


def unsigned(server: Served) -> Any:
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    return boto3.client("sts", endpoint_url=server.url, region_name=REGION, config=config)


def test_somebody_who_has_signed_on_with_a_real_provider(server: Served, real: Real, roles: dict[str, str]) -> None:
    sts = unsigned(server)
    found = sts.assume_role_with_web_identity(RoleArn=roles["person"], RoleSessionName="s1", WebIdentityToken=real.token("amara"))
    account = roles["person"].split(":")[4]
    assert found["SubjectFromWebIdentityToken"] == "amara"
    assert found["Audience"] == CLIENT
    assert found["Provider"] == f"arn:aws:iam::{account}:oidc-provider/{HOST}"
    assert found["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{account}:assumed-role/person/s1"
    given = found["Credentials"]
    session = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], REGION)
    assert session.client("iam", endpoint_url=server.url).list_users()["Users"] == []


def test_errors_have_types(server: Served, real: Real, ci: Provider, roles: dict[str, str]) -> None:
    sts = unsigned(server)

    def error(token: str, name: str = "person", **more: Any) -> ClientError:
        with pytest.raises(ClientError) as caught:
            sts.assume_role_with_web_identity(**{"RoleArn": roles[name], "RoleSessionName": "s1", "WebIdentityToken": token, **more})
        return caught.value

    assert error(real.token("bob")).response["Error"]["Code"] == "AccessDenied"
    wrong = error(real.token("amara", "another-client"))
    assert isinstance(wrong, sts.exceptions.InvalidIdentityTokenException)
    assert (wrong.response["Error"]["Message"], wrong.response["ResponseMetadata"]["HTTPStatusCode"]) == ("Incorrect token audience", 400)
    expired = error(ci.token(sub="amara", exp=1), "job")
    assert isinstance(expired, sts.exceptions.ExpiredTokenException)
    early = error(ci.token(sub="amara", nbf=2**33, exp=2**33 + 1), "job")
    assert isinstance(early, sts.exceptions.IDPRejectedClaimException)
    assert early.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    malformed = error(ci.token(sub="amara"), "job", Policy="{")
    assert isinstance(malformed, sts.exceptions.MalformedPolicyDocumentException)


def test_a_provider_that_cannot_be_reached(server: Served, ci: Provider) -> None:
    iam = boto3.client("iam", endpoint_url=server.url, region_name=REGION, **keys(server))
    made = iam.create_open_id_connect_provider(Url="https://127.0.0.1", ClientIDList=["sts.amazonaws.com"])["OpenIDConnectProviderArn"]
    account = made.split(":")[4]
    token = ci.token(iss="https://127.0.0.1")
    sts = unsigned(server)
    with pytest.raises(sts.exceptions.IDPCommunicationErrorException):
        sts.assume_role_with_web_identity(RoleArn=f"arn:aws:iam::{account}:role/job", RoleSessionName="s1", WebIdentityToken=token)
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=made)


def program(server: Served, folder: Path, *words: str, **variables: str) -> str:
    """What `aws` prints, given an address and no keys."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SEKISHO_"))}
    environment = {
        **kept, "AWS_ENDPOINT_URL": server.url, "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(folder), **variables,
    }  # fmt: skip
    aws = Path(sys.executable).with_name("aws")
    done = subprocess.run([aws, *words], env=environment, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_command_itself(server: Served, ci: Provider, roles: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "token").write_text(ci.token(sub="amara"))
    words = ("--role-arn", roles["job"], "--role-session-name", "s1", "--web-identity-token", "file://token")
    query = ("--query", "AssumedRoleUser.Arn", "--output", "text")
    said = program(server, tmp_path, "sts", "assume-role-with-web-identity", *words, *query)
    assert said == roles["job"].replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/s1"


def test_a_token_file_in_the_environment(server: Served, ci: Provider, roles: dict[str, str], tmp_path: Path) -> None:
    """As a pod has it."""
    (tmp_path / "token").write_text(ci.token(sub="amara"))
    variables = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"), "AWS_ROLE_ARN": roles["job"], "AWS_ROLE_SESSION_NAME": "pod-1"}
    query = ("--query", "Arn", "--output", "text")
    said = program(server, tmp_path, "sts", "get-caller-identity", *query, **variables)
    assert said.endswith(":assumed-role/job/pod-1")
    assert program(server, tmp_path, "iam", "list-users", "--query", "Users", "--output", "text", **variables) == ""


def test_a_profile_with_a_token_file_is_read_by_boto3_and_our_client(
    server: Served, grpc: str, ci: Provider, roles: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(ci.token(sub="amara"))
    profile = {"role_arn": roles["job"], "web_identity_token_file": str(tmp_path / "token"), "role_session_name": "from-profile"}
    settings = configparser.ConfigParser()
    settings["profile ci"] = {**profile, "region": REGION, "endpoint_url": server.url}
    with (tmp_path / "config").open("w") as file:
        settings.write(file)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    found = boto3.Session(profile_name="ci").client("sts").get_caller_identity()
    assert found["Arn"].endswith(":assumed-role/job/from-profile")
    with Client.from_profile("ci", endpoint=grpc, timeout=60.0) as client:
        assert client.sts.get_caller_identity().arn == found["Arn"]

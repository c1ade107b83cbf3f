"""People of a SAML provider, and decoded messages, by the unmodified `aws` and boto3; and a flood of responses that nobody signed."""

import base64
import json
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.aws.cli import Aws
from tests.aws.conftest import REGION, Served, serving
from tests.aws.forked import Program
from tests.cli.command import sekisho
from tests.credentials.saml.hostile import HOSTILE
from tests.identity_provider import ROLE, SESSION_NAME, IdentityProvider

IDP = IdentityProvider()


@dataclass(frozen=True, slots=True)
class Company:
    """A running server, its data directory, a provider and a role that trusts it."""

    served: Served
    data: Path
    role: str
    provider: str

    def iam(self) -> Any:
        """A client with the keys of the root user, which tries once."""
        keys = {"aws_access_key_id": self.served.access_key_id, "aws_secret_access_key": self.served.secret_access_key}
        return boto3.client("iam", endpoint_url=self.served.url, region_name=REGION, config=Config(retries={"max_attempts": 0}), **keys)

    def sts(self) -> Any:
        """A client without keys."""
        return boto3.client("sts", endpoint_url=self.served.url, region_name=REGION, config=Config(signature_version=UNSIGNED))

    def asserted(self) -> str:
        """A response about Ana."""
        attributes = {ROLE: [f"{self.role},{self.provider}"], SESSION_NAME: ["ana"]}
        return IDP.okta(IDP.says(datetime.now(UTC).replace(microsecond=0), attributes=attributes))


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    folder = tmp_path_factory.mktemp("served")
    with serving(folder, f"sqlite:///{folder / 'sekisho.db'}") as served:
        found = Company(served, folder / "data", "", "")
        iam = found.iam()
        provider = iam.create_saml_provider(Name="idp", SAMLMetadataDocument=IDP.metadata)["SAMLProviderArn"]
        when = {"StringEquals": {"saml:aud": "https://signin.aws.amazon.com/saml"}}
        statement = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithSAML", "Condition": when}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        role = iam.create_role(RoleName="dev", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        iam.create_user(UserName="ann")
        yield Company(served, folder / "data", role, provider)


@pytest.fixture
def aws(company: Company, program: Program, tmp_path: Path) -> Aws:
    return Aws(company.served, program, tmp_path)


def test_the_command_line_assumes_the_role_once(company: Company, aws: Aws) -> None:
    (aws.folder / "response.txt").write_text(company.asserted())
    command = f"sts assume-role-with-saml --role-arn {company.role} --principal-arn {company.provider} --saml-assertion file://response.txt"
    made = aws(command)
    assert made["AssumedRoleUser"]["Arn"].endswith(":assumed-role/dev/ana")
    assert (made["Subject"], made["SubjectType"], made["Issuer"]) == ("ana@example.com", "persistent", "https://idp.example.com/m")
    assert made["Audience"] == "https://signin.aws.amazon.com/saml"
    assert len(base64.b64decode(made["NameQualifier"])) == 20
    assert aws.error(command) == "InvalidIdentityToken"


def test_boto3_assumes_the_role_without_keys_and_uses_them(company: Company) -> None:
    sts = company.sts()
    made = sts.assume_role_with_saml(RoleArn=company.role, PrincipalArn=company.provider, SAMLAssertion=company.asserted())["Credentials"]
    keys = {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
        "aws_session_token": made["SessionToken"],
    }
    caller = boto3.client("sts", endpoint_url=company.served.url, region_name=REGION, **keys).get_caller_identity()
    assert caller["Arn"].endswith(":assumed-role/dev/ana")


@pytest.mark.parametrize(
    ("name", "exception"),
    [
        ("unsigned", "InvalidIdentityTokenException"),
        ("issued_more_than_five_minutes_ago", "ExpiredTokenException"),
        ("a_failure", "IDPRejectedClaimException"),
    ],
)
def test_refusals_are_the_exceptions_of_boto3(company: Company, name: str, exception: str) -> None:
    sts = company.sts()
    with pytest.raises(getattr(sts.exceptions, exception)):
        sts.assume_role_with_saml(RoleArn=company.role, PrincipalArn=company.provider, SAMLAssertion=HOSTILE[name][1]())


def test_the_command_line_decodes_a_message(company: Company, aws: Aws) -> None:
    done = sekisho(
        *("authorize", "--data-dir", company.data, "--principal", "user/ann", "--action", "orders:Ship", "--resource", "*"),
        *("--encode-message", "--json"),
    )
    assert done.returncode == 3, done.stderr
    message = json.loads(done.stdout)["encoded_authorization_message"]
    found = json.loads(aws(f"sts decode-authorization-message --encoded-message {message}")["DecodedMessage"])
    assert (found["allowed"], found["context"]["action"], found["context"]["principal"]["name"]) == (False, "orders:Ship", "ann")
    assert aws.error(f"sts decode-authorization-message --encoded-message {message[:-4]}AAAA") == "InvalidAuthorizationMessageException"
    shown = sekisho(
        *("authorize", "--data-dir", company.data, "--principal", "user/ann", "--action", "orders:Ship", "--resource", "*"),
        "--encode-message",
    )
    assert "encoded   " in shown.stdout


def test_a_flood_of_responses_starves_nobody(company: Company) -> None:
    """Eight callers who sign nothing send what takes longest to refuse; whoever signs is answered each time, at the first try."""
    bodies = [_form(company, HOSTILE[name][1]()) for name in ("very_many_attributes_signed", "the_role_is_changed", "very_long")]
    over, answered = threading.Event(), []

    def flood() -> None:
        number = 0
        while not over.is_set():
            answered.append(_sent(company, bodies[(number := number + 1) % len(bodies)]))

    threads = [threading.Thread(target=flood) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        iam = company.iam()
        for number in range(20):
            iam.create_user(UserName=f"signed-{number}")
            iam.get_user(UserName=f"signed-{number}")
            iam.delete_user(UserName=f"signed-{number}")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert answered
    assert set(answered) <= {400, 403, 429, 503}, "none of them was taken"


def _form(company: Company, text: str) -> bytes:
    asked = {
        "Action": "AssumeRoleWithSAML",
        "Version": "2011-06-15",
        "RoleArn": company.role,
        "PrincipalArn": company.provider,
        "SAMLAssertion": text,
    }
    return urllib.parse.urlencode(asked).encode()


def _sent(company: Company, body: bytes) -> int:
    """The status of the answer."""
    try:
        with urllib.request.urlopen(company.served.url, body, timeout=60) as answer:  # noqa: S310  # the test's own server
            return int(answer.status)
    except HTTPError as error:
        return error.code


def test_boto3_hears_of_a_message_that_is_made_up(company: Company) -> None:
    keys = {"aws_access_key_id": company.served.access_key_id, "aws_secret_access_key": company.served.secret_access_key}
    sts = boto3.client("sts", endpoint_url=company.served.url, region_name=REGION, **keys)
    with pytest.raises(ClientError, match="InvalidAuthorizationMessageException"):
        sts.decode_authorization_message(EncodedMessage="made-up")

"""Secrets go through every rpc that takes or gives some, well and badly; nothing that a server writes has any of them in clear."""

import contextlib
import gzip
import http.client
import json
import secrets
import time
from base64 import b32decode, b32encode, b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.credentials import one_time
from sekisho.operations import Operation
from sekisho.sigv4 import bearer
from tests import canaries, planes, providers
from tests.canaries import Canaries
from tests.harness import BY_NAME
from tests.identity_provider import ROLE as SAML_ROLE
from tests.identity_provider import SESSION_NAME as SAML_NAME
from tests.identity_provider import IdentityProvider
from tests.node import collector
from tests.providers import Provider
from tests.served import AUDIENCE, Answer, Served, serving, signed
from tests.services.iam import pki
from tests.services.iam.documents import allow, trust
from tests.services.iam.test_saml_providers import metadata
from tests.services.mfa.authenticator import Passkey
from tests.services.sts.web_identities import federated

PROGRAM = """
import sys
from pathlib import Path
from sekisho.edges import aws
from sekisho.node.options import Options
from sekisho.node.run import serve
folder = Path(sys.argv[1]).parent
if __name__ == "__main__":
    sys.exit(serve(Options(
        data_dir=Path(sys.argv[1]), database=sys.argv[2], grpc="127.0.0.1:0", http="127.0.0.1:0", log_level="debug",
        decision_log=str(folder / "decisions"), audit_sink=str(folder / "audit"), trail_buckets=(f"logs=file://{folder}/logs",),
        trail_delivery=1, trail_digests=1, trail_checkpoints=folder / "checkpoints", trail_checkpoint_seconds=1, otel_endpoint=ENDPOINT,
        oidc_allow_private=(ALLOWANCE,), passkey_rp_id="example.com", passkey_origins=("https://console.example.com",),
    ), edges=(aws.application,)))
"""
CODE = "123456"


PEOPLE = IdentityProvider()


def codes(seed: bytes, step: int | None = None) -> dict[str, str]:
    """Two codes of a device in a row, the second one of now."""
    now = one_time.step(datetime.now(UTC)) if step is None else step
    return {"authentication_code1": one_time.code(seed, now - 1), "authentication_code2": one_time.code(seed, now)}


class Story:
    """A server, and the calls to it; what they carry is remembered. `provider` vouches for people who have no keys."""

    def __init__(self, served: Served, provider: Provider | None = None) -> None:
        self.served, self.canaries, self.done, self.provider = served, Canaries(), set[str](), provider
        self.answers: list[tuple[str, str]] = []

    def send(self, name: str, _as: sigv4.Credentials | None = None, /, **fields: Any) -> Answer:
        """A signed call, good or bad."""
        operation = BY_NAME[name]
        request = operation.request(**fields)
        self.canaries.take(f"the request of {name}", *canaries.secrets_of(request))
        body = request.SerializeToString()
        return self.told(name, self.served.send(operation.path, body, self.proof(operation, _as or self.served.root, body)))

    @staticmethod
    def proof(operation: Operation, who: sigv4.Credentials, body: bytes) -> tuple[tuple[str, str], ...]:
        """The metadata of a call: none where nobody signs it."""
        return signed(who, operation.path, body) if operation.signed else ()

    def told(self, name: str, answer: Answer) -> Answer:
        """An answer, whose error is kept."""
        if answer.status.name != "OK":
            self.answers.append((name, answer.seen))
        return answer

    def call(self, name: str, _as: sigv4.Credentials | None = None, /, **fields: Any) -> Any:
        """A call that must succeed."""
        answer = self.send(name, _as, **fields)
        assert answer.status.name == "OK", f"{name}: {answer.reason} {answer.message}"
        response = BY_NAME[name].response.FromString(answer.body)
        self.canaries.take(f"the answer of {name}", *canaries.secrets_of(response))
        self.done.add(name)
        return response

    def session(self, name: str, _as: sigv4.Credentials | None = None, /, **fields: Any) -> sigv4.Credentials:
        made = self.call(name, _as, **fields).credentials
        return sigv4.Credentials(made.access_key_id, made.secret_access_key, made.session_token)

    def bearer(self, made: sigv4.Credentials, *, change: Callable[[str], str] = str) -> Answer:
        """A call with a bearer token, as it is or changed."""
        header = change(bearer.make(made, AUDIENCE, datetime.now(UTC)))
        self.canaries.take("a bearer token", header.removeprefix("Bearer "))
        return self.told("a bearer token", self.served.send(BY_NAME["GetCallerIdentity"].path, b"", (("authorization", header),)))

    def people(self) -> None:
        """What a user has: password, keys, devices, credentials of services."""
        ann = self.user("ann")
        password, another, third = (self.canaries.new("a password", before="Aa1!") for _ in range(3))
        self.call("CreateLoginProfile", user_name="ann", password=password)
        self.call("UpdateLoginProfile", user_name="ann", password=another)
        self.call("ChangePassword", ann, old_password=another, new_password=third)
        made = self.call("CreateVirtualMFADevice", virtual_mfa_device_name="phone").virtual_mfa_device
        seed, step = b32decode(made.base32_string_seed), one_time.step(datetime.now(UTC))
        self.canaries.take("a seed", seed)
        self.call("EnableMFADevice", user_name="ann", serial_number=made.serial_number, **codes(seed, step))
        self.session("GetSessionToken", ann, serial_number=made.serial_number, token_code=one_time.code(seed, step + 1))
        self.call("ListVirtualMFADevices")
        self.send("ResyncMFADevice", user_name="ann", serial_number=made.serial_number, **codes(seed, step))
        for service in ("codecommit.amazonaws.com", "cassandra.amazonaws.com"):
            given = self.call("CreateServiceSpecificCredential", user_name="ann", service_name=service).service_specific_credential
            id_ = given.service_specific_credential_id
            self.call("ResetServiceSpecificCredential", user_name="ann", service_specific_credential_id=id_)

    def devices(self) -> None:
        """MFA devices that AWS's API does not make."""
        dan, seed = self.user("dan"), secrets.token_bytes(20)
        self.canaries.take("a seed", seed)
        self.call("CreateHardwareDevice", serial_number="GAHT12345678", base32_string_seed=b32encode(seed).decode())
        self.call("EnableRootDevice", serial_number="GAHT12345678", **codes(seed))
        passkey, label = Passkey(), {"label": "laptop"}
        options = self.call("BeginPasskeyRegistration", dan).options
        serial = self.call("CompletePasskeyRegistration", dan, credential=passkey.register(options), **label).serial_number
        assertion = passkey.sign(self.call("BeginPasskeyAssertion", dan).options)
        self.session("GetSessionToken", dan, serial_number=serial, passkey_assertion=assertion)
        assert self.send("GetSessionToken", dan, serial_number=serial, passkey_assertion=assertion).status.name != "OK"

    def federation(self) -> None:
        """People and programs of providers elsewhere, and tokens for services elsewhere."""
        assert self.provider is not None
        account = self.call("GetCallerIdentity").account
        provider = {"url": f"https://{self.provider.issuer}", "client_id_list": ["sts.amazonaws.com"]}
        oidc = self.call("CreateOpenIDConnectProvider", thumbprint_list=[self.provider.thumbprint], **provider).open_id_connect_provider_arn
        saml = self.call("CreateSAMLProvider", name="people", saml_metadata_document=PEOPLE.metadata).saml_provider_arn
        job, person = (f"arn:aws:iam::{account}:role/{name}" for name in ("job", "person"))
        self.call("CreateRole", role_name="job", assume_role_policy_document=federated(oidc))
        self.call("PutRolePolicy", role_name="job", policy_name="all", policy_document=allow("*"))
        self.call("CreateRole", role_name="person", assume_role_policy_document=federated(saml, "sts:AssumeRoleWithSAML"))
        asked = {"role_arn": job, "role_session_name": "s1", "web_identity_token": self.provider.token()}
        session = self.session("AssumeRoleWithWebIdentity", **asked)
        for change in ({"web_identity_token": asked["web_identity_token"][:-4]}, {"role_arn": person}):
            assert self.send("AssumeRoleWithWebIdentity", **{**asked, **change}).status.name != "OK"
        attributes = {SAML_ROLE: [f"{person},{saml}"], SAML_NAME: ["ana"]}
        response = PEOPLE.keycloak(PEOPLE.says(datetime.now(UTC).replace(microsecond=0), attributes=attributes))
        self.session("AssumeRoleWithSAML", role_arn=person, principal_arn=saml, saml_assertion=response)
        for wrong in (response, response[:-8]):  # a second time, and damaged
            assert self.send("AssumeRoleWithSAML", role_arn=person, principal_arn=saml, saml_assertion=wrong).status.name != "OK"
        self.call("EnableOutboundWebIdentityFederation")
        asked_for = {"audience": ["shop.example.com"], "signing_algorithm": "ES384"}
        token = self.call("GetWebIdentityToken", session, **asked_for).web_identity_token
        question = {"audience": "shop.example.com", "action": "orders:Ship", "resource": "*"}
        assert self.call("Authorize", bearer_token=token, **question).outcome == pb.OUTCOME_ALLOWED
        assert self.send("Authorize", bearer_token=token[:-4], **question).status.name != "OK"
        denied = self.call("Authorize", principal_arn=person, encode_authorization_message=True, **{**question, "audience": ""})
        self.call("DecodeAuthorizationMessage", encoded_message=denied.encoded_authorization_message)

    def user(self, name: str) -> sigv4.Credentials:
        self.call("CreateUser", user_name=name)
        self.call("PutUserPolicy", user_name=name, policy_name="all", policy_document=allow("*"))
        key = self.call("CreateAccessKey", user_name=name).access_key
        return sigv4.Credentials(key.access_key_id, key.secret_access_key)

    def keys(self) -> None:
        """Private keys that are brought."""
        pair = pki.made("canary")
        self.call("UploadServerCertificate", server_certificate_name="web", certificate_body=pair.certificate, private_key=pair.private_key)
        saml = {"saml_metadata_document": metadata(), "assertion_encryption_mode": "Required"}
        arn = self.call("CreateSAMLProvider", name="idp", add_private_key=pki.made("c1").private_key, **saml).saml_provider_arn
        self.call("UpdateSAMLProvider", saml_provider_arn=arn, add_private_key=pki.made("c2").private_key)

    def sessions(self) -> None:
        """Temporary credentials, and decisions about who has them."""
        bob = self.user("bob")
        account = self.call("GetCallerIdentity").account
        arn = f"arn:aws:iam::{account}:role/clerk"
        self.call("CreateRole", role_name="clerk", assume_role_policy_document=trust(f"arn:aws:iam::{account}:root"))
        self.call("PutRolePolicy", role_name="clerk", policy_name="all", policy_document=allow("*"))
        made = [
            self.session("AssumeRole", bob, role_arn=arn, role_session_name="s1"),
            self.session("GetSessionToken", bob),
            self.session("GetFederationToken", bob, name="guest", policy=allow("orders:*")),
        ]
        for one in made:
            self.call("GetCallerIdentity", one)
            assert self.bearer(one).status.name == "OK"
            token = bearer.make(one, AUDIENCE, datetime.now(UTC)).removeprefix("Bearer ")
            self.call("Authorize", bearer_token=token, action="orders:Ship", resource="*")
            self.call("AuthorizeBatch", requests=[{"bearer_token": token, "action": "orders:Ship", "resource": "*"}])
            self.call("Explain", request={"bearer_token": token, "action": "orders:Ship", "resource": "*"})
            token_less = sigv4.Credentials(one.access_key_id, one.secret_access_key)
            changed = sigv4.Credentials(one.access_key_id, one.secret_access_key, f"{one.session_token}A")
            for bad in (token_less, changed, sigv4.Credentials(one.access_key_id, "x" * 40, one.session_token)):
                assert self.send("GetCallerIdentity", bad).status.name == "UNAUTHENTICATED"
                self.send("Authorize", bad, action="orders:Ship", resource="*")
            for change in (lambda text: text[:-1], lambda text: f"{text}A", lambda text: text.replace("Bearer ", "Bearer x")):
                assert self.bearer(one, change=change).status.name != "OK"

    def organization(self) -> None:
        """A session of another account's root user."""
        self.call("CreateOrganization")
        self.call("EnableAWSServiceAccess", service_principal="iam.amazonaws.com")
        self.call("EnableOrganizationsRootCredentialsManagement")
        self.call("EnableOrganizationsRootSessions")
        request = self.call("CreateAccount", email="a@example.com", account_name="member").create_account_status
        limit = time.monotonic() + 60
        while not request.account_id:
            assert time.monotonic() < limit
            request = self.call("DescribeCreateAccountStatus", create_account_request_id=request.id).create_account_status
        task = {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}
        self.session("AssumeRoot", self.user("carol"), target_principal=request.account_id, task_policy_arn=task)

    def failures(self) -> None:
        """Each rpc that takes a secret, by the registry: with one that fits, one of signs that do not, and one that is too long."""
        for operation in canaries.operations(answering=False):
            for shape in (str, lambda text: f"{text}é\n", lambda text: text * 2000):
                request = operation.request()
                self._fill(operation, request, shape)
                body = request.SerializeToString()
                self.canaries.take(f"a bad request of {operation.name}", *canaries.secrets_of(request))
                for _as in (self.served.root, sigv4.Credentials(self.served.root.access_key_id, "x" * 40)):
                    self.told(operation.name, self.served.send(operation.path, body, self.proof(operation, _as, body)))
                cut = body[:-1]
                self.told(operation.name, self.served.send(operation.path, cut, self.proof(operation, self.served.root, cut)))

    def _fill(self, operation: Operation, request: Any, shape: Callable[[str], str]) -> None:
        for field in request.DESCRIPTOR.fields:
            secret = canaries.is_secret(field)
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                if secret:
                    getattr(request, field.name)["authorization"] = shape(self.canaries.new(f"{operation.name}: {field.name}"))
            elif field.message_type is not None:
                if canaries.has_secret(field.message_type):
                    inner = getattr(request, field.name)
                    self._fill(operation, inner.add() if field.is_repeated else inner, shape)
            elif field.type == field.TYPE_BYTES and secret:
                setattr(request, field.name, shape(self.canaries.new(f"{operation.name}: {field.name}")).encode())
            elif field.type == field.TYPE_STRING and not field.is_repeated:
                fitting = {"user_name": "ann", "name": "idp2", "role_arn": "arn:aws:iam::123456789012:role/clerk"}
                setattr(
                    request,
                    field.name,
                    shape(self.canaries.new(f"{operation.name}: {field.name}")) if secret else fitting.get(field.name, "x"),
                )

    def over_http(self) -> None:
        """What AWS's tools send: secrets in the body, and by mistake in the query; well signed, and badly."""
        where = self.served.endpoints["http"]
        for path, key in (("/", "x" * 40), ("/", self.served.root.secret_access_key), ("/?", self.served.root.secret_access_key)):
            fields = {"Action": "UpdateLoginProfile", "Version": "2010-05-08", "UserName": "ann"}
            body = urlencode({**fields, "Password": self.canaries.new("a password over HTTP", before="Aa1!")})
            target, content = (f"{path}{body}", "") if path == "/?" else (path, body)
            headers = {"content-type": "application/x-www-form-urlencoded"}
            request = AWSRequest("POST", f"http://{where}{target}", headers=headers, data=content)
            SigV4Auth(Credentials(self.served.root.access_key_id, key), "iam", "us-east-1").add_auth(request)
            with contextlib.closing(http.client.HTTPConnection(where, timeout=60)) as connection:
                connection.request("POST", target, content, dict(request.headers))
                self.answers.append(("the gateway", connection.getresponse().read().decode()))

    def page(self, path: str) -> str:
        with contextlib.closing(http.client.HTTPConnection(self.served.endpoints["http"], timeout=60)) as connection:
            connection.request("GET", path)
            return connection.getresponse().read().decode()


@pytest.fixture(scope="module")
def collected() -> Iterator[collector.Collector]:
    with collector.collecting() as made:
        yield made


def program(endpoint: str, provider: Provider) -> str:
    """The server that is searched."""
    return PROGRAM.replace("ENDPOINT", repr(endpoint)).replace("ALLOWANCE", repr(provider.allowance))


def test_nothing_that_is_written_has_a_secret(database_url: str, tmp_path: Path, collected: collector.Collector) -> None:
    for folder in ("checkpoints", "logs"):
        (tmp_path / folder).mkdir()
    with (
        providers.provider() as provider,
        serving(database_url, tmp_path, program=program(collected.endpoint, provider)) as served,
    ):
        story = Story(served, provider)
        story.call("CreateTrail", name="trail", s3_bucket_name="logs")
        story.call("StartLogging", name="trail")
        parts = (story.people, story.devices, story.keys, story.sessions, story.federation, story.organization)
        for part in (*parts, story.failures, story.over_http):
            part()
        wanted = {one.name for one in canaries.operations(answering=True)}
        assert wanted - story.done == set(), "a call of it that succeeds belongs into this story"
        pages = [story.page(path) for path in ("/metrics", "/healthz", "/readyz")]
        collector.until(lambda: list((tmp_path / "logs").rglob("*.json.gz")), "no file of the trail was delivered")
        collector.until(collected.spans, "no span was exported")
        assert served.stop() == 0
    assert len(story.canaries.sent) > 100
    found = story.canaries.search(tmp_path, url=database_url)
    for name, text in (*story.answers, *(("a page", page) for page in pages), ("telemetry", collected.text)):
        found += story.canaries.found_in(f"an answer of {name}", text.encode())
    assert found == []
    assert {path.name for path in tmp_path.iterdir()} >= {"audit", "checkpoints", "data", "decisions", "logs"}, "all of it was searched"


def test_a_data_node_keeps_no_secret_in_clear(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'sekisho.db'}"
    with planes.control_node(url, tmp_path / "control") as control, planes.data_node(control, url, tmp_path / "data") as data:
        made = control.call("CreateAccessKey").access_key
        root = sigv4.Credentials(made.access_key_id, made.secret_access_key)
        story = Story(data)
        story.canaries.take("an access key", made.secret_access_key)
        session = story.session("GetSessionToken", root)
        assert story.bearer(session).status.name == "OK"
        token = bearer.make(session, AUDIENCE, datetime.now(UTC)).removeprefix("Bearer ")
        story.call("Authorize", root, bearer_token=token, action="orders:Ship", resource="*")
        assert data.stop() == 0
        assert control.stop() == 0
    assert list((tmp_path / "data" / "data" / "snapshots").iterdir())
    assert story.canaries.search(tmp_path) == []


def test_the_search_finds_what_there_is(tmp_path: Path) -> None:
    """In clear, in base64 wherever it begins, in hexadecimal, in a packed file."""
    made = Canaries()
    secret = made.new("x").encode()
    for number, content in enumerate(
        (
            secret,
            json.dumps({"a": secret.decode()}).encode(),
            secret.hex().encode(),
            gzip.compress(b"x" + secret),
            *(b64encode(b"y" * before + secret + b"zz") for before in range(4)),
        )
    ):
        file = tmp_path / f"{number}"
        file.write_bytes(secrets.token_bytes(8) + content if content[:2] != b"\x1f\x8b" else content)
        assert {said.split(":")[0] for said in made.search(tmp_path)} == {file.name}, number
        file.unlink()

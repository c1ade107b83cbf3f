"""Clients with certificates: who gets in, as whom, and beside which signatures."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from sekisho.calls import proofs, workloads
from sekisho.calls.call import Call, Peer
from sekisho.client import TLS, Client, Credentials, Retries, Unauthenticated, Unavailable
from sekisho.edges.grpc.handlers import peer
from sekisho.edges.grpc.lean.served import Lean
from sekisho.edges.grpc.server import Server
from sekisho.errors import InvalidArgument
from sekisho.node import listeners
from sekisho.node.certificates import Certificates
from sekisho.node.options import Options
from sekisho.node.prepare import prepare
from sekisho.node.roles import GRPC, ROLES
from sekisho.sigv4 import ExpiredToken
from tests.certificates import NOW, Authority
from tests.cli.command import environment
from tests.harness import BY_NAME, House, house
from tests.services.iam.documents import allow, trust

ORDERS, ALICE, GONE, OTHER = (f"spiffe://shop.example/sa/{name}" for name in ("orders", "alice", "gone", "other"))


@dataclass(frozen=True, slots=True)
class Served:
    """A gRPC server that asks for certificates, in this process."""

    house: House
    authority: Authority
    folder: Path
    endpoint: str
    alice: Credentials

    def as_(self, spiffe_id: str, credentials: Credentials | None = None) -> Client:
        """A client with this name in its certificate."""
        return Client(self.endpoint, credentials, tls=self.authority.tls(self.folder, spiffe_id), timeout=20.0)


@pytest.fixture(scope="module", params=["stock", "lean"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, authority = tmp_path_factory.mktemp("served"), Authority()
    (folder / "clients").mkdir()
    with house(f"sqlite:///{folder / 'sekisho.db'}", folder) as made:
        alice = made.user("alice", allow("iam:GetUser"), allow("sts:AssumeRole"))
        made.call(
            "CreateRole",
            role_name="order-service",
            path="/shop/",
            assume_role_policy_document=trust(f"arn:aws:iam::{made.account_id}:root"),
        )
        made.call("PutRolePolicy", role_name="order-service", policy_name="p", policy_document=allow("authorize:Authorize"))
        lines = {ORDERS: "role/shop/order-service", ALICE: "user/alice", GONE: "user/gone"}
        text = "\n".join(f"{name}: arn:aws:iam::{made.account_id}:{principal}" for name, principal in lines.items())
        (folder / "ca.pem").write_bytes(authority.certificate)
        certificates = Certificates(*authority.server().write(folder, "own"), folder / "ca.pem")
        credentials = certificates.over_grpc()
        lanes, known = ROLES["all"].lanes(GRPC), workloads.parse(text)
        if request.param == "lean":
            bound = listeners.shared("127.0.0.1:0")
            with Lean(made.node, lanes, bound, workloads=known, tls=certificates.over_lean, grace=1.0, age=600.0):
                yield Served(made, authority, folder / "clients", listeners.address(bound), alice)
            lanes.close()
            return
        with Server(made.node, lanes, "127.0.0.1:0", workloads=known, credentials=credentials, grace=1.0) as server:
            yield Served(made, authority, folder / "clients", f"127.0.0.1:{server.port}", alice)


def test_a_role_by_its_certificate_alone(served: Served) -> None:
    with served.as_(ORDERS) as client:
        assert client.sts.get_caller_identity().arn == f"arn:aws:sts::{served.house.account_id}:assumed-role/order-service/orders"
        assert not client.authorize(action="orders:Ship", resource="*")
    used = served.house.call("GetRole", role_name="order-service").role
    assert used.role_last_used.region == "local"
    found = served.house.node.last_use.of(used.role_id)
    assert found is not None
    assert found.service == "authorize"


def test_a_user_by_its_certificate_alone(served: Served) -> None:
    with served.as_(ALICE) as client:
        assert client.iam.get_user().user.user_name == "alice"


def test_without_a_certificate_nobody_gets_in(served: Served) -> None:
    ca = served.folder / "ca"
    ca.write_bytes(served.authority.certificate)
    for tls in (TLS(ca=ca), replace(Authority().tls(served.folder, ORDERS), ca=ca)):
        once = Client(served.endpoint, served.house.root, tls=tls, timeout=60.0, retries=Retries(attempts=1))
        with once as client, pytest.raises(Unavailable):
            client.sts.get_caller_identity()


def test_a_certificate_that_the_map_does_not_know_says_nothing(served: Served) -> None:
    with served.as_(OTHER) as client, pytest.raises(Unauthenticated) as raised:
        client.sts.get_caller_identity()
    assert raised.value.code == "MissingAuthenticationToken"
    with served.as_(OTHER, served.alice) as client:
        assert client.sts.get_caller_identity().arn == f"arn:aws:iam::{served.house.account_id}:user/alice"


def test_a_signature_beside_a_certificate_is_of_the_same_principal(served: Served) -> None:
    role = f"arn:aws:iam::{served.house.account_id}:role/shop/order-service"
    session = served.house.assume(role, "monday", _as=served.alice)
    with served.as_(ALICE, served.alice) as client:
        assert client.sts.get_caller_identity().arn == f"arn:aws:iam::{served.house.account_id}:user/alice"
    with served.as_(ORDERS, session) as client:
        assert client.sts.get_caller_identity().arn == f"arn:aws:sts::{served.house.account_id}:assumed-role/order-service/monday"
    for name, other in ((ORDERS, served.alice), (ALICE, session), (ALICE, served.house.root)):
        with served.as_(name, other) as client, pytest.raises(Unauthenticated) as raised:
            client.sts.get_caller_identity()
        assert raised.value.code == "SignatureDoesNotMatch"


def test_a_broken_signature_is_not_mended_by_a_certificate(served: Served) -> None:
    broken = Credentials(served.alice.access_key_id, "x" * 40)
    with served.as_(ALICE, broken) as client, pytest.raises(Unauthenticated) as raised:
        client.sts.get_caller_identity()
    assert raised.value.code == "SignatureDoesNotMatch"


def test_a_principal_that_is_gone(served: Served) -> None:
    for credentials in (None, served.alice):
        with served.as_(GONE, credentials) as client, pytest.raises(Unauthenticated) as raised:
            client.sts.get_caller_identity()
        assert raised.value.code == "InvalidClientTokenId"


def test_a_session_of_a_certificate_ends_with_it_and_can_be_ended_before(served: Served) -> None:
    found = workloads.parse(f"{ORDERS}: arn:aws:iam::{served.house.account_id}:role/shop/order-service")
    workload = found.of(served.authority.client(ORDERS).certificate)
    call = Call(node=served.house.node, operation=BY_NAME["Authorize"], request_id="r", now=NOW, deadline=0.0)
    proof = proofs.Certified(proofs.Certificate(workload), proofs.CallSignature((), "", b"", ""))
    who = proof.prove(call)
    assert served.house.node.world.acting(who, NOW)[0].keys["aws:tokenissuetime"] == NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    for moment in (NOW - timedelta(seconds=1), NOW + timedelta(hours=1, seconds=1)):
        with pytest.raises(ExpiredToken):
            proof.prove(replace(call, now=moment))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tls_client_ca": "ca.pem"}, "--tls-client-ca is for a listener with TLS"),
        ({"tls_cert": "c.pem", "tls_key": "k.pem", "spiffe_map": "map"}, "give --tls-client-ca"),
    ],
)
def test_options_that_make_no_sense_alone(tmp_path: Path, options: dict[str, str], said: str) -> None:
    given = {name: Path(value) for name, value in options.items()}
    with pytest.raises(InvalidArgument, match=said):
        prepare(Options(data_dir=tmp_path / "data", **given))  # type: ignore[arg-type]  # options of one kind
    assert not (tmp_path / "data").exists()


def test_plaintext_is_not_called_secure_nor_ipv4_ipv6() -> None:
    said = "ipv6:%5B::ffff:127.0.0.1%5D:5000"
    assert peer(said, (), {"transport_security_type": [b"insecure"]}) == Peer("127.0.0.1", "", False)
    assert peer(said, (), {"transport_security_type": [b"ssl"]}) == Peer("127.0.0.1", "", True)


def test_the_command_line_serves_it(tmp_path: Path) -> None:
    authority, data_dir, account = Authority(), tmp_path / "data", "111122223333"
    certificate, key = authority.server().write(tmp_path, "server")
    (tmp_path / "ca.pem").write_bytes(authority.certificate)
    (tmp_path / "map").write_text(f"{ALICE}: arn:aws:iam::{account}:user/alice\n")
    (tmp_path / "clients").mkdir()
    env = environment(
        SEKISHO_GRPC="127.0.0.1:0",
        SEKISHO_HTTP="127.0.0.1:0",
        SEKISHO_DATA_DIR=str(data_dir),
        SEKISHO_ACCOUNT_ID=account,
        SEKISHO_TLS_CERT=str(certificate),
        SEKISHO_TLS_KEY=str(key),
        SEKISHO_TLS_CLIENT_CA=str(tmp_path / "ca.pem"),
        SEKISHO_SPIFFE_MAP=str(tmp_path / "map"),
    )
    with subprocess.Popen([sys.executable, "-m", "sekisho.cli", "serve"], stdout=subprocess.DEVNULL, env=env) as process:
        try:
            limit = time.monotonic() + 60
            while not (data_dir / "endpoints.json").exists():
                assert process.poll() is None
                assert time.monotonic() < limit
                time.sleep(0.05)
            endpoint = json.loads((data_dir / "endpoints.json").read_text())["grpc"]
            clients = tmp_path / "clients"
            known = {"SEKISHO_ENDPOINT": endpoint, "SEKISHO_CREDENTIALS": str(data_dir / "credentials")}
            with Client.from_env(known, tls=authority.tls(clients, OTHER)) as root:
                root.iam.create_user(user_name="alice")
            tls = authority.tls(clients, ALICE)
            alone = {
                "SEKISHO_ENDPOINT": endpoint,
                "HOME": str(tmp_path),
                "SEKISHO_CA": str(tls.ca),
                "SEKISHO_CLIENT_CERT": str(tls.certificate),
                "SEKISHO_CLIENT_KEY": str(tls.key),
            }
            with Client.from_env(alone) as alice:
                assert alice.sts.get_caller_identity().arn == f"arn:aws:iam::{account}:user/alice"
                with pytest.raises(ValueError, match="its certificate says who it is"):
                    alice.token()
        finally:
            process.terminate()


def test_half_a_certificate_is_none() -> None:
    with pytest.raises(ValueError, match="SEKISHO_CLIENT_CERT and SEKISHO_CLIENT_KEY go together"):
        Client.from_env({"SEKISHO_ENDPOINT": "127.0.0.1:1", "SEKISHO_CLIENT_CERT": "c.pem"})

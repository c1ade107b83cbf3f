"""The servers that are compared under load, each with the same question in its own words: may alice read an object of her team?

Alice has ten statements, or rules, with wildcards, a team and an address as conditions; a hundred other policies are there. The one who
asks says who she is, by her ARN. Every server answers an allowed and a denied question before it is timed.
"""

import contextlib
import json
import multiprocessing
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import grpc

from bench import measure
from bench.h2load import NoLoad, Target
from bench.peers import cerbos
from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.client import Client
from sekisho.client import credentials as profiles
from sekisho.edges.grpc.server import OPTIONS
from tests import postgres

SINGLE = "/sekisho.api.authorize.v1.AuthorizeService/Authorize"
BATCH = "/sekisho.api.authorize.v1.AuthorizeService/AuthorizeBatch"
ITEMS = 50
OTHERS = 100
READ, DROP = "s3:GetObject", "s3:DropObject"
AUDIENCE = "sekisho"

ALICE: Sequence[Mapping[str, object]] = [
    {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/owner": "alice"}}},
    {"Effect": "Deny", "Action": "s3:Delete*", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/locked": "true"}}},
    {
        "Effect": "Allow",
        "Action": ["s3:Get*", "s3:List*"],
        "Resource": "*",
        "Condition": {
            "StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"},
            "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
        },
    },
    *({"Effect": "Allow", "Action": f"s3:Put{number}*", "Resource": f"arn:aws:s3:::bucket-{number}/*"} for number in range(3, 10)),
]
ASKING: Sequence[Mapping[str, object]] = [
    {"Effect": "Allow", "Action": ["authorize:Authorize", "authorize:AssertPrincipal"], "Resource": "*"}
]


@dataclass(frozen=True, slots=True)
class Arm:
    """A server with a kind of caller. `target` makes what is sent, anew for each run: signatures end."""

    name: str
    target: Callable[[int], Target]
    """Of a question, or of a batch of so many."""
    batches: bool = True


@contextlib.contextmanager
def sekisho(label: str, arguments: tuple[str, ...], core: int | None) -> Iterator[list[Arm]]:
    """A server of ours with these arguments: called by a bearer of a token, and by one who signs each call."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        serve = [sys.executable, "-m", "sekisho.cli", "serve", "--data-dir", name, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]
        process = stack.enter_context(_process([*serve, *arguments], core))
        while not (folder / "endpoints.json").exists():
            if process.poll() is not None:
                raise NoLoad(f"{label} did not start")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        where = json.loads((folder / "endpoints.json").read_text())
        endpoint = where["grpc"]
        keys, alice = _world(endpoint, profiles.from_file(folder / "credentials", "root"))

        def target(signs: bool, count: int) -> Target:
            path, body = _question(alice, count, READ)
            metadata = _signed(keys, path, body) if signs else _bearer(keys)
            size = _checked(endpoint, path, body, metadata, [pb.OUTCOME_ALLOWED])
            _, denied = _question(alice, count, DROP)
            _checked(endpoint, path, denied, _signed(keys, path, denied) if signs else metadata, [pb.OUTCOME_IMPLICITLY_DENIED])
            return Target(process.pid, int(endpoint.rpartition(":")[2]), path, body, metadata, size)

        yield [Arm(f"{label}, bearer", lambda count: target(False, count)), Arm(f"{label}, SigV4", lambda count: target(True, count))]


@contextlib.contextmanager
def peer(core: int | None) -> Iterator[list[Arm]]:
    """Cerbos; `peers.Absent` where it is not installed."""
    with tempfile.TemporaryDirectory() as name:
        ports = postgres.free_port(), postgres.free_port()
        with cerbos.running(Path(name), ports, measure.on_core(core)) as server:

            def target(count: int) -> Target:
                sizes = {}
                body = cerbos.question(count, action=READ, team="finance")
                for asked, allowed in ((body, True), (cerbos.question(count, action=READ, team="sales"), False)):
                    answer = _call(f"127.0.0.1:{server.port}", cerbos.PATH, asked, {})
                    found = [effect == cerbos.ALLOW for effect in cerbos.effects(answer)]
                    if found != [allowed] * count:
                        raise NoLoad(f"cerbos decided {found}, not {allowed}")
                    sizes[allowed] = len(answer) + 5
                return Target(server.pid, server.port, cerbos.PATH, body, {}, sizes[True])

            yield [Arm("cerbos 0.55", target)]


@contextlib.contextmanager
def echo(core: int | None) -> Iterator[list[Arm]]:
    """A bare server of grpcio with our options, which sends back the question: what grpcio itself costs."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve_echo, args=(there, core), daemon=True)
    process.start()
    try:
        port = here.recv()

        def target(_count: int) -> Target:
            _, body = _question("arn:aws:iam::123456789012:user/alice", 1, READ)
            assert process.pid is not None
            return Target(process.pid, port, SINGLE, body, {}, len(body) + 5)

        yield [Arm("echo on grpcio", target, batches=False)]
    finally:
        process.terminate()
        process.join(10)


def _serve_echo(pipe: Connection, core: int | None) -> None:
    measure.on_core(core)()
    server = grpc.server(ThreadPoolExecutor(6), options=OPTIONS)
    handler = grpc.unary_unary_rpc_method_handler(lambda body, _: body)
    service, method = SINGLE.strip("/").split("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    pipe.send(port)
    server.wait_for_termination()


def _world(endpoint: str, root: sigv4.Credentials) -> tuple[sigv4.Credentials, str]:
    """The one who asks, and the ARN of alice."""
    with Client(endpoint, root) as client:
        alice = client.iam.create_user(user_name="alice", tags=[{"key": "team", "value": "finance"}]).user.arn
        client.iam.put_user_policy(user_name="alice", policy_name="ten", policy_document=_document(ALICE))
        client.iam.create_user(user_name="gateway")
        client.iam.put_user_policy(user_name="gateway", policy_name="ask", policy_document=_document(ASKING))
        for number in range(OTHERS):
            client.iam.create_user(user_name=f"other-{number}")
            client.iam.put_user_policy(user_name=f"other-{number}", policy_name="four", policy_document=_document(ALICE[:4]))
        key = client.iam.create_access_key(user_name="gateway").access_key
    return sigv4.Credentials(key.access_key_id, key.secret_access_key), alice


def _document(statements: Sequence[Mapping[str, object]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _question(alice: str, count: int, action: str) -> tuple[str, bytes]:
    """Path and body: of Authorize, or of a batch."""
    requests = [
        pb.AuthorizeRequest(
            principal_arn=alice,
            action=action,
            resource=f"arn:aws:s3:::reports-bucket/2024/q3/summary-{number}.csv",
            resource_tags={"owner": "bob", "team": "finance", "locked": "false"},
            context=[pb.ContextEntry(key="aws:SourceIp", values=["10.1.2.3"])],
        )
        for number in range(count)
    ]
    if count == 1:
        return SINGLE, requests[0].SerializeToString(deterministic=True)
    return BATCH, pb.AuthorizeBatchRequest(requests=requests).SerializeToString(deterministic=True)


def _checked(endpoint: str, path: str, body: bytes, metadata: Mapping[str, str], outcomes: list[pb.Outcome]) -> int:
    """The size of the answer, which must be this; with the frame's five bytes."""
    answer = _call(endpoint, path, body, metadata)
    if path == SINGLE:
        found = {int(pb.AuthorizeResponse.FromString(answer).outcome)}
    else:
        found = {int(item.decision.outcome) for item in pb.AuthorizeBatchResponse.FromString(answer).items}
    if found != set(outcomes):
        raise NoLoad(f"decided {found}, not {outcomes}")
    return len(answer) + 5


def _call(endpoint: str, path: str, body: bytes, metadata: Mapping[str, str]) -> bytes:
    with grpc.insecure_channel(endpoint) as channel:
        method = channel.unary_unary(path, request_serializer=None, response_deserializer=None)
        answer: bytes = method(body, metadata=tuple(metadata.items()), timeout=60, wait_for_ready=True)
        return answer


def _signed(keys: sigv4.Credentials, path: str, body: bytes) -> dict[str, str]:
    return dict(sigv4.sign_call(keys, path, body, AUDIENCE, datetime.now(UTC)))


def _bearer(keys: sigv4.Credentials) -> dict[str, str]:
    return {"authorization": f"Bearer {sigv4.bearer.make(keys, AUDIENCE, datetime.now(UTC))}"}


@contextlib.contextmanager
def _process(command: list[str], core: int | None) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=measure.on_core(core))
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()

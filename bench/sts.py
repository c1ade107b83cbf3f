"""Temporary credentials: issued and verified a second over HTTP, with server CPU, beside moto's server in the same run; and what it takes
inside the process to verify a session and a bearer token.

One process each, four kept connections. moto draws its credentials and remembers them, and verifies neither signature nor token, nor what
an identity provider signed; Sekisho seals each session, writes what it issues to its spool on the disk before it answers, and verifies
signature, token and trust policy.
A session is cold on the first call that it signs, and cached from then on.
"""

import contextlib
import http.client
import itertools
import json
import tempfile
import xml.etree.ElementTree as ET  # answers of the servers that are measured
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import gateway, load, measure
from bench.gateway import IAM, STS, Server
from bench.summary import Row, Summary
from sekisho import sigv4
from sekisho.credentials import session_tokens
from sekisho.credentials.key_ring import KeyRing
from sekisho.credentials.session_tokens import OpenedTokens
from sekisho.credentials.sessions import Session
from sekisho.sigv4 import bearer
from tests import providers
from tests.providers import Provider

COUNT = 200
ROUNDS = 5
INSIDE = 5000
"""Calls of each function in the process."""

ROLE = "arn:aws:iam::{account}:role/clerk"
CACHED, COLD = "a cached session", "a cold session"
_numbers = itertools.count()
TARGETS = {CACHED: 5.0, COLD: 120.0}
"""Microseconds of CPU."""


def run() -> Summary:
    """Print both tables."""
    inside()
    with contextlib.ExitStack() as stack:
        provider = stack.enter_context(providers.provider())
        servers = [stack.enter_context(gateway.sekisho_server("Sekisho", "", "--oidc-allow-private", provider.allowance))]
        if (peer := stack.enter_context(gateway.moto_server())) is not None:
            servers.append(peer)
        jobs = {server.name: _prepared(server, provider) for server in servers}
        actions = list(jobs["Sekisho"])
        for number, action in itertools.product(range(ROUNDS + 1), actions):
            for server in servers:
                _round(server, action, jobs[server.name][action]())
            if number == 0:  # warms up
                for server in servers:
                    server.figures.clear()
    print(f"{'':30}{'':10}{'requests/s':>12}{'× moto':>9}{'server CPU µs':>15}")
    rows = []
    for action in actions:
        for server in servers:
            rate, cost = server.median(action)
            ratio = f"{rate / peer.median(action)[0]:9.1f}" if peer is not None else f"{'':9}"
            print(f"{action:30}{server.name:10}{rate:12.0f}{ratio}{cost:15.0f}")
        if peer is not None:
            ours, theirs = servers[0].median(action)[0], peer.median(action)[0]
            rows.append(Row(action, "requests/s", ours, "moto", theirs, ours / theirs))
    print(f"{ROUNDS} rounds of {COUNT} that take turns, medians, {load.CONNECTIONS} connections")
    return Summary(rows, {} if peer is not None else {"moto": "it is not installed: make .venv/.bench"})


def inside() -> None:
    """Microseconds of CPU of a verification in the process, without the signature and with it."""
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        ring = KeyRing.create(Path(folder) / "keyring.json")
        session = Session(
            kind="assumed-role",
            account="123456789012",
            principal_kind="role",
            principal_id="AROAEXAMPLE",
            principal_arn="arn:aws:iam::123456789012:role/clerk",
            issued_at=now,
            expires_at=now + timedelta(hours=1),
            session_name="bench",
        )
        made = session_tokens.issue(session, ring)
        token = made.session_token or ""
        cache = OpenedTokens(ring)
        cache.open(token, made.access_key_id, now)
        header = bearer.make(made, "sekisho", now)

        def shown() -> None:
            proof = bearer.parse(header)
            opened = cache.open(proof.session_token or "", proof.access_key_id, now)
            bearer.verify(proof, opened.credentials.secret_access_key, "sekisho", now)

        arms: dict[str, Callable[[], object]] = {
            CACHED: lambda: cache.open(token, made.access_key_id, now),
            COLD: lambda: session_tokens.open_token(token, made.access_key_id, ring, now),
            "a bearer token of a session": shown,
            "issuing a session": lambda: session_tokens.issue(session, ring),
        }
        timed = {name: (lambda arm=arm: measure.per_call(arm, INSIDE // 10)) for name, arm in arms.items()}
        for name, cost in measure.interleaved(timed, 10).items():
            target = f"  (target: {TARGETS[name]:.0f})" if name in TARGETS else ""
            print(f"{name:30}{cost:10.1f} µs of CPU{target}")


def _prepared(server: Server, provider: Provider) -> dict[str, Callable[[], list[bytes]]]:
    """The requests of each round: made anew where one must not be the same."""
    who = _user(server)
    account = _asked(who, "GetCallerIdentity", STS, {})["Account"]

    def assume() -> dict[str, str]:
        """Never the same twice: a signature is good for one call."""
        return {"RoleArn": ROLE.format(account=account), "RoleSessionName": f"bench-{next(_numbers)}"}

    def assumed() -> Server:
        made = _asked(who, "AssumeRole", STS, assume())
        return _as(server, sigv4.Credentials(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]))

    one = assumed()

    def lasting() -> dict[str, str]:
        return {"DurationSeconds": str(900 + next(_numbers) % 30_000)}

    job = _job(server, account, provider)

    def federated() -> bytes:
        """A token of its own, as each job has one: none was verified before."""
        members = {"RoleArn": job, "RoleSessionName": f"bench-{(number := next(_numbers))}"}
        return server.unsigned("AssumeRoleWithWebIdentity", STS, {**members, "WebIdentityToken": provider.token(jti=str(number))})

    load.send(server.address, [federated()])  # the provider is asked for its keys once, and not by four at a time
    return {
        "AssumeRole": lambda: [who.request("AssumeRole", STS, assume()) for _ in range(COUNT)],
        "AssumeRoleWithWebIdentity": lambda: [federated() for _ in range(COUNT)],
        "GetSessionToken": lambda: [who.request("GetSessionToken", STS, lasting()) for _ in range(COUNT)],
        "verification of a session": lambda: [one.request("GetCallerIdentity", STS, {})] * COUNT,
        "first call of a session": lambda: [assumed().request("GetCallerIdentity", STS, {}) for _ in range(COUNT)],
    }


def _user(server: Server) -> Server:
    """The same server with the keys of a user: root users assume no roles. There is a role that the user may assume."""
    everything = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    account = _asked(server, "GetCallerIdentity", STS, {})["Account"]
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}}],
        }
    )
    _asked(server, "CreateUser", IAM, {"UserName": "bench"})
    _asked(server, "PutUserPolicy", IAM, {"UserName": "bench", "PolicyName": "all", "PolicyDocument": everything})
    _asked(server, "CreateRole", IAM, {"RoleName": "clerk", "AssumeRolePolicyDocument": trust})
    key = _asked(server, "CreateAccessKey", IAM, {"UserName": "bench"})
    return _as(server, sigv4.Credentials(key["AccessKeyId"], key["SecretAccessKey"]))


def _job(server: Server, account: str, provider: Provider) -> str:
    """A role that the provider's tokens assume. Its ARN."""
    given = {
        "Url": f"https://{provider.issuer}",
        "ClientIDList.member.1": "sts.amazonaws.com",
        "ThumbprintList.member.1": provider.thumbprint,
    }
    principal = _asked(server, "CreateOpenIDConnectProvider", IAM, given)["OpenIDConnectProviderArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": principal},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{provider.issuer}:sub": "alice"}},
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    _asked(server, "CreateRole", IAM, {"RoleName": "job", "AssumeRolePolicyDocument": trust})
    return f"arn:aws:iam::{account}:role/job"


def _as(server: Server, keys: sigv4.Credentials) -> Server:
    return Server(server.name, server.pid, server.address, keys)


def _asked(server: Server, action: str, service: tuple[str, str], members: dict[str, str]) -> dict[str, str]:
    """The texts of an answer by the names of their elements."""
    head, _, body = server.request(action, service, members).partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    with contextlib.closing(http.client.HTTPConnection(*server.address, timeout=60)) as connection:
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        content = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{server.name}: {action}: {content.decode()}")
    return {one.tag.rpartition("}")[2]: one.text or "" for one in ET.fromstring(content).iter()}  # noqa: S314  # as above


def _round(server: Server, action: str, requests: list[bytes]) -> None:
    before = measure.cpu_seconds(server.pid)
    rate = load.send(server.address, requests)
    server.figures.setdefault(action, []).append((rate, (measure.cpu_seconds(server.pid) - before) / len(requests) * 1e6))


if __name__ == "__main__":
    run()

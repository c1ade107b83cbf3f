"""The cost of an organization for a warm Authorize: server CPU a call of three callers on one server, in one run.

    outside    an account in no organization
    scps       an account four units deep in an organization of 1,000 accounts, with two SCPs on each level from the root down
    rcp        one beside it, to which an RCP is attached as well

Each caller is a user who asks about itself; calls are signed once, over one connection. The arms take turns, and the median counts.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import grpc

from bench import measure
from sekisho import client, sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.client import credentials as profiles
from sekisho.credentials import accounts
from sekisho.credentials.key_ring import KeyRing
from sekisho.store import db
from sekisho.store.tables import Account, Member, Target
from sekisho.world.control_policies import FULL_ACCESS

PATH = "/sekisho.api.authorize.v1.AuthorizeService/Authorize"
ACCOUNTS, UNITS = 1_000, 4
CALLS, ROUNDS = 1_500, 9
SCP, RCP = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"


def run() -> None:
    """Print the median of each arm, and its ratio to the one outside."""
    with _served() as (pid, endpoint, folder, root):
        callers = _world(folder, endpoint, root)
        arms = {name: partial(_round, pid, endpoint, *caller) for name, caller in callers.items()}
        medians = measure.interleaved(arms, ROUNDS)
    load = Path("/proc/loadavg").read_text().split()[0]
    for name, cost in medians.items():
        print(f"{name:8} server CPU {cost:6.1f} µs a call   {cost / medians['outside']:.2f} × outside")
    print(f"{ACCOUNTS} accounts, {UNITS} units deep; {CALLS} calls, {ROUNDS} rounds, medians; load {load}")


def _round(pid: int, endpoint: str, keys: sigv4.Credentials, account: str) -> float:
    body = pb.AuthorizeRequest(action="orders:Ship", resource=f"arn:aws:orders::{account}:order/1").SerializeToString()
    metadata = sigv4.sign_call(keys, PATH, body, "sekisho", datetime.now(UTC))
    with grpc.insecure_channel(endpoint) as channel:
        call = channel.unary_unary(PATH, request_serializer=None, response_deserializer=pb.AuthorizeResponse.FromString)
        for _ in range(100):
            assert call(body, metadata=metadata).outcome == pb.OUTCOME_ALLOWED
        before = measure.tree_cpu_seconds(pid)
        for _ in range(CALLS):
            call(body, metadata=metadata)
        return (measure.tree_cpu_seconds(pid) - before) / CALLS * 1e6


def _world(folder: Path, endpoint: str, root: sigv4.Credentials) -> dict[str, tuple[sigv4.Credentials, str]]:
    """An organization with its accounts; the callers, each with its account."""
    ring = KeyRing.open(folder / "keyring.json")
    with db.Database(f"sqlite:///{folder / 'sekisho.db'}") as database, client.Client(endpoint, root) as managing:
        organizations = managing.organizations
        organization = organizations.create_organization().organization
        accounts.set_quota(database, organization.master_account_id, "OrganizationAccountsQuota", ACCOUNTS + 10)
        root_id = organizations.list_roots().roots[0].id
        for type_ in (SCP, RCP):
            organizations.enable_policy_type(root_id=root_id, policy_type=type_)
        at = root_id
        levels = [root_id]
        for level in range(UNITS):
            at = organizations.create_organizational_unit(parent_id=at, name=f"level {level}").organizational_unit.id
            levels.append(at)
        made = {name: accounts.create(database, ring, name=name) for name in ("outside", "scps", "rcp")}
        keys = {name: sigv4.Credentials(new.access_key_id, new.secret_access_key) for name, new in made.items()}
        for name in ("scps", "rcp"):
            account_id = made[name].account_id
            asked = organizations.invite_account_to_organization(target={"id": account_id, "type": "ACCOUNT"}).handshake
            with client.Client(endpoint, keys[name]) as member:
                member.organizations.accept_handshake(handshake_id=asked.id)
            organizations.move_account(account_id=account_id, source_parent_id=root_id, destination_parent_id=at)
            levels.append(account_id)
        _fill(database, organization.id, at)
        for number, target in enumerate(levels):
            denied = _document({"Effect": "Deny", "Action": [f"service{number}:*", "orders:Burn"], "Resource": "*"})
            policy = organizations.create_policy(content=denied, description="", name=f"deny {number}", type=SCP).policy
            organizations.attach_policy(policy_id=policy.policy_summary.id, target_id=target)
        outsiders = {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": organization.id}}
        content = _document({"Effect": "Deny", "Principal": "*", "Action": "orders:*", "Resource": "*", "Condition": outsiders})
        policy = organizations.create_policy(content=content, description="", name="ours alone", type=RCP).policy
        organizations.attach_policy(policy_id=policy.policy_summary.id, target_id=made["rcp"].account_id)
    return {name: (_user(endpoint, keys[name]), made[name].account_id) for name in made}


def _fill(database: db.Database, organization_id: str, unit_id: str) -> None:
    """The other accounts, past the change log: nobody has asked for them yet."""
    now = datetime.now(UTC)
    ids = [f"7{number:011}" for number in range(ACCOUNTS - 3)]
    place = {"organization_id": organization_id, "unit_id": unit_id, "joined_method": "CREATED", "joined_at": now}
    known = {"policy_id": FULL_ACCESS, "organization_id": organization_id, "type": SCP, "created_at": now}
    with database.write(ids) as session:
        session.bulk_insert_mappings(Account, [{"id": id_, "name": id_, "status": "ACTIVE", "created_at": now} for id_ in ids])
        session.bulk_insert_mappings(Member, [{"account_id": id_, **place} for id_ in ids])
        session.bulk_insert_mappings(Target, [{"target_id": id_, **known} for id_ in ids])


def _user(endpoint: str, root: sigv4.Credentials) -> sigv4.Credentials:
    """A user who ships orders and asks about itself."""
    with client.Client(endpoint, root) as there:
        there.iam.create_user(user_name="ann")
        document = _document({"Effect": "Allow", "Action": ["orders:*", "authorize:Authorize"], "Resource": "*"})
        there.iam.put_user_policy(user_name="ann", policy_name="p", policy_document=document)
        key = there.iam.create_access_key(user_name="ann").access_key
    return sigv4.Credentials(key.access_key_id, key.secret_access_key)


def _document(statement: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@contextlib.contextmanager
def _served() -> Iterator[tuple[int, str, Path, sigv4.Credentials]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "sekisho.cli", "serve", "--data-dir", name, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            ready = folder / "endpoints.json"
            while not ready.exists():
                if process.poll() is not None:
                    raise RuntimeError("the server did not start")
                time.sleep(0.05)
            yield process.pid, json.loads(ready.read_text())["grpc"], folder, profiles.from_file(folder / "credentials", "root")
        finally:
            process.terminate()
            process.wait(20)

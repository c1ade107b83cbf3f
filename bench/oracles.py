"""Times of answers about what exists and what does not: the difference of the medians, beside what chance alone makes of it.

A node in this process on SQLite, called through the whole pipeline; processor time of the thread that answers, so that neighbours count for
little. Of a pair, one call asks for what is there and one for what is not, in turns. `chance` is the difference of medians between the
first and the second half of the calls for what is there: a difference that is not larger tells nobody anything.
"""

import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sekisho import operations, sigv4
from sekisho.calls import pipeline, proofs
from sekisho.calls.call import Node, Peer
from sekisho.credentials import accounts
from sekisho.credentials.key_ring import KeyRing
from sekisho.errors import SekishoError
from sekisho.node import assembly
from sekisho.operations import OPERATIONS
from sekisho.store import db, schema

WARM = 10_000
"""Pairs of calls for which memory has what there is."""
COLD = 2_000
"""Pairs of calls of a memory that is empty."""


@dataclass(frozen=True, slots=True)
class House:
    """A node, and the root credentials of its account."""

    node: Node
    root: sigv4.Credentials

    def call(self, name: str, keys: sigv4.Credentials, **fields: Any) -> Any:
        """A signed call; its response, or a SekishoError."""
        operation = next(one for one in OPERATIONS.values() if one.name == name)
        body = operation.request(**fields).SerializeToString()
        metadata = sigv4.sign_call(keys, operation.path, body, "sekisho", datetime.now(UTC), nonce=secrets.token_urlsafe(16))
        proof = proofs.of_metadata(metadata, operation.path, body, "sekisho")
        arrival = pipeline.Arrival(lambda: pipeline.parsed(operation.request, body), proof, Peer("127.0.0.1"), secrets.token_hex(8))
        return pipeline.run(self.node, operation, arrival).message

    def user(self, name: str, *allowed: str) -> sigv4.Credentials:
        """A user with a key, who is permitted these actions on users of its own name."""
        self.call("CreateUser", self.root, user_name=name)
        for action in allowed:
            document = f'{{"Statement": {{"Effect": "Allow", "Action": "{action}", "Resource": "arn:aws:iam::*:user/${{aws:username}}"}}}}'
            self.call("PutUserPolicy", self.root, user_name=name, policy_name="own", policy_document=document)
        made = self.call("CreateAccessKey", self.root, user_name=name).access_key
        return sigv4.Credentials(made.access_key_id, made.secret_access_key)


def run() -> None:
    """Print a row for each question, warm and cold."""
    print("| asked for, in vain | memory | pairs | median, there | difference | chance |\n|---|---|--:|--:|--:|--:|")
    with _house() as house:
        for name, (there, missing) in _questions(house).items():
            for memory, pairs in (("warm", WARM), ("cold", COLD)):
                forget = (lambda: _forget(house)) if memory == "cold" else (lambda: None)
                print(_row(name, memory, _measured(pairs, there, missing, forget)), flush=True)


def _questions(house: House) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """Calls that are refused, for what is there and for what is not."""
    stranger, inactive = house.user("stranger", "iam:GetMFADevice"), house.user("inactive")
    account = house.call("GetCallerIdentity", house.root).account
    trust = f'{{"Statement": {{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {{"AWS": "arn:aws:iam::{account}:root"}}}}}}'
    role = house.call("CreateRole", house.root, role_name="clerk", assume_role_policy_document=trust).role.arn
    device = house.call("CreateVirtualMFADevice", house.root, virtual_mfa_device_name="phone").virtual_mfa_device.serial_number
    house.call("UpdateAccessKey", house.root, user_name="inactive", access_key_id=inactive.access_key_id, status="Inactive")
    nobody = sigv4.Credentials("AKIA" + "A" * 16, inactive.secret_access_key)

    def assume(arn: str) -> Callable[[], object]:
        return lambda: house.call("AssumeRole", stranger, role_arn=arn, role_session_name="session")

    def device_of(serial: str) -> Callable[[], object]:
        return lambda: house.call("GetMFADevice", stranger, serial_number=serial)

    def signed_by(key: sigv4.Credentials) -> Callable[[], object]:
        return lambda: house.call("GetCallerIdentity", key)

    return {
        "AssumeRole, a role": (assume(role), assume(role.replace("clerk", "nobody"))),
        "GetMFADevice, a device": (device_of(device), device_of(device.replace("phone", "plate"))),
        "any call, an inactive key": (signed_by(inactive), signed_by(nobody)),
    }


def _measured(pairs: int, there: Callable[[], object], missing: Callable[[], object], forget: Callable[[], None]) -> list[list[float]]:
    """The microseconds of each call, of what is there and of what is not."""
    taken: list[list[float]] = [[], []]
    for pair in range(pairs):
        for which in (0, 1) if pair % 2 else (1, 0):
            forget()
            began = time.thread_time()
            with suppress(SekishoError):
                (there, missing)[which]()
                raise AssertionError("the call was not refused")
            taken[which].append((time.thread_time() - began) * 1e6)
    return taken


def _row(name: str, memory: str, taken: list[list[float]]) -> str:
    there, missing = map(statistics.median, taken)
    half = len(taken[0]) // 2
    chance = abs(statistics.median(taken[0][:half]) - statistics.median(taken[0][half:]))
    return f"| {name} | {memory} | {len(taken[0]):,} | {there:.0f} µs | {missing - there:+.1f} µs | {chance:.1f} µs |"


def _forget(house: House) -> None:
    house.node.world._records.clear()
    house.node.world._names.clear()


@contextmanager
def _house() -> Iterator[House]:
    operations.load()
    with tempfile.TemporaryDirectory() as name, db.Database(f"sqlite:///{name}/sekisho.db") as database:
        schema.upgrade(database)
        ring = KeyRing.create(Path(name) / "keyring.json")
        made = accounts.create(database, ring)
        with assembly.opened(database, ring, Path(name) / "spool.db", audience="sekisho") as node:
            yield House(node, sigv4.Credentials(made.access_key_id, made.secret_access_key))

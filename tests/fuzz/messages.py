"""Requests of every operation, made up from their descriptors and then mutated byte by byte, through the whole pipeline.

`python -m tests.fuzz.messages --count 1000000` is a part of `make campaign`; `test_messages.py` sends some thousands. Whatever comes, the
answer is a reply or an error that says what is wrong: nothing is INTERNAL, nothing takes long, and memory does not grow with what was sent.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from sekisho.calls import pipeline, proofs
from sekisho.calls.call import Peer
from sekisho.errors import SekishoError
from sekisho.node import footprints
from sekisho.operations import OPERATIONS, Operation
from sekisho.sigv4 import bearer
from tests import harness
from tests.fuzz.test_replay import mutated
from tests.harness import House
from tests.services.iam.documents import allow, trust

LONGEST = 10.0
"""Seconds of CPU that any answer may take; the largest that is allowed takes a twentieth."""
_LOUD = ("INTERNAL", "UNKNOWN")
_INTEGERS = (0, 1, 2, 59, 100, 900, 3600, 43_200, 2**31 - 1)


@dataclass(slots=True)
class Outcome:
    """What became of all messages: how many ended with which code, and which ones should not have."""

    codes: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    longest: float = 0.0


class Hammer:
    """Sends messages to a house as its root user, the same ones for the same seed."""

    def __init__(self, house: House, seed: int) -> None:
        self._house, self._chance, self._left_out = house, random.Random(seed), 0.3
        self._operations = sorted((one for one in OPERATIONS.values() if not one.streams), key=lambda one: one.path)
        account = house.account_id
        entities = ("user/ann", "role/r", "policy/p", "root", "mfa/ann", "saml-provider/x", "")
        arns = (*(f"arn:aws:iam::{account}:{entity}" for entity in entities), "arn:aws:iam::aws:policy/ReadOnlyAccess")
        trusting = trust(f"arn:aws:iam::{account}:root")
        documents = (allow("orders:*"), allow("*", when={"StringLike": {"aws:PrincipalTag/a": "${a:b}*"}}), trusting)
        names = ("ann", "r", "p", "Ann", "new")
        self._fitting = {"arn": arns, "arns": arns, "document": documents, "policy": documents, "name": names, "path": ("/", "/a/")}
        self._texts = (
            *("", "a", "*", "x" * 200, "\0", "é", "true", "Active", "Inactive", "sts", "iam", "12345678", "orders:Get", "a:B"),
            *("${aws:username}", "2012-10-17", "::1/128", "123456", "123457", "{}", "[" * 40, '{"Version":"2012-10-17","Statement":[]}'),
            *("https://idp.example", "-----BEGIN CERTIFICATE-----\nAAAA\n", "eyJhbGciOiJub25lIn0.e30.", "authorize:Authorize"),
            *(*arns, *documents, *names),
        )
        for name, fields in (
            ("CreateUser", {"user_name": "ann"}),
            ("CreateRole", {"role_name": "r", "assume_role_policy_document": trusting}),
            ("CreatePolicy", {"policy_name": "p", "policy_document": allow("orders:*")}),
        ):
            house.call(name, **fields)  # type: ignore[arg-type]  # fields of the request

    def strike(self, count: int) -> Outcome:
        """Send so many."""
        outcome = Outcome()
        for _ in range(count):
            operation = self._chance.choice(self._operations)
            message = self._message(operation.request)
            body = message.SerializeToString()
            if self._chance.random() < 0.4:
                body = mutated(body, self._chance)
            self._send(operation, body, outcome)
        return outcome

    def _send(self, operation: Operation, body: bytes, outcome: Outcome) -> None:
        token = bearer.make(self._house.root, self._house.node.audience, datetime.now(UTC))
        arrival = pipeline.Arrival(
            read=lambda: pipeline.parsed(operation.request, body),
            proof=proofs.of_metadata((("authorization", token),), operation.path, body, self._house.node.audience),
            peer=Peer(source_ip="192.0.2.1"),
            request_id=f"fuzz-{self._chance.random()}",
            seconds=5.0,
        )
        began, code, loud = time.process_time(), "OK", ""
        try:
            pipeline.run(self._house.node, operation, arrival).message.SerializeToString()
        except SekishoError as error:
            code, loud = error.code, error.grpc if error.grpc in _LOUD else ""
        except Exception as error:  # it would leave the edge as UNKNOWN
            code = loud = type(error).__name__
        took = time.process_time() - began
        outcome.codes[code] += 1
        outcome.longest = max(outcome.longest, took)
        if loud or took > LONGEST:
            outcome.broken.append(f"{operation.name}: {loud or f'{took:.1f} s'}: {body[:2000]!r}")

    def _message(self, kind: type[Message]) -> Message:
        message = kind()
        self._left_out = self._chance.choice((0.05, 0.3, 0.6))
        self._fill(message, depth=3)
        return message

    def _fill(self, message: Message, *, depth: int) -> None:
        for one in message.DESCRIPTOR.fields:
            if self._chance.random() < self._left_out:
                continue
            if one.message_type is not None and one.message_type.GetOptions().map_entry:
                continue
            if one.is_repeated:
                values = getattr(message, one.name)
                for _ in range(self._chance.randrange(4)):
                    if one.message_type is None:
                        values.append(self._scalar(one))
                    elif depth:
                        self._fill(values.add(), depth=depth - 1)
            elif one.message_type is None:
                setattr(message, one.name, self._scalar(one))
            elif depth:
                inner = getattr(message, one.name)
                inner.SetInParent()
                self._fill(inner, depth=depth - 1)

    def _scalar(self, one: Any) -> Any:
        """A value for a field (FieldDescriptor), most often one that fits its name."""
        if one.enum_type is not None:
            return self._chance.choice(one.enum_type.values).number
        if one.type == FieldDescriptor.TYPE_STRING:
            fitting = self._fitting.get(one.name.rpartition("_")[2], self._texts)
            return self._chance.choice(fitting if self._chance.random() < 0.9 else self._texts)
        if one.type == FieldDescriptor.TYPE_BYTES:
            return self._chance.choice(self._texts).encode()
        if one.type == FieldDescriptor.TYPE_BOOL:
            return self._chance.random() < 0.5
        return self._chance.choice(_INTEGERS)


def main() -> int:
    """Send them in ten parts, each with what memory was held after it; 1 when something broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    sizes, broken = [], 0
    with tempfile.TemporaryDirectory() as folder, harness.house(f"sqlite:///{folder}/sekisho.db", Path(folder)) as house:
        hammer = Hammer(house, arguments.seed)
        for part in range(10):
            outcome = hammer.strike(arguments.count // 10)
            sizes.append((footprints.resident(os.getpid()) or 0) / footprints.MIB)
            sys.stdout.write(f"{part + 1}: {sizes[-1]:.0f} MiB, longest {outcome.longest:.2f} s of CPU, {outcome.codes.most_common(8)}\n")
            sys.stdout.write("".join(f"{line}\n" for line in outcome.broken[:20]))
            sys.stdout.flush()
            broken += len(outcome.broken)
    if sizes[-1] > 1.3 * sizes[len(sizes) // 2]:
        sys.stdout.write("memory grows\n")
        broken += 1
    sys.stdout.write(f"{'broken' if broken else 'sound'}\n")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())

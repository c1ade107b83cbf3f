"""Cerbos (Go), a decision server that people would pick: policies in files, questions over gRPC. Its program comes from the npm package.

Its policies say what the policy of the subject says in `bench.arms`: ten rules, derived roles, an address and a team as conditions, and a
hundred other policies beside them. The messages are put together here, by the numbers of their fields, which takes no package of its.
"""

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc

from bench.peers import Absent

NAME = "cerbos"
PATH = "/cerbos.svc.v1.CerbosService/CheckResources"
PROGRAM = Path(".venv/node/node_modules/@cerbos/cerbos-linux-x64/cerbos-linux-x64")
OTHERS = 100
ALLOW = 1  # of its Effect

CONFIG = """\
server: {{httpListenAddr: "127.0.0.1:{http}", grpcListenAddr: "127.0.0.1:{grpc}"}}
storage: {{driver: disk, disk: {{directory: "{policies}", watchForChanges: false}}}}
audit: {{enabled: false}}
telemetry: {{disabled: true}}
"""
ROLES = """\
apiVersion: api.cerbos.dev/v1
derivedRoles:
  name: common_roles
  definitions:
    - {name: owner, parentRoles: [user], condition: {match: {expr: request.resource.attr.owner == request.principal.id}}}
    - {name: teammate, parentRoles: [user], condition: {match: {expr: request.resource.attr.team == request.principal.attr.team}}}
"""
POLICY = """\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: {kind}
  version: default
  importDerivedRoles: [common_roles]
  rules:
    - {{actions: ["*"], effect: EFFECT_ALLOW, derivedRoles: [owner]}}
    - actions: ["s3:Delete*"]
      effect: EFFECT_DENY
      roles: [user]
      condition: {{match: {{expr: request.resource.attr.locked == true}}}}
    - actions: ["s3:Get*", "s3:List*"]
      effect: EFFECT_ALLOW
      derivedRoles: [teammate]
      condition: {{match: {{expr: request.principal.attr.sourceIp.inIPAddrRange("10.0.0.0/8")}}}}
"""
RULE = """\
    - actions: ["s3:Put{number}*"]
      effect: EFFECT_ALLOW
      roles: [user]
      condition: {{match: {{expr: request.resource.attr.bucket == "bucket-{number}"}}}}
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A server of its."""

    pid: int
    port: int


@contextlib.contextmanager
def running(folder: Path, ports: tuple[int, int], preexec: Callable[[], None]) -> Iterator[Running]:
    """Start it with its policies; Absent where its program is not installed or does not start."""
    if not PROGRAM.exists():
        raise Absent(f"{PROGRAM} is not there: make .venv/.node")
    policies = folder / "policies"
    policies.mkdir()
    (policies / "common_roles.yaml").write_text(ROLES)
    for number in range(OTHERS):
        (policies / f"other_{number}.yaml").write_text(POLICY.format(kind=f"other_{number}"))
    rules = "".join(RULE.format(number=number) for number in range(3, 10))
    (policies / "s3_object.yaml").write_text(POLICY.format(kind="s3_object") + rules)
    (folder / "config.yaml").write_text(CONFIG.format(grpc=ports[0], http=ports[1], policies=policies))
    with (folder / "log").open("wb") as log:
        command = [str(PROGRAM.resolve()), "server", "--config", str(folder / "config.yaml"), "--log-level=error"]
        process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=preexec)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{ports[0]}") as channel:
            ready = grpc.channel_ready_future(channel)
            for _ in range(600):
                with contextlib.suppress(grpc.FutureTimeoutError):
                    ready.result(0.1)
                    break
                if process.poll() is not None:
                    raise Absent(f"it did not start: {(folder / 'log').read_text().strip()[:300]}")
        yield Running(process.pid, ports[0])
    finally:
        process.terminate()
        process.wait(20)


def question(count: int, *, action: str, team: str) -> bytes:
    """CheckResourcesRequest: may alice do this with each of so many objects of a team?"""
    attributes = {"team": "finance", "sourceIp": "10.1.2.3", "mfa": "true", "secure": "true"}
    principal = _text(1, "arn:aws:iam::123456789012:user/alice") + _text(3, "user") + _attributes(attributes)
    body = _text(1, "bench") + _message(3, principal)
    for number in range(count):
        of_resource = {"owner": "bob", "team": team, "bucket": "reports-bucket"}
        locked = _message(4, _text(1, "locked") + _message(2, b"\x20\x00"))  # bool_value: false
        resource = _text(1, "s3_object") + _text(3, f"reports-bucket/2024/q3/summary-{number}.csv") + _attributes(of_resource) + locked
        body += _message(4, _text(1, action) + _message(2, resource))
    return body


def effects(answer: bytes) -> list[int]:
    """The effects in a CheckResourcesResponse, one for each resource."""
    found = []
    for number, value in _fields(answer):
        if number == 2 and isinstance(value, bytes):  # a result
            for inner, entry in _fields(value):
                if inner == 2 and isinstance(entry, bytes):  # an action with its effect
                    found += [effect for field, effect in _fields(entry) if field == 2 and isinstance(effect, int)]
    return found


def _attributes(values: Mapping[str, str]) -> bytes:
    """The field `attr`, a map to google.protobuf.Value, of a principal and of a resource."""
    return b"".join(_message(4, _text(1, name) + _message(2, _text(3, value))) for name, value in values.items())


def _text(number: int, value: str) -> bytes:
    return _message(number, value.encode())


def _message(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes((*made, value))


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and values of a message's fields; of varints and of what has a length, which is all that there is here."""
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        value, at = _read_varint(data, at)
        if tag & 7 == 2:
            yield tag >> 3, data[at : at + value]
            at += value
        else:
            yield tag >> 3, value


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at

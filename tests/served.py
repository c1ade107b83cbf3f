"""A real server in a process of its own, and calls to it that can be wrong in every way."""

import configparser
import io
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from sekisho import sigv4
from tests.harness import BY_NAME
from tests.started import Process, forked

AUDIENCE = "sekisho"
PROGRAM = """
import sys
from pathlib import Path
from sekisho.node.options import Options
from sekisho.node.run import serve
anywhere = {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0"} | ({"grpc_listener": sys.argv[4]} if sys.argv[4:] else {})
sys.exit(serve(Options(data_dir=Path(sys.argv[1]), database=sys.argv[2], **anywhere, workers=int(sys.argv[3]))))
"""
UNCOUNTED = (
    "audit_records",
    "accesses",
    "trail_links",
    "trail_resources",
    "trail_cursors",
    "trail_keys",
    "trail_checkpoints",
    "alembic_version",
)
"""Tables that change beside a failed call: denials are recorded and sealed, and earlier questions arrive from the spool."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended: its status, what ErrorInfo says, and every text that the caller saw."""

    status: grpc.StatusCode
    reason: str
    message: str
    body: bytes = b""
    trailing: Mapping[str, str | bytes] = field(default_factory=dict)

    @property
    def seen(self) -> str:
        """All that reached the caller, as one text."""
        return f"{self.message} {self.body!r} {dict(self.trailing)!r}"


@dataclass(slots=True)
class Served:
    """A running server; `root` are the credentials that it wrote."""

    folder: Path
    url: str
    endpoints: dict[str, str]
    root: sigv4.Credentials
    process: Process
    log: Path
    channel: grpc.Channel
    nonces: bool = True
    """Whether calls sign one; servers of before nonces refuse it."""

    def send(self, path: str, body: bytes, metadata: Sequence[tuple[str, str | bytes]] = (), *, timeout: float | None = 20.0) -> Answer:
        """Send these bytes with this metadata, and nothing else."""
        method = self.channel.unary_unary(path, request_serializer=None, response_deserializer=None)
        try:
            found, call = method.with_call(body, metadata=tuple(metadata), timeout=timeout)
        except grpc.RpcError as error:
            return _failed(error)
        return Answer(grpc.StatusCode.OK, "", "", found, dict(call.trailing_metadata() or ()))

    def write(self, name: str, **fields: Any) -> str:
        """A write as it should be; its revision."""
        operation = BY_NAME[name]
        body = operation.request(**fields).SerializeToString()
        answer = self.send(operation.path, body, signed(self.root, operation.path, body, nonce=self.nonces))
        assert answer.status is grpc.StatusCode.OK, answer.message
        return str(answer.trailing["sekisho-revision"])

    def call(self, name: str, /, _as: sigv4.Credentials | None = None, **fields: Any) -> Any:
        """A call as it should be; the response message."""
        operation = BY_NAME[name]
        body = operation.request(**fields).SerializeToString()
        answer = self.send(operation.path, body, signed(_as or self.root, operation.path, body, nonce=self.nonces))
        assert answer.status is grpc.StatusCode.OK, answer.message
        return operation.response.FromString(answer.body)

    def refused(self, name: str, body: bytes, **options: Any) -> Answer:
        """Send a signed body; the answer, which must be an error that leaves nothing behind."""
        path = BY_NAME[name].path
        before = self.rows()
        answer = self.send(path, body, signed(options.pop("credentials", self.root), path, body, **options))
        assert answer.status is not grpc.StatusCode.OK
        assert self.rows() == before
        return answer

    def rows(self) -> dict[str, int]:
        """How many rows each table has, and the newest revision."""
        engine = _engine(self.url)
        with engine.connect() as connection:
            query = (
                "SELECT name FROM sqlite_master WHERE type = 'table'"
                if self.url.startswith("sqlite")
                else "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
            names = sorted(name for (name,) in connection.execute(text(query)) if name not in UNCOUNTED)
            counted = [f"SELECT '{name}', count(*) FROM \"{name}\"" for name in names]
            newest = "SELECT 'newest', coalesce(max(number), 0) FROM revisions"
            return {name: int(count) for name, count in connection.execute(text(" UNION ALL ".join([*counted, newest])))}

    def stop(self) -> int:
        """End it as an operator does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


def signed(
    credentials: sigv4.Credentials, path: str, body: bytes, *, audience: str = AUDIENCE, now: datetime | None = None, nonce: bool = True
) -> tuple[tuple[str, str], ...]:
    """The metadata of a signed call."""
    return sigv4.sign_call(credentials, path, body, audience, now or datetime.now(UTC), nonce=secrets.token_urlsafe(16) if nonce else None)


@cache
def _engine(url: str) -> Engine:
    """The engine of a server's database; it keeps no connection."""
    return create_engine(url, poolclass=NullPool)


def _failed(error: grpc.RpcError) -> Answer:
    call: Any = error
    trailing = dict(call.trailing_metadata() or ())
    reason = ""
    details = trailing.get("grpc-status-details-bin")
    if isinstance(details, bytes):
        info = error_details_pb2.ErrorInfo()
        if status_pb2.Status.FromString(details).details[0].Unpack(info):
            reason = info.reason
    return Answer(call.code(), reason, call.details() or "", trailing=trailing)


@contextmanager
def serving(
    url: str,
    folder: Path,
    *,
    workers: int = 1,
    listener: str = "",
    environment: Mapping[str, str] | None = None,
    program: str = PROGRAM,
    root: sigv4.Credentials | None = None,
    anew: bool = False,
) -> Iterator[Served]:
    """A server on this database, whose `listener` for gRPC is `lean` or `grpcio`, or what is usual; stopped by force when the block ends,
    if it still runs. `program` starts it; `root` are the root credentials where it writes none. What it imports matters where it is started
    `anew`.
    """
    log = Path(tempfile.mkstemp(dir=folder, suffix=".log")[1])
    data = folder / "data"
    arguments = (str(data), url, str(workers), *([listener] if listener else []))
    settings = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry), **(environment or {})}
    process: Process
    if anew:
        with log.open("wb") as errors:
            process = subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=errors, stderr=errors, env=settings)
    else:
        process = forked(program, arguments, settings, log)
    try:
        where = endpoints(process, data, log)
        with grpc.insecure_channel(where["grpc"], OPTIONS) as channel:
            yield Served(folder, url, where, root or credentials(data), process, log, channel)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


OPTIONS = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1), ("grpc.enable_retries", 0))


def credentials(data: Path) -> sigv4.Credentials:
    """The root credentials in a data directory."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_file(io.StringIO((data / "credentials").read_text()))
    return sigv4.Credentials(parser["root"]["aws_access_key_id"], parser["root"]["aws_secret_access_key"])


def endpoints(process: Process, data: Path, log: Path) -> dict[str, str]:
    """Wait until a server answers; where it listens."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit and process.poll() is None:
        if (data / "endpoints.json").exists():
            found: dict[str, str] = json.loads((data / "endpoints.json").read_text())
            return found
        time.sleep(0.02)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")

"""Hours under a mixed load: `python -m tests.soak --seconds 7200`, a part of `make campaign`.

Two workers, SQLite; callers who decide, read, write, assume roles, send what nobody can read, and speak HTTP. A line a minute says what the
workers hold (memory, files, threads) and how long calls took. Broken (1) is a call that ended otherwise than it should, a worker that died,
or memory or files that grow from the second quarter to the last.
"""

import argparse
import itertools
import json
import random
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import grpc

from sekisho import sigv4
from sekisho.node import footprints
from sekisho.sigv4 import HttpRequest, bearer
from tests import served as servers
from tests.faults.test_workers import serving_workers
from tests.fuzz.test_replay import mutated
from tests.harness import BY_NAME
from tests.served import Served, serving, signed
from tests.services.iam.documents import allow, trust

CALLERS = 4
PAUSE = 0.01
"""Seconds between two calls of a caller, unless `--pause` says another."""
GROWTH = 1.15
"""How much more the last quarter may hold than the second one: allocators take some time to settle."""
PROGRAM = servers.PROGRAM.replace("import sys\n", "import sys\nfrom sekisho.edges import aws\n", 1).replace(
    "workers=int(sys.argv[3]))", "workers=int(sys.argv[3])), edges=(aws.application,)"
)
"""The server of other tests, with AWS's protocols."""
_EXPECTED = {
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}


@dataclass(frozen=True, slots=True)
class Held:
    """What the workers hold together."""

    mib: float
    files: int
    threads: int


@dataclass(slots=True)
class Tally:
    """What the callers have seen."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    seconds: list[float] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)

    def timed(self, name: str, call: Callable[[], str]) -> None:
        """Make a call that says what was wrong with its answer, and nothing when it was right."""
        began = time.perf_counter()
        said = call()
        took = time.perf_counter() - began
        with self.lock:
            self.seconds.append(took)
            if said:
                self.wrong[f"{name}: {said}"] += 1

    def taken(self) -> list[float]:
        """The times since they were taken last, sorted."""
        with self.lock:
            times, self.seconds = self.seconds, []
        return sorted(times)


class Caller:
    """One of the callers, with a connection of its own."""

    def __init__(self, served: Served, number: int, role: str) -> None:
        self._served, self._role, self._number = served, role, number
        self._chance = random.Random(number)
        self._channel = grpc.insecure_channel(served.endpoints["grpc"], [("grpc.use_local_subchannel_pool", 1)])
        self._names = itertools.count()
        self.kinds: dict[str, Callable[[], str]] = {
            "decide": self._decide,
            "read": lambda: self._call("GetUser", user_name="soak"),
            "list": lambda: self._call("ListUsers"),
            "write": self._write,
            "assume": lambda: self._call("AssumeRole", role_arn=self._role, role_session_name="soak-session", _as=self._assumer),
            "nonsense": self._nonsense,
            "http": self._http,
        }
        self._assumer = served.root

    def become(self, assumer: sigv4.Credentials) -> None:
        """Assume roles as this user."""
        self._assumer = assumer

    def next_call(self) -> tuple[str, Callable[[], str]]:
        """What to do next; decisions most of the time."""
        name = "decide" if self._chance.random() < 0.6 else self._chance.choice(list(self.kinds))
        return name, self.kinds[name]

    def _send(self, name: str, body: bytes, credentials: sigv4.Credentials | None = None) -> grpc.StatusCode:
        path = BY_NAME[name].path
        method = self._channel.unary_unary(path, request_serializer=None, response_deserializer=None)
        try:
            method(body, metadata=signed(credentials or self._served.root, path, body), timeout=60)
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code
        return grpc.StatusCode.OK

    def _call(self, name: str, _as: sigv4.Credentials | None = None, **fields: object) -> str:
        code = self._send(name, BY_NAME[name].request(**fields).SerializeToString(), _as)
        return "" if code is grpc.StatusCode.OK else code.name

    def _decide(self) -> str:
        path = BY_NAME["Authorize"].path
        body = BY_NAME["Authorize"].request(action="a:B", resource=f"arn:aws:a:::{self._chance.randrange(10**6)}").SerializeToString()
        method = self._channel.unary_unary(path, request_serializer=None, response_deserializer=None)
        token = bearer.make(self._served.root, "sekisho", datetime.now(UTC))
        try:
            method(body, metadata=(("authorization", token),), timeout=60)
        except grpc.RpcError as error:
            name: str = error.code().name
            return name
        return ""

    def _write(self) -> str:
        name = f"soak-{self._number}-{next(self._names)}"
        return self._call("CreateUser", user_name=name) or self._call("DeleteUser", user_name=name)

    def _nonsense(self) -> str:
        operation = self._chance.choice(["GetUser", "CreatePolicy", "SimulateCustomPolicy", "AuthorizeBatch"])
        body = mutated(BY_NAME["CreatePolicy"].request(policy_name="p", policy_document=allow("a:B")).SerializeToString(), self._chance)
        code = self._send(operation, body)
        return "" if code in _EXPECTED or code is grpc.StatusCode.OK else code.name

    def _http(self) -> str:
        host = self._served.endpoints["http"]
        form = ("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        asked = HttpRequest("POST", "/", "", (("host", host), form), b"Action=GetCallerIdentity&Version=2011-06-15")
        made = sigv4.sign_http(self._served.root, asked, "us-east-1", "sts", datetime.now(UTC))
        request = urllib.request.Request(f"http://{host}/", made.body, dict(made.headers))  # our own server
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # likewise
                return "" if answer.status == 200 else str(answer.status)
        except urllib.error.HTTPError as error:
            return str(error.code)


def held(served: Served) -> Held:
    """What the workers of a server hold now."""
    folders = [Path("/proc") / str(process) for process in serving_workers(served.log).values()]
    mib = sum((footprints.resident(int(folder.name)) or 0) / footprints.MIB for folder in folders)
    return Held(mib, *(sum(len(list((folder / part).iterdir())) for folder in folders) for part in ("fd", "task")))


def main() -> int:
    """Run, and say what broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=7200)
    parser.add_argument("--every", type=float, default=60, help="seconds between two lines")
    parser.add_argument("--pause", type=float, default=PAUSE, help="seconds between two calls of a caller: more leaves the machine free")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(f"sqlite:///{folder}/sekisho.db", Path(folder), workers=2, program=PROGRAM) as served,
    ):
        role, assumer = _prepared(served)
        tally, stop = Tally(), threading.Event()

        def calls(number: int) -> None:
            caller = Caller(served, number, role)
            caller.become(assumer)
            while not stop.wait(arguments.pause):
                tally.timed(*caller.next_call())

        threads = [threading.Thread(target=calls, args=(number,), daemon=True) for number in range(CALLERS)]
        for thread in threads:
            thread.start()
        seen = _watched(served, tally, arguments.seconds, arguments.every)
        stop.set()
        for thread in threads:
            thread.join()
        died = served.log.read_text().count("server.worker_died")
        ended = served.stop()
    return _judged(seen, tally, died, ended)


def _prepared(served: Served) -> tuple[str, sigv4.Credentials]:
    """A user to read, and a role with who may assume it."""
    account = served.call("GetCallerIdentity").account
    served.write("CreateUser", user_name="soak")
    served.write("PutUserPolicy", user_name="soak", policy_name="p", policy_document=allow("sts:AssumeRole"))
    key = served.call("CreateAccessKey", user_name="soak").access_key
    served.write("CreateRole", role_name="soak", assume_role_policy_document=trust(f"arn:aws:iam::{account}:user/soak"))
    return f"arn:aws:iam::{account}:role/soak", sigv4.Credentials(key.access_key_id, key.secret_access_key)


def _watched(served: Served, tally: Tally, seconds: float, every: float) -> list[Held]:
    """What was held, line by line, until the time is over."""
    seen, began = list[Held](), time.monotonic()
    while time.monotonic() - began < seconds and served.process.poll() is None:
        time.sleep(every)
        now, times = held(served), tally.taken()
        seen.append(now)
        line = {
            "seconds": round(time.monotonic() - began),
            "calls": len(times),
            "p50_ms": round(times[len(times) // 2] * 1000, 2) if times else None,
            "p99_ms": round(times[len(times) * 99 // 100] * 1000, 2) if times else None,
            "mib": round(now.mib, 1),
            "files": now.files,
            "threads": now.threads,
            "wrong": sum(tally.wrong.values()),
        }
        _say(json.dumps(line))
    return seen


def _judged(seen: list[Held], tally: Tally, died: int, ended: int) -> int:
    """1 when something broke, which is printed."""
    quarter = max(1, len(seen) // 4)
    second, last = seen[quarter : 2 * quarter] or seen[:1], seen[-quarter:]
    broken = [f"{count} × {what}" for what, count in tally.wrong.most_common()]
    for name, limit in (("mib", GROWTH), ("files", GROWTH), ("threads", GROWTH)):
        before, after = (max(getattr(one, name) for one in part) for part in (second, last))
        _say(f"{name}: {before:.1f} in the second quarter, {after:.1f} in the last")
        if after > before * limit:
            broken.append(f"{name} grew from {before:.1f} to {after:.1f}")
    broken += [f"{died} workers died"] * bool(died) + [f"the server ended with {ended}"] * bool(ended)
    _say("\n".join(broken) or "sound")
    return int(bool(broken))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

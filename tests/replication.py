"""A primary PostgreSQL and a standby that streams from it, both from the machine's binaries, for a test to kill and to promote."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests import postgres

NAME = "standby"
PATIENCE = 60.0
"""Seconds after which something is given up that takes one when nothing else runs."""

_PRIMARY = {"wal_level": "replica", "max_wal_senders": "10"}
_STANDBY = {"hot_standby_feedback": "on", "wal_receiver_timeout": "2s", "wal_retrieve_retry_interval": "100ms"}


@dataclass(frozen=True, slots=True)
class Pair:
    """Both servers; `standby` has the primary's users and passwords."""

    primary: postgres.Server
    standby: postgres.Server

    def url(self, database: str) -> str:
        """Whichever of the two takes writes, for one URL."""
        hosts = "&".join(f"host=127.0.0.1:{server.port}" for server in (self.primary, self.standby))
        return f"postgresql+psycopg://{postgres.USER}:{self.primary.password}@/{database}?{hosts}&target_session_attrs=read-write"

    def kill_primary(self) -> None:
        """End every process of the primary at once."""
        kill(self.primary)

    def promote(self) -> None:
        """Have the standby take writes; returns when it does."""
        self.standby.execute("SELECT pg_promote(true, 60)")


def kill(server: postgres.Server) -> None:
    """End every process of a server at once."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(server.pid)], capture_output=True, text=True, check=False)
    for pid in (server.pid, *(int(pid) for pid in listed.stdout.split())):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def running() -> Iterator[Pair]:
    """Both, replicating synchronously; all is gone when the block ends."""
    with postgres.running(postgres.binaries(), _PRIMARY) as primary:
        folder = Path(tempfile.mkdtemp(prefix="sekisho-standby-", dir=Path(primary.folder).parent))
        process = None
        try:
            folder.chmod(0o755)
            data, source = folder / "data", Path(primary.binaries)
            data.mkdir(mode=0o700)
            if os.geteuid() == 0:
                os.chown(data, postgres._nobody().pw_uid, postgres._nobody().pw_gid)
            _copy(primary, source, data)
            process, port = postgres.start(source, data, {**postgres.SETTINGS, **_STANDBY})
            standby = postgres.Server(port, primary.password, process.pid, str(folder), str(source))
            primary.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{NAME}'")  # after the copy, which is not to wait for a third
            primary.execute("SELECT pg_reload_conf()")
            until(lambda: asked(primary, "SELECT sync_state FROM pg_stat_replication") == "sync", "the standby does not stream")
            yield Pair(primary, standby)
        finally:
            if process is not None and process.poll() is None:
                postgres.stop(process)
            shutil.rmtree(folder, ignore_errors=True)


def _copy(primary: postgres.Server, source: Path, data: Path) -> None:
    """The primary's data, set up to follow it."""
    where = f"host=127.0.0.1 port={primary.port} user={postgres.USER} password={primary.password} application_name={NAME}"
    command: list[str | Path] = [source / "pg_basebackup", "-D", data, "-R", "-X", "stream", "-c", "fast", "-d", where]
    made = postgres._as_nobody(command, stdout=subprocess.PIPE)
    output = made.communicate()[0].decode()
    if made.returncode != 0:
        raise postgres.NoPostgresError(f"pg_basebackup failed:\n{output}")


def asked(server: postgres.Server, statement: str, database: str = "postgres") -> Any:
    """The first column of a statement's first row, None without one."""
    with psycopg.connect(server.url(database).replace("+psycopg", ""), autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
        return row[0] if row is not None else None


def until(condition: Callable[[], Any], what: str) -> Any:
    """What the condition says once it says something."""
    limit = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < limit, what
        time.sleep(0.02)
    return found

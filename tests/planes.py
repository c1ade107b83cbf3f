"""Nodes of the two planes in processes of their own: one of role control, and data nodes beside it, each with a folder."""

import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg

from sekisho.credentials.key_ring import KeyRing
from sekisho.node.roles import ROLES
from sekisho.store import grants
from tests import postgres
from tests.served import Served, serving

PROGRAM = """
import sys
from pathlib import Path
from sekisho.edges import aws
from sekisho.node.options import Options
from sekisho.node.run import serve
if __name__ == "__main__":
    sys.exit(serve(Options(
        data_dir=Path(sys.argv[1]), database=sys.argv[2], grpc="127.0.0.1:0", http="127.0.0.1:0", workers=int(sys.argv[3]), **OPTIONS
    ), edges=(aws.application,)))
"""


def control_node(url: str, folder: Path) -> AbstractContextManager[Served]:
    """A control node."""
    folder.mkdir(mode=0o700, exist_ok=True)
    return serving(url, folder, program=PROGRAM.replace("OPTIONS", repr({"role": "control"})))


@contextmanager
def data_node(control: Served, url: str, folder: Path, *, anew: bool = False, **options: int) -> Iterator[Served]:
    """A data node that reads this database, with the keys of the control node that it may have; called with that one's root credentials.

    One that is started `anew` has imported its own services alone, as that of an operator.
    """
    (folder / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "data" / "endpoints.json").unlink(missing_ok=True)  # of one that was killed
    purposes = ROLES["data"].purposes
    assert purposes is not None
    KeyRing.open(control.folder / "data" / "keyring.json").export(folder / "data" / "keyring.json", purposes)
    program = PROGRAM.replace("OPTIONS", repr({"role": "data", "snapshot_interval": 1, **options}))
    with serving(url, folder, program=program, root=control.root, anew=anew) as served:
        yield served


def grant(server: postgres.Server, database: str) -> tuple[str, str]:
    """New roles for data nodes and for those who drain their spools, whose passwords are their names."""
    reader, drain = (f"{kind}_{secrets.token_hex(4)}" for kind in ("reader", "drain"))
    with psycopg.connect(server.url(database).replace("+psycopg", ""), autocommit=True) as connection:
        for role in (reader, drain):
            connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'".encode())
        for statement in (*grants.reader(reader), *grants.drain(drain)):
            connection.execute(statement.encode())
    return reader, drain


def url_as(server: postgres.Server, database: str, role: str) -> str:
    """A server's database, for a role whose password is its name."""
    return f"postgresql+psycopg://{role}:{role}@127.0.0.1:{server.port}/{database}"

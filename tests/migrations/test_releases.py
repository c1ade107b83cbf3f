"""Two releases side by side: the one before and this one serve one database at once, on this one's schema."""

import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.store import db, schema
from tests.migrations import releases
from tests.served import Served
from tests.services.iam.documents import allow, trust

SHIP = allow("orders:Ship", "authorize:Authorize", "iam:GetUser", "sts:AssumeRole")
ALLOWED, DENIED = pb.OUTCOME_ALLOWED, pb.OUTCOME_IMPLICITLY_DENIED


@pytest.fixture(scope="session")
def before(run_folder: Path) -> Path:
    """A checkout of the release before."""
    return releases.checked_out(releases.named(releases.NAMED.read_text()), run_folder / "released")


def ship(server: Served, user: str, at_least: str) -> int:
    """The outcome of shipping for a user by name, not older than a revision."""
    arn = server.call("GetUser", user_name=user).user.arn
    outcome: int = server.call("Authorize", principal_arn=arn, action="orders:Ship", resource="*", at_least=at_least).outcome
    return outcome


def exchange(writer: Served, reader: Served, name: str) -> None:
    """What one release writes, the other reads, decides by, authenticates and changes; and hears of each change."""
    writer.write("CreateUser", user_name=name, path="/crew/", tags=[{"key": "team", "value": "port"}])
    found = reader.call("GetUser", user_name=name).user
    assert (found.path, [(tag.key, tag.value) for tag in found.tags]) == ("/crew/", [("team", "port")])
    created = writer.call("ListUsers", path_prefix="/crew/").users
    assert [user.user_id for user in created] == [user.user_id for user in reader.call("ListUsers", path_prefix="/crew/").users]

    granted = writer.write("PutUserPolicy", user_name=name, policy_name="ship", policy_document=SHIP)
    assert ship(reader, name, granted) == ALLOWED
    assert reader.call("GetUserPolicy", user_name=name, policy_name="ship").policy_document != ""

    made = writer.call("CreateAccessKey", user_name=name).access_key
    key = sigv4.Credentials(made.access_key_id, made.secret_access_key)
    assert reader.call("GetCallerIdentity", key).arn.endswith(f":user/crew/{name}")
    assert reader.call("Authorize", key, action="orders:Ship", resource="*").outcome == ALLOWED

    role = writer.call("CreateRole", role_name=f"{name}-role", assume_role_policy_document=trust(found.arn)).role
    issued = reader.call("AssumeRole", key, role_arn=role.arn, role_session_name="shift").credentials
    session = sigv4.Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)
    assert writer.call("GetCallerIdentity", session).arn.endswith(f":assumed-role/{name}-role/shift")

    taken = reader.write("DeleteUserPolicy", user_name=name, policy_name="ship")
    assert ship(writer, name, taken) == DENIED
    closed = reader.write("UpdateAccessKey", user_name=name, access_key_id=made.access_key_id, status="Inactive")
    with pytest.raises(AssertionError, match="The security token included in the request is invalid"):
        writer.call("Authorize", key, action="orders:Ship", resource="*", at_least=closed)
    reader.write("DeleteAccessKey", user_name=name, access_key_id=made.access_key_id)
    reader.write("DeleteUser", user_name=name)
    assert writer.call("ListUsers", path_prefix="/crew/").users == []


def test_the_release_before_serves_todays_schema_beside_today(before: Path, database_url: str, tmp_path: Path) -> None:
    with db.Database(database_url) as database:
        schema.upgrade(database)
    with (
        releases.serving(before, database_url, tmp_path / "before") as old,
        releases.serving(releases.ROOT, database_url, tmp_path / "today", ring_of=old.folder) as new,
    ):
        exchange(old, new, "ann")
        exchange(new, old, "bob")
        assert (old.stop(), new.stop()) == (0, 0)
    with db.Database(database_url) as database:
        assert schema.check(database) == []


class Busy(threading.Thread):
    """Makes one user after the other at a server, and deletes the one before, until it is told to end."""

    def __init__(self, server: Served) -> None:
        super().__init__(name="busy", daemon=True)
        self._server = server
        self._ended = threading.Event()
        self.begun = threading.Event()
        self.last = 0
        self.failed: list[str] = []

    def run(self) -> None:
        try:
            self._server.write("CreateUser", user_name="busy-0")
            self.begun.set()
            while not self._ended.wait(0.01):
                self._server.write("CreateUser", user_name=f"busy-{self.last + 1}")
                self._server.write("DeleteUser", user_name=f"busy-{self.last}")
                self.last += 1
        except AssertionError as error:
            self.failed.append(str(error))

    def end(self) -> None:
        self._ended.set()
        self.join()


def test_today_upgrades_under_the_release_before(before: Path, database_url: str, tmp_path: Path) -> None:
    with releases.serving(before, database_url, tmp_path / "before") as old:
        busy = Busy(old)
        busy.start()
        try:
            assert busy.begun.wait(60)
            with db.Database(database_url) as database:
                assert schema.upgrade(database) == schema.head()
            with releases.serving(releases.ROOT, database_url, tmp_path / "today", ring_of=old.folder) as new:
                exchange(old, new, "ann")
                exchange(new, old, "bob")
                busy.end()
                assert busy.failed == []
                assert [user.user_name for user in new.call("ListUsers").users] == [f"busy-{busy.last}"]
        finally:
            busy.end()
        assert old.stop() == 0


EXPANSION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9999", {head!r}, None, None
compatible_from = {head!r}


def upgrade() -> None:
    op.add_column("users", sa.Column("colour", sa.String(), nullable=True))
    op.add_column("revisions", sa.Column("colour", sa.String(), nullable=False, server_default="red"))
    op.create_table("colours", sa.Column("name", sa.String(), primary_key=True))
"""


def test_today_serves_what_a_release_after_expands(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    after = tmp_path / "migrations"
    shutil.copytree(schema.scripts(), after)
    (after / "versions" / "9999_colours.py").write_text(EXPANSION.format(head=schema.head()))
    with monkeypatch.context() as patched, db.Database(database_url) as database:
        patched.setattr(schema, "scripts", lambda: after)
        assert schema.upgrade(database) == "9999"
    with releases.serving(releases.ROOT, database_url, tmp_path / "today") as today:
        exchange(today, today, "ann")
        assert today.stop() == 0
    with db.Database(database_url) as database:
        assert schema.current(database) == "9999"


def test_a_clone_without_the_commit_says_so(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path / "clone"], check=True)
    with pytest.raises(releases.NotInThisCloneError, match=r"commit 3cb5642, which .ci/released names, is not in this clone; fetch it"):
        releases.checked_out("3cb5642", tmp_path / "tree", tmp_path / "clone")
    assert not (tmp_path / "tree").exists()


def test_the_named_commit_is_a_whole_one() -> None:
    commit = releases.named(releases.NAMED.read_text())
    assert (len(commit), set(commit) <= set("0123456789abcdef")) == (40, True)

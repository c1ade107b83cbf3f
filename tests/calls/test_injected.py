"""An exception at every call that the pipeline makes, before it and after it: nobody is told of a success, nothing is half written, and
every failure is recorded or counted.

The functions of the pipeline are compiled once more with a trap around each call in them; a run says which traps a kind of call passes, and
then each of those springs once.
"""

import ast
import inspect
import itertools
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from sekisho import meters, sigv4
from sekisho.calls import pipeline
from sekisho.errors import SekishoError
from sekisho.journal.spool import Entry
from sekisho.store.tables import AuditRecord, LoginProfile, Revision, User
from tests import harness
from tests.harness import House
from tests.services.iam.documents import allow, trust

BEFORE, AFTER = "before", "after"
Trap = tuple[int, str]
COUNTED = ("sekisho_authentication_failures", "sekisho_unsigned_failures", "sekisho_unrecorded_failures")
UNRECORDABLE = ("_call", "_recorded")
"""What makes the call and begins to record it."""


class Planted(Exception):  # it is no error of anybody's
    """What springs."""


class Traps:
    """Notes the traps that are passed; one of them springs, whenever it is passed, or only the first time."""

    def __init__(self) -> None:
        self.passed: list[Trap] = []
        self.set: Trap | None = None
        self.sprung = 0
        self.once = False

    def before(self, number: int) -> None:
        self._pass((number, BEFORE))

    def after(self, number: int, value: Any) -> Any:
        self._pass((number, AFTER))
        return value

    def _pass(self, trap: Trap) -> None:
        self.passed.append(trap)
        if trap == self.set and not (self.once and self.sprung):
            self.sprung += 1
            raise Planted(trap)


class _Trapped(ast.NodeTransformer):
    """Each call `f(x)` becomes `after(n, (before(n), f(x))[1])`; calls of the log are left alone."""

    def __init__(self) -> None:
        self.numbers = itertools.count()
        self.calls: dict[int, str] = {}

    def visit_Call(self, node: ast.Call) -> ast.AST:  # ast's name
        self.generic_visit(node)
        text = ast.unparse(node.func)
        if text.startswith("log.") or text in UNRECORDABLE:
            return node
        number = next(self.numbers)
        self.calls[number] = text.partition("(")[0]
        made = ast.parse(f"_traps.after({number}, (_traps.before({number}), None)[1])", mode="eval").body
        assert isinstance(made, ast.Call)
        assert isinstance(made.args[1], ast.Subscript)
        assert isinstance(made.args[1].value, ast.Tuple)
        made.args[1].value.elts[1] = node
        return made


def trapped(traps: Traps) -> tuple[Callable[..., pipeline.Reply], dict[int, str]]:
    """The pipeline's `run` with traps in it, and where they are."""
    tree, transformer = ast.parse(inspect.getsource(pipeline)), _Trapped()
    kept: list[ast.stmt] = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) or (isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "_LEVELS")
    ]
    for node in kept:
        if isinstance(node, ast.FunctionDef) and node.name not in UNRECORDABLE:
            node.body = [transformer.visit(statement) for statement in node.body]
    module = ast.fix_missing_locations(ast.Module(kept, []))
    names = {**vars(pipeline), "_traps": traps}
    exec(compile(module, "pipeline with traps", "exec"), names)  # noqa: S102  # our own source
    return names["run"], transformer.calls


@dataclass(slots=True)
class Ground:
    """A house with a user to ask about who is permitted to assume a role, and what its spool was given without waiting."""

    house: House
    ann: sigv4.Credentials
    spooled: list[Entry]


class World:
    """The rows that a call could leave, and all that counts or records its failure."""

    def __init__(self, ground: "Ground") -> None:
        self._ground = ground

    def rows(self) -> tuple[int, int, int]:
        """Things, successes in the audit trail, and revisions."""
        with self._ground.house.node.database.read() as session:
            things = [session.scalar(select(func.count()).select_from(table)) or 0 for table in (User, LoginProfile)]
            audited = (
                select(func.count()).select_from(AuditRecord).where(AuditRecord.error_code.is_(None), AuditRecord.revision.is_not(None))
            )
            return sum(things), session.scalar(audited) or 0, session.scalar(select(func.max(Revision.number))) or 0

    def known(self) -> float:
        """Failures that are counted or recorded."""
        counted = sum(sum(numbers) for _, (name, _), numbers in meters.SHEET.read() if name.startswith(COUNTED))
        return counted + len(
            [entry for entry in self._ground.spooled if entry.kind == "audit" and json.loads(entry.body).get("error_code")]
        )


@pytest.fixture
def ground(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """A new one for each test."""
    with harness.house(database_url, tmp_path) as house:
        spooled: list[Entry] = []
        add = house.node.spool.add

        def seen(entry: Entry) -> "Future[None]":
            spooled.append(entry)
            return add(entry)

        monkeypatch.setattr(house.node.spool, "add", seen)
        ann = house.user("ann", allow("sts:AssumeRole"))
        house.call("CreateRole", role_name="r", assume_role_policy_document=trust(f"arn:aws:iam::{house.account_id}:user/ann"))
        yield Ground(house, ann, spooled)


COMMITTED = {
    f"{when} {call}"
    for when, calls in {
        BEFORE: ("call.node.world.committed", "Reply"),
        AFTER: ("call.node.world.committed", "Reply", "_write_once", "_LEVELS[operation.level]"),
    }.items()
    for call in calls
}
"""Where a write is committed already: whole, though its caller learns of a failure."""

_names = itertools.count()


def _create(ground: Ground) -> None:
    ground.house.call("CreateUser", user_name=f"new-{next(_names)}")


def _login(ground: Ground) -> None:
    name = f"with-password-{next(_names)}"
    ground.house.call("CreateUser", user_name=name)
    ground.house.call("CreateLoginProfile", user_name=name, password="Correct-horse-7")


def _read(ground: Ground) -> None:
    ground.house.call("GetUser", user_name="ann")


def _list(ground: Ground) -> None:
    ground.house.call("ListUsers")


def _decide(ground: Ground) -> None:
    ground.house.call("Authorize", action="a:B", resource="*", principal_arn=f"arn:aws:iam::{ground.house.account_id}:user/ann")


def _issue(ground: Ground) -> None:
    role = f"arn:aws:iam::{ground.house.account_id}:role/r"
    ground.house.call("AssumeRole", _as=ground.ann, role_arn=role, role_session_name="session")


CALLS: dict[str, Callable[[Ground], None]] = {
    "write": _create,
    "write_that_is_prepared": _login,
    "read": _read,
    "read_of_rows": _list,
    "decide": _decide,
    "issue": _issue,
}


@pytest.mark.parametrize("once", [False, True], ids=["always", "once"])
@pytest.mark.parametrize("kind", CALLS)
def test_an_exception_anywhere(ground: Ground, kind: str, once: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    traps = Traps()
    run, calls = trapped(traps)
    target = {"write": "CreateUser", "write_that_is_prepared": "CreateLoginProfile"}.get(kind)

    def chosen(node: Any, operation: Any, arrival: Any) -> pipeline.Reply:
        return run(node, operation, arrival) if target in (None, operation.name) else original(node, operation, arrival)

    original = pipeline.run
    monkeypatch.setattr(pipeline, "run", chosen)
    call, world = CALLS[kind], World(ground)
    call(ground)
    passed = list(dict.fromkeys(traps.passed))
    assert len(passed) > 20
    found = []
    traps.once = once
    for trap in passed:
        traps.set, traps.sprung = trap, 0
        before, known = world.rows(), world.known()
        error: BaseException | None = None
        try:
            call(ground)
        except Exception as caught:
            error = caught
        after = world.rows()
        where = f"{trap[1]} {calls[trap[0]]}"
        setup = 1 if kind == "write_that_is_prepared" else 0  # its user
        grown = [now - then - setup for now, then in zip(after, before, strict=True)]
        if traps.sprung == 0:
            found.append(f"{where}: not passed again")
        elif error is None:
            found.append(f"{where}: a success")
        elif not isinstance(error, SekishoError):
            found.append(f"{where}: {type(error).__name__} leaves the pipeline")
        elif "Planted" in str(error) or str(trap) in str(error):
            found.append(f"{where}: the caller is shown its cause")
        elif grown != ([1, 1, 1] if target is not None and where in COMMITTED else [0, 0, 0]):
            found.append(f"{where}: written {grown}")
        elif world.known() == known:
            found.append(f"{where}: neither recorded nor counted")
    assert not found, "\n" + "\n".join(found)

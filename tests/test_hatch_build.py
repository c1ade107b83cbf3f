"""The compiler of the protos writes what changed, and nothing else."""

import shutil
from pathlib import Path

import pytest

import hatch_build

ROOT = Path(__file__).parents[1]

PROTO = """syntax = "proto3";
package sekisho.api.{name}.v1;
message {message} {{ optional string user_name = 1; }}
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the protos `a` and `b`, both compiled."""
    for needed in ("service/sekisho/naming.py", "proto/clients.py"):
        (tmp_path / needed).parent.mkdir(parents=True)
        shutil.copy(ROOT / needed, tmp_path / needed)
    for name in ("a", "b"):
        write(tmp_path, name, "One")
    hatch_build.compile_protos(tmp_path)
    return tmp_path


def write(root: Path, name: str, message: str) -> Path:
    path = root / f"proto/sekisho/api/{name}/v1/{name}.proto"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PROTO.format(name=name, message=message))
    return path


def made(root: Path, name: str) -> list[Path]:
    return [root / f"service/sekisho/api/{name}/v1/{name}_pb2{suffix}" for suffix in (".py", ".pyi")]


def test_every_folder_is_a_package(checkout: Path) -> None:
    api = checkout / "service/sekisho/api"
    assert sorted(str(path.relative_to(api)) for path in api.rglob("*.py*")) == [
        "__init__.py",
        "a/__init__.py",
        "a/v1/__init__.py",
        "a/v1/a_pb2.py",
        "a/v1/a_pb2.pyi",
        "b/__init__.py",
        "b/v1/__init__.py",
        "b/v1/b_pb2.py",
        "b/v1/b_pb2.pyi",
        "calls.py",
    ]


def test_what_is_right_already_is_not_written(checkout: Path) -> None:
    before = {path: path.stat().st_mtime_ns for name in ("a", "b") for path in made(checkout, name)}
    assert hatch_build.compile_protos(checkout) == []
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_changed_proto_changes_its_modules_only(checkout: Path) -> None:
    write(checkout, "a", "Two")
    assert sorted(hatch_build.compile_protos(checkout)) == made(checkout, "a")
    assert "class Two(" in made(checkout, "a")[1].read_text()


def test_a_removed_proto_takes_its_modules_with_it(checkout: Path) -> None:
    write(checkout, "b", "One").unlink()
    gone = [checkout / "service/sekisho/api/b" / name for name in ("__init__.py", "v1/__init__.py")] + made(checkout, "b")
    assert sorted(hatch_build.compile_protos(checkout)) == gone
    assert [path for path in gone if path.exists()] == []


def test_a_broken_proto_leaves_everything_as_it_was(checkout: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (checkout / "proto/sekisho/api/a/v1/a.proto").write_text("syntax = ")
    before = {path: path.read_bytes() for path in made(checkout, "a")}
    with pytest.raises(SystemExit, match="protoc refused"):
        hatch_build.compile_protos(checkout)
    assert {path: path.read_bytes() for path in before} == before
    assert "a.proto" in capfd.readouterr().err

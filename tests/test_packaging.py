"""What is installed: the wheel holds the package and what it needs, the base install stays light, the pins fit what is asked for."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUNTIME = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["server"]
TRACED = RUNTIME + PROJECT["optional-dependencies"]["otel"]
PARQUET = RUNTIME + PROJECT["optional-dependencies"]["parquet"]
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)(?: ; (.*?))? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


def listed(name: str) -> list[str]:
    """The requirements of `requirements/<name>.in`."""
    lines = (line.split("#")[0].strip() for line in (ROOT / f"requirements/{name}.in").read_text().splitlines())
    return [line for line in lines if line]


ASKED = {
    "tools": listed("tools"),
    "build": listed("build"),
    "runtime": RUNTIME,
    "otel": TRACED,
    "parquet": PARQUET,
    "dev": [*TRACED, *PARQUET, *listed("build"), *listed("dev")],
    "charts": listed("charts"),
    "c7n": listed("c7n"),
    "prowler": listed("prowler"),
}


def pins(name: str) -> dict[str, str]:
    """Distribution name to version."""
    return {canonicalize_name(found[1]): found[2] for found in PINNED.finditer((ROOT / f"requirements/{name}.txt").read_text())}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built as `make wheel` does, against the installed compiler."""
    folder = tmp_path_factory.mktemp("wheel")
    code = "import sys, hatchling.build as backend; print(backend.build_wheel(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, folder], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_installs_only_the_package(contents: set[str]) -> None:
    assert {name.split("/")[0] for name in contents} == {"sekisho", "sekisho-0.1.0.dist-info"}


def test_the_wheel_has_every_proto_compiled(contents: set[str]) -> None:
    protos = [path.relative_to(ROOT / "proto").with_suffix("") for path in (ROOT / "proto").rglob("*.proto")]
    assert len(protos) > 10
    for proto in protos:
        assert {f"{proto}_pb2.py", f"{proto}_pb2.pyi", f"{proto.parent}/__init__.py", f"sekisho/proto/{proto}.proto"} <= contents


def test_the_wheel_carries_the_migrations(contents: set[str]) -> None:
    versions = [path.name for path in (ROOT / "migrations/versions").glob("[0-9]*.py")]
    assert versions
    assert {"sekisho/migrations/env.py", *(f"sekisho/migrations/versions/{name}" for name in versions)} <= contents


def test_the_wheel_carries_the_examples(contents: set[str]) -> None:
    files = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs/examples").rglob("*") if path.is_file()}
    assert files
    assert {f"sekisho/{name}" for name in files} <= contents


def test_the_wheel_has_no_leftovers(contents: set[str]) -> None:
    assert [name for name in contents if name.endswith((".pyc", "/.made")) or "__pycache__" in name] == []


def test_every_module_of_the_wheel_is_the_checkouts(wheel: Path, contents: set[str]) -> None:
    modules = {str(path.relative_to(ROOT / "service")) for path in (ROOT / "service/sekisho").rglob("*.py")}
    assert modules <= contents
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("sekisho/errors.py") == (ROOT / "service/sekisho/errors.py").read_bytes()


IMPORTS = """
import sys

class Missing:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[2:]:
            raise ModuleNotFoundError(f"{name} is no part of the base install")

sys.meta_path.insert(0, Missing)
sys.path.insert(0, sys.argv[1])
import sekisho.client, sekisho.cli
assert sekisho.__file__.startswith(sys.argv[1]), sekisho.__file__
sys.argv[1:] = ["--help"]
sekisho.cli.main()
"""


def base_install() -> set[str]:
    """The distributions that come with `pip install sekisho`, without an extra."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in PROJECT["dependencies"]]
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name in found or not (one.marker is None or one.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        waiting += [Requirement(text) for text in metadata.requires(name) or []]
    return found


def test_client_and_cli_import_from_the_wheel_with_the_base_install_alone(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    base = base_install()
    others = [
        name for name, owners in metadata.packages_distributions().items() if not base & {canonicalize_name(owner) for owner in owners}
    ]
    assert {"sqlalchemy", "botocore", "cryptography"} <= set(others)
    command = [sys.executable, "-c", IMPORTS, str(tmp_path), *(name for name in others if name != "sekisho")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "authorize" in done.stdout


@pytest.mark.parametrize("name", ["tools", "build", "runtime", "otel", "parquet", "dev", "charts", "c7n", "prowler"])
def test_pins_meet_what_is_asked_for(name: str) -> None:
    pinned = pins(name)
    wanted = [Requirement(text) for text in ASKED[name]]
    missed = [str(one) for one in wanted if not one.specifier.contains(pinned.get(canonicalize_name(one.name), "0"))]
    assert missed == []


@pytest.mark.parametrize("name", ["tools", "build", "runtime", "otel", "parquet", "dev", "charts", "c7n", "prowler"])
def test_requirement_files_are_hashed_and_name_no_place(name: str) -> None:
    text = (ROOT / f"requirements/{name}.txt").read_text()
    assert PINNED.sub("", text).strip() == ""
    assert "://" not in text


def test_requirement_files_agree_with_each_other() -> None:
    dev = pins("dev")
    assert {
        package: version
        for name in ("build", "runtime", "otel", "parquet")
        for package, version in pins(name).items()
        if dev.get(package) != version
    } == {}


def test_the_compiler_is_the_one_that_the_build_system_asks_for() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert sorted(build) == sorted(ASKED["build"])


@cache
def imported(folder: Path) -> frozenset[str]:
    """Every module that the Python files below a folder import, at the top or within a function; names of members among them."""
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        if path.name.endswith("_pb2.py"):
            continue  # what protoc writes imports protobuf, which others import too, and is most of what there is to parse
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def modules(distribution: str) -> set[str]:
    """The modules that a distribution installs; a namespace that it shares with others is not among them."""
    files = [path for path in metadata.files(distribution) or [] if path.suffix in (".py", ".so", ".pyd")]
    names = {".".join((*path.parts[:-1], path.name.split(".")[0])).removesuffix(".__init__") for path in files}
    return {name for name in names if name.isascii() and ".dist-info" not in name}


UNNAMED = {
    "httptools": "uvicorn.protocols.http.httptools_impl",  # is imported by this module, which is imported by us
}
EXTRAS = {"psycopg": {"binary"}}  # psycopg finds the C library in it by itself


@pytest.mark.parametrize("extra", [None, *PROJECT["optional-dependencies"]])
def test_nothing_is_installed_that_nobody_imports(extra: str | None) -> None:
    used = imported(ROOT / "service") | imported(ROOT / "migrations")
    asked = [Requirement(text) for text in (PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"])]
    needless = [one.name for one in asked if not (modules(one.name) | {UNNAMED.get(one.name, "")}) & used]
    assert needless == []
    assert [(one.name, one.extras) for one in asked if one.extras != EXTRAS.get(one.name, set())] == []


def test_a_runtime_pin_is_needed_by_something_that_is_asked_for() -> None:
    waiting = {(canonicalize_name(one.name), extra) for one in map(Requirement, RUNTIME) for extra in ("", *one.extras)}
    needed: set[tuple[str, str]] = set()
    while waiting:
        name, extra = one = waiting.pop()
        needed.add(one)
        try:
            listed = [Requirement(text) for text in metadata.requires(name) or []]
        except metadata.PackageNotFoundError:  # of another system
            continue
        waiting |= {
            (canonicalize_name(other.name), wanted)
            for other in listed
            if other.marker is None or "extra" not in str(other.marker) or other.marker.evaluate({"extra": extra})
            for wanted in ("", *other.extras)
        } - needed
    assert sorted(pins("runtime").keys() - {name for name, _ in needed}) == []

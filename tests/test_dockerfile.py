"""The image, without an engine: what its Dockerfile promises, and its steps run in a scratch folder."""

import fcntl
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests import containerfile
from tests.certificates import Authority

ROOT = Path(__file__).parents[1]
STAGES = containerfile.parse((ROOT / "Dockerfile").read_text())
FINAL = STAGES[-1]
DATA = "var/lib/sekisho"


@pytest.fixture(scope="session")
def image(run_folder: Path) -> containerfile.Build:
    """The image, built once in a test run; packages come through the caches of `make`, so that the next run downloads nothing."""
    caches = {"UV_CACHE_DIR": str(ROOT / ".tools/cache"), "PIP_CACHE_DIR": str(ROOT / ".tools/pip"), "UV_SYSTEM_CERTS": "true"}
    machine = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_")) or name.endswith("_proxy")}
    folder = run_folder / "image"
    folder.mkdir(exist_ok=True)
    build = containerfile.Build(ROOT, folder / "scratch", {**machine, **caches})
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            shutil.rmtree(folder / "scratch", ignore_errors=True)
            try:
                build.run(STAGES)
            except subprocess.CalledProcessError as error:
                pytest.fail(f"{error.cmd}\n{error.stderr.decode()}")
            (folder / "done").touch()
    return build


def test_there_is_a_stage_to_build_and_one_to_ship() -> None:
    assert [stage.name for stage in STAGES] == ["build", "1"]
    (base,) = {stage.base for stage in STAGES}
    assert re.fullmatch(r"python:3\.13-slim-bookworm@sha256:[0-9a-f]{64}", base)
    assert [step.name for step in FINAL.steps if step.name in {"RUN", "ADD"}] == []


def test_what_ships_comes_from_the_build_stage_only() -> None:
    assert [step.flags.get("from") for step in FINAL.steps if step.name == "COPY"] == ["build", "build"]


def test_it_runs_as_nobody_in_particular() -> None:
    user = FINAL.last("USER")
    assert user is not None
    uid, gid = user.text.split(":")
    assert int(uid) > 1000
    assert int(gid) > 1000


def test_it_writes_only_where_a_volume_is() -> None:
    volume = FINAL.last("VOLUME")
    assert volume is not None
    assert volume.text == FINAL.environment["SEKISHO_DATA_DIR"] == FINAL.environment["HOME"] == "/var/lib/sekisho"
    assert FINAL.environment["PYTHONDONTWRITEBYTECODE"] == "1"
    owned = [step for step in FINAL.steps if step.name == "COPY" and step.flags.get("chown") == "10001:10001"]
    assert [step.words[-1] for step in owned] == ["/var/lib/sekisho"]


def test_the_image_does_not_turn_off_transport_security() -> None:
    start = FINAL.last("CMD")
    assert start is not None
    assert start.words == ["serve"]
    assert not any("INSECURE" in name for name in FINAL.environment)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("service/sekisho/errors.py", False),
        ("requirements/analyzer.txt", False),
        ("docs/examples/shop/account.yaml", False),
        ("docs/decisions/README.md", True),
        ("service/sekisho/api/iam/v1/users_pb2.py", True),
        ("service/sekisho/__pycache__/errors.cpython-311.pyc", True),
        (".data/credentials", True),
        (".git/config", True),
        (".venv/bin/python", True),
        (".env", True),
        ("tests/conftest.py", True),
    ],
)
def test_the_engine_gets_what_it_needs_and_no_secret(path: str, expected: bool) -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert containerfile.ignored(path, lines) is expected


def settings(image: containerfile.Build) -> dict[str, str]:
    """The environment of the container, on free ports of loopback; bytecode, which the image has from its build, is kept beside it."""
    inside = {name: image.inside(value) for name, value in FINAL.environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    path = ":".join(image.inside(place) for place in FINAL.environment["PATH"].split(":"))
    return {
        **inside,
        "PATH": path,
        "SEKISHO_GRPC": "127.0.0.1:0",
        "SEKISHO_HTTP": "127.0.0.1:0",
        "PYTHONPYCACHEPREFIX": str(image.scratch / "bytecode"),
    }


def words(instruction: str) -> list[str]:
    """The command of an instruction of the last stage, in the form that needs no shell."""
    step = FINAL.last(instruction)
    assert step is not None
    found = re.search(r"\[.*\]$", step.text)
    assert found is not None
    return containerfile.Step(instruction, {}, found[0]).words


def run(image: containerfile.Build, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=image.root / DATA, env=settings(image), capture_output=True, text=True, check=False)


def files(image: containerfile.Build) -> set[Path]:
    """All that is not on the volume."""
    return {path for path in image.root.rglob("*") if not path.is_relative_to(image.root / DATA)}


def test_the_entry_point_starts_and_writes_nothing(image: containerfile.Build) -> None:
    before = files(image)
    done = run(image, [*words("ENTRYPOINT"), "--help"])
    assert done.returncode == 0, done.stderr
    assert "serve" in done.stdout
    assert files(image) == before


def test_the_image_has_its_own_compiled_protos_and_migrations(image: containerfile.Build) -> None:
    [package] = image.root.glob("opt/sekisho/lib/python3.*/site-packages/sekisho")
    assert (package / "api/annotations/v1/annotations_pb2.py").is_file()
    assert (package / "migrations/env.py").is_file()
    assert not list(image.root.rglob("grpc_tools"))


@pytest.mark.parametrize("tls", [False, True], ids=["in the clear", "with a certificate"])
def test_it_serves_and_is_healthy_only_then_and_writes_only_to_its_volume(image: containerfile.Build, tmp_path: Path, tls: bool) -> None:
    certificate, key = Authority().server().write(tmp_path, "server")
    secured = ["--tls-cert", str(certificate), "--tls-key", str(key)] if tls else []
    before = files(image)
    check = words("HEALTHCHECK")
    command = [*words("ENTRYPOINT"), *words("CMD"), *secured]
    server = subprocess.Popen(
        command, cwd=image.root / DATA, env=settings(image), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        while server.poll() is None and not (image.root / DATA / "endpoints.json").exists():
            time.sleep(0.05)
        assert server.poll() is None, server.communicate()[0]
        healthy = run(image, check)
        assert healthy.returncode == 0, healthy.stderr
    finally:
        server.terminate()
        output = server.communicate(timeout=120)[0]
    assert server.returncode == 0, output
    assert files(image) == before
    if not tls:  # which a server that does not run has not
        late = run(image, check)
        assert late.returncode == 1
        assert "Traceback" not in late.stderr
        assert files(image) == before

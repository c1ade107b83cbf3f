"""A data directory has one server at a time, and what it says of where that listens is of that server."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sekisho.errors import SekishoError
from sekisho.node import data_dir
from sekisho.node.options import Endpoints

HOLD = """
import sys
from pathlib import Path
from sekisho.node import data_dir
from sekisho.node.options import Endpoints
with data_dir.alone(Path(sys.argv[1])):
    data_dir.publish(Path(sys.argv[1]), Endpoints("127.0.0.1:1", "127.0.0.1:2"))
    print("here", flush=True)
    sys.stdin.read()
"""


def another(folder: Path) -> "subprocess.Popen[str]":
    """A process that has the folder until its standard input ends."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    return process


def refused(folder: Path) -> str:
    with pytest.raises(SekishoError) as caught, data_dir.alone(folder):
        pass
    assert caught.value.code == "DataDirInUse"
    return caught.value.message


def test_the_second_server_is_refused_and_leaves_the_first_ones_endpoints(tmp_path: Path) -> None:
    with another(tmp_path) as process:
        assert data_dir.is_served(tmp_path)
        assert refused(tmp_path) == f"a server runs in the data directory {tmp_path} already (process {process.pid})"
        assert json.loads((tmp_path / "endpoints.json").read_text()) == {"grpc": "127.0.0.1:1", "http": "127.0.0.1:2"}
        process.communicate()
    assert not (tmp_path / "endpoints.json").exists()
    assert not data_dir.is_served(tmp_path)
    with data_dir.alone(tmp_path):
        assert data_dir.is_served(tmp_path)


def test_what_a_killed_server_left_is_known_as_such_and_goes_with_the_next(tmp_path: Path) -> None:
    with another(tmp_path) as process:
        process.kill()
        process.wait()
    assert (tmp_path / "endpoints.json").exists()
    assert not data_dir.is_served(tmp_path)
    with data_dir.alone(tmp_path):
        assert not (tmp_path / "endpoints.json").exists()
        data_dir.publish(tmp_path, Endpoints("127.0.0.1:3", "127.0.0.1:4"))
        assert json.loads((tmp_path / "endpoints.json").read_text())["grpc"] == "127.0.0.1:3"


def test_of_a_folder_without_a_lock_nobody_can_tell(tmp_path: Path) -> None:
    assert data_dir.is_served(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SekishoError, match=f"the data directory {tmp_path}/file/data cannot be made: Not a directory"):
        data_dir.make(tmp_path / "file" / "data")

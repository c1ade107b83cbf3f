"""docs/credentials.md: its commands run, and the methods that it names are there."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sekisho.client import Client
from tests.cli.command import environment
from tests.cli.conftest import Shop

PAGE = (Path(__file__).parents[2] / "docs/credentials.md").read_text()
COMMANDS = re.findall(r"(?m)^    (sekisho .*)$", PAGE)


def test_the_page_has_commands() -> None:
    assert len(COMMANDS) == 3


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page(shop: Shop, role: str, tmp_path: Path, command: str) -> None:
    line = [sys.executable, "-m", "sekisho.cli", *shlex.split(command.replace("$ROLE", role))[1:]]
    env = environment(HOME=str(tmp_path), SEKISHO_DATA_DIR=str(shop.data_dir), PATH=os.environ["PATH"])
    done = subprocess.run(line, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    key = json.loads(done.stdout)["AccessKeyId"] if " process " in command else done.stdout.strip()
    assert re.fullmatch("ASIA[A-Z0-9]{16}", key)


def test_methods_of_the_page_are_there() -> None:
    named = set(re.findall(r"client\.(mfa|sts)\.(\w+)\(", PAGE))
    assert len(named) == 6
    with Client("127.0.0.1:1", None) as client:
        assert [name for service, name in sorted(named) if not callable(getattr(getattr(client, service), name, None))] == []

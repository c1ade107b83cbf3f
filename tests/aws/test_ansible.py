"""Ansible's collection amazon.aws, unmodified: what a playbook makes is there, made again it changes nothing, and all of it goes again.

The package that has the collection is large: `make clients` installs it, which CI does, and `make test` then runs this.
"""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from tests.aws.conftest import REGION, Served, left

PLAYBOOKS = Path(__file__).parent / "ansible"
PROGRAM = Path(sys.executable).with_name("ansible-playbook")
MADE = {"present.yml": 7, "absent.yml": 7}
"""Tasks that change something the first time."""


def installed() -> bool:
    """Whether the program and the collection are here."""
    try:
        return PROGRAM.exists() and importlib.util.find_spec("ansible_collections.amazon.aws") is not None
    except ModuleNotFoundError:
        return False


pytestmark = pytest.mark.skipif(not installed(), reason="Ansible is not here: `make clients` installs its 250 MB")


def play(served: Served, name: str, home: Path) -> tuple[int, int]:
    """Run a playbook; how many tasks were done, and how many of them changed something."""
    environment = served.environment(
        HOME=str(home),
        ANSIBLE_HOME=str(home),
        ANSIBLE_STDOUT_CALLBACK="ansible.builtin.default",
        ANSIBLE_DEPRECATION_WARNINGS="false",
        ANSIBLE_LOCALHOST_WARNING="false",
        AWS_REGION=REGION,
        AWS_EC2_METADATA_DISABLED="true",
    )
    inventory = ["-i", "localhost,", "-e", json.dumps({"ansible_python_interpreter": sys.executable})]
    done = subprocess.run([PROGRAM, *inventory, PLAYBOOKS / name], env=environment, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"ok=(\d+) +changed=(\d+) +unreachable=0 +failed=0", done.stdout)
    assert found is not None, done.stdout
    return int(found[1]), int(found[2])


def test_a_playbook_changes_nothing_the_second_time_and_leaves_nothing(served: Served, tmp_path: Path) -> None:
    for name, changes in MADE.items():
        first, again = play(served, name, tmp_path), play(served, name, tmp_path)
        assert (first[1], again[1]) == (changes, 0), name
    keys = {"aws_access_key_id": served.access_key_id, "aws_secret_access_key": served.secret_access_key}
    iam = boto3.client("iam", endpoint_url=served.url, region_name=REGION, **keys)
    assert left(served) == []
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_account_password_policy()
